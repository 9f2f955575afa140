"""An order that a planner changed by hand and has not given out: locked, and still proposed."""

from datetime import date
from pathlib import Path

import pytest

from datong.app.chain import Chain
from mill import write

ORDER = "order,kind,product,recipe,line,units,start,due,locked\nW1,make,P,P/1,A,30,2026-03-02,2026-03-06,{locked}\n"
EVENT = "order,state,happened_at\nW1,proposed,2026-03-01\n"


@pytest.mark.parametrize(("locked", "to_come"), [("true", 30.0), ("false", None)])
def test_a_locked_proposal_is_counted_on_and_another_systems_is_not(
    tmp_path: Path, locked: str, to_come: float | None
) -> None:
    """30 of P lie in the week of 2 March on 40 hours, so that at most 10 more are planned there by A."""
    folder = write(tmp_path / "mill", orders_csv=ORDER.format(locked=locked), order_events_csv=EVENT)
    with Chain(folder) as chain:
        run = chain.run()
    kept = run.tables["kept"].to_pylist()
    assert [k["to_come_units"] for k in kept] == ([] if to_come is None else [to_come])
    first_week = [o for o in run.orders.arrow.to_pylist() if o["line"] == "A" and o["start"] < date(2026, 3, 9)]
    hours = sum(o["units"] for o in first_week) + (to_come or 0.0)
    assert hours <= 40.0
    made = sum(o["units"] for o in run.orders.arrow.to_pylist() if o["product"] == "P")
    assert made == 85.0 - (to_come or 0.0)
