"""Messages, which are texts not yet in a language."""

import pytest

from datong.model.words import message, say


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
