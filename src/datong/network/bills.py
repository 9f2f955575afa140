"""Bills of materials: what a unit started of a product takes, by one of its recipes, on a day."""

from collections import defaultdict
from collections.abc import Container
from dataclasses import dataclass, replace
from datetime import date
from itertools import pairwise

import pyarrow as pa
import pyarrow.compute as pc

from datong.ledger.products_held_back import PHANTOM
from datong.ledger.state import State
from datong.ledger.versions import ALWAYS, EVER, Span, day_or_none, span, without


@dataclass(frozen=True, slots=True)
class ComponentUse:
    """Units of a component that one unit started takes, scrap included, while it is valid."""

    component: str
    units_per_unit: float
    valid_from: date | None
    valid_to: date | None
    # Of alternatives: their group, and the one that it stands for.
    group: str | None = None
    member: str | None = None
    # Money per unit started where this one is taken.
    cost: float = 0.0
    # Units of it that each order takes, whatever its size.
    per_lot: float = 0.0

    @property
    def days(self) -> Span:
        return span(self.valid_from, self.valid_to)


def phantoms(state: State) -> frozenset[str]:
    """Products that are never stocked nor ordered."""
    products = state.table("products")
    return frozenset(products["product"].filter(pc.equal(products["kind"], PHANTOM)).to_pylist())


class Bills:
    """The bills of a chain. components: `State.versions` of that table; known: of other components nothing is taken.

    phantoms: products that are never stocked nor ordered (`products.kind`): what takes one takes its components,

        units(parent, part) = units(parent, phantom) x units(phantom, part)     on the days on which both hold.
    """

    def __init__(self, components: pa.Table, known: Container[str], phantoms: Container[str] = ()) -> None:
        self._phantoms = phantoms
        self._rows: dict[tuple[str, str | None], dict[str, list[ComponentUse]]] = defaultdict(dict)
        names = ("product", "recipe", "component", "units_per_unit", "scrap_share", "valid_from", "valid_to")
        columns = (
            components[name].to_pylist()
            for name in (*names, "alternate_group", "alternate_cost_per_unit", "units_per_lot")
        )
        for product, recipe, component, units, scrap, valid_from, valid_to, group, cost, lot in zip(
            *columns, strict=True
        ):
            if component in known:
                use = ComponentUse(component, units / (1.0 - scrap), valid_from, valid_to)
                if lot:
                    use = replace(use, per_lot=lot / (1.0 - scrap))
                if group is not None:
                    use = replace(use, group=group, member=component, cost=cost)
                self._rows[product, recipe].setdefault(component, []).append(use)
        self._for_all: dict[str, tuple[ComponentUse, ...]] = {}

    def uses(self, product: str, recipe: str | None) -> tuple[ComponentUse, ...]:
        """What a recipe (None: any that has no rows of its own) takes, by component and day, each once on a day.

        What is said of the recipe holds before what is said of all recipes of the product.
        """
        return self._through(self._said(product, recipe))

    def _through(self, uses: tuple[ComponentUse, ...], above: tuple[str, ...] = ()) -> tuple[ComponentUse, ...]:
        """What is taken in place of phantoms. above: those that it is for; what goes into itself takes nothing."""
        if not any(use.component in self._phantoms for use in uses):
            return uses
        found: list[ComponentUse] = []
        for use in uses:
            if use.component not in self._phantoms:
                found.append(use)
            elif use.component not in above:
                parts = self._through(self._said(use.component, None), (*above, use.component))
                found += [both for part in parts if (both := _in_place_of(use, part)) is not None]
        return tuple(found)

    def _said(self, product: str, recipe: str | None) -> tuple[ComponentUse, ...]:
        """`uses` by the rows themselves."""
        if recipe is None or (product, recipe) not in self._rows:
            if product not in self._for_all:
                rows = self._rows.get((product, None), {})
                self._for_all[product] = tuple(use for name in sorted(rows) for use in rows[name])
            return self._for_all[product]
        own, for_all = self._rows[product, recipe], self._rows.get((product, None), {})
        found: list[ComponentUse] = []
        for name in sorted({*own, *for_all}):
            mine = own.get(name, [])
            theirs = [
                replace(use, valid_from=day_or_none(days.first), valid_to=day_or_none(days.after))
                for use in for_all.get(name, [])
                for days in without(use.days, [m.days for m in mine])
            ]
            found += sorted([*mine, *theirs], key=lambda use: use.days)
        return tuple(found)

    def own_uses(self, product: str, recipe: str) -> tuple[ComponentUse, ...]:
        """What is said of the recipe alone."""
        rows = self._rows.get((product, recipe), {})
        return self._through(tuple(use for name in sorted(rows) for use in rows[name]))

    def over_time(self, product: str, recipe: str, days: Span) -> list[tuple[Span, tuple[ComponentUse, ...]]]:
        """`bill_over_time` of a recipe."""
        return bill_over_time(self.uses(product, recipe), days)


