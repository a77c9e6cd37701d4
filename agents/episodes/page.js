"use strict";
// The filter: on the page itself, or by asking the server again.
const form = document.querySelector("form.filters");
if (form) {
  const show = () => {
    const phase = form.elements.phase ? form.elements.phase.value : "";
    const result = form.elements.result ? form.elements.result.value : "";
    const words = form.elements.search.value.trim().toLowerCase();
    let shown = 0;
    const episodes = document.querySelectorAll("article.episode");
    for (const episode of episodes) {
      const data = episode.dataset;
      const fits = (!phase || data.phase === phase) && (!result || data.result === result)
        && (!words || data.words.toLowerCase().includes(words));
      episode.hidden = !fits;
      shown += fits;
    }
    for (const box of [...document.querySelectorAll(".pair"), ...document.querySelectorAll(".group")]) {
      box.hidden = !box.querySelector("article.episode:not([hidden])");
    }
    form.querySelector("output").value = shown < episodes.length ? `${shown} of ${episodes.length}` : "";
  };
  if (form.dataset.live) {
    form.addEventListener("change", () => form.requestSubmit());
  } else {
    form.addEventListener("input", show);
    form.addEventListener("submit", (event) => event.preventDefault());
  }
}

// A click on a picture shows it as large as the window allows.
const dialog = document.createElement("dialog");
document.body.append(dialog);
dialog.addEventListener("click", () => dialog.close());
document.addEventListener("click", (event) => {
  const frame = event.target.closest(".strip .frame");
  const picture = frame && frame.querySelector("img");
  if (!picture) return;
  const scale = Math.min(0.92 * innerWidth / picture.width, 0.92 * innerHeight / picture.height);
  const copy = frame.cloneNode(true);
  const large = copy.querySelector("img");
  large.style.width = `${picture.width * scale}px`;
  large.style.height = `${picture.height * scale}px`;
  dialog.replaceChildren(copy);
  dialog.showModal();
});
