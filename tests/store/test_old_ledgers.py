"""Ledgers that another version wrote, or that two processes make at once: all of it is readable, or all is as before.

`ledger-layout-1.duckdb.xz` and `ledger-layout-1.json`, what was in it, come from the first layout's own code:

    python tests/store/test_old_ledgers.py FOLDER
"""

import json
import lzma
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from datong.app.chain import Chain
from datong.connectors.files.starter import write_starter
from datong.model.errors import DatongError, Refused
from datong.model.settings import ChainSettings
from datong.model.tables import tables
from datong.store import migrations
from datong.store.duckdb_ledger import DuckDBLedger, open_ledger

pytestmark = pytest.mark.usefixtures("ledgers_are_made")

HERE = Path(__file__).parent
LAYOUTS = sorted(p.name.removesuffix(".duckdb.xz") for p in HERE.glob("ledger-layout-*.duckdb.xz"))
SETTINGS = ChainSettings("My chain")
NOW = datetime(2026, 3, 1, tzinfo=UTC)
MOMENTS = [datetime(2026, 1, 6, 20, tzinfo=UTC), datetime(2026, 2, 20, tzinfo=UTC), datetime(2026, 7, 1, tzinfo=UTC)]


def make(folder: Path) -> None:
    """A ledger with rows, versions, a withdrawal, quarantine and a run; compressed, and what is in it as JSON."""
    chain_folder = folder / "chain"
    write_starter(chain_folder, "en")
    sales = folder / "sales.csv"
    lines = [f"t{i},2026-02-{i:02d},BAG-0{1 + i % 2},{i % 5 + 1}," for i in range(1, 15)]
    lines += [
        "t1,2026-02-01,BAG-02,9,2026-02-18",
        ",2026-02-03,BAG-01,1,",
        ",2026-02-03,BAG-01,1,",
        "t2,2026-02-02,X,1,",
    ]
    sales.write_text("\n".join(["sale,happened_at,product,units,known_at", *lines]) + "\n", encoding="utf-8")
    with Chain(chain_folder, now=lambda: NOW) as chain:
        chain.ingest(sales)
        chain.run(as_of=datetime(2026, 2, 16, tzinfo=UTC))
        chain.withdraw("sales", ["sales:t3"])
        version = migrations.MIGRATIONS
        content = json.dumps(contents(chain.ledger), ensure_ascii=False)  # ty: ignore[invalid-argument-type]
    name = f"ledger-layout-{len(version)}"
    with duckdb.connect(str(chain_folder / ".datong" / "ledger.duckdb")) as connection:
        connection.execute("CHECKPOINT")
    packed = lzma.compress((chain_folder / ".datong" / "ledger.duckdb").read_bytes(), preset=9)
    (folder / f"{name}.duckdb.xz").write_bytes(packed)
    (folder / f"{name}.json").write_text(content + "\n", encoding="utf-8")


def contents(ledger: DuckDBLedger) -> dict[str, Any]:
    """All that can be read from a ledger, as JSON keeps it."""
    states = {moment.isoformat(): ledger.state(moment) for moment in MOMENTS}
    read = {
        "states": {
            moment: {name: state.table(name).to_pylist() for name in tables() if state.table(name).num_rows}
            for moment, state in states.items()
        },
        "quarantine": ledger.quarantined().to_pylist(),
        "runs": ledger.runs().to_pylist(),
        "run_tables": {
            run: {name: table.to_pylist() for name, table in ledger.run_tables(run).items()}
            for run in ledger.runs()["run"].to_pylist()
        },
        "evidence": ledger.rows("sales", ["sales:t1", "sales:t4"]).to_pylist(),
    }
    return json.loads(json.dumps(read, default=str))


def unpacked(layout: str, folder: Path) -> Path:
    path = folder / "ledger.duckdb"
    path.write_bytes(lzma.decompress((HERE / f"{layout}.duckdb.xz").read_bytes()))
    return path


def holds(there: Any, expected: Any) -> bool:
    """Whether all of `expected` is there: later layouts may say more of a row, never less."""
    if isinstance(expected, dict):
        return isinstance(there, dict) and all(holds(there.get(key), value) for key, value in expected.items())
    if isinstance(expected, list):
        return len(there) == len(expected) and all(holds(a, b) for a, b in zip(there, expected, strict=True))
    return there == expected


@pytest.mark.parametrize("layout", LAYOUTS)
def test_an_old_ledger_opens_with_everything_readable_and_goes_on(tmp_path: Path, layout: str) -> None:
    path = unpacked(layout, tmp_path)
    expected = json.loads((HERE / f"{layout}.json").read_text(encoding="utf-8"))
    assert all(expected[part] for part in ("quarantine", "runs", "run_tables", "evidence"))
    for _ in range(2):  # the second time there is nothing to migrate
        with open_ledger(path, SETTINGS) as ledger:
            assert holds(contents(ledger), expected)
    with open_ledger(path, SETTINGS) as ledger:  # the same row is known, a new one is not
        rows = (
            ledger.state(MOMENTS[-1])
            .table("products")
            .select(["product", "name", "category_a", "price", "launched_on"])
        )
        rows = rows.append_column("__row__", pa.array(range(2, 2 + rows.num_rows), pa.int64()))
        assert ledger.ingest("products", rows, None, (), "products.csv", NOW, by="test").known == rows.num_rows


