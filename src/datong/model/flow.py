"""What the stages hand to one another. Stages never import one another; they share these types.

Axes: item = (product, market); bucket = local day or week by its first day; path = one possible future.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import reduce
from types import MappingProxyType
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from datong.model.words import Message, catalogue, message

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]


class Item(NamedTuple):
    """What a demand series is about."""

    product: str
    market: str


# sense -------------------------------------------------------------------------------------------

# How on-sale each bucket of a series was.
ON_SALE, STOCKED_OUT, STOCKED_OUT_INFERRED = 0, 1, 2


@dataclass(frozen=True, eq=False)
class HolidayBucket:
    """A public holiday that falls in a bucket. `holiday` is its name, `days` how many of its days fall there.

    holiday_zh: its Chinese name, or the English one where there is none.
    """

    bucket: date
    holiday: str
    days: int
    holiday_zh: str = ""


@dataclass(frozen=True, eq=False)
class SeriesSet:
    """Demand of every item in closed buckets, by the bucket in which it was due, as known at the state's moment.

    units: (item, bucket) units; NaN where unknown (before the item's first sale or launch, or stocked out).
    sold_units: (item, bucket) units as recorded, 0 where nothing was.
    availability: (item, bucket) ON_SALE, STOCKED_OUT or STOCKED_OUT_INFERRED.
    known_ahead_units: (item, bucket ahead) already ordered and due in the open buckets, `horizon_starts`.
    given_units: (item, bucket ahead) from the `demand` table; NaN in every bucket of an item that has no rows there.
    known_ahead_history: (item, bucket, 1) what of `units` was already known when each closed bucket was as old as the
        first open one is at the state's moment (0 days where that one just opens); NaN where its days are assumed.
    holidays: those in closed and in open buckets.
    category: (item) widest category of the product, '' where not given.
    attributes: by name, (item) what else is known of the product or the market, '' where not given.
    launch_ahead: (item) open bucket in which it is first on sale by its `launched_on`, beyond the last one where that
        is later; -1 where it is on sale already, or no day is given.
    """

    items: tuple[Item, ...]
    bucket_starts: tuple[date, ...]
    horizon_starts: tuple[date, ...]
    units: FloatArray
    sold_units: FloatArray
    availability: IntArray
    known_ahead_units: FloatArray
    given_units: FloatArray
    known_ahead_history: FloatArray
    holidays: tuple[HolidayBucket, ...]
    category: tuple[str, ...]
    attributes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    launch_ahead: IntArray = field(default_factory=lambda: np.zeros(0, dtype=np.int64))

    def __post_init__(self) -> None:
        if not len(self.launch_ahead):
            object.__setattr__(self, "launch_ahead", np.full(len(self.items), -1))


# Ends the name of an offer that is assumed of a product that nobody makes or offers.
IMPLIED = "/implied"
# Most ids of evidence rows that a signal carries.
EVIDENCE_ROWS = 50


@dataclass(frozen=True)
class Subject:
    """What a signal is about. kind: 'product', 'category', 'chain' (all products together), and whatever else is looked
    at: a market, a lot, a line, a supplier, a brand. name: its code; '' for the chain."""

    kind: str
    name: str
    market: str = "all"


WHOLE_CHAIN = Subject("chain", "")
# What a person decides about a finding.
TAKEN, DISMISSED = "taken", "dismissed"


@dataclass(frozen=True)
class Signal:
    """Something that changed, or that somebody says will change.

    kind: of what is found, level_shift, surge, decline, calendar or anomaly; of what is said, promotion, adjustment or
    taken (a change of demand that was taken with a finding).
    first, last: starts of the first and the last bucket concerned.
    strength: effect in standard deviations of the series' noise. effect_share: change over the usual level (1 where
    that was nothing). effect_units: units a week more or less; of a calendar effect, in all its days; of returns,
    units that came back beyond the usual share.
    p_value: chance of as much by accident; q_value: the same after the control over all series tested. These and
    strength are None of what no test found, but somebody says.
    evidence: row_ids of the rows of `evidence_table` that show it, sorted; at most 50, those with most units.
    text: what it says to a person. decision: TAKEN or DISMISSED where somebody decided so about it; else ''.
    since: day on which a change of level could first be known, by whoever looked every bucket; None: not worked out.
    """

    signal: str
    kind: str
    subject: Subject
    first: date
    last: date
    strength: float | None
    effect_share: float
    effect_units: float
    p_value: float | None
    q_value: float | None
    evidence_table: str
    evidence: tuple[str, ...]
    text: Message
    decision: str = ""
    since: date | None = None

    @property
    def product(self) -> str:
        """The product that it is about; '' where it is about something else."""
        return self.subject.name if self.subject.kind == "product" else ""

    @property
    def rank(self) -> tuple[bool, float, str]:
        """Order in which signals are told: what somebody says before what was found, and of that the strongest."""
        return self.strength is not None, -abs(self.strength or 0.0), self.signal


# Distance of the 95% quantile of the normal distribution from its middle, in standard deviations: between this and its
# like below lie nine cases in ten.
NINE_IN_TEN = 1.6449


@dataclass(frozen=True)
class Adjustment:
    """A factor on the demand of an item in one open bucket, beside what its history says.

    factor: the middle, as often too low as too high. low, high: nine times in ten the true one lies between; both the
    factor where it is taken as sure. signal: id of the signal that says so.
    """

    item: Item
    bucket: date
    factor: float
    low: float
    high: float
    signal: str


@dataclass(frozen=True)
class AttributeOutlook:
    """What becomes of one value of an attribute. Shares are of the units of products on sale that have the attribute,
    all of them in stock.

    products: on sale that have the value, those that sell most first. before, late: share of the weeks before and of
    the last weeks; expected: of the next weeks; nine times in ten it lies between low and high, and the gain over the
    last weeks between gain_low and gain_high. gain_units: the gain in units a week. lead: what ran ahead of sales and
    is used here, '' for nothing. read_names: how many of the products have the value by what their name says alone.
    """

    attribute: str
    value: str
    products: tuple[str, ...]
    before_share: float
    late_share: float
    expected_share: float
    low_share: float
    high_share: float
    gain_share: float
    gain_low_share: float
    gain_high_share: float
    gain_units: float
    lead: str
    read_names: int


@dataclass(frozen=True, eq=False)
class Sensed:
    """What `sense` hands on. adjustments: the only way in which a signal moves the forecast; of one item and bucket the
    factors multiply. attributes: values of attributes, those that will gain most units first."""

    series: SeriesSet
    signals: tuple[Signal, ...]
    adjustments: tuple[Adjustment, ...] = ()
    attributes: tuple[AttributeOutlook, ...] = ()


# forecast ----------------------------------------------------------------------------------------


# Quantiles in which a forecast is told and scored, by column.
QUANTILES = {
    "q05_units": 0.05,
    "q10_units": 0.10,
    "q25_units": 0.25,
    "q50_units": 0.50,
    "q75_units": 0.75,
    "q90_units": 0.90,
    "q95_units": 0.95,
}


# What an order consumed of a forecast. bucket: of the forecast. forecast_row: its key, null for Datong's own.
# forecast_units: of the row, or expected of the bucket, before any order consumed it. demand, due, request_units: of
# the firm order. units: of the forecast that the order is; expected over the paths where the forecast is Datong's own.
NETTING_SCHEMA = pa.schema(
    [
        ("product", pa.string()),
        ("market", pa.string()),
        ("bucket", pa.date32()),
        ("forecast_row", pa.string()),
        ("forecast_units", pa.float64()),
        ("demand", pa.string()),
        ("due", pa.date32()),
        ("request_units", pa.float64()),
        ("units", pa.float64()),
    ]
)


@dataclass(frozen=True, eq=False)
class Forecast:
    """Possible futures. paths: (item, path, bucket) units due in each open bucket, whole where history is whole.

    They include what is already known to be ordered. An item with given demand has that in every path; where all
    items are given there is one path.
    method, backtest_windows: (item).
    `prior` marks items whose forecast is a stated prior, moved by launches before or not, for want of history.
    unadjusted: of items with adjustments, (bucket) mean units without them.
    netting: what firm orders consumed of forecasts (NETTING_SCHEMA); paths hold the orders and what is left.
    """

    items: tuple[Item, ...]
    bucket_starts: tuple[date, ...]
    paths: FloatArray
    method: tuple[str, ...]
    backtest_windows: IntArray
    prior: BoolArray
    unadjusted: Mapping[Item, FloatArray] = field(default_factory=dict)
    netting: pa.Table = field(default_factory=NETTING_SCHEMA.empty_table)


# Who a message is for where no firm is named: a works of the chain's own, and whoever sells.
OWN_WORKS, ANY_SUPPLIER = "works", "suppliers"


def party(code: str, names: Mapping[str, str] = MappingProxyType({})) -> Message | str:
    """A counterparty as a person names it. names: of firms, by code."""
    name = names.get(code)
    if name and name != code:
        return message("dispatch.party.named", name=name, code=code)
    return message(f"dispatch.party.{code}") if code in (OWN_WORKS, ANY_SUPPLIER) else code


# Methods that no back-test of the item itself chose, and their words.
UNTESTED_METHODS = {
    "given": "given",
    "prior": "prior",
    "prior+pooled": "prior_pooled",
    "begun": "begun",
    "one_season": "one_season",
}
# Of these, those that take what other products sold.
FROM_OTHERS = ("prior", "prior+pooled", "begun")


def method_message(method: str) -> Message:
    """An item's method in words: one of UNTESTED_METHODS, or model names joined by '+'."""
    if method in UNTESTED_METHODS:
        return message(f"forecast.method.{UNTESTED_METHODS[method]}")
    models = reduce(
        lambda before, model: message("forecast.method.and", before=before, model=model),
        [_model_message(name) for name in method.split("+")],
    )
    return message("forecast.method.mix", models=models)


