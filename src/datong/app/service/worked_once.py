"""What takes long and reads no chain, or only what never changes of it: worked out once by whoever asks first, in their
own thread, so that nobody else waits for it but those who ask for the same.
"""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from threading import Lock
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

from datong.app.service.chain_thread import ChainThread

T = TypeVar("T")
# Answers that are held at once, of each chain; the one that nobody asked for the longest goes first.
MOST_HELD = 32
_HELD: WeakKeyDictionary[ChainThread, OrderedDict[Hashable, Future[Any]]] = WeakKeyDictionary()
_LOCK = Lock()


def worked_once(chain_thread: ChainThread, name: Hashable, task: Callable[[], T]) -> T:
    """What a task gives that reads no chain. name: of what it gives, whatever the chain says meanwhile. Where it raises
    all who wait are told so, and the next to ask tries again."""
    with _LOCK:
        held = _HELD.setdefault(chain_thread, OrderedDict())
        found = held.get(name)
        mine: Future[T] = Future()
        if found is None:
            held[name] = mine
            if len(held) > MOST_HELD:
                held.popitem(last=False)
        else:
            held.move_to_end(name)
    if found is not None:
        return found.result()
    try:
        mine.set_result(task())
    except BaseException as error:
        with _LOCK:
            held.pop(name, None)
        mine.set_exception(error)
    return mine.result()
