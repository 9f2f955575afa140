"""Reviews that repeat one another, so that a text that was sent a thousand times counts once.

Near-duplicates share most of their shingles, runs of three tokens (Broder 1997). Each text keeps the smallest hashes of
its shingles under several orders; texts that agree on a whole band of these are candidates, and are held to the share
of all on which they agree, which estimates the share of shingles in common. Short texts ("很好") are the same by
chance and repeat nobody.

A text that is written into a frame ("The ... is so ..., I shall buy ... again") breaks its runs at every place that is
filled anew. Pairs of tokens that lie near one another, whatever stands between them, stay as long as the frame does
(skip-grams; Guthrie et al. 2006): texts that share enough of these are of one frame.
"""

from collections.abc import Sequence

import numpy as np

from datong.model.flow import BoolArray, FloatArray, IntArray
from datong.sense.voice.ngrams import MULTIPLIER, Tokens, grams, letter_runs, mixed, tokens

SHINGLE, LEAST_SHINGLES = 3, 8
# Of frames: how far apart the two of a pair lie at most, and hashes of a band.
APART, IN_FRAME_BAND = 3, 2
# Fewest pairs, and least share of them in common, of a text whose tokens are words, and of one whose tokens are single
# signs, as those of Chinese are; from so many letters a token on they are words.
LEAST_OF_WORDS, LEAST_OF_SIGNS, LETTERS_OF_WORDS = 24, 50, 2.5
ALIKE_OF_WORDS, ALIKE_OF_SIGNS = 0.22, 0.26
# Of texts whose words are spelt anew: letters of a run, one of how many runs is looked at, the fewest of them, hashes
# of a band, and the least share in common.
LETTERS, ONE_OF, LEAST_RUNS, IN_SPELT_BAND, ALIKE_SPELT = 5, 4, 8, 2, 0.4
BANDS, IN_BAND = 16, 3
LEAST_ALIKE = 0.5


def copies(texts: Sequence[str], least_alike: float = LEAST_ALIKE, of: IntArray | None = None) -> IntArray:
    """(texts) the number of the first text that each repeats, its own where it repeats none.

    texts: cleaned. least_alike: share of shingles in common, estimated by 48 hashes (standard error 0.07 at 0.5). of:
    (texts) a number: those of another number are not held against one another. Time and memory grow with the length of
    all texts, however many repeat one another."""
    hashes, text = _runs(texts)
    if of is not None:
        hashes = mixed(hashes + mixed(of.astype(np.uint64))[text])
    return _first_like(*_signatures((hashes, text), len(texts), LEAST_SHINGLES), IN_BAND, least_alike)


def frames(texts: Sequence[str]) -> IntArray:
    """(texts) the number of the first text of the same frame, its own where there is none before it; as `copies`."""
    signature, enough = _signatures(_pairs(texts), len(texts), LEAST_OF_WORDS)
    found = tokens(texts)
    pairs = APART * np.bincount(found.text_of, minlength=len(texts)) - APART * (APART + 1) // 2
    words = of_words(found, len(texts))
    enough = enough[words[enough] | (pairs[enough] >= LEAST_OF_SIGNS)]
    return _first_like(signature, enough, IN_FRAME_BAND, np.where(words[enough], ALIKE_OF_WORDS, ALIKE_OF_SIGNS))


def spelt_anew(texts: Sequence[str]) -> IntArray:
    """(texts) as `copies`, by runs of letters: one letter that is changed breaks a word, and few runs. Texts whose
    tokens are signs are left alone: `copies` sees their letters."""
    hashes, text = letter_runs(texts, LETTERS)
    some = hashes % np.uint64(ONE_OF) == 0
    signature, enough = _signatures((hashes[some], text[some]), len(texts), LEAST_RUNS)
    enough = enough[of_words(tokens(texts), len(texts))[enough]]
    return _first_like(signature, enough, IN_SPELT_BAND, ALIKE_SPELT)


def of_words(found: Tokens, texts: int) -> BoolArray:
    """(texts) whether the tokens of each are words, and not single signs."""
    letters = np.bincount(found.text_of, found.last - found.first, texts)
    return letters >= LETTERS_OF_WORDS * np.bincount(found.text_of, minlength=texts)


def _first_like(signature: np.ndarray, enough: IntArray, in_band: int, least_alike: float | FloatArray) -> IntArray:
    first = np.arange(len(signature))
    for band in range(signature.shape[1] // in_band):
        part = signature[enough, band * in_band : (band + 1) * in_band]
        if not len(part):
            break
        _, begin, of = np.unique(part, axis=0, return_index=True, return_inverse=True)
        leader = enough[begin[of.ravel()]]
        alike = (signature[enough] == signature[leader]).mean(1)
        joins = (alike >= least_alike) & (leader < first[enough])
        first[enough[joins]] = leader[joins]
    return _roots(first)


def weights(first: IntArray) -> FloatArray:
    """(texts) how much each counts: all that repeat one text together as much as one."""
    return 1.0 / np.bincount(first, minlength=len(first))[first] if len(first) else np.zeros(0)


_Hashes = tuple[np.ndarray, IntArray]


def _runs(texts: Sequence[str]) -> _Hashes:
    """Hashes of shingles, and the text of each, ascending."""
    found = tokens(texts)
    hashes, at, _ = grams(found, SHINGLE)
    return hashes, found.text_of[at]


def _pairs(texts: Sequence[str]) -> _Hashes:
    """Hashes of pairs of tokens that lie near one another, and the text of each, ascending."""
    found = tokens(texts)
    hashes, text = [], []
    for apart in range(1, APART + 1):
        one, other = found.hashes[:-apart], found.hashes[apart:]
        whole = found.text_of[:-apart] == found.text_of[apart:]
        hashes.append(mixed(one[whole] * np.uint64(MULTIPLIER) + other[whole]))
        text.append(found.text_of[:-apart][whole])
    of = np.concatenate(text)
    order = np.argsort(of, kind="stable")
    return np.concatenate(hashes)[order], of[order]


def _signatures(found: _Hashes, texts: int, least: int) -> tuple[np.ndarray, IntArray]:
    """(texts, BANDS x IN_BAND) smallest hashes, and the texts that are long enough to have any."""
    hashes, text = found
    many = np.bincount(text, minlength=texts)
    enough = np.flatnonzero(many >= least)
    signature = np.zeros((texts, BANDS * IN_BAND), np.uint64)
    begin = (np.cumsum(many) - many)[many > 0]
    for order in range(BANDS * IN_BAND if len(hashes) else 0):
        salted = mixed(hashes ^ mixed(np.full(1, (order + 1) * MULTIPLIER % 2**64, np.uint64)))
        signature[many > 0, order] = np.minimum.reduceat(salted, begin)
    return signature, enough


def _roots(first: IntArray) -> IntArray:
    """Each text's first one, and that one's first one, to the end."""
    while True:
        further = first[first]
        if np.array_equal(further, first):
            return first
        first = further
