"""What runs ahead of sales: interest, complaints and returns, as far as the chain's own history earns it.

Every indicator is held against the sales that came after it, over all products together and out of sample
(statistics/leads.py); all tests of a run are held to EARNED_SHARE false ones (Benjamini and Hochberg 1995). One that is
earned moves the forecast of the products in which it stands out now, by `Sensed.adjustments`, with an interval and the
rows that show it; the others move nothing. Reviews that are likely made up or sent in concert count less
(voice/fakes.py).
"""

from dataclasses import dataclass, replace
from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from datong.ledger.columns import day_number, local_days
from datong.ledger.state import State
from datong.model.flow import (
    DISMISSED,
    EVIDENCE_ROWS,
    NINE_IN_TEN,
    Adjustment,
    FloatArray,
    IntArray,
    Item,
    SeriesSet,
    Signal,
)
from datong.model.words import message
from datong.network.finding_decisions import Decision, decision_about
from datong.sense.change_found import about, number, who
from datong.sense.which_reviews_count import doubted
from datong.statistics.false_discovery import false_discovery_q
from datong.statistics.leads import Lead, leads, news_of_counts, news_of_shares

# Share of the indicators that may be earned by accident. Every week asks anew, and what is earned moves orders.
EARNED_SHARE = 0.01
# A change of demand by less than this share is not worth a word.
CHANGE_MIN = 0.03
# Factors on demand stay within these.
FACTORS = (0.4, 2.5)
# Stars up to this are a complaint.
COMPLAINT_STARS = 2.0
# Reviews and units sold as whose usual share a product's own counts before it has any.
PULL = 20.0
WEEK_DAYS = 7


@dataclass(frozen=True, eq=False)
class Indicator:
    """One thing that may run ahead of sales.

    kind: of its signals. name: of the indicator. news: (item, closed bucket) its change, see statistics/leads.py. item,
    day, row: of the rows of `table` that it is made of: position of the item (-1: none), local day in days since
    1970-01-01, position in the table. Rows of market 'all' stand for every item of their product. weight: (row of
    `table`) how much each counts, None where all count in full.
    """

    kind: str
    name: str
    table: str
    news: FloatArray
    item: IntArray
    day: IntArray
    row: IntArray
    weight: FloatArray | None = None


def leading(
    state: State, series: SeriesSet, made: tuple[Decision, ...]
) -> tuple[tuple[Signal, ...], tuple[Adjustment, ...]]:
    """Signals of what stands out now in an earned indicator, and what they do to demand. made: decisions; what was
    dismissed does nothing."""
    found = indicators(state, series)
    tested = [(one, lead) for one in found for lead in leads(series.units, one.news)]
    if not tested:
        return (), ()
    q_values = false_discovery_q([lead.p_value for _, lead in tested])
    earned: dict[str, list[tuple[Lead, float]]] = {}
    for (one, lead), q in zip(tested, q_values.tolist(), strict=True):
        if q <= EARNED_SHARE and abs(lead.slope) > lead.doubt:
            earned.setdefault(one.name, []).append((lead, q))
    signals: list[Signal] = []
    adjustments: list[Adjustment] = []
    for one in found:
        for i in np.flatnonzero(np.nan_to_num(one.news[:, -1])).tolist() if one.name in earned else ():
            own = _adjustments(one, i, earned[one.name], series)
            if not own or not np.isnan(series.given_units[i]).all():
                continue
            signal = _signal(state, one, i, earned[one.name], own, series)
            signals.append(signal)
            decision = decision_about(signal, made)
            if decision is None or decision.state != DISMISSED:
                adjustments += own
    return tuple(signals), tuple(adjustments)


