"""Reviews that are likely made up or sent in concert, and how much each counts.

What is looked at is what such reviews cannot well hide, and no single sign condemns anybody: a review is weighed down,
never dropped. All that repeat one text, or are written into one frame, count together as much as one voice
(repeats.py); so do those of one buyer on one product, or of one who writes a great many at a time. A burst, far above
the product's own rate and the shop's of these days, in which one side of the stars prevails as it never does there,
counts as the most that the product's own rate would give (Xie et al. 2012, KDD; Fei et al. 2013, ICWSM); a rise that
stays is no burst. Extreme stars against the plain tone of their own text count half (Mukherjee et al. 2013, ICWSM, on
ratings that stray). Whoever shows the order line that a review is about is in no burst. A sign that more than
MOST_SHARE of all reviews bear is none: people there write so, in phrases that a platform offers, say.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import betainc, gammainc

from datong.model.flow import BoolArray, FloatArray, IntArray
from datong.sense.voice.ngrams import tokens
from datong.sense.voice.repeats import TEXTS_AT_ONCE, copies, frames, of_words, spelt_anew
from datong.sense.voice.tones import tone_words, toned

MOST_SHARE = 0.2
KINDS = ("repeats", "frame", "burst", "buyer", "against")
# Of those that are alike, and of those of one buyer, each has its share of one voice.
ALIKE = (0, 1, 3)
# Fewest texts that repeat one another, or are of one frame: of a few, one may have quoted the other.
GROUP_MIN, FRAME_MIN = 4, 5
# Days of a burst; its fewest reviews; how unlikely it is at the product's own rate, and its one-sidedness.
BURST_DAYS, BURST_MIN, BURST_P, SIDED_P, SIDED_SHARE = 3, 8, 1e-5, 0.01, 0.8
# Standard deviations above its own rate up to which a product's reviews of some days are as many as ever.
USUAL_MOST = 2.0
# Most reviews of one buyer in so many days that are nothing odd.
BUYER_DAYS, BUYER_MOST = 7, 4
LOW, HIGH = 1.0, 5.0
# Words of praise, and of complaint, without one of the other side, from which a text is against its few, or many,
# stars: where tokens are words, and where they are signs, of which words of tone are found more often than are meant.
# What such a review counts.
PRAISE_MIN, BLAME_MIN, AGAINST_COUNTS = (3, 4), (2, 3), 0.5


@dataclass(frozen=True, eq=False)
class Reviews:
    """What is known of n reviews. texts: cleaned and masked. product, buyer: (review) number, buyer -1 where none is
    told. day: (review) since 1970-01-01. stars: (review) 1 to 5, NaN where there are none. shown: (review) whether the
    order line is told that it is about."""

    texts: Sequence[str]
    product: IntArray
    day: IntArray
    stars: FloatArray
    buyer: IntArray
    shown: BoolArray


@dataclass(frozen=True, eq=False)
class Doubt:
    """weight: (review) how much each counts, 1 where nothing is odd. kind: (review) place in KINDS of the sign that
    weighs most, -1 for none."""

    weight: FloatArray
    kind: IntArray


def doubts(reviews: Reviews) -> Doubt:
    if not len(reviews.texts):
        return Doubt(np.ones(0), np.zeros(0, np.int64))
    signs = [
        np.minimum(*(_of_groups(alike(reviews.texts), GROUP_MIN) for alike in (copies, spelt_anew))),
        _of_groups(frames(reviews.texts), FRAME_MIN),
        bursts(reviews),
        buyers(reviews),
        against(reviews),
    ]
    table = np.array([sign if (sign < 1).mean() <= MOST_SHARE else np.ones(len(sign)) for sign in signs])
    weight = table.min(0)
    return Doubt(weight, np.where(weight < 1, table.argmin(0), -1))


def _of_groups(first: IntArray, least: int) -> FloatArray:
    """(review) 1 over how many have the same root, where they are at least so many."""
    many = np.bincount(first, minlength=len(first))[first] if len(first) else np.zeros(0)
    return np.where(many >= least, 1.0 / np.maximum(many, 1), 1.0)


def bursts(reviews: Reviews) -> FloatArray:
    """(review) weight of each as one of a burst of BURST_DAYS days.

    Expected are the product's reviews of its other days, as a rate, times how much busier the rest of the shop was on
    these days. One-sided: at least SIDED_SHARE on one end of the stars, and unlikely at the product's own share of it.
    """
    weight = np.ones(len(reviews.product))
    if not len(weight):
        return weight
    begin, end = int(reviews.day.min()), int(reviews.day.max()) + 1
    days = end - begin + BURST_DAYS - 1
    every = _windows(np.bincount(reviews.day - begin, minlength=end - begin).astype(np.float64))
    by_product = np.argsort(reviews.product, kind="stable")
    edges = np.flatnonzero(np.diff(reviews.product[by_product])) + 1
    for rows in np.split(by_product, edges):
        if len(rows) < BURST_MIN:
            continue
        own_days = reviews.day[rows] - begin
        own = _windows(np.bincount(own_days, minlength=end - begin).astype(np.float64))
        usual = (len(rows) - own + 1.0) / max(days - 2 * BURST_DAYS + 1, 1) * BURST_DAYS
        rest = every - own
        busy = np.maximum((rest + 1.0) / (np.median(rest) + 1.0), 1.0)
        expected = usual * busy
        # P(X >= own) of a Poisson count, by the incomplete gamma function.
        rare = np.where(own >= BURST_MIN, gammainc(np.maximum(own, 1.0), expected), 1.0) <= BURST_P
        for side in (LOW, HIGH):
            extreme = (reviews.stars[rows] == side) & ~reviews.shown[rows]
            sided = _windows(np.bincount(own_days[extreme], minlength=end - begin).astype(np.float64))
            share = (extreme.sum() - sided + 0.5) / (len(rows) - own + 1.0)
            odd = betainc(np.maximum(sided, 1.0), own - sided + 1.0, np.clip(share, 0.0, 1.0)) <= SIDED_P
            loud = rare & (sided >= SIDED_SHARE * own) & (odd | (share > SIDED_SHARE))
            for at in np.flatnonzero(loud).tolist():
                most = expected[at] + USUAL_MOST * np.sqrt(expected[at])
                inside = extreme & (own_days > at - BURST_DAYS) & (own_days <= at)
                weight[rows[inside]] = np.minimum(weight[rows[inside]], min(1.0, most / own[at]))
    return weight


def _windows(per_day: FloatArray) -> FloatArray:
    """(day, also those after the last that still look back on it) sums over the BURST_DAYS days up to each."""
    return np.convolve(per_day, np.ones(BURST_DAYS))


def buyers(reviews: Reviews) -> FloatArray:
    """(review) weight of each as one of its buyer's: all of one buyer on a product count as one, and so do all of one
    who writes more than BUYER_MOST in BUYER_DAYS days."""
    weight = np.ones(len(reviews.buyer))
    known = np.flatnonzero(reviews.buyer >= 0)
    pairs = np.stack([reviews.buyer[known], reviews.product[known]])
    if len(known):
        _, of, many = np.unique(pairs, axis=1, return_inverse=True, return_counts=True)
        weight[known] = 1.0 / many[of.ravel()]
    order = known[np.lexsort((reviews.day[known], reviews.buyer[known]))]
    buyer, day = reviews.buyer[order], reviews.day[order]
    for start in range(max(len(order) - BUYER_MOST, 0)):
        last = start + BUYER_MOST
        if buyer[start] == buyer[last] and day[last] - day[start] < BUYER_DAYS:
            close = order[start:][(buyer[start:] == buyer[start]) & (day[start:] - day[start] < BUYER_DAYS)]
            weight[close] = np.minimum(weight[close], 1.0 / len(close))
    return weight


def against(reviews: Reviews) -> FloatArray:
    """(review) AGAINST_COUNTS where the stars are at one end and the text is plainly at the other."""
    many = len(reviews.texts)
    weight = np.ones(many)
    for begin in range(0, many, TEXTS_AT_ONCE):
        part = slice(begin, begin + TEXTS_AT_ONCE)
        weight[part] = _against(reviews.texts[part], reviews.stars[part])
    return weight


def _against(texts: Sequence[str], stars: FloatArray) -> FloatArray:
    found = tokens(texts)
    tones = toned(found, len(texts), tone_words())
    words = of_words(found, len(texts))
    praise, blame = (np.where(words, *least) for least in (PRAISE_MIN, BLAME_MIN))
    blames = (stars == HIGH) & (tones.good == 0) & (tones.bad >= blame)
    praises = (stars == LOW) & (tones.bad == 0) & (tones.good >= praise)
    return np.where(blames | praises, AGAINST_COUNTS, 1.0)
