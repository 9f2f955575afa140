"""What of a run's tables is drawn: the rows of one product, over all its markets and sites."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from datong.model.errors import NotFound
from datong.model.words import message, say
from datong.shown.plots import new_axes, plot_forecast, plot_orders, plot_stock

if TYPE_CHECKING:
    from datong.shown.plots import Axes

Tables = Mapping[str, pa.Table]

WHAT = ("forecast", "stock", "orders")
# An error that lists what there is names so many.
_NAMED = 10
_CAME = ("made", "received", "moved_in")
_WENT = ("used", "moved_out", "taken", "delivered", "wasted")


def plot_run(tables: Tables, what: str, title: str, product: str | None, language: str, axes: "Axes | None") -> "Axes":
    """what: one of WHAT. product: None: that with the most expected demand; of orders, all. Raises NotFound."""
    if what not in WHAT:
        raise NotFound(message("shown.what_plot", what=repr(what), names=", ".join(WHAT)))
    names, units = _names(tables), _units(tables)
    axes = new_axes(axes)
    if what == "orders":
        rows = orders_by_worth(tables["orders"].to_pylist(), names, product)
        return plot_orders(rows, say("shown.orders_title", language, name=title), language, axes)
    chosen = _most_wanted(tables["forecast"]) if product is None else product
    called, unit = names.get(chosen, chosen), units.get(chosen, "")
    if what == "stock":
        return plot_stock(stock_rows(tables["flow"], chosen), called, unit, language, axes)
    past, ahead = of_one_series(tables, chosen)
    return plot_forecast(past, ahead, called, unit, language, axes)


def of_one_series(
    tables: Tables, product: str, market: str | None = None
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Rows of `plot_forecast` of a product in a market; None: the one with the most expected demand."""
    ahead = [row for row in tables["forecast"].to_pylist() if row["product"] == product]
    if market is None and ahead:
        expected: dict[str, float] = {}
        for row in ahead:
            expected[row["market"]] = expected.get(row["market"], 0.0) + row["mean_units"]
        market = min(expected, key=lambda name: (-expected[name], name))
    ahead = [row for row in ahead if row["market"] == market]
    if not ahead:
        raise NotFound(message("shown.no_series", product=repr(product), products=_some(tables["forecast"]["product"])))
    past = [r for r in tables["series"].to_pylist() if r["product"] == product and r["market"] == market]
    return past, ahead


def stock_rows(flow: pa.Table, product: str) -> list[dict[str, Any]]:
    """bucket, came, went, closing of a product over all its sites."""
    rows = [row for row in flow.to_pylist() if row["product"] == product]
    if not rows:
        raise NotFound(message("shown.no_series", product=repr(product), products=_some(flow["product"])))
    at: dict[Any, list[dict[str, Any]]] = {}
    for row in rows:
        at.setdefault(row["bucket"], []).append(row)
    return [
        {
            "bucket": bucket,
            "came": sum(row[f"{name}_units"] for row in own for name in _CAME),
            "went": sum(row[f"{name}_units"] for row in own for name in _WENT),
            "closing": sum(row["closing_units"] for row in own),
        }
        for bucket, own in sorted(at.items())
    ]


def orders_by_worth(
    rows: Sequence[Mapping[str, Any]], names: Mapping[str, str], product: str | None
) -> list[dict[str, Any]]:
    """Rows of `plot_orders`, the most worth first."""
    chosen = [row for row in rows if product in (None, row["product"]) and row["units"] > 0]
    return [{**row, "name": names.get(row["product"], row["product"])} for row in by_worth(chosen)]


def by_worth(rows: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Orders, the most worth first; last those of which it is not known."""

    def place(row: Mapping[str, Any]) -> tuple[bool, float, str]:
        return row["value"] is None, -(row["value"] or 0.0), row.get("order") or row["product"]

    return sorted(rows, key=place)


def _most_wanted(forecast: pa.Table) -> str:
    if not forecast.num_rows:
        raise NotFound(message("shown.no_series", product="-", products="-"))
    products, at = np.unique(forecast["product"].to_numpy(zero_copy_only=False), return_inverse=True)
    return str(products[int(np.argmax(np.bincount(at, forecast["mean_units"].to_numpy())))])


def _names(tables: Tables) -> dict[str, str]:
    """What people call the products, where they have a name."""
    rows = tables["products"].to_pylist() if "products" in tables else []
    return {row["product"]: f"{row['name']} ({row['product']})" for row in rows if row["name"]}


def _units(tables: Tables) -> dict[str, str]:
    rows = tables["products"].to_pylist() if "products" in tables else []
    return {row["product"]: row["base_unit"] or "" for row in rows}


def _some(products: pa.ChunkedArray) -> str:
    known = sorted(set(products.to_pylist()))
    return ", ".join(known[:_NAMED]) + (" ..." if len(known) > _NAMED else "")