def indicators(state: State, series: SeriesSet) -> list[Indicator]:
    """Those of which the chain has rows, in the order of their names."""
    if not series.bucket_starts or not series.items:
        return []
    found = []
    interest = state.table("interest")
    for kind in sorted(set(interest["kind"].to_pylist())) if interest.num_rows else ():
        rows = _Rows.of(state, series, interest, pc.equal(interest["kind"], kind))
        counts = rows.summed(interest["count"].to_numpy()[rows.row], series)
        found.append(_indicator("interest", kind, "interest", news_of_counts(counts), rows))
    reviews = state.table("reviews")
    rated = pc.is_valid(reviews["rating"]) if reviews.num_rows else None
    if rated is not None and pc.any(rated).as_py():
        rows = _Rows.of(state, series, reviews, rated)
        stars = reviews["rating"].to_numpy(zero_copy_only=False)[rows.row]
        weight = doubted(reviews, np.arange(reviews.num_rows), local_days(reviews, state)).weight
        own = weight[rows.row]
        bad, every = rows.summed((stars <= COMPLAINT_STARS) * own, series), rows.summed(own, series)
        worst = _Rows.of(state, series, reviews, pc.and_(rated, pc.less_equal(reviews["rating"], COMPLAINT_STARS)))
        one = _indicator("complaints", "stars", "reviews", news_of_shares(bad, every, PULL), worst)
        found.append(replace(one, weight=weight))
    returns = state.table("returns")
    if returns.num_rows:
        rows = _Rows.of(state, series, returns, None)
        back = rows.summed(returns["units"].to_numpy()[rows.row], series)
        found.append(_indicator("returned", "returned", "returns", news_of_shares(back, series.sold_units, PULL), rows))
    return sorted(found, key=lambda one: (one.kind, one.name))


def _indicator(kind: str, name: str, table: str, news: FloatArray, rows: "_Rows") -> Indicator:
    return Indicator(kind, name, table, news, rows.item, rows.day, rows.row)


@dataclass(frozen=True, eq=False)
class _Rows:
    """Rows of an event table that are about items: position of the item, local day (days since 1970-01-01), position in
    the table. A row of market 'all' stands once for each item of its product."""

    item: IntArray
    day: IntArray
    row: IntArray

    @classmethod
    def of(cls, state: State, series: SeriesSet, table: pa.Table, wanted: pa.ChunkedArray | None) -> "_Rows":
        at = {item: [i] for i, item in enumerate(series.items)}
        for i, item in enumerate(series.items):
            if item.market != "all":
                at.setdefault(Item(item.product, "all"), []).append(i)
        row = np.arange(table.num_rows) if wanted is None else np.flatnonzero(wanted.to_numpy(zero_copy_only=False))
        part = table.select(["happened_at", "product", "market"]).take(row)
        day = local_days(part, state)
        pairs = zip(part["product"].to_pylist(), part["market"].to_pylist(), strict=True)
        places = [at.get(Item(*pair), []) for pair in pairs]
        again = np.repeat(np.arange(len(row)), [len(place) for place in places])
        item = np.array([i for place in places for i in place], np.int64)
        return cls(item, day[again], row[again])

    def summed(self, values: FloatArray, series: SeriesSet) -> FloatArray:
        """(item, closed bucket) sum of (row) values; NaN before the first bucket that any row is of."""
        bucket = _buckets(self.day, series)
        inside = (bucket >= 0) & (bucket < len(series.bucket_starts))
        result = np.zeros((len(series.items), len(series.bucket_starts)))
        np.add.at(result, (self.item[inside], bucket[inside]), values[inside])
        first = int(bucket[inside].min()) if inside.any() else len(series.bucket_starts)
        result[:, :first] = np.nan
        return result


def _length(series: SeriesSet) -> int:
    starts = (*series.bucket_starts, *series.horizon_starts)
    return (starts[1] - starts[0]).days if len(starts) > 1 else 1


def _buckets(day: IntArray, series: SeriesSet) -> IntArray:
    return (day - day_number(series.bucket_starts[0])) // _length(series)


