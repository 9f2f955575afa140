"""Lots where lanes lead from one site to another and back: none by a lane on which the clearing sends nothing."""

from datetime import date, timedelta
from typing import Any

import pyarrow as pa
import pytest

from datong.balance.solvers import balance
from datong.cycle import head
from datong.ledger.state import State, in_state_schema, state_of_tables
from datong.model.flow import nothing_learnt
from datong.model.settings import ChainSettings
from datong.plan.choose_lots import choose

MONDAY = date(2026, 1, 5)
WEEKS = 8


def two_works(lot: float, north: float, south: float, supply_weeks: int) -> State:
    """Pots of sheet in the north, lids of sheet in the south, wanted each week, before any sheet can be bought; it is
    bought in lots at either site, and a truck goes both ways. What lies there is enough for part of the first lots."""
    rows: dict[str, list[dict[str, Any]]] = {
        "products": [
            {"product": "pot", "price": 100.0, "kind": "finished"},
            {"product": "lid", "price": 80.0, "kind": "finished"},
            {"product": "sheet", "price": 2.0, "kind": "material"},
        ],
        "sites": [{"site": site, "kind": "factory"} for site in ("north", "south")],
        "lanes": [
            {"lane": "up", "from_site": "south", "to_site": "north", "lead_days": 7.0, "cost_per_unit": 0.2},
            {"lane": "down", "from_site": "north", "to_site": "south", "lead_days": 7.0, "cost_per_unit": 0.2},
        ],
        "lines": [{"line": site, "site": site, "hours_per_week": 100.0} for site in ("north", "south")],
        "recipes": [
            {"recipe": product, "product": product, "line": site, "site": site, "hours_per_unit": 1.0}
            | {"cost_per_unit": 1.0, "min_lot_units": 40.0, "lot_multiple_units": 40.0, "lead_days": 7.0}
            for product, site in (("pot", "north"), ("lid", "south"))
        ],
        "components": [{"product": p, "component": "sheet", "units_per_unit": 1.0} for p in ("pot", "lid")],
        "offers": [
            {"offer": f"mill {site}", "product": "sheet", "price": 2.0, "to_site": site}
            | {"lead_days": 7.0 * supply_weeks, "min_order_units": lot, "lot_multiple_units": lot}
            for site in ("north", "south")
        ],
        "stock": [
            {"product": "sheet", "site": site, "units": 10.0, "happened_at": MONDAY} for site in ("north", "south")
        ],
        "demand": [
            {"demand": f"{p}{t}", "product": p, "due": MONDAY + timedelta(weeks=t), "units": units}
            for p, units in (("pot", north), ("lid", south))
            for t in range(1, WEEKS)
        ],
    }
    tables = {name: in_state_schema(name, pa.Table.from_pylist(own)) for name, own in rows.items()}
    chain = ChainSettings("t", horizon_buckets=WEEKS, path_count=1)
    return state_of_tables(chain, chain.calendar.midnight(MONDAY), tables)


@pytest.mark.parametrize("supply_weeks", [2, 3])
@pytest.mark.parametrize(("north", "south"), [(20.0, 30.0), (35.0, 10.0), (25.0, 25.0)])
@pytest.mark.parametrize("lot", [50.0, 100.0, 500.0])
def test_no_lot_goes_by_a_lane_on_which_the_clearing_sends_nothing(
    lot: float, north: float, south: float, supply_weeks: int
) -> None:
    state = two_works(lot, north, south, supply_weeks)
    found = head(state, nothing_learnt(), 0)
    cleared = balance(state, found.demand, nothing_learnt(), found.where)
    sent = {row["lane"] for row in cleared.quantities.to_pylist() if row["lane"] and row["units"] > 0}
    lots = choose(state, found.demand, cleared, nothing_learnt(), found.where).lots
    assert {lot.way.lane for lot in lots if lot.way.kind == "move" and lot.way.product.startswith("sheet")} <= sent
    made = {p: sum(lot.units for lot in lots if lot.way.kind == "make" and lot.way.recipe == p) for p in ("pot", "lid")}
    assert made["pot"] >= 3 * north and made["lid"] >= 3 * south
