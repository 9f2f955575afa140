"""Messages, which are texts not yet in a language."""

from datong.model.words import message


def test_messages_of_one_kind_share_the_names_of_their_places() -> None:
    """A plan of a large chain has millions of places."""
    one, other = message("order.due", due=1, units=2), message("order.due", due=3, units=4)
    assert one.names is other.names
    assert (one.params, other.params) == ((("due", 1), ("units", 2)), (("due", 3), ("units", 4)))
