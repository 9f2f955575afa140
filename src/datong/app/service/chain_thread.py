"""The chain that a server owns: open in one thread of its own, where everything that reads or writes it takes its turn
(turns.py).

What was read stays good: states and runs are values, so an answer that was worked out is handed out from memory until
somebody writes; one that says which tables it reads, until somebody writes to those.
"""

from collections import OrderedDict
from collections.abc import Callable, Collection, Hashable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from threading import Lock
from typing import Any, TypeVar

import pyarrow.compute as pc

from datong.app.chain import Chain
from datong.app.service.turns import Turns
from datong.app.wiring import utc_now
from datong.model.errors import NotFound, Refused
from datong.model.settings import ChainSettings
from datong.model.words import message

T = TypeVar("T")
# Answers that are kept at once; the one that nobody asked for the longest goes first.
MOST_KEPT = 64


@dataclass(frozen=True)
class _Marks:
    """What tells of a chain whether tables and runs may be other than they were. opened: how often it was opened.
    ingests: by table its last. runs: how many are kept, and the last of them. day: its own; as_of: where rows are there
    that are known later than it, so that its moment decides what is seen."""

    opened: int
    ingests: Mapping[str, int]
    runs: tuple[int, int]
    day: date | None
    as_of: datetime | None

    def of(self, tables: Collection[str]) -> Hashable:
        """Of some tables, and of the runs."""
        return self.opened, self.runs, self.day, self.as_of, tuple(self.ingests.get(name) for name in sorted(tables))


def _marks_of(chain: Chain, opened: int) -> _Marks:
    latest, ingests = chain.ledger.latest_known_at(), chain.ledger.last_ingests()
    runs = chain.ledger.runs()
    last = (runs.num_rows, pc.max(runs["saved"]).as_py() or 0)
    try:
        as_of = chain.default_as_of()
    except NotFound:  # nothing is known yet
        return _Marks(opened, ingests, last, None, None)
    is_all_seen = latest is None or latest <= as_of
    return _Marks(opened, ingests, last, chain.settings.calendar.local_date(as_of), None if is_all_seen else as_of)


@dataclass(frozen=True, eq=False)
class _Kept:
    """An answer. mark: what it is good for (`ChainThread._mark`). of: tables that it reads; None: any."""

    answer: Any
    mark: Hashable
    of: Collection[str] | None


