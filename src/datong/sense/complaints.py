"""What buyers complain of more than before: by product and aspect, with the reviews that say so.

Every clause of a review is read for its aspects and whether it praises or blames (blame_and_praise.py). A review counts
once for an aspect, however often it blames it. The same words about a product, or nearly the same, on one day count
once, and so do the reviews of it by one buyer: they are one voice. Reviews that are likely made up or sent in concert
count less (voice/fakes.py), and it is said how many do.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from datong.ledger.columns import day_number
from datong.ledger.large_tables import taken
from datong.ledger.state import State
from datong.model.flow import EVIDENCE_ROWS, BoolArray, FloatArray, IntArray, SeriesSet, Subject
from datong.model.words import message
from datong.sense.blame_and_praise import ReadReviews, read_reviews
from datong.sense.change_found import Found, Shown, found, who
from datong.sense.voice.aspects import Aspect, general
from datong.sense.weeks_looked_at import RECENT_WEEKS, WEEK_DAYS
from datong.statistics.rates import rate_rise

# Fewest reviews that blame an aspect in the recent weeks.
BLAMED_MIN = 4
# Sums of parts are off by less.
_ROUNDING = 1e-9
# Longest clause that is quoted, in characters, and how many are.
QUOTE_MAX, QUOTES = 40, 2


def complaints(state: State, series: SeriesSet, prices: FloatArray) -> list[Found]:
    """One test for each product and aspect that is blamed in at least BLAMED_MIN reviews of the recent weeks: are more
    of the product's reviews about it than in the weeks before?"""
    if not series.bucket_starts:
        return []
    end = day_number(series.bucket_starts[-1]) + state.settings.calendar.bucket_days
    heard = read_reviews(state, end)
    if heard is None:
        return []
    late = first_recent_day(end)
    is_late, names, said, weight = heard.day >= late, heard.products, heard.opinions, heard.weight
    hits, every = _counts(heard, (is_late * weight, ~is_late * weight))
    row_ids = state.table("reviews")["row_id"]
    late_rows = np.flatnonzero(is_late)
    late_rows = late_rows[np.argsort(heard.of[late_rows], kind="stable")]
    begin = np.searchsorted(heard.of[late_rows], np.arange(len(names) + 1))
    result = []
    for i in sorted(np.flatnonzero((hits[0] >= BLAMED_MIN).any(1)).tolist(), key=lambda i: names[i]):
        (late_hits, early_hits), (late_all, early_all) = hits[:, i], every[:, i].tolist()
        own = late_rows[begin[i] : begin[i + 1]]
        for a in np.flatnonzero((late_hits >= BLAMED_MIN) & (late_all > 0)).tolist():
            blaming = own[said.blamed[own, a]]
            ids = taken(row_ids, heard.row[blaming][-EVIDENCE_ROWS:]).to_pylist()
            before = (int(early_hits[a]), early_all)
            in_full = blaming[weight[blaming] == 1]
            quotes = _quotes(heard, a, in_full if len(in_full) else blaming)
            counts, less = (int(late_hits[a]), late_all), len(blaming) - len(in_full)
            rise = Rise(names[i], a, counts, before, (late, end), quotes, tuple(sorted(ids)), less)
            one = _found(series, prices, rise, heard.by_shipped)
            result += [] if one is None else [one]
    return result


def first_recent_day(end: int) -> int:
    """First day of the recent weeks, in days since 1970-01-01. end: the day after the last closed bucket."""
    return end - RECENT_WEEKS * WEEK_DAYS


def sums_by_product(heard: ReadReviews, which: BoolArray, weight: FloatArray) -> FloatArray:
    """(product, aspect) sum of weights of the reviews of which (review, aspect) is true. weight: (review)."""
    review, aspect = np.nonzero(which)
    shape = (len(heard.products), which.shape[1])
    cells = heard.of[review] * shape[1] + aspect
    return np.asarray(np.bincount(cells, weight[review], shape[0] * shape[1]), np.float64).reshape(shape)


