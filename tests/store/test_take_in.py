"""Rows that come batch by batch: the same ids and versions as in one go, in one transaction, whatever their number."""

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import duckdb
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from datong.ledger.protocol import IngestReport, Intake
from datong.ledger.row_checks import REJECTED_SCHEMA, ROW, CheckedBatches, TableCheck
from datong.model.findings import finding
from datong.model.settings import ChainSettings
from datong.model.tables import tables
from datong.model.words import message
from datong.store import duckdb_ledger
from datong.store.duckdb_ledger import DuckDBLedger, open_ledger

SETTINGS = ChainSettings("test", time_zone="Asia/Dhaka")
NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
NAMES = ("sale", "product", "units", "happened_at", "known_at")
Line = tuple[str, str, str, str, str]


def raw_table(lines: list[Line]) -> pa.Table:
    columns = {name: pa.array([line[i] for line in lines], pa.string()) for i, name in enumerate(NAMES)}
    return pa.table({**columns, ROW: pa.array(range(2, len(lines) + 2), pa.int64())})


def in_batches(lines: list[Line], size: int) -> CheckedBatches:
    rows = raw_table(lines)

    def read() -> Iterator[tuple[pa.Table, pa.Table]]:
        for start in range(0, max(1, rows.num_rows), size):
            yield rows.slice(start, size), REJECTED_SCHEMA.empty_table()

    return CheckedBatches(lambda: TableCheck(tables()["sales"], NAMES, "sales.csv", SETTINGS), read)


def rows_of(ledger: DuckDBLedger) -> list[tuple[object, ...]]:
    query = "SELECT row_id, _content, _version, known_at, sale, product, units FROM chain.sales ORDER BY ALL"
    return ledger._rows(query)


def bad_rows(ledger: DuckDBLedger) -> list[dict[str, object]]:
    return ledger.quarantined().sort_by("quarantine_id").to_pylist()


Fresh = Callable[[], DuckDBLedger]


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Fresh]:
    """Gives empty ledgers."""
    opened: list[DuckDBLedger] = []

    def one() -> DuckDBLedger:
        opened.append(open_ledger(tmp_path / f"{len(opened)}.duckdb", SETTINGS))
        return opened[-1]

    yield one
    for ledger in opened:
        ledger.close()


_LINE = st.tuples(
    st.sampled_from(["", "a", "b"]),
    st.just("P"),
    st.sampled_from(["1", "2", "x"]),
    st.sampled_from(["2026-01-05", "2026-01-06 10:00"]),
    st.sampled_from(["", "2026-01-07"]),
)


@settings(max_examples=12, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.lists(_LINE, max_size=8), min_size=1, max_size=3), st.sampled_from([1, 3]))
def test_the_size_of_batches_changes_nothing(fresh: Fresh, files: list[list[Line]], size: int) -> None:
    """Several files one after the other, with keys and without, equal, corrected and in conflict."""
    one, several = fresh(), fresh()
    for lines in files:
        reports = [
            ledger.take_in("sales", in_batches(lines, batch), "sales.csv", NOW, by="test")
            for ledger, batch in ((one, 1000), (several, size))
        ]
        assert reports[0] == reports[1]
        report = reports[0]
        assert report.rows == report.added + report.superseded + report.known + report.quarantined == len(lines)
    assert rows_of(one) == rows_of(several)
    assert bad_rows(one) == bad_rows(several)


def test_ids_are_what_they_were_in_the_first_ledgers(fresh: Fresh) -> None:
    """The content of a row, spelled out: its columns but known_at, each text with its length, joined by character 31.

    2026-01-05 in Dhaka (UTC+6) starts at 2026-01-04 18:00 UTC.
    """
    ledger = fresh()
    ledger.take_in("sales", in_batches([("", "商1", "2.5", "2026-01-05", "")], 1), "sales.csv", NOW, by="test")
    moment = int(datetime(2026, 1, 4, 18, tzinfo=UTC).timestamp()) * 1_000_000
    content = "\x1f".join([f"happened_at:{moment}", "product:4:商1", "units:2.5"])
    digits = hashlib.md5(content.encode(), usedforsecurity=False).digest()
    number = int.from_bytes(digits, "big")
    (row,) = rows_of(ledger)
    assert row[1] in (number, int.from_bytes(digits, "little"))
    assert row[0] == f"sales:#{row[1] >> 64:016x}.1"


def test_known_rows_in_another_order_change_nothing(fresh: Fresh) -> None:
    """With keys and without; of three equal rows two are known, so that the third is new."""
    ledger = fresh()
    lines: list[Line] = [
        ("a", "P", "1", "2026-01-05", ""),
        ("", "P", "1", "2026-01-05", ""),
        ("", "P", "1", "2026-01-05", ""),
    ]
    assert ledger.take_in("sales", in_batches(lines, 2), "x.csv", NOW, by="test").added == 3
    again = ledger.take_in("sales", in_batches(lines[::-1], 1), "y.csv", NOW, by="test")
    assert (again.added, again.known) == (0, 3)
    more = ledger.take_in("sales", in_batches([*lines, lines[-1]], 1), "y.csv", NOW, by="test")
    assert (more.added, more.known) == (1, 3)
    assert sum(str(row[0]).endswith(".3") for row in rows_of(ledger)) == 1


