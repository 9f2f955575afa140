"""A change that a test looked at, before the control of false alarms over all tests."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date

from datong.ledger.state import State
from datong.model.flow import FloatArray, IntArray, Item, Signal, Subject
from datong.model.words import Message, catalogue, message

# From this many times the level before, times are easier to grasp than percent.
TIMES_MIN = 3


@dataclass(frozen=True, eq=False)
class Found:
    """One test's outcome as a signal whose q_value and evidence are still to come.

    items: positions of the items whose rows show it. days: first and last day of those rows, in days since 1970-01-01:
    due days of sales, days of return of returns. value: the effect in money, for the order of importance.
    p_value: as the signal has it.
    """

    signal: Signal
    items: IntArray
    days: tuple[int, int]
    value: float
    p_value: float


@dataclass(frozen=True, eq=False)
class Shown:
    """The rows that show a change."""

    # Positions of the items whose rows they are.
    items: IntArray
    # First and last day, in days since 1970-01-01.
    days: tuple[int, int]
    # (position in `items`) money per unit; the plain mean of them values the effect of a group.
    prices: FloatArray
    # In which they are.
    table: str = "sales"


def found(
    name: str,
    kind: str,
    subject: Subject,
    span: tuple[date, date],
    units: tuple[float, float],
    test: tuple[float, float],
    text: Message,
    shown: Shown,
) -> Found:
    """name: what the id starts with. span: first and last bucket. units: before (or usual) and after.

    test: its strength and p-value.
    """
    before, after = units
    strength, p_value = test
    signal = Signal(
        signal=name,
        kind=kind,
        subject=subject,
        first=span[0],
        last=span[1],
        strength=float(strength),
        effect_share=share(before, after),
        effect_units=float(after - before),
        p_value=float(p_value),
        q_value=1.0,
        evidence_table=shown.table,
        evidence=(),
        text=text,
    )
    prices = shown.prices
    value = abs(after - before) * float(prices.sum()) / len(prices)
    return Found(signal, shown.items, shown.days, value, float(test[1]))


def share(before: float, after: float) -> float:
    """Change over the level before it; 1 where there was nothing before."""
    return float((after - before) / before) if before > 0 else 1.0


def direction(before: float, after: float) -> str:
    """Which text says a change: 'down', 'up' by so many percent, 'times' as much, or 'new' where nothing was before."""
    if after < before:
        return "down"
    if before <= 0 < after:
        return "new"
    return "times" if after >= TIMES_MIN * before and before > 0 else "up"


def times(before: float, after: float) -> str:
    """How many times the level before: '3.4', '928'; '' where nothing was before."""
    return number(after / before) if before > 0 else ""


def percent(before: float, after: float) -> str:
    """The size of a change as a planner says it: '23%'."""
    return f"{abs(share(before, after)):.0%}"


def number(units: float) -> str:
    """Units as a planner says them: three figures, '51,200', '12.5'."""
    if units >= 1000:
        digits = len(str(int(units))) - 3
        return f"{round(units / 10**digits) * 10**digits:,}"
    return f"{units:,.0f}" if units >= 100 or units == int(units) else f"{units:.1f}"


def about(item: Item) -> Subject:
    return Subject("product", item.product, item.market)


def who(subject: Subject, called: Callable[[str], str] = str) -> Message | str:
    """A subject as named in a text, with the market where there is more than one. called: how a product is named, by
    its code if not given."""
    if subject.kind == "chain":
        return message("sense.all_products")
    if subject.kind == "category":
        return message("sense.category", category=subject.name)
    if subject.kind == "attribute":
        attribute, _, value = subject.name.partition("=")
        known = f"code.attribute_{attribute}"
        return message("sense.attribute", attribute=message(known) if known in catalogue() else attribute, value=value)
    name = called(subject.name) if subject.kind == "product" else subject.name
    if subject.market == "all":
        return name
    return message("sense.in_market", product=name, market=subject.market)


def by_name(state: State) -> Callable[[str], str]:
    """How products are named in sentences: 'Green tea (TEA)', or by the code where there is no other name."""
    rows = state.table("products").select(["product", "name"]).to_pydict()
    names = dict(zip(rows["product"], rows["name"], strict=True))

    def called(product: str) -> str:
        name = names.get(product)
        return product if not name or name == product else f"{name} ({product})"

    return called


def named(signals: Sequence[Signal], state: State) -> tuple[Signal, ...]:
    """The signals with products by name in the place `who` of their texts."""
    called = by_name(state)

    def told(signal: Signal) -> Signal:
        params = dict(signal.text.params)
        if "who" not in params:
            return signal
        return replace(signal, text=message(signal.text.key, **params | {"who": who(signal.subject, called)}))

    return tuple(told(signal) for signal in signals)
