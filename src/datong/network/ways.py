"""The ways to get units: each version of a recipe or an offer, with every default filled in.

The moves of lanes are ways too: lanes.py.
"""

import math
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

import numpy as np

from datong.ledger.products_held_back import Held
from datong.ledger.state import State
from datong.ledger.versions import day_or_none, span
from datong.model.calendar import Calendar
from datong.model.flow import IMPLIED, FloatArray, Learnt, OrderKind
from datong.network.bills import Bills, ComponentUse, bill_over_time, phantoms, summed
from datong.network.co_products import Output, RecipeOutputs, with_shares
from datong.network.horizon import Horizon, Row, held_rows, or_default, rows_of, valid_on
from datong.network.largest_lot import LotSizes
from datong.network.lines_at_once import OnLine, RecipeLines
from datong.network.order_takes import of_plans
from datong.network.overdue_arrivals import LEAD_QUANTILE
from datong.network.places import unlike
from datong.network.price_breaks import PriceBreak, PriceBreaks, break_of
from datong.network.refusals import Refusal, closed_days
from datong.network.routes import Routes
from datong.network.spread_over_long_lot import AT_ONCE, Worked
from datong.network.working_days import Course

# In place of the first day of a way that may not start.
NEVER = date.max
# The first of the closed days of a release fence, which reaches from ever to its end.
EVER = date.min


@dataclass(frozen=True, slots=True)
class Way:
    """One way to get units of a product: a recipe or an offer; with lanes, also a lane, or a site that serves a market.
    Costs and hours are for a unit started; set-ups, of an offer the fixed cost of an order, for a start.

    `lead_days` counts from the start to the units being there; `units_per_week` is inf where there is no limit. line:
    key of `line_hours`, which also holds what several ways share of a limited lane or offer, an hour being a unit.
    site: where the units arrive; row: key in its table, where `name` is another. worked: buckets that a start works.
    What changes within the horizon, the row itself or its bill of materials, makes a way of its own from that day on.
    closed: days (first, after) on which nothing is started, because it was refused then, lies within a release
    fence, or because another of the ways of its row is the one of these days. A row with working days is as many
    ways as its lead time has lengths in calendar days (start_and_arrival_days.py). lead_time: days before they are
    rounded up; buckets: the lead time in buckets, None: `lead_days` rounded up (lead_times_in_buckets.py).
    calendar: code of its own working days; in_working: whether its lead time counts these; course: on which days it
    starts and arrives, None: on any. beside: what it holds besides `line`. place: of a routing step, its place, how
    many there are, and what comes of the last. picks: the component that it takes of alternatives. lot_uses:
    components that each order takes, whatever its size, and units of each. yield_records: reports on which a yield
    that was learnt rests (0: not known how many), None: it is that of the row. price_break: what its orders pay, of
    an offer that has such. max_units: of an order at most (largest_lot.py). outputs: what comes of it besides its
    product, there when that is (co_products.py).
    order_every_days: days from one order to the next at least, 0: any; between_orders: days (first, after) on which
    nothing is started for that (order_rhythm.py).
    """

    name: str
    kind: OrderKind
    product: str
    line: str | None
    hours_per_unit: float
    cost_per_unit: float
    setup_hours: float
    setup_cost: float
    min_units: float
    multiple_units: float
    lead_days: int
    yield_share: float
    units_per_week: float
    uses: tuple[ComponentUse, ...]
    valid_from: date | None
    valid_to: date | None
    site: str | None = None
    from_site: str | None = None
    row: str | None = None
    worked: Worked = AT_ONCE
    closed: tuple[tuple[date, date], ...] = ()
    lead_time: float | None = None
    buckets: int | None = None
    calendar: str | None = None
    in_working: bool = False
    course: Course | None = None
    beside: tuple[OnLine, ...] = ()
    place: tuple[int, int, str] | None = None
    picks: str | None = None
    lot_uses: tuple[tuple[str, float], ...] = ()
    yield_records: int | None = None
    price_break: PriceBreak | None = None
    max_units: float = math.inf
    outputs: tuple[Output, ...] = ()
    order_every_days: int = 0
    between_orders: tuple[tuple[date, date], ...] = ()

    @property
    def brings(self) -> tuple[tuple[str, float], ...]:
        """All that comes of it, its product first, and units of each for a unit started."""
        return ((self.product, self.yield_share), *((o.product, o.units_per_unit) for o in self.outputs))

    @property
    def own_share(self) -> float:
        """The part of what a start costs that its product bears; the rest is borne by what comes besides."""
        return 1.0 - sum(output.share for output in self.outputs) if self.outputs else 1.0

    @property
    def span(self) -> int:
        """Buckets that a start works."""
        return len(self.worked)

    @property
    def on_lines(self) -> tuple[OnLine, ...]:
        """All lines that it works on at once, its own first."""
        own = () if self.line is None else (OnLine(self.line, self.hours_per_unit, self.setup_hours),)
        return own + self.beside

    def line_of(self, named: str | None) -> str | None:
        """The line in place of its own that an order works on which names one; it holds those besides in any case."""
        return self.line if named is None or any(held.line == named for held in self.beside) else named

    @property
    def sets_up(self) -> bool:
        """An order takes hours, money or components, whatever its size."""
        beside = any(held.setup_hours for held in self.beside)
        return bool(self.setup_hours or self.setup_cost or beside or self.lot_uses)

    def sizes(self, whole: bool) -> LotSizes:
        """What its orders can be. whole: it comes in whole units where no multiple says otherwise."""
        return LotSizes.of(self.min_units, self.max_units, self.multiple_units or float(whole))

    def is_open(self, day: date) -> bool:
        """Whether it may start on a day: it is valid then, was not refused, and no other order is too near."""
        return valid_on(day, self.valid_from, self.valid_to) and not any(
            first <= day < after for first, after in (*self.closed, *self.between_orders)
        )

    @property
    def fenced_until(self) -> date | None:
        """The end of the release fence of what it brings: the first day on which it may start; None: there is none."""
        return next((after for first, after in self.closed if first == EVER), None)

    @property
    def from_units(self) -> float | None:
        """Units of an order from which its price break counts, 0 of the price of its offer; None: it has no breaks."""
        return None if self.price_break is None else self.price_break.from_units

    @property
    def paid_more(self) -> float:
        """Of its set-up cost, what the units before its price break cost more."""
        return 0.0 if self.price_break is None else self.price_break.paid_more

    def times_closed(self, day: date) -> int:
        """Of its `closed` days, how often a day is among them."""
        return sum(first <= day < after for first, after in self.closed)

    @property
    def recipe(self) -> str | None:
        return self.row or self.name if self.kind == "make" else None

    @property
    def offer(self) -> str | None:
        return self.row or self.name if self.kind == "buy" else None

    @property
    def lane(self) -> str | None:
        return self.row if self.kind == "move" else None

    @property
    def held(self) -> bool:
        """It may not start: its product is held back (ledger/products_held_back.py)."""
        return self.valid_from == NEVER

    @property
    def is_order(self) -> bool:
        """Its starts are given out; else they are a choice within the plan: who serves, or which component is taken."""
        return not self.serves and self.picks is None

    @property
    def told_kind(self) -> str:
        """Its kind in the tables of a plan: 'serve' where it is no order."""
        return self.kind if self.is_order else "serve"

    @property
    def serves(self) -> bool:
        """It moves nothing: a site serves a market that several serve."""
        return self.kind == "move" and self.row is None