class ChainThread:
    """An open chain, and what was read of it since it was last written to."""

    def __init__(self, folder: Path, now: Callable[[], datetime] = utc_now, language: str = "en") -> None:
        """Raises what Chain raises."""
        self.folder, self._now, self._language = folder, now, language
        self._turns = Turns("chain")
        self._lock = Lock()
        self._kept: OrderedDict[Hashable, _Kept] = OrderedDict()
        self._version = self._opened = self._seen = 0
        self._marks: _Marks | None = None  # None: to be asked
        self._is_closed = self._is_writing = False
        self._first: Callable[[], object] | None = None  # to be done before the chain is written to again
        self._open_chain: Chain | None = None
        try:
            self._settings = self._turns.take(lambda: self._chain.settings)
        except BaseException:
            self._turns.close()
            raise

    @property
    def _chain(self) -> Chain:
        """The chain; opened where it is not, in the thread that asks. Raises what Chain raises."""
        if self._open_chain is None:
            self._open_chain = Chain(self.folder, now=self._now, language=self._language)
            self._settings = self._open_chain.settings
            self._opened += 1
            self._seen = self._open_chain.ledger.look()
        return self._open_chain

    def _looked(self) -> Chain:
        """The chain as it is now, with nothing kept of it that somebody else has changed: a server whose line to a
        database was cut had no lock meanwhile. In turn."""
        chain = self._chain
        seen = chain.ledger.look()
        if seen != self._seen:
            self._seen = seen
            self._forget()
        return chain

    def _is_held(self) -> bool:
        """Whether nobody else can have written since the last look. While the chain is lent somebody does, and all is
        forgotten when it comes back."""
        chain = self._open_chain
        return chain is None or chain.ledger.is_held()

    def _let_go(self) -> None:
        if self._open_chain is not None:
            self._open_chain.close()
            self._open_chain = None

    @property
    def version(self) -> int:
        """Counts up with every write: two answers of one version are of one state of the chain."""
        return self._version

    @property
    def settings(self) -> ChainSettings:
        return self._settings

    def read(self, task: Callable[[Chain], T]) -> T:
        """What a task that writes nothing reads of the chain. Waits for its turn."""
        return self._turn(lambda: task(self._looked()))

    @property
    def opened(self) -> int:
        """How often the chain was opened: what a run said is the same until then."""
        return self._opened

    def kept(self, name: Hashable, task: Callable[[Chain], T], of: Collection[str] | None = None) -> T:
        """As `read`, from memory where it was read since the last write. name: of what is read, no part of which may
        depend on who asks. of: tables of the trunk that are all that the task reads, beside kept runs: it stays good
        until one of them is written to; None: until anything is. What a task needs that is kept itself is asked for
        within it: before, it may be of an earlier state of the chain. Within a write nothing is from memory, or kept:
        it may yet be taken back."""
        if self._turns.is_mine and self._is_writing:
            return task(self._chain)
        found = self._in_memory(name, of)
        if found is not None and self._is_held():
            return found.answer

        def once() -> T:
            chain = self._looked()
            self._look_at_marks()
            meanwhile = self._in_memory(name, of)
            if meanwhile is not None:  # somebody else asked
                return meanwhile.answer
            mark, made = self._mark(of), task(chain)
            if chain.ledger.look() != self._seen:  # somebody else wrote meanwhile: it may be half of this, half of that
                return made
            with self._lock:
                self._kept[name] = _Kept(made, mark, of)
                self._kept.move_to_end(name)
                if len(self._kept) > MOST_KEPT:
                    self._kept.popitem(last=False)
            return made

        return self._turn(once)

    def write(self, by: str, task: Callable[[Chain], T]) -> T:
        """What a task does that writes as `by`. Nothing that was read before, and may be other now, is handed out
        afterwards, whether it went well or not."""

        def once() -> T:
            self._catch_up()
            self._is_writing = True
            try:
                return task(self._looked().written_by(by))
            finally:
                self._is_writing = False
                self._forget()

        return self._turn(once, is_write=True)

    def before_next_write(self, task: Callable[[], object]) -> None:
        """Have something done in turn before the chain is written to, or lent, again: as long as it fails, nothing
        is."""
        self._first = task

    def _catch_up(self) -> None:
        """Do what was to be done first. In turn, and not within a write."""
        if self._first is not None and not self._is_writing:
            self._first()
            self._first = None

    def lend(self, until: Callable[[], None]) -> None:
        """Let go of the chain until `until` returns; whoever asks meanwhile waits, but for what is in memory."""

        def once() -> None:
            self._catch_up()
            self._let_go()
            try:
                until()
                _ = self._chain
            finally:
                self._forget()

        self._turn(once, is_write=True)

    def close(self) -> None:
        """Ends when the task at hand has ended."""
        if not self._is_closed:
            self._is_closed = True
            self._turns.take(self._let_go, is_write=True)
            self._turns.close()

    def _forget(self) -> None:
        """What was read may not be so any more."""
        with self._lock:
            self._version, self._marks = self._version + 1, None
            self._kept = OrderedDict((name, one) for name, one in self._kept.items() if one.of is not None)

    def _look_at_marks(self) -> None:
        """What of the answers that were kept over a write is still good. In turn."""
        if self._marks is not None:
            return
        marks = _marks_of(self._chain, self._opened)
        with self._lock:
            self._marks = marks
            good = [(n, one) for n, one in self._kept.items() if one.of is None or one.mark == marks.of(one.of)]
            self._kept = OrderedDict(good)

    def _mark(self, of: Collection[str] | None) -> Hashable:
        """What an answer is good for: one version, or as long as tables are as they are. In turn."""
        return self._version if of is None or self._marks is None else self._marks.of(of)

    def _in_memory(self, name: Hashable, of: Collection[str] | None) -> _Kept | None:
        with self._lock:
            if name not in self._kept or (of is not None and self._marks is None):
                return None
            self._kept.move_to_end(name)
            return self._kept[name]

    def _turn(self, task: Callable[[], T], is_write: bool = False) -> T:
        if self._is_closed:
            raise Refused(message("service.closed"))
        return self._turns.take(task, is_write)
