"""Parts of a page that stay as they are, and what becomes of one that cannot be built."""

from collections.abc import Iterator

import pytest
from nicegui import Client as Page
from nicegui import ui
from nicegui.page import page

from datong.app.web.kept_parts import KeptParts, Part


@pytest.fixture
def place() -> Iterator[ui.element]:
    with Page(page("/parts"), request=None) as client:
        yield ui.element("div")
    client.delete()


def part(key: str, text: str, raises: bool = False) -> Part:
    def build() -> None:
        ui.label(text)
        if raises:
            raise ValueError(f"{key} of {text}")

    return Part(key, text, build)


def shown(place: ui.element) -> list[list[str]]:
    return [[label.text for label in box.default_slot.children] for box in place.default_slot.children]


def test_what_did_not_change_stays(place: ui.element) -> None:
    parts = KeptParts(place)
    parts.draw([part("a", "1"), part("b", "1")])
    (of_a, _of_b) = place.default_slot.children
    parts.draw([part("b", "2"), part("a", "1")])
    assert shown(place) == [["2"], ["1"]]
    assert place.default_slot.children[1] is of_a


def test_one_that_cannot_be_built_is_not_shown_as_it_was(place: ui.element) -> None:
    """The others are drawn all the same, what went wrong is told, and the next drawing finds nothing left over."""
    parts = KeptParts(place)
    parts.draw([part("a", "1"), part("b", "1"), part("c", "1")])
    with pytest.raises(ValueError, match="a of 2"):
        parts.draw([part("a", "2", raises=True), part("b", "2"), part("c", "1")])
    assert shown(place) == [["2"], ["1"]]
    with pytest.raises(ExceptionGroup) as told:
        parts.draw([part("a", "3", raises=True), part("b", "3", raises=True), part("c", "1")])
    assert [str(error) for error in told.value.exceptions] == ["a of 3", "b of 3"]
    assert shown(place) == [["1"]]
    parts.draw([part("a", "4"), part("b", "4")])
    assert shown(place) == [["4"], ["4"]]
