// Runs in every document, frames included, before the document's own scripts. It makes a page a function of what is
// done to it: time passes only when turngymPage.advance says so, randomness starts equal, nothing blinks or fades,
// and what headless Chromium would show outside the page (pickers, lists of choices, native drags) happens in the page or
// not at all.
(() => {
  'use strict';
  // What the page believes to be now when it loads, milliseconds.
  const START = window.turngymStart ?? Date.UTC(2024, 0, 15, 9, 0, 0);
  delete window.turngymStart;
  const FRAME = 16;  // milliseconds between two frames
  const LIMIT = 100000;  // callbacks in one advance; a page that schedules more is looping

  const later = window.setTimeout.bind(window);

  const makePage = () => {
    let now = START, nextId = 1, timers = [], frames = [], clipboard = '', images = [];
    const call = (callback, args, owner) => {
      try {
        typeof callback === 'function' ? callback.apply(owner, args) : owner.eval(String(callback));
      } catch (error) {
        owner.console.error(error);
      }
    };
    const earliest = () => {
      let first = null;
      for (const timer of timers) {
        if (!first || timer.at < first.at || (timer.at === first.at && timer.id < first.id)) first = timer;
      }
      return first;
    };
    return {
      get now() { return now; },
      get elapsed() { return now - START; },
      get clipboard() { return clipboard; },
      set clipboard(text) { clipboard = text; },
      addTimer(owner, callback, delay, args, repeats) {
        const every = Math.max(1, Number(delay) || 0);
        timers.push({id: nextId, at: now + every, every: repeats ? every : 0, callback, args, owner});
        return nextId++;
      },
      dropTimer(id) { timers = timers.filter((timer) => timer.id !== id); },
      addFrame(owner, callback) {
        frames.push({id: nextId, callback, owner});
        return nextId++;
      },
      dropFrame(id) { frames = frames.filter((frame) => frame.id !== id); },
      forget(owner) {
        timers = timers.filter((timer) => timer.owner !== owner);
        frames = frames.filter((frame) => frame.owner !== owner);
      },
      // Let so many milliseconds pass, with everything that happens in them, in order.
      advance(duration) {
        const end = now + duration;
        let nextFrame = now + FRAME;
        for (let count = 0; count < LIMIT; count++) {
          const timer = earliest();
          const frameIsDue = frames.length > 0 && nextFrame <= end && (!timer || nextFrame <= timer.at);
          if (frameIsDue) {
            now = nextFrame;
            nextFrame += FRAME;
            const due = frames;
            frames = [];
            for (const {callback, owner} of due) call(callback, [now - START], owner);
          } else if (timer && timer.at <= end) {
            now = Math.max(now, timer.at);
            if (timer.every) timer.at = now + timer.every;
            else timers = timers.filter((other) => other !== timer);
            call(timer.callback, timer.args, timer.owner);
          } else break;
        }
        now = end;
      },
      // Back to the time of loading, with what is scheduled still as far away as it was.
      rewind() {
        for (const timer of timers) timer.at = START + (timer.every || timer.at - now);
        now = START;
      },
      // Keep these images decoded: one that arrives later than the frame it belongs to would show in a later frame.
      preload(urls) {
        images = urls.map((url) => Object.assign(new Image(), {src: url}));
        return Promise.allSettled(images.map((image) => image.decode())).then(() => images.length);
      },
      // Fonts and images that the page turned to since it loaded arrive when they like; a picture waits for them, though
      // not for more than so many milliseconds of real time. Says whether all came.
      looks(limit) {
        const documents = [document];
        for (const inside of documents) {
          inside.documentElement?.getBoundingClientRect();  // what the layout needs is asked for with the layout
          for (const frame of inside.querySelectorAll('iframe,frame')) {
            if (frame.contentDocument) documents.push(frame.contentDocument);
          }
        }
        const waits = documents.flatMap((inside) => [inside.fonts.ready, ...[...inside.images]
          .filter((image) => !image.complete && image.loading !== 'lazy').map((image) => image.decode())]);
        const patience = new Promise((done) => { later(() => done(false), limit); });
        return Promise.race([patience, Promise.allSettled(waits).then(() => true)]);
      },
      get idle() { return timers.length === 0 && frames.length === 0; },
    };
  };

  let outer = null;
  try {
    outer = window.parent !== window ? window.parent.turngymPage : null;
  } catch (error) {
    outer = null;  // a frame of another origin keeps its own time
  }
  const page = outer || makePage();
  Object.defineProperty(window, 'turngymPage', {value: page});
  window.addEventListener('pagehide', () => page.forget(window));

  // Time.
  const RealDate = Date;
  const FakeDate = function Date(...args) {
    if (!new.target) return new RealDate(page.now).toString();
    return Reflect.construct(RealDate, args.length ? args : [page.now], new.target);
  };
  FakeDate.prototype = RealDate.prototype;
  FakeDate.prototype.constructor = FakeDate;
  Object.assign(FakeDate, {now: () => Math.floor(page.now), parse: RealDate.parse, UTC: RealDate.UTC});
  window.Date = FakeDate;
  const format = Object.getOwnPropertyDescriptor(Intl.DateTimeFormat.prototype, 'format').get;
  const formatToParts = Intl.DateTimeFormat.prototype.formatToParts;
  Object.defineProperty(Intl.DateTimeFormat.prototype, 'format', {get() {
    const write = format.call(this);
    return (when = page.now) => write(when);
  }, configurable: true});
  Intl.DateTimeFormat.prototype.formatToParts = function (when = page.now) { return formatToParts.call(this, when); };
  Object.defineProperty(Document.prototype, 'lastModified', {get: () => '01/15/2024 09:00:00', configurable: true});
  Object.defineProperty(Performance.prototype, 'timeOrigin', {get: () => START, configurable: true});
  Performance.prototype.now = () => page.elapsed;
  Object.defineProperty(Event.prototype, 'timeStamp', {get: () => page.elapsed});
  window.setTimeout = (callback, delay, ...args) => page.addTimer(window, callback, delay, args, false);
  window.setInterval = (callback, delay, ...args) => page.addTimer(window, callback, delay, args, true);
  window.clearTimeout = window.clearInterval = (id) => page.dropTimer(id);
  window.requestAnimationFrame = (callback) => page.addFrame(window, callback);
  window.cancelAnimationFrame = (id) => page.dropFrame(id);
  window.requestIdleCallback = (callback) =>
    page.addTimer(window, callback, 1, [{didTimeout: false, timeRemaining: () => 50}], false);
  window.cancelIdleCallback = (id) => page.dropTimer(id);

  // Randomness, until the page is given a seed (mulberry32).
  let state = 0x7475726e;
  Math.random = () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };

  Crypto.prototype.getRandomValues = (array) => {
    const bytes = new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
    for (let at = 0; at < bytes.length; at++) bytes[at] = Math.floor(Math.random() * 256);
    return array;
  };
  Crypto.prototype.randomUUID = () => {
    const bytes = window.crypto.getRandomValues(new Uint8Array(16));
    bytes[6] = (bytes[6] & 15) | 64;
    bytes[8] = (bytes[8] & 63) | 128;
    const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('');
    return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
  };

  // Looks: no caret, no fades; a list of choices opens inside the page, where a screenshot sees it.
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(`
    *, *::before, *::after {
      caret-color: transparent !important; transition: none !important; scroll-behavior: auto !important;
      animation-duration: 0s !important; animation-delay: 0s !important;
    }
    select:not([multiple]):not([size]), ::picker(select) { appearance: base-select; }
    ::-webkit-calendar-picker-indicator { display: none; }
  `);
  document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet];

  // Drags and pickers that the page could not show.
  window.addEventListener('dragstart', (event) => event.preventDefault(), true);
  const opensPicker = 'input:is([type=date],[type=time],[type=month],[type=week],[type=datetime-local])';
  window.addEventListener('keydown', (event) => {
    const opens = event.key === ' ' || event.key === 'F4' || (event.altKey && event.key === 'ArrowDown');
    if (opens && event.target.matches && event.target.matches(opensPicker)) event.preventDefault();
  }, true);
  window.addEventListener('click', (event) => {
    if (event.target.matches && event.target.matches('input:is([type=color],[type=file])')) event.preventDefault();
  }, true);
  HTMLInputElement.prototype.showPicker = HTMLSelectElement.prototype.showPicker = () => undefined;

  // A clipboard of the page's own: the browser's is shared by all pages.
  const copy = (event) => {
    const field = document.activeElement;
    const selected = field && typeof field.selectionStart === 'number'
      ? field.value.slice(field.selectionStart, field.selectionEnd) : String(document.getSelection());
    event.preventDefault();
    if (!selected) return;
    page.clipboard = selected;
    if (event.type === 'cut') document.execCommand('delete');
  };
  window.addEventListener('copy', copy, true);
  window.addEventListener('cut', copy, true);
  window.addEventListener('paste', (event) => {
    event.preventDefault();
    document.execCommand('insertText', false, page.clipboard);
  }, true);
})();
