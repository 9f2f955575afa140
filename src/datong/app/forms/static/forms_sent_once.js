"use strict";
// A form is sent once, however often its button is pressed; and a field that is wrong is told in the page's language.
(() => {
  const words = document.body.dataset;
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (event.defaultPrevented) return;
    if (form.dataset.isSent) { event.preventDefault(); return; }
    form.dataset.isSent = "yes";
    for (const button of form.querySelectorAll("button")) button.ariaDisabled = button.ariaBusy = "true";
  });
  window.addEventListener("pageshow", () => {  // also of a page that was gone back to
    for (const form of document.forms) {
      delete form.dataset.isSent;
      for (const button of form.querySelectorAll("button")) button.ariaDisabled = button.ariaBusy = null;
    }
  });
  document.addEventListener("invalid", ({ target }) => {
    const { valueMissing, tooShort } = target.validity;
    target.setCustomValidity(valueMissing ? words.missing : tooShort ? words.short : words.wrong);
  }, true);
  document.addEventListener("input", ({ target }) => target.setCustomValidity?.(""), true);
})();
