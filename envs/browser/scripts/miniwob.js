// Runs in every MiniWoB++ page before the page's own scripts: what TurnGym asks of a page, under one name.
window.turngym = (() => {
  'use strict';
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
    }
    turngymPage.clipboard = '';
    turngymPage.rewind();
  };

  // A new episode in the loaded page. Returns its state and its wording.
  const start = (seed, mode) => {
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

  const LEAVES = 'a,button,input,textarea,select,[onclick],[role],[data-color],[tabindex],label,svg *,canvas';
  const SKIPPED = '#query,#reward-display,#sync-task-cover,#click-canvas,script,style,option';

  const textOf = (node) => [...node.childNodes].filter((n) => n.nodeType === 3).map((n) => n.data).join(' ');

  const nameOf = (node) => {
    const data = [...node.attributes].find((a) => a.name.startsWith('data-') && !/^data-(wob|tampered)/.test(a.name));
    const label = node.closest('svg') && node.tagName !== 'text' ? '' : node.innerText || node.textContent;
    const names = [label, node.value, node.getAttribute('aria-label'), node.getAttribute('title'),
      node.getAttribute('placeholder'), data && data.value];
    const name = names.find((n) => typeof n === 'string' && n.trim());
    return (name || '').replace(/\s+/g, ' ').trim().slice(0, 120);
  };

  const roleOf = (node) => {
    const tag = node.tagName.toLowerCase();
    if (node.getAttribute('role')) return node.getAttribute('role');
    if (tag === 'input') return {checkbox: 'checkbox', radio: 'radio', button: 'button', submit: 'button'}[node.type] || 'textbox';
    return {a: 'link', button: 'button', textarea: 'textbox', select: 'combobox'}[tag] || tag;
  };

  // What can be used or read, with its box in viewport pixels, in reading order.
  const elements = () => {
    const found = [];
    for (const node of document.body.querySelectorAll('*')) {
      if (node.closest(SKIPPED)) continue;
      if (!node.matches(LEAVES) && !textOf(node).trim()) continue;
      const box = node.getBoundingClientRect();
      const style = getComputedStyle(node);
      if (box.width < 1 || box.height < 1 || style.visibility === 'hidden' || style.opacity === '0') continue;
      const x = box.left + box.width / 2, y = box.top + box.height / 2;
      if (x < 0 || y < 0 || x >= innerWidth || y >= innerHeight) continue;
      found.push({role: roleOf(node), name: nameOf(node), x, y, width: box.width, height: box.height});
    }
    return found.sort((a, b) => a.y - b.y || a.x - b.x);
  };

  return {start, step, elements};
})();
