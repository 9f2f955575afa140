"use strict";
(function () {
  document.documentElement.classList.add("js");

  // One product at a time.
  var chooser = document.getElementById("product");
  if (chooser) {
    var show = function () {
      document.querySelectorAll(".item").forEach(function (item) {
        item.classList.toggle("shown", item.dataset.item === chooser.value);
      });
    };
    chooser.addEventListener("change", show);
    show();
  }

  // Long tables: search, filter, sort; so many rows at a time, all of them on paper.
  var PAGE = 25, PAPER = 3000;
  document.querySelectorAll(".listing").forEach(function (box) {
    var data = JSON.parse(box.querySelector("script").textContent);
    var body = box.querySelector("tbody");
    var heads = Array.from(box.querySelectorAll("thead th"));
    var search = box.querySelector("input");
    var choice = box.querySelector("select");
    var count = box.querySelector("[data-count]");
    var more = box.querySelector(".more");
    var found = data.rows.map(function (row, i) { return i; });
    var texts = data.rows.map(function (row) { return row.join(" ").toLowerCase(); });
    var shown = PAGE, sorted = null;

    var element = function (name, text, style) {
      var made = document.createElement(name);
      made.textContent = text;
      if (style) { made.className = style; }
      return made;
    };
    var why = function (row, i) {
      var line = document.createElement("tr");
      line.className = "why";
      var cell = element("td", data.details[i]);
      cell.colSpan = data.styles.length;
      var list = document.createElement("dl");
      data.styles.forEach(function (style, c) {
        if (/roomy/.test(style) && row[c]) { list.append(element("dt", heads[c].textContent), element("dd", row[c])); }
      });
      cell.append(list);
      line.append(cell);
      return line;
    };
    var line = function (i, before) {
      var row = data.rows[i];
      var made = document.createElement("tr");
      if (!data.sortable && before !== undefined && data.rows[before][0] === row[0]) { made.className = "same"; }
      row.forEach(function (text, c) { made.append(element("td", text, data.styles[c])); });
      if (data.details[i]) {
        var button = element("button", row[0]);
        button.type = "button";
        button.setAttribute("aria-expanded", "false");
        button.addEventListener("click", function () {
          var open = button.getAttribute("aria-expanded") === "true";
          button.setAttribute("aria-expanded", String(!open));
          if (open) { made.nextSibling.remove(); } else { made.after(why(row, i)); }
        });
        made.firstChild.replaceChildren(button);
      }
      return made;
    };
    var draw = function (limit) {
      var first = function (k) { return data.rows[found[k]][0]; };
      while (!data.sortable && limit > 0 && limit < found.length && first(limit) === first(limit - 1)) { limit += 1; }
      body.replaceChildren.apply(body, found.slice(0, limit).map(function (i, k) { return line(i, found[k - 1]); }));
      more.hidden = found.length <= limit;
      count.textContent = count.dataset.count.replace("{shown}", found.length.toLocaleString("en"))
        .replace("{all}", data.rows.length.toLocaleString("en"));
    };
    var value = function (text) { return text === "" || text === "–" ? -Infinity : parseFloat(text.replace(/,/g, "")); };
    var look = function () {
      var words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
      var tag = choice ? choice.value : "";
      found = [];
      data.rows.forEach(function (row, i) {
        if (tag && data.tags[i].split(" ").indexOf(tag) < 0) { return; }
        if (words.every(function (word) { return texts[i].indexOf(word) >= 0; })) { found.push(i); }
      });
      if (sorted) {
        var c = sorted.column, way = sorted.down ? -1 : 1, isNumber = /\bn\b/.test(data.styles[c]);
        found.sort(function (a, b) {
          var x = data.rows[a][c], y = data.rows[b][c];
          if (isNumber) { x = value(x); y = value(y); }
          return x < y ? -way : x > y ? way : a - b;
        });
      }
      shown = PAGE;
      draw(shown);
    };
    search.addEventListener("input", look);
    if (choice) { choice.addEventListener("change", look); }
    more.addEventListener("click", function () { shown += 4 * PAGE; draw(shown); });
    if (data.sortable) {
      heads.forEach(function (head, c) {
        var button = element("button", head.textContent);
        button.type = "button";
        head.replaceChildren(button);
        button.addEventListener("click", function () {
          var down = sorted !== null && sorted.column === c && !sorted.down;
          sorted = { column: c, down: down };
          heads.forEach(function (h) { h.removeAttribute("aria-sort"); });
          head.setAttribute("aria-sort", down ? "descending" : "ascending");
          look();
        });
      });
    }
    window.addEventListener("beforeprint", function () { draw(PAPER); });
    window.addEventListener("afterprint", function () { draw(shown); });
    draw(shown);
  });

  // A link to an order finds it in the table of orders and opens it.
  document.querySelectorAll("a[data-order]").forEach(function (link) {
    link.addEventListener("click", function () {
      var box = document.getElementById("list-orders");
      if (!box) { return; }
      var choice = box.querySelector("select");
      if (choice) { choice.value = ""; }
      var search = box.querySelector("input");
      search.value = link.dataset.order;
      search.dispatchEvent(new Event("input"));
      var first = box.querySelector("tbody td button");
      if (first) { first.click(); }
    });
  });

  // What a chart says at a step is the row of the table behind it.
  document.querySelectorAll(".chart").forEach(function (chart) {
    var area = chart.querySelector(".area");
    var rows = chart.parentElement.querySelectorAll("details tbody tr");
    var heads = chart.parentElement.querySelectorAll("details thead th");
    var steps = Number(chart.dataset.steps);
    if (!area || rows.length !== steps) { return; }
    var note = document.createElement("div");
    note.className = "note";
    note.hidden = true;
    var rule = document.createElement("div");
    rule.className = "rule";
    rule.hidden = true;
    area.append(rule, note);
    var point = function (event) {
      var box = area.getBoundingClientRect();
      var step = Math.floor((event.clientX - box.left) / box.width * steps);
      if (step < 0 || step >= steps) { return; }
      var lines = [];
      rows[step].querySelectorAll("th,td").forEach(function (cell, i) {
        var text = cell.textContent.trim();
        if (i === 0) { lines.push(text); } else if (text !== "–") { lines.push(heads[i].textContent.trim() + ": " + text); }
      });
      note.textContent = lines.join("\n");
      note.hidden = rule.hidden = false;
      var left = (step + 0.5) / steps * 100;
      rule.style.left = left + "%";
      note.style.left = left > 50 ? "auto" : left + 2 + "%";
      note.style.right = left > 50 ? 102 - left + "%" : "auto";
    };
    area.addEventListener("pointermove", point);
    area.addEventListener("pointerdown", point);
    area.addEventListener("pointerleave", function () { note.hidden = rule.hidden = true; });
  });
})();