def _model_message(name: str) -> Message:
    key = f"forecast.model.{name}"
    return message(key) if key in catalogue() else message("forecast.model.other", model=name)


# balance -----------------------------------------------------------------------------------------


# By target of `stock_rules` and bucket, what is to lie in stock at its end, and what does (balance/stock_limits.py).
STOCK_LIMITS_SCHEMA = pa.schema(
    [
        ("product", pa.string()),
        ("site", pa.string()),
        ("bucket", pa.date32()),
        ("stock_units", pa.float64()),
        ("smallest_units", pa.float64()),
        ("missing_units", pa.float64()),
        ("largest_units", pa.float64()),
        ("beyond_units", pa.float64()),
        ("economic_units", pa.float64()),
        ("difference_cost", pa.float64()),
    ]
)
SUBSTITUTIONS_SCHEMA = pa.schema(
    [("product", pa.string()), ("substitute", pa.string()), ("bucket", pa.date32()), ("units", pa.float64())]
)


@dataclass(frozen=True, eq=False)
class Clearing:
    """Who makes how much when, what capacity is worth, and how far this can be from the best.

    quantities: kind (make, buy, move, serve), product, recipe, offer, line, start, due, units, cost_per_unit,
        price_share (what of the unit's full price is scarce capacity and materials, money per unit); in a chain with
        lanes also lane, from_site, to_site. 'serve': from which site a market was served that several serve.
    prices: what (line, lane, stock, offer, component), name, bucket, price (money per unit of it; null: not known, of a
        line that is shut or full while nothing is set up on it), unit, used, available.
    gaps: product, market, bucket; of what is due in the bucket, demand_units = on_time_units + late_units (served
        in a later bucket) + lost_units (refused_units, or never served within the horizon); served_units in the
        bucket and waiting_units at its end; was_due_units: of the late ones, those that were due before the plan
        begins and are served at once, in whose way nothing stands; binding (name of the scarce thing that stands in
        the way, or ''), binding_price (what one more unit of it there and then would save, nothing where some lies
        idle); of what is late or lost also binding_bucket (in which it is short, or the way would start),
        needed_amount of the scarce thing by which it is short for this, which was not tried, needed_unit, and
        needed_days later at which it could be served instead (0: it was due before the plan begins, and is served
        at once); kept_units of them lie there when the bucket ends and are kept for later requests or orders,
        kept_for: the first of these with their days, or, where no start is left in time and no binding is told,
        what took units from there until then ('units → product (bucket)'); where no start is left in time,
        soonest_days in which it is there soonest by lead times, soonest_through what must come before it for that
        ('i6 → i7'), and soonest_start, the bucket in which the first of these can start, where that is not the plan's
        first; short_too: what is short beside binding, without which more of that
        alone would not do; fenced_until: the end of the release fence without which it, or the binding product,
        could have been there in time; lost_binding and so on: the same of what is lost, where something else stands
        in its way than in that of what is late (null where not: then all of it is told of both).
    deliveries: by request that is known by itself: demand (its key), product, market, due, bucket (of delivery), units,
        what (on_time, late, refused, never), firm, priority, short_cost (what lateness or refusal costs, money).
    flow, hours, money: the plan's books in units, hours and money (balance/cost_and_flow_tables.py).
    cost: money by term: production, purchase, holding, late, lost, salvage (a credit, negative); with lanes also
        transport, the holding of what is on the way included; and where the chain has such rules substitution,
        overtime, changes (of the plan before), firm_shares and sourcing_shares (missed), safety_stock
        (below it) and largest_stock (above).
    substitutions: product, substitute (with lanes, their labels), bucket, units of the substitute that are set aside
        for the product's demand.
    stock_limits: by target of stock_rules and bucket (STOCK_LIMITS_SCHEMA).
    lower_bound: no plan fixed now can cost less; gap_share = (total - lower_bound) / cost without the salvage credit.
    """

    quantities: pa.Table
    prices: pa.Table
    gaps: pa.Table
    deliveries: pa.Table
    flow: pa.Table
    hours: pa.Table
    money: pa.Table
    cost: Mapping[str, float]
    lower_bound: float
    door: str
    iterations: int
    substitutions: pa.Table = field(default_factory=SUBSTITUTIONS_SCHEMA.empty_table)
    stock_limits: pa.Table = field(default_factory=STOCK_LIMITS_SCHEMA.empty_table)

    @property
    def total_cost(self) -> float:
        return sum(self.cost.values())

    @property
    def gap_share(self) -> float:
        gross = sum(money for money in self.cost.values() if money > 0)
        return (self.total_cost - self.lower_bound) / gross if gross > 0 else 0.0


