"""Which order of one plan is which of the next: by the bucket, then by the days, units last."""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from itertools import combinations, permutations
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from datong.model.calendar import Calendar
from datong.model.settings import ChainSettings
from datong.questions.compare import order_changes
from datong.questions.paired_orders import paired
from datong.questions.tables_out import ORDERS_SCHEMA

Row = dict[str, Any]
CALENDAR: Calendar = ChainSettings("works").calendar
MONDAY = date(2026, 3, 2)


def order(number: str, units: float, start: str | date, due: date | None = None, product: str = "SC") -> Row:
    start = date.fromisoformat(start) if isinstance(start, str) else start
    fixed = {"kind": "make", "product": product, "recipe": f"R{product}", "cost": units}
    return fixed | {"order": number, "units": units, "start": start, "due": due or start + timedelta(days=5)}


def changes(a: Sequence[Row], b: Sequence[Row], out: Sequence[Row] = ()) -> set[tuple[str, str | None, str | None]]:
    tables = [pa.Table.from_pylist(list(rows), ORDERS_SCHEMA) for rows in (a, b, out)]
    found = order_changes(tables[0], tables[1], CALENDAR.bucket_start, tables[2]).to_pylist()
    return {(row["change"], row["order_a"], row["order_b"]) for row in found}


def test_an_order_of_the_same_week_is_the_one_before() -> None:
    """Gift boxes: of 225 in the week of 9 March 150 stay and 75 are a new order; 175 of the week of 6 April become
    100."""
    was = [order("A1", 225, "2026-03-10"), order("A2", 175, "2026-04-06")]
    now = [
        *(order("B1", 150, "2026-03-10"), order("B2", 75, "2026-03-19")),
        *(order("B3", 100, "2026-04-09"), order("B4", 75, "2026-04-13")),
    ]
    assert changes(was, now) == {
        *{("resized", "A1", "B1"), ("moved_resized", "A2", "B3")},
        *{("added", None, "B2"), ("added", None, "B4")},
    }


def test_the_order_of_another_week_is_the_one_that_is_gone() -> None:
    """Floor stands: 71 of the week of 13 April are the 28 of that week, and the 43 of 2 April are planned no more."""
    was = [order("A1", 43, "2026-04-02"), order("A2", 28, "2026-04-14")]
    now = [order("B1", 71, "2026-04-13")]
    assert changes(was, now) == {("moved_resized", "A2", "B1"), ("removed", "A1", None)}


def test_units_are_looked_at_last() -> None:
    was = [order("A1", 50, "2026-03-09"), order("A2", 80, "2026-03-16")]
    now = [order("B1", 80, "2026-03-11"), order("B2", 50, "2026-03-18")]
    assert changes(was, now) == {("moved_resized", "A1", "B1"), ("moved_resized", "A2", "B2")}
    one_day = [order("A1", 30, "2026-03-09"), order("A2", 90, "2026-03-09")]
    assert changes(one_day, [order("B1", 85, "2026-03-09")]) == {("resized", "A2", "B1"), ("removed", "A1", None)}


def test_what_is_out_is_the_order_of_its_start_or_of_its_units() -> None:
    """91 went out on the day on which they were planned, 450 of the same size a week early; 60 that nobody had planned
    are nobody's partner."""
    was = [order("A1", 91, "2026-03-17"), order("A2", 42, "2026-04-01"), order("A3", 450, "2026-03-23", product="MT")]
    now = [order("B1", 89, "2026-04-07"), order("B2", 44, "2026-04-01")]
    out = [order("W1", 91, "2026-03-17"), order("P1", 450, "2026-03-16", product="MT"), order("W2", 60, "2026-03-09")]
    assert changes(was, now, out) == {
        *{("given_out", "A1", "W1"), ("given_out", "A3", "P1")},
        *{("resized", "A2", "B2"), ("added", None, "B1")},
    }


def test_what_is_as_it_was_is_not_what_went_out() -> None:
    was = [order("A1", 100, "2026-03-16"), order("A2", 100, "2026-03-23")]
    out = [order("W1", 100, "2026-03-16"), order("W2", 100, "2026-03-09")]
    assert changes(was, [order("B1", 100, "2026-03-23")], out) == {("given_out", "A1", "W1"), ("same", "A2", "B1")}


