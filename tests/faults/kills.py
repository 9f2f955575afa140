"""kill -9 at random moments of a command's life, and what must hold after each.

A third of the moments is spread over the whole life of the process as it was measured, a third over the time that it
spends in transactions, a third over that in commits. A moment is held as a place in the sequence of what the process
notes, and seconds after it, so that a busy machine does not move it.
"""

import csv
import random
import shutil
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb
from processes import BEGUN, COMMITTED, COMMITTING, Ended, Processes

import mill
from datong.app.result_folder import FOLDER_MARK
from datong.connectors.files.starter import write_starter
from datong.model.settings import ChainSettings
from datong.store.duckdb_ledger import open_ledger

SALES = 1_500
WEEKS = 8
# Notes that a command makes on its way, and takes back or changes at its end.
_ON_THE_WAY = {'"main"."deliveries"', '"main"."intakes"'}
# Where a kill fell.
PLACES = ("before the first transaction", "in a transaction", "in a commit", "between transactions", "after the last")


@dataclass(frozen=True)
class Moment:
    """So many notes have been heard, and so many seconds have passed since the last."""

    notes: int
    seconds: float


@dataclass(frozen=True)
class Command:
    """A command on a prepared folder. out: a folder of results that it writes beside the chain, '' for none. drop: a
    drop folder that it works with, '' for none."""

    name: str
    words: Sequence[str]
    prepared: Path
    out: str = ""
    drop: str = ""


@dataclass(frozen=True)
class Fallen:
    """One kill: where it fell. finished: the command was faster than the kill."""

    command: str
    place: str
    finished: bool


Dump = dict[str, Counter[str]]


LEFT_OUT = {("intakes", "kept"), ("writes", "at"), ("writes", "write"), ("deliveries", "noted_at")}


