"""Whole cycles week after week, on every mix of tables that are there and not: each run stands on those before it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from datong.cycle import run_cycle
from datong.learn.learnt_as_table import learnt_from_table
from datong.ledger.protocol import RunRecord
from datong.ledger.state import State, state_of_tables
from datong.model.flow import nothing_learnt
from datong.model.settings import ChainSettings
from datong.questions.run import run_record

MONDAY = date(2026, 1, 5)
SETTINGS = ChainSettings("mix", horizon_buckets=4, path_count=8, max_late_days=14)
BY_DAY = replace(SETTINGS, bucket="day", horizon_buckets=10)

Rows = dict[str, list[dict[str, Any]]]


@dataclass(frozen=True)
class Mix:
    """Which tables a chain has."""

    masters: frozenset[str]
    events: frozenset[str]
    demand: bool
    settings: ChainSettings = SETTINGS


def at(day: int, hour: int = 9) -> datetime:
    return datetime(2026, 1, 5, hour, tzinfo=UTC) + timedelta(days=day)


MASTERS: Rows = {
    "lines": [{"line": "L", "hours_per_week": 40.0}],
    "recipes": [{"recipe": "A/L", "product": "A", "line": "L", "hours_per_unit": 0.5, "cost_per_unit": 2.0}],
    "components": [{"product": "A", "component": "M", "units_per_unit": 2.0}],
    "offers": [{"offer": "M/V", "product": "M", "price": 1.0, "lead_days": 7.0}],
    "economics": [{"product": "A", "late_cost_per_unit_week": 5.0, "lost_sale_cost_per_unit": 100.0}],
}
PRODUCTS = [{"product": "A", "price": 10.0, "kind": "finished"}, {"product": "M", "price": 1.0, "kind": "material"}]
# Day of each row from the first Monday, by table: a run sees the rows of the days before its own.
EVENTS: Rows = {
    "sales": [{"happened_at": at(d), "product": "A", "units": 5.0 + d % 3} for d in range(-35, 20)],
    "stock": [{"happened_at": at(d), "product": p, "units": 8.0} for d in (-1, 8) for p in ("A", "M")],
    "shipments": [{"happened_at": at(d), "product": "A", "units": 4.0} for d in range(-30, 20, 2)],
    "returns": [{"happened_at": at(d), "product": "A", "units": 1.0} for d in (-3, 4, 11)],
    "receipts": [{"happened_at": at(d), "product": "M", "units": 6.0} for d in (-2, 9)],
    "production": [{"happened_at": at(d), "product": "A", "good_units": 3.0, "scrap_units": 1.0} for d in (-2, 9)],
}
DEMAND = [{"demand": f"D{d}", "product": "A", "due": MONDAY + timedelta(days=d), "units": 12.0} for d in (8, 16, 30)]
# What a counterparty says of an order that was released, in this order.
LIVES: dict[str, Sequence[str]] = {
    "nothing": (),
    "refused": ("refused",),
    "begun": ("accepted", "started"),
    "partly": ("started", "partly_done"),
    "done": ("started", "partly_done", "done"),
    "cancelled": ("accepted", "cancelled"),
}


def state_at(week: int, mix: Mix, out: Rows) -> State:
    """The chain on the Monday of a week (0: the first), with the orders that are out by then."""
    now = at(7 * week, hour=0)
    rows: Rows = {"products": PRODUCTS, **{name: MASTERS[name] for name in mix.masters}}
    rows |= {name: [r for r in EVENTS[name] if r["happened_at"] < now] for name in mix.events}
    if mix.demand:
        rows["demand"] = DEMAND
    for name, more in out.items():
        rows[name] = rows.get(name, []) + more
    return state_of_tables(mix.settings, now, {name: pa.Table.from_pylist(r) for name, r in rows.items() if r})


def released(record: RunRecord, week: int, life: str) -> Rows:
    """Rows of the first order of each kind that a run proposed, released on its Monday, and what came of it."""
    out: Rows = {"orders": [], "order_events": [], "receipts": [], "production": []}
    first = {order["kind"]: order for order in reversed(record.tables["orders"].to_pylist())}
    for kind, order in sorted(first.items()):
        names = ("order", "kind", "product", "recipe", "offer", "line", "units", "start", "due", "needed_by")
        out["orders"].append({n: order[n] for n in names} | {"locked": True, "run": record.run})
        for step, state in enumerate(("proposed", "released", *LIVES[life])):
            good = order["units"] / 2 if state in ("partly_done", "done") else None
            moment = at(7 * week + step)
            out["order_events"].append(
                {"order": order["order"], "state": state, "happened_at": moment, "good_units": good}
            )
            if state == "partly_done" and good:
                made = {"happened_at": moment, "order": order["order"], "product": order["product"]}
                into = {"good_units": good, "scrap_units": 0.0} if kind == "make" else {"units": good}
                out["production" if kind == "make" else "receipts"].append(made | into)
    return out


def run_weeks(mix: Mix, lives: Sequence[str]) -> list[RunRecord]:
    """A run on each Monday; after it its first orders are released, and done, refused ... as the week's life says."""
    kept: list[RunRecord] = []
    out: Rows = {}
    for week in range(len(lives) + 1):
        state = state_at(week, mix, out)
        used = learnt_from_table(kept[-1].tables["learnt"]) if kept else nothing_learnt()
        kept.append(run_record(state, used, 0, run_cycle(state, used, kept, 0), kept))
        for life in lives[week : week + 1]:
            for name, rows in released(kept[-1], week, life).items():
                out[name] = out.get(name, []) + rows
    return kept


@settings(max_examples=25, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(
    masters=st.frozensets(st.sampled_from(sorted(MASTERS))),
    events=st.frozensets(st.sampled_from(sorted(EVENTS))),
    demand=st.booleans(),
    unit=st.sampled_from([SETTINGS, BY_DAY]),
    lives=st.lists(st.sampled_from(sorted(LIVES)), min_size=2, max_size=2),
)
def test_a_chain_of_any_tables_runs_week_after_week(
    masters: frozenset[str], events: frozenset[str], demand: bool, unit: ChainSettings, lives: list[str]
) -> None:
    """Every run ends, and what it learnt is read by the next one."""
    kept = run_weeks(Mix(masters, events if demand else events | {"sales"}, demand, unit), lives)
    assert len({record.run for record in kept}) == 3


@pytest.mark.parametrize("life", sorted(LIVES))
def test_demand_without_sales_runs_week_after_week(life: str) -> None:
    """Nothing was ever sold, so there is nothing that forecasts could be scored by."""
    kept = run_weeks(Mix(frozenset(MASTERS), frozenset(), demand=True), [life, life])
    assert [record.tables["orders"].num_rows > 0 for record in kept[:2]] == [True, True]
    metrics = {m for record in kept for m in record.tables["scores"]["metric"].to_pylist()}
    assert metrics <= {"order_fulfilment", "lead_days"}
    assert bool(metrics) == (life == "done")
