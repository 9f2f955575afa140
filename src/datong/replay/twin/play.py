"""A game on a twin: somebody plans week by week on what can be seen, and the market says what it was worth.

A player gets the tables of a chain (docs/tables.md) as known at the start of a week, and gives the work orders that
begin in it. They arrive on their due day, after their lead time at the earliest; orders beyond the hours of the line
wait for the next week.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import numpy as np
import pyarrow as pa

from datong.cycle import Decision, Head, decide, head, written
from datong.ledger.state import state_of_tables
from datong.model.flow import Cause, nothing_learnt
from datong.model.settings import ChainSettings
from datong.model.words import Message
from datong.replay.twin import parameters as p
from datong.replay.twin.market import Market, Row, TwinOrder
from datong.replay.twin.parameters import TwinSettings
from datong.replay.twin.stated_chain import LINE, line_hours, master_tables, usual_need

# Weeks of need that the shelves hold before anybody plans.
SHELF_WEEKS = 3.0
HORIZON, PATHS = 8, 100


@dataclass(frozen=True)
class Wanted:
    """A work order that a player gives: units of a product, due on the day that it names. why: its reasons, what was
    heard of the market first."""

    product: str
    units: float
    due: datetime
    why: tuple[Message, ...] = ()


# What a player sees at a moment, and what it orders.
Player = Callable[[Mapping[str, pa.Table], datetime], Sequence[Wanted]]


def opened(settings: TwinSettings) -> Market:
    """A twin after its history, in which the shelves were filled every week."""
    market = Market(settings)
    need = usual_need(market)
    for week in range(settings.history_weeks):
        orders = [
            TwinOrder(f"H{week:03d}-{i:02d}", i, short, week, week)
            for i, short in enumerate(np.ceil(np.maximum(SHELF_WEEKS * need - market.stock, 0.0)).tolist())
            if short > 0
        ]
        market.step(orders)
    market.money = dict.fromkeys(market.money, 0.0)
    return market


def chain_settings(settings: TwinSettings) -> ChainSettings:
    """Buyers do not wait: what is not there is not sold."""
    return ChainSettings("twin", horizon_buckets=HORIZON, path_count=PATHS, max_late_days=0)


@dataclass(frozen=True, eq=False)
class Played:
    """A game that was played. profit: money over the weeks, with what is left in stock at its cost. orders: that were
    given. reasons: of each order, as its player told them."""

    market: Market
    profit: float
    orders: tuple[TwinOrder, ...]
    reasons: Mapping[str, tuple[Message, ...]]

    def seen(self) -> dict[str, pa.Table]:
        """Every table of the chain in the end."""
        return seen(self.market, self.orders)


@dataclass(eq=False)
class Game:
    """A game as it goes. given: orders that have begun. queue: those that wait for hours. reasons: of each order."""

    market: Market
    given: list[TwinOrder] = field(default_factory=list)
    queue: list[TwinOrder] = field(default_factory=list)
    reasons: dict[str, tuple[Message, ...]] = field(default_factory=dict)

    def tables(self) -> dict[str, pa.Table]:
        """Every table of the chain as known at the start of the week."""
        return seen(self.market, self.given)

    def week(self, wanted: Sequence[Wanted]) -> None:
        """Plays a week with the orders that a player gives in it. Raises KeyError for an unknown product."""
        market, place = self.market, {name: i for i, name in enumerate(self.market.truth.names)}
        for n, one in enumerate(wanted):
            arrive = max((one.due - market.now).days // 7, p.LEAD_DAYS // 7) + market.week
            name = f"W{market.week:03d}-{n:02d}"
            self.queue.append(TwinOrder(name, place[one.product], float(one.units), market.week, arrive))
            self.reasons[name] = one.why
        left, begun, waits = line_hours(market), [], []
        for order in self.queue:
            needs = order.units * p.HOURS_PER_UNIT + p.SETUP_HOURS
            if needs <= left + 1e-6 or not begun:
                left -= needs
                begun.append(replace(order, start=market.week, arrive=order.arrive + market.week - order.start))
            else:
                waits.append(order)
        self.queue = waits
        self.given += begun
        market.step(begun)


def play(
    settings: TwinSettings,
    player: Player,
    weeks: int,
    on_week: Callable[[Market, dict[str, pa.Table]], None] = lambda _market, _tables: None,
    is_over: Callable[[Market], bool] = lambda _market: False,
) -> Played:
    """on_week: told what can be seen at the start of each week, before the player; it may mend a fault, and add tables.
    is_over: asked after each week."""
    game = Game(opened(settings))
    for _ in range(weeks):
        tables = game.tables()
        on_week(game.market, tables)
        game.week(player(tables, game.market.now))
        if is_over(game.market):
            break
    return Played(game.market, game.market.profit, tuple(game.given), game.reasons)


def seen(market: Market, given: Sequence[TwinOrder]) -> dict[str, pa.Table]:
    """Every table of the chain as known at the start of the week."""
    tables = {
        name: pa.Table.from_pylist(rows) for name, rows in {**master_tables(market), **market.rows}.items() if rows
    }
    if given:
        tables["orders"] = pa.Table.from_pylist([_order_row(market, order) for order in given])
    past = {order.order for order in given}
    events = [row for row in market.rows["order_events"] if row["order"] in past]
    tables.pop("order_events", None)
    if events:
        tables["order_events"] = pa.Table.from_pylist(events)
    return tables


def _order_row(market: Market, order: TwinOrder) -> Row:
    name, begin = market.truth.names[order.product], market.settings.start
    return {
        "order": order.order,
        "kind": "make",
        "product": name,
        "recipe": name,
        "line": LINE,
        "units": order.units,
        "start": begin + timedelta(weeks=order.start),
        "due": begin + timedelta(weeks=order.arrive),
    }


def datong(
    settings: TwinSettings,
    deaf_to: Collection[str] = (),
    seed: int = 0,
    decides: Callable[[Head], Decision] = decide,
) -> Player:
    """Datong as a player. deaf_to: tables that it is not shown. decides: the market cleared and put in lots."""

    def player(tables: Mapping[str, pa.Table], now: datetime) -> list[Wanted]:
        shown = {name: rows for name, rows in tables.items() if name not in deaf_to}
        state = state_of_tables(chain_settings(settings), now, shown)
        begun = head(state, nothing_learnt(), seed)
        plan = written(begun, decides(begun))
        end = state.first_open_bucket + timedelta(weeks=1)
        due = datetime.min.time()
        return [
            Wanted(order.product, order.units, datetime.combine(order.due, due, now.tzinfo), _why(order.causes))
            for order in plan.orders
            if order.kind == "make" and order.start < end
        ]

    return player


def _why(causes: Sequence[Cause]) -> tuple[Message, ...]:
    heard = [cause.text for cause in causes if cause.stage == "sense"]
    return (*heard, *(cause.text for cause in causes if cause.stage != "sense"))


def order_up_to(weeks: float = 3.0, past: int = 8) -> Player:
    """A player with a simple rule: stock and orders out up to so many weeks of the mean of the last ones."""

    def player(tables: Mapping[str, pa.Table], now: datetime) -> list[Wanted]:
        since = now - timedelta(weeks=past)
        sold: dict[str, float] = {}
        for row in tables["sales"].to_pylist():
            if row["happened_at"] >= since:
                sold[row["product"]] = sold.get(row["product"], 0.0) + row["units"]
        there = {row["product"]: row["units"] for row in tables["stock"].to_pylist()}
        for row in tables["orders"].to_pylist() if "orders" in tables else ():
            if row["due"] >= now.date():
                there[row["product"]] = there.get(row["product"], 0.0) + row["units"]
        wanted = []
        for name in tables["products"]["product"].to_pylist():
            short = np.ceil(weeks * sold.get(name, 0.0) / past - there.get(name, 0.0))
            if short >= p.MIN_LOT:
                wanted.append(Wanted(name, float(short), now + timedelta(days=p.LEAD_DAYS)))
        return wanted

    return player
