"""What a replay may take otherwise than the chain states it: the bucket, the promise, the opening stock, the economics.

A scenario changes what every policy sees and what the simulator counts alike, so that policies stay comparable.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

import pyarrow as pa
import pyarrow.compute as pc

from datong.ledger.state import State
from datong.model.calendar import BucketUnit
from datong.model.settings import ChainSettings

# A weekly chain that is re-lived day by day looks so many days ahead, or two weeks beyond its frozen days and longest
# lead time, but not all its weeks: every day is planned anew.
DAYS_AHEAD = 28


@dataclass(frozen=True)
class Scenario:
    """name: of the row in a table of scenarios. None: as the chain has it.

    opening_stock_factor: times what is on hand as the replay begins. holding, late and lost_sale_factor: times the cost
    of each; a table's figures and the defaults alike.
    """

    name: str = "stated"
    bucket: BucketUnit | None = None
    promise_days: int | None = None
    opening_stock_factor: float = 1.0
    holding_factor: float = 1.0
    late_factor: float = 1.0
    lost_sale_factor: float = 1.0


STATED = Scenario()


def sweep(settings: ChainSettings) -> tuple[Scenario, ...]:
    """The stated scenario, then one thing changed at a time: what a claim has to stand.

    A lost sale is not made cheaper: below the cost of a unit it would say that nothing is worth making.
    """
    promises = [days for days in (1, 3, 7) if days != settings.promise_days]
    return (
        STATED,
        Scenario("opening_stock_x2", opening_stock_factor=2.0),
        *(Scenario(f"promise_{days}_days", promise_days=days) for days in promises),
        Scenario("holding_x0.5", holding_factor=0.5),
        Scenario("holding_x2", holding_factor=2.0),
        Scenario("late_x0.5", late_factor=0.5),
        Scenario("late_x2", late_factor=2.0),
        Scenario("lost_sale_x2", lost_sale_factor=2.0),
    )


def in_scenario(states: Callable[[datetime], State], scenario: Scenario) -> Callable[[datetime], State]:
    """`states`, each as the scenario has it."""
    return lambda moment: as_in(states(moment), scenario)


def as_in(state: State, scenario: Scenario) -> State:
    """The state with the scenario's settings and economics. Its opening stock is set where the replay begins."""
    if scenario == STATED:
        return state
    settings = _settings(state, scenario)
    rows = state.versions("economics")
    for column, factor in (
        ("holding_cost_per_unit_week", scenario.holding_factor),
        ("late_cost_per_unit_week", scenario.late_factor),
        ("lost_sale_cost_per_unit", scenario.lost_sale_factor),
    ):
        at = rows.schema.get_field_index(column)
        rows = rows.set_column(at, rows.schema.field(at), pc.multiply(rows[column], pa.scalar(factor)))
    return replace(state, settings=settings).with_tables(economics=rows)


def _settings(state: State, scenario: Scenario) -> ChainSettings:
    settings = state.settings
    defaults = settings.defaults
    changed = replace(
        settings,
        promise_days=settings.promise_days if scenario.promise_days is None else scenario.promise_days,
        defaults=replace(
            defaults,
            holding_share_per_week=defaults.holding_share_per_week * scenario.holding_factor,
            late_share_per_week=defaults.late_share_per_week * scenario.late_factor,
            lost_sale_share=defaults.lost_sale_share * scenario.lost_sale_factor,
        ),
    )
    if scenario.bucket in (None, settings.bucket):
        return changed
    if scenario.bucket == "day":
        days = settings.horizon_buckets * 7
        return replace(
            changed,
            bucket="day",
            horizon_buckets=min(days, max(DAYS_AHEAD, settings.frozen_buckets * 7 + _longest_lead_days(state) + 14)),
            frozen_buckets=settings.frozen_buckets * 7,
        )
    return replace(
        changed,
        bucket="week",
        horizon_buckets=max(settings.horizon_buckets // 7, 1),
        frozen_buckets=-(-settings.frozen_buckets // 7),
    )


def _longest_lead_days(state: State) -> int:
    """Of recipes and offers, an implied one included."""
    days = [state.settings.defaults.offer_lead_days]
    for table in ("recipes", "offers"):
        days += state.table(table)["lead_days"].drop_null().to_pylist()
    return math.ceil(max(days))
