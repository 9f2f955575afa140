"use strict";
// Answers that are given without a line wait on the phone, and are sent once when it is back: each has a key by which
// it counts once, however often it is sent.
(() => {
  const STORE = "datong-waiting", AGAIN_MS = 10000, LONGEST_MS = 20000;
  const login = document.body.dataset.login, banner = document.getElementById("waiting");
  if (!login || !banner) return;
  const words = banner.dataset;
  let csrf = document.body.dataset.csrf, isSending = false, news = [];

  const all = () => { try { return JSON.parse(localStorage.getItem(STORE)) || []; } catch { return []; } };
  const keep = (items) => localStorage.setItem(STORE, JSON.stringify(items));
  const own = () => all().filter((one) => one.login === login);
  const drop = (id) => keep(all().filter((one) => one.id !== id));
  const change = (id, values) => keep(all().map((one) => (one.id === id ? { ...one, ...values } : one)));

  const element = (name, text, parent) => {
    const made = document.createElement(name);
    made.textContent = text;
    if (parent) parent.append(made);
    return made;
  };
  const link = (text, path, parent) => { element("a", text, parent).href = path; };
  const button = (text, act, parent) => {
    const made = element("button", text, parent);
    made.type = "button";
    made.className = "plain";
    made.addEventListener("click", act);
  };

  function show() {
    const items = own();
    banner.hidden = !items.length && !news.length;
    banner.replaceChildren();
    for (const one of news) {
      const line = element("p", `${words.sent}${one.label} · ${one.order} `, banner);
      link(words.see, one.page, line);
    }
    if (!items.length) return;
    element("p", words.title, banner);
    const list = element("ul", "", banner);
    for (const one of items) {
      const line = element("li", `${one.label} · `, list);
      link(one.order, one.page, line);
      if (!one.problem) continue;
      element("div", `${words.wrong}${one.problem}`, line);
      button(words.drop, () => { drop(one.id); show(); }, line);
    }
    if (items.some((one) => one.isSignedOut)) link(words.signIn, `/sign-in?next=${location.pathname}`, element("p", "", banner));
    else if (items.some((one) => !one.problem)) button(words.now, flush, element("p", "", banner));
  }

  async function send(one) {
    const fields = new URLSearchParams(one.fields);
    fields.set("csrf", csrf);
    fields.set("waited_s", String(Math.max(0, Math.round((Date.now() - one.at) / 1000))));
    const answer = await fetch(one.url, {
      method: "POST", body: fields, headers: { accept: "application/json" }, signal: AbortSignal.timeout(LONGEST_MS),
    });
    const said = await answer.json();
    return { status: answer.status, ...said };
  }

  // A page that is open for long may be older than the session.
  async function refresh() {
    const answer = await fetch("/factory", { signal: AbortSignal.timeout(LONGEST_MS) });
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const found = page.body.dataset;
    if (found.login !== login || found.csrf === csrf) return false;
    csrf = found.csrf;
    return true;
  }

  // What became of one answer: "taken", "wrong", "signed-out" or "waits".
  async function deliver(one) {
    try {
      let said = await send(one);
      if (said.status === 403 && (await refresh())) said = await send(one);
      if (said.taken) { drop(one.id); return { state: "taken", page: said.page }; }
      if (said.status === 401) { change(one.id, { isSignedOut: true }); return { state: "signed-out" }; }
      if (said.status === 429 || said.status >= 500) return { state: "waits" };
      change(one.id, { problem: said.texts.join(" "), isSignedOut: false });
      return { state: "wrong" };
    } catch {
      return { state: "waits" };
    }
  }

  async function flush() {
    if (isSending) return;
    isSending = true;
    for (const one of own().filter((each) => !each.problem)) {
      const became = await deliver(one);
      if (became.state === "taken") news.push({ ...one, page: became.page });
      if (became.state === "waits" || became.state === "signed-out") break;
    }
    isSending = false;
    const last = news.filter((one) => one.page.startsWith(`${location.pathname}?`)).pop();
    if (last && !document.querySelector("details[open]")) location.replace(last.page);  // nothing is being typed
    else show();
  }

  async function answer(event) {
    const form = event.target, fields = [...new FormData(form)].filter(([name]) => name !== "csrf");
    const one = {
      id: form.elements.key.value, login, url: form.action, page: new URL(form.action).pathname,
      fields, order: form.dataset.order, label: form.dataset.label, at: Date.now(),
    };
    try { keep([...all().filter((each) => each.id !== one.id), one]); } catch { return; }
    event.preventDefault();
    const pressed = form.querySelector("button.big");
    pressed.disabled = true;
    const became = isSending ? { state: "waits" } : await deliver(one);
    pressed.disabled = false;
    if (became.state === "taken") { location.assign(became.page); return; }
    if (became.state === "wrong") { drop(one.id); form.submit(); return; }  // the server shows it with what was typed
    if (became.state === "signed-out") { location.assign(`/sign-in?next=${one.page}`); return; }
    const fold = form.closest("details");
    if (fold) fold.open = false;
    show();
    banner.scrollIntoView();
  }

  document.addEventListener("submit", (event) => { if (event.target.matches("form[data-answer]")) answer(event); });
  window.addEventListener("online", flush);
  setInterval(() => { if (own().some((one) => !one.problem)) flush(); }, AGAIN_MS);
  show();
  if (own().length) flush();
  if ("serviceWorker" in navigator && window.isSecureContext) navigator.serviceWorker.register("/factory-worker.js", { scope: "/factory" });
})();
