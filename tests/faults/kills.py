"""kill -9 at random moments of a command's life, and what must hold after each.

A third of the moments is spread over the whole life of the process as it was measured, a third over the time that it
spends in transactions, a third over that in commits. A moment is held as a place in the sequence of what the process
notes, and seconds after it, so that a busy machine does not move it.
"""

import random
import shutil
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb
from processes import BEGUN, COMMITTED, COMMITTING, Ended, Processes

from datong.app.result_folder import FOLDER_MARK
from datong.connectors.files.starter import write_starter
from datong.model.settings import ChainSettings
from datong.store.duckdb_ledger import open_ledger

SALES = 1_500
WEEKS = 8
# Where a kill fell.
PLACES = ("before the first transaction", "in a transaction", "in a commit", "between transactions", "after the last")


@dataclass(frozen=True)
class Moment:
    """So many notes have been heard, and so many seconds have passed since the last."""

    notes: int
    seconds: float


@dataclass(frozen=True)
class Command:
    """A command on a prepared folder. out: a folder of results that it writes beside the chain, '' for none."""

    name: str
    words: Sequence[str]
    prepared: Path
    out: str = ""


@dataclass(frozen=True)
class Fallen:
    """One kill: where it fell. finished: the command was faster than the kill."""

    command: str
    place: str
    finished: bool


Dump = dict[str, Counter[str]]


LEFT_OUT = {("intakes", "kept"), ("writes", "at"), ("writes", "write")}


def dump(chain: Path) -> Dump:
    """Every row of every table of a ledger, as text, with how often it is there; but for moments of arrival, which come
    from the clock, and for what is kept of an intake, which says how much of it was new when it was last read. Of the
    writes, who did what: a command that is repeated is noted each time, with its moment and number.
    """
    path = chain / ".datong" / "ledger.duckdb"
    with open_ledger(path, ChainSettings("x")):
        pass
    shown = {"saved": "dense_rank() OVER (ORDER BY saved)"}  # a run that is made again counts on: its place counts
    with duckdb.connect(str(path), read_only=True, config={"threads": "1"}) as connection:
        columns: dict[str, list[str]] = {}
        for schema, table, column in connection.execute(
            "SELECT schema_name, table_name, column_name FROM duckdb_columns() WHERE NOT internal ORDER BY ALL"
        ).fetchall():
            if column != "arrived_at" and (table, column) not in LEFT_OUT:
                columns.setdefault(f'"{schema}"."{table}"', []).append(shown.get(column, f'"{column}"'))
        dumped = {}
        for table, names in columns.items():
            texts = f"SELECT row({', '.join(names)})::VARCHAR AS text FROM {table}"
            count = "1" if table == '"main"."writes"' else "count(*)"
            rows = connection.execute(f"SELECT text, {count} FROM ({texts}) GROUP BY text").fetchall()
            dumped[table] = Counter(dict(rows))
        return dumped


def difference(one: Dump, other: Dump) -> str:
    """Tables in which two dumps differ, with the first rows that only one of them has."""
    return "; ".join(
        f"{name}: {list((one[name] - other[name]).items())[:2]} / {list((other[name] - one[name]).items())[:2]}"
        for name in one
        if one[name] != other.get(name)
    )


def results(out: Path) -> dict[str, bytes] | None:
    """The files of a folder of results, None where there is none. All or nothing must be there."""
    if not out.exists():
        return None
    files = {path.name: path.read_bytes() for path in out.iterdir()}
    assert set(files) == {FOLDER_MARK, *files[FOLDER_MARK].decode().split()}
    return files


