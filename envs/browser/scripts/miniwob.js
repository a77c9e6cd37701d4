// Runs in every MiniWoB++ page before the page's own scripts: what TurnGym asks of a page, under one name.
window.turngym = (() => {
  'use strict';
  const SETTLE = 3000;  // milliseconds after which a page has come to rest
  const SKIPPED = '#query,#query-wrap,#reward-display,#sync-task-cover,#click-canvas';  // no part of a task: not listed

  const state = () => {
    if (WOB_DONE_GLOBAL && core.cover_div) core.cover_div.style.display = 'none';  // show how it ended
    return {ready: WOB_TASK_READY, done: WOB_DONE_GLOBAL, reward: WOB_RAW_REWARD_GLOBAL};
  };

  // A field that was typed in no longer shows the text that a page gives it, until its form is reset; and a text area
  // keeps the size that it was dragged to.
  const restore = () => {
    const form = document.body.appendChild(document.createElement('form'));
    form.id = 'turngym-fields';
    for (const field of document.querySelectorAll('input,textarea,select')) {
      if (field.form) continue;
      field.setAttribute('form', form.id);
      if (field.localName === 'textarea') field.style.width = field.style.height = '';
    }
    form.reset();
    for (const field of [...form.elements]) field.removeAttribute('form');
    form.remove();
  };

  // What is left of the last episode (its animations, focus, text, scrolled boxes, clipboard) must not show in the next.
  const settle = () => {
    if (core.EP_TIMER !== null) core.endEpisode(0);
    document.dispatchEvent(new MouseEvent('click'));  // beside everything: an open list closes
    const body = document.body;
    body.tabIndex = -1;  // focus, and the place from which Tab counts, go back to the top
    body.focus();
    body.blur();
    body.removeAttribute('tabindex');
    if (!turngymPage.idle) turngymPage.advance(SETTLE);
    restore();
    for (const node of document.querySelectorAll('*')) {
      if (node.scrollTop || node.scrollLeft) node.scrollTo(0, 0);
      delete node.dataset.tampered;
    }
    turngymPage.clipboard = '';
    turngymPage.rewind();
  };

  // A new episode in the loaded page, of which pictures show so many pixels, with so many elements numbered at most.
  // Returns its state and its wording.
  const start = (seed, mode, width, height, most) => {
    turngymElements.configure({
      width, height, most, skipped: SKIPPED,
      hint: (node) => Object.values({...node.dataset, tampered: ''}).find((value) => value.trim()),
    });
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

  // What else an oracle asks about an element.
  const details = (node) => ({
    id: node.id, kind: node.dataset.type || node.dataset.color || '',
    marked: Boolean(node.value) && node.selectionStart === 0 && node.selectionEnd === node.value.length,
    clicked: node.dataset.tampered === 'e' + WOB_EPISODE_ID,
  });

  // Everything an oracle asks for at once.
  const look = (probe) => ({elements: turngymElements.elements(details), probe});

  return {start, step, look};
})();
