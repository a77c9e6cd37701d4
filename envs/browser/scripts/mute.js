// Runs after page.js where nobody answers dialogs and there are no tabs: what would open outside the page does nothing.
(() => {
  'use strict';
  window.alert = () => undefined;
  window.confirm = () => true;
  window.prompt = () => null;
  window.print = () => undefined;
  window.open = () => null;
})();
