"""How often somebody may ask: a bucket of tokens that fills with time."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from threading import Lock

# Whoever asked longest ago is forgotten beyond so many: their bucket is full again.
MOST_KNOWN = 10_000


@dataclass(frozen=True)
class Rate:
    """at_once: requests that may come together; a_minute: and so many a minute in the long run."""

    at_once: float
    a_minute: float


SIGN_IN = Rate(at_once=10, a_minute=10)  # by address
READ = Rate(at_once=200, a_minute=1200)  # by account, as what follows
PAGE = Rate(at_once=400, a_minute=2400)  # a grid that somebody scrolls asks for a piece at each stop
CHANGE = Rate(at_once=60, a_minute=240)
QUOTE = Rate(at_once=10, a_minute=20)  # many quotes would tell a rival's hours


class Rates:
    """Who has asked how often."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now, self._lock = now, Lock()
        self._left: OrderedDict[tuple[str, Rate], tuple[float, float]] = OrderedDict()

    def wait_s(self, who: str, rate: Rate) -> float:
        """Seconds until `who` may ask; 0: now, and it counts."""
        with self._lock:
            now = self._now().timestamp()
            left, at = self._left.pop((who, rate), (rate.at_once, now))
            left = min(rate.at_once, left + max(0.0, now - at) * rate.a_minute / 60)
            wait = 0.0 if left >= 1 else (1 - left) * 60 / rate.a_minute
            self._left[who, rate] = (left if wait else left - 1, now)
            if len(self._left) > MOST_KNOWN:
                self._left.popitem(last=False)
            return wait
