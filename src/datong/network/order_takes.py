"""What an order takes: of components by the unit and whatever its size, of lines and money what its set-up scraps.

    used(c) = units(c) x units started + per_order(c)

Plans decide which of alternate components are taken (alternatives.py). Records do not tell: there the one that adds
least cost counts as taken, then the first by code, of those that hold on the day and of which any unit is taken.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from datong.ledger.versions import Span, without
from datong.network.bills import ComponentUse
from datong.network.horizon import Row
from datong.network.lines_at_once import OnLine


@dataclass(frozen=True, slots=True)
class Taken:
    """What orders that began on some days took of a component."""

    component: str
    days: Span
    # Units for a unit started.
    units: float
    # Units for each order, whatever its size.
    per_order: float


def per_order(use: ComponentUse, scrap: float) -> float:
    """Units of a component that an order takes whatever its size: what its row says (of alternatives it does not count:
    which one is taken is decided by the unit), and those that the units take which the set-up scraps."""
    return (use.per_lot if use.group is None else 0.0) + scrap * use.units_per_unit


def of_plans(row: Row, bill: tuple[ComponentUse, ...], on_lines: tuple[OnLine, ...]) -> Row:
    """A row of `recipes` with what a unit and what an order takes. The units that a set-up scraps come on top of the
    order's: they take hours, money and components of their own. What an order takes of alternatives stays with them
    (`per_lot`): which one is taken is still to be decided."""
    scrap = row["setup_scrap_units"]
    if scrap:
        on_lines = tuple(replace(h, setup_hours=h.setup_hours + scrap * h.hours_per_unit) for h in on_lines)
        row = row | {"setup_cost": row["setup_cost"] + scrap * row["cost_per_unit"]}
    uses, per_lot = bill, dict[str, float]()
    if scrap or any(use.per_lot or use.units_per_unit <= 0 for use in bill):
        each = [(use, per_order(use, scrap)) for use in bill]
        uses = tuple(
            replace(use, per_lot=0.0 if use.group is None else units) for use, units in each if use.units_per_unit > 0
        )
        for use, units in each:
            if use.group is None and units > 0:
                per_lot[use.component] = per_lot.get(use.component, 0.0) + units
    return row | {"uses": uses, "on_lines": on_lines, "lot_uses": tuple(per_lot.items())}


def of_records(bill: Sequence[tuple[ComponentUse, float]]) -> list[Taken]:
    """What orders by a bill took, by the days on which they began. bill: each use with the units that set-ups of an
    order scrap and that take it."""
    better: dict[str, list[tuple[tuple[float, str], Span]]] = defaultdict(list)
    for use, _ in bill:
        if use.group is not None and use.units_per_unit > 0:
            better[use.group].append((_turn(use), use.days))
    found = []
    for use, scrap in bill:
        if use.group is not None and use.units_per_unit <= 0:
            continue
        before = () if use.group is None else (days for turn, days in better[use.group] if turn < _turn(use))
        for days in without(use.days, before):
            found.append(Taken(use.component, days, use.units_per_unit, per_order(use, scrap)))
    return found


def first_alternatives(uses: Iterable[ComponentUse]) -> tuple[ComponentUse, ...]:
    """Of uses that hold on one day, without the alternatives that records do not count as taken."""
    uses = tuple(use for use in uses if use.group is None or use.units_per_unit > 0)
    first: dict[str, tuple[float, str]] = {}
    for use in uses:
        if use.group is not None:
            first[use.group] = min(first.get(use.group, _turn(use)), _turn(use))
    return tuple(use for use in uses if use.group is None or first[use.group] == _turn(use))


def _turn(use: ComponentUse) -> tuple[float, str]:
    """Of two alternatives the one first that counts as taken."""
    return use.cost, use.member or ""
