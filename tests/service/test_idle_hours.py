"""What a firm's own lines have free, and what it would earn, by its own rows of the last plan."""

from pathlib import Path

import pytest

from datong.app.service.idle_hours import idle_hours
from datong.app.service.roles_and_permissions import NotAllowed
from datong.app.service.served_chain import serve
from datong.model.errors import NotFound
from mill import write
from service.conftest import QUICK, Clock
from two_firms import FILES, MILL, PRESS, SEEDS, person, two_firms_given_out


def test_free_hours_are_of_own_lines_and_counted_at_what_the_plan_counts_for_their_work(
    tmp_path: Path, clock: Clock
) -> None:
    """The mill: 40 hours a week for four weeks and 85 of P to make; a unit takes an hour and costs 10. So 75 hours are
    free, at 10 an hour 750. The press makes 7 of Q at 5 an hour: 160 - 7 = 153 hours are free; a
    week later, when the first, with all the work in it, is over, 120 and 600."""
    served = serve(two_firms_given_out(tmp_path / "mill", clock), None, clock, hasher=QUICK)
    try:
        own = idle_hours(served, person(served, "miller", MILL))
        assert [week.free_hours for week in own.weeks] == pytest.approx([0, 0, 35, 40])
        assert own.money_per_hour == pytest.approx(10) and own.would_earn_money == pytest.approx(750)
        clock.later(days=7)
        later = idle_hours(served, person(served, "miller2", MILL))
        assert ([week.free_hours for week in later.weeks], later.over) == (pytest.approx([0, 35, 40]), 1)
        press = idle_hours(served, person(served, "press", PRESS))
        assert press.free_hours == pytest.approx(120) and press.would_earn_money == pytest.approx(600)
        with pytest.raises(NotFound):
            idle_hours(served, person(served, "seeds", SEEDS))
        clock.later(days=28)
        with pytest.raises(NotFound, match="over by 2026-04-06"):
            idle_hours(served, person(served, "miller3", MILL))
        with pytest.raises(NotAllowed):
            idle_hours(served, person(served, "planner", None, ("planner",)))
    finally:
        served.close()


def test_without_a_plan_it_says_so(tmp_path: Path, clock: Clock) -> None:
    served = serve(write(tmp_path / "mill", **FILES), None, clock, hasher=QUICK)
    try:
        with pytest.raises(NotFound):
            idle_hours(served, person(served, "miller", MILL))
    finally:
        served.close()
