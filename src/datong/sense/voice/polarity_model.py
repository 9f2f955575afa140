"""Is a text good or bad? Two linear models of n-grams that err differently, summed, with a probability that holds.

The first is a support vector machine on weighted counts, the second one on log ratios (Wang and Manning 2012). Where
rows of training say of which group they are (the category of a product), each n-gram also counts as one of the group:
"light" praises a laptop and not a shampoo. The group of a new text is guessed from its words where nobody says it.
Where few texts are there to learn from, models that were learnt from others may judge along (`others`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from datong.model.flow import BoolArray, FloatArray, IntArray
from datong.sense.voice.language import languages_of
from datong.sense.voice.linear import Linear, Weights, applied, fitted, in_ratios, inverse_frequency, log_ratios, tf_idf
from datong.sense.voice.ngrams import Counts, counts

SIZES, GROUP_SIZES = (1, 2, 3), (1, 2, 3)
GUESS_SIZES, GUESS_SMOOTHING = (1, 2, 3), 0.1
# Guessing groups keeps a weight for each, so it hashes to fewer.
GUESS_FEWER_BITS = 4
NEW = "new"
# Classes of scores by which their meaning is learnt; of fewer texts a curve, which reaches as far.
MOST_CLASSES, LEAST_CLASSES, LEAST_IN_CLASS, FAR = 25, 10, 60, 10.0
# What a model of other texts weighs beside each of both own ones.
WEIGHT_ALONG = 0.3
# Of the texts of a new kind these shares are trusted in turn; those of the known kinds then count as this much.
SHARES_TRUSTED, WEIGHT_OF_OTHERS = (0.6, 0.8), 0.3


@dataclass(frozen=True)
class Settings:
    """How a model is fitted."""

    # Bits of the hash: 2**bits weights.
    bits: int = 23
    # What an error costs over the size of the weights, in the first model.
    penalty: float = 0.5
    # The same in the second.
    ratio_penalty: float = 1.0
    # At most as many steps of L-BFGS.
    steps: int = 50
    # This share of the texts is held out to learn what a score means; with none a chance says the side alone.
    held_out_share: float = 0.2


@dataclass(frozen=True, eq=False)
class Groups:
    """names: the groups. logs: (groups, 2**bits) log share of texts with each n-gram. priors: (groups) log share."""

    names: tuple[str, ...]
    logs: FloatArray
    priors: FloatArray
    # Bits of the hash.
    bits: int


@dataclass(frozen=True, eq=False)
class Others:
    """Models of other texts that judge along. models: by language (`languages_of`). size: mean absolute score on the
    texts held out, by which theirs is divided."""

    models: Mapping[str, "Polarity"]
    size: float


@dataclass(frozen=True, eq=False)
class Polarity:
    """A fitted model. inverse, ratios: (2**bits) weights of counts. sizes: mean absolute score of both models on texts
    held out, by which their scores are divided. knots: scores, ascending, and the log odds of being positive at each;
    between them the log odds lie on a line, beyond them they stay."""

    settings: Settings
    inverse: Weights
    ratios: Weights
    first: Linear
    second: Linear
    # Mean of `inverse` over the buckets that are known.
    usual: float = 1.0
    groups: Groups | None = None
    others: Others | None = None
    sizes: tuple[float, float] = (1.0, 1.0)
    knots: tuple[tuple[float, ...], tuple[float, ...]] = ((-1.0, 1.0), (-1.0, 1.0))


def guessed(model: Groups, texts: Sequence[str]) -> IntArray:
    """(texts) the group whose words a text has (multinomial naive Bayes of which n-grams stand in it)."""
    if not texts:
        return np.zeros(0, np.int64)
    found = counts(texts, GUESS_SIZES, model.bits)
    rows = found.rows()
    scores = [np.bincount(rows, logs[found.columns], len(found)) for logs in model.logs]
    return (np.stack(scores, 1) + model.priors).argmax(1)


def groups_learnt(texts: Sequence[str], groups: Sequence[str], bits: int) -> Groups:
    """texts: (n). groups: (n) the group of each, '' where it is of none."""
    names = tuple(sorted(set(groups) - {""}))
    known = np.array([names.index(g) if g else -1 for g in groups])
    found = counts(texts, GUESS_SIZES, bits)
    of_entry = known[found.rows()]
    seen = np.stack([np.bincount(found.columns[of_entry == g], minlength=1 << bits) for g in range(len(names))])
    shares = seen + GUESS_SMOOTHING
    logs = np.log(shares / shares.sum(1, keepdims=True)).astype(np.float32)
    many = np.bincount(known[known >= 0], minlength=len(names))
    return Groups(names, logs, np.log(many / many.sum()), bits)


def learnt(
    texts: Sequence[str],
    positive: BoolArray,
    seed: int,
    groups: Sequence[str] | None = None,
    settings: Settings | None = None,
    meant: str | None = None,
    others: Mapping[str, Polarity] | None = None,
) -> Polarity:
    """A model learnt from texts and whether each is positive.

    texts: (n) cleaned. groups: (n) group of each, '' where it is of none; None for a model without. A part of the texts
    is held out to learn what a score means; the model is then learnt from all. meant: the group of which it is to hold,
    None for all; a chance of 1/2 parts good from bad better than a score of 0 where one side is rare. others: models
    of other texts that judge along, by language."""
    settings = settings or Settings()
    known = None if groups is None else groups_learnt(texts, groups, settings.bits - GUESS_FEWER_BITS)
    found = counted(texts, settings, known, groups)
    order = np.random.default_rng(seed).permutation(len(texts))
    held = np.zeros(len(texts), bool)
    held[order[: int(settings.held_out_share * len(texts))]] = True
    part = _fitted(_rows(found, ~held), positive[~held], settings)
    beside = None if others is None else Others(others, _size(_of_others(others, _at(texts, held | ~held.any()))))
    if not held.any():
        return replace(part, groups=known, others=beside, sizes=_sizes(part, found))
    sizes = _sizes(part, _rows(found, held))
    asked = held if meant is None else held & np.array([group == meant for group in groups or ()], bool)
    first, second = _scores(part, _rows(found, asked))
    score = first / sizes[0] + second / sizes[1] + _along(beside, _at(texts, asked))
    knots = knots_of(score, positive[asked])
    whole = _fitted(found, positive, settings, start=part)
    return replace(whole, groups=known, others=beside, sizes=sizes, knots=knots)


def adapted(
    texts: Sequence[str],
    positive: BoolArray,
    unlabelled: Sequence[str],
    seed: int,
    settings: Settings | None = None,
    shares: Sequence[float] = SHARES_TRUSTED,
) -> Polarity:
    """A model for texts of another kind than those that somebody judged: a new category, of which only texts are known.

    It judges them, trusts the judgements of which it is surest, `shares` of each side in turn, and learns from them
    too (self-training; Scudder 1965), each n-gram also as one of the new kind. positive: (n) of `texts`. What a score
    means is learnt from `texts` alone, so that on the new kind a probability is an extrapolation."""
    settings = settings or Settings()
    model = learnt(texts, positive, seed, settings=settings)
    first = score = scores(model, unlabelled)
    everything = [*texts, *unlabelled]
    groups = [""] * len(texts) + [NEW] * len(unlabelled)
    known = groups_learnt(everything, groups, settings.bits - GUESS_FEWER_BITS)
    found = counted(everything, settings, known, groups)
    start: Polarity | None = None
    for share in shares:
        trusted = _surest(score, share)
        rows = np.concatenate((np.ones(len(texts), bool), trusted))
        weight = np.where(np.arange(len(everything)) < len(texts), WEIGHT_OF_OTHERS, 1.0)[rows]
        labels = np.concatenate((positive, score > 0))[rows]
        start = _fitted(_rows(found, rows), labels, settings, weight, start)
        new = _rows(found, np.arange(len(everything)) >= len(texts))
        sizes = _sizes(start, new)
        one, two = _scores(start, new)
        score = one / sizes[0] + two / sizes[1] + first
        start = replace(start, groups=known, sizes=sizes, knots=model.knots)
    return start or model


def _surest(score: FloatArray, share: float) -> BoolArray:
    """(n) the texts with the largest scores, `share` of those on each side of 0."""
    trusted = np.zeros(len(score), bool)
    for side in (score > 0, score <= 0):
        at = np.flatnonzero(side)
        trusted[at[np.argsort(-np.abs(score[at]), kind="stable")[: int(share * len(at))]]] = True
    return trusted


def counted(
    texts: Sequence[str], settings: Settings, known: Groups | None, groups: Sequence[str] | None = None
) -> Counts:
    """Counts of texts, with those of their group: `groups` ('' where of none, or of one that is not known), or the
    guessed ones if None."""
    if known is None:
        return counts(texts, SIZES, settings.bits)
    if groups is None:
        return counts(texts, SIZES, settings.bits, guessed(known, texts), GROUP_SIZES)
    place = {name: at for at, name in enumerate(known.names)}
    of_text = np.array([place.get(g, -1) for g in groups], np.int64)
    return counts(texts, SIZES, settings.bits, of_text, GROUP_SIZES)


def scores(model: Polarity, texts: Sequence[str], groups: Sequence[str] | None = None) -> FloatArray:
    """(texts) the sum of both models, and of those that judge along; the higher the more positive. What it means,
    `chance` says."""
    first, second = _scores(model, counted(texts, model.settings, model.groups, groups))
    return first / model.sizes[0] + second / model.sizes[1] + _along(model.others, texts)


def _along(others: Others | None, texts: Sequence[str]) -> FloatArray:
    """(texts) what models of other texts add to the score."""
    if others is None:
        return np.zeros(len(texts))
    return WEIGHT_ALONG * _of_others(others.models, texts) / others.size


def _of_others(models: Mapping[str, Polarity], texts: Sequence[str]) -> FloatArray:
    """(texts) the score by the model of its language; 0 where there is none."""
    reads, found = np.array(languages_of(texts)), np.zeros(len(texts))
    for name, model in models.items():
        mine = reads == name
        if mine.any():
            found[mine] = scores(model, _at(texts, mine))
    return found


def _at(texts: Sequence[str], chosen: BoolArray) -> list[str]:
    return [texts[i] for i in np.flatnonzero(chosen)]


def probabilities(model: Polarity, texts: Sequence[str], groups: Sequence[str] | None = None) -> FloatArray:
    """(texts) the chance that each is positive."""
    return chance(model, scores(model, texts, groups))


def chance(model: Polarity, score: FloatArray) -> FloatArray:
    """(n) the chance that a text of such a score is positive."""
    return 1 / (1 + np.exp(-np.interp(score, *model.knots)))


def decided(probability: FloatArray, least: float) -> IntArray:
    """(n) 1 positive, -1 negative, 0 where neither has a chance of `least`: the model abstains."""
    return np.where(probability >= least, 1, np.where(1 - probability >= least, -1, 0))


def _fitted(
    found: Counts,
    positive: BoolArray,
    settings: Settings,
    weight: FloatArray | None = None,
    start: Polarity | None = None,
) -> Polarity:
    inverse = inverse_frequency(found)
    values = tf_idf(found, inverse)
    begin = None if start is None else start.first
    first = fitted(found, values, positive, settings.penalty, settings.steps, weight, begin)
    ratios = log_ratios(found, positive, inverse > 0)
    values = in_ratios(found, ratios, inverse)
    begin = None if start is None else start.second
    second = fitted(found, values, positive, settings.ratio_penalty, settings.steps, weight, begin)
    usual = float(inverse[inverse > 0].mean()) if inverse.any() else 1.0
    return Polarity(settings, inverse, ratios, first, second, usual)


def _scores(model: Polarity, found: Counts) -> tuple[FloatArray, FloatArray]:
    first = applied(found, tf_idf(found, model.inverse), model.first)
    second = applied(found, in_ratios(found, model.ratios, model.inverse), model.second)
    return first, second


def _rows(found: Counts, chosen: BoolArray) -> Counts:
    """The counts of the chosen texts alone."""
    kept = chosen[found.rows()]
    starts = np.concatenate(([0], np.cumsum(np.diff(found.starts)[chosen])))
    return Counts(starts, found.columns[kept], found.values[kept], found.bits)


def _sizes(model: Polarity, found: Counts) -> tuple[float, float]:
    """Mean absolute score of each of both models."""
    first, second = _scores(model, found)
    return _size(first), _size(second)


def _size(score: FloatArray) -> float:
    """The mean size of scores, to divide by."""
    return float(np.abs(score).mean()) if score.any() else 1.0


def knots_of(score: FloatArray, positive: BoolArray) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """What a score means, from texts held out: the share of positives in classes of equal size, in the order of their
    scores (isotonic regression; Zadrozny and Elkan 2002). Of few texts one logistic curve (Platt 1999)."""
    from scipy.optimize import isotonic_regression

    classes = min(MOST_CLASSES, len(score) // LEAST_IN_CLASS)
    if classes < LEAST_CLASSES:
        slope, offset = _curve(score, positive)
        ends = (-FAR, FAR)
        return ends, (offset - FAR * slope, offset + FAR * slope)
    parts = np.array_split(np.argsort(score, kind="stable"), classes)
    at = np.array([score[part].mean() for part in parts])
    share = np.array([(positive[part].sum() + 1) / (len(part) + 2) for part in parts])
    share = isotonic_regression(share).x
    return tuple(at.tolist()), tuple(np.log(share / (1 - share)).tolist())


def _curve(score: FloatArray, positive: BoolArray) -> tuple[float, float]:
    """slope, offset of the logistic curve that fits best, with Platt's targets, which leave room for doubt."""
    from scipy.optimize import minimize

    if positive.all() or not positive.any():
        return 1.0, 0.0
    many, few = positive.sum(), (~positive).sum()
    target = np.where(positive, (many + 1) / (many + 2), 1 / (few + 2))

    def loss(at: FloatArray) -> float:
        z = at[0] * score + at[1]
        return float((np.logaddexp(0, z) - target * z).sum())

    slope, offset = minimize(loss, np.array([1.0, 0.0]), method="BFGS").x
    return max(float(slope), 0.0), float(offset)
