"""Ids and content hashes stay as they were, bit by bit: a row that is taken in again must be the row that is known.

`ledger-3e3d906` is a folder of tables, the ledger that commit 3e3d906 made of it, and its ids with their hashes: keys
with odd characters, of several parts, of days and moments, rows without a key, equal rows, numbers of any size.
"""

import json
import lzma
import shutil
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from datong.app.chain import Chain
from datong.model.tables import tables
from datong.store.duckdb_ledger import DuckDBLedger
from datong.store.migrations import chain_table

OLD = Path(__file__).parent / "ledger-3e3d906"
IDS: Mapping[str, Sequence[str]] = json.loads((OLD / "ids.json").read_text(encoding="utf-8"))


def copied(place: Path, with_ledger: bool) -> Path:
    folder = place / "chain"
    shutil.copytree(OLD, folder, ignore=shutil.ignore_patterns("ids.json", "*.xz"))
    if with_ledger:
        (folder / ".datong").mkdir()
        ledger = lzma.decompress((OLD / "ledger.duckdb.xz").read_bytes())
        (folder / ".datong" / "ledger.duckdb").write_bytes(ledger)
    return folder


def ids(chain: Chain) -> dict[str, list[str]]:
    """Row id and content hash of every row, by table, in order."""
    ledger = chain.ledger
    assert isinstance(ledger, DuckDBLedger)
    found = {}
    for table in tables().values():
        rows = ledger._rows(f"SELECT row_id, _content::VARCHAR FROM {chain_table(table)} ORDER BY ALL")
        if rows:
            found[table.name] = [f"{row_id} {int(content):032x}" for row_id, content in rows]
    return found


@pytest.mark.parametrize("with_ledger", [True, False], ids=["the old ledger", "a new ledger"])
def test_the_files_of_an_old_ledger_are_known_to_it_and_have_the_same_ids_in_a_new_one(
    tmp_path: Path, with_ledger: bool
) -> None:
    folder = copied(tmp_path, with_ledger)
    with Chain(folder, now=lambda: datetime(2026, 4, 1, tzinfo=UTC)) as chain:
        news = {report.table: report.added + report.superseded for report in chain.ingested}
        assert news == {name: 0 if with_ledger else len(rows) for name, rows in IDS.items()}
        assert ids(chain) == IDS
        for name in IDS:
            (report,) = chain.ingest(folder / f"{name}.csv").reports
            assert report.known == report.rows == len(IDS[name])
        assert ids(chain) == IDS
