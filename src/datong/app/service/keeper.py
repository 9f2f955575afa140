"""The chain that a server owns: open in one thread of its own, where everything that reads or writes it takes its turn.

What was read stays good: states and runs are values, so an answer that was worked out is handed out from memory until
somebody writes.
"""

from collections.abc import Callable, Hashable
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from threading import Lock
from typing import Any, TypeVar

from datong.app.chain import Chain
from datong.app.wiring import utc_now
from datong.model.errors import Refused
from datong.model.settings import ChainSettings
from datong.model.words import message

T = TypeVar("T")
# Answers that are kept at once.
MOST_KEPT = 64


class Keeper:
    """An open chain, and what was read of it since it was last written to."""

    def __init__(self, folder: Path, now: Callable[[], datetime] = utc_now, language: str = "en") -> None:
        """Raises what Chain raises."""
        self.folder, self._now, self._language = folder, now, language
        self._turns = ThreadPoolExecutor(1, thread_name_prefix="chain")
        self._lock = Lock()
        self._kept: dict[tuple[int, Hashable], Any] = {}
        self._version = 0
        self._is_closed = False
        self._open_chain: Chain | None = None
        try:
            self._settings = self._turns.submit(lambda: self._chain.settings).result()
        except BaseException:
            self._turns.shutdown()
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
        depend on who asks."""
        at = (self._version, name)
        with self._lock:
            if at in self._kept:
                return self._kept[at]

        def once() -> T:
            now = (self._version, name)
            with self._lock:
                if now in self._kept:  # somebody else asked meanwhile
                    return self._kept[now]
            found = task(self._chain)
            with self._lock:
                if len(self._kept) >= MOST_KEPT:
                    self._kept.pop(next(iter(self._kept)))
                self._kept[now] = found
            return found

        return self._turn(once)

    def write(self, by: str, task: Callable[[Chain], T]) -> T:
        """What a task does that writes as `by`. Nothing that was read before is handed out afterwards, whether it went
        well or not."""

        def once() -> T:
            try:
                return task(self._chain.written_by(by))
            finally:
                self._forget()

        return self._turn(once)

    def lend(self, until: Callable[[], None]) -> None:
        """Let go of the chain until `until` returns; whoever asks meanwhile waits, but for what is in memory."""

        def once() -> None:
            self._let_go()
            try:
                until()
            finally:
                _ = self._chain

        try:
            self._turn(once)
        finally:
            self._forget()

    def close(self) -> None:
        """Ends when the task at hand has ended."""
        if not self._is_closed:
            self._is_closed = True
            self._turns.submit(self._let_go).result()
            self._turns.shutdown()

    def _forget(self) -> None:
        with self._lock:
            self._version += 1
            self._kept.clear()

    def _turn(self, task: Callable[[], T]) -> T:
        if self._is_closed:
            raise Refused(message("service.closed"))
        turn: Future[T] = self._turns.submit(task)
        return turn.result()
