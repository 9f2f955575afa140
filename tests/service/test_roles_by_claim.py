"""Which roles the values of a claim give together."""

import pytest

from datong.app.service.roles_and_permissions import NotSignedIn
from datong.app.service.roles_by_claim import Given, roles_by_claim

GIVEN = {
    "plan": Given(("planner",)),
    "boss": Given(("administrator", "planner")),
    "north": Given(("factory",), "F1"),
    "south": Given(("factory",), "F2"),
}


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("plan", Given(("planner",))),
        (["plan", "boss", "cooks"], Given(("administrator", "planner"))),
        (["plan", "north"], Given(("factory", "planner"), "F1")),
        (["cooks"], None),
        (None, None),
        ({"plan": True}, None),
    ],
)
def test_values_give_their_roles_together_and_unknown_ones_nothing(said: object, expected: Given | None) -> None:
    assert roles_by_claim(said, GIVEN) == expected


def test_nobody_is_of_two_firms() -> None:
    with pytest.raises(NotSignedIn, match="F1, F2"):
        roles_by_claim(["south", "north"], GIVEN)
