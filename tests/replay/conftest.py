"""A small chain for the tests of the replay, as facts with known_at, and what is known of them at a moment."""

from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from datong.ledger.state import State, in_state_schema, state_of_tables
from datong.model.settings import ChainSettings
from datong.replay import replay as replay_module
from datong.replay.baseline import baseline_orders

SETTINGS = ChainSettings(
    "small", time_zone="Asia/Dhaka", promise_days=3, max_late_days=14, horizon_buckets=4, path_count=50
)
FIRST = date(2023, 1, 2)
WEEKS = 24
END = FIRST + timedelta(weeks=WEEKS)
EVER = datetime.fromisoformat("1970-01-01T00:00:00+00:00")

Facts = dict[str, list[dict[str, Any]]]


def midnight(day: date) -> datetime:
    return SETTINGS.calendar.midnight(day)


def event(table: str, key: str, day: date, **row: Any) -> dict[str, Any]:
    """An event of a day, known at its end."""
    name = {"sales": "sale", "production": "production", "shipments": "shipment"}.get(table)
    own = {} if name is None else {name: key}
    known_at = midnight(day + timedelta(days=1))
    return {"row_id": f"{table}:{key}", "happened_at": midnight(day), "known_at": known_at, **own, **row}


def facts(with_shipments: bool = True) -> Facts:
    """Two products on one line, sold on weekdays; the maker makes what was sold a week ago and ships in three days."""
    random = np.random.default_rng(1)
    rows: Facts = {
        "products": [_master("products", p, product=p, price=20.0) for p in ("a", "b")],
        "lines": [_master("lines", "l", line="l", hours_per_week=130.0)],
        "recipes": [
            _master(
                "recipes", f"{p}/1", recipe=f"{p}/1", product=p, line="l", hours_per_unit=h, cost_per_unit=14.0,
                setup_hours=0.0, setup_cost=0.0, min_lot_units=0.0, lot_multiple_units=1.0, lead_days=0.0,
                yield_share=1.0,
            )
            for p, h in (("a", 1.0), ("b", 2.0))
        ],
        "economics": [
            _master(
                "economics", p, product=p, holding_cost_per_unit_week=0.1, late_cost_per_unit_week=1.0,
                lost_sale_cost_per_unit=20.0, salvage_per_unit=0.0,
            )
            for p in ("a", "b")
        ],
        "stock": [event("stock", p, FIRST - timedelta(days=2), product=p, units=90.0) for p in ("a", "b")],
        "sales": [],
        "production": [],
        "shipments": [],
    }  # fmt: skip
    for week in range(WEEKS):
        for weekday in range(5):
            day = FIRST + timedelta(weeks=week, days=weekday)
            for product, mean in (("a", 8), ("b", 5)):
                units, key = float(random.poisson(mean)), f"{product}|{day}"
                if not units:
                    continue
                rows["sales"].append(event("sales", key, day, product=product, units=units))
                sent = day + timedelta(days=3)
                if with_shipments and sent < END:
                    rows["shipments"].append(event("shipments", key, sent, product=product, units=units))
                made = day + timedelta(weeks=1)
                if made < END:
                    rows["production"].append(event("production", key, made, product=product, good_units=units))
    return {name: table for name, table in rows.items() if table}


def _master(table: str, key: str, **row: Any) -> dict[str, Any]:
    return {"row_id": f"{table}:{key}", "known_at": EVER, **row}


def known(rows: Facts, settings: ChainSettings = SETTINGS) -> Callable[[datetime], State]:
    """The latest version of each row that was known at a moment: what a ledger does, in a few lines."""

    def states(as_of: datetime) -> State:
        seen: Mapping[str, pa.Table] = {name: _visible(name, table, as_of) for name, table in rows.items()}
        return state_of_tables(settings, as_of, seen)

    return states


def _visible(name: str, rows: list[dict[str, Any]], as_of: datetime) -> pa.Table:
    latest: dict[str, dict[str, Any]] = {}
    for row in sorted(rows, key=lambda r: r["known_at"]):
        if row["known_at"] <= as_of:
            latest[row["row_id"]] = row
    columns = sorted({column for row in rows for column in row})
    ordered = [latest[row_id] for row_id in sorted(latest)]
    if not ordered:
        return in_state_schema(name, None)
    return in_state_schema(name, pa.table({c: pa.array([row.get(c) for row in ordered]) for c in columns}))


@pytest.fixture
def no_foresight(monkeypatch: pytest.MonkeyPatch) -> None:
    """Perfect foresight orders as the baseline does: for tests of the other courses, of which none sees another's."""
    monkeypatch.setattr(replay_module, "Foresight", lambda *_setting: baseline_orders)


@pytest.fixture
def small() -> SimpleNamespace:
    """The small chain: facts, known, midnight, event, and its dates."""
    return SimpleNamespace(
        facts=facts, known=known, midnight=midnight, event=event, settings=SETTINGS, first=FIRST, end=END
    )
