"""Hours and prices by line and week, what is lost and for want of what, and a quote as a job."""

import time
from datetime import date

import pyarrow.compute as pc
import pytest

from datong.app.service.grids import Filter, Wanted
from datong.app.service.market import heat, in_the_way, lost, scarce, start_quote
from datong.app.service.roles_and_permissions import NotAllowed, Who
from datong.app.service.served_chain import Served
from datong.app.service.today import today
from datong.app.wording import figures
from datong.app.wording.late import cause_of
from datong.model.errors import NotFound, Refused

PLANNER = Who(1, "plan@works", "", ("planner",))
FACTORY = Who(3, "press@works", "", ("factory",), firm="F1")


def test_hours_and_prices_stand_by_line_and_week(served: Served) -> None:
    """The mill: 40 hours of A a week; the first two are full, and one more hour saves 19, then 20."""
    served.chain_thread.write("plan@works", lambda chain: chain.run())
    shown = heat(served, PLANNER)
    assert shown.lines == (("A", ""),)
    assert shown.buckets[0] == date(2026, 3, 2)
    rows = shown.cells.to_pylist()
    assert [(r["used_hours"], r["used_share"], r["price"]) for r in rows[:2]] == [(40, 1, 19), (40, 1, 20)]
    assert [r["used_share"] for r in rows[2:]] == [0, 0]
    dearest = scarce(served, PLANNER)[0]
    assert (dearest.what, dearest.name, dearest.highest, dearest.buckets) == ("line", "A", 20, 2)


def test_lost_demand_says_for_want_of_what(shop: Served) -> None:
    rows = lost(shop, PLANNER).rows.to_pylist()
    assert rows
    first = next(r for r in rows if r["product"] == "OIL" and r["market"] == "north")
    assert (first["name"], first["binding"], first["needed_unit"]) == ("Olive oil 橄榄油", "PRESS", "hour")
    assert first["late_units"] + first["lost_units"] == pytest.approx(2 * first["needed_amount"])  # half an hour a unit
    assert lost(shop, PLANNER, Wanted((Filter("market", "is", "south"),))).total < len(rows)
    found = in_the_way(shop, PLANNER)
    assert (found[0].name, found[0].unit) == ("PRESS", "hour")
    short = sum(r["late_units"] + r["lost_units"] for r in rows if r["binding"] == "PRESS")
    assert found[0].units == pytest.approx(short, rel=0.02)  # less than half a unit each is not listed


def test_a_quote_is_a_job_with_its_price_and_ways(shop: Served) -> None:
    job = start_quote(shop, PLANNER, "OIL", 30, date(2026, 3, 20), "north")
    for _ in range(3000):
        job = shop.jobs.job(PLANNER, job.job)
        if not job.is_open:
            break
        time.sleep(0.01)
    assert job.state == "done", job.error
    assert job.result is not None
    told = job.result["summary"]
    direct = shop.chain_thread.read(lambda chain: chain.quote("OIL", "2026-03-20", 30, market="north"))
    assert told["money"] == pytest.approx(direct.summary["money"])
    assert (told["product"], told["units"], told["due"]) == ("OIL", 30, "2026-03-20")


def test_what_cannot_be_quoted_says_so(shop: Served) -> None:
    with pytest.raises(NotFound, match="OIL"):
        start_quote(shop, PLANNER, "OIK", 30, date(2026, 3, 20))
    for units in (0, -1, float("inf"), float("nan")):
        with pytest.raises(Refused):
            start_quote(shop, PLANNER, "OIL", units, date(2026, 3, 20))


def test_a_firm_sees_nothing_of_the_market(shop: Served) -> None:
    for task in (heat, scarce, lost, in_the_way):
        with pytest.raises(NotAllowed):
            task(shop, FACTORY)
    with pytest.raises(NotAllowed):
        start_quote(shop, FACTORY, "OIL", 1, date(2026, 3, 20))


def test_the_causes_of_what_is_late_are_those_of_today_and_add_up(shop: Served) -> None:
    """Market, Today and the report work the causes out by one rule, and no unit is without one."""
    gaps = shop.chain_thread.read(lambda chain: chain.kept_run()).tables["gaps"]
    short = pc.sum(pc.add(gaps["late_units"], gaps["lost_units"])).as_py()
    found = in_the_way(shop, PLANNER)
    assert sum(one.units for one in found) == pytest.approx(short, abs=0.1)
    assert len({one.cause for one in found}) > 1
    sentence = today(shop, PLANNER).week["en"][2]
    for one in found[:3]:
        assert figures.fitting(one.units) in sentence
    every = lost(shop, PLANNER, Wanted(count=200)).rows.to_pylist()
    rows = {(r["product"], r["market"], r["bucket"]): r for r in every}
    late = today(shop, PLANNER).late
    compared = [(row, rows.get((row["product"], row["market"], row["due_in"]))) for row in late]
    assert any(there is not None for _, there in compared)
    for row, there in compared:
        if there is not None:
            assert cause_of(row)[0] == cause_of(there)[0]
            assert row["cause"]["zh"]
