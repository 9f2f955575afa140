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
