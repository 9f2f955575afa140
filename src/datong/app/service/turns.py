"""One thread in which tasks take turns: who reads waits for one writer at most.

A writer who has written asks at once how things stand now. Were all who wait served as they came, that question would
stand behind every other write, and nobody would have an answer before all of them had been made.
"""

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Lock, get_ident
from typing import Any, TypeVar

T = TypeVar("T")


class Turns:
    """Readers go before writers; but after each write only those who were waiting when it ended, so that a stream of
    readers holds no writer up."""

    def __init__(self, name: str) -> None:
        self._thread: int | None = None
        self._pool = ThreadPoolExecutor(1, thread_name_prefix=name, initializer=self._begin)
        self._lock = Lock()
        self._readers: deque[tuple[Future[Any], Callable[[], Any]]] = deque()
        self._writers: deque[tuple[Future[Any], Callable[[], Any]]] = deque()
        self._ahead = 0  # readers that go before the next writer

    @property
    def is_mine(self) -> bool:
        """Whether whoever asks has the turn."""
        return get_ident() == self._thread

    def take(self, task: Callable[[], T], is_write: bool = False) -> T:
        """What a task gives in its turn; at once where it is asked for within another's."""
        if self.is_mine:
            return task()
        turn: Future[T] = Future()
        with self._lock:
            self._pool.submit(self._next)
            (self._writers if is_write else self._readers).append((turn, task))
        return turn.result()

    def close(self) -> None:
        """Ends when all who wait have had their turn."""
        self._pool.shutdown()

    def _begin(self) -> None:
        self._thread = get_ident()

    def _next(self) -> None:
        with self._lock:
            is_write = not self._readers or (bool(self._writers) and not self._ahead)
            turn, task = (self._writers if is_write else self._readers).popleft()
            self._ahead = max(0, self._ahead - 1)
        try:
            turn.set_result(task())
        except BaseException as error:
            turn.set_exception(error)
        if is_write:
            with self._lock:
                self._ahead = len(self._readers)
