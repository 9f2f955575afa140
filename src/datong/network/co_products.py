"""Co-products and by-products (`recipe_outputs`): what a lot of a recipe yields besides its own product.

    came(q, t) = sum over recipes w that yield q of  units(w, q) x(w, t - lead_w)     x: units started, good or scrapped

So many come, wanted or not: what nobody takes lies in stock. What a start costs with its components, C, is borne by all
that comes of it, each by its part of their value (sales value at split-off; Horngren, Datar and Rajan 2012, chapter
16). With v prices, y the yield of the recipe's own product p, and V = y v(p) + sum of units(q) v(q),

    cost of a unit of p = C v(p) / V,     of a unit of q = C v(q) / V,

which come to C in all. The market does not look at these: it pays C for a start. They are what defaults and yardsticks
take a unit to cost. A recipe with steps yields what its rows say at its last step; a row that names a step, at that.
"""

from collections import defaultdict
from collections.abc import Container, Mapping
from dataclasses import dataclass
from itertools import pairwise

import pyarrow as pa

from datong.ledger.versions import Span, span
from datong.network.routes import Routes


@dataclass(frozen=True, slots=True)
class Output:
    """What comes of a way besides its product."""

    # The product, or the label of its stock point.
    product: str
    # Units of it for a unit started.
    units_per_unit: float
    # The part of what a start costs that it bears.
    share: float = 0.0


class RecipeOutputs:
    """What recipes yield. rows: `State.versions` of recipe_outputs; known: of other products nothing comes."""

    def __init__(self, rows: pa.Table, routes: Routes, known: Container[str]) -> None:
        self._routes = routes
        self._rows: dict[str, list[tuple[Span, str, float]]] = defaultdict(list)
        for row in sorted(rows.to_pylist(), key=lambda row: (row["recipe"], row["product"])):
            if row["product"] in known:
                days = span(row["valid_from"], row["valid_to"])
                self._rows[row["recipe"]].append((days, row["product"], row["units_per_unit"]))

    def over_time(self, product: str, code: str, days: Span) -> list[tuple[Span, dict[str, float]]]:
        """What an order of a product by a recipe or step yields besides, product -> units for a unit started, in the
        spans of these days in which that does not change."""
        rows = [row for row in self._of(product, code) if row[1] != product]
        cuts = {day for own, _, _ in rows for day in own if days.first < day < days.after}
        found: list[tuple[Span, dict[str, float]]] = []
        for first, after in pairwise(sorted({*days, *cuts})):
            units: dict[str, float] = defaultdict(float)
            for own, other, each in rows:
                if own.first <= first and after <= own.after:
                    units[other] += each
            found.append((Span(first, after), dict(units)))
        return found or [(days, {})]

    def _of(self, product: str, code: str) -> list[tuple[Span, str, float]]:
        """The rows of a recipe or step, of its last step with those of the recipe."""
        recipe = self._routes.recipe_of(code)
        is_last = recipe is not None and recipe != code and self._routes.brings(product, code) == product
        return [*self._rows.get(code, ()), *(self._rows.get(recipe or "", ()) if is_last else ())]


def with_shares(
    units: Mapping[str, float], product: str, yield_share: float, prices: Mapping[str, float]
) -> tuple[Output, ...]:
    """What comes besides a product, each with its part of what a start costs. units: product -> units for a unit
    started; prices: money per unit. Where nothing is worth anything, the product itself bears all."""
    value = {other: each * prices.get(other, 0.0) for other, each in units.items()}
    total = yield_share * prices.get(product, 0.0) + sum(value.values())
    return tuple(
        Output(other, each, value[other] / total if total > 0 else 0.0) for other, each in sorted(units.items())
    )
