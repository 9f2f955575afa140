"""Why "needed by" can stand before "due"."""

from datetime import date, timedelta

import pytest

from datong.app.wording.after_need import after_need
from datong.model.settings import ChainSettings

WEEKS = ChainSettings("t").calendar
MONDAY = date(2026, 3, 2)


def told(needed: date | None, due: date, language: str = "en") -> str:
    return after_need({"needed_by": needed, "due": due}, WEEKS, language)


def test_a_later_week_is_late_and_a_later_day_of_the_week_is_not() -> None:
    late = told(MONDAY + timedelta(days=2), MONDAY + timedelta(days=11))
    assert late == (
        "Wanted by 2026-03-04, but there only on 2026-03-13, 9 days later: whoever waits for it is served late."
    )
    assert "1 day later" in told(MONDAY + timedelta(days=6), MONDAY + timedelta(days=7))
    assert told(MONDAY, MONDAY + timedelta(days=4)).endswith("in the same week, and by the week it is on time.")
    assert "晚 9 天" in told(MONDAY + timedelta(days=2), MONDAY + timedelta(days=11), "zh")


@pytest.mark.parametrize("needed", [None, MONDAY, MONDAY + timedelta(days=1)])
def test_what_is_there_by_the_day_needs_no_word(needed: date | None) -> None:
    assert told(needed, MONDAY) == ""