def test_what_breaks_on_the_way_is_raised_as_it_was_and_nothing_stays(fresh: Fresh) -> None:
    ledger = fresh()

    class Broken(CheckedBatches):
        def batches(self) -> Iterator:
            yield from super().batches()
            raise RuntimeError("the disk is gone")

    whole = in_batches([("a", "P", "1", "2026-01-05", ""), ("b", "P", "x", "2026-01-05", "")], 1)
    broken = Broken(whole._make, whole._read)
    with pytest.raises(RuntimeError, match="the disk is gone"):
        ledger.take_in("sales", broken, "sales.csv", NOW, by="test")
    assert rows_of(ledger) == [] and bad_rows(ledger) == [] and ledger.last_ingests() == {}
    assert ledger.take_in("sales", whole.again(), "sales.csv", NOW, by="test").added == 1


def test_many_bad_rows_go_aside_into_a_file(fresh: Fresh, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(duckdb_ledger, "_SPILL_BYTES", 1000)
    ledger = fresh()
    lines: list[Line] = [(f"s{i}", "P", "x" if i % 2 else "1", "2026-01-05", "") for i in range(400)]
    report = ledger.take_in("sales", in_batches(lines, 50), "sales.csv", NOW, whole=True, by="test")
    assert (report.added, report.quarantined) == (200, 200)
    kept = ledger.quarantined().to_pylist()
    assert [row["row"] for row in kept] == list(range(3, 402, 2))
    assert json.loads(kept[-1]["raw"])["sale"] == "s399"
    mended: list[Line] = [(sale, product, "1", day, known) for sale, product, _, day, known in lines]
    assert ledger.take_in("sales", in_batches(mended, 50), "sales.csv", NOW, whole=True, by="test").added == 200
    assert ledger.quarantined().num_rows == 0


def test_keys_that_repeat_across_batches_are_taken_out_again(fresh: Fresh) -> None:
    ledger = fresh()
    lines: list[Line] = [
        ("a", "P", "1", "2026-01-05", ""),
        ("b", "P", "1", "2026-01-05", ""),
        ("a", "P", "2", "2026-01-05", ""),
    ]
    report = ledger.take_in("sales", in_batches(lines, 1), "sales.csv", NOW, by="test")
    assert (report.added, report.quarantined) == (2, 1)
    assert [(f.code, f.row) for f in report.findings] == [("conflicting_event", 4)]
    assert [row[6] for row in rows_of(ledger)] == [1.0, 1.0]


def test_a_ledger_that_knew_no_intakes_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "ledger.duckdb"
    lines: list[Line] = [("a", "P", "1", "2026-01-05", ""), ("", "P", "1", "2026-01-05", "")]
    with open_ledger(path, SETTINGS) as ledger:
        ledger.take_in("sales", in_batches(lines, 1), "sales.csv", NOW, by="test")
    with duckdb.connect(str(path)) as connection:
        for table in ("intakes", "writes", "deliveries", "put_back"):
            connection.execute(f"DROP TABLE {table}")
        for table in ("quarantine", "branch_quarantine"):
            connection.execute(f"ALTER TABLE {table} DROP COLUMN ingest")
        connection.execute("DELETE FROM schema_version WHERE version > 2")
    with open_ledger(path, SETTINGS) as ledger:
        assert ledger.take_in("sales", in_batches(lines, 1), "sales.csv", NOW, by="test").known == 2
        assert ledger.intake("folder") is None


def test_an_intake_comes_back_as_it_was_noted(fresh: Fresh) -> None:
    ledger = fresh()
    odd = finding(
        "warning", "check.odd_date", "sales.csv", row=2, column="x", value=message("check.quoted", value="'商'")
    )
    report = IngestReport("sales.csv", "sales", 3, 1, 1, 0, 1, (odd,))
    for digest in ("first", "second"):
        intake = Intake("sales", digest, {"sales": 4, "orders": 0}, (report,), (odd,), (odd, odd))
        ledger.note_intake(intake)
        assert ledger.intake("sales") == intake
    assert odd.text("zh") == ledger.intake("sales").findings[0].text("zh")  # ty: ignore[possibly-missing-attribute]
    assert ledger.intake("orders") is None


@pytest.mark.parametrize("history", ["declared", "live"])
def test_rows_that_are_added_at_once_are_those_that_are_judged(
    tmp_path: Path, history: Literal["declared", "live"], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One batch with keys of their own into a table into which nothing came: staged or not, the same is there."""
    lines = [("a", "P", "1", "2026-01-05", ""), ("b", "P", "2", "2026-01-06 10:00", "2026-01-07")]
    events = [lines, [*lines, ("a", "P", "1", "2026-01-05", "")], [("", "P", "x", "2026-01-05", "")]]
    price = pa.table({"product": ["P", "Q"], "price": [4.0, 5.0], ROW: [2, 3]})
    found: list[list[object]] = []
    staged: list[str] = []
    stage = DuckDBLedger._stage
    monkeypatch.setattr(DuckDBLedger, "_stage", lambda self, t, *a: staged.append(t.name) or stage(self, t, *a))
    for name in ("at once", "judged"):
        if name == "judged":
            monkeypatch.setattr(DuckDBLedger, "_is_new", lambda _self, _table: False)
        found.append([])
        for number, given_ in enumerate(events):
            with open_ledger(tmp_path / f"{name}{number}.duckdb", replace(SETTINGS, history=history)) as ledger:
                reports = [
                    ledger.take_in("sales", in_batches(given_, 10), "s.csv", NOW, by="test"),
                    ledger.ingest("products", price, None, (), "p.csv", NOW, by="test"),
                    ledger.take_in("sales", in_batches(given_, 10), "s.csv", NOW, by="test"),
                ]
                everything = [ledger._rows(f"SELECT * FROM chain.{t} ORDER BY ALL") for t in ("sales", "products")]
                found[-1] += [*reports, *everything, bad_rows(ledger)]
    assert found[0] == found[1]
    # Judged each time, or only the second time and where a key is there twice.
    assert staged.count("products") == 3 and staged.count("sales") == 6 + 3 + 1
