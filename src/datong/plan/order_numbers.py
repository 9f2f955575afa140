"""Numbers of orders: which one a lot keeps, and which one is new. A number never means two things."""

from collections.abc import Iterable, Sequence
from datetime import date

import pyarrow as pa

from datong.ledger.state import State
from datong.model.calendar import Calendar
from datong.plan.lots_along_clearing import Lot
from datong.plan.planning_inputs import Work


def order_numbers(state: State, work: Work, lots: Sequence[Lot], proposed: Iterable[pa.Table]) -> dict[Lot, str]:
    """W, P or T, the first open bucket, and a running number.

    A lot keeps the number that an earlier run proposed for its way, bucket and part, so long as that was not given out;
    no number that was ever given out or proposed stands for anything else.
    """
    first = work.starts[0]
    out = set(state.table("orders")["order"].to_pylist())
    earlier = _proposed(proposed, f"{first:%Y%m%d}-", work.calendar)
    running = dict.fromkeys("WPT", 0)
    for name in [*out, *(name for names in earlier.values() for name in names)]:
        letter, rest = name[:1], name[len(f"W{first:%Y%m%d}-") :]
        if letter in running and name[1:].startswith(f"{first:%Y%m%d}-") and rest.isdigit():
            running[letter] = max(running[letter], int(rest))
    result = {}
    for kind, letter in (("make", "W"), ("buy", "P"), ("move", "T")):
        for lot in (x for x in lots if x.way.kind == kind):
            way = lot.way
            row = way.recipe or way.offer or way.lane or ""
            site = (way.site or "") if work.facts.stock_points else ""
            names = earlier.get((kind, work.facts.becomes(way.product), row, site, work.starts[lot.start]), [])
            name = names[lot.part] if lot.part < len(names) else None
            if name is None or name in out:
                running[letter] += 1
                name = f"{letter}{first:%Y%m%d}-{running[letter]:03d}"
            result[lot] = name
    return result


def _proposed(
    runs: Iterable[pa.Table], prefix: str, calendar: Calendar
) -> dict[tuple[str, str, str, str, date], list[str]]:
    """Numbers of orders proposed in the same first bucket, the latest run's: (kind, product, row of its way, site,
    bucket of start) -> number of each part."""
    names = ["order", "kind", "product", "recipe", "offer", "lane", "site", "start"]
    found: dict[tuple[str, str, str, str, date], list[str]] = {}
    for orders in runs:
        of_run: dict[tuple[str, str, str, str, date], list[str]] = {}
        for r in orders.select(names).to_pylist():
            if r["order"][1:].startswith(prefix):
                row = r["recipe"] or r["offer"] or r["lane"] or ""
                key = r["kind"], r["product"], row, r["site"] or "", calendar.bucket_start(r["start"])
                of_run.setdefault(key, []).append(r["order"])
        found |= of_run
    return found
