"""Words that a corpus uses, found without a dictionary, and those of them that keep company with an aspect's seeds.

A run of tokens is a word where its parts stand together more often than chance has it (pointwise mutual information of
its weakest split), and where many different tokens stand before it and after it (the smaller of both entropies): inside
a word neighbours are always the same ones (Church and Hanks 1990; Jin and Tanaka-Ishii 2006).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from datong.model.flow import BoolArray, FloatArray, IntArray
from datong.sense.voice.aspects import Aspect, Lexicon, mentions, of_aspects
from datong.sense.voice.ngrams import Tokens, grams, tokens

SIZES = (2, 3, 4)
LEAST_COUNT = 20
# In nats.
LEAST_COHESION, LEAST_FREEDOM, LEAST_COMPANY = 2.5, 1.3, 1.5
# Never cut, whatever the corpus says: days of sale in trade.
KEPT_WHOLE = ("双十一", "双十二", "六一八", "九块九")
ONLY_WORDS = re.compile(r"[^\W\d_]+(?: [^\W\d_]+)*")


@dataclass(frozen=True)
class Word:
    """count: times it stands. cohesion, freedom: in nats, as above."""

    text: str
    count: int
    cohesion: float
    freedom: float


@dataclass(frozen=True)
class Company:
    """A word that may speak of an aspect. clauses: clauses with the word. company: log of how many times as often it
    stands in clauses with the aspect's seeds as chance has it."""

    aspect: str
    word: str
    clauses: int
    company: float


def words_of(
    texts: Sequence[str], users: Sequence[str] = KEPT_WHOLE, least: int = LEAST_COUNT, sizes: Sequence[int] = SIZES
) -> tuple[Word, ...]:
    """Words of texts (clauses, cleaned), the most frequent first; of those that only ever stand within a longer one the
    longer. users: words that are never cut; no word is found that begins or ends inside one of them."""
    found = tokens(texts)
    counts_at = _counts_at(found, max(sizes))
    whole = _positions(found, users)
    result = []
    for size in sizes:
        _, at, _ = grams(found, size)
        count = counts_at[size][at]
        free = ~_cuts(at, at + size, whole)
        at, count = at[(count >= least) & free], count[(count >= least) & free]
        if not len(at):
            continue
        cohesion = np.min([_together(counts_at, at, k, size, len(found)) for k in range(1, size)], 0)
        at, count = at[cohesion >= LEAST_COHESION], count[cohesion >= LEAST_COHESION]
        cohesion = cohesion[cohesion >= LEAST_COHESION]
        ids, first, of = np.unique(_ids(found, at, size), return_index=True, return_inverse=True)
        before, after = _freedom(found, at - 1, at, of, len(ids)), _freedom(found, at + size, at, of, len(ids))
        freedom = np.minimum(before, after)
        for k in np.flatnonzero(freedom >= LEAST_FREEDOM):
            text = _text(texts, found, int(at[first[k]]), size)
            if ONLY_WORDS.fullmatch(text):
                result.append(Word(text, int(count[first[k]]), float(cohesion[first[k]]), float(freedom[k])))
    kept = {word.text for word in result}
    result += [Word(u, c, np.inf, np.inf) for u, c in _users(found, users).items() if c >= least and u not in kept]
    return tuple(sorted(result, key=lambda word: (-word.count, word.text)))


def widened(texts: Sequence[str], words: Lexicon, users: Sequence[str] = KEPT_WHOLE) -> tuple[Company, ...]:
    """Words that keep company with the seeds of an aspect, for somebody to take or leave: those found in clauses with
    its seeds `LEAST_COMPANY` more often, in logs, than chance has it, the closest first, each under its closest aspect.

    texts: clauses, cleaned. A word that overlaps a seed is none."""
    found = tokens(texts)
    candidates = [word for word in words_of(texts, users) if not np.isinf(word.cohesion)]
    asked = of_aspects([Aspect(str(i), {}, (word.text,)) for i, word in enumerate(candidates)])
    hits, seeds = mentions(found, asked), mentions(found, words)
    clear = ~_overlap(hits.first, hits.last, seeds.first, seeds.last, len(found))
    with_word = _incidence(hits.text_of[clear], hits.aspect_of[clear], len(texts), len(candidates))
    with_seed = _incidence(seeds.text_of, seeds.aspect_of, len(texts), len(words.aspects))
    both = np.asarray((with_word.T @ with_seed).todense(), float)
    many_words = np.asarray(with_word.sum(0)).ravel()
    many_seeds = np.asarray(with_seed.sum(0)).ravel()
    expected = many_words[:, None] * many_seeds / max(len(texts), 1)
    company = np.where(both >= LEAST_COUNT / 2, np.log((both + 0.5) / (expected + 0.5)), -np.inf)
    if not company.size:
        return ()
    best = company.argmax(1)
    chosen = np.flatnonzero(company[np.arange(len(best)), best] >= LEAST_COMPANY)
    result = [
        Company(words.paths[best[i]], candidates[i].text, int(many_words[i]), float(company[i, best[i]]))
        for i in chosen
    ]
    return tuple(sorted(result, key=lambda one: (-one.company, one.word)))