def _counts(heard: ReadReviews, spans: tuple[FloatArray, FloatArray]) -> tuple[IntArray, IntArray]:
    """(span, product, aspect) reviews that blame it, and (span, product) all reviews. spans: (review) how much it
    counts late, and before. Parts of a review are left out late, and count in full before: what is in doubt raises no
    alarm."""
    hits = [sums_by_product(heard, heard.opinions.blamed, weight) for weight in spans]
    every = np.array([np.bincount(heard.of, weight, len(heard.products)) for weight in spans])
    whole = np.stack([np.floor(hits[0] + _ROUNDING), np.ceil(hits[1] - _ROUNDING)])
    return whole.astype(np.int64), np.maximum(np.rint(every), whole.max(2)).astype(np.int64)


def _quotes(heard: ReadReviews, aspect: int, reviews: IntArray) -> list[str]:
    """The clauses that are said most often, in the writers' own words; short ones only."""
    said: dict[str, int] = {}
    for i in reviews.tolist():
        text = heard.blaming(i, aspect)
        if len(text) <= QUOTE_MAX:
            said[text] = said.get(text, 0) + 1
    return sorted(said, key=lambda text: (-said[text], text))[:QUOTES]


@dataclass(frozen=True, eq=False)
class Rise:
    """An aspect of a product that is blamed more. aspect: its place. late, before: reviews that blame it, and all of
    the product, in the recent weeks and before. days: first of the recent weeks, and the day after the last, in days
    since 1970-01-01. quotes: what is said most. evidence: ids of reviews. less: how many of the recent reviews that
    blame it count less than one."""

    product: str
    aspect: int
    late: tuple[int, int]
    before: tuple[int, int]
    days: tuple[int, int]
    quotes: Sequence[str]
    evidence: tuple[str, ...]
    less: int


def _found(series: SeriesSet, prices: FloatArray, rise: Rise, by_shipped: bool) -> Found | None:
    """None where the product has no series. by_shipped: whether the models that come with Datong read the reviews."""
    items = np.array([i for i, item in enumerate(series.items) if item.product == rise.product], np.int64)
    if not len(items):
        return None
    aspect: Aspect = general().aspects[rise.aspect]
    # Beside what was said before stands one review more and half a complaint: nothing is certain never to be said.
    counts = np.array([rise.late[0]]), np.array([rise.before[0]])
    p_value = float(rate_rise(*counts, np.array([float(rise.late[1])]), np.array([rise.before[1] + 1.0]))[0])
    expected = (rise.before[0] + 0.5) / (rise.before[1] + 1.0) * rise.late[1]
    subject = Subject("product", rise.product)
    first = next(b for b in series.bucket_starts if day_number(b) >= rise.days[0])
    words = {
        "who": who(subject),
        "aspect": message(f"aspect.{aspect.path}"),
        "count": rise.late[0],
        "base": rise.late[1],
        "count_before": rise.before[0],
        "base_before": rise.before[1],
        "weeks": RECENT_WEEKS,
    }
    if rise.quotes:
        words["quotes"] = " ".join(f"“{quote}”" for quote in rise.quotes)
    text = message("sense.complaint_quoted" if rise.quotes else "sense.complaint", **words)
    if rise.less:
        text = message("sense.complaint_less", text=text, count=rise.less)
    if by_shipped:
        text = message("sense.complaint_shipped", text=text)
    name = f"complaint-{aspect.path}-{rise.product}-all-{first.isoformat()}"
    span = (first, series.bucket_starts[-1])
    units = (expected / RECENT_WEEKS, rise.late[0] / RECENT_WEEKS)
    strength = (rise.late[0] - expected) / np.sqrt(expected)
    shown = Shown(items, (rise.days[0], rise.days[1] - 1), prices[items], "reviews")
    one = found(name, "complaint", subject, span, units, (strength, p_value), text, shown)
    return replace(one, signal=replace(one.signal, evidence=rise.evidence))
