"""Values of attributes whose share grows, shrinks or dies, and new ones that sell: tests for the control of a run.

That a share has changed is tested on products (statistics/taste_changes.py): several of a value must go the same
way. What the share will be stands beside it and is no part of the test. A new value, of which no product was on sale
NEW_WEEKS ago, is one where its products sell more than others of the attribute do, by a one-sided t test on their
worth.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtr

from datong.ledger.columns import as_day, day_number
from datong.model.flow import AttributeOutlook, FloatArray, IntArray, SeriesSet, Subject
from datong.model.words import Message, message
from datong.sense.attribute_shares import Shares, carriers, weekly_units
from datong.sense.change_found import Found, Shown, found, who
from datong.sense.weeks_looked_at import WEEK_DAYS
from datong.statistics.taste_changes import PRODUCTS_MIN, changes
from datong.statistics.tastes import BEFORE, WEEKS

GROWING, SHRINKING, DYING, NEW = "growing", "shrinking", "dying", "new_value"
ATTRIBUTE_KINDS = frozenset({GROWING, SHRINKING, DYING, NEW})
# A share that fell to this part of what it was, and is not expected above it, is dying.
DYING_SHARE = 0.5
# A change of a share by less than this part of it is not worth a word.
CHANGE_MIN = 0.1
# Weeks in which a value is new, and fewest weeks of the chain before.
NEW_WEEKS, HISTORY_MIN = 12, 26
# Products that a sentence names.
NAMED = 3


def attribute_findings(
    shares: Shares,
    outlooks: Sequence[AttributeOutlook],
    series: SeriesSet,
    prices: FloatArray,
    called: Callable[[str], str] = str,
) -> list[Found]:
    """One test for each value that at least PRODUCTS_MIN products have, and for each new one. called: how a product is
    named, by its code if not given."""
    told = {(one.attribute, one.value): one for one in outlooks}
    items = _items(shares, series)
    result = []
    for a, (one, labels, change) in enumerate(
        zip(shares.attributes, shares.labels, changes(shares.panel, shares.found), strict=True)
    ):
        p_new = _new_values(shares, a)
        for v, label in enumerate(labels):
            own = carriers(shares, a, v)
            subject = Subject("attribute", f"{one.name}={label}")
            if not label or not own:
                continue
            rows = np.concatenate([items[i] for i in own])
            names = [called(shares.products[i]) for i in own]
            if not np.isnan(p_new[v]):
                case = _Case(subject, own, names, rows, weekly_units(shares, a), float(p_new[v]))
                result.append(_new(shares, series, prices, case, float(shares.told[a].late[v])))
            elif (one.name, label) in told and not np.isnan(change.change[v]):
                case = _Case(subject, own, names, rows, weekly_units(shares, a), float(change.p_value[v]))
                ends = (float(change.low[v]), float(change.high[v]), float(change.t[v]))
                result.append(_changed(shares, series, prices, case, told[one.name, label], ends))
    return result


def is_worth_a_word(one: Found) -> bool:
    """Whether a change of a share is more than a trifle."""
    signal = one.signal
    return signal.kind not in ATTRIBUTE_KINDS or signal.kind == NEW or abs(signal.effect_share) >= CHANGE_MIN


@dataclass(frozen=True, eq=False)
class _Case:
    """subject: the value. products: positions of those on sale that have it, in the panel. names: what they are
    called. items: positions of theirs. weekly_units: of all products on sale that have the attribute. p_value: of its
    test."""

    subject: Subject
    products: Sequence[int]
    names: Sequence[str]
    items: IntArray
    weekly_units: float
    p_value: float


def _items(shares: Shares, series: SeriesSet) -> list[IntArray]:
    """(product of the panel) positions of its items."""
    place: dict[str, list[int]] = {}
    for i, item in enumerate(series.items):
        place.setdefault(item.product, []).append(i)
    return [np.array(place[name], np.int64) for name in shares.products]


def _changed(
    shares: Shares,
    series: SeriesSet,
    prices: FloatArray,
    case: _Case,
    told: AttributeOutlook,
    ends: tuple[float, float, float],
) -> Found:
    """ends: low and high of the change of its units beside the other values, in logarithms, and its t."""
    before, late = told.before_share, told.late_share
    low, high, t = ends
    kind = GROWING if late > before else SHRINKING
    if max(late, told.expected_share) <= DYING_SHARE * before:
        kind = DYING
    # What the test and the shares do not say alike is not said.
    p_value = case.p_value if (late > before) == (t > 0) else 1.0
    low_share, high_share = (_share_after(before, end) / before - 1.0 if before > 0 else 0.0 for end in (low, high))
    change = late / before - 1.0 if before > 0 else 0.0
    # Half of the change and more is expected to go back.
    back = kind != DYING and (told.expected_share - (before + late) / 2.0) * (late - before) < 0
    text = message(
        f"sense.attribute_{kind}{'_back' if back else ''}",
        who=who(case.subject),
        before=f"{before:.1%}",
        late=f"{late:.1%}",
        expected=f"{told.expected_share:.1%}",
        low=f"{told.low_share:.1%}",
        high=f"{told.high_share:.1%}",
        weeks=WEEKS,
        weeks_before=min(BEFORE, len(shares.starts) - WEEKS),
        carried=_carried(case.names, told),
        low_change=min(low_share, change),
        high_change=max(high_share, change),
    )
    units = (before * case.weekly_units, late * case.weekly_units)
    return _found(shares, series, prices, case, kind, units, (t, p_value), text)


def _share_after(share: float, change: float) -> float:
    """A share once its units changed beside those of the others, by so much in logarithms."""
    grown = share * np.exp(change)
    return float(grown / (1.0 - share + grown))


def _new(shares: Shares, series: SeriesSet, prices: FloatArray, case: _Case, late: float) -> Found:
    known = ~np.isnan(shares.panel.units[case.products])
    first = int(np.argmax(known.any(axis=0)))
    text = message(
        f"sense.attribute_{NEW}",
        who=who(case.subject),
        first=as_day(int(shares.starts[first])),
        late=f"{late:.1%}",
        weeks=WEEKS,
        carried=_named_products(case.names),
    )
    strength = -float(np.log10(max(case.p_value, 1e-300)))
    units = (0.0, late * case.weekly_units)
    return _found(shares, series, prices, case, NEW, units, (strength, case.p_value), text)


def _found(
    shares: Shares,
    series: SeriesSet,
    prices: FloatArray,
    case: _Case,
    kind: str,
    units: tuple[float, float],
    test: tuple[float, float],
    text: Message,
) -> Found:
    begin = int(shares.starts[-WEEKS])
    first = next(b for b in series.bucket_starts if day_number(b) >= begin)
    name = f"{kind}-{case.subject.name}-all-{first.isoformat()}"
    shown = Shown(case.items, (begin, int(shares.starts[-1]) + WEEK_DAYS - 1), prices[case.items])
    return found(name, kind, case.subject, (first, series.bucket_starts[-1]), units, test, text, shown)


def _carried(names: Sequence[str], told: AttributeOutlook) -> Message:
    """Which products have the value, how many by what their name says alone, and what ran ahead of sales."""
    text = _named_products(names)
    if told.read_names:
        text = message("sense.attribute_read", text=text, count=told.read_names)
    if told.lead:
        text = message("sense.attribute_lead", text=text, what=message(f"sense.indicator_{told.lead}"))
    return text


def _named_products(names: Sequence[str]) -> Message:
    some = ", ".join(names[:NAMED]) + (" ..." if len(names) > NAMED else "")
    return message("sense.attribute_products", count=len(names), products=some)


def _new_values(shares: Shares, attribute: int) -> FloatArray:
    """(value) p-value that products of a new value sell as others of the attribute do; NaN where it is not new."""
    panel, weeks = shares.panel, len(shares.starts)
    value, count = panel.values[attribute], panel.counts[attribute]
    result = np.full(count, np.nan)
    if weeks < HISTORY_MIN:
        return result
    first = np.argmax(~np.isnan(panel.units), axis=1)
    worth = shares.found.worth
    for v in range(count):
        own = (value == v) & panel.on_sale
        others = (value >= 0) & (value != v) & panel.on_sale
        if not own.any() or others.sum() < PRODUCTS_MIN + 1 or first[value == v].min() < weeks - NEW_WEEKS:
            continue
        n, m = int(own.sum()), int(others.sum())
        left = sum(float(((worth[side] - worth[side].mean()) ** 2).sum()) for side in (own, others))
        error = np.sqrt(max(left / (n + m - 2), 1e-12) * (1.0 / n + 1.0 / m))
        result[v] = float(stdtr(n + m - 2, -(worth[own].mean() - worth[others].mean()) / error))
    return result