def _counts_at(found: Tokens, most: int) -> dict[int, IntArray]:
    """By size: (tokens) how often the n-gram that begins at each token stands, 0 where none begins."""
    result, running = {}, None
    for size in range(1, most + 1):
        here, at, running = grams(found, size, running)
        _, of, many = np.unique(here, return_inverse=True, return_counts=True)
        result[size] = np.zeros(len(found) + 1, np.int64)
        result[size][at] = many[of]
    return result


def _ids(found: Tokens, at: IntArray, size: int) -> np.ndarray:
    here, begin, _ = grams(found, size)
    return here[np.searchsorted(begin, at)]


def _together(counts_at: dict[int, IntArray], at: IntArray, left: int, size: int, total: int) -> FloatArray:
    """(n) log p(word) / (p(left part) p(right part)), the left part of `left` tokens."""
    parts = counts_at[left][at] * counts_at[size - left][at + left]
    return np.log(counts_at[size][at] * float(total) / parts)


def _freedom(found: Tokens, beside: IntArray, at: IntArray, of: IntArray, many: int) -> FloatArray:
    """(words) entropy of the tokens that stand at `beside`; the end of a clause counts as another one each time."""
    inside = (beside >= 0) & (beside < len(found))
    inside &= found.text_of[np.clip(beside, 0, len(found) - 1)] == found.text_of[at]
    pairs = np.stack((of[inside].astype(np.uint64), found.hashes[beside[inside]]), 1)
    unique, times = np.unique(pairs, axis=0, return_counts=True)
    total = np.bincount(of, minlength=many)
    spent = np.bincount(unique[:, 0].astype(np.int64), times * np.log(times), many)
    return np.log(np.maximum(total, 1)) - spent / np.maximum(total, 1)


def _positions(found: Tokens, users: Sequence[str]) -> tuple[IntArray, IntArray]:
    """First token and the one after the last of each place of users' words."""
    if not users:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    hits = mentions(found, of_aspects([Aspect("user", {}, tuple(users))]))
    return hits.first, hits.last


def _users(found: Tokens, users: Sequence[str]) -> dict[str, int]:
    hits = mentions(found, of_aspects([Aspect(user, {}, (user,)) for user in users]))
    return {user: int((hits.aspect_of == i).sum()) for i, user in enumerate(users)}


def _cuts(first: IntArray, last: IntArray, whole: tuple[IntArray, IntArray]) -> BoolArray:
    """(n) whether a run begins or ends inside a word that is kept whole."""
    change = np.zeros(int(max(last.max(initial=0), whole[1].max(initial=0))) + 2, np.int64)
    np.add.at(change, whole[0] + 1, 1)
    np.add.at(change, whole[1], -1)
    inside = np.cumsum(change) > 0
    return inside[first] | inside[last]


def _overlap(first: IntArray, last: IntArray, begins: IntArray, ends: IntArray, total: int) -> BoolArray:
    """(n) whether each run of tokens shares one with any of the others."""
    change = np.zeros(total + 1, np.int64)
    np.add.at(change, begins, 1)
    np.add.at(change, ends, -1)
    covered = np.append(0, np.cumsum(np.cumsum(change)[:total] > 0))
    return covered[last] > covered[first]


def _incidence(rows: IntArray, columns: IntArray, many: int, wide: int) -> Any:
    """(many, wide) 1 where a text has a word."""
    from scipy.sparse import csr_matrix

    pairs = np.unique(rows * max(wide, 1) + columns)
    at = (np.ones(len(pairs)), (pairs // max(wide, 1), pairs % max(wide, 1)))
    return csr_matrix(at, shape=(many, wide))


def _text(texts: Sequence[str], found: Tokens, at: int, size: int) -> str:
    text = texts[found.text_of[at]]
    return text[found.first[at] : found.last[at + size - 1]].lower()