def dump(chain: Path) -> Dump:
    """Every row of every table of a ledger, as text, with how often it is there; but for moments of arrival and of
    acts, which come from the clock, and for what is kept of an intake, which says how much of it was new when it was
    last read. Of the writes, who did what: a command that is repeated is noted each time, with its moment and number.
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
            if column not in ("arrived_at", "acted_at") and (table, column) not in LEFT_OUT:
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


@dataclass(frozen=True)
class Dropped:
    """What lies in a drop folder. out: by file of the outbox, the keys in it. sent: keys noted. inbox: names of files.
    put_away: names of files in done/ and bad/, with the text of findings."""

    out: dict[str, list[str]]
    sent: list[str]
    inbox: list[str]
    put_away: dict[str, str]


def dropped(folder: Path) -> Dropped:
    def rows(path: Path) -> list[dict[str, str]]:
        return list(csv.DictReader(path.read_text(encoding="utf-8-sig").splitlines()))

    def names(place: str) -> list[Path]:
        found = sorted(p for p in (folder / place).rglob("*") if p.is_file() and not p.name.startswith("."))
        return [p.relative_to(folder) for p in found]

    out = {str(p): sorted(r["message"] for r in rows(folder / p)) for p in names("outbox") if p.suffix == ".csv"}
    noted = folder / "sent.csv"
    sent = sorted(r["key"] for r in rows(noted)) if noted.exists() else []
    away = [*names("done"), *names("bad")]
    texts = {str(p): (folder / p).read_text(encoding="utf-8-sig") if p.suffix == ".txt" else "" for p in away}
    return Dropped(out, sent, [str(p) for p in names("inbox")], texts)


def known_as_sent(chain: Path) -> set[str]:
    """Keys that a ledger notes as sent."""
    with open_ledger(chain / ".datong" / "ledger.duckdb", ChainSettings("x")) as ledger:
        ways = ledger._rows("SELECT key FROM deliveries WHERE state = 'sent'")
    return {key for (key,) in ways}


def prepare(folder: Path, processes: Processes) -> list[Command]:
    """Five commands: an ingest into a new ledger, one into a ledger that has rows, a run with results, a release of
    what a run proposed, and an exchange that sends some orders and takes in answers to others."""
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
    (folder / "proposed").mkdir()
    proposed = mill.write(folder / "proposed" / "chain")
    release = ["release", "--due", "--chain", "chain"]
    answered = folder / "answered" / "chain"
    planned = processes.run(*run[:2], folder=proposed.parent)
    assert planned.status == 0, planned.text
    shutil.copytree(proposed, answered)
    _answer(answered, processes)
    return [
        Command("ingest into a new ledger", ingest, fresh.parent),
        Command("ingest", ingest, used.parent),
        Command("run", run, ran.parent, "out"),
        Command("release", release, proposed.parent),
        Command("exchange", ["exchange", "chain"], answered.parent, drop="chain/exchange"),
    ]


def _answer(chain: Path, processes: Processes) -> None:
    """Give one order out and send it, then the others; in the inbox lie an answer to the first, with units that are a
    warning, and a file that is wrong."""
    with open_ledger(chain / ".datong" / "ledger.duckdb", ChainSettings("x")) as ledger:
        ((run,),) = ledger._rows("SELECT run FROM runs ORDER BY saved DESC LIMIT 1")
        first, *others = ledger.run_table(run, "messages")["order"].to_pylist()
        orders = {row["order"]: row for row in ledger.run_table(run, "orders").to_pylist()}
    assert others, "one order alone: nothing is left to send"
    for words in (
        ["release", first, "--chain", "chain"],
        ["exchange", "chain"],
        ["release", "--due", "--chain", "chain"],
    ):
        ended = processes.run(*words, folder=chain.parent)
        assert ended.status == 0, ended.text
    inbox = chain / "exchange" / "inbox"
    inbox.mkdir(exist_ok=True)
    start, units = orders[first]["start"], orders[first]["units"]
    lines = [f"{first},started,,{start}", f"{first},done,{units * 1.5:g},{start}"]
    (inbox / "a.csv").write_text("\n".join(["order,state,good_units,when", *lines]) + "\n", encoding="utf-8")
    (inbox / "b.csv").write_text("order,state,when\nNOBODY,accepted,2026-02-17\n", encoding="utf-8")


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
        # An exchange that finds a wrong file says so by its status.
        self._good = (0, 1) if command.drop else (0,)
        self._before = dump(command.prepared / "chain") if (command.prepared / "chain/.datong").exists() else {}
        self._out_before = results(command.prepared / command.out) if command.out else None
        self._times = self._measure()
        self.after = dump(self._work / "chain")
        self._out_after = results(self._work / command.out) if command.out else None
        self._dropped_after = dropped(self._work / command.drop) if command.drop else None
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
        assert ended.status in self._good, ended.text
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
        self._check_ledger(ended.status in self._good)
        self._check_results()
        self._check_dropped()
        if self.command.name == "release" and self._is_done():
            return ended  # nothing is left to release, which the command refuses
        repeated = self._processes.run(*self.command.words, folder=self._work)
        assert repeated.status in self._good, repeated.text
        again = dump(self._work / "chain")
        assert again == self.after, f"repeating the command gives another ledger: {difference(self.after, again)}"
        if self.command.out:
            assert results(self._work / self.command.out) == self._out_after
        if self.command.drop:
            found = dropped(self._work / self.command.drop)
            assert found == self._dropped_after, f"the drop folder is another: {found} / {self._dropped_after}"
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
            assert table in _ON_THE_WAY or rows <= found[table], f"rows of {table} are lost"
        for table, rows in found.items():
            if table not in _ON_THE_WAY:
                assert rows <= self.after[table], f"{table} has rows that no undisturbed ledger has"
        if finished:
            assert found == self.after, "a finished command is lost"

    def _is_done(self) -> bool:
        return dump(self._work / "chain") == self.after

    def _check_dropped(self) -> None:
        """What the ledger knows as sent is there, each key in one file; no answer is gone before it is put away."""
        if not self.command.drop:
            return
        found, after = dropped(self._work / self.command.drop), self._dropped_after
        assert after is not None
        keys = Counter(key for own in found.out.values() for key in own)
        assert set(keys.values()) <= {1}, f"an order is in two files: {keys}"
        assert known_as_sent(self._work / "chain") <= set(keys), "the ledger knows a message as sent that is not there"
        names = {Path(name).name for name in (*found.inbox, *found.put_away)}
        assert {"a.csv", "b.csv"} <= names, "an answer is lost"

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
    """So many kills for the ingests together, and as many for each of the others."""
    chance = random.Random(seed)
    fallen = []
    for number, command in enumerate(commands):
        half = command.name.startswith("ingest")
        count = total if not half else total // 2 if number else total - total // 2
        experiment = Experiment(command, work / command.name, processes)
        fallen += [experiment.kill(moment) for moment in experiment.moments(count, chance)]
    return fallen
