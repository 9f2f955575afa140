"""What buyers complain of more than before: by product and aspect, with the reviews that say so.

Every clause of a review is read for its aspects and whether it praises or blames (voice/). The model is learnt from
the chain's own stars where there are enough; where it abstains words of praise and blame decide, and where a clause
has none of them, the stars of its review. A review counts once for an aspect, however often it blames it. The same
words about a product, or nearly the same, on one day count once, and so do the reviews of it by one buyer: they are
one voice. Reviews that are likely made up or sent in concert count less (voice/fakes.py), and it is said how many do.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import pyarrow.compute as pc

from datong.ledger.columns import codes, day_number, local_days
from datong.ledger.state import State
from datong.model.flow import EVIDENCE_ROWS, BoolArray, FloatArray, IntArray, SeriesSet, Subject
from datong.model.words import message
from datong.sense.doubted import doubted, texts_of
from datong.sense.found import Found, Shown, found, who
from datong.sense.odd_weeks import WEEK_DAYS, WEEKS_MAX
from datong.sense.voice.aspects import Aspect, general, mentions
from datong.sense.voice.fakes import ALIKE
from datong.sense.voice.ngrams import Tokens
from datong.sense.voice.polarity import Settings, learnt
from datong.sense.voice.reading import read, split, tone_words, toned
from datong.sense.voice.repeats import copies
from datong.statistics.changes import RECENT_BLOCKS
from datong.statistics.rates import rate_rise

# Fewest reviews that blame an aspect in the recent weeks.
BLAMED_MIN = 4
# Fewest rated reviews, and of them good and bad ones, of which a model is learnt; most that are read and learnt from,
# the newest first.
LEARNT_MIN, EACH_MIN, READ_MAX, LEARNT_MAX = 300, 30, 200_000, 5_000
BAD_STARS, GOOD_STARS = 2.0, 4.0
MODEL = Settings(bits=18)
SEED = 16
# Sums of parts are off by less.
_ROUNDING = 1e-9
# Longest clause that is quoted, in characters, and how many are.
QUOTE_MAX, QUOTES = 40, 2


@dataclass(frozen=True, eq=False)
class Opinions:
    """What reviews blame and praise.

    blamed, praised: (review, aspect) whether it does. clause: (review, aspect) position of the first clause that blames
    it in `clauses`, -1 for none. reviews: (review) its text, cleaned and masked.
    """

    blamed: BoolArray
    praised: BoolArray
    clause: IntArray
    clauses: tuple[str, ...]
    reviews: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class ReadReviews:
    """The reviews of the last WEEKS_MAX weeks, in the order of their table.

    row: (review) position in the table. day: (review) local day, in days since 1970-01-01. of: (review) position of its
    product in `products`. weight: (review) how much it counts, 0 to 1: less than one where it says the same as
    another, or is likely made up (voice/fakes.py).
    """

    row: IntArray
    day: IntArray
    of: IntArray
    products: tuple[str, ...]
    weight: FloatArray
    opinions: Opinions


def read_reviews(state: State, end: int) -> ReadReviews | None:
    """end: the day after the last closed bucket, in days since 1970-01-01. None where no review has a text."""
    reviews = state.table("reviews")
    if not reviews.num_rows or not pc.any(pc.is_valid(reviews["text"])).as_py():
        return None
    day = local_days(reviews, state)
    inside = np.flatnonzero((day >= end - WEEKS_MAX * WEEK_DAYS) & (day < end))
    inside = np.sort(inside[np.argsort(-day[inside], kind="stable")][:READ_MAX])
    if not len(inside):
        return None
    rows = reviews.select(["product", "title", "text", "rating", "customer", "sale"]).take(inside)
    products, texts = rows["product"].to_pylist(), texts_of(rows)
    stars = rows["rating"].to_numpy(zero_copy_only=False).astype(np.float64)
    said = opinions(tuple(texts), tuple(stars.tolist()))
    own_voice = _first_alike(products, texts, day[inside].tolist(), rows["customer"].to_pylist())
    doubt = doubted(rows, day[inside])
    weight = np.where(np.isin(doubt.kind, ALIKE), doubt.weight, doubt.weight * own_voice)
    of, names = codes(rows["product"])
    return ReadReviews(inside, day[inside], of, tuple(names), weight, said)


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
    hits, every = _counts(heard.of, len(names), said, (is_late * weight, ~is_late * weight))
    row_ids = state.table("reviews")["row_id"]
    result = []
    for i in sorted(range(len(names)), key=lambda i: names[i]):
        (late_hits, early_hits), (late_all, early_all) = hits[:, i], every[:, i].tolist()
        own = is_late & (heard.of == i)
        for a in np.flatnonzero((late_hits >= BLAMED_MIN) & (late_all > 0)).tolist():
            blaming = np.flatnonzero(own & said.blamed[:, a])
            ids = row_ids.take(heard.row[blaming][-EVIDENCE_ROWS:]).to_pylist()
            before = (int(early_hits[a]), early_all)
            in_full = blaming[weight[blaming] == 1]
            quotes = _quotes(said, a, in_full if len(in_full) else blaming)
            counts, less = (int(late_hits[a]), late_all), len(blaming) - len(in_full)
            rise = Rise(names[i], a, counts, before, (late, end), quotes, tuple(sorted(ids)), less)
            one = _found(series, prices, rise)
            result += [] if one is None else [one]
    return result


def first_recent_day(end: int) -> int:
    """First day of the recent weeks, in days since 1970-01-01. end: the day after the last closed bucket."""
    return end - RECENT_BLOCKS * WEEK_DAYS


@lru_cache(maxsize=4)
def opinions(texts: tuple[str, ...], stars: tuple[float, ...]) -> Opinions:
    """texts: (review). stars: (review) 1 to 5, NaN where there are none. The same reviews are read once a process."""
    rated = np.array(stars, np.float64)
    good, bad = rated >= GOOD_STARS, rated <= BAD_STARS
    rows = np.flatnonzero((good | bad) & np.array([bool(text) for text in texts], bool))
    if len(rows) >= LEARNT_MIN and min(good[rows].sum(), bad[rows].sum()) >= EACH_MIN:
        newest = rows[-LEARNT_MAX:]
        cleaned = split([texts[i] for i in newest]).reviews
        heard = read(texts, learnt(cleaned, good[newest], SEED, settings=MODEL))
        parts, verdict, aspects = heard.clauses, heard.verdicts, heard.aspects
        tone = np.sign(heard.tones.good - heard.tones.bad)
    else:
        parts = split(texts)
        many = len(parts.texts)
        tones = toned(parts.tokens, many, tone_words())
        verdict, aspects = np.sign(tones.good - tones.bad), _aspects(parts.tokens, many)
        tone = verdict
    by_stars = np.where(bad[parts.review], -1, np.where(good[parts.review], 1, 0))
    for next_best in (tone, by_stars):  # where the one abstains, the next one speaks
        verdict = np.where(verdict == 0, next_best, verdict)
    # Where the model and plain words of praise disagree, nothing is sure.
    first_blaming = _first_clause((aspects > 0) & ((verdict < 0) & (tone <= 0))[:, None], parts.review, len(texts))
    first_praising = _first_clause((aspects > 0) & ((verdict > 0) & (tone >= 0))[:, None], parts.review, len(texts))
    return Opinions(first_blaming >= 0, first_praising >= 0, first_blaming, parts.texts, parts.reviews)


def _first_clause(hit: BoolArray, review: IntArray, many: int) -> IntArray:
    """(review, aspect) position of its first clause with (clause, aspect) hit; -1 for none."""
    first = np.full((many, hit.shape[1]), -1, np.int64)
    where, which = np.nonzero(hit)
    for c, a in zip(where[::-1].tolist(), which[::-1].tolist(), strict=True):  # the first clause stays
        first[review[c], a] = c
    return first


def _aspects(words: Tokens, many: int) -> IntArray:
    """(clause, aspect) how many words speak of it."""
    hits = mentions(words, general())
    result = np.zeros((many, len(general().aspects)), np.int64)
    np.add.at(result, (hits.text_of, hits.aspect_of), 1)
    return result


def _first_alike(
    products: Sequence[str], texts: Sequence[str], days: Sequence[int], customers: Sequence[str | None]
) -> BoolArray:
    """(review) whether it is the first about its product with these words, or nearly these, on its day, and the first
    of its buyer."""
    seen: set[tuple[object, ...]] = set()
    first = []
    roots = copies(texts).tolist()
    for product, root, day, customer in zip(products, roots, days, customers, strict=True):
        keys = {(product, texts[root], day), *([(product, customer)] if customer else [])}
        first.append(not keys & seen)
        seen |= keys
    return np.array(first, bool)


def _counts(
    of: IntArray, products: int, said: Opinions, spans: tuple[FloatArray, FloatArray]
) -> tuple[IntArray, IntArray]:
    """(span, product, aspect) reviews that blame it, and (span, product) all reviews. of: (review) its product. spans:
    (review) how much it counts late, and before. Parts of a review are left out late, and count in full before: what
    is in doubt raises no alarm."""
    hits = np.zeros((len(spans), products, said.blamed.shape[1]))
    for k, weight in enumerate(spans):
        np.add.at(hits[k], of, said.blamed * weight[:, None])
    every = np.array([np.bincount(of, weight, products) for weight in spans])
    whole = np.stack([np.floor(hits[0] + _ROUNDING), np.ceil(hits[1] - _ROUNDING)])
    return whole.astype(np.int64), np.maximum(np.rint(every), whole.max(2)).astype(np.int64)


def _quotes(heard: Opinions, aspect: int, reviews: IntArray) -> list[str]:
    """The clauses that are said most often, in the writers' own words; short ones only."""
    said: dict[str, int] = {}
    for i in reviews.tolist():
        text = heard.clauses[heard.clause[i, aspect]]
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


def _found(series: SeriesSet, prices: FloatArray, rise: Rise) -> Found | None:
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
        "weeks": RECENT_BLOCKS,
    }
    if rise.quotes:
        words["quotes"] = " ".join(f"“{quote}”" for quote in rise.quotes)
    text = message("sense.complaint_quoted" if rise.quotes else "sense.complaint", **words)
    if rise.less:
        text = message("sense.complaint_less", text=text, count=rise.less)
    name = f"complaint-{aspect.path}-{rise.product}-all-{first.isoformat()}"
    span = (first, series.bucket_starts[-1])
    units = (expected / RECENT_BLOCKS, rise.late[0] / RECENT_BLOCKS)
    strength = (rise.late[0] - expected) / np.sqrt(expected)
    shown = Shown(items, (rise.days[0], rise.days[1] - 1), prices[items], "reviews")
    one = found(name, "complaint", subject, span, units, (strength, p_value), text, shown)
    return replace(one, signal=replace(one.signal, evidence=rise.evidence))
