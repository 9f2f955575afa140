"""A table that was read before is read again by what came between alone, and holds the same as if it was read anew."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datong.model.settings import ChainSettings
from datong.store import duckdb_ledger
from datong.store.changed_rows import spliced
from datong.store.duckdb_ledger import DuckDBLedger, open_ledger

BEGIN = datetime(2026, 3, 2, 9, tzinfo=UTC)
LINES, STOCK = [f"L{i}" for i in range(6)] + ["产线"], ["A", "B"]
DAYS = st.sampled_from([None, 2, 9])
# What is written: hours of a line from a day on, a line withdrawn, a count of stock; each known so many hours later.
WRITES = st.lists(
    st.one_of(
        st.tuples(st.just("lines"), st.sampled_from(LINES), DAYS, st.integers(1, 3), st.integers(0, 4)),
        st.tuples(st.just("withdraw"), st.sampled_from(LINES)),
        st.tuples(st.just("stock"), st.sampled_from(STOCK), st.integers(1, 3), st.integers(0, 4)),
    ),
    min_size=1,
    max_size=8,
)


def write(ledger: DuckDBLedger, number: int, one: tuple) -> None:
    now = BEGIN + timedelta(hours=number)
    match one:
        case "withdraw", line:
            ledger.withdraw("lines", [f"lines:{line}"], now, by="test")
        case "lines", line, day, hours, later:
            rows = {
                "line": [line],
                "hours_per_week": [float(hours)],
                "valid_from": pa.array([None if day is None else date(2026, 3, day)], pa.date32()),
            }
            known_at = pa.array([now + timedelta(hours=later)], pa.timestamp("us", tz="UTC"))
            table = pa.table({**rows, "known_at": known_at, "__row__": [1]})
            ledger.ingest("lines", table, None, (), f"file {number}", now, by="test")
        case "stock", product, units, later:
            known_at = pa.array([now + timedelta(hours=later)], pa.timestamp("us", tz="UTC"))
            table = pa.table(
                {
                    "happened_at": pa.array([now], pa.timestamp("us", tz="UTC")),
                    "product": [product],
                    "units": [float(units)],
                    "known_at": known_at,
                    "__row__": [1],
                    "__date_only__": [False],
                }
            )
            ledger.ingest("stock", table, None, (), f"file {number}", now, by="test")


@settings(max_examples=25, deadline=None)
@given(WRITES, st.lists(st.integers(-1, 14), min_size=1, max_size=3), st.sampled_from([1, 200]))
def test_what_is_read_by_changes_is_what_is_read_anew(writes, hours, most) -> None:
    settings_ = ChainSettings("test", time_zone="Asia/Shanghai", history="live")
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(duckdb_ledger, "_MOST_SPLICED", most)
        with open_ledger(Path(folder) / "ledger.duckdb", settings_) as ledger:
            for number, one in enumerate(writes):
                write(ledger, number, one)
                for hour in hours:
                    moment = BEGIN + timedelta(hours=hour)
                    told = ledger.state(moment, ("lines", "stock"))
                    held = ledger._seen
                    ledger._forget()
                    anew = ledger.state(moment, ("lines", "stock"))
                    ledger._seen = held  # so that the next is read by what changed since
                    assert all(told.tables[name].equals(anew.tables[name]) for name in told.tables)


def test_rows_are_put_where_they_belong() -> None:
    rows = pa.table({"row_id": ["a", "b", "b", "d", "é", "产"], "n": [1, 2, 3, 4, 5, 6]})
    news = pa.table({"row_id": ["0", "b", "c", "产", "𠮷"], "n": [10, 20, 30, 40, 50]})
    found = spliced(rows, news, ["0", "b", "c", "d", "产", "𠮷"])
    assert list(zip(*found.to_pydict().values(), strict=True)) == [
        *(("0", 10), ("a", 1), ("b", 20), ("c", 30)),
        *(("é", 5), ("产", 40), ("𠮷", 50)),
    ]
