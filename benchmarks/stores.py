"""What a chain costs in PostgreSQL, over what it costs in its own file.

    python benchmarks/stores.py [--short]

A PostgreSQL server of its own on this machine, with its writes made sure as on any other (fsync). In either store, in
turn:

* example: the tables of examples/fmcg taken into a new chain; then the chain opened again, and every table read;
* sales: seeded rows of sales with keys taken into a new chain at once; the same rows again, all known, by a ledger that
  has none of them in memory; and every row read by another one;
* small: single corrections of one row, one after the other, while the chain is open.

One line each: seconds of both, medians of runs, and their ratio. A bar is the most that a ratio may be.
"""

import json
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median

import numpy as np
import pyarrow as pa

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from datong.app import stores  # noqa: E402
from datong.app.chain import Chain  # noqa: E402
from datong.model.settings import ChainSettings  # noqa: E402
from datong.store.duckdb_ledger import DuckDBLedger, open_ledger  # noqa: E402
from datong.store.postgres.ledger import open_ledger as open_there  # noqa: E402
from postgres_server import Server  # noqa: E402

FMCG = ROOT / "examples" / "fmcg"
NOW = datetime(2026, 6, 1, tzinfo=UTC)
SETTINGS = ChainSettings("bench")
# Seconds in PostgreSQL over those in a file, at most: some twice what was seen.
BARS = {
    "example_taken_in": 4.0,
    "example_read": 30.0,
    "sales_taken_in": 12.0,
    "sales_again": 12.0,
    "sales_read": 30.0,
    "small_write": 10.0,
}

Seconds = dict[str, float]


def sales(count: int) -> pa.Table:
    """Rows with keys, of 5,000 products in two years."""
    die = np.random.default_rng(1)
    moments = np.datetime64("2024-01-01", "us") + die.integers(0, 730 * 86_400, count).astype("timedelta64[s]")
    return pa.table(
        {
            "sale": pa.array([f"S{i}" for i in range(count)]),
            "happened_at": pa.array(moments, pa.timestamp("us")).cast(pa.timestamp("us", tz="UTC")),
            "product": pa.array([f"P{i}" for i in die.integers(0, 5_000, count)]),
            "units": pa.array(die.integers(1, 20, count).astype(float)),
            "__row__": pa.array(range(2, count + 2), pa.int64()),
        }
    )


def timed(seconds: Seconds, name: str, work: Callable[[], object]) -> None:
    begun = time.perf_counter()
    work()
    seconds[name] = time.perf_counter() - begun


def example(folder: Path, address: str | None) -> Seconds:
    chain = shutil.copytree(FMCG, folder / "fmcg", ignore=shutil.ignore_patterns(".datong"))
    if address is not None:
        stores.keep_in(chain, address)
    seconds: Seconds = {}
    timed(seconds, "example_taken_in", lambda: Chain(chain).close())

    def read() -> None:
        with Chain(chain) as opened:
            opened.state()

    timed(seconds, "example_read", read)
    return seconds


def of_sales(opened: Callable[[], DuckDBLedger], rows: pa.Table, small: int) -> Seconds:
    seconds: Seconds = {}

    def take(source: str) -> None:
        with closing(opened()) as ledger:
            report = ledger.ingest("sales", rows, None, (), source, NOW, by="bench")
            assert report.added + report.known == rows.num_rows

    def read() -> None:
        with closing(opened()) as ledger:
            assert ledger.state(NOW, ("sales",)).table("sales").num_rows == rows.num_rows

    timed(seconds, "sales_taken_in", lambda: take("first.csv"))
    timed(seconds, "sales_again", lambda: take("again.csv"))
    timed(seconds, "sales_read", read)
    with closing(opened()) as ledger:
        ledger.state(NOW, ("sales",))

        def corrections() -> None:
            for i in range(small):
                known_at = pa.array([NOW + timedelta(minutes=i)], pa.timestamp("us", tz="UTC"))
                changed = rows.slice(i, 1).set_column(3, "units", pa.array([99.0])).append_column("known_at", known_at)
                assert ledger.ingest("sales", changed, None, (), "small.csv", NOW, by="bench").superseded == 1

        timed(seconds, "small_write", corrections)
    seconds["small_write"] /= small
    return seconds


def main(short: bool) -> int:
    count, small, runs = (100_000, 10, 1) if short else (500_000, 30, 3)
    rows = sales(count)
    found: dict[str, list[tuple[float, float]]] = {}
    server = Server({"fsync": "on", "full_page_writes": "on", "synchronous_commit": "on", "shared_buffers": "256MB"})
    try:
        for _ in range(runs):
            with tempfile.TemporaryDirectory() as name:
                folder, database = Path(name), server.new_database()
                (folder / "here").mkdir()
                (folder / "there").mkdir()
                address = server.url(database)
                here = example(folder / "here", None)
                here |= of_sales(lambda at=folder: open_ledger(at / "sales.duckdb", SETTINGS), rows, small)
                there = example(folder / "there", address)
                there |= of_sales(lambda at=address: open_there(at, SETTINGS), rows, small)
                server.drop([database])
            for what in BARS:
                found.setdefault(what, []).append((here[what], there[what]))
    finally:
        server.stop()
    missed = False
    for what, bar in BARS.items():
        file, postgres = (median(pair[i] for pair in found[what]) for i in (0, 1))
        ratio = median(there / here for here, there in found[what])
        missed |= ratio > bar
        told = {"figure": what, "rows": count if what.startswith("sales") else None, "file_s": round(file, 4)}
        print(json.dumps({**told, "postgres_s": round(postgres, 4), "ratio": round(ratio, 2), "bar": bar}))  # noqa: T201
    return int(missed)


if __name__ == "__main__":
    sys.exit(main("--short" in sys.argv[1:]))
