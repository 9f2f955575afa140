"""What the command balance says of one gap: what was not worked out is not claimed."""

from collections.abc import Mapping
from datetime import date
from typing import Any

import pytest

from datong.app.cli.terminal import need_words
from datong.app.wording.names import Names
from datong.model.settings import ChainSettings

WEEK, NEXT = date(2026, 1, 5), date(2026, 1, 12)
GAP: Mapping[str, Any] = {
    "product": "P",
    "bucket": WEEK,
    "late_units": 10.0,
    "lost_units": 0.0,
    "binding": "A",
    "binding_bucket": WEEK,
    "needed_unit": None,
    "needed_amount": None,
    "needed_days": None,
    "kept_for": None,
    "short_too": None,
    "fenced_until": None,
    "soonest_days": None,
    "soonest_start": None,
}


def told(language: str = "en", **of: object) -> str:
    return need_words({**GAP, **of}, Names({}), ChainSettings("t"), language)


@pytest.mark.parametrize(("beside", "names"), [(["B"], "B"), (["B", "C"], "B and C")])
def test_of_things_that_are_short_none_is_said_not_to_do_alone(beside: list[str], names: str) -> None:
    said = told(short_too=beside)
    assert f"A is short in the week of 2026-01-05, and {names} as well; whether more of one alone" in said
    assert "both" not in said and "would not serve" not in said
    assert "未经试算" in told("zh", short_too=beside)


def test_of_one_thing_it_is_not_said_that_more_would_not_do() -> None:
    assert "would not serve" not in told()
    assert "how much more of it would serve them was not tried" in told()


def test_a_release_fence_is_named_without_days_where_it_takes_none() -> None:
    fenced = {"binding": "", "binding_bucket": None, "fenced_until": NEXT, "soonest_start": NEXT, "soonest_days": 0}
    assert told(**fenced).endswith("it lies within the release fence: no new order starts before 2026-01-12.")
    assert told(**fenced | {"needed_days": 7}).count("asked for 7 days later") == 1
    assert "and it takes 3 days" in told(**fenced | {"soonest_days": 3})
    late = told(**fenced | {"fenced_until": None})
    assert "nothing can be there by then" in late and "fence" not in late