def _in_place_of(phantom: ComponentUse, part: ComponentUse) -> ComponentUse | None:
    """What of a phantom's part is taken; None: there is no day on which both hold."""
    days = Span(max(phantom.days.first, part.days.first), min(phantom.days.after, part.days.after))
    if days.first >= days.after:
        return None
    units = phantom.units_per_unit * part.units_per_unit
    per_lot = phantom.per_lot * part.units_per_unit + part.per_lot
    use = ComponentUse(part.component, units, day_or_none(days.first), day_or_none(days.after), per_lot=per_lot)
    if phantom.group is not None:  # all of it is taken, or nothing
        return replace(use, group=phantom.group, member=phantom.member, cost=phantom.cost)
    if part.group is None:
        return use
    cost = phantom.units_per_unit * part.cost
    return replace(use, group=f"{phantom.component}/{part.group}", member=part.member, cost=cost)


def summed(uses: tuple[ComponentUse, ...]) -> tuple[ComponentUse, ...]:
    """Each component once on the same days: what is said of it in several places is taken together."""
    found: dict[ComponentUse, tuple[float, float]] = {}
    for use in uses:
        key = replace(use, units_per_unit=0.0, per_lot=0.0)
        each, per_lot = found.get(key, (0.0, 0.0))
        found[key] = each + use.units_per_unit, per_lot + use.per_lot
    if len(found) == len(uses):
        return uses
    return tuple(replace(use, units_per_unit=each, per_lot=per_lot) for use, (each, per_lot) in found.items())


def group_label(recipe: str, group: str) -> str:
    """What a recipe takes of a group of alternatives goes by."""
    return f"{recipe}/{group}"


def bill_over_time(every: tuple[ComponentUse, ...], days: Span) -> list[tuple[Span, tuple[ComponentUse, ...]]]:
    """A bill on these days, in the spans in which it does not change: there it is always valid.

    Days on which nothing of it holds while some of it is still to come are left out: nothing is made of nothing for
    as long as it waits for its bill. Once the last row has ended, it takes nothing. One span at least comes back,
    which may have no days.
    """
    dated = [(use.days, use) for use in every]
    if all(own is ALWAYS for own, _ in dated):
        return [(days, every)]
    inside = [(own, use) for own, use in dated if own.first < days.after and days.first < own.after]
    last_begins = max(own.first for own, _ in dated)
    cuts = {day for own, _ in inside for day in own if days.first < day < days.after}
    found: list[tuple[Span, tuple[ComponentUse, ...]]] = []
    for first, after in pairwise(sorted({*days, *cuts})):
        there = (use for own, use in inside if own.first <= first and after <= own.after)
        uses = tuple(replace(use, valid_from=None, valid_to=None) for use in there)
        if not uses and after <= last_begins:
            continue
        if found and found[-1][0].after == first and found[-1][1] == uses:
            found[-1] = (Span(found[-1][0].first, after), uses)
        else:
            found.append((Span(first, after), uses))
    return found or [(Span(days.first, max(days.first, EVER + 1)), ())]
