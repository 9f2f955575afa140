"""Ctrl-C as a question: the first asks the work to stop with what it has, the second ends the process at once."""

import signal
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def asked_to_stop(on_asked: Callable[[], None]) -> Generator[Callable[[], bool]]:
    """Gives a function that says whether Ctrl-C was pressed. on_asked: called at the first press.

    The second press is left to the system, so that it ends even a library that does not look up. Outside the main
    thread, where nobody can be asked, the answer stays no.
    """
    asked = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield asked.is_set
        return

    def first_press(_signal: int, _frame: FrameType | None) -> None:
        asked.set()
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        on_asked()

    before = signal.signal(signal.SIGINT, first_press)
    try:
        yield asked.is_set
    finally:
        signal.signal(signal.SIGINT, before)
