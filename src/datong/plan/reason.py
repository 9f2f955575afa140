"""Why an order: its causes with numbers and the rows behind them, and all of it as one sentence.

Every cause is worked out from the orders themselves: whom a lot serves (pegging.py), what is there before it, which
hours the orders leave, what a set-up saves; then the conclusion.
"""

import math
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence, Set
from datetime import date
from functools import cached_property, reduce

import numpy as np

from datong.ledger.state import State
from datong.model.demand_layers import SortedDemand
from datong.model.flow import (
    UNTESTED_METHODS,
    Cause,
    Clearing,
    Forecast,
    Item,
    PlannedOrder,
    Sensed,
    method_message,
    party,
)
from datong.model.words import Message, message, say, shown
from datong.network.committed import Comes
from datong.network.forecast_netting import PartOrdered, parts_ordered
from datong.network.netting_told import part_words
from datong.network.price_breaks import PriceBreak, break_of
from datong.network.sourcing_shares import sourcing_shares
from datong.network.stock_on_hand import SinceCount
from datong.network.ways import OnLine, Way, lead_buckets, of_units
from datong.network.working_days import Course, OpenDays
from datong.plan.days_within_bucket import Days, named_due
from datong.plan.delivered_as_asked import DeliveredAsAsked
from datong.plan.instead_of_refused import is_asked_elsewise, refusals_behind
from datong.plan.lots_along_clearing import Lot, lots_matter
from datong.plan.order_words import MOST_NAMED, MOST_ROWS, NOTHING, PIECE, OrderWords
from datong.plan.pegging import Before, Peg, Pegged, Use
from datong.plan.planning_inputs import Work
from datong.plan.signals_behind import SignalsBehind
from datong.plan.stock_kept import closing_units
from datong.plan.why_late import LateFor, WhyLate

# How demand is forecast of which its own past tells little.
LITTLE_KNOWN = "plan.cause.little_known"
# What moved since a count.
SINCE_COUNT = "plan.cause.since_count"
# Most signals that are named.
MOST_SIGNALS = 2
NOTHING_BEFORE = Before(0.0, 0.0, 0.0)
# Units below this are told of no lot.
LEAST_TOLD = 0.5
# Parts of a unit below this are told of none.
LEAST_PART = 0.05


