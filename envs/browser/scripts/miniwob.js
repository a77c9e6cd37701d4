// Runs in every MiniWoB++ page before the page's own scripts: what TurnGym asks of a page, under one name.
window.turngym = (() => {
  'use strict';
  let shown = [Infinity, Infinity];  // width and height of what pictures show, pixels
  const SETTLE = 3000;  // milliseconds after which a page has come to rest

  const state = () => {
    if (WOB_DONE_GLOBAL && core.cover_div) core.cover_div.style.display = 'none';  // show how it ended
    return {ready: WOB_TASK_READY, done: WOB_DONE_GLOBAL, reward: WOB_RAW_REWARD_GLOBAL};
  };

  // What is left of the last episode (its animations, focus, scrolled boxes, clipboard) must not show in the next.
  const settle = () => {
    if (core.EP_TIMER !== null) core.endEpisode(0);
    const body = document.body;
    body.tabIndex = -1;  // focus, and the place from which Tab counts, go back to the top
    body.focus();
    body.blur();
    body.removeAttribute('tabindex');
    if (!turngymPage.idle) turngymPage.advance(SETTLE);
    for (const node of document.querySelectorAll('*')) {
      if (node.scrollTop || node.scrollLeft) node.scrollTo(0, 0);
      delete node.dataset.tampered;
    }
    turngymPage.clipboard = '';
    turngymPage.rewind();
  };

  // A new episode in the loaded page. Returns its state and its wording.
  const start = (seed, mode, width, height) => {
    shown = [width, height];
    core.EPISODE_MAX_TIME = 1e9;  // milliseconds: limits are the environment's business
    settle();
    core.setDataMode(mode);
    Math.seedrandom(String(seed));
    core.startEpisodeReal();
    const utterance = core.getUtterance();
    return {...state(), instruction: typeof utterance === 'string' ? utterance : utterance.utterance};
  };

  // Time passes, and the episode is as it then is.
  const step = (duration) => {
    turngymPage.advance(duration);
    return state();
  };

  const USABLE = 'a,button,input,textarea,select,option,label,canvas,[onclick],[data-color],[tabindex="0"],' +
    [...'button link tab checkbox radio menuitem option slider spinbutton textbox combobox switch'.split(' ')]
      .map((role) => `[role=${role}]`).join() + ',' +
    'circle ellipse rect line path polygon polyline text'.split(' ').map((tag) => `svg ${tag}`).join();
  const WHOLE = 'a,button,option,[role=button],[role=tab],[role=menuitem]';  // their insides are part of them
  const SKIPPED = '#query,#query-wrap,#reward-display,#sync-task-cover,#click-canvas,script,style';
  const INPUTS = {checkbox: 'checkbox', radio: 'radio', button: 'button', submit: 'button', range: 'slider'};
  const ROW = 6;  // pixels between the middles of two rows of text

  const squeeze = (text) => (text || '').replace(/\s+/g, ' ').trim();
  const ownText = (node) =>
    squeeze([...node.childNodes].filter((child) => child.nodeType === 3).map((child) => child.data).join(' '));

  // A part that shows a hand when pointed at.
  const isPushable = (node) => !node.childElementCount && getComputedStyle(node).cursor === 'pointer';

  const nameOf = (node) => {
    if (node.tagName === 'SELECT') return squeeze([...node.selectedOptions].map((option) => option.text).join(', '));
    const says = ['textbox', 'spinbutton', 'checkbox', 'radio'].includes(roleOf(node))
      ? [node.labels && node.labels.length && node.labels[0].innerText]
      : [node.innerText || node.textContent, node.value];
    const names = [...says, node.getAttribute('aria-label'), node.title, node.placeholder,
      ...Object.values({...node.dataset, tampered: ''}),
      isPushable(node) && node.getAttribute('class')];  // an icon
    return squeeze(names.find((name) => typeof name === 'string' && name.trim())).slice(0, 200);
  };

  const roleOf = (node) => {
    const tag = node.tagName.toLowerCase();
    const role = node.getAttribute('role');
    if (role) return role;
    if (tag === 'input') return INPUTS[node.type] || 'textbox';
    return {a: 'link', textarea: 'textbox', select: 'combobox'}[tag] || tag;
  };

  // The box of a node, or where it breaks over lines, of its longest piece.
  const boxOf = (node) =>
    [...node.getClientRects()].reduce((best, box) => (best && best.width >= box.width ? best : box), null);

  // The point of a box, its middle if possible, at which a click reaches the node; null if there is none.
  const SPREAD = [0.5, 0.2, 0.8, 0.05, 0.95];
  const reach = (node, box) => {
    const style = getComputedStyle(node);
    if (box.width < 1 || box.height < 1 || style.visibility === 'hidden' || style.opacity === '0') return null;
    for (const down of SPREAD) {
      for (const along of SPREAD) {
        const [x, y] = [box.left + box.width * along, box.top + box.height * down];
        const top = node.ownerDocument.elementFromPoint(x, y);
        if (!top || x >= shown[0] || y >= shown[1]) continue;
        const through = style.pointerEvents === 'none' && top.contains(node);
        if (node.contains(top) || top === node.ownerSVGElement || through) return {x, y};
      }
    }
    return null;
  };

  const describe = (node, box, point, left, top) => ({
    role: roleOf(node), name: nameOf(node), id: node.id, value: String(node.value ?? ''), checked: node.checked === true,
    focused: node.ownerDocument.activeElement === node,
    marked: Boolean(node.value) && node.selectionStart === 0 && node.selectionEnd === node.value.length,
    clicked: node.dataset.tampered === 'e' + WOB_EPISODE_ID, kind: node.dataset.type || node.dataset.color || '',
    x: left + point.x, y: top + point.y, width: box.width, height: box.height,
  });

  const collect = (inside, left, top, found) => {
    for (const node of inside.body.querySelectorAll('*')) {
      if (node.closest(SKIPPED) || node.parentElement.closest(WHOLE)) continue;
      if (node.tagName === 'LABEL' && node.control) continue;
      const box = boxOf(node);
      if (!box) continue;
      if (node.tagName === 'IFRAME' && node.contentDocument) {
        collect(node.contentDocument, left + box.left, top + box.top, found);
      } else if (node.matches(USABLE) || ownText(node) || isPushable(node)) {
        const point = reach(node, box);
        if (point) found.push(describe(node, box, point, left, top));
      }
    }
    return found;
  };

  // What can be used or read, with its box in viewport pixels, row by row.
  const elements = () => {
    const found = collect(document, 0, 0, []).sort((a, b) => a.y - b.y);
    let row = -Infinity;
    for (const item of found) {
      if (item.y - row > ROW) row = item.y;
      item.row = row;
    }
    return found.sort((a, b) => a.row - b.row || a.x - b.x);
  };

  // Everything an oracle asks for at once.
  const look = (probe) => ({elements: elements(), probe});

  return {start, step, look};
})();
