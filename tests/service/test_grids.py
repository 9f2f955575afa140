"""Pieces of a table: together they are the whole, in order, whatever comes and goes between two of them."""

from datetime import date

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from datong.app.service.grids import Filter, Wanted, piece
from datong.model.errors import Refused

TABLE = pa.table(
    {
        "order": ["W1", "W2", "P1", "P2", "M1"],
        "product": ["oil", "oil", "flour", None, "Salt"],
        "units": [3.0, None, 5.0, 3.0, 1.0],
        "start": pa.array([date(2026, 3, day) for day in (2, 9, 2, 16, 3)], pa.date32()),
        "hurts": [["a"], [], [], [], []],
    }
)
ROWS = st.lists(
    st.tuples(st.sampled_from([None, 1.0, 2.0, 3.0]), st.sampled_from([None, "a", "b"])), min_size=0, max_size=30
)


@given(ROWS, st.sampled_from([None, "number", "text", "key"]), st.booleans(), st.integers(1, 7))
def test_pieces_are_the_whole_in_order(rows, sort, is_descending, count) -> None:
    table = pa.table(
        {
            "key": pa.array([f"k{i:02}" for i in range(len(rows))], pa.string()),
            "number": pa.array([number for number, _ in rows], pa.float64()),
            "text": pa.array([text for _, text in rows], pa.string()),
        }
    )
    found, cursor = [], None
    while True:
        one = piece(table, "key", Wanted(sort=sort, is_descending=is_descending, cursor=cursor, count=count))
        found += one.rows.to_pylist()
        assert one.total == len(rows)
        if (cursor := one.cursor) is None:
            break
    by = sort or "key"
    there = sorted((r for r in table.to_pylist() if r[by] is not None), key=lambda r: r["key"])
    there.sort(key=lambda r: r[by], reverse=is_descending)
    assert found == there + sorted((r for r in table.to_pylist() if r[by] is None), key=lambda r: r["key"])


@given(st.data())
def test_rows_that_go_between_two_pieces_hide_no_others(data) -> None:
    names = [f"k{i:02}" for i in range(12)]
    table = pa.table({"key": names, "number": data.draw(st.lists(st.integers(0, 3), min_size=12, max_size=12))})
    first = piece(table, "key", Wanted(sort="number", count=5))
    seen = first.rows["key"].to_pylist()
    gone = data.draw(st.sets(st.sampled_from(names)))
    left = table.filter(pa.array([name not in gone for name in names]))
    rest = piece(left, "key", Wanted(sort="number", cursor=first.cursor, count=100)).rows["key"].to_pylist()
    assert set(rest) == set(names) - set(seen) - gone


@pytest.mark.parametrize(
    ("filters", "search", "found"),
    [
        ([Filter("product", "is", "oil")], "", ["W1", "W2"]),
        ([Filter("units", "from", "3")], "", ["P1", "P2", "W1"]),
        ([Filter("start", "to", "2026-03-03"), Filter("units", "in", "1,5")], "", ["M1", "P1"]),
        ([Filter("product", "has", "L")], "", ["M1", "P1", "W1", "W2"]),
        ([], "sal", ["M1"]),
        ([], "w", ["W1", "W2"]),
    ],
)
def test_conditions(filters, search, found) -> None:
    got = piece(TABLE, "order", Wanted(tuple(filters), search))
    assert (got.rows["order"].to_pylist() == found or got.rows["order"].to_pylist() == sorted(found)) and (
        got.total == len(found)
    )


@pytest.mark.parametrize(
    "wanted",
    [
        Wanted(sort="nothing"),
        Wanted(sort="hurts"),
        Wanted((Filter("units", "is", "many"),)),
        Wanted((Filter("start", "from", "soon"),)),
        Wanted(cursor="not one"),
        Wanted(cursor="W10="),
    ],
)
def test_what_cannot_be_asked_is_refused(wanted: Wanted) -> None:
    with pytest.raises(Refused):
        piece(TABLE, "order", wanted)


def test_a_cursor_is_of_one_question() -> None:
    cursor = piece(TABLE, "order", Wanted(count=2)).cursor
    with pytest.raises(Refused):
        piece(TABLE, "order", Wanted(sort="units", cursor=cursor))


def test_a_grid_that_jumps_gets_the_rows_from_there_on() -> None:
    whole = piece(TABLE, "order", Wanted(sort="units")).rows["order"].to_pylist()
    for skip in range(7):
        found = piece(TABLE, "order", Wanted(sort="units", skip=skip, count=2))
        assert found.rows["order"].to_pylist() == whole[skip : skip + 2]
        assert (found.total, found.cursor is None) == (5, skip + 2 >= 5)
