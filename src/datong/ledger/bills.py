"""Bills of materials: what a unit started of a product takes, by one of its recipes, on a day."""

from collections import defaultdict
from collections.abc import Container
from dataclasses import dataclass
from datetime import date
from itertools import pairwise

import pyarrow as pa

from datong.ledger.versions import EVER, Span, span, without


@dataclass(frozen=True, slots=True)
class ComponentUse:
    """Units of a component that one unit started takes, scrap included, while it is valid."""

    component: str
    units_per_unit: float
    valid_from: date | None
    valid_to: date | None


@dataclass(frozen=True, slots=True)
class Part:
    """A component, its units for one unit started (scrap included), and the days on which it is so."""

    component: str
    units_per_unit: float
    days: Span


class Bills:
    """The bills of a chain. components: `State.versions` of that table; known: of other components nothing is taken."""

    def __init__(self, components: pa.Table, known: Container[str]) -> None:
        self._rows: dict[tuple[str, str | None], dict[str, list[Part]]] = defaultdict(lambda: defaultdict(list))
        names = ("product", "recipe", "component", "units_per_unit", "scrap_share", "valid_from", "valid_to")
        columns = (components[name].to_pylist() for name in names)
        for product, recipe, component, units, scrap, valid_from, valid_to in zip(*columns, strict=True):
            if component in known:
                part = Part(component, units / (1.0 - scrap), span(valid_from, valid_to))
                self._rows[product, recipe][component].append(part)
        self._for_all: dict[str, tuple[Part, ...]] = {}

    def parts(self, product: str, recipe: str | None) -> tuple[Part, ...]:
        """What a recipe (None: any that has no rows of its own) takes, by component and day, each once on a day.

        What is said of the recipe holds before what is said of all recipes of the product.
        """
        if recipe is None or (product, recipe) not in self._rows:
            if product not in self._for_all:
                rows = self._rows.get((product, None), {})
                self._for_all[product] = tuple(part for name in sorted(rows) for part in rows[name])
            return self._for_all[product]
        own, for_all = self._rows[product, recipe], self._rows.get((product, None), {})
        found = []
        for name in sorted({*own, *for_all}):
            mine = own.get(name, [])
            theirs = [
                Part(name, part.units_per_unit, days)
                for part in for_all.get(name, [])
                for days in without(part.days, [m.days for m in mine])
            ]
            found += sorted([*mine, *theirs], key=lambda part: part.days)
        return tuple(found)

    def over_time(self, product: str, recipe: str, days: Span) -> list[tuple[Span, tuple[ComponentUse, ...]]]:
        """The bill of a recipe on these days, in the spans in which it does not change.

        Days on which nothing of it holds while some of it is still to come are left out: nothing is made of nothing for
        as long as it waits for its bill. Once the last row has ended, it takes nothing. One span at least comes back,
        which may have no days.
        """
        every = self.parts(product, recipe)
        parts = [p for p in every if p.days.first < days.after and days.first < p.days.after]
        last_begins = max((p.days.first for p in every), default=EVER)
        cuts = {day for part in parts for day in part.days if days.first < day < days.after}
        edges = sorted({*days, *cuts})
        found: list[tuple[Span, tuple[ComponentUse, ...]]] = []
        for first, after in pairwise(edges):
            holding = (p for p in parts if p.days.first <= first and after <= p.days.after)
            uses = tuple(ComponentUse(p.component, p.units_per_unit, None, None) for p in holding)
            if not uses and after <= last_begins:
                continue
            if found and found[-1][0].after == first and found[-1][1] == uses:
                found[-1] = (Span(found[-1][0].first, after), uses)
            else:
                found.append((Span(first, after), uses))
        return found or [(Span(days.first, max(days.first, EVER + 1)), ())]
