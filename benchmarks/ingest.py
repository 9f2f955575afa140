"""Taking in millions of sales rows: seconds of Datong over what the embedded database and a plain read need.

    python benchmarks/ingest.py [--short]

One seeded export of sales (order line, moment, product, market, customer, units, price; 5,000 products). In turn, each
in a process of its own:

* load: DuckDB reads the file into a table of a new database file, types detected, and closes it;
* first: Datong opens a new chain with that file: read, checked, ids given, taken in, closed;
* again: the same rows in another order and another file, all known, into that chain;
* unchanged: the chain is opened once more, nothing having changed.

Then `datong check` on the 541,909 lines of Online Retail (../shared/data; left out where it is not there) against one
plain read of the same file: in a process that has its libraries, by pyarrow, and as whole commands, by pandas. Then
`datong --help`. Figures are medians of ratios. Peak memory is that of the whole process, of 5 and of 10 million rows.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

ROOT = Path(__file__).resolve().parents[1]
ONLINE_RETAIL = ROOT / ".." / "shared" / "data" / "online_retail" / "transactions.parquet"
PRODUCTS = 5_000
RUNS = 3
# The most that each may take: what the long form asks, and what the short one, where fixed costs weigh more: of its
# 300,000 rows two in three are of another customer, each of whom gets a key (connectors/files/customer_keys.py).
BARS = {"first": (3.0, 14.0), "again": (2.0, 12.0), "check": (5.0, 8.0), "memory": (1.3, 2.5), "help": (0.3, 0.6)}

LOAD = """
import duckdb
with duckdb.connect({database!r}) as c:
    c.execute("CREATE TABLE sales AS FROM read_csv({file!r})")
"""
OPEN = """
import datong
with datong.open({folder!r}) as chain:
    pass
"""
INGEST = """
import datong
from pathlib import Path
with datong.open({folder!r}) as chain:
    taken = chain.ingest(Path({file!r}), "sales")
(report,) = taken.reports
assert report.known == report.rows == {rows}, report
"""
# What a process prints last: seconds of its work without the start of Python and its libraries, and its peak memory.
TIMED = """
import time, json, resource
import duckdb, pyarrow, pyarrow.csv, pandas
import datong.app.chain
start = time.perf_counter()
{work}
print(json.dumps([time.perf_counter() - start, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024]))
"""
CHECK = """
from pathlib import Path
from datong.connectors.files.folder import check_folder, count
import pyarrow.csv
folder = Path({folder!r})
def plain(): pyarrow.csv.read_csv(folder / "sales.csv")
def check(): assert sum(check_folder(folder, count, keep_rejected=False).rows.values()) > 541_909
pairs = []
for _ in range({runs}):
    pairs.append([])
    for work in (plain, check):
        begin = time.perf_counter()
        work()
        pairs[-1].append(time.perf_counter() - begin)