def prepare(folder: Path, processes: Processes) -> list[Command]:
    """Three commands: an ingest into a new ledger, one into a ledger that has rows, and a run with results."""
    folder.mkdir(parents=True, exist_ok=True)
    fresh = folder / "fresh" / "chain"
    write_starter(fresh, "en")
    days = [
        f"2026-{month:02d}-{day:02d}" for month, day in ((1, 5), (1, 12), (1, 19), (1, 26), (2, 2), (2, 9), (2, 16))
    ]
    rows = [f"s{i},{day},BAG-01,{120 + i % 3}" for i, day in enumerate(days)]
    (fresh / "sales.csv").write_text("\n".join(["sale,happened_at,product,units", *rows]) + "\n", encoding="utf-8")
    for number in (1, 2):
        _write_sales(folder / f"sales{number}.csv", number)
    used = folder / "used" / "chain"
    shutil.copytree(fresh, used)
    ingest = ["ingest", str(folder / "sales2.csv"), "--table", "sales", "--chain", "chain"]
    first = processes.run(*ingest[:1], folder / "sales1.csv", *ingest[2:], folder=used.parent)
    assert first.status == 0, first.text
    run = ["run", "chain", "--out", "out"]
    # A run's results lie there already: as of an earlier moment, so that they are others.
    ran = folder / "ran" / "chain"
    shutil.copytree(fresh, ran)
    earlier = processes.run(*run, "--as-of", "2026-02-09", folder=ran.parent)
    assert earlier.status == 0, earlier.text
    return [
        Command("ingest into a new ledger", ingest, fresh.parent),
        Command("ingest", ingest, used.parent),
        Command("run", run, ran.parent, "out"),
    ]


def _write_sales(path: Path, number: int) -> None:
    """Sales of which every third has no number of its own, and some are equal."""
    lines = ["sale,happened_at,product,units"]
    for i in range(SALES):
        sale = "" if i % 3 == 0 else f"{number}-{i}"
        lines.append(f"{sale},2026-02-{1 + i % 16:02d} {i % 24:02d}:00,BAG-0{1 + i % 2},{1 + i % 5}")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


