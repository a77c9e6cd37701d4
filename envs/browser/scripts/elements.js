// Lists and numbers the elements of any page, frames of the same origin and open shadow roots included, and finds them
// again. Numbers count in document order and hold until the next reading. Reading adds nothing to the document.
(() => {
  'use strict';
  // Elements that listen to the pointer: known only where this runs before the page's own scripts.
  if (document.readyState === 'loading' && !window.turngymListeners) {
    const listeners = new WeakSet();
    const listen = EventTarget.prototype.addEventListener;
    Object.defineProperty(window, 'turngymListeners', {value: listeners});
    EventTarget.prototype.addEventListener = function addEventListener(type, ...rest) {
      if (/^(click|dblclick|mousedown|mouseup|pointerdown|pointerup)$/.test(type)) listeners.add(this ?? window);
      return listen.call(this ?? window, type, ...rest);
    };
  }
  if (window.parent !== window || window.turngymElements) return;

  const ROLES = 'button link tab checkbox radio menuitem menuitemcheckbox menuitemradio option slider spinbutton ' +
    'textbox searchbox combobox switch treeitem';
  const USABLE = 'a,button,input,textarea,select,option,label,canvas,summary,[onclick],[data-color],[tabindex="0"],' +
    '[contenteditable=""],[contenteditable=true],' +
    ROLES.split(' ').map((role) => `[role=${role}]`).join() + ',' +
    'circle ellipse rect line path polygon polyline text'.split(' ').map((tag) => `svg ${tag}`).join();
  const WHOLE = 'a,button,option,[role=button],[role=tab],[role=menuitem]';  // their insides are part of them
  const UNSEEN = 'head,script,style,template,noscript,source,track';
  const INPUTS = {checkbox: 'checkbox', radio: 'radio', button: 'button', submit: 'button', reset: 'button',
    image: 'button', range: 'slider'};
  const TEXTUAL = ['textbox', 'searchbox', 'spinbutton', 'checkbox', 'radio'];
  const PICKED = ['date', 'time', 'month', 'week', 'datetime-local', 'range', 'color'];  // not filled by typing
  const ROW = 6;  // pixels between the middles of two rows of text
  const LONGEST_NAME = 200;  // characters
  const LONGEST_TEXT = 500;  // characters of an element's text or attribute in the simplified HTML
  const LONGEST_ATTRIBUTE = 100;  // the same in the DOM listing
  const SPREAD = [0.5, 0.2, 0.8, 0.05, 0.95];  // parts of a box at which it is tried whether a click arrives

  // What a kind of page may set: what is no part of it, how much of it is shown, how many elements are numbered, and
  // a last resort for the name of an element.
  const settings = {skipped: UNSEEN, width: Infinity, height: Infinity, most: 5000, hint: () => ''};
  const configure = ({skipped, ...rest}) =>
    Object.assign(settings, rest, skipped ? {skipped: `${UNSEEN},${skipped}`} : {});

  let numbered = [];  // the elements, by number
  let known = new Map();  // what the last reading found of each visible element
  let frames = [];  // the documents it went through

  const squeeze = (text) => (text || '').replace(/\s+/g, ' ').trim();
  const ownText = (node) => {
    let text = '';
    for (let child = node.firstChild; child; child = child.nextSibling) {
      if (child.nodeType === 3) text += child.data + ' ';
    }
    return text && squeeze(text);
  };

  // A part that shows a hand when pointed at, or that listens to the pointer.
  const isPushable = (node) => !node.childElementCount && (Boolean(node.onclick) ||
    getComputedStyle(node).cursor === 'pointer' || Boolean(node.ownerDocument.defaultView?.turngymListeners?.has(node)));

  const roleOf = (node) => {
    const tag = node.tagName.toLowerCase();
    const role = node.getAttribute('role');
    if (role) return role;
    if (tag === 'input') return INPUTS[node.type] || 'textbox';
    return {a: 'link', textarea: 'textbox', select: 'combobox'}[tag] || tag;
  };

  const labelledBy = (node) => (node.getAttribute('aria-labelledby') || '').split(/\s+/).filter(Boolean)
    .map((id) => node.getRootNode().getElementById(id)?.textContent || '').join(' ');

  const nameOf = (node) => {
    if (node.tagName === 'SELECT') return squeeze([...node.selectedOptions].map((option) => option.text).join(', '));
    const says = TEXTUAL.includes(roleOf(node))
      ? [node.labels && node.labels.length && node.labels[0].innerText]
      : [node.innerText || node.textContent, node.value];
    const names = [...says, node.getAttribute('aria-label'), labelledBy(node), node.title, node.placeholder,
      node.getAttribute('alt'), node.querySelector('img[alt]')?.alt, settings.hint(node),
      isPushable(node) && node.getAttribute('class')];  // an icon
    return squeeze(names.find((name) => typeof name === 'string' && name.trim())).slice(0, LONGEST_NAME);
  };

  // The box of a node, or where it breaks over lines, of its longest piece.
  const boxOf = (node) => {
    let best = null;
    for (const box of node.getClientRects()) if (!best || box.width > best.width) best = box;
    return best;
  };

  // Where a click arrives ---------------------------------------------------------------------------------------

  const parentOf = (node) => node.assignedSlot || node.parentNode || node.host || null;
  const isInside = (node, outer) => {
    for (; node; node = parentOf(node)) if (node === outer) return true;
    return false;
  };
  const topmost = (root, x, y) => {
    let top = root.elementFromPoint(x, y);
    while (top && top.shadowRoot) {
      const inner = top.shadowRoot.elementFromPoint(x, y);
      if (!inner || inner === top) break;
      top = inner;
    }
    return top;
  };
  const ownerOf = (node) => node.ownerDocument.defaultView?.frameElement || null;
  // The place of a frame's contents in the document that holds the frame.
  const origin = (owner) => {
    const box = owner.getBoundingClientRect();
    return [box.left + owner.clientLeft, box.top + owner.clientTop];
  };
  // The place of a document in the top one's viewport.
  const offset = (node) => {
    const owner = ownerOf(node);
    if (!owner) return [0, 0];
    const [left, top] = origin(owner);
    const [outerLeft, outerTop] = offset(owner);
    return [left + outerLeft, top + outerTop];
  };
  // Whether a point of a frame's document is where its frame shows, all the way up.
  const shows = (node, x, y) => {
    const owner = ownerOf(node);
    if (!owner) return x >= 0 && y >= 0 && x < settings.width && y < settings.height;
    const [left, top] = origin(owner);
    return topmost(owner.ownerDocument, x + left, y + top) === owner && shows(owner, x + left, y + top);
  };

  // The point of a box, its middle if possible, at which a click reaches the node, in its document; null if none.
  const reach = (node, box) => {
    if (box.width < 1 || box.height < 1) return null;
    const passes = getComputedStyle(node).pointerEvents === 'none';
    for (const down of SPREAD) {
      for (const along of SPREAD) {
        const [x, y] = [box.left + box.width * along, box.top + box.height * down];
        const top = topmost(node.ownerDocument, x, y);
        if (!top || !shows(node, x, y)) continue;
        if (isInside(top, node) || top === node.ownerSVGElement || (passes && isInside(node, top))) return {x, y};
      }
    }
    return null;
  };

  const isVisible = (node) => node.checkVisibility({opacityProperty: true, visibilityProperty: true});

  // Reading a page ----------------------------------------------------------------------------------------------

  // Go through the page once; number what can be used or read on it.
  const survey = () => {
    known = new Map();
    frames = [];
    numbered = [];
    const screen = [Math.min(innerWidth, settings.width), Math.min(innerHeight, settings.height)];

    const enter = (document, owner, left, top, view) => {
      const frame = {owner, count: 0, dropped: [], numbers: [], left, top, view, index: frames.length};
      frames.push(frame);
      if (document.documentElement) visit(document.documentElement, frame, false, false);
    };
    const look = (node, frame, inner) => {
      const box = boxOf(node);
      if (!box || !isVisible(node)) return null;
      const [left, top] = [box.left + frame.left, box.top + frame.top];
      const [x0, y0, x1, y1] = frame.view;
      const inView = left < x1 && top < y1 && left + box.width > x0 && top + box.height > y0;
      const item = {box, left, top, inView, inner, frame, number: null, usable: false, point: null};
      known.set(node, item);
      return item;
    };
    const visit = (node, frame, dropped, inner) => {
      const ordinal = frame.count++;
      if (!dropped && node.matches(settings.skipped)) {
        frame.dropped.push(ordinal);
        dropped = true;
      }
      const item = dropped ? null : look(node, frame, inner);
      if (item && !inner && item.box.width >= 1 && item.box.height >= 1) {
        item.usable = node.matches(USABLE) || isPushable(node);
        const named = node.tagName === 'LABEL' && node.control && isVisible(node.control);
        if (!named && (item.usable || ownText(node)) && numbered.length < settings.most) {
          item.number = numbered.length;
          frame.numbers.push([ordinal, item.number]);
          numbered.push(node);
        }
      }
      const whole = inner || (!dropped && node.matches(WHOLE));
      if (node.shadowRoot) for (const child of node.shadowRoot.children) visit(child, frame, dropped, whole);
      for (const child of node.children) visit(child, frame, dropped, whole);
      if (item && (node.tagName === 'IFRAME' || node.tagName === 'FRAME') && node.contentDocument) {
        const [left, top] = [item.left + node.clientLeft, item.top + node.clientTop];
        const [x0, y0, x1, y1] = frame.view;
        const view = [Math.max(x0, left), Math.max(y0, top), Math.min(x1, left + node.clientWidth),
          Math.min(y1, top + node.clientHeight)];
        enter(node.contentDocument, [frame.index, ordinal], left, top, view);
      }
    };
    enter(document, null, 0, 0, [0, 0, ...screen]);
    for (const node of numbered) {
      const item = known.get(node);
      item.point = item.inView ? reach(node, item.box) : null;
    }
  };

  const describe = (node) => {
    const {box, left, top, frame, number, usable, point} = known.get(node);
    const at = point || {x: box.left + box.width / 2, y: box.top + box.height / 2};
    return {
      number, usable, reached: Boolean(point), role: roleOf(node), name: nameOf(node), value: String(node.value ?? ''),
      checked: node.checked === true || node.getAttribute('aria-checked') === 'true',
      disabled: node.disabled === true, focused: node.getRootNode().activeElement === node,
      left, top, x: frame.left + at.x, y: frame.top + at.y, width: box.width, height: box.height,
    };
  };

  // What can be used or read where the page shows, row by row, with its box in viewport pixels.
  const elements = (more = () => ({})) => {
    survey();
    const found = numbered.filter((node) => known.get(node).point)
      .map((node) => ({...describe(node), ...more(node)})).sort((a, b) => a.y - b.y);
    let row = -Infinity;
    for (const item of found) {
      if (item.y - row > ROW) row = item.y;
      item.row = row;
    }
    return found.sort((a, b) => a.row - b.row || a.x - b.x);
  };

  const inOrder = (nodes) => nodes.map(describe).sort((a, b) => a.number - b.number);

  // For each document: whose frame it is in, and which of its elements, counted from its start, are numbered or no
  // part of the page.
  const ordinals = () => {
    survey();
    return {
      documents: frames.map(({owner, count, dropped, numbers}) => ({owner, count, dropped, numbers})),
      elements: inOrder(numbered),
    };
  };

  // Text --------------------------------------------------------------------------------------------------------

  // Page text must not pass for an element of the listing.
  const escapeText = (text) => text.replace(/</g, '&lt;');
  const pairs = (attributes, longest) => attributes.map(([key, value]) =>
    ` ${key}="${escapeText(value).slice(0, longest).replace(/"/g, '&quot;')}"`).join('');
  const tagOf = (node) => node.tagName.toLowerCase();
  // Its children with text among them, in the order in which elements are numbered.
  const contents = (node) => [...(node.shadowRoot ? node.shadowRoot.childNodes : []), ...node.childNodes,
    ...(/^I?FRAME$/.test(node.tagName) && node.contentDocument ? [node.contentDocument.documentElement] : [])];

  // The beginning of a text, up to the last whole part; how much there is of it; and the elements that it numbers.
  const cut = (text, limit, end, told) => {
    let kept = text.length <= limit ? text.length : text.lastIndexOf(end, limit - end.length) + end.length;
    if (kept < end.length) kept = limit;
    return {text: text.slice(0, kept).trimEnd(), length: text.length, elements: inOrder(told)};
  };

  // An option is told with its list, open or not.
  const isChoice = (node) => node.tagName === 'OPTION' && known.has(node.closest('select'));

  const KEPT = ['title', 'value', 'type', 'placeholder', 'alt', 'aria-label', 'data-testid', 'data-label'];
  const simpleAttributes = (node, whole) => {
    const found = KEPT.map((key) => [key, node.getAttribute(key)]);
    const tag = node.tagName;
    const ticked = tag === 'INPUT' && /^(checkbox|radio)$/.test(node.type);
    if ((tag === 'INPUT' && !ticked) || tag === 'TEXTAREA') found.push(['data-value', node.value]);
    if (tag === 'SELECT') {
      found.push(['data-value', node.value], ['data-text', node.selectedOptions[0]?.text]);
    }
    if (ticked) found.push(['data-status', node.checked ? 'checked' : 'not-checked']);
    if (tag === 'OPTION' && node.selected) found.push(['data-status', 'selected']);
    const seen = new Set([whole]);
    return found.map(([key, value]) => [key, squeeze(value)])
      .filter(([, value]) => value && !seen.has(value) && seen.add(value));
  };

  // HTML of what the viewport shows, simplified: elements that say nothing are left out, what can be clicked has an id.
  const html = (limit) => {
    survey();
    const told = [];
    const render = (node) => {
      const item = known.get(node);
      const choice = isChoice(node) && known.get(node.closest('select'))?.inView;
      if (!choice && !(item && item.inView)) {
        return item ? contents(node).filter((child) => child.nodeType === 1).map(render).filter(Boolean).join(' ') : '';
      }
      const whole = node.matches(WHOLE) ? squeeze(node.innerText || node.textContent) : '';
      const parts = whole ? [escapeText(whole.slice(0, LONGEST_TEXT))] : [];
      let inner = 0, says = Boolean(whole);
      for (const child of whole ? node.querySelectorAll('img[alt]') : contents(node)) {
        const text = child.nodeType === 3 && !/^(TEXTAREA|SELECT)$/.test(node.tagName) ? squeeze(child.data) : '';
        const part = child.nodeType === 1 ? render(child) : escapeText(text.slice(0, LONGEST_TEXT));
        if (!part) continue;
        parts.push(part);
        if (text) says = true;
        else inner++;
      }
      const attributes = simpleAttributes(node, whole);
      const shown = item && item.usable && item.point;
      const root = /^(HTML|BODY)$/.test(node.tagName);
      const icon = shown && !says && !attributes.length && nameOf(node);
      if (icon) attributes.push(['data-label', icon]);
      if (!shown && !says && !attributes.length && inner < 2 && !root && !choice) return parts.join(' ');
      if (shown && item.number !== null) {
        attributes.unshift(['id', String(item.number)]);
        told.push(node);
      }
      const {left, top, box} = item || {};
      if (item) attributes.push(['data-bbox', [left, top, box.width, box.height].map(Math.round).join()]);
      const body = parts.length ? ` ${parts.join(' ')} ` : ' ';
      return `<${tagOf(node)}${pairs(attributes, LONGEST_TEXT)}>${body}</${tagOf(node)}>`;
    };
    return cut(render(document.documentElement), limit, '> ', told);
  };

  const NOISE = /^(style|on.*|data-.*|srcset|integrity|nonce|jsaction|tabindex|width|height)$/;
  const STATE = ['value', 'checked', 'selected'];  // told as they are, not as the page was written
  const plainAttributes = (node) => {
    const found = [...node.attributes].filter(({name}) => !NOISE.test(name) && !STATE.includes(name))
      .filter(({value}) => !value.startsWith('data:')).map(({name, value}) => [name, squeeze(value)]);
    if (typeof node.value === 'string' && node.value) found.push(['value', squeeze(node.value)]);
    if (node.checked) found.push(['checked', '']);
    if (node.selected) found.push(['selected', '']);
    return found;
  };

  // The elements that are visible somewhere on the page, one a line, indented. Those that only hold another are left out.
  const dom = (limit) => {
    survey();
    // The lines of a node, each with how far it is indented.
    const render = (node) => {
      const item = known.get(node);
      const shown = item || isChoice(node);
      const inner = [];
      let texts = 0, parts = 0;
      for (const child of contents(node)) {
        const text = child.nodeType === 3 && shown && node.tagName !== 'TEXTAREA' ? squeeze(child.data) : '';
        const lines = child.nodeType === 1 && !child.matches(settings.skipped) ? render(child)
          : text ? [[0, escapeText(text)]] : [];
        if (!lines.length) continue;
        parts++;
        if (text) texts++;
        for (const line of lines) inner.push(line);
      }
      if (!shown) return inner;
      const counted = item && item.number !== null;
      const attributes = pairs(plainAttributes(node), LONGEST_ATTRIBUTE);
      const seen = !item || (item.box.width >= 1 && item.box.height >= 1);
      const root = /^(HTML|BODY)$/.test(node.tagName);
      if (!counted && !root && ((!attributes && parts === 1 && !texts) || (!seen && !parts))) return inner;
      const head = `${counted ? `[${item.number}] ` : ''}<${tagOf(node)}${attributes}>`;
      if (texts === 1 && parts === 1) return [[0, head + inner[0][1]]];
      for (const line of inner) line[0]++;
      return [[0, head], ...inner];
    };
    const text = render(document.documentElement).map(([depth, line]) => '  '.repeat(depth) + line).join('\n');
    return cut(text, limit, '\n', numbered);
  };

  // Using an element --------------------------------------------------------------------------------------------

  const refuse = (refusal) => ({refusal});
  // The element of that number with what it is for, or why it cannot be used.
  const find = (number) => {
    const node = numbered[number];
    if (!node) return refuse(`there is no element ${number}`);
    if (!node.isConnected || !node.ownerDocument.defaultView) return refuse(`element ${number} is gone`);
    return {node: node.tagName === 'LABEL' && node.control ? node.control : node};
  };
  const scrolled = (node) => {
    const places = [];
    for (let at = node; at; at = parentOf(at) || (at.nodeType === 9 && at.defaultView?.frameElement) || null) {
      if (at.nodeType === 1) places.push([at, at.scrollLeft, at.scrollTop]);
    }
    return places;
  };
  const pointOf = (node) => {
    const box = boxOf(node);
    const point = box && isVisible(node) ? reach(node, box) : null;
    if (!point) return null;
    const [left, top] = offset(node);
    return {x: point.x + left, y: point.y + top};
  };
  const obstacle = (node) => {
    const box = boxOf(node);
    const top = topmost(node.ownerDocument, box.left + box.width / 2, box.top + box.height / 2);
    return top && !isInside(node, top) ? ` by ${roleOf(top)} '${nameOf(top).slice(0, 40)}'` : '';
  };

  // A point of the viewport where a click reaches the element, which is scrolled into view if need be.
  const locate = (number) => {
    const {refusal} = find(number);
    if (refusal) return {refusal};
    const node = numbered[number];
    if (!boxOf(node) || !isVisible(node)) return refuse(`element ${number} is hidden`);
    const point = pointOf(node);
    if (point) return point;
    const places = scrolled(node);
    node.scrollIntoView({block: 'center', inline: 'center', behavior: 'instant'});
    const found = pointOf(node);
    if (found) return found;
    const why = obstacle(node);
    for (const [place, left, top] of places) place.scrollTo({left, top, behavior: 'instant'});
    return refuse(`element ${number} is covered${why}`);
  };

  // The number of the first visible element that a selector finds, or else of the first that is numbered within it or
  // around it; null if nothing is.
  const numberOf = (selector) => {
    const found = [...document.querySelectorAll(selector)].find(isVisible);
    const near = found ? [found, ...found.querySelectorAll('*')] : [];
    for (let at = found && parentOf(found); at; at = parentOf(at)) near.push(at);
    const number = near.map((node) => numbered.indexOf(node)).find((place) => place >= 0);
    return {number: number ?? null};
  };

  const changed = (node) => {
    for (const type of ['input', 'change']) node.dispatchEvent(new Event(type, {bubbles: true, composed: true}));
    return {};
  };

  // Choose an option of a list by its label or its value.
  const choose = (number, wanted) => {
    const {node, refusal} = find(number);
    if (refusal) return {refusal};
    if (node.tagName !== 'SELECT') return refuse(`element ${number} is a ${roleOf(node)}, not a list of options`);
    if (node.matches(':disabled')) return refuse(`element ${number} is disabled`);
    const options = [...node.options];
    const same = (text) => squeeze(text).toLowerCase() === squeeze(wanted).toLowerCase();
    const option = options.find(({label, text}) => label === wanted || squeeze(text) === squeeze(wanted)) ||
      options.find(({value}) => value === wanted) || options.find(({label, text}) => same(text) || same(label));
    if (!option) {
      const labels = options.map(({text}) => `'${squeeze(text)}'`).join(', ');
      return refuse(`element ${number} has no option '${wanted}': it has ${labels}`);
    }
    if (option.disabled || option.parentNode.disabled) return refuse(`option '${wanted}' is disabled`);
    const place = locate(number);
    if (place.refusal) return place;
    for (const other of options) if (other.selected && other !== option) other.selected = false;
    option.selected = true;
    return changed(node);
  };

  // Give a field its text, if it is of a kind that typing does not fill: says whether it was.
  const put = (number, text) => {
    const {node, refusal} = find(number);
    if (refusal) return {refusal};
    if (node.tagName !== 'INPUT' || !PICKED.includes(node.type)) return {put: false};
    if (node.matches(':disabled') || node.readOnly) return refuse(`element ${number} is disabled`);
    const before = node.value;
    const set = Object.getOwnPropertyDescriptor(node.ownerDocument.defaultView.HTMLInputElement.prototype, 'value').set;
    set.call(node, text);
    const fits = node.value === text;
    if (!fits) set.call(node, before);
    if (!fits) return refuse(`'${text}' does not fit element ${number}, a field for a ${node.type}`);
    const place = locate(number);
    if (place.refusal) set.call(node, before);
    return place.refusal ? place : {...changed(node), put: true};
  };

  const list = () => ({elements: elements()});
  const face = {configure, elements, list, ordinals, html, dom, locate, numberOf, choose, put};
  Object.defineProperty(window, 'turngymElements', {value: Object.freeze(face)});
})();