def _adjustments(one: Indicator, i: int, earned: list[tuple[Lead, float]], series: SeriesSet) -> list[Adjustment]:
    """Factors of the open buckets that an earned lead speaks of: 1 + slope x news, the slope drawn to nothing as far
    as it is in doubt (James and Stein 1961)."""
    news, found = float(one.news[i, -1]), []
    name = _name(one, series.items[i], series.bucket_starts[-1])
    for lead, _ in earned:
        slope = lead.slope * max(0.0, 1.0 - (lead.doubt / lead.slope) ** 2)
        middle, width = 1.0 + slope * news, NINE_IN_TEN * lead.doubt * abs(news)
        factor, low, high = (min(max(v, FACTORS[0]), FACTORS[1]) for v in (middle, middle - width, middle + width))
        if abs(factor - 1.0) < CHANGE_MIN:
            continue
        for bucket in series.horizon_starts[lead.first - 1 : lead.last]:
            found.append(Adjustment(series.items[i], bucket, factor, low, high, name))
    return found


def _name(one: Indicator, item: Item, last: date) -> str:
    return f"{one.kind}-{one.name}-{item.product}-{item.market}-{last.isoformat()}"


# What stands out is told as a share of its usual, or in points of a share.
_IN_POINTS = frozenset({"complaints", "returned"})


def _signal(
    state: State,
    one: Indicator,
    i: int,
    earned: list[tuple[Lead, float]],
    own: list[Adjustment],
    series: SeriesSet,
) -> Signal:
    item, last = series.items[i], series.bucket_starts[-1]
    news, change = float(one.news[i, -1]), float(np.mean([a.factor for a in own])) - 1.0
    level = float(np.nanmean(series.units[i, -8:])) if not np.isnan(series.units[i, -8:]).all() else 0.0
    best = min(earned, key=lambda pair: pair[0].p_value)
    subject = about(item)
    told = f"{abs(news):.0%}" if one.kind in _IN_POINTS else f"{abs(np.expm1(news)):.0%}"
    what = {"what": message(f"sense.indicator_{one.name}")} if one.kind == "interest" else {}
    text = message(
        f"sense.lead_{one.kind}_{'up' if news > 0 else 'down'}",
        who=who(subject),
        change=told,
        percent=f"{abs(change):.0%}",
        more=message("sense.more" if change > 0 else "sense.less"),
        units=number(abs(change) * level * WEEK_DAYS / _length(series)),
        **what,
        when=message("plan.week" if _length(series) == WEEK_DAYS else "plan.day", day=last),
    )
    less = _counting_less(one, i, series)
    if less:
        text = message("sense.lead_less", text=text, count=less)
    return Signal(
        signal=_name(one, item, last),
        kind=one.kind,
        subject=subject,
        first=last,
        last=last,
        strength=news / spread if (spread := float(np.nanstd(one.news[i]))) > 0 else 0.0,
        effect_share=change,
        effect_units=change * level * WEEK_DAYS / _length(series),
        p_value=best[0].p_value,
        q_value=best[1],
        evidence_table=one.table,
        evidence=_evidence(state, one, i, series),
        text=text,
    )


def _counting_less(one: Indicator, i: int, series: SeriesSet) -> int:
    """How many rows of the last closed bucket count less than one."""
    if one.weight is None:
        return 0
    last = (one.item == i) & (_buckets(one.day, series) == len(series.bucket_starts) - 1)
    return int((one.weight[one.row[last]] < 1).sum())


def _evidence(state: State, one: Indicator, i: int, series: SeriesSet) -> tuple[str, ...]:
    """Ids of the rows of the last closed bucket, or of the last ones before it where it has none."""
    rows = one.row[(one.item == i) & (_buckets(one.day, series) == len(series.bucket_starts) - 1)]
    if not len(rows):
        before = (one.item == i) & (_buckets(one.day, series) < len(series.bucket_starts))
        rows = one.row[before][np.argsort(-one.day[before], kind="stable")]
    ids = state.table(one.table)["row_id"].take(np.sort(rows[:EVIDENCE_ROWS]))
    return tuple(sorted(ids.to_pylist()))
