"""Pegging: which requests, forecast demand and orders use what each lot brings, first come first used.

Both sides are what the plan does: what comes is opening stock, orders out and lots, by the bucket in which it is there;
what is used are deliveries, by the bucket of delivery, and components, by the bucket in which their order starts.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Literal

import numpy as np

from datong.ledger.columns import tuples
from datong.model.flow import Clearing, FloatArray, Item
from datong.network.horizon import valid_on
from datong.plan.lots_along_clearing import NOTHING, Lot
from datong.plan.work import Work


@dataclass(frozen=True, slots=True)
class Use:
    """Units of a product that are used in a bucket."""

    # A customer's request, expected demand, a planned order, or an order that is out already.
    kind: Literal["request", "forecast", "order", "out"]
    bucket: int
    units: float
    # Day on which they are wanted.
    due: date
    # Key of the request, or of the order that is out.
    name: str = ""
    # The lot of a planned order.
    parent: Lot | None = None
    firm: bool = False
    # Of the request: higher is served first.
    priority: int = 0
    # They come after the day on which they are wanted.
    late: bool = False
    # What the order that is out makes.
    makes: str = ""


@dataclass(frozen=True, slots=True)
class Peg:
    """Units of a lot that one use takes."""

    use: Use
    units: float


@dataclass(frozen=True, slots=True)
class Before:
    """What is there of a product before a lot is needed."""

    # Units in stock at the beginning.
    stock_units: float
    # Units that orders which are out bring.
    on_order_units: float
    # Units of lots that come first.
    planned_units: float


def pegged(work: Work, clearing: Clearing, lots: Sequence[Lot]) -> tuple[dict[Lot, list[Peg]], dict[Lot, Before]]:
    """The uses of each lot in the order in which they come, and what there was before it."""
    comes = _comes(work, lots)
    uses = _uses(work, clearing, lots)
    pegs: dict[Lot, list[Peg]] = {lot: [] for lot in lots}
    before: dict[Lot, Before] = {}
    for product, sources in comes.items():
        queue = sorted(uses.get(product, ()), key=lambda u: (u.bucket, -u.priority, not u.firm, u.due, u.name))
        place = 0
        left = queue[0].units if queue else 0.0
        stock = on_order = planned = 0.0
        usable = _whole_parts([units for _, _, units in sources]) if _in_whole_units(queue) else None
        for i, (lot, kind, units) in enumerate(sources):
            if lot is not None:
                before[lot] = Before(stock, on_order, planned)
            good = units if usable is None else usable[i]
            while good > NOTHING and place < len(queue):
                taken = min(good, left)
                if lot is not None and taken > NOTHING:
                    pegs[lot].append(Peg(queue[place], taken))
                good, left = good - taken, left - taken
                if left <= NOTHING:
                    place += 1
                    left = queue[place].units if place < len(queue) else 0.0
            stock += units if kind == "stock" else 0.0
            on_order += units if kind == "on_order" else 0.0
            planned += units if kind == "lot" else 0.0
    return _through_markets(pegs), before


def _in_whole_units(uses: Sequence[Use]) -> bool:
    return all(abs(use.units - round(use.units)) <= NOTHING for use in uses)


def _whole_parts(units: Sequence[float]) -> list[float]:
    """The whole units that are there with each source: what a yield leaves of a unit is there with the rest of it."""
    there = np.floor(np.cumsum(units) + NOTHING)
    return np.diff(there, prepend=0.0).tolist()


Source = tuple[Lot | None, Literal["stock", "on_order", "lot"], float]


def _comes(work: Work, lots: Sequence[Lot]) -> dict[str, list[Source]]:
    """By product, what comes in the order in which it is there."""
    result: dict[str, list[Source]] = {}
    of_product: dict[str, list[Lot]] = defaultdict(list)
    for lot in sorted(lots, key=lambda x: (x.arrive, x.start, x.way.name)):
        of_product[lot.way.product].append(lot)
    taken: dict[str, FloatArray] = defaultdict(lambda: np.zeros(len(work.starts)))
    for pull in work.promised.pulls:
        taken[pull.component][pull.bucket] += pull.units
    for product, own in of_product.items():
        stock = max(work.on_hand.get(product, 0.0), 0.0)
        anyway = work.promised.units[product] + taken.get(product, 0.0)
        anyway[0] -= stock
        sources: list[Source] = [(None, "stock", stock)]
        for t in range(len(work.starts)):
            if anyway[t] > NOTHING:
                sources.append((None, "on_order", float(anyway[t])))
            sources += [(lot, "lot", lot.units * lot.way.yield_share) for lot in own if lot.arrive == t]
        result[product] = sources
    return result


def _uses(work: Work, clearing: Clearing, lots: Sequence[Lot]) -> dict[str, list[Use]]:
    """By product, everything that uses it."""
    at = {s: t for t, s in enumerate(work.starts)}
    uses: dict[str, list[Use]] = defaultdict(list)
    # Units of requests that are known by themselves: served in a bucket, and those of them that are on time.
    known: dict[tuple[Item, date], list[float]] = defaultdict(lambda: [0.0, 0.0])
    label_of = work.facts.label_of
    for r in clearing.deliveries.to_pylist():
        item = Item(r["product"], r["market"])
        label = label_of(item)
        if r["bucket"] is None:
            continue
        own = known[item, r["bucket"]]
        own[0] += r["units"]
        own[1] += r["units"] if r["what"] == "on_time" else 0.0
        kind = "request" if r["firm"] else "forecast"
        uses[label].append(
            Use(
                kind=kind,
                bucket=at[r["bucket"]],
                units=r["units"],
                due=r["due"],
                name=r["demand"] or "",
                firm=r["firm"],
                priority=r["priority"],
                late=r["what"] == "late",
            )
        )
    columns = ("product", "market", "bucket", "served_units", "on_time_units")
    for product, market, bucket, served, on_time in tuples(clearing.gaps, *columns):
        of_requests = known.get((Item(product, market), bucket), (0.0, 0.0))
        expected, in_time = served - of_requests[0], on_time - of_requests[1]
        if expected > NOTHING:
            late = expected > in_time + NOTHING and in_time <= NOTHING
            uses[label_of(Item(product, market))].append(Use("forecast", at[bucket], expected, bucket, late=late))
    for r in clearing.substitutions.to_pylist():
        uses[r["substitute"]].append(Use("forecast", at[r["bucket"]], r["units"], r["bucket"], name=r["product"]))
    for lot in lots:
        for use in lot.way.uses:
            if valid_on(work.starts[lot.start], use.valid_from, use.valid_to):
                units = lot.units * use.units_per_unit
                uses[use.component].append(Use("order", lot.start, units, work.starts[lot.start], parent=lot))
    for pull in work.promised.pulls:
        use = Use("out", pull.bucket, pull.units, work.starts[pull.bucket], name=pull.order, makes=pull.parent)
        uses[pull.component].append(use)
    return uses


def _through_markets(pegs: dict[Lot, list[Peg]]) -> dict[Lot, list[Peg]]:
    """What a site serves a market with is for that market's demand."""

    def of(peg: Peg) -> list[Peg]:
        parent = peg.use.parent
        if parent is None or not parent.way.serves:
            return [peg]
        total = sum(p.units for p in pegs.get(parent, ()))
        share = min(peg.units / total, 1.0) if total > 0 else 0.0
        return [replace(p, units=p.units * share) for p in pegs.get(parent, ())]

    return {lot: [one for peg in own for one in of(peg)] for lot, own in pegs.items()}


def hurt(pegs: Sequence[Peg]) -> tuple[str, ...]:
    """Customer requests that a lot serves late, by name."""
    return tuple(sorted({peg.use.name for peg in pegs if peg.use.kind == "request" and peg.use.late} - {""}))
