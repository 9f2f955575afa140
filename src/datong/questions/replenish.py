"""`datong replenish`: what to order or make now of each product that is sold, and of what goes into it, from a chain's
forecast and records."""

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from datong.forecast.paths import forecast
from datong.ledger.products_held_back import held_back, lacking
from datong.ledger.standings import LEAST_UNITS
from datong.ledger.state import State
from datong.model.calendar import Calendar
from datong.model.flow import FloatArray, Forecast, Learnt, nothing_learnt
from datong.model.settings import ChainSettings
from datong.model.words import say
from datong.network.committed import committed
from datong.network.facts import ChainFacts, chain_facts, located
from datong.network.forecast_netting import with_orders
from datong.network.planned_demand import pooled_demand
from datong.network.position import position
from datong.network.stock_targets import StockTarget, also_of_what_it_makes, stock_targets
from datong.network.ways import EVER, Way, lead_buckets
from datong.network.whole_units import whole_products
from datong.network.working_days import LONGEST_GAP
from datong.order_each_item import Known, Lots, decide, looked_at
from datong.plan.lots_along_clearing import step_of
from datong.questions.plotted import orders_by_worth
from datong.questions.replenish_levels import layers, ordered_later, taken
from datong.questions.replenish_record import RECORD_BUCKETS, Record, Sold, past_orders
from datong.questions.replenish_stock import StockWanted
from datong.questions.result_table import Frame
from datong.questions.tables_out import product_names
from datong.sense.signals import sense
from datong.shown.plots import new_axes, plot_orders
from datong.shown.tables import html_table, text_table

if TYPE_CHECKING:
    from datong.shown.plots import Axes

REPLENISHMENT_SCHEMA = pa.schema(
    [
        ("product", pa.string()),
        ("site", pa.string()),
        ("kind", pa.string()),
        ("recipe", pa.string()),
        ("offer", pa.string()),
        ("lane", pa.string()),
        ("units", pa.float64()),
        ("start", pa.date32()),
        ("due", pa.date32()),
        ("cost_per_unit", pa.float64()),
        ("value", pa.float64()),
        ("counted", pa.bool_()),
        ("on_hand_units", pa.float64()),
        ("under_way_units", pa.float64()),
        ("overdue_units", pa.float64()),
        ("stock_then_units", pa.float64()),
        ("demand_units", pa.float64()),
        ("demand_known", pa.bool_()),
        ("short_before", pa.float64()),
        ("short_after", pa.float64()),
        ("lost_chance", pa.float64()),
        ("economic_order_units", pa.float64()),
        ("safety_stock_units", pa.float64()),
        ("base_stock_units", pa.float64()),
    ]
)
# Products that are sold, or will be, and that nothing which is valid now makes, brings or sells. units: of them asked
# for up to the horizon. lacks: the product that is held back for a row that was refused, itself or one that goes into
# it; null: none. refused: a way is closed now, because it was refused. opens: day from which the first way is open;
# null: none is.
WITHOUT_WAY_SCHEMA = pa.schema(
    [
        ("product", pa.string()),
        ("site", pa.string()),
        ("units", pa.float64()),
        ("lacks", pa.string()),
        ("refused", pa.bool_()),
        ("opens", pa.date32()),
        ("comes_with", pa.string()),
    ]
)


