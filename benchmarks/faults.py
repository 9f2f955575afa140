"""kill -9 at random moments of `datong ingest`, `run`, `release` and `exchange`: where they fell, and what was lost.

    python benchmarks/faults.py [--short] [--only NAME]

300 kills of each (--short: 10 of each; --only NAME: of one). After each one the ledger must open, what was confirmed
before must be there once, and repeating the command must give, row by row, the ledger, the results and the drop folder
of an undisturbed one: no order in two files, no answer lost or counted twice, no warning untold. The first kill after
which any of this does not hold ends the benchmark.
"""

import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "faults"))

from kills import PLACES, prepare, spread
from processes import Processes


def main(short: bool, only: str = "") -> int:
    start = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="datong-faults-") as folder, Processes() as processes:
        commands = prepare(Path(folder) / "prepared", processes)
        commands = [command for command in commands if command.name.startswith(only)]
        fallen = spread(10 if short else 300, commands, Path(folder) / "work", processes, seed=1)
    for command in commands:
        places = Counter(f.place for f in fallen if f.command == command.name)
        told = ", ".join(f"{places[place]} {place}" for place in PLACES)
        sys.stdout.write(f"{command.name}: {sum(places.values())} kills: {told}\n")
    inside = sum(f.place in PLACES[1:3] for f in fallen)
    finished = sum(f.finished for f in fallen)
    seconds = time.perf_counter() - start
    sys.stdout.write(
        f"{len(fallen)} kills, {inside} of them within a transaction ({finished} commands were done already):"
        f" nothing lost, nothing twice, every repeated command as if undisturbed ({seconds:.0f} s)\n"
    )
    return 0 if 5 * inside >= len(fallen) else 1  # too few kills within the writes would prove little


if __name__ == "__main__":
    words = sys.argv[1:]
    sys.exit(main("--short" in words, words[words.index("--only") + 1] if "--only" in words else ""))
