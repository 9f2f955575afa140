"""Receipts that a file tells of, held against the orders that they name."""

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from datong.ledger.standings import LEAST_UNITS
from datong.ledger.state import State
from datong.model.findings import Finding, finding


def receipts_against_orders(before: State, after: State, source: str) -> Iterator[Finding]:
    """What is odd with receipts that came since `before`: more in all than was ordered, or another product. They are
    in, each finding says how they are taken out."""
    orders = {row["order"]: row for row in after.table("orders").to_pylist()}
    total: dict[str, float] = defaultdict(float)
    for order, product, units in _of_orders(after.table("receipts"), "order", "product", "units"):
        if order in orders and product == orders[order]["product"]:
            total[order] += units
    fresh = after.table("receipts")
    fresh = fresh.filter(pc.invert(pc.is_in(fresh["row_id"], before.table("receipts")["row_id"].combine_chunks())))
    told: set[str] = set()
    for order, product, units, row_id in _of_orders(fresh, "order", "product", "units", "row_id"):
        if (known := orders.get(order)) is None:
            continue
        words: dict[str, Any] = {"order": order, "row_id": row_id, "units": f"{units:,.10g}"}
        ordered = f"{known['units']:,.10g}"
        if product != known["product"]:
            words |= {"product": product, "other": known["product"]}
            yield finding("warning", "intake.receipt_of_other", source, column="product", **words)
        elif total[order] > known["units"] + LEAST_UNITS and order not in told:
            told.add(order)
            words |= {"total": f"{total[order]:,.10g}", "ordered": ordered}
            yield finding("warning", "intake.receipt_too_many", source, column="units", **words)


def _of_orders(rows: pa.Table, *names: str) -> Iterator[tuple]:
    """These columns of the rows that name an order."""
    some = rows.filter(pc.is_valid(rows["order"]))
    return zip(*(some[name].to_pylist() for name in names), strict=True)