@dataclass(frozen=True, eq=False)
class ReplenishResult:
    """What to order now. `orders`: a row for each product that is sold (in a chain with lanes, at each site), and for
    each component or site that their orders take of (replenish_levels.py), by value.

    kind, recipe, offer, lane: its cheapest way. units: to order now (of a recipe to start), 0 where nothing is worth
    it. start, due: today, or the first day after the frozen buckets, and when it is there by its promised lead time.
    cost_per_unit, value: money; value is what the order is expected to save against none in its window, less what the
    next order could have saved with the same units. counted: there is a stock count of the product; without one, stock
    is what its records leave, 0 at least. on_hand_units, under_way_units; overdue_units: of these, past their promised
    day. stock_then_units: expected when it arrives. demand_units: expected from now to the end of the window that only
    this order can serve; demand_known: it is given, or the same on every path, so that only lead times are uncertain.
    short_before, short_after: chance that demand is not met in the window without and with the
    order. lost_chance: that it never comes. economic_order_units: what the economics alone would order, of which value
    and short_after are told; safety_stock_units: the smallest stock at the window's end (`stock_rules`), 0 where there
    is none. units bring the stock expected there to it, and no higher than the largest one. base_stock_units: what is
    there, under way and ordered up to which the economics alone order, in any quantity; null where unmet demand is
    lost and nothing is ordered.
    `without_way`: what is asked for and no way brings now, so that nothing is proposed for it (WITHOUT_WAY_SCHEMA).
    `products`: names and units.
    """

    as_of: datetime
    settings: ChainSettings
    tables: Mapping[str, pa.Table]
    language: str = "en"

    @property
    def orders(self) -> Frame:
        """What to order now, and why."""
        return Frame("orders", self.tables["orders"], self.language)

    @property
    def without_way(self) -> Frame:
        """What is asked for and nothing brings now."""
        return Frame("without_way", self.tables["without_way"], self.language)

    def __repr__(self) -> str:
        return f"{self._title()}\n{text_table(self._wanted(), self.language)}"

    def _repr_html_(self) -> str:
        return html_table(self._title(), self._wanted(), self.language)

    def plot(self, product: str | None = None, axes: "Axes | None" = None) -> "Axes":
        """Draws what to order, from today to when it is there, the most worth on top. product: None: all. Gives
        matplotlib's axes; raises NotFound where it is not installed."""
        axes = new_axes(axes)
        rows = self.tables["products"].to_pylist()
        names = {row["product"]: f"{row['name']} ({row['product']})" for row in rows if row["name"]}
        title = say("shown.orders_title", self.language, name=self.settings.name)
        return plot_orders(orders_by_worth(self.orders.arrow.to_pylist(), names, product), title, self.language, axes)

    def _title(self) -> str:
        moment = self.as_of.astimezone(self.settings.calendar.zone)
        words = {"name": self.settings.name, "as_of": f"{moment:%Y-%m-%d %H:%M}"}
        return say("shown.replenish", self.language, orders=len(self._wanted()), products=len(self.orders), **words)

    def _wanted(self) -> list[dict[str, Any]]:
        """What is worth ordering, as it is shown."""
        names = {row["product"]: row["name"] for row in self.tables["products"].to_pylist()}
        shown = ("units", "start", "due", "on_hand_units", "under_way_units", "demand_units", "value")
        rows = [row for row in self.orders.arrow.to_pylist() if row["units"] > 0]
        if any(row["safety_stock_units"] > 0 for row in rows):
            shown = (*shown, "safety_stock_units", "economic_order_units")
        named = any(names.get(row["product"]) for row in rows)
        return [
            {
                "product": row["product"],
                **({"name": names.get(row["product"])} if named else {}),
                **{name: row[name] for name in shown},
            }
            for row in rows
        ]


def replenish(state: State, learnt: Learnt, seed: int, review_buckets: int = 1) -> ReplenishResult:
    """What to order or make now of each product that is sold, each by itself, of what these orders take, and why.

    review_buckets: buckets until orders can be placed again; of a way with a batching window as many as that has, if
    they are more.
    """
    calendar, settings = state.settings.calendar, state.settings
    # What is promised; what became of it is learnt from the orders themselves. `replenishment` needs the facts again:
    # for as many buckets as these leads ask for, and for the places that the forecast asks for.
    starts = calendar.starts(state.first_open_bucket, settings.horizon_buckets)
    ways = chain_facts(state, starts, nothing_learnt()).ways
    longest = settings.frozen_buckets + calendar.lead_buckets(max((w.lead_days for w in ways), default=0))
    furthest = looked_at(np.array([longest]), max([review_buckets, *(_apart(w, calendar) for w in ways)]))
    if furthest > settings.horizon_buckets:
        state = replace(state, settings=replace(settings, horizon_buckets=furthest))
    sensed = sense(state)
    expected = forecast(sensed, learnt, settings.path_count, seed)
    demand = with_orders(state, expected, sensed.series.known_ahead_units)
    found = replenishment(state, demand, seed, review_buckets)
    return ReplenishResult(state.as_of, settings, {**found, "products": product_names(state)})


