"""Where making costs nothing, a plan that makes what only goes bad is as cheap as one that does not."""

from datetime import timedelta

from datong.cycle import decide, head
from datong.model.flow import nothing_learnt
from small_chain import MONDAY, chain, press


def test_no_lot_is_made_only_to_go_bad() -> None:
    """Lots of 10, a day each, made at no cost and kept for two days: of 40 that are wanted in the tenth bucket 10 are a
    day late, and nothing is made for the time before."""
    tables = press(min_lot_units=10.0, lot_multiple_units=10.0, cost_per_unit=0.0)
    tables["products"] = [{"product": "A", "price": 100.0, "shelf_life_days": 14.0}]
    tables["demand"] = [{"demand": "D", "product": "A", "due": MONDAY + timedelta(weeks=9), "units": 40.0}]
    state = chain(12, {"max_late_days": 99}, **tables)
    found = decide(head(state, nothing_learnt(), 0)).clearing
    started = {(r["start"] - MONDAY).days // 7: r["units"] for r in found.quantities.to_pylist()}
    assert started == {7: 10.0, 8: 10.0, 9: 10.0, 10: 10.0}