def test_the_first_layout_is_among_them() -> None:
    assert "ledger-layout-1" in LAYOUTS


def _half_done(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute("ALTER TABLE chain.sales ADD COLUMN half VARCHAR")
    connection.execute("DELETE FROM chain.sales")
    connection.execute("DROP TABLE quarantine")


def _dies(connection: duckdb.DuckDBPyConnection) -> None:
    _half_done(connection)
    os.kill(os.getpid(), signal.SIGKILL)


def _fails(connection: duckdb.DuckDBPyConnection) -> None:
    _half_done(connection)
    connection.execute("SELECT * FROM no_such_table")


def _breaks(connection: duckdb.DuckDBPyConnection) -> None:
    _half_done(connection)
    raise MemoryError


@pytest.mark.parametrize("step", [_fails, _breaks, _dies])
def test_a_migration_that_dies_half_way_leaves_the_old_ledger(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: Callable[[duckdb.DuckDBPyConnection], None]
) -> None:
    path = unpacked("ledger-layout-1", tmp_path)
    expected = json.loads((HERE / "ledger-layout-1.json").read_text(encoding="utf-8"))
    if step is _dies:
        program = (
            "import sys; sys.path.insert(0, sys.argv[1]); from pathlib import Path; import test_old_ledgers as t;"
            " t.migrations.MIGRATIONS += (t._dies,); t.open_ledger(Path(sys.argv[2]), t.SETTINGS)"
        )
        done = subprocess.run([sys.executable, "-c", program, str(HERE), str(path)], check=False)
        assert done.returncode == -signal.SIGKILL
    else:
        monkeypatch.setattr(migrations, "MIGRATIONS", (*migrations.MIGRATIONS, step))
        with pytest.raises((DatongError, duckdb.Error, MemoryError)):
            open_ledger(path, SETTINGS)
        monkeypatch.undo()
    with open_ledger(path, SETTINGS) as ledger:
        assert holds(contents(ledger), expected)
    with duckdb.connect(str(path), read_only=True) as connection:
        names = [n for (n,) in connection.execute("SELECT column_name FROM duckdb_columns()").fetchall()]
        assert "half" not in names


def test_a_newer_ledger_is_refused_in_words_and_left_as_it_is(tmp_path: Path) -> None:
    path = unpacked("ledger-layout-1", tmp_path)
    with duckdb.connect(str(path)) as connection:
        connection.execute("INSERT INTO schema_version VALUES (99)")
    before = path.read_bytes()
    with pytest.raises(Refused) as refusal:
        open_ledger(path, SETTINGS)
    assert "Update Datong" in refusal.value.message.text("en") and "升级打通" in refusal.value.message.text("zh")
    assert path.read_bytes() == before


def test_a_ledger_that_another_process_made_meanwhile_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between making a new ledger and giving it its name another one appears; where the drive has no links, too."""
    real = os.link

    def without_links(*_paths: object) -> None:
        raise OSError(1, "Operation not permitted")

    for number, link in enumerate((real, without_links)):
        path = tmp_path / str(number) / "ledger.duckdb"

        def late_link(fresh: Path, place: Path, link: Callable[..., None] = link) -> None:
            monkeypatch.setattr(os, "link", link)
            with open_ledger(place, SETTINGS) as other:
                other.ingest(
                    "products", pa.table({"product": ["A"], "__row__": [2]}), None, (), "first", NOW, by="test"
                )
            link(fresh, place)

        monkeypatch.setattr(os, "link", late_link)
        with open_ledger(path, SETTINGS) as ledger:
            assert ledger.state(NOW).table("products")["product"].to_pylist() == ["A"]
        assert [p.name for p in path.parent.iterdir()] == ["ledger.duckdb"]


if __name__ == "__main__":
    make(Path(sys.argv[1]))


def test_writes_of_before_they_were_noted_are_there_without_a_name(tmp_path: Path) -> None:
    """The first layout kept what came in and when, a withdrawal too, but not by whom nor how much."""
    with open_ledger(unpacked("ledger-layout-1", tmp_path), SETTINGS) as ledger:
        writes = ledger.writes().to_pylist()
        assert [row["write"] for row in writes] == list(range(1, len(writes) + 1))
        assert {(row["by"], row["how_many"], row["branch"]) for row in writes} == {(None, None, None)}
        assert ("ingest", "sales") in {(row["what"], row["subject"]) for row in writes}
        assert (writes[-1]["what"], writes[-1]["subject"]) == ("withdraw", "sales")
        ledger.withdraw("sales", ["sales:t4"], NOW, by="Ann")
        last = ledger.writes().to_pylist()[-1]
        assert (last["write"], last["by"], last["how_many"]) == (len(writes) + 1, "Ann", 1)
