"""What a ledger in one DuckDB file promises besides: the file, its damage, its layout, and who has it open."""

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from datong.ledger.protocol import END_OF_TIME, IngestReport, RunRecord
from datong.model.errors import DatongError, LedgerBusy, LedgerDamaged, Refused
from datong.store.duckdb_ledger import DuckDBLedger, open_ledger
from stores import SETTINGS

pytestmark = pytest.mark.usefixtures("ledgers_are_made")

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)


def take_sales(ledger: DuckDBLedger, units: Sequence[float] = (1.0,)) -> IngestReport:
    moments = pa.array([datetime(2026, 1, 5, tzinfo=UTC)] * len(units), pa.timestamp("us", tz="UTC"))
    columns: dict[str, Any] = {"happened_at": moments, "product": ["P"] * len(units), "units": list(units)}
    rows = pa.table({**columns, "__row__": list(range(2, 2 + len(units)))})
    return ledger.ingest("sales", rows, None, (), "a.csv", NOW, by="test")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / ".datong" / "ledger.duckdb"


@pytest.fixture
def ledger(path: Path) -> Iterator[DuckDBLedger]:
    with open_ledger(path, SETTINGS) as opened:
        yield opened


def test_it_is_one_file(path: Path) -> None:
    with open_ledger(path, SETTINGS) as ledger:
        take_sales(ledger)
    assert [p.name for p in path.parent.iterdir()] == ["ledger.duckdb"]


def test_a_second_process_is_told_who_has_it(path: Path, ledger: DuckDBLedger) -> None:
    program = (
        "import sys; from pathlib import Path; from datong.model.errors import LedgerBusy\n"
        "from datong.model.settings import ChainSettings; from datong.store.duckdb_ledger import open_ledger\n"
        "try: open_ledger(Path(sys.argv[1]), ChainSettings('x'))\n"
        "except LedgerBusy as busy: print(busy)"
    )
    answer = subprocess.run([sys.executable, "-c", program, str(path)], capture_output=True, text=True, check=True)
    assert f"(number {os.getpid()})" in answer.stdout
    assert "try again" in answer.stdout
    assert issubclass(LedgerBusy, DatongError)


@pytest.mark.parametrize("harm", ["nothing", "text", "cut", "overwritten"])
def test_a_damaged_file_is_named(path: Path, harm: str) -> None:
    with open_ledger(path, SETTINGS) as ledger:
        take_sales(ledger, [1.0] * 5000)
    whole = path.read_bytes()
    path.write_bytes(
        {
            "nothing": b"",
            "text": b"not a ledger" * 1000,
            "cut": whole[: len(whole) // 4],
            "overwritten": whole[:4096] + b"\xff" * 8192 + whole[12288:],
        }[harm]
    )
    with pytest.raises(LedgerDamaged, match=r"ledger\.duckdb"), open_ledger(path, SETTINGS) as ledger:
        ledger.state(NOW).table("sales")


def test_a_newer_layout_is_refused(path: Path) -> None:
    open_ledger(path, SETTINGS).close()
    with duckdb.connect(str(path)) as connection:
        connection.execute("INSERT INTO schema_version VALUES (99)")
    with pytest.raises(Refused, match="99"):
        open_ledger(path, SETTINGS)


def test_a_new_column_of_a_table_joins_an_old_ledger(path: Path) -> None:
    """A ledger from before a column was thought of: old rows keep their ids, the column is empty in them."""
    with open_ledger(path, SETTINGS) as ledger:
        take_sales(ledger)
    with duckdb.connect(str(path)) as connection:
        connection.execute('ALTER TABLE chain.sales DROP COLUMN "promotion"')
    with open_ledger(path, SETTINGS) as ledger:
        assert take_sales(ledger).known == 1
        assert ledger.state(NOW).table("sales")["promotion"].to_pylist() == [None]


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DatongError, match="file"):
        open_ledger(tmp_path / "file" / "ledger.duckdb", SETTINGS)


def sold(ledger: DuckDBLedger) -> list[float]:
    return sorted(ledger.state(NOW, ("sales",)).table("sales")["units"].to_pylist())


def test_a_table_is_read_once_until_something_came_in(ledger: DuckDBLedger, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same rows again without asking the file; after an ingest, one that failed, and a withdrawal, what is there.
    Large tables do not stay in memory."""
    read: list[str] = []
    _read_rows = DuckDBLedger._read_rows
    monkeypatch.setattr(
        DuckDBLedger, "_read_rows", lambda self, t, *at: read.append(t.name) or _read_rows(self, t, *at)
    )
    take_sales(ledger)
    assert sold(ledger) == sold(ledger) == [1.0] and read == ["sales"]
    for moment in (END_OF_TIME, NOW, END_OF_TIME, NOW):  # nothing became known in between
        assert ledger.state(moment, ("sales",)).table("sales").num_rows == 1
    assert read == ["sales"]
    for moment in (datetime(2026, 1, 4, tzinfo=UTC), NOW) * 2:  # by turns, before it was known
        assert ledger.state(moment, ("sales",)).table("sales").num_rows == (moment == NOW)
    assert read == ["sales", "sales"]
    before = ledger.state(NOW, ("sales",)).snapshot
    with pytest.raises(RuntimeError), ledger.together():
        take_sales(ledger, (2.0,))
        assert sold(ledger) == [1.0, 2.0]
        raise RuntimeError
    assert sold(ledger) == [1.0]
    take_sales(ledger, (3.0,))
    assert sold(ledger) == [1.0, 3.0]
    assert ledger.state(NOW, ("sales",), before).table("sales")["units"].to_pylist() == [1.0]
    (first,) = [r["row_id"] for r in ledger.state(NOW).table("sales").to_pylist() if r["units"] == 1.0]
    assert ledger.withdraw("sales", [first], NOW, by="test") == 1
    assert sold(ledger) == [3.0] and ledger.state(datetime(2026, 1, 6, tzinfo=UTC)).table("sales").num_rows == 2
    monkeypatch.setattr("datong.store.duckdb_ledger._SEEN_BYTES", 0)
    take_sales(ledger, (4.0,))
    read.clear()
    assert sold(ledger) == sold(ledger) == [3.0, 4.0] and read == ["sales", "sales"]


def test_tables_of_a_run_are_kept_however_many_and_large(ledger: DuckDBLedger, monkeypatch: pytest.MonkeyPatch) -> None:
    """Small ones go in together, large ones apart: none is lost."""
    monkeypatch.setattr("datong.store.duckdb_ledger._RUN_BYTES", 2000)
    given = {f"t{i}": pa.table({"a": [float(i)] * (1 + i % 3)}) for i in range(9)}
    for tables in ({}, given):
        run = f"R{len(tables)}"
        ledger.save_run(RunRecord(run, NOW, 0, tables), NOW, by="test")
        assert ledger.run_tables(run) == tables
