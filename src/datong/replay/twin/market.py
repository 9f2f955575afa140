"""Buyers of a twin, week by week: who looks, who buys what there is, who sends back, who writes.

Buyers choose by a multinomial logit (McFadden 1974): in channel c the utility of product j is

    u = worth of the product + sum of the tastes for its attributes + season - reputation x share of bad reviews,

buying nothing has utility 0, and of what is not in stock nobody buys: its buyers turn to the others or to nothing. The
tastes are random walks. Views follow the tastes of LEAD_WEEKS later as far as `Effects.lead` says, else chance.

The same settings and the same orders give the same market; what is not made is not sold.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np

from datong.model.flow import BoolArray, FloatArray, IntArray
from datong.replay.twin import parameters as p
from datong.replay.twin.parameters import CHANNELS, COLOURS, SHAPES, TwinSettings
from datong.replay.twin.sentences import review

Row = dict[str, object]
# Walks of tastes are made so far beyond the weeks that are played.
MOST_WEEKS = 400


@dataclass(frozen=True)
class TwinOrder:
    """A work order. product: its place. start: week in which it begins. arrive: week at whose start it is in stock."""

    order: str
    product: int
    units: float
    start: int
    arrive: int


@dataclass(frozen=True, eq=False)
class Truth:
    """What nobody in the market sees. names, colour, shape: of products. worth: (product) utility. taste_colour,
    taste_shape: (week, attribute) utility. chance: (week, product) what else draws views, in utility."""

    names: tuple[str, ...]
    colour: IntArray
    shape: IntArray
    worth: FloatArray
    taste_colour: FloatArray
    taste_shape: FloatArray
    chance: FloatArray

    def utility(self, week: int) -> FloatArray:
        """(product) utility by taste alone."""
        return self.worth + self.taste_colour[week, self.colour] + self.taste_shape[week, self.shape]


def truth_of(settings: TwinSettings) -> Truth:
    rng = np.random.default_rng([settings.seed, 1])
    n = settings.products
    pairs = rng.permutation(len(COLOURS) * len(SHAPES))
    pick = np.array([pairs[i % len(pairs)] for i in range(n)])
    walks = [
        np.cumsum(rng.normal(0, settings.effects.drift, (MOST_WEEKS, k)), axis=0) for k in (len(COLOURS), len(SHAPES))
    ]
    # A walk without end would leave one product alone: it is drawn back, a tenth a week.
    walks = [_drawn_back(walk) for walk in walks]
    names = tuple(f"{COLOURS[i % len(COLOURS)]}-{SHAPES[i // len(COLOURS)]}-{k + 1:02d}" for k, i in enumerate(pick))
    chance = _drawn_back(np.cumsum(rng.normal(0, settings.effects.drift, (MOST_WEEKS, n)), axis=0))
    return Truth(names, pick % len(COLOURS), pick // len(COLOURS), rng.normal(0, 0.4, n), *walks, chance)


def _drawn_back(walk: FloatArray) -> FloatArray:
    steps, result = np.diff(walk, axis=0, prepend=0.0), np.zeros_like(walk)
    for week in range(1, len(walk)):
        result[week] = 0.9 * result[week - 1] + steps[week]
    return result


@dataclass
class Market:
    """A twin as it goes: what is in stock, what was bought and said. `step` plays one week.

    stock, faulty: (product) sound and faulty units in stock. bad, read: (week, product) bad and all reviews by the
    week in which they were written. money: by name, since the start. mended_week: from this week on lots are sound
    again. _later: by week, what is sent back and written then.
    """

    settings: TwinSettings
    truth: Truth = field(init=False)
    week: int = 0
    stock: FloatArray = field(init=False)
    faulty: FloatArray = field(init=False)
    bad: FloatArray = field(init=False)
    read: FloatArray = field(init=False)
    money: dict[str, float] = field(default_factory=dict)
    rows: dict[str, list[Row]] = field(default_factory=dict)
    mended_week: int | None = None
    _later: dict[int, list[tuple[str, Row]]] = field(default_factory=dict)
    _orders: dict[str, TwinOrder] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.truth = truth_of(self.settings)
        n = self.settings.products
        self.stock, self.faulty = np.zeros(n), np.zeros(n)
        self.bad, self.read = np.zeros((MOST_WEEKS, n)), np.zeros((MOST_WEEKS, n))
        self.rows = {
            name: [] for name in ("sales", "returns", "reviews", "interest", "stock", "production", "order_events")
        }
        self.money = dict.fromkeys(("sales", "production", "stock", "returns", "lost"), 0.0)

    @property
    def faulty_product(self) -> int:
        """Place of the product whose lots go bad: the one with most worth."""
        return int(np.argmax(self.truth.worth))

    @property
    def now(self) -> datetime:
        """First moment of the week, in the chain's zone."""
        return self.moment(self.week)

    def moment(self, week: int) -> datetime:
        """First moment of a week, in the chain's zone."""
        return datetime.combine(self.settings.start + timedelta(weeks=week), datetime.min.time(), ZoneInfo("UTC"))

    def step(self, orders: Sequence[TwinOrder] = ()) -> None:
        """Plays the week: new orders begin, those that are due arrive, buyers come, the shelf is counted."""
        rng = np.random.default_rng([self.settings.seed, 2, self.week])
        for order in orders:
            self._orders[order.order] = order
            self._tell(0, "order_events", order=order.order, state="started")
        for order in sorted(self._orders.values(), key=lambda o: o.order):
            if order.arrive == self.week:
                self._arrive(order)
        self._count()
        for kind, row in self._later.pop(self.week, []):
            self._late(kind, row)
        self._look(rng)
        self._buy(rng)
        self.money["stock"] += p.HOLDING_PER_WEEK * float((self.stock + self.faulty).sum())
        self.week += 1

    # what there is -------------------------------------------------------------------------------

    def _is_bad(self, order: TwinOrder) -> bool:
        begins = self.settings.fault_week
        if begins is None or order.product != self.faulty_product or order.start < begins:
            return False
        return self.mended_week is None or order.start < self.mended_week

    def _arrive(self, order: TwinOrder) -> None:
        good = float(np.floor(order.units * p.YIELD))
        faulty = float(np.round(good * self.settings.effects.fault_share)) if self._is_bad(order) else 0.0
        self.stock[order.product] += good - faulty
        self.faulty[order.product] += faulty
        self.money["production"] += p.COST * order.units
        name = self.truth.names[order.product]
        self._tell(
            0,
            "production",
            product=name,
            line="L1",
            good_units=good,
            scrap_units=order.units - good,
            order=order.order,
        )
        self._tell(0, "order_events", order=order.order, state="done", good_units=good, scrap_units=order.units - good)

    def _count(self) -> None:
        for i, name in enumerate(self.truth.names):
            self._tell(0, "stock", product=name, units=float(self.stock[i] + self.faulty[i]))

    # what people do ------------------------------------------------------------------------------

    def _season(self) -> float:
        return p.SEASON * float(np.sin(2 * np.pi * self.week / 52))

    def _bad_share(self) -> FloatArray:
        """(product) share of bad reviews of late."""
        weeks = slice(max(self.week - p.READ_WEEKS, 0), self.week)
        usual = 1.0 - p.GLAD_SOUND
        return (self.bad[weeks].sum(axis=0) + p.READ_PULL * usual) / (self.read[weeks].sum(axis=0) + p.READ_PULL)

    def _utility(self, taste: FloatArray) -> FloatArray:
        return (
            taste
            + self._season()
            + p.DRAW
            - self.settings.effects.reputation * (self._bad_share() - (1.0 - p.GLAD_SOUND))
        )

    def _look(self, rng: np.random.Generator) -> None:
        lead = self.settings.effects.lead
        ahead = self.truth.utility(self.week + p.LEAD_WEEKS) - self.truth.worth
        drawn = self.truth.worth + lead * ahead + (1.0 - lead) * self.truth.chance[self.week]
        share = np.exp(drawn + self._season())
        views = rng.poisson(
            p.VIEWS_PER_VISITOR * self.settings.visitors * len(CHANNELS) * share / np.exp(self.truth.worth).sum()
        )
        for i, name in enumerate(self.truth.names):
            self._tell(3, "interest", product=name, kind="view", count=float(views[i]))

    def _buy(self, rng: np.random.Generator) -> None:
        """Buyers come one batch after another, so that a shelf that empties turns the later ones away."""
        wants = np.exp(self._utility(self.truth.utility(self.week)))
        everything = wants / (1.0 + wants.sum())
        batches = 4
        sold = np.zeros((len(CHANNELS), len(wants)))
        for _ in range(batches):
            for c in range(len(CHANNELS)):
                there: BoolArray = self.stock + self.faulty - sold.sum(axis=0) > 0
                share = np.where(there, wants, 0.0) / (1.0 + wants[there].sum())
                people = rng.poisson(self.settings.visitors / batches)
                bought = rng.multinomial(people, np.append(share, max(1.0 - share.sum(), 0.0)))[:-1].astype(float)
                left = self.stock + self.faulty - sold.sum(axis=0)
                sold[c] += np.minimum(bought, left)
                self.money["lost"] += (p.PRICE - p.COST) * float(
                    (people * everything - bought).clip(min=0)[~there].sum()
                )
        for c, channel in enumerate(CHANNELS):
            for i in np.flatnonzero(sold[c]).tolist():
                self._sell(rng, channel, i, sold[c, i])

    def _sell(self, rng: np.random.Generator, channel: str, i: int, units: float) -> None:
        name, there = self.truth.names[i], self.stock[i] + self.faulty[i]
        faulty = float(min(rng.binomial(int(units), self.faulty[i] / there), self.faulty[i])) if there > 0 else 0.0
        faulty = max(faulty, units - self.stock[i])
        self.stock[i] -= units - faulty
        self.faulty[i] -= faulty
        self.money["sales"] += p.PRICE * units
        self._tell(2, "sales", product=name, market=channel, units=units, price=p.PRICE)
        for count, is_faulty in ((units - faulty, False), (faulty, True)):
            back = rng.binomial(int(count), p.FAULT_RETURN_SHARE if is_faulty else p.RETURN_SHARE[channel])
            if back:
                resaleable = 0 if is_faulty else rng.binomial(back, p.RESALEABLE_SHARE)
                self._expect(
                    rng, p.BACK_WEEKS, "returns", {"product": i, "market": channel, "units": back, "again": resaleable}
                )
            for _ in range(rng.binomial(int(count), p.REVIEW_SHARE)):
                glad = rng.random() < (p.GLAD_FAULTY if is_faulty else p.GLAD_SOUND)
                row: Row = {
                    "product": i,
                    "market": channel,
                    "glad": glad,
                    "faulty": is_faulty,
                    "draw": int(rng.integers(2**31)),
                }
                self._expect(rng, p.REVIEW_WEEKS, "reviews", row)

    def _expect(self, rng: np.random.Generator, weeks: int, kind: str, row: Row) -> None:
        self._later.setdefault(self.week + int(rng.integers(1, weeks + 1)), []).append((kind, row))

    def _late(self, kind: str, row: Row) -> None:
        i = int(str(row["product"]))
        about = {"product": self.truth.names[i], "market": row["market"]}
        if kind == "reviews":
            self.read[self.week, i] += 1
            self.bad[self.week, i] += not row["glad"]
            draw = int(str(row["draw"]))
            self._tell(draw % 7, "reviews", **about, **review(bool(row["glad"]), bool(row["faulty"]), draw))
            return
        units, again = float(str(row["units"])), float(str(row["again"]))
        self.money["returns"] += (p.PRICE + p.RETURN_COST) * units
        self.stock[i] += again
        for count, is_resaleable in ((again, True), (units - again, False)):
            if count:
                self._tell(1, "returns", **about, units=count, resaleable=is_resaleable)

    def _tell(self, day: int, table: str, **row: object) -> None:
        at = self.now + timedelta(days=day)
        self.rows[table].append({"happened_at": at, **row})

    @property
    def profit(self) -> float:
        """Money that came in less money that went out, and what is left in stock at its cost."""
        out = self.money["production"] + self.money["stock"] + self.money["returns"]
        return self.money["sales"] - out + p.COST * float((self.stock + self.faulty).sum())