print(json.dumps(pairs))
"""


def sales(rows: int, seed: int) -> pa.Table:
    """An export of sales over two years, in the order in which they happened."""
    random = np.random.default_rng(seed)
    moments = np.sort(random.integers(0, 730 * 86_400, rows)).astype("m8[s]") + np.datetime64("2024-01-01", "s")
    weight = np.arange(1, PRODUCTS + 1) ** -0.8
    product = random.choice(PRODUCTS, rows, p=weight / weight.sum())
    share = random.choice([1.0, 0.9, 0.8], rows)
    number = pa.array(np.arange(10_000_000, 10_000_000 + rows)).cast(pa.string())
    customer = pa.array(random.integers(100_000, 500_000, rows)).cast(pa.string())
    return pa.table(
        {
            "sale": pc.binary_join_element_wise("S", number, ""),
            "happened_at": pc.strftime(pa.array(moments), format="%Y-%m-%d %H:%M:%S"),
            "product": _names().take(pa.array(product)),
            "market": pa.array(["shop", "web", "amazon", "tmall"]).take(pa.array(random.integers(0, 4, rows))),
            "customer": pc.binary_join_element_wise("C", customer, ""),
            "units": 1 + random.poisson(0.6, rows),
            "price": np.round((5.9 + product % 97) * share, 2),
        }
    )


def _names() -> pa.Array:
    return pa.array([f"SKU-{i:05d}" for i in range(PRODUCTS)])


def write_chain(folder: Path, rows: int, seed: int) -> None:
    """A chain folder with these sales, and their rows shuffled in a file beside it."""
    folder.mkdir()
    (folder / "chain.toml").write_text('name = "shop"\ntime_zone = "Europe/London"\n', encoding="utf-8")
    pa.csv.write_csv(pa.table({"product": _names()}), folder / "products.csv")
    table = sales(rows, seed)
    options = pa.csv.WriteOptions(quoting_style="none")
    pa.csv.write_csv(table, folder / "sales.csv", options)
    order = np.random.default_rng(seed).permutation(rows)
    pa.csv.write_csv(table.take(pa.array(order)), folder.with_suffix(".shuffled.csv"), options)


def timed(work: str) -> tuple[float, float]:
    """Seconds and peak MiB of some work in a process of its own."""
    done = subprocess.run([sys.executable, "-c", TIMED.format(work=work)], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr)
    seconds, mebibytes = json.loads(done.stdout.splitlines()[-1])
    return seconds, mebibytes


def ingest_runs(place: Path, rows: int, runs: int) -> tuple[dict[str, list[float]], float]:
    """Seconds by what was done, one for each run, and the largest peak of memory of taking in, in MiB."""
    folder = place / f"chain{rows}"
    # By a process of its own: a process counts the peak memory of the one that started it as its own.
    subprocess.run([sys.executable, str(Path(__file__).resolve()), "--write", str(folder), str(rows)], check=True)
    shuffled = folder.with_suffix(".shuffled.csv")
    seconds: dict[str, list[float]] = {"load": [], "first": [], "again": [], "unchanged": []}
    peak = 0.0
    for run in range(runs):
        database = place / f"peer{run}.duckdb"
        ledger = folder / ".datong"
        for old in ledger.iterdir() if ledger.is_dir() else ():
            old.unlink()
        steps = {
            "load": LOAD.format(database=str(database), file=str(folder / "sales.csv")),
            "first": OPEN.format(folder=str(folder)),
            "again": INGEST.format(folder=str(folder), file=str(shuffled), rows=rows),
            "unchanged": OPEN.format(folder=str(folder)),
        }
        for name, work in steps.items():
            took, mebibytes = timed(work)
            seconds[name].append(took)
            peak = max(peak, mebibytes) if name != "load" else peak
        database.unlink()
    return seconds, peak


def online_retail(place: Path, runs: int) -> tuple[float, float]:
    """Seconds of a check over those of a plain read: within a process, by pyarrow; and as commands, by pandas."""
    folder = place / "online-retail"
    folder.mkdir()
    (folder / "chain.toml").write_bytes((ROOT / "examples" / "online-retail" / "chain.toml").read_bytes())
    lines = f"read_parquet('{ONLINE_RETAIL.resolve()}')"
    duckdb.sql(
        "SELECT upper(trim(stock_code)) AS product, invoice_ts AS happened_at, quantity AS units, unit_price AS price,"
        f" customer_id AS customer, country AS market FROM {lines}"
    ).write_csv(str(folder / "sales.csv"))
    duckdb.sql(f"SELECT DISTINCT upper(trim(stock_code)) AS product FROM {lines} ORDER BY product").write_csv(
        str(folder / "products.csv")
    )
    work = CHECK.format(folder=str(folder), runs=runs + 1)
    code = TIMED.format(work=work).rsplit("print", 1)[0]
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    pairs = json.loads(done.stdout.splitlines()[-1])[1:]  # the first one also imports
    read = f"import pandas; pandas.read_csv({str(folder / 'sales.csv')!r})"
    commands = [
        (_seconds([sys.executable, "-c", read]), _seconds([sys.executable, "-m", "datong", "check", str(folder)], (1,)))
        for _ in range(runs)
    ]
    return median(check / plain for plain, check in pairs), median(check / plain for plain, check in commands)


def _seconds(command: list[str], codes: tuple[int, ...] = (0,)) -> float:
    start = time.perf_counter()
    done = subprocess.run(command, capture_output=True, check=False, env={**os.environ, "DATONG_LANG": "en"})
    took = time.perf_counter() - start
    if done.returncode not in codes:
        raise RuntimeError(done.stderr.decode())
    return took


def main(short: bool) -> int:
    rows = 300_000 if short else 5_000_000
    missed = []

    def said(name: str, value: float, text: Callable[[float], str]) -> None:
        bar = BARS[name][short]
        verdict = "" if value <= bar else "   MISSED"
        missed.extend([name] if verdict else [])
        sys.stdout.write(f"{text(value)}; at most {bar:g}{verdict}\n")
        sys.stdout.flush()

    with tempfile.TemporaryDirectory(prefix="datong-bench-") as temporary:
        place = Path(temporary)
        seconds, peak = ingest_runs(place, rows, RUNS)
        load = median(seconds["load"])
        sys.stdout.write(f"{rows:,} sales rows; the embedded database loads them in {load:.2f} s\n")

        def ratio(name: str) -> float:
            return median(a / b for a, b in zip(seconds[name], seconds["load"], strict=True))

        said("first", ratio("first"), lambda r: f"taken in from nothing     {r:6.2f} times that")
        said("again", ratio("again"), lambda r: f"all known, in other order {r:6.2f} times that")
        sys.stdout.write(f"opened unchanged          {ratio('unchanged'):6.2f} times that\n")
        _, twice = ingest_runs(place, 2 * rows, 1)
        text = f"peak memory {peak:,.0f} MiB; of {2 * rows:,} rows {twice:,.0f} MiB,"
        said("memory", twice / peak, lambda r: f"{text} {r:.2f} times that")
        if ONLINE_RETAIL.is_file():
            check, command = online_retail(place, RUNS)
            said("check", check, lambda r: f"check of Online Retail    {r:6.2f} times a plain read (pyarrow)")
            sys.stdout.write(f"`datong check` as a command {command:.2f} times a command that reads it (pandas)\n")
    answers = [_seconds([sys.executable, "-m", "datong", "--help"]) for _ in range(2 * RUNS + 1)]
    # The best of several, for a lone time says as much of the machine as of the program.
    said("help", min(answers), lambda s: f"`datong --help` {s:.3f} s (median {median(answers):.3f} s)")
    return 1 if missed else 0


if __name__ == "__main__":
    if sys.argv[1:2] == ["--write"]:
        write_chain(Path(sys.argv[2]), int(sys.argv[3]), seed=int(sys.argv[3]))
        raise SystemExit
    raise SystemExit(main("--short" in sys.argv[1:]))
