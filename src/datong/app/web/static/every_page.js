// What every planner's page does in the browser: a button that acts is off until its answer is there; where the server
// is gone, the page says so, and what was typed and not saved is put back once the server is there again. The page's own
// scripts (gantt.js, order_rows.js) ask the server through it.
"use strict";
window.datongPage = (() => {
  const words = document.currentScript.dataset;
  const keptAs = () => `datong-typed:${location.pathname}${location.search}`;
  const first = new Map();  // by field that somebody went to: what stood there
  let isLost = false;

  // buttons ----------------------------------------------------------------------------------------
  function press(button) {
    if (button.ariaBusy === "true") return false;
    button.ariaBusy = button.ariaDisabled = "true";
    return true;
  }
  // To the page, not to the button: where that was drawn anew meanwhile, the server can say so.
  function pressed(button) {
    if (press(button)) emitEvent("pressed", { id: Number(button.id.slice(1)) });
  }
  // A page that is drawn anew between down and up moves a button away from below the pointer: it is pressed all the same.
  let down = null;
  document.addEventListener("pointerdown", ({ target, button, clientX, clientY }) => {
    const one = button === 0 && target instanceof Element && target.closest("button[data-acts]");
    down = one ? { one, clientX, clientY } : null;
  }, true);
  document.addEventListener("pointerup", ({ target, clientX, clientY }) => {
    const was = down;
    down = null;
    if (was && !was.one.contains(target) && Math.hypot(clientX - was.clientX, clientY - was.clientY) < 5) pressed(was.one);
  }, true);
  function free(id) {
    for (const button of id ? [document.getElementById(id)] : document.querySelectorAll("button[aria-busy=true]"))
      if (button) button.ariaBusy = button.ariaDisabled = null;
  }

  // what is typed ----------------------------------------------------------------------------------
  const isField = (one) => one instanceof HTMLElement && one.matches("main :is(input, textarea, select)") &&
    !["search", "file", "password", "hidden", "checkbox", "radio"].includes(one.type);
  const nameOf = (one) => (one.getAttribute("aria-label") || one.closest("label, .q-field")?.querySelector("span, .q-field__label")
    ?.textContent || one.name || "").trim();
  const same = (name) => [...document.querySelectorAll("main :is(input, textarea, select)")].filter((one) => isField(one) && nameOf(one) === name);
  const typed = () => [...first].filter(([one, was]) => one.isConnected && one.value !== was)
    .map(([one]) => ({ name: nameOf(one), at: same(nameOf(one)).indexOf(one), value: one.value }));
  document.addEventListener("focusin", ({ target }) => { if (isField(target) && !first.has(target)) first.set(target, target.value); });
  document.addEventListener("input", () => { if (isLost) tellLost(); });
  window.addEventListener("pagehide", () => {
    if (isLost && typed().length) sessionStorage.setItem(keptAs(), JSON.stringify(typed()));
  });

  // notices ----------------------------------------------------------------------------------------
  function notice(texts, list, isOver) {
    let box = document.getElementById("server-notice");
    if (!box) {
      box = document.createElement("div");
      box.id = "server-notice";
      box.setAttribute("role", "status");
      document.body.append(box);
    }
    box.replaceChildren(...texts.map((text) => Object.assign(document.createElement("p"), { textContent: text })));
    if (list.length) {
      const made = document.createElement("ul");
      for (const one of list) made.append(Object.assign(document.createElement("li"), { textContent: `${one.name}: ${one.value}` }));
      box.append(made);
    }
    if (isOver) {
      const close = Object.assign(document.createElement("button"), { type: "button", className: "plain", textContent: words.close });
      close.addEventListener("click", () => box.remove());
      box.append(close);
    }
  }
  function tellLost() {
    const list = typed();
    notice(list.length ? [words.lost, words.unsaved] : [words.lost], list, false);
  }
  function back() {
    if (!isLost || !window.socket.connected) return;  // a server that ends may answer once more before it is gone
    isLost = false;
    free();
    const list = typed();
    if (list.length) notice([words.back, words.unsaved], list, true);
    else document.getElementById("server-notice")?.remove();
  }

  // the server -------------------------------------------------------------------------------------
  function watch() {
    if (!window.socket) { setTimeout(watch, 50); return; }
    window.socket.on("disconnect", (why) => {
      if (why === "io client disconnect") return;  // the page is left
      isLost = true;
      setTimeout(() => { if (isLost) tellLost(); }, 300);
    });
    window.socket.on("connect", () => setTimeout(back, 500));  // the page is loaded anew where the server does not know it
  }

  // Fields appear once the page is built.
  function restore(name, tries) {
    const kept = JSON.parse(sessionStorage.getItem(name) || "[]");
    if (!kept.length) return;
    const missing = kept.filter((one) => !same(one.name)[one.at]);
    if (missing.length && tries > 0) { setTimeout(() => restore(name, tries - 1), 100); return; }
    sessionStorage.removeItem(name);
    for (const one of kept) {
      const field = same(one.name)[one.at];
      if (!field) continue;
      first.set(field, field.value);
      field.value = one.value;
      field.dispatchEvent(new Event("input", { bubbles: true }));
    }
    const there = kept.filter((one) => !missing.includes(one));
    notice([words.back, missing.length ? words.gone : words.restored], missing.length ? missing : there, true);
  }

  // The browser's own words for a field that is missing would be in its language, not in the page's.
  document.addEventListener("invalid", ({ target }) => target.setCustomValidity(target.validity.valueMissing ? words.missing : words.wrong), true);
  document.addEventListener("input", ({ target }) => target.setCustomValidity?.(""), true);

  // The name of a file that was chosen, in place of the browser's own words.
  document.addEventListener("change", ({ target }) => {
    const name = target.type === "file" && target.closest("label.file")?.querySelector(".name");
    if (name && target.files.length) name.textContent = target.files[0].name;
  });

  // A form is sent once.
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.method !== "post") return;
    if (form.dataset.isSent) event.preventDefault();
    else { form.dataset.isSent = "yes"; for (const one of form.querySelectorAll("button")) press(one); }
  });
  window.addEventListener("pageshow", () => { for (const form of document.forms) delete form.dataset.isSent; free(); });

  // what a page's own scripts ask for ------------------------------------------------------------------
  async function get(path, query) {
    const answer = await fetch(`${path}?${new URLSearchParams(query)}`, { credentials: "same-origin" });
    const body = await answer.json().catch(() => ({ error: String(answer.status) }));
    if (!answer.ok) {
      if (answer.status === 401) emitEvent("signed_out", {});
      throw new Error(body.error || String(answer.status));
    }
    return body;
  }

  // A page that is loaded anew shows the same.
  function keepInAddress(name, value) {
    const asked = new URLSearchParams(location.search);
    if (value === null) asked.delete(name);
    else asked.set(name, value);
    history.replaceState(history.state, "", asked.size ? `${location.pathname}?${asked}` : location.pathname);
  }

  watch();
  restore(keptAs(), 100);
  return { pressed, free, get, keepInAddress };
})();
