"""Reviews -> what they say, clause by clause: the whole way of voice, for many reviews at once."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from datong.ledger.masking import masked
from datong.model.flow import BoolArray, FloatArray, IntArray
from datong.sense.voice.aspects import Lexicon, general, mentions
from datong.sense.voice.clauses import clauses
from datong.sense.voice.language import language, languages_of
from datong.sense.voice.ngrams import Tokens, grams, of_groups, tokens
from datong.sense.voice.polarity_model import SIZES, WEIGHT_ALONG, Polarity, chance, decided, guessed, scores
from datong.sense.voice.text import clean
from datong.sense.voice.tones import Tones, tone_words, toned

# A clause in which no side has such a chance says nothing for sure.
LEAST_SURE = 0.8
# Nor does one of whose words the model knows a smaller share: of another language, say.
LEAST_KNOWN = 0.5


@dataclass(frozen=True, eq=False)
class Clauses:
    """The clauses of n reviews, one after the other. review: (clauses) the review of each. texts: (clauses), masked.
    first, last: (clauses) the letters of the masked review that it takes: first included, last not. turns: (clauses)
    whether a word that turns (but, 但是) opens it."""

    reviews: tuple[str, ...]
    review: IntArray
    texts: tuple[str, ...]
    first: IntArray
    last: IntArray
    turns: BoolArray
    tokens: Tokens


@dataclass(frozen=True, eq=False)
class Heard:
    """What reviews say. languages: (reviews). aspects: (clauses, aspects) how many words speak of each. chances:
    (clauses) the chance that each is positive. verdicts: (clauses) 1 good, -1 bad, 0 where the model abstains.
    intensity: (clauses) verdict's degree: 1 plain, more where words strengthen it, less where they weaken it. words:
    (clauses) the words that weigh most for the side it takes."""

    clauses: Clauses
    languages: tuple[str, ...]
    aspects: IntArray
    tones: Tones
    chances: FloatArray
    verdicts: IntArray
    intensity: FloatArray
    words: tuple[str, ...]


def read(
    texts: Sequence[str],
    model: Polarity,
    words: Lexicon | None = None,
    groups: Sequence[str] | None = None,
    least: float = LEAST_SURE,
) -> Heard:
    """What reviews say. texts: (reviews) as they came; they are cleaned and masked first. words: the aspects, the
    general ones if None. groups: (reviews) the category of each product, guessed if None. least: the chance from which
    on a clause is good or bad."""
    words = words or general()
    parts = split(texts)
    many = len(parts.texts)
    aspects = spoken_of(parts.tokens, many, words)
    of_review = list(groups) if groups is not None else _groups(model, parts.reviews)
    of_clause = [of_review[i] for i in parts.review]
    score = _scores(model, parts, of_clause)
    chances = chance(model, score)
    tones = toned(parts.tokens, many, tone_words())
    return Heard(
        parts,
        tuple(language(review) for review in parts.reviews),
        aspects,
        tones,
        chances,
        _verdicts(parts, model, chances, least),
        tones.degree,
        telling(parts, model, of_clause, np.where(score > 0, 1, -1)),
    )


def verdicts(parts: Clauses, model: Polarity, least: float = LEAST_SURE) -> IntArray:
    """(clauses) 1 good, -1 bad, 0 where the model abstains: what `read` says, without the rest of it."""
    of_review = _groups(model, parts.reviews)
    score = _scores(model, parts, [of_review[i] for i in parts.review])
    return _verdicts(parts, model, chance(model, score), least)


def _scores(model: Polarity, parts: Clauses, groups: Sequence[str]) -> FloatArray:
    return scores(model, parts.texts, groups) if parts.texts else np.zeros(0)


def _verdicts(parts: Clauses, model: Polarity, chances: FloatArray, least: float) -> IntArray:
    return np.where(_known(parts, model) >= LEAST_KNOWN, decided(chances, least), 0)


def spoken_of(found: Tokens, many: int, words: Lexicon) -> IntArray:
    """(clauses, aspects) how many words of each of `many` clauses speak of each aspect."""
    hits = mentions(found, words)
    aspects = np.zeros((many, len(words.aspects)), np.int64)
    np.add.at(aspects, (hits.text_of, hits.aspect_of), 1)
    return aspects


def as_read(texts: Sequence[str]) -> tuple[str, ...]:
    """Reviews cleaned and masked."""
    return tuple(masked(clean(text)) for text in texts)


def split(texts: Sequence[str]) -> Clauses:
    """Reviews cleaned, masked and split into clauses; of a clause that stands often in a row of reviews each counts."""
    reviews = as_read(texts)
    parts = [clauses(review) for review in reviews]
    every = [clause for part in parts for clause in part]
    found = tuple(clause.text for clause in every)
    return Clauses(
        reviews,
        np.repeat(np.arange(len(reviews)), [len(part) for part in parts]),
        found,
        np.array([clause.first for clause in every], np.int64),
        np.array([clause.last for clause in every], np.int64),
        np.array([clause.turns for clause in every], bool),
        tokens(found),
    )


def _groups(model: Polarity, reviews: Sequence[str]) -> list[str]:
    if model.groups is None or not reviews:
        return [""] * len(reviews)
    return [model.groups.names[i] for i in guessed(model.groups, reviews)]


def telling(parts: Clauses, model: Polarity, groups: Sequence[str], side: IntArray) -> tuple[str, ...]:
    """(clauses) the n-gram of each clause that weighs most for its side, '' where none does; of one Chinese character
    only where the clause has no more. side: (clauses) 1 or -1."""
    place = {} if model.groups is None else {name: at for at, name in enumerate(model.groups.names)}
    group = np.array([place.get(name, -1) for name in groups], np.int64)
    best = np.zeros(len(parts.texts))
    begin, end = np.zeros(len(best), np.int64), np.zeros(len(best), np.int64)
    running = None
    beside, size = ({}, 1.0) if model.others is None else (model.others.models, model.others.size)
    reads = np.array(languages_of(parts.texts) if beside else [])
    lengths = parts.tokens.last - parts.tokens.first
    alone = np.bincount(parts.tokens.text_of, minlength=len(best)) == 1
    for size in SIZES:
        here, at, running = grams(parts.tokens, size, running)
        if size == 1:
            tells = (lengths > 1) | alone[parts.tokens.text_of]
            here, at = here[tells[at]], at[tells[at]]
        clause = parts.tokens.text_of[at]
        weight = _weights(model, here)
        if place:
            weight = weight + np.where(group[clause] >= 0, _weights(model, of_groups(here, group[clause])), 0)
        for name, other in beside.items():
            mine = reads[clause] == name
            weight[mine] += WEIGHT_ALONG * _weights(other, here[mine]) / size
        weight = weight * side[clause]
        order = np.lexsort((np.arange(len(at)), -weight, clause))
        first = order[np.flatnonzero(np.append(True, clause[order][1:] != clause[order][:-1]))] if len(order) else order
        better = first[weight[first] > best[clause[first]]]
        best[clause[better]] = weight[better]
        begin[clause[better]] = parts.tokens.first[at[better]]
        end[clause[better]] = parts.tokens.last[at[better] + size - 1]
    return tuple(text[b:e] for text, b, e in zip(parts.texts, begin.tolist(), end.tolist(), strict=True))


def _known(parts: Clauses, model: Polarity) -> FloatArray:
    """(clauses) share of its tokens that the model has met."""
    here, at, _ = grams(parts.tokens, 1)
    known = model.inverse[_columns(model, here)] > 0
    of = parts.tokens.text_of[at]
    many = len(parts.texts)
    return np.bincount(of, known, many) / np.maximum(np.bincount(of, minlength=many), 1)


def _columns(model: Polarity, hashes: np.ndarray) -> IntArray:
    return (hashes >> np.uint64(64 - model.settings.bits)).astype(np.int64)


def _weights(model: Polarity, hashes: np.ndarray) -> FloatArray:
    """(n) what an n-gram adds to the score of a text, up to the text's length."""
    columns = _columns(model, hashes)
    inverse = model.inverse[columns]
    first = inverse * model.first.weights[columns] / model.usual / model.sizes[0]
    second = np.where(inverse > 0, model.ratios[columns] * model.second.weights[columns], 0) / model.sizes[1]
    return np.asarray(first + second, np.float64)
