"""Which order of one plan is which of another: order numbers say nothing across plans."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Any

Row = Mapping[str, Any]
Pair = tuple[Row, Row]
# What two plans' orders are to be alike in to be paired, worked out of an order.
Alike = Callable[[Row], object]


def paired(
    left: Sequence[Row], right: Sequence[Row], bucket_of: Callable[[date], date], out: Sequence[Row] = ()
) -> tuple[list[Pair], list[Row], list[Row]]:
    """Orders of one product by one way: pairs, and what is left of both sides.

    out: orders that went out since the plan of the left side: of those alike they come before the planned ones of the
    right side. First those as they were are paired, then those that start in the same bucket, then with what is out
    those of the same units, then the others as they come. Of each as many as can be, in the order of their days, so
    that their days change least in all, and then their units. An order that is out and has no partner is left out.
    """
    steps: tuple[tuple[bool, Alike], ...] = (
        (True, _as_it_is),
        (False, _as_it_is),
        (True, lambda order: bucket_of(order["start"])),
        (False, lambda order: bucket_of(order["start"])),
        (True, _units),
        (False, lambda _order: None),
    )
    lefts, rights = sorted(left, key=_place), {True: sorted(out, key=_place), False: sorted(right, key=_place)}
    found: list[Pair] = []
    for is_out, alike in steps:
        groups: dict[object, tuple[list[Row], list[Row]]] = defaultdict(lambda: ([], []))
        for side, orders in enumerate((lefts, rights[is_out])):
            for order in orders:
                groups[alike(order)][side].append(order)
        pairs = [pair for sides in groups.values() for pair in least_moved(*sides)]
        taken = {id(order) for pair in pairs for order in pair}
        lefts = [order for order in lefts if id(order) not in taken]
        rights[is_out] = [order for order in rights[is_out] if id(order) not in taken]
        found += pairs
    return found, lefts, rights[False]


def least_moved(left: Sequence[Row], right: Sequence[Row]) -> list[Pair]:
    """All of the shorter side, each with one of the longer side, both in the order of their days: without a crossing,
    by the fewest days in all, of start and then of due day, then by the least change of units.

    Both sides in order. On a line a pairing without crossings is among those with the fewest days.
    """
    short, long = (left, right) if len(left) <= len(right) else (right, left)
    room = len(long) - len(short)
    # Of the first orders of the short side, the last one paired with the long side's at its place + skipped at most.
    best = [[(0.0, 0.0, 0.0)] * (room + 1)]
    taken: list[list[bool]] = []
    for i, one in enumerate(short):
        sums, takes = [], []
        for skipped in range(room + 1):
            own, before = _change(one, long[i + skipped]), best[i][skipped]
            here = (before[0] + own[0], before[1] + own[1], before[2] + own[2])
            takes.append(not sums or here < sums[-1])
            sums.append(here if takes[-1] else sums[-1])
        best.append(sums)
        taken.append(takes)
    pairs, skipped = [], room
    for i in range(len(short) - 1, -1, -1):
        while not taken[i][skipped]:
            skipped -= 1
        pair = short[i], long[i + skipped]
        pairs.append(pair if short is left else (pair[1], pair[0]))
    return pairs[::-1]


def same_units(one: Row, other: Row) -> bool:
    return _units(one) == _units(other)


def _units(order: Row) -> object:
    """To nine digits: sums of fractions differ in the last ones."""
    return f"{order['units']:.9g}"


def _as_it_is(order: Row) -> object:
    return order["start"], order["due"], _units(order)


def _place(order: Row) -> tuple[date, date, float, str]:
    return order["start"], order["due"], order["units"], order["order"]


def _change(one: Row, other: Row) -> tuple[float, float, float]:
    """Days of the start, days of the due day, and units by which two orders differ."""
    days = [float(abs((other[name] - one[name]).days)) for name in ("start", "due")]
    return days[0], days[1], abs(other["units"] - one["units"])