def replenishment(state: State, demand: Forecast, seed: int, review_buckets: int = 1) -> dict[str, pa.Table]:
    """`orders` and `without_way` of a ReplenishResult for a forecast in hand, which should reach beyond the longest
    lead time."""
    calendar, settings, starts = state.settings.calendar, state.settings, demand.bucket_starts
    facts = chain_facts(state, starts, nothing_learnt(), demand.items)
    where_now = position(state)
    where = located(facts, where_now)
    asked = pooled_demand(demand, where, calendar.bucket_days, facts.label_of)
    start = max(state.today, starts[settings.frozen_buckets])
    items = _cheapest(facts, facts.products, starts[0], start, settings)
    shop = _Shop(
        state=state,
        facts=facts,
        on_hand=where.on_hand_units,
        items=items,
        start=start,
        targets=stock_targets(state, demand, asked, facts),
        shortage=also_of_what_it_makes(facts, _shortage(facts, asked, items, settings)),
        asked=asked,
        whole=whole_products(state, demand, facts),
        paths=max(settings.path_count, demand.paths.shape[1]),
        buckets=len(starts),
        seed=seed,
        review_buckets=review_buckets,
    )
    needed = dict(asked)
    if len(facts.arrays.use_way):  # orders that are out take their components
        for pull in committed(facts, where_now, starts, calendar, settings.frozen_buckets).pulls:
            one = np.zeros((1, len(starts)))
            one[0, pull.bucket] = pull.units
            needed[pull.component] = needed.get(pull.component, 0.0) + one
    rows: list[dict[str, Any]] = []
    for level in layers(shop.items, list(needed)):
        sold = [shop.items[label] for label in level if label in shop.items and label in needed]
        until_next = [max(review_buckets, _apart(item.way, calendar)) for item in sold]
        for buckets in sorted(set(until_next)):
            own = [item for item, each in zip(sold, until_next, strict=True) if each == buckets]
            decided = _decided(replace(shop, review_buckets=buckets), own, needed)
            rows += decided.rows
            for item, ordered in zip(own, decided.ordered, strict=True):
                for part, units in taken(item, ordered, settings.frozen_buckets).items():
                    needed[part] = needed.get(part, 0.0) + units
    order = [("value", "descending"), ("product", "ascending"), ("site", "ascending")]
    orders = pa.Table.from_pylist(rows, schema=REPLENISHMENT_SCHEMA).sort_by(order)
    without = {label: units for label, units in needed.items() if label not in shop.items}
    return {"orders": orders, "without_way": _without_way(state, facts, starts, without)}


@dataclass(frozen=True, eq=False)
class _Shop:
    """What the orders of all levels have in common."""

    state: State
    facts: ChainFacts
    # label -> units.
    on_hand: Mapping[str, float]
    # label -> the item by its cheapest way that is valid now.
    items: Mapping[str, Sold]
    # The day from which orders are placed.
    start: date
    targets: Sequence[StockTarget]
    # label -> money for a unit that is missing, for a bucket where unmet demand waits; inf: of what nobody asks for.
    shortage: Mapping[str, float]
    # label -> (path, bucket) units that buyers ask for.
    asked: Mapping[str, FloatArray]
    # label -> whether it comes in whole units.
    whole: Mapping[str, bool]
    # How many paths.
    paths: int
    # How many buckets.
    buckets: int
    seed: int
    # Buckets until orders can be placed again.
    review_buckets: int

    @property
    def backorders(self) -> bool:
        """Unmet demand waits."""
        return _waits(self.state.settings)

    @property
    def kept(self) -> list[StockTarget]:
        """The targets: one that several levels could keep is kept where buyers ask."""
        return [replace(t, points=tuple(p for p in t.points if p in self.asked) or t.points) for t in self.targets]


