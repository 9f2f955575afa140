"""Versions of one row hold one after the other, day by day: against a plain loop over days."""

from datetime import date, timedelta
from itertools import pairwise

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from datong.ledger.state import state_of_tables
from datong.ledger.versions import Span, day_or_none, in_force, one_by_one, span, versions, without
from datong.model.settings import ChainSettings
from datong.model.tables import tables

FIRST = date(2026, 1, 5)
DAYS = 12


def day(number: int) -> date:
    return FIRST + timedelta(days=number)


limits = st.one_of(st.none(), st.integers(0, DAYS).map(day))
spans = st.lists(st.tuples(limits, limits).map(lambda pair: span(*pair)), max_size=5)


def holding(own: Span, number: int) -> bool:
    return own.first <= day(number).toordinal() < own.after


@given(spans)
@settings(deadline=None)
def test_on_each_day_the_last_to_start_of_those_that_hold_counts(given_spans: list[Span]) -> None:
    found = one_by_one(given_spans)
    assert all(a.after <= b.first for (_, a), (_, b) in pairwise(found))
    for number in range(-1, DAYS + 1):
        held = [(own.first, i) for i, own in enumerate(given_spans) if holding(own, number)]
        there = [place for place, days in found if holding(days, number)]
        assert there == [i for _, i in [max(held)]] if held else there == []


@given(spans, st.tuples(limits, limits).map(lambda pair: span(*pair)))
@settings(deadline=None)
def test_without_leaves_the_days_on_which_nothing_else_holds(others: list[Span], own: Span) -> None:
    left = without(own, others)
    for number in range(-1, DAYS + 1):
        free = holding(own, number) and not any(holding(other, number) for other in others)
        assert sum(holding(part, number) for part in left) == free


def offers(*rows: tuple[str, float, date | None, date | None]) -> pa.Table:
    columns = zip(*rows, strict=True)
    names = ("offer", "price", "valid_from", "valid_to")
    table = {name: list(column) for name, column in zip(names, columns, strict=True)}
    return pa.table(
        {
            "offer": pa.array(table["offer"]),
            "product": pa.array(["P"] * len(rows)),
            "price": pa.array(table["price"], pa.float64()),
            "valid_from": pa.array(table["valid_from"], pa.date32()),
            "valid_to": pa.array(table["valid_to"], pa.date32()),
        }
    )


def shown(rows: pa.Table) -> list[tuple[object, ...]]:
    return [tuple(row.values()) for row in rows.select(["offer", "price", "valid_from", "valid_to"]).to_pylist()]


def test_a_price_that_changes_for_a_week_comes_back_after_it() -> None:
    """O costs 10, from day 3 to 6 it costs 5. P costs 7 from day 4 on."""
    rows = offers(("O", 10.0, None, None), ("O", 5.0, day(3), day(6)), ("P", 7.0, day(4), None))
    assert shown(versions(tables()["offers"], rows)) == [
        ("O", 10.0, None, day(3)),
        ("O", 5.0, day(3), day(6)),
        ("O", 10.0, day(6), None),
        ("P", 7.0, day(4), None),
    ]


def test_one_row_of_each_key_is_in_force() -> None:
    """On day 2 the first row of O; before it holds, P; of Q, which had two and is over, the last one."""
    rows = offers(
        ("O", 10.0, None, None),
        ("O", 5.0, day(3), day(6)),
        ("P", 8.0, day(9), None),
        ("P", 7.0, day(4), None),
        ("Q", 1.0, None, day(0)),
        ("Q", 2.0, day(0), day(1)),
    )
    table = tables()["offers"]
    prices = {
        n: dict(zip(*(in_force(table, rows, day(n))[c].to_pylist() for c in ("offer", "price")), strict=True))
        for n in (-1, 0, 2, 4, 6, 9)
    }
    assert prices[2] == {"O": 10.0, "P": 7.0, "Q": 2.0}
    assert prices[-1] == {"O": 10.0, "P": 7.0, "Q": 1.0}
    assert prices[0]["Q"] == 2.0
    assert prices[4]["O"] == 5.0
    assert prices[6]["O"] == 10.0
    assert prices[9] == {"O": 10.0, "P": 8.0, "Q": 2.0}


@given(st.lists(st.tuples(st.sampled_from("OPQ"), limits, limits), max_size=8))
@settings(deadline=None)
def test_no_key_is_there_twice_and_none_is_missing(given_rows: list[tuple[str, date | None, date | None]]) -> None:
    some = {(key, days[0]): (key, float(i), *days) for i, (key, *days) in enumerate(given_rows)}
    rows = [row for row in some.values() if span(*row[2:]).first < span(*row[2:]).after]
    if not rows:
        return
    table = offers(*rows)
    for number in (-1, 3, DAYS + 1):
        keys = in_force(tables()["offers"], table, day(number))["offer"].to_pylist()
        assert sorted(keys) == sorted({row[0] for row in rows})
    found = versions(tables()["offers"], table).to_pylist()
    for number in range(-1, DAYS + 1):
        held = [row["offer"] for row in found if holding(span(row["valid_from"], row["valid_to"]), number)]
        assert sorted(held) == sorted({row[0] for row in rows if holding(span(row[2], row[3]), number)})


def test_a_state_gives_one_row_of_each_key_and_all_versions() -> None:
    chain = ChainSettings("t")
    rows = offers(("O", 10.0, None, None), ("O", 5.0, day(3), None))
    state = state_of_tables(chain, chain.calendar.midnight(day(2)), {"offers": rows})
    assert state.table("offers")["price"].to_pylist() == [10.0]
    assert state.versions("offers")["price"].to_pylist() == [10.0, 5.0]
    assert state.versions("offers")["valid_to"].to_pylist() == [day(3), None]
    later = state_of_tables(chain, chain.calendar.midnight(day(3)), {"offers": rows})
    assert later.table("offers")["price"].to_pylist() == [5.0]
    exchanged = state.with_tables(offers=later.versions("offers"))
    assert exchanged.table("offers")["price"].to_pylist() == [10.0]


def test_a_span_without_limits() -> None:
    assert [day_or_none(number) for number in span(None, None)] == [None, None]
    assert [day_or_none(number) for number in span(day(1), day(2))] == [day(1), day(2)]
