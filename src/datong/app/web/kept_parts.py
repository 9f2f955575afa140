"""A place of a page that is drawn again and again, where what did not change stays as it is.

An element that is taken away and made anew is another one: a press that is on its way finds nobody, and what was typed
in it is gone."""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any

from nicegui import ui


@dataclass(frozen=True)
class Part:
    """key: names it among its siblings. content: all that what it shows and does depends on. build: puts it there."""

    key: Hashable
    content: object
    build: Callable[[], Any]


class KeptParts:
    """The parts within an element, each in an element of its own. tag, classes: of those."""

    def __init__(self, place: ui.element, tag: str = "div", classes: str = "") -> None:
        self.place, self.tag, self.classes = place, tag, classes
        self.there: dict[Hashable, tuple[object, ui.element]] = {}

    def draw(self, parts: Sequence[Part]) -> None:
        """Show these, in their order: those whose content is new or changed are built, the others stay. One that cannot
        be built is not shown, neither as it was; what it raised is raised when the others are there."""
        before, self.there = self.there, {}
        failed: list[Exception] = []
        for part in parts:
            content, box = before.pop(part.key, (None, None))
            if box is None or content != part.content:
                if box is not None:
                    box.delete()
                try:
                    box = self._built(part)
                except Exception as error:
                    failed.append(error)
                    continue
            self.there[part.key] = (part.content, box)
        for _content, box in before.values():
            box.delete()
        for at, (_content, box) in enumerate(self.there.values()):
            if self.place.default_slot.children[at] is not box:
                box.move(self.place, at)
        if failed:
            raise failed[0] if len(failed) == 1 else ExceptionGroup("parts that cannot be built", failed)

    def _built(self, part: Part) -> ui.element:
        """The part in an element of its own; that goes again where it cannot be built."""
        with self.place, ui.element(self.tag).classes(self.classes) as box:
            try:
                part.build()
            except Exception:
                box.delete()
                raise
        return box

    def draw_one(self, content: object, build: Callable[[], Any]) -> None:
        """Show one thing alone."""
        self.draw([Part("", content, build)])
