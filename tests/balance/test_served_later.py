"""What is lost could be served, asked for later: out of what the orders leave, or not said."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa

from datong.cycle import decide, head
from datong.ledger.state import state_of_tables
from datong.model.flow import Clearing, nothing_learnt
from datong.model.settings import ChainSettings
from each import each_seed

MONDAY = date(2026, 1, 5)
WEEKS = 4

Tables = dict[str, list[dict[str, Any]]]


def cleared(tables: Tables) -> Clearing:
    settings = ChainSettings("t", horizon_buckets=WEEKS, time_zone="UTC")
    given = {name: pa.Table.from_pylist(rows) for name, rows in tables.items() if rows}
    state = state_of_tables(settings, datetime(2026, 1, 5, tzinfo=UTC), given)
    return decide(head(state, nothing_learnt(), 0)).clearing


def press(asked: list[float], lost: float = 8.0, **recipe: Any) -> Tables:
    """A takes an hour of the 10 of each week. Lateness costs more in a week than losing a sale."""
    row = {"recipe": "A/L", "product": "A", "line": "L", "hours_per_unit": 1.0, "cost_per_unit": 2.0}
    return {
        "products": [{"product": "A", "price": 10.0}],
        "lines": [{"line": "L", "hours_per_week": 10.0}],
        "recipes": [row | recipe],
        "economics": [
            {
                "product": "A",
                "holding_cost_per_unit_week": 0.1,
                "late_cost_per_unit_week": 20.0,
                "lost_sale_cost_per_unit": lost,
            }
        ],
        "demand": [request(f"d{t}", t, units) for t, units in enumerate(asked) if units > 0],
    }


def request(name: str, week: int, units: float, priority: int = 0) -> dict[str, Any]:
    due = MONDAY + week * timedelta(weeks=1)
    return {"demand": name, "product": "A", "market": "all", "due": due, "units": units, "priority": priority}


def days_later(tables: Tables) -> list[tuple[float, int | None]]:
    rows = cleared(tables).gaps.sort_by("bucket").to_pylist()
    return [(r["lost_units"], r["needed_days"]) for r in rows if r["lost_units"] > 0]


def test_the_first_week_whose_hours_the_orders_leave() -> None:
    """13 in the first week, 9 in the second, which leaves one hour for 3: they could come in the third."""
    assert days_later(press([13.0, 9.0, 0.0, 0.0])) == [(3.0, 14)]


def test_a_lot_that_costs_more_than_losing_them_serves_nobody() -> None:
    """A lot of 6 for 3 costs 12, and a set-up of 10: 22, less than 24 at 8 each, and more than 18 at 6 each."""
    lot = {"setup_cost": 10.0, "min_lot_units": 6.0, "lot_multiple_units": 1.0}
    assert days_later(press([13.0, 10.0, 0.0, 0.0], lost=8.1, **lot)) == [(3.0, 14)]
    assert days_later(press([13.0, 10.0, 0.0, 0.0], lost=6.0, **lot)) == [(3.0, None)]


def test_what_lies_there_and_goes_into_nothing_else_serves_them() -> None:
    """20 come on an order that is out in the third week, 12 of them are asked for: the 3 of the first week could come
    then, from that order, not the week before."""
    tables = press([13.0, 10.0, 12.0, 10.0])
    tables["lines"][0]["hours_per_week"] = 10.0
    tables["recipes"][0]["valid_to"] = MONDAY + timedelta(weeks=2)
    due = MONDAY + timedelta(weeks=2)
    tables["orders"] = [
        {"order": "PO", "kind": "buy", "product": "A", "units": 25.0, "start": MONDAY - timedelta(weeks=1), "due": due}
    ]
    assert days_later(tables)[0] == (3.0, 14)
    tables["orders"][0]["units"] = 22.0
    assert days_later(tables)[0] == (3.0, None)


@each_seed(range(80))
def test_whoever_asks_later_can_be_served_for_less_than_losing_him(seed: int) -> None:
    """Each promise, kept: what was lost is asked for on the later day, at a priority that makes refusing it absurd; the
    plan then costs less than the one that lost it. Lots, set-ups, a component that lies there or is bought, yields."""
    random = np.random.default_rng(seed)
    asked = [float(units) for units in random.integers(0, 22, WEEKS)]
    lot: dict[str, Any] = {"yield_share": float(random.choice([1.0, 0.8]))}
    if random.random() < 0.6:
        lot |= {"setup_cost": float(random.integers(0, 25)), "min_lot_units": float(random.integers(1, 8))}
        lot |= {"setup_hours": float(random.choice([0.0, 2.0])), "lot_multiple_units": float(random.integers(1, 5))}
    tables = press(asked, lost=float(random.integers(3, 30)), lead_days=float(random.choice([0.0, 7.0])), **lot)
    if random.random() < 0.6:
        tables["products"].append({"product": "Q", "kind": "material", "price": 1.0})
        tables["components"] = [{"product": "A", "component": "Q", "units_per_unit": float(random.integers(1, 3))}]
        few = float(random.integers(0, 30))
        tables["offers"] = [{"offer": "Q/S", "product": "Q", "price": 1.0, "lead_days": 7.0, "units_per_week": few}]
        tables["stock"] = [{"happened_at": datetime(2026, 1, 4, tzinfo=UTC), "product": "Q", "units": 40.0}]
    before = cleared(tables)
    gaps = before.gaps.to_pylist()
    for gap in (r for r in gaps if r["lost_units"] > 0 and r["needed_days"]):
        week = (gap["bucket"] - MONDAY).days // 7
        moved = request("moved", week + gap["needed_days"] // 7, gap["lost_units"], priority=6)
        kept = [r for r in tables["demand"] if r["demand"] != f"d{week}"]
        left = asked[week] - gap["lost_units"]
        after = cleared(tables | {"demand": [*kept, moved, *([request(f"d{week}", week, left)] if left else [])]})
        assert sum(after.cost.values()) < sum(before.cost.values())
        assert {r["what"] for r in after.deliveries.to_pylist() if r["demand"] == "moved"} == {"on_time"}
