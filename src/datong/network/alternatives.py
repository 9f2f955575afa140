"""Alternate components (`components.alternate_group`): of a group one is taken, or some of each.

What a unit takes of a group is a product of its own that lies nowhere: a unit of it comes of each alternative,

    x(w, t) = sum over alternatives c of group g of  pick(w, g, c, t),
    used(c, t) = sum over w and g of  units(w, c) pick(w, g, c, t),

at the cost that the alternative adds. A pick is a way without hours and lead time, which is no order; so search, HiGHS,
bound and referee know alternatives as they know components, and a group of three and two of two are seven picks, not
twelve recipes. Each version of a recipe or of its bill has a product of its own for a group: what is taken under one is
not what another takes. A pick stays open when its version has ended, for orders that were given out under that.
"""

import math
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from datong.network.bills import ComponentUse, group_label
from datong.network.economics import Economics
from datong.network.places import unlike
from datong.network.ways import Way


@dataclass(frozen=True, slots=True)
class Group:
    """A group of alternatives of one version of a recipe."""

    # The product that the recipe makes.
    product: str
    # What orders that are out call it, whichever version they are of.
    name: str


def with_picks(ways: Sequence[Way], taken: Collection[str]) -> tuple[tuple[Way, ...], dict[str, Group]]:
    """The ways, each with one use for each group of alternatives, and the picks; and the groups, by the name of what is
    taken of them. taken: names that are no group's."""
    found: list[Way] = []
    groups: dict[str, Group] = {}
    names = set(taken)
    for way in ways:
        members: dict[str, dict[str, list[ComponentUse]]] = defaultdict(lambda: defaultdict(list))
        for use in way.uses:
            if use.group is not None and use.member is not None:
                members[use.group][use.member].append(use)
        plain, picks = [_taken(use) for use in way.uses if use.group is None], []
        cost, setup_cost, per_lot = way.cost_per_unit, way.setup_cost, dict(way.lot_uses)
        for group, of_group in members.items():
            if len(of_group) == 1:  # nothing to choose on these days
                (only,) = of_group.values()
                plain += [_taken(use) for use in only]
                cost += only[0].cost
                setup_cost += only[0].cost * _scrapped(only)
                for use in only:
                    per_lot[use.component] = per_lot.get(use.component, 0.0) + use.per_lot
                continue
            names.add(label := unlike(group_label(way.name, group), names))
            plain.append(ComponentUse(label, 1.0, None, None))
            if scrapped := _scrapped(next(iter(of_group.values()))):
                per_lot[label] = scrapped
            groups[label] = Group(way.product, group_label(way.recipe or way.name, group))
            picks += [_pick(way, label, member, uses) for member, uses in sorted(of_group.items())]
        chosen = {"uses": tuple(plain), "cost_per_unit": cost, "setup_cost": setup_cost}
        found += [replace(way, **chosen, lot_uses=_some(per_lot)) if members else way, *picks]
    return tuple(found), groups


def held_as_components(economics: Mapping[str, Economics], ways: Sequence[Way]) -> dict[str, Economics]:
    """Economics by label, in which what is picked costs no less to hold than any of the alternatives: so nothing is
    picked before it is taken, and what lies is a component."""
    found = dict(economics)
    for way in ways:
        if way.picks is not None:
            holding = sum(use.units_per_unit * economics[use.component].holding_per_bucket for use in way.uses)
            own = found[way.product]
            found[way.product] = replace(own, holding_per_bucket=max(own.holding_per_bucket, holding))
    return found


def _pick(way: Way, label: str, member: str, uses: Sequence[ComponentUse]) -> Way:
    """One alternative of a group, from the first day of a way on."""
    return Way(
        name=f"{way.name}: {label} = {member}",
        kind="make",
        product=label,
        line=None,
        hours_per_unit=0.0,
        cost_per_unit=uses[0].cost,
        setup_hours=0.0,
        setup_cost=0.0,
        min_units=0.0,
        multiple_units=0.0,
        lead_days=0,
        yield_share=1.0,
        units_per_week=math.inf,
        uses=tuple(_taken(use) for use in uses),
        valid_from=way.valid_from,
        valid_to=None,
        site=way.site,
        picks=member,
    )


def _taken(use: ComponentUse) -> ComponentUse:
    """A use that is no choice: what a unit takes."""
    return replace(use, group=None, member=None, cost=0.0, per_lot=0.0)


def _scrapped(uses: Sequence[ComponentUse]) -> float:
    """Units that the set-up scraps, for which an order takes one of alternatives too. uses: those of one of them."""
    return round(uses[0].per_lot / uses[0].units_per_unit, 9)


def _some(per_lot: Mapping[str, float]) -> tuple[tuple[str, float], ...]:
    return tuple((component, units) for component, units in per_lot.items() if units > 0)
