"""What branches in a DuckDB file promise besides: its layout, and that they copy nothing."""

from datetime import timedelta
from pathlib import Path
from time import process_time

import duckdb
import numpy as np
import pyarrow as pa
import pytest

from datong.store.branches import DuckDBBranches
from datong.store.duckdb_ledger import open_ledger
from datong.store.migrations import MIGRATIONS
from stores import NOW, SETTINGS, day, hours, line, make, take

pytestmark = pytest.mark.usefixtures("ledgers_are_made")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.duckdb"


def test_a_ledger_of_before_branches_opens(tmp_path: Path) -> None:
    path = tmp_path / "ledger.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute("CREATE TABLE schema_version (version INTEGER NOT NULL)")
        MIGRATIONS[0](connection)
        connection.execute("INSERT INTO schema_version VALUES (1)")
        connection.execute("INSERT INTO runs VALUES ('old', TIMESTAMPTZ '2026-01-03 00:00:00+00', 7, 1)")
    with open_ledger(path, SETTINGS) as ledger:
        assert ledger.runs()["run"].to_pylist() == ["old"]
        assert ledger.run_inputs("old").settings is None
        take(ledger, "lines", line(40), now=day(1))
        branch = make(DuckDBBranches(ledger), "b", day(10))
        take(branch, "lines", line(50))
    with open_ledger(path, SETTINGS) as ledger:
        assert hours(DuckDBBranches(ledger).on("b"), day(10)) == {"L": 50}


def test_a_new_column_of_a_table_joins_the_rows_of_branches(path: Path) -> None:
    with open_ledger(path, SETTINGS) as ledger:
        take(ledger, "lines", line(40), now=day(1))
        take(make(DuckDBBranches(ledger), "b", day(10)), "lines", line(50))
    with duckdb.connect(str(path)) as connection:
        connection.execute('ALTER TABLE branch.lines DROP COLUMN "site"')
    with open_ledger(path, SETTINGS) as ledger:
        branch = DuckDBBranches(ledger).on("b")
        assert take(branch, "lines", line(50)) == (0, 0, 1, 0)
        assert branch.state(day(10)).table("lines")["site"].to_pylist() == [None]


def test_a_branch_copies_nothing(path: Path) -> None:
    """200,000 sales in 7 MB: ten branches, each with a changed line, add less than 2 MB, most of it once."""
    count = 200_000
    rng = np.random.default_rng(1)
    moments = [day(1) + timedelta(minutes=i // 10) for i in range(count)]
    rows = pa.table(
        {
            "happened_at": pa.array(moments, pa.timestamp("us", tz="UTC")),
            "sale": [f"s{i}" for i in rng.permutation(count)],
            "product": [f"P{i}" for i in rng.integers(0, 999, count)],
            "units": rng.integers(1, 99, count).astype(float),
            "__row__": np.arange(2, count + 2),
        }
    )
    with open_ledger(path, SETTINGS) as ledger:
        ledger.ingest("sales", rows, None, (), "sales", NOW, by="test")
        take(ledger, "lines", line(40), now=NOW)
    before = path.stat().st_size
    assert before > 6_000_000
    with open_ledger(path, SETTINGS) as ledger:
        for i in range(10):
            began = process_time()
            branch = make(DuckDBBranches(ledger), f"b{i}", NOW)
            take(branch, "lines", line(120 + i))
            assert process_time() - began < 1
        assert hours(branch, NOW) == {"L": 129}
        assert branch.state(NOW).table("sales").equals(ledger.state(NOW).table("sales"))
    assert path.stat().st_size - before < 2_000_000
