"""Prices and promotions that are known ahead: what they do to demand, as far as the chain's own past earned it.

How demand answered to them is estimated from closed buckets and tested out of sample (statistics/price_response.py);
both tests of a run are held to EARNED_SHARE by Benjamini and Hochberg (1995). What is earned moves the buckets ahead by
`Sensed.adjustments`: with x the change of the log price, or of the share of days under promotion, against what was
usual of late, the factor is exp(slope x), between exp((slope -+ NINE_IN_TEN doubt) x). What is not earned is said as
not known, and moves nothing. A promotion with a stated change is a statement (stated_changes.py); one that states a
price alone, where past promotions say nothing, is taken as that price.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np

from datong.ledger.state import State
from datong.model.flow import DISMISSED, NINE_IN_TEN, TAKEN, Adjustment, FloatArray, SeriesSet, Signal, Subject
from datong.model.words import Message, message
from datong.network.finding_decisions import Decision, decision_about
from datong.sense.change_found import about, number, who
from datong.sense.price_facts import PriceFacts, PromotedSpan, length_of, price_facts, tells_ahead
from datong.sense.series import SaleRows
from datong.statistics.false_discovery import false_discovery_q
from datong.statistics.price_response import DRIFT_MIN, STEP_MIN, TESTED_MIN, Response, of_late, responses

# Share of the two tests that may be earned by accident.
EARNED_SHARE = 0.05
# Factors on demand stay within these.
FACTORS = (0.4, 2.5)
# Log prices that differ by less are one price.
ONE_PRICE = 0.005
WEEK_DAYS = 7


@dataclass(frozen=True, eq=False)
class _Known:
    """facts: of the records. price, promotion: the past answer to each. q: of the two tests. level: (item) units a week
    of late. reference: (item) log price of late; promoted: (item) share of days under promotion of late."""

    facts: PriceFacts
    price: Response
    promotion: Response
    q: tuple[float, float]
    level: FloatArray
    reference: FloatArray
    promoted: FloatArray


def prices_ahead(
    state: State, series: SeriesSet, sales: SaleRows, made: tuple[Decision, ...]
) -> tuple[tuple[Signal, ...], tuple[Adjustment, ...]]:
    """Signals of prices that change and of promotions that state no change, and what they do to demand. sales: the rows
    of which the series was made. made: decisions; what was dismissed, or taken with another change, does nothing."""
    if not tells_ahead(state, series):
        return (), ()
    facts = price_facts(state, series, sales)
    wanted = [*_price_runs(series, facts)], [*_unstated(state, series, facts)]
    if not wanted[0] and not wanted[1]:
        return (), ()
    known = _known(series, facts)
    pairs = [_of_price(state, series, known, *run) for run in wanted[0]]
    pairs += [_of_promotion(state, series, known, *one) for one in wanted[1]]
    adjustments: list[Adjustment] = []
    for signal, own in pairs:
        decision = decision_about(signal, made)
        replaced = decision is not None and decision.state == TAKEN and decision.change is not None
        if not replaced and (decision is None or decision.state != DISMISSED):
            adjustments += own
    return tuple(signal for signal, _ in pairs), tuple(adjustments)


def _known(series: SeriesSet, facts: PriceFacts) -> _Known:
    price, promotion = responses(facts.panel)
    q = [1.0, 1.0]
    told = [n for n, one in enumerate((price, promotion)) if not np.isnan(one.p_value)]
    for n, value in zip(told, false_discovery_q([(price, promotion)[n].p_value for n in told]), strict=True):
        q[n] = float(value)
    hidden = np.where(np.isnan(series.units), np.nan, 0.0)
    level = np.nan_to_num(of_late(series.units)) * WEEK_DAYS / length_of(series)
    return _Known(
        facts,
        price,
        promotion,
        (q[0], q[1]),
        level,
        of_late(facts.panel.price + hidden),
        np.nan_to_num(of_late(facts.panel.promoted + hidden)),
    )


# prices ---------------------------------------------------------------------------------------------


def _price_runs(series: SeriesSet, facts: PriceFacts) -> Iterator[tuple[int, int, int]]:
    """(item, first and last open bucket) of each price ahead that is not the price of late; without items whose demand
    is given."""
    hidden = np.where(np.isnan(series.units), np.nan, 0.0)
    away = facts.ahead - of_late(facts.panel.price + hidden)[:, None]
    given = np.asarray(~np.isnan(series.given_units).all(axis=1))
    with np.errstate(invalid="ignore"):
        moves = (np.abs(away) > STEP_MIN) & ~given[:, None]
    for i in np.flatnonzero(moves.any(axis=1)).tolist():
        begin = None
        for t in range(moves.shape[1]):
            ends = begin is not None and (not moves[i, t] or abs(facts.ahead[i, t] - facts.ahead[i, begin]) > ONE_PRICE)
            if begin is not None and ends:
                yield i, begin, t - 1
                begin = None
            if begin is None and moves[i, t]:
                begin = t
        if begin is not None:
            yield i, begin, moves.shape[1] - 1


def _of_price(
    state: State, series: SeriesSet, known: _Known, i: int, first: int, last: int
) -> tuple[Signal, list[Adjustment]]:
    item, starts = series.items[i], series.horizon_starts[first : last + 1]
    name = f"price-{item.product}-{item.market}-{starts[0].isoformat()}"
    change = float(known.facts.ahead[i, first] - known.reference[i])
    past = known.facts.panel.price[i][~np.isnan(series.units[i]) & ~np.isnan(known.facts.panel.price[i])]
    most = float(past.max() - past.min()) if len(past) else 0.0
    counted = float(np.clip(change, -most, most))
    unknown = _why_not(known.price, i, known.q[0], "price")
    span = None if unknown is not None else _factors(known.price, i, counted)
    own = [] if span is None else [Adjustment(item, start, *span, name) for start in starts]
    factor = 1.0 if span is None else span[0]
    listed = known.facts.listed[i, len(series.bucket_starts) + first]
    words: dict[str, Any] = {
        "who": who(about(item)),
        "price": f"{np.exp(listed):,.2f}",
        "before": f"{np.exp(listed - change):,.2f}",
        "change": f"{np.expm1(change):+.0%}",
        "first": starts[0],
        "last": series.horizon_starts[last] + timedelta(days=length_of(series) - 1),
    }
    if span is None:
        text = message("sense.price_unknown", **words, why=unknown)
    else:
        is_beyond = abs(change) > most + ONE_PRICE
        words["beyond"] = message("sense.price_beyond", most=f"{np.expm1(most):.0%}") if is_beyond else ""
        text = message("sense.price_moves", **words, **_effect(span, known.level[i], known.price))
    rows = known.facts.rows_of(item, *_order_days(state, series, first, last))
    found = _found(name, "price", about(item), starts, factor, known.level[i])
    return _signal(found, known.price, i, known.q[0], span is not None, "prices", rows, text), own


def _order_days(state: State, series: SeriesSet, first: int, last: int) -> tuple[date, date]:
    """Days on which the orders of some open buckets are placed."""
    ahead = timedelta(days=state.settings.promise_days)
    return series.horizon_starts[first] - ahead, series.horizon_starts[last] + timedelta(days=length_of(series)) - ahead


# promotions -----------------------------------------------------------------------------------------


def _unstated(
    state: State, series: SeriesSet, facts: PriceFacts
) -> Iterator[tuple[PromotedSpan, dict[str, Any], list[int]]]:
    """Promotions ahead that state no change: their days, their row, and the items whose demand is not given."""
    rows = state.table("promotions").to_pylist()
    given = np.asarray(~np.isnan(series.given_units).all(axis=1))
    for span in facts.spans:
        if span.row < 0 or rows[span.row]["change_share"] is not None:
            continue
        items = [i for i in span.items if not given[i]]
        if items and span.share[len(series.bucket_starts) :].any():
            yield span, rows[span.row], items


def _of_promotion(
    state: State, series: SeriesSet, known: _Known, span: PromotedSpan, row: dict[str, Any], items: Sequence[int]
) -> tuple[Signal, list[Adjustment]]:
    ahead = span.share[len(series.bucket_starts) :]
    at = np.flatnonzero(ahead).tolist()
    starts = tuple(series.horizon_starts[t] for t in at)
    name = f"uplift-{row['promotion']}-{row['product']}-{row['market'] or 'all'}-{starts[0].isoformat()}"
    own: list[Adjustment] = []
    whole: list[tuple[int, tuple[float, float, float]]] = []
    unknown: Message | None = None
    by_price = False
    for i in items:
        answer, of_price, why = _answer(known, row, i)
        unknown = unknown or why
        if answer is None:
            continue
        by_price = by_price or of_price
        response, step = answer
        whole.append((i, _factors(response, i, step)))
        for t in at:
            change = step * ahead[t] if of_price else ahead[t] - known.promoted[i]
            own.append(Adjustment(series.items[i], series.horizon_starts[t], *_factors(response, i, change), name))
    subject = Subject("product", row["product"], row["market"] or "all")
    level = float(known.level[[i for i, _ in whole] or list(items)].sum())
    words = {"name": row["promotion"], "who": who(subject), "first": row["from"], "last": row["to"] - timedelta(days=1)}
    response, q = (known.price, known.q[0]) if by_price else (known.promotion, known.q[1])
    factor = 1.0
    if whole:
        weight = np.maximum([known.level[i] for i, _ in whole], 1e-9)
        factor, low, high = np.average([own_span for _, own_span in whole], axis=0, weights=weight).tolist()
        key = "sense.uplift_by_price" if by_price else "sense.uplift_moves"
        text = message(key, **words, **_effect((factor, low, high), level, response))
    else:
        text = message("sense.uplift_unknown", **words, why=unknown)
    found = _found(name, "uplift", subject, starts, factor, level)
    i = whole[0][0] if whole else items[0]
    return _signal(found, response, i, q, bool(whole), "promotions", [row], text), own


def _answer(known: _Known, row: dict[str, Any], i: int) -> tuple[tuple[Response, float] | None, bool, Message | None]:
    """The answer that a promotion stands on with its step on a whole day, whether it is that to its price, and, where
    there is none, why."""
    why = _why_not(known.promotion, i, known.q[1], "promotion")
    if why is None:
        return (known.promotion, 1.0), False, None
    step = None
    if row["discount_share"]:
        step = float(np.log1p(-row["discount_share"]))
    elif row["price"] is not None and not np.isnan(known.reference[i]):
        step = float(np.log(row["price"]) - known.reference[i])
    if step is None or _why_not(known.price, i, known.q[0], "price") is not None:
        return None, False, why
    return (known.price, step), True, None


# both -----------------------------------------------------------------------------------------------


def _why_not(response: Response, i: int, q: float, what: str) -> Message | None:
    """Why nothing is known of how an item answers; None where it is."""
    if np.isnan(response.slope[i]):
        return message(f"sense.{what}_never")
    if np.isnan(response.p_value):
        return message("sense.answer_untested", least=TESTED_MIN, count=response.tested)
    return None if q <= EARNED_SHARE else message("sense.answer_unearned")


def _factors(response: Response, i: int, change: float) -> tuple[float, float, float]:
    """Middle, low and high factor of a change."""
    slope, doubt = float(response.slope[i]), float(response.doubt[i])
    width = NINE_IN_TEN * doubt * abs(change)
    middle, low, high = (
        float(np.clip(np.exp(v), *FACTORS)) for v in (slope * change, slope * change - width, slope * change + width)
    )
    return middle, low, high


def _effect(span: tuple[float, float, float], level: float, response: Response) -> dict[str, Any]:
    """What a text says of a factor: its size and interval, units a week, items behind it, and whether it changed."""
    factor, low, high = span
    drifted = response.late_only and abs(response.drift) > DRIFT_MIN * response.drift_doubt
    return {
        "percent": f"{factor - 1.0:+.0%}",
        "low": f"{low - 1.0:+.0%}",
        "high": f"{high - 1.0:+.0%}",
        "units": number(abs(factor - 1.0) * level),
        "count": response.moved,
        "drift": message("sense.answer_drifted") if drifted else "",
    }


def _found(
    name: str, kind: str, subject: Subject, starts: Sequence[date], factor: float, level: float
) -> dict[str, Any]:
    return {
        "signal": name,
        "kind": kind,
        "subject": subject,
        "first": starts[0],
        "last": starts[-1],
        "effect_share": factor - 1.0,
        "effect_units": (factor - 1.0) * float(level),
    }


def _signal(
    found: dict[str, Any],
    response: Response,
    i: int,
    q: float,
    moves: bool,
    table: str,
    rows: Sequence[dict[str, Any]],
    text: Message,
) -> Signal:
    """moves: whether it moves demand; else nothing is known of its effect."""
    return Signal(
        **found,
        strength=float(response.slope[i] / response.doubt[i]) if moves else 0.0,
        p_value=response.p_value if moves else None,
        q_value=q if moves else None,
        evidence_table=table,
        evidence=tuple(sorted({row["row_id"] for row in rows})),
        text=text,
    )
