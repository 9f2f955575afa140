"""What changes at a served chain, told at once to the pages that are open."""

from dataclasses import dataclass
from queue import Full, Queue
from threading import Lock

from datong.app.service.roles_and_permissions import Permission, Who

# Events that a page may be behind; one that is further behind loads anew.
MOST_WAITING = 256


@dataclass(frozen=True)
class Event:
    """Something changed. kind: 'plan', 'orders', 'job', 'findings', 'demand', 'data', 'proposals' or 'lost' (too far
    behind: load anew). subject: of which thing; firm: whose it is, where it is one firm's; permission: who may know of
    it. number: counts the events."""

    kind: str
    subject: str
    permission: Permission
    firm: str | None = None
    number: int = 0


def may_see(event: Event, who: Who) -> bool:
    """Whether an event may be told to somebody: a firm hears of its own things alone."""
    if who.firm is not None:
        return event.firm == who.firm
    return who.may(event.permission)


class Listener:
    """One page that listens."""

    def __init__(self, who: Who) -> None:
        self.who = who
        self.queue: Queue[Event] = Queue(MOST_WAITING)

    def hear(self, event: Event) -> None:
        if may_see(event, self.who):
            self.put(event)

    def put(self, event: Event) -> None:
        try:
            self.queue.put_nowait(event)
        except Full:
            with self.queue.mutex:
                self.queue.queue.clear()
            self.queue.put_nowait(Event("lost", "", event.permission, event.firm, event.number))


class EveryListener(Listener):
    """Hears everything, and tells each whom it concerns itself."""

    def __init__(self) -> None:
        super().__init__(Who(0, "", "", ()))

    def hear(self, event: Event) -> None:
        self.put(event)


class Events:
    """Who listens, and what is told."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._listeners: list[Listener] = []
        self._number = 0

    def listen(self, who: Who) -> Listener:
        listener = Listener(who)
        with self._lock:
            self._listeners.append(listener)
        return listener

    def listen_to_all(self) -> Listener:
        """For what hands events on to whom they concern."""
        listener = EveryListener()
        with self._lock:
            self._listeners.append(listener)
        return listener

    @property
    def listening(self) -> int:
        """How many listen."""
        with self._lock:
            return len(self._listeners)

    def leave(self, listener: Listener) -> None:
        with self._lock:
            if listener in self._listeners:
                self._listeners.remove(listener)

    def tell(self, kind: str, subject: str, permission: Permission, firm: str | None = None) -> None:
        with self._lock:
            self._number += 1
            event = Event(kind, subject, permission, firm, self._number)
            for listener in self._listeners:
                listener.hear(event)
