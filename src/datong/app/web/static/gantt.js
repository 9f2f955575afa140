// Orders on their lines over days (the Gantt of the page Plan): asked for in tiles, drawn, turned, zoomed and dragged.
"use strict";
window.datongGantt = (() => {
  const ROW = 30, HEAD = 36, NAMES = 120, DAY = 86400000;
  const TILES = 24, AHEAD = 8;  // tiles asked for at once: of what is in view, and of what may come
  const day = (text) => Date.parse(text + "T00:00:00Z") / DAY;
  const text = (number) => new Date(number * DAY).toISOString().slice(0, 10);

  class Picture {
    constructor(host, words) {
      this.host = host; this.words = words; this.tiles = new Map(); this.lines = []; this.drag = null; this.chosen = null;
      this.canvas = document.createElement("canvas");
      this.canvas.tabIndex = 0;
      this.canvas.setAttribute("role", "img");
      this.canvas.setAttribute("aria-label", words.label);
      host.replaceChildren(this.canvas);
      this.top = 0; this.first = 0; this.days = 28; this.frame = 0;
      new ResizeObserver(() => this.later()).observe(host);
      new MutationObserver(() => this.later()).observe(document.body, { attributes: true, attributeFilter: ["class"] });
      const on = (name, does, options) => this.canvas.addEventListener(name, does.bind(this), options);
      on("wheel", this.wheel, { passive: false });
      on("pointerdown", this.down); on("pointermove", this.move); on("pointerup", this.up);
      on("pointercancel", () => { this.drag = null; this.later(); });
      on("keydown", this.key);
      this.load();
    }

    async load() {
      try {
        const found = await datongPage.get("/planner/data/gantt/lines", {});
        this.closed = found.closed.flatMap(([rows, spans]) => rows.flatMap((row) => spans.map(([from, to]) => [row, day(from), day(to)])));
        this.lines = found.lines; this.start = day(found.first); this.end = day(found.last) + 1; this.today = day(found.today);
        if (!this.first) this.first = this.start - 1;
        this.host.style.height = `${HEAD + Math.max(3, Math.min(this.lines.length, 14)) * ROW + 1}px`;
        this.changed();
      } catch (error) { this.problem = error.message; this.later(); }
    }

    changed() { for (const tile of this.tiles.values()) tile.stale = true; this.later(); }
    later() { if (!this.frame) this.frame = requestAnimationFrame(() => { this.frame = 0; this.draw(); }); }
    get scale() { return (this.canvas.clientWidth - NAMES) / this.days; }
    x(number) { return NAMES + (number - this.first) * this.scale; }

    // A tile is 8 lines by a span of days; what is asked for stays until something changes. margin: as many screens on
    // each side; zoom: as if so many times the days were shown.
    wanted(margin = 0, zoom = 1) {
      const days = this.days * zoom, span = days > 120 ? 112 : days > 40 ? 56 : 14, found = [];
      const rows = Math.ceil((this.canvas.clientHeight - HEAD) / ROW), first = this.first + (this.days - days) / 2 - margin * days;
      for (let r = Math.floor(Math.max(0, this.top - 8 * margin) / 8); r * 8 < Math.min(this.top + rows + 1 + 8 * margin, this.lines.length); r++)
        for (let d = Math.floor(first / span); d * span < first + days * (1 + 2 * margin); d++) found.push([r, d, span]);
      return found;
    }

    // What is looked at next, as a rule: asked for once all that is in view is there, what is nearest first.
    ahead() {
      const isThere = (key) => { const tile = this.tiles.get(key.join("/")); return tile && (tile.bars || tile.load); };
      if (this.drag || this.pan || !this.wanted().every(isThere)) return;
      for (const [margin, zoom] of [[0.5, 1], [0, 1.6], [0, 0.6], [1, 1]]) {
        const next = this.wanted(margin, zoom).filter(([r, d, span]) => !this.tiles.has(`${r}/${d}/${span}`) && d * span < this.end && (d + 1) * span > this.start);
        if (next.length) { this.fetch(next.slice(0, AHEAD)); return; }  // some after the others: each asks for the next when it is drawn
      }
    }

    // All that is missing, in one request.
    async fetch(keys) {
      const isMissing = (key) => { const tile = this.tiles.get(key.join("/")); return !tile || tile.stale; };
      const missing = keys.filter(isMissing).slice(0, TILES);
      if (!missing.length) return;
      if (this.tiles.size > 400) this.tiles.clear();
      const tiles = missing.map((key) => this.tiles.get(key.join("/")) || {});
      missing.forEach((key, at) => { tiles[at].stale = false; this.tiles.set(key.join("/"), tiles[at]); });  // what it shows stays until the answer is there
      try {
        const asked = missing.map(([r, d, span]) => ["tile", `${r * 8},${r * 8 + 8},${text(d * span)},${text(d * span + span - 1)}`]);
        const found = await datongPage.get("/planner/data/gantt", asked);
        tiles.forEach((tile, at) => {
          Object.assign(tile, { bars: found.tiles[at].bars, load: found.tiles[at].load });
          for (const bar of tile.bars || []) { bar.begin = day(bar[2]); bar.end = day(bar[3]) + 1; bar.promised = bar[8] ? day(bar[8]) + 1 : null; }
        });
      } catch (error) { this.problem = error.message; }
      this.later();
    }

    // Bars in view, each once, in as many layers as overlap.
    bars() {
      const found = new Map();
      for (const key of this.wanted()) for (const bar of (this.tiles.get(key.join("/")) || {}).bars || []) found.set(bar[0], bar);
      const byRow = new Map();
      for (const bar of found.values()) {
        if (!byRow.has(bar[1])) byRow.set(bar[1], []);
        byRow.get(bar[1]).push(bar);
      }
      for (const bars of byRow.values()) {
        bars.sort((a, b) => a.begin - b.begin || (a[0] < b[0] ? -1 : 1));
        const ends = [];
        for (const bar of bars) {
          let layer = ends.findIndex((end) => end <= bar.begin);
          if (layer < 0) layer = ends.length;
          ends[layer] = bar.end; bar.layer = layer;
        }
        for (const bar of bars) bar.layers = Math.max(1, ends.length);
      }
      return found;
    }

    box(bar) {
      const moved = this.drag && this.drag.bar[0] === bar[0] ? this.drag.days : 0;
      const height = (ROW - 6) / bar.layers;
      return [this.x(bar.begin + moved), HEAD + (bar[1] - this.top) * ROW + 3 + bar.layer * height,
        Math.max(2, (bar.end - bar.begin) * this.scale - 1), Math.max(1, height - (bar.layers > 6 ? 0 : 1))];
    }

    draw() {
      const c = this.canvas, ratio = window.devicePixelRatio || 1, width = this.host.clientWidth, height = this.host.clientHeight;
      c.style.width = `${width}px`; c.style.height = `${height}px`;
      if (c.width !== width * ratio || c.height !== height * ratio) { c.width = width * ratio; c.height = height * ratio; }
      const g = c.getContext("2d"), style = getComputedStyle(document.body), color = (name) => style.getPropertyValue(name);
      g.setTransform(ratio, 0, 0, ratio, 0, 0);
      g.fillStyle = color("--paper"); g.fillRect(0, 0, width, height);
      g.font = `12px ${style.fontFamily}`; g.textBaseline = "middle";
      if (this.problem) { g.fillStyle = color("--bad"); g.fillText(this.problem, 12, 20); return; }
      this.fetch(this.wanted());
      g.save(); g.beginPath(); g.rect(NAMES, 0, width - NAMES, height); g.clip();
      for (let d = Math.floor(this.first); d <= this.first + this.days; d++) {
        const monday = (d + 3) % 7 === 0, x = this.x(d);
        if (!monday && this.scale < 14) continue;
        g.strokeStyle = color("--rule"); g.globalAlpha = monday ? 1 : 0.4;
        g.beginPath(); g.moveTo(x, monday ? 14 : HEAD - 6); g.lineTo(x, height); g.stroke(); g.globalAlpha = 1;
        if (monday) { g.fillStyle = color("--soft"); g.fillText(this.scale * 7 > 76 ? text(d) : text(d).slice(5), x + 4, 18); }
      }
      g.fillStyle = color("--rule"); g.globalAlpha = 0.5;
      for (const [row, from, to] of this.closed || []) {
        const y = HEAD + (row - this.top) * ROW, x = this.x(from);
        if (y >= HEAD && y < height && x < width) g.fillRect(x, y, this.x(to) - x, ROW);
      }
      g.globalAlpha = 1;
      const shares = new Map();
      for (const key of this.wanted()) for (const one of (this.tiles.get(key.join("/")) || {}).load || []) shares.set(one[0] + one[1], one);
      for (const [row, bucket, days, count, share] of shares.values()) {
        const x = this.x(day(bucket)), y = HEAD + (row - this.top) * ROW + 3, w = days * this.scale - 1;
        if (y < HEAD) continue;
        g.fillStyle = color("--plan"); g.globalAlpha = 0.15 + 0.85 * Math.min(1, share || 0); g.fillRect(x, y, w, ROW - 6); g.globalAlpha = 1;
        if (w > 44) {
          g.fillStyle = (share || 0) > 0.55 ? color("--on-plan") : color("--ink");
          g.fillText(share === null ? `${count}` : `${Math.round(share * 100)}%` + (w > 90 ? ` · ${count}` : ""), x + 4, y + (ROW - 6) / 2);
        }
      }
      this.shown = this.bars();
      for (const bar of this.shown.values()) {
        const [x, y, w, h] = this.box(bar);
        if (y < HEAD - 1 || y > height || x > width || x + w < NAMES) continue;
        g.fillStyle = color(`--${bar[4]}`); g.fillRect(x, y, w, h);
        if (bar.promised !== null) { g.fillStyle = color("--ink"); g.fillRect(this.x(bar.promised) - 2, y, 2, h); }
        if (bar[5]) { g.fillStyle = color("--ink"); g.fillRect(x, y, 3, h); }
        if (bar[0] === this.chosen) { g.strokeStyle = color("--ink"); g.lineWidth = 2; g.strokeRect(x, y, w, h); g.lineWidth = 1; }
        if (h > 10 && w > 40) {
          g.save(); g.beginPath(); g.rect(x, y, w - 2, h); g.clip();
          g.fillStyle = color(`--on-${bar[4]}`); g.fillText(bar[6], x + 5, y + h / 2 + 0.5); g.restore();
        }
      }
      g.strokeStyle = color("--bad"); g.beginPath(); g.moveTo(this.x(this.today), 24); g.lineTo(this.x(this.today), height); g.stroke();
      g.restore();
      for (let r = this.top; r < this.lines.length && HEAD + (r - this.top) * ROW < height; r++) {
        const y = HEAD + (r - this.top) * ROW;
        g.strokeStyle = color("--rule"); g.beginPath(); g.moveTo(0, y); g.lineTo(width, y); g.stroke();
        g.save(); g.beginPath(); g.rect(0, y, NAMES - 6, ROW); g.clip();
        g.fillStyle = color("--ink"); g.fillText(this.lines[r][0] || this.words.none, 8, y + 11);
        g.fillStyle = color("--soft"); g.font = `11px ${style.fontFamily}`;
        const count = this.lines[r][1], words = count === 1 ? this.words.one : this.words.many;
        g.fillText(words.replace("{count}", count.toLocaleString("en-US")), 8, y + 22);
        g.font = `12px ${style.fontFamily}`; g.restore();
      }
      if (this.drag && this.drag.days) {
        g.fillStyle = color("--ink"); g.fillText(text(this.drag.bar.begin + this.drag.days), Math.min(this.drag.x + 12, width - 80), this.drag.y - 12);
      }
      this.ahead();
    }

    at(event) {
      const { left, top } = this.canvas.getBoundingClientRect(), x = event.clientX - left, y = event.clientY - top;
      if (x < NAMES || y < HEAD) return null;
      for (const bar of [...(this.shown || new Map()).values()].reverse()) {
        const [bx, by, w, h] = this.box(bar);
        if (x >= bx && x <= bx + w && y >= by && y <= by + h) return bar;
      }
      return null;
    }

    keep() {
      this.days = Math.max(4, Math.min(400, this.days));
      this.first = Math.max(this.start - 7, Math.min(this.first, Math.max(this.start - 1, this.end - this.days / 2)));
      const rows = Math.floor((this.host.clientHeight - HEAD) / ROW);
      this.top = Math.max(0, Math.min(this.top, this.lines.length - rows));
      this.later();
    }

    wheel(event) {
      event.preventDefault();
      if (event.ctrlKey || event.metaKey) this.zoom(event.deltaY > 0 ? 1.25 : 0.8, event.offsetX);
      else if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) this.first += (event.deltaX || event.deltaY) / this.scale;
      else {
        this.rolled = (this.rolled || 0) + event.deltaY;
        const rows = Math.trunc(this.rolled / ROW);
        this.top += rows; this.rolled -= rows * ROW;
      }
      this.keep();
    }

    zoom(by, x = NAMES + (this.canvas.clientWidth - NAMES) / 2) {
      const under = this.first + (x - NAMES) / this.scale, days = Math.max(4, Math.min(400, this.days * by));
      this.first = under - ((x - NAMES) / (this.canvas.clientWidth - NAMES)) * days; this.days = days;
      this.keep();
    }

    down(event) {
      const bar = this.at(event);
      this.canvas.setPointerCapture(event.pointerId);
      this.drag = bar && bar[7] ? { bar, from: event.clientX, days: 0, x: event.offsetX, y: event.offsetY } : null;
      this.pan = this.drag ? null : { x: event.clientX, first: this.first, bar };
    }

    move(event) {
      if (this.drag) {
        Object.assign(this.drag, { days: Math.round((event.clientX - this.drag.from) / this.scale), x: event.offsetX, y: event.offsetY });
        this.later();
      } else if (this.pan) { this.first = this.pan.first - (event.clientX - this.pan.x) / this.scale; this.keep(); }
      else {
        const bar = this.at(event);
        this.canvas.style.cursor = bar ? (bar[7] ? "grab" : "pointer") : "default";
        this.canvas.title = bar ? `${bar[0]} · ${bar[6]} · ${bar[2]} → ${bar[3]}${bar[9] ? ` · ${bar[9]}` : ""}` : "";
      }
    }

    up(event) {
      const { drag, pan } = this;
      this.drag = this.pan = null;
      if (drag && drag.days) emitEvent("order_moved", { order: drag.bar[0], start: text(drag.bar.begin + drag.days) });
      else if (drag || (pan && pan.bar && Math.abs(event.clientX - pan.x) < 4)) emitEvent("order_chosen", { order: (drag || pan).bar[0] });
      this.later();
    }

    key(event) {
      const does = { ArrowLeft: () => (this.first -= this.days / 8), ArrowRight: () => (this.first += this.days / 8),
        ArrowUp: () => (this.top -= 1), ArrowDown: () => (this.top += 1), "+": () => this.zoom(0.8), "=": () => this.zoom(0.8),
        "-": () => this.zoom(1.25), Home: () => (this.first = this.start - 1) }[event.key];
      if (!does) return;
      event.preventDefault(); does(); this.keep();
    }
  }

  let picture = null;
  return {
    draw(id, words) { picture = new Picture(document.getElementById(id), words); },
    zoom(by) { if (picture) picture.zoom(by); },
    mark(order) { if (picture) { picture.chosen = order; picture.later(); } },
    refresh() { if (picture) picture.load(); },
    picture: () => picture,
  };
})();