def with_closed_days(
    ways: tuple[Way, ...], refused: Sequence[Refusal], product_of: Callable[[str], str]
) -> tuple[Way, ...]:
    """The ways, those that were refused closed on the days of the refusal. product_of: the product of a label."""
    days = closed_days(refused)
    if not days:
        return ways
    return tuple(replace(w, closed=(*w.closed, *days.get(way_key(w, product_of), ()))) for w in ways)


def closed_but(
    open_in: Collection[int], bucket_starts: Sequence[date], calendar: Calendar
) -> tuple[tuple[date, date], ...]:
    """Days, first and after, of all buckets but these."""
    found: list[tuple[date, date]] = []
    for t, start in enumerate(bucket_starts):
        if t in open_in:
            continue
        after = calendar.shift(start, 1)
        if found and found[-1][1] == start:
            found[-1] = (found[-1][0], after)
        else:
            found.append((start, after))
    return tuple(found)


def shut_with_their_lines(
    ways: Sequence[Way], hours: Mapping[str, FloatArray], bucket_starts: Sequence[date], calendar: Calendar
) -> tuple[Way, ...]:
    """The ways, closed in the buckets in which a line that they hold without taking hours of it has none: nothing is
    begun on a line that is shut. hours: line -> (bucket), overtime included."""
    shut: dict[tuple[str, ...], tuple[tuple[date, date], ...]] = {}
    found: list[Way] = []
    for way in ways:
        idle = tuple(h.line for h in way.on_lines if h.line in hours and not h.hours_per_unit and not h.setup_hours)
        if idle and idle not in shut:
            works = np.all([hours[line] > 0 for line in idle], axis=0)
            shut[idle] = closed_but(np.flatnonzero(works).tolist(), bucket_starts, calendar)
        found.append(replace(way, closed=(*way.closed, *shut[idle])) if idle and shut[idle] else way)
    return tuple(found)


