"""What every way out to another system, and every way in from one, promises. Each outside system has a folder beside
this file; who delivers and collects (app/exchange_one_way.py) knows only what stands here.

A party that refuses and one that cannot be reached are different things: a refusal is an answer and is not sent again
as it is, while what could not be reached is tried again, with the same keys, as often as it takes.
"""

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Protocol, TypeVar

from datong.ledger.order_life import OrderReport
from datong.model.calendar import Calendar
from datong.model.findings import Finding
from datong.model.flow import OrderMessage
from datong.model.words import Message


@dataclass(frozen=True)
class Delivered:
    """Messages that went out to a counterparty. place: where they are now: a file, a document's number."""

    counterparty: str
    keys: tuple[str, ...]
    place: str


@dataclass(frozen=True)
class Refused:
    """Messages that the other side has and does not take, and why."""

    counterparty: str
    keys: tuple[str, ...]
    why: Message


@dataclass(frozen=True)
class Unreachable:
    """Messages that may not have arrived, and why. Delivering them again does no harm."""

    counterparty: str
    keys: tuple[str, ...]
    why: Message


Outcome = Delivered | Refused | Unreachable


def unreachable(messages: Iterable[OrderMessage], why: Message) -> tuple[Unreachable, ...]:
    """Messages that may not have arrived, for one reason: a batch for each counterparty, in order."""
    pairs = sorted({(m.counterparty, m.key) for m in messages})
    return tuple(
        Unreachable(counterparty, tuple(key for _, key in group), why)
        for counterparty, group in groupby(pairs, key=lambda pair: pair[0])
    )


def delivery_key(chain: str, key: str) -> str:
    """The key of a chain's message outside of it: several chains may share a way out, and number their orders alike."""
    return f"{chain_tag(chain)}:{key}"


def chain_tag(chain: str) -> str:
    """What stands for a chain, by its name, in the keys of its messages."""
    return hashlib.sha256(chain.encode()).hexdigest()[:8]


def chain_of(key: str) -> str | None:
    """The tag of the chain that a key is of; None for one that names none."""
    return key[:8] if re.match(r"[0-9a-f]{8}:", key) else None


class Outlet(Protocol):
    """A way out for orders. name: tells it from the others, the same in every process."""

    @property
    def name(self) -> str: ...

    def waiting(self, messages: Sequence[OrderMessage], run: str) -> tuple[OrderMessage, ...]:
        """Of these messages, those that `deliver` would bring out now. Changes nothing. Raises DatongError where it
        cannot tell."""
        ...

    def anew(self, messages: Sequence[OrderMessage]) -> tuple[OrderMessage, ...]:
        """Of messages that went out or were refused, those that `deliver` is to be asked for once more: to be told that
        they are still refused, for an address that is new, or because somebody wants it. Changes nothing."""
        ...

    def deliver(self, messages: Sequence[OrderMessage], run: str) -> tuple[Outcome, ...]:
        """Bring the messages that did not go out yet to their counterparties: an outcome for each batch, by
        counterparty. Idempotent by a message's key: of one that is known to have gone out nothing is said. One that is
        `repeated` is told to be. Raises nothing for what goes wrong outside. run: that proposed them."""
        ...


class Collected(Protocol):
    """What came in and is not settled yet."""

    @property
    def reports(self) -> Sequence[OrderReport]:
        """What was said of orders, not yet held against them."""
        ...

    @property
    def findings(self) -> Sequence[Finding]:
        """What could not be read."""
        ...


C = TypeVar("C", bound=Collected)


class Inlet(Protocol[C]):
    """A way in for what counterparties say of orders."""

    def collect(self, calendar: Calendar) -> C:
        """Read what is there. Nothing is marked as read: whoever is killed before `settle` reads the same again. Raises
        DatongError where nothing can be read at all."""
        ...

    def settle(self, collected: C, answers: Sequence[Finding]) -> None:
        """Put away what was collected, after it was taken in. answers: what was found as it was held against the
        orders, to be told to whoever said it. Raises DatongError where something could not be put away: it is read
        again and counts once."""
        ...