class Reasons:
    """Finds the causes of orders in one cycle's results."""

    def __init__(
        self,
        state: State,
        sensed: Sensed,
        demand: Forecast,
        clearing: Clearing,
        work: Work,
        numbers: Mapping[Lot, str],
        found: Pegged,
    ) -> None:
        self.found = found
        self.closing = closing_units(clearing, work.facts, work.starts) if work.asked.kept else {}
        self.served_by: dict[str, list[tuple[Lot, set[int]]]] = defaultdict(list)
        self.work, self.numbers, self.demand = work, numbers, demand
        self.currency = state.settings.currency
        self.words = OrderWords(state, clearing, work)
        self.why_late = WhyLate(state, clearing, self.words)
        self.unit, self.weeks = self.words.unit, self.words.unit == "week"
        self.signals = SignalsBehind(sensed, work, found.pegs)
        self.items: dict[str, list[int]] = defaultdict(list)
        for i, item in enumerate(demand.items):
            self.items[work.facts.label_of(item)].append(i)
        self.past = sensed.series
        self.mean_units = demand.paths.mean(axis=(1, 2))
        self.stock_rows = _last_counts(state)
        self.since_count: dict[str, dict[str, SinceCount]] = defaultdict(dict)
        for (product, site), since in work.position.since_count.items():
            self.since_count[product][site] = since
        given = state.table("demand").select(["row_id", "demand"]).to_pylist()
        self.as_asked = DeliveredAsAsked(state)
        self.demand_rows = {r["demand"]: r["row_id"] for r in given}
        self.parts_ordered: dict[str, list[tuple[str, date, PartOrdered]]] = defaultdict(list)
        for (product, market, bucket), part in parts_ordered(demand.netting).items():
            self.parts_ordered[product].append((market, bucket, part))
        self.totals: dict[str, SortedDemand] = {}
        self.sourcing = sourcing_shares(state, work.facts, work.starts)
        self.refused = refusals_behind(work.facts, work.starts, numbers)
        self.picked: dict[Lot, list[tuple[str, float]]] = defaultdict(list)
        self.takes: dict[Lot, list[tuple[Lot, Sequence[Peg]]]] = defaultdict(list)
        for lot, own in found.pegs.items():
            for peg in own if lot.way.picks is not None else ():
                if peg.use.parent is not None:
                    units = peg.units * lot.way.uses[0].units_per_unit
                    self.picked[peg.use.parent].append((lot.way.picks or "", units))
            for parent in dict.fromkeys(peg.use.parent for peg in own if peg.use.parent is not None):
                self.takes[parent].append((lot, own))
            of_product = [peg for peg in own if not peg.besides]
            self.served_by[lot.way.name].append((lot, {lot.arrive, *self._used_in(of_product)}))

    def of(self, lot: Lot, days: Days) -> tuple[Cause, ...]:
        """Causes of one lot, from the nearest to the deepest; the conclusion comes last."""
        pegs = [peg for peg in self.found.pegs[lot] if not peg.besides]
        before = self.found.before.get(lot, NOTHING_BEFORE)
        causes = [*self._for_whom(lot, pegs), *self._besides(lot), *self._there_before(lot, before)]
        causes += self._time_causes(lot, self.found.pegs[lot])
        causes += [
            *self._picks(lot),
            *self._lot_causes(lot, pegs),
            *self._largest_causes(lot),
            *self._break_causes(lot, pegs),
            *self._rhythm(lot),
            *self._refusals(lot),
            *self._alternative_causes(lot),
        ]
        if lot.way.product in self.items:
            causes += [*self._ordered_causes(lot, pegs), *self._forecast_causes(lot, pegs)]
        causes += [
            Cause("sense", s.text, s.evidence_table, s.evidence[:MOST_ROWS])
            for s in self.signals.of(lot)[:MOST_SIGNALS]
        ]
        return (*causes, *self._day_causes(lot, days, pegs), self._conclusion(lot, days))

    @cached_property
    def known(self) -> dict[Item, int]:
        """Known buckets of sales of each item."""
        return dict(zip(self.past.items, (~np.isnan(self.past.units)).sum(axis=1).tolist(), strict=True))

    def when(self, bucket: int) -> Message:
        return self.words.days[bucket]

    # for whom ------------------------------------------------------------------------------------

    def _for_whom(self, lot: Lot, pegs: Sequence[Peg]) -> list[Cause]:
        causes = []
        requests = [peg for peg in pegs if peg.use.kind == "request"]
        if requests:
            named = sorted(requests, key=lambda p: (-p.use.priority, p.use.due, p.use.name))
            rows = [self.demand_rows[p.use.name] for p in named if p.use.name in self.demand_rows]
            text = message("plan.cause.for_requests", requests=self.words.listed([self._request(p) for p in named]))
            causes.append(Cause("plan", text, "demand" if rows else "", tuple(rows[:MOST_ROWS])))
            late = self.as_asked.of(p.use.name for p in named if p.use.late and p.use.name)
            causes += [Cause("plan", text, "demand") for text in late]
        parents: dict[Lot, float] = defaultdict(float)
        for peg in pegs:
            if peg.use.parent is not None:
                parents[peg.use.parent] += peg.units
        if parents:
            ordered = sorted(parents, key=lambda p: (p.start, self.numbers.get(p, "")))
            text = message(
                "plan.cause.for_orders", orders=self.words.listed([self._parent(p, parents[p]) for p in ordered])
            )
            causes.append(Cause("plan", text))
        out: dict[Use, float] = defaultdict(float)
        for peg in pegs:
            if peg.use.kind == "out":
                out[peg.use] += peg.units
        if out:
            orders = self.words.listed([self._out(use, units) for use, units in out.items()])
            causes.append(Cause("plan", message("plan.cause.for_out", orders=orders), "orders", self._order_rows(out)))
        expected = [peg for peg in pegs if peg.use.kind == "forecast"]
        if expected:
            first, last = min(p.use.bucket for p in expected), max(p.use.bucket for p in expected)
            units = shown(sum(p.units for p in expected))
            key = "plan.cause.for_forecast" if first == last else "plan.cause.for_forecasts"
            causes.append(Cause("plan", message(key, units=units, first=self.when(first), last=self.when(last))))
            causes += self._late_part(expected)
        causes += (kept := self._kept_causes(lot))
        causes += self._good_units(lot)
        bad = self.found.bad.get(lot, {})
        causes += [
            Cause("plan", message("plan.cause.goes_bad", units=shown(units), when=self.when(bucket)))
            for bucket, units in sorted(bad.items())
            if units >= LEAST_TOLD
        ]
        left = lot.units * lot.way.yield_share - sum(peg.units for peg in pegs) - sum(bad.values())
        if not pegs and self.found.pegs[lot]:  # for what comes besides
            return [*causes, Cause("plan", message("plan.cause.for_besides", units=shown(left)))]
        causes += self._parts_of_a_unit(lot, left)
        if left >= LEAST_TOLD and (lies := self._lies_at_end(lot)) > 0:
            if not kept:
                causes.append(Cause("plan", message("plan.cause.kept_at_end", units=shown(min(left, lies)))))
            left -= lies
        # A part of a unit that comes in whole units lies until the rest of it is there.
        if left >= (1.0 - NOTHING if self.work.whole.get(lot.way.product) else LEAST_TOLD):
            causes.append(Cause("plan", self._left_over(lot, left)))
        return causes

    def _besides(self, lot: Lot) -> list[Cause]:
        """What comes of it besides its product, and for whom."""
        if not lot.way.outputs:
            return []
        every = [
            message("plan.taken", units=shown(lot.units * o.units_per_unit), component=self.words.called(o.product))
            for o in lot.way.outputs
        ]
        listed = reduce(lambda before, following: message("plan.list", before=before, following=following), every)
        causes = [Cause("plan", message("plan.cause.besides", comes=listed))]
        for output in lot.way.outputs:
            pegs = [peg for peg in self.found.pegs[lot] if peg.besides == output.product]
            parts = self._uses(pegs)
            left = lot.units * output.units_per_unit - sum(peg.units for peg in pegs)
            if left >= LEAST_TOLD:
                parts.append(message("plan.besides_left", units=shown(left)))
            if parts:
                figures = {"product": self.words.called(output.product), "whom": self.words.listed(parts)}
                rows = [self.demand_rows[p.use.name] for p in pegs if p.use.name in self.demand_rows]
                text = message("plan.cause.besides_for", **figures)
                causes.append(Cause("plan", text, "demand" if rows else "", tuple(rows[:MOST_ROWS])))
        return causes

    def _uses(self, pegs: Sequence[Peg]) -> list[Message]:
        """What takes units: requests, orders, orders that are out, and expected demand as one."""
        found = [self._request(peg) for peg in pegs if peg.use.kind == "request"]
        found += [self._parent(peg.use.parent, peg.units) for peg in pegs if peg.use.parent is not None]
        found += [self._out(peg.use, peg.units) for peg in pegs if peg.use.kind == "out"]
        expected = sum(peg.units for peg in pegs if peg.use.kind == "forecast")
        return found + [message("plan.besides_expected", units=shown(expected))] * (expected >= LEAST_TOLD)

    @staticmethod
    def _good_units(lot: Lot) -> list[Cause]:
        """How many of its units are good, where it is not all of them; of a yield that was learnt, on how many reports
        it rests."""
        way, good = lot.way, lot.units * lot.way.yield_share
        if lot.units - good < LEAST_PART:
            return []
        figures = {"units": shown(lot.units), "good": shown(good), "share": round(way.yield_share, 3)}
        if way.yield_records is None:
            return [Cause("plan", message("plan.cause.good", **figures))]
        taught = message(f"plan.taught{'' if way.yield_records else '_unknown'}", records=way.yield_records)
        return [Cause("learn", message("plan.cause.good_learnt", taught=taught, **figures))]

    def _parts_of_a_unit(self, lot: Lot, left: float) -> list[Cause]:
        """Of what comes in whole units and is good in parts of one: the part that waits, or that came before. left:
        good units that nothing uses, below 0 where more are used than are good."""
        if not self.work.whole.get(lot.way.product):
            return []
        if left <= -LEAST_PART:
            return [Cause("plan", message("plan.cause.part_before", units=shown(-left)))]
        if LEAST_PART <= left < 1.0 - NOTHING:
            return [Cause("plan", message("plan.cause.part_waits", units=shown(left)))]
        return []

    def _kept_causes(self, lot: Lot) -> list[Cause]:
        """That the product's stock would be below its smallest at the end of the bucket in which the lot is there, by
        so many units, without it: what of it is not wanted by then, or is there ahead of its need."""
        product, own = lot.way.product, self.work.facts.product_of(lot.way.product)
        if product not in self.work.asked.kept:
            return []
        target = self.work.asked.kept[product].target
        smallest, ahead = float(target.smallest[lot.arrive]), float(target.ahead[lot.arrive])
        closing = float(self.closing[product][lot.arrive])
        units = min(closing, smallest) - max(closing - lot.units * lot.way.yield_share, 0.0)
        if units < LEAST_TOLD:
            return []
        words = {"units": shown(units), "smallest": shown(smallest - ahead), "when": self.when(lot.arrive)}
        if ahead < LEAST_TOLD:
            return [Cause("plan", message("plan.cause.kept", **words), "stock_rules")]
        key = "plan.cause.kept_ahead" if smallest - ahead >= LEAST_TOLD else "plan.cause.ahead"
        return [Cause("plan", message(key, **words, days=shown(target.lead_days)), "products", (f"products:{own}",))]

    def _lies_at_end(self, lot: Lot) -> float:
        """Units of its product that lie at the end for its smallest stock."""
        if lot.way.product not in self.work.asked.kept:
            return 0.0
        smallest = float(self.work.asked.kept[lot.way.product].target.smallest[-1])
        return min(smallest, float(self.closing[lot.way.product][-1]))

    def _request(self, peg: Peg) -> Message:
        key = "plan.request_late" if peg.use.late else "plan.request"
        when = self.when(peg.use.bucket)
        return message(key, name=peg.use.name or "-", units=shown(peg.units), due=peg.use.due, when=when)

    def _parent(self, parent: Lot, units: float) -> Message:
        return message(
            "plan.parent",
            order=self.numbers.get(parent, "-"),
            product=self.words.called(parent.way.product),
            units=shown(units),
            when=self.when(parent.start),
        )

    def _out(self, use: Use, units: float) -> Message:
        product = self.words.called(self.work.facts.product_of(use.makes))
        return message("plan.parent", order=use.name, product=product, units=shown(units), when=self.when(use.bucket))

    @staticmethod
    def _order_rows(uses: Iterable[Use]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(f"orders:{use.name}" for use in uses))[:MOST_ROWS]

    def _late_part(self, expected: Sequence[Peg]) -> list[Cause]:
        """The part of expected demand that waited for it, where it is half a unit or more."""
        waited = [(peg.use.waits_since, peg.units) for peg in expected if peg.use.waits_since is not None]
        units = sum(units for _, units in waited)
        if units < LEAST_TOLD:
            return []
        first, last = self.words.named(min(due for due, _ in waited)), self.words.named(max(due for due, _ in waited))
        key = "plan.cause.for_late" if len({due for due, _ in waited}) == 1 else "plan.cause.for_late_weeks"
        return [Cause("plan", message(key, units=shown(units), first=first, last=last))]

    def _left_over(self, lot: Lot, left: float) -> Message:
        """Why more comes than is used: a smallest lot, a multiple, or safety against demand above what is expected."""
        way = lot.way
        if way.min_units > 0 and lot.units <= way.min_units * (1 + NOTHING):
            return message("plan.cause.smallest", smallest=shown(way.min_units), more=shown(left))
        if way.multiple_units > 1 and left < way.multiple_units * way.yield_share:
            return message("plan.cause.multiple", multiple=shown(way.multiple_units), more=shown(left))
        if lot.way.product in self.work.asked.wanted and len(self.work.asked.wanted[lot.way.product]) > 1:
            total = self._total(lot.way.product)
            last = len(self.work.starts) - 1
            high = shown(float(total.quantile(0.9)[last]))
            expected = shown(float(total.mean[last]))
            return message("plan.cause.safety", more=shown(left), expected=expected, high=high, when=self.when(last))
        return message("plan.cause.left", more=shown(left))

    def _total(self, product: str) -> SortedDemand:
        if product not in self.totals:
            self.totals[product] = SortedDemand.of(self.work.asked.wanted[product].cumsum(axis=1))
        return self.totals[product]

    def _there_before(self, lot: Lot, before: Before) -> list[Cause]:
        """Stock, orders out and planned orders, each by itself."""
        rows = self._counted_at(lot)[:MOST_ROWS]
        text = message("plan.cause.stock", stock=shown(before.stock_units))
        causes = [Cause("plan", text, "stock" if rows else "", rows)]
        if moved := self._moved(before.stock_units, self._since_count(lot)):
            causes.append(Cause("plan", moved))
        if (bad := self.found.spoiled.get(lot.way.product, 0.0)) >= LEAST_PART:
            place = self.work.facts.product_of(lot.way.product), self._site_of(lot)
            days = [day for day, _ in self.work.position.expiring.lots.get(place, ())]
            causes.append(Cause("plan", message("plan.cause.spoils", units=shown(bad), day=days[0]), "stock"))
        for key, units in (("on_order", before.on_order_units), ("planned", before.planned_units)):
            if units > NOTHING:
                causes.append(Cause("plan", message(f"plan.cause.{key}", units=shown(units))))
        return causes

    def _site_of(self, lot: Lot) -> str:
        """Where it arrives, in a chain with lanes; '' in any other."""
        return (lot.way.site or "") if self.work.facts.stock_points else ""

    @staticmethod
    def _moved(units: float, since: SinceCount) -> Message | None:
        """What came and went since the last count, where that with it makes the units in stock."""
        moved = since.came + since.went > NOTHING
        if not moved or abs(since.counted + since.came - since.went - units) > NOTHING:
            return None
        parts = {"counted": since.counted, "came": since.came, "went": since.went}
        return message(SINCE_COUNT, **{name: shown(part) for name, part in parts.items()})

    def _since_count(self, lot: Lot) -> SinceCount:
        """Of its product: where it arrives, in a chain with lanes; else at all sites."""
        none = SinceCount(0.0, 0.0, 0.0)
        of_product = self.since_count.get(self.work.facts.product_of(lot.way.product), {})
        if self.work.facts.stock_points:
            return of_product.get(lot.way.site or "", none)
        return sum(of_product.values(), none)

    def _counted_at(self, lot: Lot) -> tuple[str, ...]:
        """Rows of the last counts of its product: where it arrives, in a chain with lanes; else of all sites."""
        by_site = self.stock_rows.get(self.work.facts.product_of(lot.way.product), {})
        if self.work.facts.stock_points:
            return by_site.get(lot.way.site or "", ())
        return tuple(row for _, rows in sorted(by_site.items()) for row in rows)

    def _picks(self, lot: Lot) -> list[Cause]:
        """Which of alternate components it takes."""
        units: dict[str, float] = defaultdict(float)
        for component, each in self.picked[lot]:
            units[component] += each
        if not units:
            return []
        taken = [
            message("plan.taken", units=shown(each), component=self.words.called(c))
            for c, each in sorted(units.items())
        ]
        every = reduce(lambda before, following: message("plan.list", before=before, following=following), taken)
        return [Cause("plan", message("plan.cause.alternatives", taken=every))]

    # when, and on which line ---------------------------------------------------------------------

    def _time_causes(self, lot: Lot, pegs: Sequence[Peg]) -> list[Cause]:
        """Late: what stands in the way of it; ahead of time: which hours the orders leave in between; else, how full
        its lines are then."""
        late, shared = self.why_late.of(pegs), self.work.facts.shared
        lines = [held for held in lot.way.on_lines if held.line not in shared]
        told = [
            c for held in lines if (held.line, lot.start) in self.words.lines for c in self._time_on(held, lot, late)
        ]
        return [*(one.cause for one in late), *told, *self._parts_there(lot, late)]

    def _time_on(self, held: OnLine, lot: Lot, late: Sequence[LateFor]) -> list[Cause]:
        """`_time_causes` of one of the lines that it works on at once. late: what is told of what comes late."""
        line, pegs = held.line, self.found.pegs[lot]  # with those of what comes besides
        lead = lot.arrive - lot.start
        wanted = [peg.use.parent.start if peg.use.parent else self._due_bucket(peg) for peg in pegs]
        if not wanted:
            return []
        first_wanted = min(wanted)
        latest = max(first_wanted - lead, 0)
        if lot.start > latest:
            return self._until_made(lot, held, latest, late)
        last_of_first_need = max(w for w in wanted) - lead
        if lot.start < latest:
            return self._in_the_way(line, lot.start + 1, latest + 1, "early")
        if lot.start < last_of_first_need and not lots_matter(lot.way):
            return self._in_the_way(line, lot.start + 1, last_of_first_need + 1, "early")
        if self.words.is_full(line, lot.start):
            return [self._line_cause("full", line, lot.start)]
        return []

    def _due_bucket(self, peg: Peg) -> int:
        """The bucket in which a use is wanted; what was due before the horizon, in its first."""
        return max(bisect_right(self.work.starts, peg.use.due) - 1, 0)

    def _until_made(self, lot: Lot, held: OnLine, latest: int, late: Sequence[LateFor]) -> list[Cause]:
        """In which buckets from the latest in time the line is shut or full, beside what is told; then whether it has
        too few hours in the last one before it is made. late: `why_late` of it; of what orders that are out wait for,
        of which `gaps` says nothing, the line alone."""
        line, last = held.line, lot.start - 1
        if not any(one.waits for one in late):
            is_asked = any(peg.use.late for peg in self.found.pegs[lot])
            return [] if is_asked else self._in_the_way(line, latest, lot.start, "late")
        told = {one.line[1] for one in late if one.line is not None and one.line[0] == line}
        causes = self._in_the_way(line, latest, lot.start, "meanwhile", told)
        if last in told or self.words.is_shut(line, last) or self.words.is_full(line, last):
            return causes
        late_units = sum(peg.units for one in late for peg in one.pegs)
        return [*causes, *self._few_hours(lot, held, last, late_units)]

    def _few_hours(self, lot: Lot, held: OnLine, last: int, late_units: float) -> list[Cause]:
        """That a bucket leaves too few hours for what comes late of it."""
        line, units = held.line, max(late_units / lot.way.yield_share, lot.way.min_units)
        hours, free = held.setup_hours + units * held.hours_per_unit, self.words.free(line, last)
        if lot.way.span > 1 or hours <= free + NOTHING:
            return []
        figures = {"free": shown(free), "hours": shown(self.words.lines[line, last]["available"])}
        overtime = self.words.overtime(line, last)
        key = "few_hours_overtime" if shown(overtime) else "few_hours"
        figures |= {"overtime": shown(overtime)} if shown(overtime) else {}
        text = message(f"plan.cause.{key}", line=line, when=self.when(last), takes=shown(hours), **figures)
        return [Cause("balance", text, "hours", (f"{line}|{self.work.starts[last]}",))]

    def _parts_there(self, lot: Lot, late: Sequence[LateFor]) -> list[Cause]:
        """What it takes that other orders bring only in the bucket in which it starts, where that is later than would
        be in time."""
        wanted = min((self._due_bucket(peg) for one in late if one.waits for peg in one.pegs), default=None)
        if wanted is None or lot.start <= max(wanted - (lot.arrive - lot.start), 0):
            return []
        parts = [
            (one, product, sum(p.units for p in own if p.use.parent is lot and p.product(one) == product))
            for one, own in self.takes[lot]
            for product in dict.fromkeys(p.product(one) for p in own)
        ]
        words = [
            message("plan.part_of", units=shown(units), product=self.words.called(product), order=number)
            for one, product, units in parts
            if one.arrive == lot.start and units > NOTHING and (number := self.numbers.get(one)) is not None
        ]
        if not words:
            return []
        text = message("plan.cause.part_there", parts=self.words.listed(words), when=self.when(lot.start))
        return [Cause("plan", text)]

    def _in_the_way(self, line: str, first: int, after: int, key: str, told: Set[int] = frozenset()) -> list[Cause]:
        """The buckets from `first` to before `after` in which the orders leave the line no hours, or it has none; but
        not those that are told."""
        buckets = [t for t in range(first, after) if (line, t) in self.words.lines and t not in told]
        shut = [t for t in buckets if self.words.is_shut(line, t)]
        full = [t for t in buckets if self.words.is_full(line, t)]
        causes = []
        for kind, buckets in (("shut", shut), ("full", full)):
            if buckets:
                listed = self.words.listed([self._bucket(line, t, kind) for t in buckets])
                text = message(f"plan.cause.{key}_{kind}", line=line, buckets=listed)
                evidence = tuple(f"{line}|{self.work.starts[t]}" for t in buckets[:MOST_ROWS])
                causes.append(Cause("balance", text, "hours", evidence))
        return causes

    def _bucket(self, line: str, bucket: int, kind: str) -> Message:
        if kind == "shut":
            return self.when(bucket)
        row = self.words.lines[line, bucket]
        used, hours = shown(row["used"]), shown(row["available"])
        return message("plan.hours_used", when=self.when(bucket), used=used, hours=hours)

    def _line_cause(self, key: str, line: str, bucket: int) -> Cause:
        row = self.words.lines[line, bucket]
        text = message(
            f"plan.cause.{key}",
            line=line,
            when=self.when(bucket),
            used=shown(row["used"]),
            hours=shown(row["available"]),
        )
        return Cause("balance", text, "hours", (f"{line}|{self.work.starts[bucket]}",))

    # on which days -------------------------------------------------------------------------------

    def _day_causes(self, lot: Lot, days: Days, pegs: Sequence[Peg]) -> list[Cause]:
        """Steps that share days; orders that are out for which it waits; hours that are too few; who named an earlier
        day of the bucket than that on which it is there; and what is only expected to be wanted in it."""
        causes, when = [], self.when(lot.start)
        if days.crowded:
            key = "plan.cause.crowded_hours" if days.by_hours else "plan.cause.crowded"
            causes.append(Cause("plan", message(key, steps=days.crowded, when=when)))
        causes += [*self._closed_days(lot, days, pegs), *self._waits(lot)]
        if days.short_of is not None:
            hours = lot.units * lot.way.hours_per_unit + lot.way.setup_hours
            figures = {"line": lot.way.line, "hours": shown(hours), "left": shown(days.short_of), "day": days.start}
            key = "plan.cause.waits_short"
            if days.done_by is not None:
                key, figures = "plan.cause.waits_short_until", figures | {"done": days.done_by}
            causes.append(Cause("plan", message(key, **figures, when=when)))
        first = self.work.starts[lot.arrive]
        early = {
            (peg.use.due, peg.use.name)
            for peg in pegs
            if peg.use.kind == "request" and not peg.use.late and peg.use.name and first <= peg.use.due < days.due
        }
        if early:
            parts = [message("plan.named_day_of", name=name, day=day) for day, name in sorted(early)]
            counted = message("plan.whole_weeks" if self.weeks else "plan.whole_days")
            if self.work.calendar.index(days.due, self.work.starts[0]) > lot.arrive:
                counted = message("plan.counted_in", when=self.when(lot.arrive))
            figures = {"requests": self.words.listed(parts), "there": days.due, "counted": counted}
            rows = [self.demand_rows[name] for _, name in sorted(early) if name in self.demand_rows]
            named = message("plan.cause.named_day", **figures)
            causes.append(Cause("plan", named, "demand" if rows else "", tuple(rows[:MOST_ROWS])))
        return [*causes, *self._expected_day(lot, days, pegs)]

    def _closed_days(self, lot: Lot, days: Days, pegs: Sequence[Peg]) -> list[Cause]:
        """The closed days that its lead time goes over, or after which it is there, or before, where it is wanted on
        the last of them. Of what is there on its day for another reason none are told."""
        course = lot.way.course
        if course is None:
            return []
        wanted = min((peg.use.due for peg in pegs if peg.use.due >= self.work.starts[lot.arrive]), default=days.due)
        closing, first, last = _closed_days_of(course, days, wanted)
        if closing is None:
            return []
        key = "plan.cause.working_days" if closing is course.counts else "plan.cause.closed_days"
        calendar = closing.name or message("plan.monday_to_friday")
        figures = {"lead": course.lead_days, "calendar": calendar, "closed": closing.closed_between(first, last)}
        rows = tuple(f"calendars:{name}" for name in closing.name.split(", ") if name)
        dates = {"first": date.fromordinal(first), "last": date.fromordinal(last), "there": days.due}
        return [Cause("plan", message(key, **figures, **dates), "calendars" if rows else "", rows)]

    def _expected_day(self, lot: Lot, days: Days, pegs: Sequence[Peg]) -> list[Cause]:
        """Of expected demand of the bucket itself: the day of it on which the units are there."""
        pegged = [peg for peg in pegs if peg.use.kind == "forecast" and peg.use.bucket == lot.arrive]
        units = sum(peg.units for peg in pegged if peg.use.waits_since is None)
        if units < LEAST_TOLD or days.due <= self.work.starts[lot.arrive]:
            return []
        rule = message("plan.whole_weeks" if self.weeks else "plan.whole_days")
        figures = {"units": shown(units), "when": self.when(lot.arrive), "there": days.due, "counted": rule}
        return [Cause("plan", message("plan.cause.expected_day", **figures))]

    def _waits(self, lot: Lot) -> list[Cause]:
        """The orders that are out for which it begins only on a later day of its bucket."""
        first = self.work.starts[lot.start]
        waits = [wait for wait in self.found.waits.get(lot, ()) if wait.comes.day > first]
        if not waits:
            return []
        waits.sort(key=lambda wait: (wait.comes.day, wait.comes.order), reverse=True)
        parts = [
            message(
                "plan.wait",
                order=wait.comes.order,
                units=shown(wait.units),
                product=self.words.called(wait.comes.product),
                day=wait.comes.day,
            )
            for wait in waits
        ]
        rows = tuple(dict.fromkeys(f"orders:{wait.comes.order}" for wait in waits))[:MOST_ROWS]
        return [Cause("plan", message("plan.cause.waits", orders=self.words.listed(parts)), "orders", rows)]

    # how many, and how else ----------------------------------------------------------------------

    def _lot_causes(self, lot: Lot, pegs: Sequence[Peg]) -> list[Cause]:
        """What is joined in one lot, and which set-ups that saves; or that a smallest lot joins it."""
        way = lot.way
        used = self._used_in(pegs)
        if len(used) < 2:
            return []
        weeks = message("plan.weeks" if self.weeks else "plan.days", count=len(used))
        if not way.sets_up:
            if way.min_units <= 1 or lot.units > way.min_units * (1 + NOTHING):
                return []
            return [Cause("plan", message("plan.cause.joined", smallest=shown(way.min_units), weeks=weeks))]
        made = {t for other, weeks_of in self.served_by[way.name] if other is not lot for t in weeks_of}
        # A week that another lot serves has a set-up all the same.
        saved = self._lots_spared(lot, pegs, used - made - {min(used)})
        if not saved:
            return []
        parts = self._of_orders(way, saved)
        if not parts:  # what joins them is a price break
            return []
        rule = {"make": "plan.cause.merged", "move": "plan.cause.merged_transfer"}.get(
            way.kind, "plan.cause.merged_order"
        )
        text = message(rule, saved=self.words.listed(parts), weeks=weeks)
        return [Cause("plan", text)]

    def _of_orders(self, way: Way, count: int) -> list[Message]:
        """What so many orders of a way take whatever their size."""
        parts = []
        if way.setup_hours > 0:
            parts.append(message("plan.set_up_hours", hours=shown(count * way.setup_hours)))
        if (fixed := way.setup_cost - way.paid_more) > 0:
            words = "plan.set_up_money" if way.kind == "make" else "plan.order_money"
            parts.append(message(words, money=shown(count * fixed), currency=self.currency))
        for component, units in way.lot_uses:
            parts.append(message("plan.taken", units=shown(count * units), component=self.words.component(component)))
        for held in way.beside:
            if held.setup_hours > 0:
                hours = shown(count * held.setup_hours)
                parts.append(message("plan.set_up_hours_on", hours=hours, line=held.line))
        return parts

    def _largest_causes(self, lot: Lot) -> list[Cause]:
        """That what is started of its way in its bucket is more than a largest lot, and what the orders more take."""
        sizes = lot.way.sizes(self.work.whole[lot.way.product])
        if not math.isfinite(sizes.largest):
            return []
        units = [other.units for other, _ in self.served_by[lot.way.name] if other.start == lot.start]
        if sizes.orders(sum(units)) < 2:
            return []
        figures = {"largest": shown(sizes.largest), "units": shown(sum(units)), "orders": len(units)}
        parts = self._of_orders(lot.way, len(units) - 1)
        key = "largest_lot_takes" if parts else "largest_lot"
        more = {"more": self.words.listed(parts)} if parts else {}
        text = message(f"plan.cause.{key}", when=self.when(lot.start), **figures, **more)
        return [Cause("plan", text, "recipes")]

    def _break_causes(self, lot: Lot, pegs: Sequence[Peg]) -> list[Cause]:
        """The price break that an order reaches, and how many units fewer would be needed in its bucket, and at what
        price."""
        own = lot.way.price_break
        if own is None or own.from_units <= 0:
            return []
        others = [w for w in self.work.ways_of[lot.way.product] if w.row == lot.way.row or w.name == lot.way.row]
        needed = sum(peg.units for peg in pegs if peg.use.bucket <= lot.arrive) / lot.way.yield_share
        breaks = sorted((w.price_break for w in others if w.price_break is not None), key=lambda b: b.from_units)
        before = breaks[break_of(breaks, needed)] if needed < own.from_units else _below(breaks, own)
        figures = {"units": shown(lot.units), "needed": shown(needed), "from_units": shown(own.from_units)}
        less = shown(before.price - own.price)
        key = "break" if needed >= own.from_units or needed < LEAST_TOLD else "break_up"
        text = message(
            f"plan.cause.{key}{'_above' if own.is_above else ''}", **figures, less=less, currency=self.currency
        )
        return [Cause("plan", text, "offer_price_breaks")]

    def _lots_spared(self, lot: Lot, pegs: Sequence[Peg], weeks: Set[int]) -> int:
        """How many lots more there would be, were this one for its first week alone: one in each of the weeks that
        would then lack something, where its way and line are open, and what else comes would not do."""
        product, start = lot.way.product, min(peg.use.bucket for peg in pegs)
        there = sum(peg.units for peg in pegs if peg.use.bucket == start)
        comes = [(_there(source), units, source) for source, units in self.found.comes[product]]
        spared = 0
        for week in sorted(weeks):
            others = sum(units for bucket, units, source in comes if bucket <= week and source is not lot)
            wanted = sum(use.units for use in self.found.uses[product] if use.bucket <= week)
            lacks = wanted - others - there
            begin = week - (lot.arrive - lot.start)
            is_open = begin >= self.work.first_start and lot.way.is_open(self.work.starts[begin])
            on_lines = [held.line for held in lot.way.on_lines]
            hours = min(
                (self.words.lines[line, begin]["available"] for line in on_lines if (line, begin) in self.words.lines),
                default=1.0,
            )
            if lacks > NOTHING and is_open and hours > NOTHING:
                spared += 1
                there += lacks
        return spared

    def _used_in(self, pegs: Sequence[Peg]) -> set[int]:
        """The buckets in which the units of a lot are used: what comes late is used when it is there."""
        return {peg.use.bucket for peg in pegs}

    def _rhythm(self, lot: Lot) -> list[Cause]:
        """When the next order of its row may start, where that is so many days later at least."""
        way = lot.way
        if not way.order_every_days:
            return []
        kind, row = way.kind, way.row or way.name
        same = [
            other for other in self.work.ways_of[way.product] if (other.kind, other.row or other.name) == (kind, row)
        ]
        later = range(lot.start + 1, len(self.work.starts))
        following = next((t for t in later if any(other.is_open(self.work.starts[t]) for other in same)), None)
        words = {"row": row, "days": way.order_every_days}
        if following is None:
            text = message("plan.cause.apart_last", **words)
        else:
            text = message("plan.cause.apart", **words, when=self.when(following))
        return [Cause("plan", text)]

    def _refusals(self, lot: Lot) -> list[Cause]:
        """What was refused that this lot stands in for, or comes later for."""
        causes = []
        for refusal in self.refused.get(lot, ()):
            start = self.work.starts[lot.start]
            is_before = start >= refusal.after and refusal.rule == "refused"  # the others say until when they hold
            when = "_lately" if refusal.first not in self.words.at else "_before" if is_before else ""
            if refusal.rule != "agreed" and is_asked_elsewise(lot, refusal):
                when = "_elsewise"
            text = message(
                f"plan.cause.{refusal.rule}{when}",
                who=party(refusal.counterparty or refusal.row),
                order=refusal.order,
                units=shown(refusal.units),
                way=refusal.row,
                when=self.words.named(refusal.first),
                after=refusal.after,
                reason=refusal.why,
                other=lot.way.row or lot.way.name,
                firm=party(refusal.firm or refusal.row),
            )
            causes.append(Cause("plan", text, "order_events", (refusal.event,)))
        return causes

    def _alternative_causes(self, lot: Lot) -> list[Cause]:
        """The next best way to have the units in the same bucket, where it is dearer by its own cost for as many, or as
        many as it may bring; where it is not, the share of its product that this one is to bring."""
        own, row = self._way_cost(lot.way, lot.units), lot.way.row or lot.way.name
        good, of_row = lot.units * lot.way.yield_share, defaultdict[str, list[tuple[Way, int]]](list)
        for way in self.work.ways_of[lot.way.product]:
            start = lot.arrive - lead_buckets(way, self.work.calendar)
            name = way.row or way.name
            if name != row and start >= self.work.first_start and way.is_open(self.work.starts[start]):
                of_row[name].append((way, start))
        others = []
        for name, ways in of_row.items():
            by_break = sorted((way for way, _ in ways), key=lambda way: way.from_units or 0.0)
            for way, start in ways:
                wanted = good / way.yield_share
                units = min(wanted, self._most_units(way, start))
                if units > NOTHING and way in of_units(by_break, units):
                    others.append((self._way_cost(way, units) - own, name, way, units if units < wanted else None))
        if not others:
            return []
        more, name, way, most = min(others, key=lambda o: o[:2])
        if more <= NOTHING:
            return self._share_causes(lot)
        line = None if way.line in self.work.facts.shared else way.line
        key = "plan.cause.dearer" if line is None else "plan.cause.dearer_line"
        text = message(key, way=name, line=line or "", more=shown(more), currency=self.currency)
        if most is not None:
            text = message("plan.cause.dearer_most", dearer=text, most=shown(most * way.yield_share))
        return [Cause("balance", text, "recipes", (f"recipes:{name}",)) if line else Cause("balance", text)]

    def _share_causes(self, lot: Lot) -> list[Cause]:
        """The share of its product that an order's recipe or offer is to bring."""
        for one in self.sourcing:
            if lot.way.name in one.ways and one.holds_in(lot.start):
                product = self.words.called(one.product)
                text = message("plan.cause.share", way=one.code, product=product, share=round(one.share, 3))
                return [Cause("balance", text)]
        return []

    def _most_units(self, way: Way, start: int) -> float:
        """Units that a way may start in a bucket."""
        if way.line is not None and way.line in self.work.facts.shared and way.hours_per_unit > 0:
            return float(self.work.facts.line_hours[way.line][start]) / way.hours_per_unit
        return way.units_per_week * self.work.calendar.bucket_days / 7

    def _way_cost(self, way: Way, units: float) -> float:
        """Money for a good unit of an order of so many, by its price break, its components at what they cost where
        nothing is scarce."""
        parts = sum(use.units_per_unit * self.work.plain_cost.get(use.component, 0.0) for use in way.uses)
        return (way.cost_per_unit + way.paid_more / units + parts) / way.yield_share

    def _conclusion(self, lot: Lot, days: Days) -> Cause:
        way, due = lot.way, named_due(self.work, lot, days)
        line = None if way.line in self.work.facts.shared else way.line
        key = f"plan.so.{way.kind}" if way.kind != "make" or line is None else "plan.so.make_on"
        step = {}
        if way.place is not None:
            key = "plan.so.step" if line is None else "plan.so.step_on"
            step = {"step": way.recipe, "place": way.place[0], "count": way.place[1]}
        text = message(
            key,
            **step,
            amount=self._amount(lot),
            product=self.words.called(way.product),
            line=line or "",
            start=days.start,
            due=due,
            from_site=way.from_site or "",
            site=way.site or "",
        )
        return Cause("plan", text if due == days.due else message("plan.so.later", so=text, done=days.due))

    def _amount(self, lot: Lot) -> Message:
        unit = self.words.unit_of(lot.way.product)
        if unit == PIECE:
            return message("plan.pieces", units=shown(lot.units))
        return message("plan.amount", units=shown(lot.units), unit=unit)

    def _ordered_causes(self, lot: Lot, pegs: Sequence[Peg]) -> list[Cause]:
        """The part of the forecast of the buckets that it serves that is firm orders."""
        product = self.work.facts.product_of(lot.way.product)
        ordered = self.parts_ordered.get(product)
        if not ordered:
            return []
        served = {self.work.starts[self._due_bucket(peg)] for peg in pegs if peg.use.kind in ("request", "forecast")}
        items = {self.demand.items[i] for i in self.items[lot.way.product]}
        causes = []
        for market, bucket, part in ordered:
            if bucket in served and (product, market) in items and part.units >= LEAST_TOLD:
                rows = [self.demand_rows[key] for key, _ in part.orders if key in self.demand_rows]
                causes.append(Cause("forecast", part_words(bucket, part, self.unit), "demand", tuple(rows[:MOST_ROWS])))
        return causes[:MOST_NAMED]

    def _forecast_causes(self, lot: Lot, pegs: Sequence[Peg]) -> list[Cause]:
        items = self.items[lot.way.product]
        if not items:
            return []
        first = max(items, key=lambda i: (float(self.mean_units[i]), -i))
        method = self.demand.method[first]
        words = method_message(method)
        if method in UNTESTED_METHODS and method != "given" and any(peg.use.kind == "forecast" for peg in pegs):
            known = self.known.get(self.demand.items[first], 0)
            return [Cause("forecast", message(LITTLE_KNOWN, known=known, method=words))]
        if method in UNTESTED_METHODS:
            return [Cause("forecast", message("plan.cause.forecast", method=words))]
        windows = int(self.demand.backtest_windows[first])
        return [Cause("forecast", message("plan.cause.backtest", method=words, windows=windows))]