class Experiment:
    """One command, undisturbed once and then killed again and again, each time on a fresh copy of its folder."""

    def __init__(self, command: Command, work: Path, processes: Processes) -> None:
        self.command, self._work, self._processes = command, work, processes
        self._before = dump(command.prepared / "chain") if (command.prepared / "chain/.datong").exists() else {}
        self._out_before = results(command.prepared / command.out) if command.out else None
        self._times = self._measure()
        self.after = dump(self._work / "chain")
        self._out_after = results(self._work / command.out) if command.out else None
        assert self._before != self.after
        assert not command.out or self._out_before != self._out_after

    def _copy(self) -> None:
        shutil.rmtree(self._work, ignore_errors=True)
        shutil.copytree(self.command.prepared, self._work)

    def _measure(self) -> list[tuple[bytes, float]]:
        """What the undisturbed command notes, and when, in seconds from its first note; its end comes last."""
        self._copy()
        running = self._processes.start(self.command.words, self._work, watched=True)
        times = []
        while note := running.note():
            times.append((note, time.perf_counter()))
        end = time.perf_counter()
        ended = running.wait()
        assert ended.status == 0, ended.text
        assert {note for note, _ in times} >= {BEGUN, COMMITTING, COMMITTED}, "no transaction was noted"
        return [(note, at - times[0][1]) for note, at in [*times, (b"", end)]]

    def moments(self, count: int, chance: random.Random) -> list[Moment]:
        """Moments at which to kill."""
        life = self._times[-1][1]
        pieces = [
            [(at, to) for (note, at), (_, to) in zip(self._times, self._times[1:], strict=False) if note in notes]
            for notes in ((BEGUN, COMMITTING), (COMMITTING,))
        ]
        drawn = []
        for number in range(count):
            spans = [(0.0, life)] if number % 3 == 0 else pieces[number % 3 - 1]
            start, end = chance.choices(spans, [b - a for a, b in spans])[0]
            drawn.append(chance.uniform(start, end))
        return [self._moment(at) for at in drawn]

    def moment_in(self, place: str, chance: random.Random) -> Moment:
        """A moment at which to kill at a place: anywhere in the time that the undisturbed command spent there."""
        noted = [b"".join(note for note, _ in self._times[: i + 1]) for i in range(len(self._times))]
        spans = [
            (at, to)
            for sofar, (_, at), (_, to) in zip(noted, self._times, self._times[1:], strict=False)
            if self._place(sofar) == place
        ]
        start, end = chance.choices(spans, [b - a for a, b in spans])[0]
        return self._moment(chance.uniform(start, end))

    def _moment(self, at: float) -> Moment:
        heard = [t for note, t in self._times if note and t <= at]
        return Moment(len(heard), at - heard[-1])

    def kill(self, moment: Moment) -> Fallen:
        """Kill the command at a moment, and hold what is left against what must be."""
        noted = b""

        def start_and_kill() -> Ended:
            nonlocal noted
            running = self._processes.start(self.command.words, self._work, watched=True)
            running.until(moment.notes)
            end = time.perf_counter() + moment.seconds
            while (left := end - time.perf_counter()) > 0:
                time.sleep(max(0.0, left - 0.0005))
            ended = running.kill()
            noted = running.noted
            return ended

        ended = self.disturbed(start_and_kill)
        return Fallen(self.command.name, self._place(noted), ended.status == 0)

    def disturbed(self, attempt: Callable[[], Ended]) -> Ended:
        """Let `attempt` run the command in trouble, on a fresh copy; then what must hold, and the command again."""
        self._copy()
        ended = attempt()
        self._check_ledger(ended.status == 0)
        self._check_results()
        repeated = self._processes.run(*self.command.words, folder=self._work)
        assert repeated.status == 0, repeated.text
        again = dump(self._work / "chain")
        assert again == self.after, f"repeating the command gives another ledger: {difference(self.after, again)}"
        if self.command.out:
            assert results(self._work / self.command.out) == self._out_after
        left_over = {path.name for path in self._work.iterdir()} - {"chain", self.command.out}
        left_over |= {path.name for path in (self._work / "chain" / ".datong").iterdir()} - {"ledger.duckdb"}
        assert not left_over, left_over
        return ended

    def _check_ledger(self, finished: bool) -> None:
        """What was confirmed before is there once; of what the command brings, some or all, none of it twice."""
        if not (self._work / "chain" / ".datong" / "ledger.duckdb").exists():
            assert not self._before, "the ledger is gone"
            return
        found = dump(self._work / "chain")
        for table, rows in self._before.items():
            assert rows <= found[table], f"rows of {table} are lost"
        for table, rows in found.items():
            assert rows <= self.after[table], f"{table} has rows that no undisturbed ledger has"
        if finished:
            assert found == self.after, "a finished command is lost"

    def _check_results(self) -> None:
        """The results are those from before or the new ones, whole; only between two renames there are none."""
        if self.command.out:
            assert results(self._work / self.command.out) in (self._out_before, self._out_after, None)

    def _place(self, noted: bytes) -> str:
        """Where the kill fell, by what was noted until then. `datong` works on after its last transaction."""
        count = sum(1 for note, _ in self._times if note == COMMITTED)
        committed = noted.count(COMMITTED)
        if noted.endswith(BEGUN):
            return PLACES[1]
        if noted.endswith(COMMITTING):
            return PLACES[2]
        if committed == 0:
            return PLACES[0]
        return PLACES[4] if committed >= count else PLACES[3]


def spread(total: int, commands: Sequence[Command], work: Path, processes: Processes, seed: int) -> list[Fallen]:
    """So many kills for the ingests together, and as many for the run."""
    chance = random.Random(seed)
    fallen = []
    for command, count in zip(commands, (total // 2, total - total // 2, total), strict=True):
        experiment = Experiment(command, work / command.name, processes)
        fallen += [experiment.kill(moment) for moment in experiment.moments(count, chance)]
    return fallen