def lead_buckets(way: Way, calendar: Calendar) -> int:
    """Buckets from the one in which it starts to the one in which its units are there."""
    return calendar.lead_buckets(way.lead_days) if way.buckets is None else way.buckets


def there_after(way: Way, begin: date) -> date:
    """The day on which the units of what begins on a day are there."""
    there = None if way.course is None else way.course.there(begin)
    return begin + timedelta(days=way.lead_days) if there is None else there


def received_on(way: Way, day: date) -> date:
    """The first day from one on on which units of a way can be there."""
    days = None if way.course is None else way.course.arrives
    found = None if days is None else days.next(day.toordinal())
    return day if found is None else date.fromordinal(found)


def way_key(way: Way, product_of: Callable[[str], str]) -> tuple[OrderKind, str, str]:
    """Kind, key of its recipe, offer or lane, and product of a way."""
    return way.kind, way.row or way.name, product_of(way.product)


def recipe_and_offer_ways(
    state: State,
    prices: Mapping[str, float],
    learnt: Learnt,
    bucket_starts: Sequence[date],
    routes: Routes,
) -> tuple[Way, ...]:
    """Ways of the products known at the moment (a recipe can be known before what it makes): each version of a row in
    the horizon is one, and of a recipe each of its bills, and each of its steps. Nothing brings a phantom."""
    horizon = Horizon.of(state, bucket_starts)
    phantom = phantoms(state)
    bills = Bills(state.versions("components"), prices, phantom)
    held = RecipeLines(state.versions("recipe_lines"))
    yielded = RecipeOutputs(state.versions("recipe_outputs"), routes, prices.keys() - phantom)
    site_of_line = dict(rows_of(state.table("lines"), ("line", "site")))
    recipes: list[Row] = []
    prices = {product: price for product, price in prices.items() if product not in phantom}
    rows = (r for r in state.versions("recipes").to_pylist() if r["product"] in prices)
    for row in (step for r in rows for step in routes.rows(r)):
        own = span(row["valid_from"], row["valid_to"])
        for bill_days, uses in bill_over_time(routes.bill(bills, row["product"], row["recipe"]), own):
            for line_days, on_lines in held.over_time(row, bill_days):
                for days, outputs in yielded.over_time(row["product"], row["recipe"], line_days):
                    of_days = {"valid_from": day_or_none(days.first), "valid_to": day_or_none(days.after)}
                    makes = routes.brings(row["product"], row["recipe"])
                    place = routes.place(row["recipe"])
                    own_step = {"product": makes, "place": None if place is None else (*place, row["product"])}
                    besides = {"outputs": outputs, "valued_as": row["product"]}
                    recipes.append(of_plans(row | own_step | of_days | besides, summed(uses), on_lines))
    ways = [_make(row, learnt, site_of_line, prices) for row in held_rows(recipes, "recipe", horizon)]
    breaks = PriceBreaks(state.versions("offer_price_breaks"))
    offers = (r for row in state.versions("offers").to_pylist() for r in breaks.over_time(row))
    names = set(state.versions("offers")["offer"].to_pylist())
    for r in (r for r in held_rows(offers, "offer", horizon) if r["product"] in prices):
        lead = lead_time_of(learnt, r["offer"], r["lead_days"])
        way = _buy(r["offer"], r["product"], r["price"], lead, r, _in_working(learnt, r["offer"], r))
        ways += [way] if not r["breaks"] else _with_breaks(way, r["breaks"], names)
    known = {w.product for w in ways} | {output.product for w in ways for output in w.outputs}
    shares = state.settings.defaults
    for product in sorted(prices):
        if product not in known:  # someone sells it: an assumed offer
            name = f"{product}{IMPLIED}"
            lead = lead_time_of(learnt, name, shares.offer_lead_days)
            ways.append(_buy(name, product, shares.cost_share * prices[product], lead, {}, in_working=False))
    return tuple(sorted(ways, key=lambda w: (w.product, w.kind, w.name)))


def _make(row: Row, learnt: Learnt, site_of_line: Mapping[str, str | None], prices: Mapping[str, float]) -> Way:
    lead_time = lead_time_of(learnt, row["recipe"], row["lead_days"])
    yield_share = learnt.yield_share.get(row["recipe"], row["yield_share"])
    own = row["on_lines"][0] if row["on_lines"] else None
    return Way(
        name=row["name"],
        kind="make",
        product=row["product"],
        line=own.line if own is not None else None,
        hours_per_unit=own.hours_per_unit if own is not None else 0.0,
        cost_per_unit=row["cost_per_unit"],
        setup_hours=own.setup_hours if own is not None else 0.0,
        setup_cost=row["setup_cost"],
        min_units=row["min_lot_units"],
        multiple_units=row["lot_multiple_units"],
        max_units=or_default(row["max_lot_units"], math.inf),
        lead_days=_whole_days(lead_time),
        yield_share=yield_share,
        units_per_week=math.inf,
        uses=row["uses"],
        valid_from=row["valid_from"],
        valid_to=row["valid_to"],
        site=row["site"] or site_of_line.get(own.line if own is not None else None),
        row=None if row["name"] == row["recipe"] else row["recipe"],
        lead_time=lead_time,
        calendar=row["calendar"],
        in_working=_in_working(learnt, row["recipe"], row),
        beside=row["on_lines"][1:],
        place=row["place"],
        lot_uses=row["lot_uses"],
        yield_records=learnt.yield_records.get(row["recipe"], 0) if row["recipe"] in learnt.yield_share else None,
        outputs=with_shares(row["outputs"], row["valued_as"], yield_share, prices),
    )


