"""Pieces of a table: together they are the whole, in order, whatever comes and goes between two of them."""

import gc
from datetime import UTC, date, datetime, timedelta
from functools import cmp_to_key
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from datong.app.service import sorted_rows
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


# what is large ------------------------------------------------------------------------------------

NOT_A_NUMBER = float("nan")
# Few of each, so that most rows are like others.
VALUES: dict[str, tuple[pa.DataType, tuple[Any, ...]]] = {
    "number": (pa.float64(), (None, NOT_A_NUMBER, -1.5, 0.0, 2.0, float("inf"))),
    "text": (pa.string(), (None, "", "a", "B", "油", "面粉", "面", "𠮷", "～")),
    "day": (pa.date32(), (None, date(2026, 3, 2), date(2026, 3, 3))),
    "moment": (
        pa.timestamp("us", tz="UTC"),
        (None, *(datetime(2026, 3, 2, 9, tzinfo=UTC) + timedelta(microseconds=n) for n in (0, 7))),
    ),
    "yes": (pa.bool_(), (None, True, False)),
    "count": (pa.int64(), (None, 2**53, 2**53 + 1, -3)),
}


def rows_of(picks: list[int], names: list[str]) -> pa.Table:
    """A row a name, its values picked by number; in two chunks, as tables come."""
    table = pa.table(
        {
            "key": pa.array(names, pa.string()),
            **{
                name: pa.array([values[pick // 7**at % len(values)] for pick in picks], kind)
                for at, (name, (kind, values)) in enumerate(VALUES.items())
            },
        }
    )
    half = len(names) // 2
    return pa.concat_tables([table.slice(0, half), table.slice(half)])


def in_order(table: pa.Table, sort: str, is_descending: bool) -> list[str]:
    """Keys of all rows as they are to come, by comparing each with each."""
    rows = list(zip(table[sort].to_pylist(), table["key"].to_pylist(), strict=True))

    def compared(one: tuple[Any, str], other: tuple[Any, str]) -> int:
        values = one[0], other[0]
        ranks = [2 if value is None else 1 if value != value else 0 for value in values]
        if ranks[0] != ranks[1]:
            return ranks[0] - ranks[1]
        if ranks[0] or values[0] == values[1]:
            return -1 if one[1] < other[1] else 1
        return -1 if (values[0] < values[1]) != is_descending else 1

    return [key for _, key in sorted(rows, key=cmp_to_key(compared))]


@given(
    st.lists(st.integers(0, 7**6), min_size=2, max_size=40),
    st.sampled_from(["key", *VALUES]),
    st.booleans(),
    st.sampled_from([(), (Filter("text", "has", "面"),), (Filter("number", "from", "0"), Filter("yes", "is", "true"))]),
    st.sampled_from([1, 3, 50]),
    st.data(),
)
def test_each_row_comes_once_in_order_also_where_others_come_between(picks, sort, is_descending, filters, few, data):
    """As few rows as these are sorted anew, or kept as those of a large table are: both give the same."""
    names = [f"{'单' * (i % 3)}{i:02}" for i in range(len(picks))]
    later = data.draw(st.sets(st.sampled_from(names)))
    before = sorted_rows.FEW
    sorted_rows.FEW = data.draw(st.sampled_from([0, before]))
    try:
        table = rows_of(picks, names)
        early = table.filter(pa.array([name not in later for name in names]))
        seen, cursor, now = [], None, early
        while True:
            asked = Wanted(filters, sort=sort, is_descending=is_descending, cursor=cursor, count=few)
            for _ in range(2):  # the second time it is in memory
                one = piece(now, "key", asked)
            seen += one.rows["key"].to_pylist()
            if (cursor := one.cursor) is None:
                break
            now = table  # after the first piece more rows are there
        met = set(piece(table, "key", Wanted(filters, is_whole=True)).rows["key"].to_pylist())
        assert one.total == len(met if now is table else met - later)
        every = [name for name in in_order(table, sort, is_descending) if name in met]
        assert len(set(seen)) == len(seen)
        assert seen == [name for name in every if name in seen]
        assert {name for name in every if name not in later} <= set(seen)
        if now is table:  # what came after the row where the first piece ended was shown, too
            ended = seen[min(few, len(seen)) - 1]
            assert set(every[every.index(ended) :]) <= set(seen)
    finally:
        sorted_rows.FEW = before


def test_what_was_sorted_goes_with_its_table() -> None:
    there = len(sorted_rows._HELD)
    table = pa.table({"key": [f"k{i}" for i in range(sorted_rows.FEW)], "number": range(sorted_rows.FEW)})
    for value in range(3 * sorted_rows.MOST_HELD):
        piece(table, "key", Wanted((Filter("number", "from", str(value)),)))
    assert len(sorted_rows._HELD[id(table)]) == sorted_rows.MOST_HELD
    del table
    gc.collect()
    assert len(sorted_rows._HELD) == there


@given(st.lists(st.sampled_from([None, "", "油", "a"]), max_size=12), st.sampled_from(["", "油", "a", "b"]))
def test_rows_with_a_value_are_those_that_a_filter_finds(values, value) -> None:
    halves = values[: len(values) // 2], values[len(values) // 2 :]
    column = pa.chunked_array([pa.array(half, pa.string()) for half in halves])
    table = pa.table({"text": column, "row": pa.array(range(len(values)), pa.int64())})
    rows = [row for row in table.to_pylist() if row["text"] == value]
    assert sorted_rows.rows_with(table, "text", value).to_pylist() == rows