@dataclass(frozen=True, eq=False)
class _Decided:
    """Orders of a level, as rows of the table, and of each item (path, bucket) good units ordered, now's first."""

    rows: list[dict[str, Any]]
    ordered: list[FloatArray]


def _decided(shop: _Shop, sold: list[Sold], needed: Mapping[str, FloatArray]) -> _Decided:
    """needed: label -> (path, bucket) units that are asked for or go into what is ordered."""
    facts, settings = shop.facts, shop.state.settings
    paths = np.zeros((len(sold), shop.paths, shop.buckets))
    for i, item in enumerate(sold):
        paths[i] = needed[item.label]
    on_hand = np.array([shop.on_hand.get(item.label, 0.0) for item in sold])
    record = past_orders(shop.state, facts, sold, shop.buckets)
    counted = {*shop.state.table("stock")["product"].to_pylist(), *facts.between}  # what waits is reported
    share = np.array([item.way.yield_share for item in sold])  # good units of one started
    known = _known(shop, sold, record, on_hand)
    whole = [
        bool((paths[i] % 1 == 0).all()) if needed[item.label] is shop.asked.get(item.label) else shop.whole[item.label]
        for i, item in enumerate(sold)
    ]
    steps = [step_of(item.way, is_whole) for item, is_whole in zip(sold, whole, strict=True)]
    lots = Lots(np.array(steps) * share, np.array([item.way.min_units for item in sold]) * share)
    most_units = _most_units(facts, sold, settings, shop.review_buckets, record.ordered) * share
    found = decide(
        known,
        paths,
        seed=shop.seed,
        most_units=most_units,
        review_buckets=shop.review_buckets,
        backorders=shop.backorders,
        lots=lots,
        coming=record.coming,
    )
    waiting = record.left.sum(axis=1) + record.coming.sum(axis=1)
    is_overdue = np.arange(RECORD_BUCKETS, 0, -1) > known.promised_lead[:, None]
    overdue = np.where(is_overdue, record.left, 0.0).sum(axis=1)
    # What never comes leaves the window as it was.
    short_after = found.short_after + found.lost_chance * (found.short_before - found.short_after)
    reach = np.minimum(known.promised_lead + shop.review_buckets, shop.buckets)
    window = np.array([paths[i, :, : reach[i]].sum(axis=1).mean() for i in range(len(sold))])
    at = {item.label: i for i, item in enumerate(sold)}
    wanted = StockWanted.of(shop.kept, at, window, reach - 1)
    good = np.array([found.units, wanted.orders(found.units, on_hand + waiting - window, lots, most_units)]) / share
    # A share of a lot and back leaves last digits.
    economic, units = np.where(lots.step > 0, np.round(good, 6), good)
    base = _base_stock(shop, known, paths, record.coming, on_hand + waiting)
    rows = [
        {
            "product": facts.becomes(item.label),
            "site": facts.stock_points[item.label].site if item.label in facts.stock_points else item.way.site,
            "kind": item.way.kind,
            "recipe": item.way.recipe,
            "offer": item.way.offer,
            "lane": item.way.lane,
            "units": float(units[i]),
            "start": _begins(item.way, shop.start),
            "due": _there(item.way, shop.start),
            "cost_per_unit": item.way.cost_per_unit,
            "value": float(found.value[i]),
            "counted": facts.product_of(item.label) in counted,
            "on_hand_units": float(on_hand[i]),
            "under_way_units": float(waiting[i]),
            "overdue_units": float(overdue[i]),
            "stock_then_units": float(found.stock_then[i]),
            "demand_units": float(window[i]),
            "demand_known": bool((paths[i, :1, : reach[i]] == paths[i, :, : reach[i]]).all()),
            "short_before": float(found.short_before[i]),
            "short_after": float(short_after[i]),
            "lost_chance": float(found.lost_chance[i]),
            "economic_order_units": float(economic[i]),
            "safety_stock_units": float(wanted.smallest[i]),
            "base_stock_units": float(base[i]) if np.isfinite(base[i]) else None,
        }
        for i, item in enumerate(sold)
        if item.way.is_order
    ]
    position_now = on_hand + waiting
    level = np.where(np.isfinite(base), np.maximum(base, wanted.smallest + window), window)
    ordered = [
        ordered_later(paths[i], level[i], position_now[i], units[i] * share[i], int(reach[i]), shop.review_buckets)
        for i in range(len(sold))
    ]
    return _Decided(rows, ordered)


