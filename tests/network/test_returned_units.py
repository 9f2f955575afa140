"""Units that came back and can be sold again are in stock."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest

from datong.cycle import decide, head
from datong.ledger.state import State, state_of_tables
from datong.model.flow import nothing_learnt
from datong.model.settings import ChainSettings
from datong.network.doubts_before_planning import review
from datong.network.position import position

DAY = datetime(2026, 1, 5, tzinfo=UTC)


def shop(returned: list[dict[str, Any]], **tables: list[dict[str, Any]]) -> State:
    """100 coats were counted on Friday; 150 are wanted within the week, and a supplier has them in no time."""
    rows = {
        "products": [{"product": "COAT", "price": 80.0}],
        "offers": [{"offer": "O", "product": "COAT", "price": 30.0, "lead_days": 0.0}],
        "stock": [{"product": "COAT", "units": 100.0, "happened_at": DAY - timedelta(days=3)}],
        "demand": [{"demand": "D", "product": "COAT", "due": (DAY + timedelta(days=3)).date(), "units": 150.0}],
        "returns": [{"product": "COAT", "happened_at": DAY - timedelta(days=1)} | row for row in returned],
    }
    chain = ChainSettings("shop", time_zone="UTC", horizon_buckets=2)
    given = {name: pa.Table.from_pylist(own) for name, own in (rows | tables).items() if own}
    return state_of_tables(chain, chain.calendar.midnight(DAY.date()), given)


@pytest.mark.parametrize(("resaleable", "there", "bought"), [(True, 130, 20), (False, 100, 50), (None, 100, 50)])
def test_what_can_be_sold_again_need_not_be_bought(resaleable: bool | None, there: int, bought: int) -> None:
    state = shop([{"units": 30.0, "resaleable": resaleable}])
    assert position(state).on_hand_units == {"COAT": there}
    assert sum(decide(head(state, nothing_learnt(), 0)).clearing.quantities["units"].to_pylist()) == bought


def test_what_came_back_before_the_count_is_in_it() -> None:
    state = shop([{"units": 30.0, "resaleable": True, "happened_at": DAY - timedelta(days=4)}])
    assert position(state).on_hand_units == {"COAT": 100}


def test_in_a_chain_with_lanes_units_are_where_they_came_back() -> None:
    places = {
        "sites": [{"site": "A"}, {"site": "B"}],
        "lanes": [{"lane": "AB", "from_site": "A", "to_site": "B"}],
        "stock": [
            {"product": "COAT", "site": site, "units": 10.0, "happened_at": DAY - timedelta(days=3)} for site in "AB"
        ],
    }
    state = shop([{"units": 30.0, "resaleable": True, "site": "B"}], **places)
    assert position(state).on_hand_by_site == {("COAT", "A"): 10.0, ("COAT", "B"): 40.0}


@pytest.mark.parametrize(("resaleable", "told"), [([True, False], []), ([True, None, None], [2])])
def test_returns_that_do_not_say_it_are_told(resaleable: list[bool | None], told: list[int]) -> None:
    found = review(shop([{"units": 1.0, "resaleable": one} for one in resaleable]))
    assert [dict(f.found.params)["count"] for f in found if f.code == "idle_returns"] == told
