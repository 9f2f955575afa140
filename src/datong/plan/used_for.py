"""For whom each order is: everything that takes what comes of it, with units. Reasons name the first of these."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

import pyarrow as pa

from datong.plan.lots_along_clearing import NOTHING, Lot
from datong.plan.pegging import Peg, Pegged
from datong.plan.planning_inputs import Work

USED_FOR_SCHEMA = pa.schema(
    [
        ("order", pa.string()),
        ("product", pa.string()),
        ("used_for", pa.string()),
        ("used_by", pa.string()),
        ("market", pa.string()),
        ("due", pa.date32()),
        ("bucket", pa.date32()),
        ("units", pa.float64()),
    ]
)

# What takes units: used_for, used_by, market, due, bucket.
Taker = tuple[str, str | None, str | None, date | None, date | None]


def used_for(work: Work, numbers: Mapping[Lot, str], found: Pegged) -> pa.Table:
    """In USED_FOR_SCHEMA, by order and by what comes of it: units that a request, expected demand or an order takes
    (used_by: its number, or the product that this one stands in for), in which bucket; what goes bad; and what nothing
    takes, so that the rows of a product add up to its good units.

    Of what comes in whole units, parts of one may have been there before: then more is taken than is good, and the
    last row is below nothing.
    """
    rows = [
        {"order": order, "product": product} | row
        for lot, order in numbers.items()
        if lot.way.is_order
        for label, product, good in _comes(work, lot)
        for row in _of(work, numbers, found, lot, label, good)
    ]
    return pa.Table.from_pylist(rows, schema=USED_FOR_SCHEMA)


def _comes(work: Work, lot: Lot) -> Iterator[tuple[str, str, float]]:
    """What comes of a lot: '' for its product, else the label of what comes besides; its code; good units."""
    yield "", work.facts.becomes(lot.way.product), lot.units * lot.way.yield_share
    for output in lot.way.outputs:
        yield output.product, work.facts.product_of(output.product), lot.units * output.units_per_unit


def _of(
    work: Work, numbers: Mapping[Lot, str], found: Pegged, lot: Lot, besides: str, good: float
) -> Iterator[dict[str, Any]]:
    units: dict[Taker, float] = defaultdict(float)
    for peg in found.pegs[lot]:
        if peg.besides == besides:
            units[_taker(work, numbers, peg)] += peg.units
    for bucket, spoils in found.bad.get(lot, {}).items() if not besides else ():
        units["bad", None, None, None, work.starts[bucket]] += spoils
    left = good - sum(units.values())
    if abs(left) > NOTHING * max(good, 1.0):
        units["nothing" if left > 0 else "part_before", None, None, None, None] += left
    for taker, taken in units.items():
        yield dict(zip(("used_for", "used_by", "market", "due", "bucket"), taker, strict=True)) | {"units": taken}


def _taker(work: Work, numbers: Mapping[Lot, str], peg: Peg) -> Taker:
    use, bucket = peg.use, work.starts[peg.use.bucket]
    if use.parent is not None:
        return "order", numbers.get(use.parent), None, None, bucket
    if use.kind == "out":
        return "order", use.name, None, None, bucket
    market = None if use.item is None else use.item.market or None
    due = use.due if use.kind == "request" else use.waits_since or use.due
    return use.kind, use.name or None, market, due, bucket