def without_held(ways: Sequence[Way], held: Held, between: Mapping[str, str]) -> tuple[Way, ...]:
    """The ways, of which those of products that are held back never start. They stay, for what is under way by them;
    what goes into itself takes nothing. between: in-between product -> the product that it becomes."""

    def kept(way: Way) -> Way:
        product = between.get(way.product, way.product)
        if product not in held:
            return way
        return replace(way, valid_from=NEVER, uses=() if product in held.circular else way.uses)

    return tuple(kept(way) for way in ways)


def _buy(offer: str, product: str, price: float, lead_time: float, row: Row, in_working: bool) -> Way:
    name = row.get("name", offer)
    return Way(
        name=name,
        kind="buy",
        product=product,
        line=None,
        hours_per_unit=0.0,
        cost_per_unit=price,
        setup_hours=0.0,
        setup_cost=row.get("cost_per_order", 0.0),
        min_units=row.get("min_order_units", 0.0),
        multiple_units=row.get("lot_multiple_units", 0.0),
        lead_days=_whole_days(lead_time),
        yield_share=1.0,
        units_per_week=or_default(row.get("units_per_week"), math.inf),
        uses=(),
        valid_from=row.get("valid_from"),
        valid_to=row.get("valid_to"),
        site=row.get("to_site"),
        from_site=row.get("site"),
        row=None if name == offer else offer,
        lead_time=lead_time,
        calendar=row.get("calendar"),
        in_working=in_working,
    )


def _with_breaks(way: Way, breaks: Sequence[PriceBreak], names: set[str]) -> list[Way]:
    """The way of an offer, and one for each of its price breaks. names: those that are taken; written over."""
    found = []
    for one in breaks:
        name = way.name if one.from_units <= 0 else unlike(f"{way.name} (from {one.from_units:.10g})", names)
        names.add(name)
        found.append(
            replace(
                way,
                name=name,
                row=way.row if name == way.name else way.row or way.name,
                cost_per_unit=one.price,
                setup_cost=way.setup_cost + one.paid_more,
                min_units=max(way.min_units, one.from_units),
                price_break=one,
            )
        )
    return found


def of_units(ways: Sequence[Way], units: float) -> Sequence[Way]:
    """Of the ways that one row is, those of which an order of so many units is: where its offer has price breaks, the
    last that it reaches."""
    if all(way.price_break is None for way in ways):
        return ways
    reached = ways[break_of([way.price_break for way in ways], units)].price_break
    return [way for way in ways if way.price_break == reached]


def lead_time_of(learnt: Learnt, name: str, given: float) -> float:
    """Days: the lead time met four times out of five where there is a record, else the given one."""
    past = learnt.lead_days.get(name)
    return float(np.quantile(past, LEAD_QUANTILE, method="inverted_cdf")) if past else float(given)


def _in_working(learnt: Learnt, name: str, row: Row) -> bool:
    """Whether its lead time counts working days: one that was learnt is of calendar days, closed ones among them."""
    return row["lead_in"] == "working" and not learnt.lead_days.get(name)


def _whole_days(lead_time: float) -> int:
    return math.ceil(lead_time - 1e-9)


def ways_by_row(ways: Iterable[Way]) -> dict[tuple[str, str], tuple[Way, ...]]:
    """By kind and key in its table: the ways that a row is, its versions and, with lanes, its sites and products."""
    found: dict[tuple[str, str], list[Way]] = defaultdict(list)
    for way in ways:
        found[way.kind, way.row or way.name].append(way)
    return {row: tuple(own) for row, own in found.items()}


def way_on(versions: Sequence[Way], day: date) -> Way:
    """Of the ways that one row is in turn (one at least), the one that holds on a day: the last to have begun by then;
    before the first begins, that one. Of those that differ by their lead time alone, the one of the day."""
    begun = [way for way in versions if way.valid_from is None or way.valid_from <= day] or versions[:1]
    return max(begun, key=lambda way: (way.valid_from or date.min, -way.times_closed(day)))
