// Runs before page.js in every document of a web site: counts what scripts have asked the network for and not yet got,
// so that a step can wait for it. Waiting is by real time, which page.js hides from the page.
(() => {
  'use strict';
  const later = window.setTimeout.bind(window);
  const channel = new MessageChannel();
  let busy = 0, waiting = [];
  channel.port1.onmessage = () => {
    if (busy) return;
    const quiet = waiting;
    waiting = [];
    for (const done of quiet) done(true);
  };
  const begin = () => { busy++; };
  const end = () => {
    busy--;
    if (!busy) channel.port2.postMessage(0);  // after those who wait for the answer, who may ask again
  };

  const fetch = window.fetch;
  window.fetch = (...args) => {
    begin();
    const answer = fetch(...args);
    // What is asked for is there when its body is; one that never ends is waited for as long as all else.
    answer.then((got) => got.clone().arrayBuffer()).then(end, end);
    return answer;
  };
  const send = XMLHttpRequest.prototype.send;
  XMLHttpRequest.prototype.send = function (...args) {
    begin();
    this.addEventListener('loadend', end, {once: true});
    try {
      return send.apply(this, args);
    } catch (error) {
      end();
      throw error;
    }
  };

  // A way past the proxy that keeps pages to their hosts.
  delete window.RTCPeerConnection;
  delete window.webkitRTCPeerConnection;

  Object.defineProperty(window, 'turngymNetwork', {value: {
    // Resolves to true when nothing is asked for any more, to false after so many milliseconds.
    quiet: (limit) => new Promise((done) => {
      waiting.push(done);
      later(() => done(false), limit);
      channel.port2.postMessage(0);
    }),
  }});
})();