def _base_stock(
    shop: _Shop, known: Known, paths: FloatArray, coming: FloatArray, position_now: FloatArray
) -> FloatArray:
    """(item) units, there or under way, up to which the economics alone order, in any quantity. Where unmet demand
    waits it is the same whatever is there: so it is asked with so much less there that something is ordered. Where
    demand is lost it is known only where something is ordered (NaN elsewhere)."""
    less = np.ceil(paths.sum(axis=2).max(axis=1, initial=0.0) + np.abs(position_now)) * shop.backorders
    any_units = Lots(np.zeros(len(less)), np.zeros(len(less)))
    found = decide(
        replace(known, on_hand=known.on_hand - less),
        paths,
        seed=shop.seed,
        review_buckets=shop.review_buckets,
        backorders=shop.backorders,
        lots=any_units,
        coming=coming,
    )
    return np.where(found.units > 0, np.round(found.units - less + position_now, 6), np.nan)


def _without_way(state: State, facts: ChainFacts, starts: Sequence[date], asked: Mapping[str, FloatArray]) -> pa.Table:
    """asked: (path, bucket) units of each label that no way brings now."""
    first, lacks = starts[0], lacking(state, held_back(state, starts))
    with_others = {o.product: facts.becomes(way.product) for way in facts.ways for o in way.outputs}
    rows: list[dict[str, Any]] = []
    for label, paths in sorted(asked.items()):
        if (units := float(paths.sum(axis=1).mean())) < LEAST_UNITS:
            continue
        own = [way for way in facts.ways if way.product == label and not way.serves]
        refused = [way for way in own if way.course is None]
        closed = [after for way in refused for begin, after in way.closed if EVER < begin <= first < after]
        days = [way.valid_from for way in own if way.valid_from is not None and way.valid_from > first]
        days += [way.fenced_until for way in own if way.fenced_until is not None]
        days += [after for way in own for begin, after in way.between_orders if begin <= first < after]
        product = facts.product_of(label)
        rows.append(
            {
                "product": product,
                "site": facts.stock_points[label].site if label in facts.stock_points else None,
                "units": units,
                "lacks": lacks.get(product),
                "refused": bool(closed),
                "opens": min([*days, *closed], default=None),
                "comes_with": with_others.get(label),
            }
        )
    return pa.Table.from_pylist(rows, WITHOUT_WAY_SCHEMA)


def _apart(way: Way, calendar: Calendar) -> int:
    """Buckets from one of its orders to the next at least."""
    return calendar.lead_buckets(way.order_every_days)


def _begins(way: Way, day: date) -> date:
    """The first day from one on on which a way may start."""
    found = None if way.course is None else way.course.first_start(day, day + timedelta(days=LONGEST_GAP))
    return day if found is None else found