# generated ---------------------------------------------------------------------------------------


def random_side(random: np.random.Generator, name: str, most: int) -> list[Row]:
    count = int(random.integers(0, most + 1))
    days = [MONDAY + timedelta(days=int(d)) for d in random.integers(0, 28, count)]
    leads = random.integers(1, 3, count)
    units = random.choice([10.0, 20.0, 25.0, 40.0], count)
    return [
        order(f"{name}{i}", float(units[i]), days[i], days[i] + timedelta(days=int(leads[i]))) for i in range(count)
    ]


def matchings(left: Sequence[Row], right: Sequence[Row]) -> Iterator[list[tuple[Row, Row]]]:
    """Every way to give all of the shorter side a partner."""
    if len(left) <= len(right):
        for chosen in permutations(right, len(left)):
            yield list(zip(left, chosen, strict=True))
    else:
        for chosen in permutations(left, len(right)):
            yield list(zip(chosen, right, strict=True))


def days(pairs: Sequence[tuple[Row, Row]]) -> int:
    return sum(abs((one["start"] - other["start"]).days) for one, other in pairs)


def due_days_and_units(pairs: Sequence[tuple[Row, Row]]) -> tuple[int, float]:
    return (
        sum(abs((one["due"] - other["due"]).days) for one, other in pairs),
        sum(abs(one["units"] - other["units"]) for one, other in pairs),
    )


def crosses(pairs: Sequence[tuple[Row, Row]]) -> bool:
    def place(row: Row) -> tuple[Any, ...]:
        return row["start"], row["due"], row["units"], row["order"]

    return any((place(a) < place(b)) != (place(x) < place(y)) for (a, x), (b, y) in combinations(pairs, 2))


def as_it_is(row: Row) -> tuple[Any, ...]:
    return row["start"], row["due"], row["units"]


@pytest.mark.parametrize("seed", range(150))
def test_generated_plans_are_paired_with_the_fewest_days(seed: int) -> None:
    """Against every pairing there is: those as they were, then of each week, then the rest."""
    random = np.random.default_rng(seed)
    left, right = random_side(random, "A", 5), random_side(random, "B", 5)
    pairs, only_left, only_right = paired(left, right, CALENDAR.bucket_start)
    assert len(pairs) == min(len(left), len(right))
    assert {id(row) for pair in pairs for row in pair} | {id(row) for row in [*only_left, *only_right]} == {
        id(row) for row in [*left, *right]
    }
    same = [pair for pair in pairs if as_it_is(pair[0]) == as_it_is(pair[1])]
    common = Counter(map(as_it_is, left)) & Counter(map(as_it_is, right))
    assert len(same) == common.total()
    rest = [pair for pair in pairs if not any(pair is other for other in same)]

    def without(side: Sequence[Row], of: int, taken: Sequence[tuple[Row, Row]]) -> list[Row]:
        return [row for row in side if not any(row is pair[of] for pair in taken)]

    sides = without(left, 0, same), without(right, 1, same)
    for week in (MONDAY + timedelta(weeks=w) for w in range(4)):
        own = [[row for row in side if CALENDAR.bucket_start(row["start"]) == week] for side in sides]
        of_week = [pair for pair in rest if all(CALENDAR.bucket_start(row["start"]) == week for row in pair)]
        check_best(of_week, own[0], own[1])
        rest = [pair for pair in rest if not any(pair is other for other in of_week)]
        sides = without(sides[0], 0, of_week), without(sides[1], 1, of_week)
    check_best(rest, *sides)


def check_best(found: Sequence[tuple[Row, Row]], left: Sequence[Row], right: Sequence[Row]) -> None:
    """As many pairs as can be, with the fewest days of all pairings; of those without a crossing the ones with the
    fewest, with the fewest days of the due day and the least units."""
    every = list(matchings(left, right))
    assert len(found) == min(len(left), len(right))
    assert days(found) == min(map(days, every))
    assert not crosses(found)
    straight = [pairs for pairs in every if days(pairs) == days(found) and not crosses(pairs)]
    assert due_days_and_units(found) == min(map(due_days_and_units, straight))