# plan --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Cause:
    """One reason for an order, with the rows behind it. Causes are ordered from the nearest to the deepest."""

    # Which stage says so.
    stage: Literal["plan", "balance", "forecast", "sense", "learn"]
    # What it says.
    text: Message
    # Table of the rows behind it; '' where there are none.
    evidence_table: str = ""
    # Their ids.
    evidence: tuple[str, ...] = ()


OrderKind = Literal["make", "buy", "move"]


@dataclass(frozen=True, slots=True)
class PlannedOrder:
    """A proposed work, purchase or transfer order.

    due: last working day of the bucket in which a work order is planned to finish, or the day before the order that
    needs it starts; of a purchase or transfer the day on which it arrives. needed_by: day on which the first of what
    it is for is wanted; of an order that takes it, the day on which that begins. value: what leaving it out would cost,
    all other orders as they are, in money: lateness or refusal of its product, priorities not counted, less its own
    cost with its components; of what goes into other
    orders or sites none. behind: of those, the value of the orders that they go into, or what refusing the demand that
    they bring would cost, in money. hurts:
    customers' requests that it serves late. In a chain with lanes: site where the units arrive; from_site and lane of a
    transfer.
    """

    order: str
    kind: OrderKind
    product: str
    recipe: str | None
    offer: str | None
    line: str | None
    units: float
    start: date
    due: date
    needed_by: date
    cost: float
    value: float | None
    causes: tuple[Cause, ...]
    lane: str | None = None
    from_site: str | None = None
    site: str | None = None
    hurts: tuple[str, ...] = ()
    behind: float | None = None