def _there(way: Way, day: date) -> date:
    """The day on which its units are there where it is ordered from a day on."""
    begin = _begins(way, day)
    there = None if way.course is None else way.course.there(begin)
    return begin + timedelta(days=way.lead_days) if there is None else there


def _cheapest(
    facts: ChainFacts, labels: Sequence[str], day: date, start: date, settings: ChainSettings
) -> dict[str, Sold]:
    """What can be had from some way that is valid now, by its cheapest one. start: the day from which it is ordered; of
    a way with working days, its first open day from there on counts."""
    calendar = settings.calendar
    arrays = facts.arrays
    cost = arrays.good_unit_costs(arrays.least_costs([day]))
    best: dict[str, Sold] = {}
    wanted = set(labels)
    for w, way in enumerate(facts.ways):
        opens = day if way.course is None else calendar.bucket_start(_begins(way, start))
        if way.product not in wanted or way.serves or way.from_units or not way.is_open(opens):  # breaks: not here
            continue
        before = best.get(way.product)
        if before is None or cost[w] < before.unit_cost:
            lead = settings.frozen_buckets
            lead += lead_buckets(way, calendar) + (0 if way.course is None else calendar.index(opens, start))
            best[way.product] = Sold(way.product, way, float(cost[w]), lead)
    return {label: best[label] for label in labels if label in best}


def _most_units(
    facts: ChainFacts, sold: list[Sold], settings: ChainSettings, review_buckets: int, ordered: FloatArray
) -> FloatArray:
    """(item) most units of one order: of an offer what it can bring until the next one can be placed, and within a week
    of days what the last days' orders left of it; of a recipe, started, what its lines can make alone."""
    per_week = 7 // settings.calendar.bucket_days
    buckets = max(review_buckets, per_week)
    taken = ordered[:, ordered.shape[1] - (per_week - 1) :].sum(axis=1)
    most = np.full(len(sold), np.inf)
    for i, item in enumerate(sold):
        way = item.way
        most[i] = way.units_per_week * buckets / per_week
        for held in way.on_lines:
            hours = facts.line_hours.get(held.line)
            if hours is not None and held.hours_per_unit > 0:
                open_hours = float(hours[settings.frozen_buckets :][:buckets].sum())
                most[i] = min(most[i], max(open_hours - held.setup_hours, 0.0) / held.hours_per_unit)
        most[i] -= taken[i] / way.yield_share
    return np.maximum(most, 0.0)


def _waits(settings: ChainSettings) -> bool:
    return settings.max_late_days >= settings.calendar.bucket_days


def _shortage(
    facts: ChainFacts, asked: Container[str], items: Mapping[str, Sold], settings: ChainSettings
) -> dict[str, float]:
    """label -> money for a unit missing of what buyers ask for: lateness of a bucket, or what a lost sale loses."""
    money = {label: (facts.economics[label], item.unit_cost) for label, item in items.items() if label in asked}
    if _waits(settings):
        return {label: own.late_per_bucket for label, (own, _) in money.items()}
    return {label: max(own.lost_sale - cost, 0.0) for label, (own, cost) in money.items()}


def _known(shop: _Shop, sold: Sequence[Sold], record: Record, on_hand: FloatArray) -> Known:
    """What the decision stands on. on_hand: (item) units."""
    money = [shop.facts.economics[item.label] for item in sold]
    shortage = [shop.shortage[item.label] for item in sold]
    return Known(
        ordered=record.ordered,
        came_after=record.came_after,
        came_share=record.came_share,
        on_hand=on_hand,
        promised_lead=np.array([item.lead for item in sold], dtype=np.int64),
        # What goes into orders that are out alone costs what being without it for a bucket costs itself.
        shortage_cost=np.array(
            [x if np.isfinite(x) else e.late_per_bucket for x, e in zip(shortage, money, strict=True)]
        ),
        holding_cost=np.array([e.holding_per_bucket for e in money]),
    )
