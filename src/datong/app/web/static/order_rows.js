// The grid of orders on the page Plan: its rows, piece by piece, as they are narrowed, searched and sorted.
"use strict";
window.datongOrderRows = (() => {
  const asked = { filters: "[]", search: "" };

  function orders(filters) {
    asked.filters = filters;
    return {
      getRows: async (p) => {
        const sort = p.sortModel[0];
        try {
          const found = await datongPage.get("/planner/data/orders", {
            skip: p.startRow, count: p.endRow - p.startRow, filters: asked.filters, search: asked.search,
            ...(sort ? { sort: sort.colId, descending: sort.sort === "desc" } : {}),
          });
          const count = document.getElementById("order-count");
          if (count) {
            const words = found.total === 1 ? count.dataset.one : count.dataset.many;
            count.textContent = words.replace("{count}", found.total.toLocaleString("en-US"));
          }
          p.successCallback(found.rows, found.total);
        } catch {
          p.failCallback();
        }
      },
    };
  }

  function ask(grid, filters, search) {
    asked.filters = filters;
    asked.search = search;
    getElement(grid).api.purgeInfiniteCache();
  }

  function refresh(grid) {
    const element = getElement(grid);
    if (element && element.api) element.api.refreshInfiniteCache();
  }

  // A row of which no order has come yet has no data.
  function choose({ data, node }) {
    if (!data) return;
    node.setSelected(true, true);
    emitEvent("order_chosen", { order: data.order });
  }

  function chooseByKey(pressed) {
    if (pressed.event.key === "Enter" || pressed.event.key === " ") choose(pressed);
  }

  return { orders, ask, refresh, choose, chooseByKey };
})();
