"""What people say will change demand: planned promotions, what a planner adds or takes off by hand, and what was taken
with a finding. What was dismissed changes nothing.

A statement is a signal like any other, with its row as evidence, and it moves the forecast by one door, the adjustments
of `Sensed`. Of a bucket that it covers in part it counts for that part of the days: 30% more on 3 days of a week is a
factor of 1 + 0.3 * 3 / 7 = 1.13.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta

import numpy as np

from datong.ledger.state import State
from datong.model.flow import DISMISSED, Adjustment, FloatArray, Item, SeriesSet, Signal, Subject
from datong.model.words import message
from datong.network.demand_statements import Statement, statements
from datong.network.finding_decisions import Decision, decision_about
from datong.sense.change_found import number, who

# The level that a statement is held against, for its size in units: the mean of the last known weeks.
RECENT_WEEKS = 8
WEEK_DAYS = 7


def stated(
    state: State, series: SeriesSet, made: tuple[Decision, ...]
) -> tuple[tuple[Signal, ...], tuple[Adjustment, ...]]:
    """Signals of the statements that reach into the open buckets, and what they do to the demand of items. An item
    whose demand is given stays as it is given. made: decisions about findings."""
    signals: list[Signal] = []
    adjustments: list[Adjustment] = []
    starts, length = series.horizon_starts, state.settings.calendar.bucket_days
    is_given = np.asarray(~np.isnan(series.given_units).all(axis=1))
    for one in statements(state):
        covered = {start: share for start in starts if (share := _covered(one, start, length)) > 0}
        if not covered:
            continue
        items = [i for i, item in enumerate(series.items) if _concerns(one, item)]
        signal = _signal(one, min(covered), max(covered), _weekly_units(series, items, length))
        signals.append(signal)
        about = decision_about(signal, made)
        if about is not None and about.state == DISMISSED:
            continue
        for i in items:
            if not is_given[i]:
                adjustments += _adjustments(series.items[i], one, covered, signal.signal)
    return tuple(signals), tuple(adjustments)


def _covered(one: Statement, start: date, length: int) -> float:
    """Share of a bucket's days that a statement covers."""
    days = (min(one.after, start + timedelta(days=length)) - max(one.first, start)).days
    return max(days, 0) / length


def _concerns(one: Statement, item: Item) -> bool:
    return item.product == one.product and one.market in (None, item.market)


def _weekly_units(series: SeriesSet, items: Sequence[int], length: int) -> float:
    """Units a week of these items together, as of late; 0 where nothing is known of them."""
    buckets = RECENT_WEEKS * WEEK_DAYS // length
    recent: FloatArray = series.units[list(items), -buckets:]
    known = np.maximum((~np.isnan(recent)).sum(axis=1), 1)
    return float((np.nansum(recent, axis=1) / known).sum()) * WEEK_DAYS / length


def _signal(one: Statement, first: date, last: date, weekly_units: float) -> Signal:
    subject = Subject("product", one.product, one.market or "all")
    way = "up" if one.change >= 0 else "down"
    text = message(
        f"sense.{one.kind}_{way}",
        name=one.key,
        who=who(subject),
        first=one.first,
        last=one.last,
        percent=f"{abs(one.change):.0%}",
        units=number(abs(one.change) * weekly_units),
        why=message("sense.stated_why", why=one.why) if one.why else "",
    )
    return Signal(
        signal=one.signal,
        kind=one.kind,
        subject=subject,
        first=first,
        last=last,
        strength=None,
        effect_share=one.change,
        effect_units=one.change * weekly_units,
        p_value=None,
        q_value=None,
        evidence_table=one.evidence_table,
        evidence=one.evidence,
        text=text,
    )


def _adjustments(item: Item, one: Statement, covered: Mapping[date, float], signal: str) -> Iterator[Adjustment]:
    for start, share in covered.items():
        factor, low, high = (1.0 + share * change for change in (one.change, one.low, one.high))
        yield Adjustment(item, start, factor, low, high, signal)
