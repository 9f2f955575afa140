"""Reviews that repeat one another, so that a text that was sent a thousand times counts once.

Near-duplicates share most of their shingles, runs of three tokens (Broder 1997). Each text keeps the smallest hashes of
its shingles under several orders; texts that agree on a whole band of these are candidates, and are held to the share
of all on which they agree, which estimates the share of shingles in common. Short texts ("很好") are the same by
chance and repeat nobody.

A text that is written into a frame ("The ... is so ..., I shall buy ... again") breaks its runs at every place that is
filled anew. Pairs of tokens that lie near one another, whatever stands between them, stay as long as the frame does
(skip-grams; Guthrie et al. 2006): texts that share enough of these are of one frame.
"""

from collections.abc import Callable, Sequence

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
# Hashes that are looked at together: as many as a processor has at hand.
HASHES_AT_ONCE = 1 << 15
TEXTS_AT_ONCE = 10_000


def copies(texts: Sequence[str], least_alike: float = LEAST_ALIKE, of: IntArray | None = None) -> IntArray:
    """(texts) the number of the first text that each repeats, its own where it repeats none.

    texts: cleaned. least_alike: share of shingles in common, estimated by 48 hashes (standard error 0.07 at 0.5). of:
    (texts) a number: those of another number are not held against one another. Time and memory grow with the length of
    all texts, however many repeat one another."""
    signed = _signed(texts, _runs, LEAST_SHINGLES, of)
    return _first_like(*signed, IN_BAND, least_alike)


def said_first(texts: Sequence[str], day: IntArray) -> IntArray:
    """(text) the place of the first text of its day that says the same, to the letter or nearly: these count once."""
    first: dict[tuple[int, str], int] = {}
    roots = copies(texts, of=day).tolist()
    alike = [first.setdefault((d, texts[root]), i) for i, (d, root) in enumerate(zip(day.tolist(), roots, strict=True))]
    return np.array(alike, np.int64)


def frames(texts: Sequence[str]) -> IntArray:
    """(texts) the number of the first text of the same frame, its own where there is none before it; as `copies`."""
    signature, enough = _signed(texts, _pairs, LEAST_OF_WORDS)
    sizes = [_sizes(texts[part]) for part in _parts(len(texts))] or [_sizes(texts)]
    words, pairs = (np.concatenate(one) for one in zip(*sizes, strict=True))
    enough = enough[words[enough] | (pairs[enough] >= LEAST_OF_SIGNS)]
    return _first_like(signature, enough, IN_FRAME_BAND, np.where(words[enough], ALIKE_OF_WORDS, ALIKE_OF_SIGNS))


def spelt_anew(texts: Sequence[str]) -> IntArray:
    """(texts) as `copies`, by runs of letters: one letter that is changed breaks a word, and few runs. Texts whose
    tokens are signs are left alone: `copies` sees their letters."""
    signature, enough = _signed(texts, _letters, LEAST_RUNS)
    sizes = [_sizes(texts[part]) for part in _parts(len(texts))] or [_sizes(texts)]
    words = np.concatenate([one for one, _ in sizes])
    return _first_like(signature, enough[words[enough]], IN_SPELT_BAND, ALIKE_SPELT)


def _sizes(texts: Sequence[str]) -> tuple[BoolArray, IntArray]:
    """(texts) whether the tokens of each are words, and how many pairs it has."""
    found = tokens(texts)
    pairs = APART * np.bincount(found.text_of, minlength=len(texts)) - APART * (APART + 1) // 2
    return of_words(found, len(texts)), pairs


def of_words(found: Tokens, texts: int) -> BoolArray:
    """(texts) whether the tokens of each are words, and not single signs."""
    letters = np.bincount(found.text_of, found.last - found.first, texts)
    return letters >= LETTERS_OF_WORDS * np.bincount(found.text_of, minlength=texts)


def _first_like(signature: np.ndarray, enough: IntArray, in_band: int, least_alike: float | FloatArray) -> IntArray:
    first, least = np.arange(len(signature)), np.broadcast_to(least_alike, len(enough))
    for band in range(signature.shape[1] // in_band):
        key = np.zeros(len(enough), np.uint64)
        for column in range(band * in_band, (band + 1) * in_band):
            key = mixed(key * np.uint64(MULTIPLIER) + signature[enough, column])
        _, begin, of = np.unique(key, return_index=True, return_inverse=True)
        leader = enough[begin[of]]
        at = np.flatnonzero(leader < first[enough])
        alike = (signature[enough[at]] == signature[leader[at]]).mean(1)
        joins = at[alike >= least[at]]
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


def _letters(texts: Sequence[str]) -> _Hashes:
    """Hashes of runs of letters, one of ONE_OF, and the text of each, ascending."""
    hashes, text = letter_runs(texts, LETTERS)
    some = hashes % np.uint64(ONE_OF) == 0
    return hashes[some], text[some]


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


def _parts(many: int) -> list[slice]:
    """Texts that are taken apart together, so that memory does not grow with all of them."""
    return [slice(begin, min(begin + TEXTS_AT_ONCE, many)) for begin in range(0, many, TEXTS_AT_ONCE)]


def _signed(
    texts: Sequence[str], hashes_of: Callable[[Sequence[str]], _Hashes], least: int, of: IntArray | None = None
) -> tuple[np.ndarray, IntArray]:
    """As `_signatures`, a part of the texts at a time. of: (texts) a number that goes into their hashes."""
    signature, enough = np.zeros((len(texts), BANDS * IN_BAND), np.uint64), [np.zeros(0, np.int64)]
    for part in _parts(len(texts)):
        hashes, text = hashes_of(texts[part])
        if of is not None:
            hashes = mixed(hashes + mixed(of[part].astype(np.uint64))[text])
        signature[part], long = _signatures((hashes, text), part.stop - part.start, least)
        enough.append(long + part.start)
    return signature, np.concatenate(enough)


def _signatures(found: _Hashes, texts: int, least: int) -> tuple[np.ndarray, IntArray]:
    """(texts, BANDS x IN_BAND) smallest hashes, and the texts that are long enough to have any."""
    hashes, text = found
    many = np.bincount(text, minlength=texts)
    enough = np.flatnonzero(many >= least)
    signature = np.zeros((texts, BANDS * IN_BAND), np.uint64)
    some = np.flatnonzero(many)
    begin = np.append(0, np.cumsum(many[some]))
    salts = mixed(np.arange(1, BANDS * IN_BAND + 1).astype(np.uint64) * np.uint64(MULTIPLIER))
    first = 0
    while first < len(some):
        last = max(first + 1, int(np.searchsorted(begin, begin[first] + HASHES_AT_ONCE, "right")) - 1)
        part, starts = hashes[begin[first] : begin[last]], begin[first:last] - begin[first]
        for order, salt in enumerate(salts):
            signature[some[first:last], order] = np.minimum.reduceat(mixed(part ^ salt), starts)
        first = last
    return signature, enough


def _roots(first: IntArray) -> IntArray:
    """Each text's first one, and that one's first one, to the end."""
    while True:
        further = first[first]
        if np.array_equal(further, first):
            return first
        first = further
