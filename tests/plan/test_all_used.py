"""No order makes, for a stock point or a parent, what nothing takes any more within the horizon."""

from datetime import date, timedelta

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from datong.cycle import decide, head
from datong.ledger.state import State, state_of_tables
from datong.model.flow import nothing_learnt
from datong.model.settings import ChainSettings

MONDAY = date(2026, 1, 5)


def state_of(asked: list[int], hours: float) -> State:
    """A and B are made on one line at F and go by two lanes to N and S, which serve one market. What a full line puts
    off is too late for the lanes."""
    cost = {"holding_cost_per_unit_week": 0.2, "late_cost_per_unit_week": 0.7, "lost_sale_cost_per_unit": 12.0}
    tables = {
        "products": [{"product": p, "price": 20.0} for p in "AB"],
        "economics": [{"product": p} | cost for p in "AB"],
        "sites": [{"site": s, "kind": "warehouse"} for s in "FNS"],
        "lines": [{"line": "L", "site": "F", "hours_per_week": hours}],
        "recipes": [
            {
                "recipe": f"{p}/L",
                "product": p,
                "line": "L",
                "hours_per_unit": each,
                "cost_per_unit": 6.0,
                "lead_days": 2.0,
            }
            for p, each in (("A", 0.4), ("B", 0.25))
        ],
        "lanes": [
            {"lane": f"F-{s}", "from_site": "F", "to_site": s, "lead_days": 3.0, "cost_per_unit": 1.0}
            | {"units_per_week": 45.0}
            for s in "NS"
        ],
        "demand": [
            {"demand": f"d{i}", "product": "AB"[i % 2], "market": "all", "units": float(units)}
            | {"due": MONDAY + timedelta(weeks=i // 2)}
            for i, units in enumerate(asked)
            if units
        ],
    }
    settings = ChainSettings("t", horizon_buckets=5, max_late_days=21)
    return state_of_tables(
        settings,
        settings.calendar.midnight(MONDAY),
        {name: pa.Table.from_pylist(rows) for name, rows in tables.items()},
    )


@settings(max_examples=15, deadline=None)
@given(st.lists(st.integers(1, 90), min_size=10, max_size=10), st.sampled_from([13.7, 21.3]))
def test_nothing_that_is_made_or_sent_is_left_over_in_whole_units(asked, hours):
    flow = decide(head(state_of(asked, hours), nothing_learnt(), 0)).clearing.flow.to_pylist()
    left = [r for r in flow if r["bucket"] == MONDAY + timedelta(weeks=4) and r["closing_units"] >= 1.0]
    assert left == []
