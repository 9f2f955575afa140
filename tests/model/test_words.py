"""Messages, which are texts not yet in a language."""

import pytest

from datong.app.wording.figures import fitting
from datong.model.words import message, say, shown


def test_messages_of_one_kind_share_the_names_of_their_places() -> None:
    """A plan of a large chain has millions of places."""
    one, other = message("order.due", due=1, units=2), message("order.due", due=3, units=4)
    assert one.names is other.names
    assert (one.params, other.params) == ((("due", 1), ("units", 2)), (("due", 3), ("units", 4)))


@pytest.mark.parametrize(
    ("key", "number", "one", "two"),
    [
        ("terminal.orders", "count", "The 1 order that matters most, of 9", "The 2 orders that matter most, of 9"),
        ("plan.set_up_hours", "hours", "1 hour of set-up", "2 hours of set-up"),
        ("report.market.hours", "hours", "1 hour", "2 hours"),
    ],
)
def test_one_is_no_several(key: str, number: str, one: str, two: str) -> None:
    assert [say(key, "en", all=9, **{number: n}) for n in (1, 2)] == [one, two]


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (160.0, "160"),
        (160.5, "160.5"),
        (1_203.3, "1,203.3"),
        (160.25, "160.25"),
        (41.35, "41.4"),
        (41.25, "41.25"),
        (1_780.905, "1,781"),
        (133.3333, "133"),
        (99.99999999, "100"),
        (0.4567, "0.46"),
        (-160.5, "-160.5"),
    ],
)
def test_units_in_parts_are_shown_as_they_are(value: float, told: str) -> None:
    """In sentences and in tables alike: 160.5 of a plan were 160 and 161 to those who added them up."""
    assert fitting(value) == told
    assert f"{shown(value):,.10g}" == told
