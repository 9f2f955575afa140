"""A process that is killed while it takes rows in: what was confirmed is there, once; the rest is there or is not."""

import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

from datong.model.settings import ChainSettings
from datong.store.duckdb_ledger import open_ledger
from stores import NOW, ROWS, batch

PROGRAM = """
import sys
from itertools import count
from pathlib import Path
sys.path.insert(0, sys.argv[3])
from stores import NOW, batch
from datong.model.settings import ChainSettings
from datong.store.duckdb_ledger import open_ledger
with open_ledger(Path(sys.argv[1]), ChainSettings("x")) as ledger:
    for number in count(int(sys.argv[2])):
        ledger.ingest("sales", batch(number), None, (), f"{number}.csv", NOW, by="test")
        print(number, flush=True)
"""


def test_nothing_confirmed_is_lost_and_nothing_is_there_twice(tmp_path: Path) -> None:
    path = tmp_path / "ledger.duckdb"
    confirmed: list[int] = []
    tried = 0
    for kill in range(5):
        process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(path), str(tried), str(Path(__file__).parents[1])],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        for _ in range(1 + kill % 3):
            confirmed.append(int(process.stdout.readline()))
        time.sleep(0.02 * kill)  # another moment of the next ingest each time
        process.kill()
        confirmed += [int(line) for line in process.stdout.read().split()]
        process.wait()
        process.stdout.close()
        tried = confirmed[-1] + 2  # the one after the last confirmed one may be there or not
        with open_ledger(path, ChainSettings("x")) as ledger:
            sales = ledger.state(NOW).table("sales")
        found = Counter(sales["product"].to_pylist())
        assert set(found.values()) <= {ROWS}
        assert {f"P{n}" for n in confirmed} <= set(found)
        assert len(set(sales["row_id"].to_pylist())) == sales.num_rows
    with open_ledger(path, ChainSettings("x")) as ledger:
        for number in range(tried):
            ledger.ingest("sales", batch(number), None, (), f"{number}.csv", NOW, by="test")
        found = Counter(ledger.state(NOW).table("sales")["product"].to_pylist())
    assert found == {f"P{n}": ROWS for n in range(tried)}


def test_a_kill_while_a_ledger_is_made_leaves_none_or_a_whole_one(tmp_path: Path) -> None:
    for kill in range(3):
        path = tmp_path / str(kill) / "ledger.duckdb"
        process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(path), "0", str(Path(__file__).parents[1])], stdout=subprocess.DEVNULL
        )
        while not path.parent.exists():
            time.sleep(0.001)
        time.sleep(0.02 * kill)
        process.kill()
        process.wait()
        with open_ledger(path, ChainSettings("x")) as ledger:
            assert ledger.ingest("sales", batch(0), None, (), "0.csv", NOW, by="test").rows == ROWS
