"""The chain that a server owns: open in one thread of its own, where everything that reads or writes it takes its turn
(turns.py).

What was read stays good: states and runs are values, so an answer that was worked out is handed out from memory until
somebody writes.
"""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from datetime import datetime
from pathlib import Path
from threading import Lock
from typing import Any, TypeVar

from datong.app.chain import Chain
from datong.app.service.turns import Turns
from datong.app.wiring import utc_now
from datong.model.errors import Refused
from datong.model.settings import ChainSettings
from datong.model.words import message

T = TypeVar("T")
# Answers that are kept at once; the one that nobody asked for the longest goes first.
MOST_KEPT = 64


class Keeper:
    """An open chain, and what was read of it since it was last written to."""

    def __init__(self, folder: Path, now: Callable[[], datetime] = utc_now, language: str = "en") -> None:
        """Raises what Chain raises."""
        self.folder, self._now, self._language = folder, now, language
        self._turns = Turns("chain")
        self._lock = Lock()
        self._kept: OrderedDict[tuple[int, Hashable], Any] = OrderedDict()
        self._version = 0
        self._is_closed = self._is_writing = False
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
        return self._open_chain

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
        return self._turn(lambda: task(self._chain))

    def kept(self, name: Hashable, task: Callable[[Chain], T]) -> T:
        """As `read`, from memory where it was read since the last write. name: of what is read, no part of which may
        depend on who asks. What a task needs that is kept itself is asked for within it: before, it may be of an
        earlier state of the chain. Within a write nothing is from memory, or kept: it may yet be taken back."""
        if self._turns.is_mine and self._is_writing:
            return task(self._chain)
        found = self._in_memory(name)
        if found is not None:
            return found[0]

        def once() -> T:
            meanwhile = self._in_memory(name)
            if meanwhile is not None:  # somebody else asked
                return meanwhile[0]
            now, made = (self._version, name), task(self._chain)
            with self._lock:
                self._kept[now] = made
                if len(self._kept) > MOST_KEPT:
                    self._kept.popitem(last=False)
            return made

        return self._turn(once)

    def write(self, by: str, task: Callable[[Chain], T]) -> T:
        """What a task does that writes as `by`. Nothing that was read before is handed out afterwards, whether it went
        well or not."""

        def once() -> T:
            self._is_writing = True
            try:
                return task(self._chain.written_by(by))
            finally:
                self._is_writing = False
                self._forget()

        return self._turn(once, is_write=True)

    def lend(self, until: Callable[[], None]) -> None:
        """Let go of the chain until `until` returns; whoever asks meanwhile waits, but for what is in memory."""

        def once() -> None:
            self._let_go()
            try:
                until()
            finally:
                _ = self._chain

        try:
            self._turn(once, is_write=True)
        finally:
            self._forget()

    def close(self) -> None:
        """Ends when the task at hand has ended."""
        if not self._is_closed:
            self._is_closed = True
            self._turns.take(self._let_go, is_write=True)
            self._turns.close()

    def _forget(self) -> None:
        with self._lock:
            self._version += 1
            self._kept.clear()

    def _in_memory(self, name: Hashable) -> tuple[Any] | None:
        with self._lock:
            at = (self._version, name)
            if at not in self._kept:
                return None
            self._kept.move_to_end(at)
            return (self._kept[at],)

    def _turn(self, task: Callable[[], T], is_write: bool = False) -> T:
        if self._is_closed:
            raise Refused(message("service.closed"))
        return self._turns.take(task, is_write)
