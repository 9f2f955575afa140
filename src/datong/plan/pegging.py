"""Pegging: which requests, forecast demand and orders use what each lot brings, first come first used.

In a bucket an order that is out takes its components before lots that begin on its day, and before everything else
where it would else wait for what comes later in the bucket: work that is out goes first.

Both sides are what the plan does: what comes is opening stock, orders out and lots, by the bucket in which it is there;
what is used are deliveries, by the bucket of delivery, and components, by the bucket in which their order starts.
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, Literal

import numpy as np
import pyarrow.compute as pc

from datong.ledger.columns import tuples
from datong.model.flow import Clearing, Item
from datong.network.committed import Comes
from datong.network.horizon import valid_on
from datong.plan.lots_along_clearing import NOTHING, Lot
from datong.plan.planning_inputs import Work
from datong.plan.stock_spoiled import spoiled_units


@dataclass(frozen=True, slots=True)
class Use:
    """Units of a product that are used in a bucket."""

    # A customer's request, expected demand, a planned order, or an order that is out already; or they go bad when the
    # bucket ends, which is told apart (`Pegged.bad`).
    kind: Literal["request", "forecast", "order", "out", "bad"]
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
    # What the order that is out makes, and its turn among such orders (network/committed.py).
    makes: str = ""
    turn: tuple[bool, date, str] | None = None
    # Of expected demand that comes late: the bucket in which it is due.
    waits_since: date | None = None
    # Of a request or expected demand: what is asked for.
    item: Item | None = None


@dataclass(frozen=True, slots=True)
class Peg:
    """Units of a lot that one use takes."""

    use: Use
    units: float
    # What comes besides the product of the lot, where it is of that; '': it is of the product.
    besides: str = ""

    def product(self, lot: Lot) -> str:
        """What is taken of the lot."""
        return self.besides or lot.way.product


@dataclass(frozen=True, slots=True)
class Before:
    """What is there of a product before a lot is needed."""

    # Units in stock at the beginning.
    stock_units: float
    # Units that orders which are out bring.
    on_order_units: float
    # Units of lots that come first.
    planned_units: float


@dataclass(frozen=True, slots=True)
class Wait:
    """Units of a component that a lot takes of what an order that is out brings in the bucket in which it starts."""

    comes: Comes
    units: float


@dataclass(frozen=True)
class Pegged:
    """pegs: the uses of each lot in the order in which they come. before: what there was before it. waits: what it
    takes of orders that are out and come in its bucket. of_out: the uses of what orders that are out bring.
    of_stock: the requests that stock serves, by product, of those due before today in the bucket that has begun. uses,
    comes: by product, everything that uses it, and what comes of it in the order in which it is there. bad: what of
    each lot goes bad, by the bucket at whose end it does. spoiled: product -> units of stock with a day of expiry that
    go bad, which are in no source."""

    pegs: dict[Lot, list[Peg]]
    before: dict[Lot, Before]
    waits: dict[Lot, list[Wait]]
    of_out: list[tuple[Comes, Peg]]
    of_stock: list[tuple[str, Peg]]
    uses: Mapping[str, Sequence[Use]]
    comes: "Mapping[str, Sequence[Source]]"
    bad: Mapping[Lot, Mapping[int, float]]
    spoiled: Mapping[str, float]


def pegged(work: Work, clearing: Clearing, lots: Sequence[Lot]) -> Pegged:
    """Who uses what each lot, and each order that is out, brings."""
    uses = _uses(work, clearing, lots)
    out = {one.product for one in work.promised.comes}
    begun = work.starts[0] < work.facts.today  # then what was due before today is there today, and not on its day
    taken = [p for p, own in uses.items() if p in out or begun or any(use.kind == "order" for use in own)]
    spoiled = spoiled_units(clearing, work.facts, work.position, work.starts, work.calendar)
    comes = _comes(work, lots, taken, spoiled)
    pegs: dict[Lot, list[Peg]] = {lot: [] for lot in lots}
    of_out: list[tuple[Comes, Peg]] = []
    of_stock: list[tuple[str, Peg]] = []
    before: dict[Lot, Before] = {}
    waits: dict[Lot, list[Wait]] = defaultdict(list)
    gone, bad = _bad(work, clearing, spoiled), defaultdict[Lot, dict[int, float]](dict)
    for product, sources in comes.items():
        queue = _queue([*uses.get(product, ()), *gone.get(product, ())], sources)
        place = 0
        left = queue[0].units if queue else 0.0
        stock = on_order = planned = 0.0
        usable = _whole_parts([units for _, units in sources]) if _in_whole_units(uses.get(product, ())) else None
        for i, (source, units) in enumerate(sources):
            lot = source if isinstance(source, Lot) else None
            besides = "" if lot is None or product == lot.way.product else product
            if lot is not None and not besides:
                before[lot] = Before(stock, on_order, planned)
            good = units if usable is None else usable[i]
            while good > NOTHING and place < len(queue):
                taken = min(good, left)
                is_bad, bucket = queue[place].kind == "bad", queue[place].bucket
                if lot is not None and taken > NOTHING and is_bad and not besides:
                    bad[lot][bucket] = bad[lot].get(bucket, 0.0) + taken
                if lot is not None and taken > NOTHING and not is_bad:
                    pegs[lot].append(Peg(queue[place], taken, besides))
                if isinstance(source, Comes) and taken > NOTHING and not is_bad:
                    of_out.append((source, Peg(queue[place], taken)))
                if source is None and begun and taken > NOTHING and not is_bad:
                    of_stock.append((product, Peg(queue[place], taken)))
                parent = queue[place].parent
                comes_then = isinstance(source, Comes) and parent is not None and source.bucket == parent.start
                if comes_then and taken > NOTHING:
                    waits[parent].append(Wait(source, taken))
                good, left = good - taken, left - taken
                if left <= NOTHING:
                    place += 1
                    left = queue[place].units if place < len(queue) else 0.0
            stock += units if source is None else 0.0
            on_order += units if isinstance(source, Comes) else 0.0
            planned += units if lot is not None else 0.0
    for pick in [lot for lot in waits if not lot.way.is_order]:
        of_pick = waits.pop(pick)
        for parent in {peg.use.parent: None for peg in pegs[pick] if peg.use.parent is not None}:
            waits[parent] += of_pick
    through = [(one, peg) for one, own in of_out for peg in _of_market(pegs, own)]
    past = [(product, peg) for product, own in of_stock for peg in _of_market(pegs, own)]
    past = [(product, peg) for product, peg in past if peg.use.kind == "request" and peg.use.due < work.facts.today]
    return Pegged(
        {lot: [one for peg in own for one in _of_market(pegs, peg)] for lot, own in pegs.items()},
        before,
        dict(waits),
        through,
        past,
        uses,
        comes,
        bad,
        spoiled,
    )


def _bad(work: Work, clearing: Clearing, spoiled: Mapping[str, float]) -> Mapping[str, list[Use]]:
    """By product, or label of a stock point, what goes bad: after everything else of its bucket. spoiled: product ->
    units of its stock that go bad, the first to do so, which are in no source (see _comes) and so in no use."""
    at, names, left = {s: t for t, s in enumerate(work.starts)}, work.facts.names_by_product, dict(spoiled)
    found: dict[str, list[Use]] = defaultdict(list)
    rows = clearing.flow.filter(pc.greater(clearing.flow["wasted_units"], NOTHING)).sort_by("bucket")
    for product, site, bucket, units in tuples(rows, "product", "site", "bucket", "wasted_units"):
        label = names[product].get(site or "", product)
        of_stock = min(units, left.get(label, 0.0))
        left[label] = left.get(label, 0.0) - of_stock
        if units - of_stock > NOTHING:
            found[label].append(Use("bad", at[bucket], units - of_stock, bucket))
    return found


def _queue(uses: Iterable[Use], sources: "Sequence[Source]") -> list[Use]:
    """What uses a product, in the order in which it takes what comes."""
    queue = sorted(uses, key=_place)
    if not any(use.kind == "out" for use in queue):
        return queue
    there = np.cumsum([units for _, units in sources])
    until = np.cumsum([use.units for use in queue])
    for use, last in zip(queue, np.searchsorted(there + NOTHING, until).tolist(), strict=True):
        source = sources[last][0] if last < len(sources) else None
        if use.kind == "out" and _waits_in_bucket(use, source):
            return sorted(queue, key=lambda u: (u.bucket, u.kind == "bad", u.kind != "out"))
    return queue


def _place(use: Use) -> tuple[Any, ...]:
    kinds = use.kind == "bad", use.kind == "order"
    return use.bucket, kinds[0], -use.priority, not use.firm, use.due, kinds[1], _turn(use), use.name


def _turn(use: Use) -> tuple[bool, date, str]:
    return use.turn or (True, date.max, "")


def _waits_in_bucket(use: Use, source: "Lot | Comes | None") -> bool:
    """Whether a source is there in the bucket of a use, and perhaps after the day on which it is wanted."""
    if isinstance(source, Lot):
        return source.arrive == use.bucket
    return source is not None and source.bucket == use.bucket and source.day > use.due


def _in_whole_units(uses: Sequence[Use]) -> bool:
    return all(abs(use.units - round(use.units)) <= NOTHING for use in uses)


def _whole_parts(units: Sequence[float]) -> list[float]:
    """The whole units that are there with each source: what a yield leaves of a unit is there with the rest of it."""
    there = np.floor(np.cumsum(units) + NOTHING)
    return np.diff(there, prepend=0.0).tolist()


# Stock (None), an order that is out, or a lot, and its good units.
Source = tuple[Lot | Comes | None, float]


def _comes(
    work: Work, lots: Sequence[Lot], taken: Iterable[str], spoiled: Mapping[str, float]
) -> dict[str, list[Source]]:
    """By product of a lot, or that lots take, what comes in the order in which it is there. spoiled: product -> units
    of its stock that nothing takes before they go bad."""
    result: dict[str, list[Source]] = {}
    of_product: dict[str, list[Lot]] = {product: [] for product in taken}
    out: dict[str, list[Comes]] = defaultdict(list)
    for one in work.promised.comes:
        out[one.product].append(one)
    for lot in sorted(lots, key=lambda x: (x.arrive, x.start, x.way.name, x.part)):
        for product, _ in lot.way.brings:
            of_product.setdefault(product, []).append(lot)
    for product, own in of_product.items():
        stock = work.position.on_hand_units.get(product, 0.0) - spoiled.get(product, 0.0)
        sources: list[Source] = [(None, max(stock, 0.0))]
        for t in range(len(work.starts)):
            sources += [(one, one.units) for one in out[product] if one.bucket == t and one.units > NOTHING]
            sources += [(lot, lot.units * dict(lot.way.brings)[product]) for lot in own if lot.arrive == t]
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
        is_late = r["what"] == "late"
        uses[label].append(
            Use(
                kind=kind,
                bucket=at[r["bucket"]],
                units=r["units"],
                due=r["due"],
                name=r["demand"] or "",
                firm=r["firm"],
                priority=r["priority"],
                late=is_late,
                waits_since=bucket_of(r["due"], work.starts) if is_late and kind == "forecast" else None,
                item=item,
            )
        )
    for item, own in _expected(clearing, known).items():
        on_time = {bucket for due, bucket, _ in own if due == bucket}
        uses[label_of(item)] += [
            Use(
                kind="forecast",
                bucket=at[bucket],
                units=units,
                due=bucket,
                late=bucket not in on_time,
                waits_since=due if due < bucket else None,
                item=item,
            )
            for due, bucket, units in own
        ]
    for r in clearing.substitutions.to_pylist():
        uses[r["substitute"]].append(Use("forecast", at[r["bucket"]], r["units"], r["bucket"], name=r["product"]))
    for lot in lots:
        for use in lot.way.uses:
            if valid_on(work.starts[lot.start], use.valid_from, use.valid_to):
                units = lot.units * use.units_per_unit
                uses[use.component].append(Use("order", lot.start, units, work.starts[lot.start], parent=lot))
        for component, units in lot.way.lot_uses:
            uses[component].append(Use("order", lot.start, units, work.starts[lot.start], parent=lot))
    for pull in work.promised.pulls:
        use = Use("out", pull.bucket, pull.units, pull.day, name=pull.order, makes=pull.parent, turn=pull.turn)
        uses[pull.component].append(use)
    return uses


def bucket_of(day: date, starts: Sequence[date]) -> date:
    """The bucket of a day; of one before them all, the first."""
    return starts[max(bisect_right(starts, day) - 1, 0)]


def _expected(
    clearing: Clearing, known: Mapping[tuple[Item, date], Sequence[float]]
) -> dict[Item, list[tuple[date, date, float]]]:
    """By item, demand that is only expected: the bucket in which it is due, that in which it is served, and units. What
    waits is served first due first. known: of requests, units served in a bucket, and those of them on time."""
    late_requests: dict[tuple[Item, date], float] = defaultdict(float)
    starts = sorted(set(clearing.gaps["bucket"].to_pylist()))
    for r in clearing.deliveries.to_pylist():
        if r["what"] == "late" and starts:
            due = bucket_of(r["due"], starts)
            late_requests[Item(r["product"], r["market"]), due] += r["units"]
    columns = ("product", "market", "bucket", "served_units", "on_time_units", "late_units")
    waiting: dict[Item, list[tuple[date, float]]] = defaultdict(list)
    found: dict[Item, list[tuple[date, date, float]]] = defaultdict(list)
    for product, market, bucket, served, on_time, late in sorted(tuples(clearing.gaps, *columns), key=lambda r: r[2]):
        item = Item(product, market)
        of_requests = known.get((item, bucket), (0.0, 0.0))
        in_time = max(on_time - of_requests[1], 0.0)
        left = served - of_requests[0] - in_time
        while left > NOTHING and waiting[item]:
            due, units = waiting[item][0]
            taken = min(left, units)
            found[item].append((due, bucket, taken))
            left -= taken
            waiting[item][0] = (due, units - taken)
            if units - taken <= NOTHING:
                waiting[item].pop(0)
        in_time += max(left, 0.0)  # what nothing is known to wait for
        if in_time > NOTHING:
            found[item].append((bucket, bucket, in_time))
        to_come = late - late_requests[item, bucket]
        if to_come > NOTHING:
            waiting[item].append((bucket, to_come))
    return found


def _of_market(pegs: Mapping[Lot, Sequence[Peg]], peg: Peg) -> list[Peg]:
    """What a site serves a market with is for that market's demand, and what is taken of alternatives for the order."""
    parent = peg.use.parent
    if parent is None or parent.way.is_order:
        return [peg]
    total = sum(p.units for p in pegs.get(parent, ()))
    if parent.way.picks is not None and total > 0:  # in units of the component
        return [replace(p, units=peg.units * p.units / total, besides=peg.besides) for p in pegs[parent]]
    share = min(peg.units / total, 1.0) if total > 0 else 0.0
    return [replace(p, units=p.units * share, besides=peg.besides) for p in pegs.get(parent, ())]


def hurt(pegs: Sequence[Peg]) -> tuple[str, ...]:
    """Customer requests that a lot serves late, by name."""
    return tuple(sorted({peg.use.name for peg in pegs if peg.use.kind == "request" and peg.use.late} - {""}))