def _below(breaks: Sequence[PriceBreak], one: PriceBreak) -> PriceBreak:
    """The break before one, or the price of the offer. breaks: by units."""
    return max((b for b in breaks if b.from_units < one.from_units), key=lambda b: b.from_units)


def _there(source: Lot | Comes | None) -> int:
    """The bucket in which stock, an order that is out, or a lot is there."""
    if source is None:
        return 0
    return source.arrive if isinstance(source, Lot) else source.bucket


def _last_counts(state: State) -> dict[str, dict[str, tuple[str, ...]]]:
    """By product and site ('' where none is named), the rows of its last count there."""
    last: dict[tuple[str, str], tuple[object, list[str]]] = {}
    columns = ["row_id", "product", "site", "happened_at", "units"]
    for r in sorted(state.table("stock").select(columns).to_pylist(), key=lambda r: (r["happened_at"], r["row_id"])):
        if r["units"] is None:
            continue
        place = (r["product"], r["site"] or "")
        if place in last and last[place][0] == r["happened_at"]:
            last[place][1].append(r["row_id"])
        else:
            last[place] = (r["happened_at"], [r["row_id"]])
    found: dict[str, dict[str, tuple[str, ...]]] = defaultdict(dict)
    for (product, site), (_, rows) in last.items():
        found[product][site] = tuple(rows)
    return dict(found)