# By request and day, units that are there, by the days of orders, after the day that the plan counts on: of those on
# time (what) the day on which they are due, of late ones the bucket in which they are served (counted_in, its first
# day). late_money: what their lateness would cost more, counted by the bucket of the day on which they are there.
AFTER_DUE_SCHEMA = pa.schema(
    [
        ("demand", pa.string()),
        ("product", pa.string()),
        ("due", pa.date32()),
        ("what", pa.string()),
        ("counted_in", pa.date32()),
        ("there_on", pa.date32()),
        ("units", pa.float64()),
        ("late_money", pa.float64()),
    ]
)


@dataclass(frozen=True, eq=False)
class Plan:
    """Orders to give out, and the orders already out that the plan counts on (locked, with state).

    gaps: those of the clearing, with the numbers of the orders that took what is missing. after_due: rows of
    AFTER_DUE_SCHEMA, of requests that customers made. taken: what each order takes (plan/components_taken.py).
    besides: what comes of each besides its product (plan/come_besides.py). used_for: what takes what comes of each
    (plan/used_for.py). order_hours: what each takes of every line (plan/hours_of_orders.py).
    """

    orders: tuple[PlannedOrder, ...]
    kept: pa.Table
    after_due: pa.Table = field(default_factory=AFTER_DUE_SCHEMA.empty_table)
    gaps: pa.Table = field(default_factory=lambda: pa.table({}))
    taken: pa.Table = field(default_factory=lambda: pa.table({}))
    besides: pa.Table = field(default_factory=lambda: pa.table({}))
    used_for: pa.Table = field(default_factory=lambda: pa.table({}))
    order_hours: pa.Table = field(default_factory=lambda: pa.table({}))


