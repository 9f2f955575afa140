"""Aspects and their polarity as one's own labels have them, learnt from some hundred labelled reviews.

What people label as an aspect is not quite what its seeds find ("the environment" may mean noise or space), and when
they call it neither good nor bad differs from aspect to aspect. Two logistic models learn it: is an aspect mentioned,
and how is it judged, each from the clauses with its seeds: the model's scores, words of praise and complaint, n-grams.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from datong.model.flow import FloatArray, IntArray
from datong.sense.voice.aspects import Lexicon, mentions
from datong.sense.voice.linear import Weights, inverse_frequency, lowest, tf_idf
from datong.sense.voice.ngrams import counts
from datong.sense.voice.polarity_model import Polarity, scores
from datong.sense.voice.reading import Clauses, split
from datong.sense.voice.tones import toned

NOT_MENTIONED = -2
BITS, SIZES = 17, (1, 2)
# Chosen in ten folds of the 100 reviews of the training sample (`benchmarks/voice.py`).
MENTION_PENALTY, MENTION_NGRAMS = 0.3, 3.0
JUDGED_PENALTY, JUDGED_NGRAMS = 0.1, 6.0
LEAST_CHANCE = 0.3
STEPS = 200
MOST_WORDS = 6


@dataclass(frozen=True, eq=False)
class Logistic:
    """A logistic model of several classes. classes: (classes) their labels. weights: (features + 1, classes), the last
    row the offsets."""

    classes: IntArray
    weights: FloatArray


@dataclass(frozen=True, eq=False)
class Taught:
    """What was learnt. words: the aspects with their seeds. tones: words of praise and complaint. middle, spread:
    (features) by which those of a judgement are made alike. inverse_mention, inverse_judged: (2**BITS) of n-grams."""

    words: Lexicon
    tones: Lexicon
    middle: FloatArray
    spread: FloatArray
    inverse_mention: Weights
    inverse_judged: Weights
    mention: Logistic
    judged: Logistic


@dataclass(frozen=True, eq=False)
class Pairs:
    """Every review with every aspect, aspects of one review together. aspect: (pairs) position of the aspect. found:
    (pairs, 4) whether and how often seeds stand, and the review's length. said: (pairs, features) how its clauses
    judge. texts: (pairs) the clauses with seeds."""

    aspect: IntArray
    found: FloatArray
    said: FloatArray
    texts: tuple[str, ...]


def taught(
    texts: Sequence[str], labels: IntArray, model: Polarity, words: Lexicon, tones: Lexicon, group: str = ""
) -> Taught:
    """texts: (reviews). labels: (reviews, aspects) any numbers for how an aspect is judged, NOT_MENTIONED where it is
    not mentioned. group: the group of the reviews in the model, '' if of none."""
    pairs = _pairs(texts, model, words, tones, group)
    label = np.asarray(labels, np.int64).ravel()
    there = pairs.found[:, 0] > 0
    middle, spread = pairs.said[there].mean(0), pairs.said[there].std(0) + 1e-9
    mention_counts = counts(pairs.texts, (), BITS, pairs.aspect, SIZES)
    inverse_mention = inverse_frequency(mention_counts)
    of_mentioned = [pairs.texts[i] for i in np.flatnonzero(label != NOT_MENTIONED)]
    inverse_judged = inverse_frequency(counts(of_mentioned, SIZES, BITS))
    nothing = Logistic(np.zeros(0, np.int64), np.zeros((0, 0)))
    blank = Taught(words, tones, middle, spread, inverse_mention, inverse_judged, nothing, nothing)
    mention, judged = _matrices(blank, pairs)
    rows = np.flatnonzero(label != NOT_MENTIONED)
    return Taught(
        words,
        tones,
        middle,
        spread,
        inverse_mention,
        inverse_judged,
        _logistic(mention, (label != NOT_MENTIONED).astype(np.int64), MENTION_PENALTY),
        _logistic(judged[rows], label[rows], JUDGED_PENALTY),
    )


def judged(texts: Sequence[str], by: Taught, model: Polarity, group: str = "") -> IntArray:
    """(reviews, aspects) the label of each aspect of each review; NOT_MENTIONED where the chance that it is mentioned
    and judged so is below LEAST_CHANCE."""
    if not texts:
        return np.zeros((0, len(by.words.aspects)), np.int64)
    mention, said = _matrices(by, _pairs(texts, model, by.words, by.tones, group))
    chance_mentioned = _chances(by.mention, mention)[:, by.mention.classes == 1].sum(1)
    chance_said = _chances(by.judged, said)
    label = by.judged.classes[chance_said.argmax(1)]
    sure = chance_mentioned * chance_said.max(1) > LEAST_CHANCE
    return np.where(sure, label, NOT_MENTIONED).reshape(len(texts), -1)


def _pairs(texts: Sequence[str], model: Polarity, words: Lexicon, tones: Lexicon, group: str) -> Pairs:
    parts = split(texts)
    aspects, many, clause_many = len(words.aspects), len(texts), len(parts.texts)
    score = scores(model, parts.texts, [group] * clause_many)
    of_review = scores(model, parts.reviews, [group] * many)
    tone = toned(parts.tokens, clause_many, tones)
    says = {
        "score": score,
        "good": tone.good,
        "bad": tone.bad,
        "flat": tone.flat > 0,
        "turned": np.array([any(c in text for c in "不没无") for text in parts.texts], float),
        "digits": np.array([any(c.isdigit() for c in text) for text in parts.texts], float),
    }
    hits = np.zeros((clause_many, aspects), np.int64)
    found = mentions(parts.tokens, words)
    np.add.at(hits, (found.text_of, found.aspect_of), 1)
    begin = np.searchsorted(parts.review, np.arange(many + 1))
    rows = [
        _pair(parts, hits, says, (begin[i], begin[i + 1], a), float(of_review[i]))
        for i in range(many)
        for a in range(aspects)
    ]
    return Pairs(
        np.tile(np.arange(aspects), many),
        np.array([row[0] for row in rows], float).reshape(many * aspects, -1),
        np.array([row[1] for row in rows], float).reshape(many * aspects, -1),
        tuple(row[2] for row in rows),
    )


def _pair(
    parts: Clauses, hits: IntArray, says: dict[str, Any], at: tuple[int, int, int], of_review: float
) -> tuple[list[float], list[float], str]:
    """at: first clause of the review, the one after its last, the aspect."""
    first, last, aspect = at
    seeds = hits[first:last, aspect]
    here = first + np.flatnonzero(seeds)
    long = float(np.log(1 + sum(len(text) for text in parts.texts[first:last])) - 5)
    all_good = np.log1p(says["good"][first:last].sum())
    all_bad = np.log1p(says["bad"][first:last].sum())
    if not len(here):
        return [0, 0, 0, long], [0] * 13 + [of_review, all_good, all_bad, 1], ""
    around = np.unique(np.clip(np.concatenate((here - 1, here, here + 1)), first, last - 1))
    score, good, bad = says["score"], says["good"], says["bad"]
    net = float(np.sign(good[here].sum() - bad[here].sum()))
    judged_ = [score[here].mean(), score[here].min(), score[here].max(), score[around].mean()]
    words = [min(good[here].sum(), MOST_WORDS), min(bad[here].sum(), MOST_WORDS), net]
    words += [min(good[around].sum(), MOST_WORDS), min(bad[around].sum(), MOST_WORDS)]
    shares = [says[k][here].mean() for k in ("flat", "turned", "digits")]
    plain = float(((good[here] + bad[here]) == 0).mean())
    said = [*judged_, *words, *shares, plain, of_review, all_good, all_bad, 0]
    text = " | ".join(parts.texts[k] for k in here)
    return [1, np.log1p(len(here)), np.log1p(seeds.sum()), long], said, text


def _matrices(by: Taught, pairs: Pairs) -> tuple[Any, Any]:
    """(pairs, features) of both models, sparse."""
    from scipy.sparse import csr_matrix, hstack

    aspects = len(by.words.aspects)
    own = np.eye(aspects)[pairs.aspect]
    there = pairs.found[:, :1] > 0
    of_text = np.isin(np.arange(pairs.said.shape[1]), [-4 + pairs.said.shape[1] + k for k in range(4)])
    said = np.where(there | of_text, (pairs.said - by.middle) / by.spread, 0)
    said[:, -1] = ~there[:, 0]
    mention = np.hstack((pairs.found, own, own * pairs.found[:, :1], own * pairs.found[:, 2:3]))
    judged_ = np.hstack((said, own, own * said[:, :1]))
    of_aspect = counts(pairs.texts, (), BITS, pairs.aspect, SIZES)
    of_all = counts(pairs.texts, SIZES, BITS)
    wide = (len(pairs.texts), 1 << BITS)
    grams_mention = csr_matrix((tf_idf(of_aspect, by.inverse_mention), of_aspect.columns, of_aspect.starts), wide)
    grams_judged = csr_matrix((tf_idf(of_all, by.inverse_judged), of_all.columns, of_all.starts), wide)
    return (
        hstack((csr_matrix(mention), MENTION_NGRAMS * grams_mention)).tocsr(),
        hstack((csr_matrix(judged_), JUDGED_NGRAMS * grams_judged)).tocsr(),
    )


def _logistic(matrix: Any, label: IntArray, penalty: float) -> Logistic:
    """min |w|^2 / 2 - penalty sum log p(label), p the softmax of x w + b; offsets are not held small."""
    classes = np.unique(label)
    target = (label[:, None] == classes).astype(float)
    used = np.flatnonzero(np.asarray(abs(matrix).sum(0)).ravel())
    small = matrix[:, used]
    turned = small.T.tocsr()
    shape = (len(used) + 1, len(classes))

    def loss(point: FloatArray) -> tuple[float, FloatArray]:
        w = point.reshape(shape)
        z = small @ w[:-1] + w[-1]
        z = z - z.max(1, keepdims=True)
        log_sum = np.log(np.exp(z).sum(1, keepdims=True))
        off = np.exp(z - log_sum) - target
        slope = np.vstack((penalty * (turned @ off) + w[:-1], penalty * off.sum(0)))
        return float((w[:-1] ** 2).sum() / 2 - penalty * ((z - log_sum) * target).sum()), slope.ravel()

    best = lowest(loss, np.zeros(shape[0] * shape[1]), {"maxiter": STEPS})
    weights = np.zeros((matrix.shape[1] + 1, len(classes)))
    weights[used] = best.reshape(shape)[:-1]
    weights[-1] = best.reshape(shape)[-1]
    return Logistic(classes, weights)


def _chances(model: Logistic, matrix: Any) -> FloatArray:
    """(rows, classes)."""
    z = matrix @ model.weights[:-1] + model.weights[-1]
    z = np.exp(z - z.max(1, keepdims=True))
    return z / z.sum(1, keepdims=True)