def feeds_others(order: PlannedOrder) -> bool:
    """Whether it goes into other orders, or on to other sites."""
    return any(cause.text.key in ("plan.cause.for_orders", "plan.cause.for_out") for cause in order.causes)


def sentence(order: PlannedOrder, language: str) -> str:
    """The causes of an order as one sentence; how the forecast was made, where its own past tested it, and what moved
    since a count, is left to `datong why`."""
    told = [
        cause
        for cause in order.causes
        if (cause.stage != "forecast" or cause.text.key == LITTLE_KNOWN) and cause.text.key != SINCE_COUNT
    ]
    clauses = [cause.text.text(language).strip().rstrip(".。;；") for cause in told]
    if not clauses:
        return ""
    joined = say("plan.and", language).join(c for c in clauses if c)
    return say("plan.sentence", language, causes=joined[:1].upper() + joined[1:])


def _closed_days_of(course: Course, days: Days, wanted: date) -> tuple[OpenDays | None, int, int]:
    """Who is closed, and from which day to which, where that moves the day on which a lot is there."""
    start, due = days.start.toordinal(), days.due.toordinal()
    opens, counts = course.arrives, course.counts
    if course.there(days.start) == days.due:
        if course.lead_days and counts is not None and counts.closed_between(start, due):
            return counts, start, due
        plain = counts.after(start, course.lead_days) if counts is not None else start + course.lead_days
        if opens is not None and plain is not None and plain < due:
            return opens, plain, due - 1
    last = wanted.toordinal()
    if opens is not None and due < last and opens.closed_between(due + 1, last) == last - due:
        return opens, due + 1, last
    return None, due, due
