"""Reviews that repeat one another, so that a text that was sent a thousand times counts once.

Near-duplicates share most of their shingles, runs of three tokens (Broder 1997). Each text keeps the smallest hashes of
its shingles under several orders; texts that agree on a whole band of these are candidates, and are held to the share
of all on which they agree, which estimates the share of shingles in common. Short texts ("很好") are the same by
chance and repeat nobody.
"""

from collections.abc import Sequence

import numpy as np

from datong.model.flow import FloatArray, IntArray
from datong.sense.voice.ngrams import MULTIPLIER, grams, mixed, tokens

SHINGLE, LEAST_SHINGLES = 3, 8
BANDS, IN_BAND = 16, 3
LEAST_ALIKE = 0.5


def copies(texts: Sequence[str], least_alike: float = LEAST_ALIKE) -> IntArray:
    """(texts) the number of the first text that each repeats, its own where it repeats none.

    texts: cleaned. least_alike: share of shingles in common, estimated by 48 hashes (standard error 0.07 at 0.5). Time
    and memory grow with the length of all texts, however many repeat one another."""
    signature, enough = _signatures(texts)
    first = np.arange(len(texts))
    for band in range(BANDS):
        part = signature[enough, band * IN_BAND : (band + 1) * IN_BAND]
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


def _signatures(texts: Sequence[str]) -> tuple[np.ndarray, IntArray]:
    """(texts, BANDS x IN_BAND) smallest hashes, and the texts that are long enough to have any."""
    found = tokens(texts)
    hashes, at, _ = grams(found, SHINGLE)
    text = found.text_of[at]
    many = np.bincount(text, minlength=len(texts))
    enough = np.flatnonzero(many >= LEAST_SHINGLES)
    signature = np.zeros((len(texts), BANDS * IN_BAND), np.uint64)
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
