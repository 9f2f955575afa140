"""How strong a finding is: the change that it says, with the ends between which it lies nine times in ten.

Of what people say it is what they say. Of what runs ahead of sales, and of
prices and promotions ahead, what it does to demand; none where that is not known. Of a complaint, two Poisson
counts on what they are counted on (Clopper and Pearson 1934; Przyborowski and Wilenski 1940). Of a change in sales or
returns, the ratio of two means,

    log(after / before) +- t * sqrt(v_after / after^2 + v_before / before^2),

v the variance of a mean over the weeks, of a share as a ratio estimator (Cochran 1977, section 6.3), t with the degrees
of Welch (1947). Neighbouring weeks are alike: n weeks count as n (1 - r) / (1 + r), r their lag-one correlation
(Bartlett 1946). Of a share of an attribute's value it is the interval of its test (statistics/taste_changes.py). The
middle is the finding's own. The interval takes the weeks as they were found: since the most striking ones are found,
the change is more often somewhat less than more.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from scipy.special import betaincinv, stdtrit

from datong.ledger.columns import local_days
from datong.ledger.state import State
from datong.model.flow import Adjustment, FloatArray, Signal, Subject
from datong.model.words import Message
from datong.network.demand_statements import statements
from datong.questions.weeks_sold import WeeksSold
from datong.sense.attribute_findings import ATTRIBUTE_KINDS, NEW

# Kinds of what somebody says; the rest is found by tests.
STATED_KINDS = frozenset({"promotion", "adjustment", "taken"})
# Kinds of what runs ahead of sales (sense/interest_leads_sales.py).
LEADING_KINDS = frozenset({"interest", "complaints", "returned"})
# Kinds of what is known ahead and answered as in the past (sense/prices_ahead.py).
PRICED_KINDS = frozenset({"price", "uplift"})
# The ends of the interval: nine cases in ten lie between them.
LOW, HIGH = 0.05, 0.95
# Fewest weeks on each side of a change.
WEEKS_MIN = 3


@dataclass(frozen=True)
class Strength:
    """A change as a share of what was usual; low, high: nine times in ten it lies between them, None where no interval
    can be given. from_none: nothing was there before: it is no share of anything, and only `low` says something."""

    share: float
    low: float | None = None
    high: float | None = None
    from_none: bool = False


# (share, low, high) of what a finding does to demand, by its id.
Spans = Mapping[str, tuple[float, float, float]]
# Id of the signal, factor, low and high of each adjustment.
Factors = Sequence[tuple[str, float, float, float]]


def spans_of(state: State, adjustments: Factors) -> Spans:
    """What people say, and what moves the forecast."""
    found: dict[str, list[tuple[float, ...]]] = {}
    for name, *factors in adjustments:
        found.setdefault(name, []).append(tuple(factor - 1.0 for factor in factors))
    means = {name: np.mean(own, axis=0).tolist() for name, own in found.items()}
    said = {one.signal: (one.change, one.low, one.high) for one in statements(state)}
    return {name: (share, low, high) for name, (share, low, high) in {**means, **said}.items()}


def adjustment_rows(adjustments: Sequence[Adjustment]) -> Factors:
    return [(a.signal, a.factor, a.low, a.high) for a in adjustments]


def kept_adjustment_rows(tables: Mapping[str, pa.Table]) -> Factors:
    """Of a kept run; none where an earlier version kept it."""
    if "adjustments" not in tables:
        return []
    columns = (tables["adjustments"][name].to_pylist() for name in ("signal", "factor", "low_factor", "high_factor"))
    return list(zip(*columns, strict=True))


def strength_of(
    state: State, finding: str, signal: Signal | None, weeks: WeeksSold | None, spans: Spans
) -> Strength | None:
    """finding: its id. signal: None where it is found no longer. None where then nobody said how much either."""
    if finding in spans and (signal is None or signal.kind in (*STATED_KINDS, *LEADING_KINDS, *PRICED_KINDS)):
        return Strength(*spans[finding])
    if signal is None or signal.kind in PRICED_KINDS:
        return None
    share = signal.effect_share
    if signal.kind == "complaint":
        return Strength(share, *_of_counts(share, signal), not _told(signal)["count_before"])
    if signal.kind in ATTRIBUTE_KINDS:
        told = dict(signal.text.params)
        return Strength(share, told["low_change"], told["high_change"]) if signal.kind != NEW else None
    if signal.kind in ("level_shift", "surge", "decline") and weeks is not None:
        return Strength(share, *_of_weeks(state, signal, weeks))
    return Strength(share)


def _told(signal: Signal) -> dict[str, Any]:
    """What the text of a complaint tells; words on reviews that count less, and on who read them, may stand around
    it."""
    text = signal.text
    while isinstance(inner := dict(text.params).get("text"), Message):
        text = inner
    return dict(text.params)


def _of_counts(share: float, signal: Signal) -> tuple[float, float] | tuple[None, None]:
    """Ends of a complaint's rise. Beside what was said before stand half a complaint and one review more, as in its
    test (sense/complaints.py)."""
    told = _told(signal)
    late, before = float(told["count"]), told["count_before"] + 0.5
    ratio = (told["base_before"] + 1.0) / told["base"]
    ends = betaincinv(late, before + 1.0, LOW), betaincinv(late + 1.0, before, HIGH)
    low, high = (float(p / (1.0 - p) * ratio - 1.0) for p in ends)
    return min(low, share), max(high, share)


def _of_weeks(state: State, signal: Signal, weeks: WeeksSold) -> tuple[float, float] | tuple[None, None]:
    """Ends of a change of level, in units sold or in units back for each sold."""
    own = weeks.of(signal.subject)
    if not own:
        return None, None
    base = np.ones(len(weeks.starts))
    hits = weeks.units[own].sum(axis=0)
    if signal.evidence_table == "returns":
        hits, base = returned_by_week(state, weeks, signal.subject), weeks.sold[own].sum(axis=0)
    first, last = weeks.span(signal.first, signal.last)
    known = ~np.isnan(hits)
    after = known & (np.arange(len(hits)) >= first) & (np.arange(len(hits)) <= last)
    before = known & (np.arange(len(hits)) < first)
    width = _log_width([(hits[side], base[side]) for side in (before, after)])
    if width is None:
        return None, None
    return (1.0 + signal.effect_share) * math.exp(-width) - 1.0, (1.0 + signal.effect_share) * math.exp(width) - 1.0


def returned_by_week(state: State, weeks: WeeksSold, subject: Subject, *markets: str) -> FloatArray:
    """(closed week) units of a product that came back. markets: whose rows count beside its own."""
    rows = rows_about(state, "returns", subject, *markets)
    return weeks.by_week(local_days(rows, state), rows["units"].to_numpy(zero_copy_only=False))


def rows_about(state: State, table: str, subject: Subject, *markets: str) -> pa.Table:
    """Rows of the product and market of a finding, and of further markets."""
    rows = state.table(table)
    of_markets = pc.is_in(rows["market"], pa.array([subject.market, *markets], pa.string()))
    return rows.filter(pc.and_(pc.equal(rows["product"], subject.name), of_markets))


def _log_width(sides: Sequence[tuple[FloatArray, FloatArray]]) -> float | None:
    """Distance of the ends of log(after / before) from its middle. sides: (week) hits and what they are counted on."""
    parts = []
    for hits, base in sides:
        if len(hits) < WEEKS_MIN or hits.sum() <= 0 or base.sum() <= 0:
            return None
        ratio = hits.sum() / base.sum()
        left = hits - ratio * base
        worth = max(len(left) * _independent(left), 1.0)
        variance = float((left**2).sum()) / (len(left) - 1) / worth / base.mean() ** 2
        parts.append((variance / ratio**2, max(worth - 1.0, 1.0)))
    total = sum(part for part, _ in parts)
    if total <= 0:
        return 0.0
    freedom = total**2 / sum(part**2 / degrees for part, degrees in parts)
    return float(stdtrit(freedom, HIGH)) * math.sqrt(total)


def _independent(left: FloatArray) -> float:
    """How much of a week each week counts as: (1 - r) / (1 + r), r the lag-one correlation, not below nothing."""
    squares = float((left**2).sum())
    r = max(float((left[1:] * left[:-1]).sum()) / squares, 0.0) if squares > 0 else 0.0
    return (1.0 - r) / (1.0 + r)
