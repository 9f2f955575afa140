"""Routing steps (`recipe_steps`): a recipe whose product passes one line after the other.

Each step is a way of its own. What it brings is an in-between product, which is called by the step's code, goes into
the next step one for one, and lies in stock only as long as it waits for that; the last step brings the product:

    x(step k, t) <= what waits before it,     waits_k(t) = waits_k(t - 1) + x(step k, t - lead_k) - x(step k + 1, t)

So lines, lead times, lots and orders of a step are those of any recipe, and what is reported of its order is what waits
for the next one. What goes into the recipe goes into its first steps (those of the lowest sequence), and what names a
step into that. A step that takes another's place from a day on is one of the same sequence.
"""

from collections import defaultdict
from collections.abc import Container, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from itertools import pairwise

import pyarrow as pa

from datong.ledger.state import State
from datong.ledger.versions import Span, day_or_none, span, without
from datong.network.bills import Bills, ComponentUse
from datong.network.horizon import Row
from datong.network.places import unlike


class Routes:
    """The steps of a chain's recipes. recipes, steps: `State.versions` of `recipes` and `recipe_steps`."""

    def __init__(self, recipes: pa.Table, steps: pa.Table, products: Container[str]) -> None:
        self._product = dict(zip(*(recipes[name].to_pylist() for name in ("recipe", "product")), strict=True))
        self._steps: dict[str, list[tuple[Span, Row]]] = defaultdict(list)
        self._recipe: dict[str, str] = {}
        rows = [row for row in steps.to_pylist() if row["recipe"] in self._product and row["step"] not in self._product]
        for row in sorted(rows, key=lambda row: (row["sequence"], row["step"])):
            self._steps[row["recipe"]].append((span(row["valid_from"], row["valid_to"]), row))
            self._recipe[row["step"]] = row["recipe"]
        self._label = {step: unlike(step, products) for step in self._recipe if not self._is_last(step)}

    @classmethod
    def of(cls, state: State) -> "Routes":
        recipes, steps = state.versions("recipes"), state.versions("recipe_steps")
        if not steps.num_rows:
            return cls(recipes.slice(0, 0), steps, ())
        return cls(recipes, steps, set(state.table("products")["product"].to_pylist()))

    def _is_last(self, step: str) -> bool:
        """Whether no step of a higher sequence holds on any of its days."""
        every = self._steps[self._recipe[step]]
        mine = [(own, row["sequence"]) for own, row in every if row["step"] == step]
        return not any(
            row["sequence"] > sequence and other.first < own.after and own.first < other.after
            for own, sequence in mine
            for other, row in every
        )

    @cached_property
    def between(self) -> Mapping[str, str]:
        """In-between product -> the product that it becomes."""
        return {label: self._product[self._recipe[step]] for step, label in self._label.items()}

    def brings(self, product: str, recipe: str | None) -> str:
        """What an order of a product by a recipe or step brings."""
        return self._label.get(recipe or "", product)

    def recipe_of(self, code: str | None) -> str | None:
        """The recipe of a step; any other code as it is."""
        return self._recipe.get(code or "", code)

    def yields_as(self, code: str | None) -> str | None:
        """The recipe whose yield an order has: of the last step its recipe's; of one before it none."""
        return code if code in self._label else self.recipe_of(code)

    def last(self, recipe: str | None) -> str | None:
        """The last step of a recipe, as which an order of the whole recipe is planned; any other code as it is."""
        steps = self._steps.get(recipe or "")
        return steps[-1][1]["step"] if steps else recipe

    def place(self, code: str | None) -> tuple[int, int] | None:
        """The place of a step among those of its recipe, from 1, and how many there are; None: it is none."""
        if code not in self._recipe:
            return None
        every = self._steps[self._recipe[code]]
        sequence = next(row["sequence"] for _, row in every if row["step"] == code)
        order = sorted({row["sequence"] for _, row in every})
        return order.index(sequence) + 1, len(order)

    @cached_property
    def places(self) -> Mapping[str, tuple[int, int]]:
        """`place` of each step."""
        return {step: place for step in self._recipe if (place := self.place(step)) is not None}

    def rows(self, recipe: Row) -> list[Row]:
        """A row of `recipes` as those of its steps; itself where it has none."""
        steps = self._steps.get(recipe["recipe"])
        if not steps:
            return [recipe]
        whole, found = span(recipe["valid_from"], recipe["valid_to"]), []
        for own, step in steps:
            days = Span(max(own.first, whole.first), min(own.after, whole.after))
            if days.first >= days.after:
                continue
            is_last = step["step"] not in self._label
            scrap = recipe["setup_scrap_units"] if not self._lower(own, step) else 0.0
            mine = {name: step[name] for name in _OF_A_STEP} | {
                "recipe": step["step"],
                "route": recipe["recipe"],
                "cost_per_unit": step["cost_per_unit"] + (recipe["cost_per_unit"] if is_last else 0.0),
                "yield_share": recipe["yield_share"] if is_last else 1.0,
                "setup_scrap_units": step["setup_scrap_units"] + scrap,
                "calendar": step["calendar"] or recipe["calendar"],
                "valid_from": day_or_none(days.first),
                "valid_to": day_or_none(days.after),
            }
            found.append(recipe | mine)
        return found

    def bill(self, bills: Bills, product: str, recipe: str | None) -> tuple[ComponentUse, ...]:
        """What a unit started takes: of a step, with what the step before it brings; of a recipe with steps, all that
        goes into any of them."""
        if recipe not in self._recipe:
            return tuple(use for use, _ in self._whole(bills, product, recipe, {}))
        whole = bills.uses(product, self._recipe[recipe])
        parts, first = [], True
        for own, row in self._rows_of(recipe):
            before = self._before(own, row)
            parts += before
            first = first and not before
        if not first:  # only on the days of those of its rows that are
            days = [own for own, row in self._rows_of(recipe) if not self._before(own, row)]
            whole = tuple(cut for use in whole for own in days if (cut := _on_days(use, own)) is not None)
        return (*whole, *bills.own_uses(product, recipe), *_joined(parts))

    def bill_with_scrap(
        self, bills: Bills, product: str, recipe: str | None, scrap: Mapping[str, float]
    ) -> list[tuple[ComponentUse, float]]:
        """`bill`, each use with the units that set-ups of an order scrap and that take it. scrap: those of each recipe,
        at its first step, and of each step."""
        if recipe not in self._recipe:
            return self._whole(bills, product, recipe, scrap)
        is_first = any(not self._lower(own, row) for own, row in self._rows_of(recipe))
        units = scrap.get(recipe, 0.0) + (scrap.get(self._recipe[recipe], 0.0) if is_first else 0.0)
        return [(use, units) for use in self.bill(bills, product, recipe)]

    def _whole(
        self, bills: Bills, product: str, recipe: str | None, scrap: Mapping[str, float]
    ) -> list[tuple[ComponentUse, float]]:
        """All that goes into any step, each with what is scrapped at that one and at those after it, of steps of one
        sequence the one that scraps most."""
        at: dict[float, float] = {}
        steps = {row["step"]: row["sequence"] for _, row in self._steps.get(recipe or "", ())}
        for step, sequence in steps.items():
            at[sequence] = max(at.get(sequence, 0.0), scrap.get(step, 0.0))
        first = min(at, default=0.0)
        at[first] = at.get(first, 0.0) + scrap.get(recipe or "", 0.0)
        found = [(use, sum(at.values())) for use in bills.uses(product, recipe)]
        for step, sequence in steps.items():
            units = sum(scrapped for later, scrapped in at.items() if later >= sequence)
            found += [(use, units) for use in bills.own_uses(product, step)]
        return found

    def _rows_of(self, step: str) -> list[tuple[Span, Row]]:
        return [(own, row) for own, row in self._steps[self._recipe[step]] if row["step"] == step]

    def _lower(self, own: Span, row: Row) -> list[tuple[Span, Row]]:
        """Rows of lower sequence that hold on any of the days of a row."""
        every = self._steps[row["recipe"]]
        return [
            (other, lower)
            for other, lower in every
            if lower["sequence"] < row["sequence"] and other.first < own.after and own.first < other.after
        ]

    def _before(self, own: Span, row: Row) -> list[ComponentUse]:
        """What a step takes of the one before it, day by day the one of the next lower sequence that holds then. Where
        none holds any more, what still waits of the last that did; where none holds yet, of the next to come. So
        nothing is made of nothing. Of a step that has none before it on any of its days: nothing, it is the first."""
        lower = self._lower(own, row)
        if not lower:
            return []
        inside = {day for other, _ in lower for day in other if own.first < day < own.after}
        found: list[ComponentUse] = []
        for first, after in pairwise(sorted({*own, *inside})):
            there = [lower_row for other, lower_row in lower if other.first <= first and after <= other.after]
            over = [pair for pair in lower if pair[0].after <= first]
            if not there and over:
                there = [max(over, key=lambda pair: (pair[0].after, pair[1]["sequence"], pair[1]["step"]))[1]]
            elif not there:
                there = [min(lower, key=lambda pair: (pair[0].first, -pair[1]["sequence"], pair[1]["step"]))[1]]
            part = self._label[there[-1]["step"]]
            found.append(ComponentUse(part, 1.0, day_or_none(first), day_or_none(after)))
        return found

    def at_once(self) -> list[str]:
        """Steps that hold on a day on which another of their recipe and sequence does."""
        found = {
            step
            for rows in self._steps.values()
            for own, row in rows
            for other, beside in rows
            if row["sequence"] == beside["sequence"] and row["step"] != beside["step"]
            if own.first < other.after and other.first < own.after
            for step in (row["step"], beside["step"])
        }
        return sorted(found)

    def without_one_before(self, days: Span) -> dict[str, int]:
        """Steps that others come before, and the first of these days on which none of those holds."""
        found: dict[str, int] = {}
        for own, row in (pair for steps in self._steps.values() for pair in steps):
            lower = [other for other, _ in self._lower(own, row)]
            mine = Span(max(own.first, days.first), min(own.after, days.after))
            gaps = [gap.first for gap in without(mine, lower)] if lower and mine.first < mine.after else []
            if gaps:
                found[row["step"]] = min([*gaps, found.get(row["step"], gaps[0])])
        return found


def _on_days(use: ComponentUse, own: Span) -> ComponentUse | None:
    """A use on these days alone; None: there are none of them."""
    first, after = max(use.days.first, own.first), min(use.days.after, own.after)
    return replace(use, valid_from=day_or_none(first), valid_to=day_or_none(after)) if first < after else None


def _joined(uses: Sequence[ComponentUse]) -> list[ComponentUse]:
    """Uses in the order of their days, of which one that goes on where the same ends is one with it."""
    found: list[ComponentUse] = []
    for use in sorted(uses, key=lambda use: use.days):
        if found and found[-1].component == use.component and found[-1].days.after == use.days.first:
            found[-1] = replace(found[-1], valid_to=use.valid_to)
        else:
            found.append(use)
    return found


# Columns that a step has of its own, and its recipe says nothing of.
_OF_A_STEP = ("line", "hours_per_unit", "setup_hours", "setup_cost", "lead_days", "lead_in")