# dispatch ----------------------------------------------------------------------------------------

OrderState = Literal[
    "proposed", "released", "offered", "accepted", "refused", "started", "partly_done", "done", "cancelled"
]


@dataclass(frozen=True)
class OrderMessage:
    """One order on its way to a counterparty. The same `key` sent twice counts once.

    note: what else the counterparty is to know, such as what became of its offer. price: agreed for a unit, None: that
    of the offer. repeated: it was under way before, and nobody knows whether it arrived.
    """

    key: str
    counterparty: str
    order: PlannedOrder
    note: Message | None = None
    price: float | None = None
    repeated: bool = False


# learn -------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Learnt:
    """What past cycles taught, for the next one. Empty mappings: nothing learnt yet.

    forecast_ratio: demand over forecast mean by item, shrunk to 1. spread_ratio: by horizon bucket (from 0), factor on
    the paths' distance from their mean that calibrates past coverage. lead_days: by recipe or offer, sorted past lead
    times. yield_share: by recipe; yield_records: by recipe, reports on which it rests. scores: metric, run, product,
    market, horizon, value.
    """

    forecast_ratio: Mapping[Item, float]
    spread_ratio: Mapping[int, float]
    lead_days: Mapping[str, tuple[float, ...]]
    yield_share: Mapping[str, float]
    scores: pa.Table
    yield_records: Mapping[str, int] = field(default_factory=dict)


SCORES_SCHEMA = pa.schema(
    [
        ("metric", pa.string()),
        ("run", pa.string()),
        ("product", pa.string()),
        ("market", pa.string()),
        ("horizon", pa.int64()),
        ("bucket", pa.date32()),
        ("value", pa.float64()),
    ]
)


def nothing_learnt() -> Learnt:
    return Learnt({}, {}, {}, {}, SCORES_SCHEMA.empty_table())
