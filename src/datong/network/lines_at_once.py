"""Lines, tools and operators that a recipe holds at once (`recipe_lines`), by the days on which its rows hold."""

from collections import defaultdict
from dataclasses import dataclass
from itertools import pairwise

import pyarrow as pa

from datong.ledger.versions import Span, span
from datong.network.horizon import Row


@dataclass(frozen=True, slots=True)
class OnLine:
    """A line, a tool or an operator that a way holds as long as it works."""

    # Key of `line_hours`.
    line: str
    # Its hours for a unit started.
    hours_per_unit: float
    # Its hours for each order.
    setup_hours: float


class RecipeLines:
    """What recipes hold. rows: `State.versions` of recipe_lines."""

    def __init__(self, rows: pa.Table) -> None:
        self._rows: dict[str | None, list[tuple[Span, Row]]] = defaultdict(list)
        for row in sorted(rows.to_pylist(), key=lambda row: (row["recipe"], row["line"])):
            self._rows[row["recipe"]].append((span(row["valid_from"], row["valid_to"]), row))

    def over_time(self, recipe: Row, days: Span) -> list[tuple[Span, tuple[OnLine, ...]]]:
        """All that a recipe works on, its own line first, in the spans of these days in which it does not change.

        A row of its own line says its hours there; one of a routing step goes before one of its recipe. Without a line
        of its own the first by name takes its place.
        """
        rows = [*self._rows.get(recipe.get("route"), []), *self._rows.get(recipe["recipe"], [])]
        cuts = {day for own, _ in rows for day in own if days.first < day < days.after}
        found: list[tuple[Span, tuple[OnLine, ...]]] = []
        for first, after in pairwise(sorted({*days, *cuts})):
            held = {} if recipe["line"] is None else {recipe["line"]: _own(recipe)}
            held |= {row["line"]: _told(recipe, row) for own, row in rows if own.first <= first and after <= own.after}
            found.append((Span(first, after), tuple(held.values())))
        return found or [(days, () if recipe["line"] is None else (_own(recipe),))]


def _own(recipe: Row) -> OnLine:
    return OnLine(recipe["line"], recipe["hours_per_unit"], recipe["setup_hours"])


def _told(recipe: Row, row: Row) -> OnLine:
    """What a row says, each figure that it leaves out as its share of the recipe's."""
    hours, setup = (
        row["share"] * recipe[name] if row[name] is None else row[name] for name in ("hours_per_unit", "setup_hours")
    )
    return OnLine(row["line"], hours, setup)
