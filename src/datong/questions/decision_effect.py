"""`datong effect FINDING`: what came after a decision, held against like products (statistics/synthetic_control.py).

Sales before against sales after are no evidence by themselves: what was looked for falls back, and seasons turn. The
like products say what would have come otherwise. Of a finding of sales it is units a week; of returns, units that came
back for every unit sold; of reviews, the share of rated ones with one or two stars.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from datong.ledger.columns import day_number, local_days
from datong.ledger.state import State
from datong.model.errors import Refused
from datong.model.flow import TAKEN, FloatArray, IntArray, SeriesSet
from datong.model.words import Message, message
from datong.network.finding_decisions import Decision, decisions
from datong.questions.finding_strength import STATED_KINDS
from datong.questions.market_findings import MarketFinding
from datong.questions.since.rows import Naming, listed
from datong.sense.series import sale_rows, series_of_sales
from datong.statistics.synthetic_control import EARLY_MIN, LATE_MIN, LIKE_MIN, EffectEstimate, effect

WEEK_DAYS = 7
# Whether what stands out in a finding of a kind lasts by itself: a level that shifted does, and a complaint as long as
# its cause is there. Of the others nobody knows.
_LASTS = {"level_shift": True, "complaint": True, **dict.fromkeys(("anomaly", *STATED_KINDS, "calendar"), False)}
# Weeks after a decision in which goods that were made before it still come back and are written about.
SETTLING_WEEKS = 4
# Weeks of the past that are looked at, at most.
WEEKS_MAX = 104
# Weeks over which returns are shared out among the units sold, and bad reviews among all.
SHARE_WEEKS = 4
# Stars up to this are bad.
BAD_STARS = 2.0


@dataclass(frozen=True, eq=False)
class EffectResult:
    """What came after a decision.

    estimate: None where nothing can be told; `text` says why then. since: first day of the first week after it. weeks:
    starts of the weeks looked at; measured: (week) units, or a share; like: products of the control, by weight;
    left_out: like products that were not looked at, since they share a line with it or were decided on themselves.
    """

    finding: str
    since: date
    estimate: EffectEstimate | None
    text: Message
    weeks: tuple[date, ...]
    measured: FloatArray
    like: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()

    def table(self) -> pa.Table:
        """By week: start, measured (units, or a share), and what the like products say (null: not known)."""
        control = np.full(len(self.weeks), np.nan) if self.estimate is None else self.estimate.control
        return pa.table(
            {
                "week": pa.array(list(self.weeks), pa.date32()),
                "measured": pa.array(self.measured, from_pandas=True),
                "expected": pa.array(control, from_pandas=True),
            }
        )


def effect_of(state: State, one: MarketFinding, series: SeriesSet | None = None) -> EffectResult:
    """series: of the state, where it is at hand. Raises Refused where nobody decided on the finding, or where it is not
    about a product."""
    if one.subject.kind != "product":
        raise Refused(message("findings.effect_of_product", finding=one.finding))
    stated = one.kind in STATED_KINDS
    if one.decision is None and not stated:
        raise Refused(message("findings.effect_undecided", finding=one.finding))
    series = series or series_of_sales(state, sale_rows(state))
    weeks, sold = _weekly(series, state)
    table = _table_of(one)
    products = _products(series, one.subject.market)
    names = sorted(products)
    if one.subject.name not in names or not weeks:
        raise Refused(
            message("findings.effect_unsold", finding=one.finding, product=Naming(state).called(one.subject.name))
        )
    measured = _measured(state, table, weeks, products, sold)
    begin, after = _cuts(one, weeks, state)
    if stated:  # it ends by itself
        ends = [w + timedelta(days=WEEK_DAYS) <= one.last + timedelta(days=1) for w in weeks]
        end = max([i + 1 for i, inside in enumerate(ends) if inside], default=0)
        weeks, measured = weeks[:end], measured[:, :end]
    own = names.index(one.subject.name)
    left_out = _left_out(state, one, set(names))
    like = [i for i, name in enumerate(names) if i != own and name not in left_out]
    shared = tuple(sorted(left_out))
    if len(like) < LIKE_MIN:  # better held against those that share a line than against nothing
        decided_on = _decided_on(state, one)
        like = [i for i, name in enumerate(names) if i != own and name not in decided_on]
        shared = tuple(sorted(decided_on & set(names)))
    since = weeks[after] if after < len(weeks) else _week_after(one, state)
    settling = SETTLING_WEEKS if table in _SHARES else 0
    late = len(weeks) - after - settling
    if late < LATE_MIN:
        text = message(
            "findings.effect_early", weeks=max(late, 0), least=LATE_MIN, since=since + timedelta(weeks=settling)
        )
        return EffectResult(one.finding, since, None, text, tuple(weeks), measured[own], (), shared)
    found = effect(measured[own], measured[like], begin, after, _LASTS.get(one.kind), settling)
    if found is None:
        text = message(
            "findings.effect_little", weeks=min(begin, after), count=len(like), least_weeks=EARLY_MIN, least=LIKE_MIN
        )
        return EffectResult(one.finding, since, None, text, tuple(weeks), measured[own], (), shared)
    order = np.argsort(-found.weights, kind="stable")
    of_control = tuple(names[like[found.like[i]]] for i in order)
    text = _told(state, one, found, since + timedelta(weeks=settling), of_control, table)
    return EffectResult(one.finding, since, found, text, tuple(weeks), measured[own], of_control, shared)


def _table_of(one: MarketFinding) -> str:
    shown = one.signal if one.signal is not None else one.decision
    return "" if shown is None else shown.evidence_table


def _length(state: State) -> int:
    return state.settings.calendar.bucket_days


def _weekly(series: SeriesSet, state: State) -> tuple[list[date], FloatArray]:
    """Starts of the last weeks, and (item, week) units; NaN where one of its buckets is unknown."""
    per = max(WEEK_DAYS // _length(state), 1)
    count = min(len(series.bucket_starts) // per, WEEKS_MAX)
    if not count:
        return [], np.zeros((len(series.items), 0))
    last = series.units[:, len(series.bucket_starts) - count * per :]
    starts = list(series.bucket_starts[len(series.bucket_starts) - count * per :: per])
    return starts, last.reshape(len(series.items), count, per).sum(axis=2)


def _products(series: SeriesSet, market: str) -> dict[str, IntArray]:
    """Positions of the items of each product, in one market or ('all') in every one."""
    found: dict[str, list[int]] = {}
    for i, item in enumerate(series.items):
        if market in ("all", item.market):
            found.setdefault(item.product, []).append(i)
    return {product: np.array(own) for product, own in sorted(found.items())}


def _summed(products: dict[str, IntArray], units: FloatArray) -> FloatArray:
    """(product, week) units of all its items; unknown where one is."""
    return np.array([units[own].sum(axis=0) for own in products.values()])


# Tables of which a share is measured: what of it counts, over what.
_SHARES = frozenset({"returns", "reviews"})


def _measured(
    state: State, table: str, weeks: Sequence[date], products: dict[str, IntArray], sold: FloatArray
) -> FloatArray:
    """(product, week) units sold; or units back of these sold, or bad of all rated reviews, in SHARE_WEEKS."""
    if table not in _SHARES:
        return _summed(products, sold)
    rows = state.table(table)
    if table == "returns":
        hits = rows["units"].to_numpy(zero_copy_only=False)
        return _share(_by_week(state, rows, hits, weeks, products), np.nan_to_num(_summed(products, sold)))
    rows = rows.filter(pc.is_valid(rows["rating"]))
    bad = (rows["rating"].to_numpy(zero_copy_only=False) <= BAD_STARS).astype(np.float64)
    every = _by_week(state, rows, np.ones(len(bad)), weeks, products)
    return _share(_by_week(state, rows, bad, weeks, products), every)


def _by_week(
    state: State, rows: pa.Table, values: FloatArray, weeks: Sequence[date], products: dict[str, IntArray]
) -> FloatArray:
    """(product, week) sum of (row) values."""
    week = (local_days(rows, state) - day_number(weeks[0])) // WEEK_DAYS
    place = {product: i for i, product in enumerate(products)}
    product = np.array([place.get(name, -1) for name in rows["product"].to_pylist()], np.int64)
    inside = (product >= 0) & (week >= 0) & (week < len(weeks))
    result = np.zeros((len(products), len(weeks)))
    np.add.at(result, (product[inside], week[inside]), values[inside])
    return result


def _share(hits: FloatArray, of: FloatArray) -> FloatArray:
    """(product, week) hits over their base, each of SHARE_WEEKS; NaN where there is no base."""
    usual = np.array([np.convolve(row, np.ones(SHARE_WEEKS), "full")[: len(row)] / SHARE_WEEKS for row in of])
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(usual > 0, hits / usual, np.nan)


def _week_after(one: MarketFinding, state: State) -> date:
    """Day from which a decision can show."""
    if one.decision is None:
        return one.first
    return one.decision.decided_at.astimezone(state.settings.calendar.zone).date()


def _cuts(one: MarketFinding, weeks: Sequence[date], state: State) -> tuple[int, int]:
    """First week of the window that drew attention, and first week after the decision, which may lie ahead."""
    day = one.first if one.kind in STATED_KINDS else _week_after(one, state)
    after = next((i for i, week in enumerate(weeks) if week >= day), len(weeks))
    if one.kind in STATED_KINDS:
        return after, after
    begin = next((i for i, week in enumerate(weeks) if week + timedelta(days=WEEK_DAYS) > one.first), len(weeks))
    return min(begin, after), after


def _decided_on(state: State, one: MarketFinding) -> set[str]:
    """Other products on which something was taken."""
    own: Decision | None = one.decision
    taken = [d for d in decisions(state) if d.state == TAKEN and d.subject.kind == "product"]
    return {d.subject.name for d in taken if own is None or d.finding != own.finding} - {one.subject.name}


def _left_out(state: State, one: MarketFinding, names: set[str]) -> set[str]:
    """Products that what is done for one can move by itself: those made on its lines, its substitutes, and those on
    which something was taken."""
    recipes = state.table("recipes").select(["product", "line"]).to_pylist()
    lines = {r["line"] for r in recipes if r["product"] == one.subject.name}
    found = {r["product"] for r in recipes if r["line"] in lines}
    for row in state.table("substitutes").to_pylist():
        pair = {row["product"], row["substitute"]}
        if one.subject.name in pair:
            found |= pair
    return ((found | _decided_on(state, one)) & names) - {one.subject.name}


def _told(
    state: State, one: MarketFinding, found: EffectEstimate, since: date, like: Sequence[str], table: str
) -> Message:
    naming = Naming(state)
    share, low, high = found.share, found.low, found.high
    sure = "sure" if low > 0 or high < 0 else "unsure"
    way = "more" if share >= 0 else "less"
    units = found.units
    words = {
        "product": naming.called(one.subject.name),
        "since": since,
        "weeks": found.late_weeks,
        "percent": f"{abs(share):.0%}",
        "low": f"{low:+.0%}",
        "high": f"{high:+.0%}",
        "count": len(like),
        "like": listed([naming.called(name) for name in like]),
        "fell_back": f"{found.fell_back:+.0%}",
    }
    if table in _SHARES:
        return message(f"findings.effect_{table}_{way}_{sure}", **words)
    return message(f"findings.effect_{way}_{sure}", units=naming.amount(abs(units[0]), one.subject.name), **words)
