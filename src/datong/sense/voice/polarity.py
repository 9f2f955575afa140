"""Is a text good or bad? Two linear models of n-grams that err differently, summed, with a probability that holds.

The first is a support vector machine on weighted counts, the second one on log ratios (Wang and Manning 2012). Where
rows of training say of which group they are (the category of a product), each n-gram also counts as one of the group:
"light" praises a laptop and not a shampoo. The group of a new text is guessed from its words where nobody says it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from datong.model.flow import BoolArray, FloatArray, IntArray
from datong.sense.voice.linear import Linear, Weights, applied, fitted, in_ratios, inverse_frequency, log_ratios, tf_idf
from datong.sense.voice.ngrams import Counts, counts

SIZES, GROUP_SIZES = (1, 2, 3), (1, 2, 3)
GUESS_SIZES, GUESS_SMOOTHING = (1, 2, 3), 0.1


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
    steps: int = 30
    # This share of the texts is held out to learn what a score means.
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
class Polarity:
    """A fitted model. inverse, ratios: (2**bits) weights of counts. sizes: mean absolute score of both models on texts
    held out, by which their scores are divided. slope, offset: probability = 1 / (1 + exp(-(slope x score + offset)))
    (Platt 1999)."""

    settings: Settings
    inverse: Weights
    ratios: Weights
    first: Linear
    second: Linear
    groups: Groups | None = None
    sizes: tuple[float, float] = (1.0, 1.0)
    slope: float = 1.0
    offset: float = 0.0


def guessed(model: Groups, texts: Sequence[str]) -> IntArray:
    """(texts) the group whose words a text has (multinomial naive Bayes of which n-grams stand in it)."""
    if not texts:
        return np.zeros(0, np.int64)
    found = counts(texts, GUESS_SIZES, model.bits)
    rows = found.rows()
    scores = [np.bincount(rows, logs[found.columns], len(found)) for logs in model.logs]
    return (np.stack(scores, 1) + model.priors).argmax(1)


def groups_learnt(texts: Sequence[str], groups: Sequence[str], bits: int) -> Groups:
    """texts: (n). groups: (n) the group of each, '' where unknown."""
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
    weight: FloatArray | None = None,
    settings: Settings | None = None,
) -> Polarity:
    """A model learnt from texts and whether each is positive.

    texts: (n) cleaned. groups: (n) group of each, '' where unknown; None for a model without. weight: (n) how much each
    counts. A part of the texts is held out to learn what a score means; the model is then learnt from all."""
    settings = settings or Settings()
    chosen = np.random.default_rng(seed).permutation(len(texts))
    held = np.zeros(len(texts), bool)
    held[chosen[: int(settings.held_out_share * len(texts))]] = True
    known = None if groups is None else groups_learnt(texts, groups, settings.bits - 3)
    found = counted(texts, settings, known, groups)
    part = _fitted(_rows(found, ~held), positive[~held], settings, None if weight is None else weight[~held])
    both = _scores(part, _rows(found, held))
    sizes = (_size(both[0]), _size(both[1]))
    whole = _fitted(found, positive, settings, weight)
    score = both[0] / sizes[0] + both[1] / sizes[1]
    slope, offset = _probability(score, positive[held], None if weight is None else weight[held])
    return Polarity(settings, whole.inverse, whole.ratios, whole.first, whole.second, known, sizes, slope, offset)


def counted(
    texts: Sequence[str], settings: Settings, known: Groups | None, groups: Sequence[str] | None = None
) -> Counts:
    """Counts of texts, with those of their group: the one given, the guessed one where it is '' or not known."""
    if known is None:
        return counts(texts, SIZES, settings.bits)
    place = {name: at for at, name in enumerate(known.names)}
    of_text = np.array([place.get(g, -1) for g in groups or [""] * len(texts)], np.int64)
    open_ = np.flatnonzero(of_text < 0)
    of_text[open_] = guessed(known, [texts[i] for i in open_])
    return counts(texts, SIZES, settings.bits, of_text, GROUP_SIZES)


def scores(model: Polarity, texts: Sequence[str], groups: Sequence[str] | None = None) -> FloatArray:
    """(texts) the sum of both models; above 0 is positive."""
    first, second = _scores(model, counted(texts, model.settings, model.groups, groups))
    return first / model.sizes[0] + second / model.sizes[1]


def probabilities(model: Polarity, texts: Sequence[str], groups: Sequence[str] | None = None) -> FloatArray:
    """(texts) the chance that each is positive."""
    return 1 / (1 + np.exp(-np.clip(model.slope * scores(model, texts, groups) + model.offset, -50, 50)))


def _fitted(found: Counts, positive: BoolArray, settings: Settings, weight: FloatArray | None) -> Polarity:
    inverse = inverse_frequency(found)
    known = inverse > 0
    first = fitted(found, tf_idf(found, inverse), positive, settings.penalty, settings.steps, weight)
    ratios = log_ratios(found, positive, known)
    ratio_values = in_ratios(found, ratios, known)
    second = fitted(found, ratio_values, positive, settings.ratio_penalty, settings.steps, weight)
    return Polarity(settings, inverse, ratios, first, second)


def _scores(model: Polarity, found: Counts) -> tuple[FloatArray, FloatArray]:
    first = applied(found, tf_idf(found, model.inverse), model.first)
    second = applied(found, in_ratios(found, model.ratios, model.inverse > 0), model.second)
    return first, second


def _rows(found: Counts, chosen: BoolArray) -> Counts:
    """The counts of the chosen texts alone."""
    kept = chosen[found.rows()]
    starts = np.concatenate(([0], np.cumsum(np.diff(found.starts)[chosen])))
    return Counts(starts, found.columns[kept], found.values[kept], found.bits)


def _size(score: FloatArray) -> float:
    """The mean size of scores, to divide by."""
    return float(np.abs(score).mean()) if score.any() else 1.0


def _probability(score: FloatArray, positive: BoolArray, weight: FloatArray | None) -> tuple[float, float]:
    """slope, offset of the logistic curve that fits best, with Platt's targets, which leave room for doubt."""
    from scipy.optimize import minimize

    if len(score) == 0 or positive.all() or not positive.any():
        return 1.0, 0.0
    many, few = positive.sum(), (~positive).sum()
    target = np.where(positive, (many + 1) / (many + 2), 1 / (few + 2))
    weight = np.ones(len(score)) if weight is None else weight

    def loss(at: FloatArray) -> float:
        z = at[0] * score + at[1]
        return float((weight * (np.logaddexp(0, z) - target * z)).sum())

    slope, offset = minimize(loss, np.array([1.0, 0.0]), method="BFGS").x
    return float(slope), float(offset)
