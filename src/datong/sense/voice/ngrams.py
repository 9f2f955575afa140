"""Texts -> counts of n-grams, hashed: no vocabulary to keep, no dictionary to know where a word ends.

A token is one Chinese character or other sign, one run of letters ("fabric"), or one run of digits (all the same
token). Blanks are no tokens. So the n-grams of Chinese are those of characters, those of English of words; hashing is
that of Weinberger et al. (2009). All texts go through NumPy at once.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from datong.model.flow import FloatArray, IntArray

MULTIPLIER = 0x9E3779B97F4A7C15  # odd, so that it has an inverse modulo 2**64
END, SIGN, LETTER, DIGIT, BLANK = range(5)
NUMBER_TOKEN = 7
# Letters of words that blanks part: Latin, Greek, Cyrillic with their supplements. Later letters stand for themselves.
LAST_LETTER = 0x2000


@dataclass(frozen=True, eq=False)
class Counts:
    """Hashed counts of n texts as rows of a sparse matrix (CSR). starts: (n + 1) first entry of each text. columns:
    (entries) bucket of the hash, below 2**bits, ascending in a text. values: (entries) times it stands there."""

    starts: IntArray
    columns: IntArray
    values: FloatArray
    # Bits of a column.
    bits: int

    def __len__(self) -> int:
        return len(self.starts) - 1

    def rows(self) -> IntArray:
        """(entries) the text of each entry."""
        return np.repeat(np.arange(len(self)), np.diff(self.starts))


@cache
def _kinds() -> np.ndarray:
    kinds = np.full(LAST_LETTER, SIGN, np.uint8)
    for code in range(LAST_LETTER):
        letter = chr(code)
        if letter.isalpha() or letter in "'’":
            kinds[code] = LETTER
        elif letter.isdigit():
            kinds[code] = DIGIT
        elif letter.isspace():
            kinds[code] = BLANK
    kinds[0] = END
    return kinds


def mixed(numbers: np.ndarray) -> np.ndarray:
    """(n) 64-bit numbers with their bits well mixed (the finaliser of MurmurHash3, Appleby 2011)."""
    numbers = numbers ^ (numbers >> np.uint64(33))
    numbers *= np.uint64(0xFF51AFD7ED558CCD)
    numbers ^= numbers >> np.uint64(33)
    numbers *= np.uint64(0xC4CEB9FE1A85EC53)
    numbers ^= numbers >> np.uint64(33)
    return numbers


@dataclass(frozen=True, eq=False)
class Tokens:
    """Tokens of n texts in order. hashes: (tokens) 64 bits. text_of: (tokens) the number of the text in which each
    stands. first, last: (tokens) the letters of that text which it takes: first included, last not."""

    hashes: np.ndarray
    text_of: IntArray
    first: IntArray
    last: IntArray

    def __len__(self) -> int:
        return len(self.hashes)


def tokens(texts: Sequence[str]) -> Tokens:
    """The tokens of all texts."""
    codes, kinds = _coded(texts)
    in_run = (kinds == LETTER) | (kinds == DIGIT)
    begins = np.ones(len(codes), bool)
    begins[1:] = ~in_run[1:] | (kinds[1:] != kinds[:-1])
    first = np.flatnonzero(begins)
    if not len(first):
        none = np.zeros(0, np.int64)
        return Tokens(np.zeros(0, np.uint64), none, none, none)
    last = np.append(first[1:], len(codes))
    hashes = _hashes_of_runs(codes, first)
    kind = kinds[first]
    hashes[kind == DIGIT] = NUMBER_TOKEN
    text_of = np.cumsum(kind == END) - (kind == END)
    begin_of_text = np.append(0, first[kind == END] + 1)[text_of]
    kept = (kind != END) & (kind != BLANK)
    return Tokens(hashes[kept], text_of[kept], (first - begin_of_text)[kept], (last - begin_of_text)[kept])


def _coded(texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """The letters of all texts in one row, an END after each, and the kind of each."""
    written = "".join(text + "\0" for text in texts)
    joined = written.lower()
    if len(joined) != len(written) or written.count("\0") != len(texts):  # few texts have what is to be seen to
        joined = "".join(_lowered(text) + "\0" for text in texts)
    codes = np.frombuffer(joined.encode("utf-32-le", errors="replace"), np.uint32)
    return codes, np.where(codes < LAST_LETTER, _kinds()[np.minimum(codes, LAST_LETTER - 1)], SIGN)


def letter_runs(texts: Sequence[str], size: int) -> tuple[np.ndarray, IntArray]:
    """Hashes of all runs of `size` letters or digits, blanks and signs left out, and the text of each, ascending."""
    codes, kinds = _coded(texts)
    text_of = np.cumsum(kinds == END) - (kinds == END)
    kept = (kinds == LETTER) | (kinds == DIGIT)
    letters, text = codes[kept].astype(np.uint64), text_of[kept]
    many = max(len(letters) - size + 1, 0)
    running = np.zeros(many, np.uint64)
    for step in range(size):
        running = running * np.uint64(MULTIPLIER) + letters[step : step + many]
    whole = text[:many] == text[size - 1 :]
    return mixed(running[whole]), text[:many][whole]


def _lowered(text: str) -> str:
    """In small letters, each at its place."""
    lowered = text.lower()
    if len(lowered) != len(text):
        lowered = "".join(c.lower() if len(c.lower()) == 1 else c for c in text)
    return lowered.replace("\0", " ")


def grams(found: Tokens, size: int, before: np.ndarray | None = None) -> tuple[np.ndarray, IntArray, np.ndarray]:
    """The n-grams of `size` tokens that lie in one text: their 64-bit hashes, and the position of their first token.

    before: what the third of the results was for size - 1; with it the work is not done anew. It is not mixed yet."""
    running = np.zeros(len(found), np.uint64) if before is None else before
    for step in range(1 if before is None else size, size + 1):
        many = max(len(found) - step + 1, 0)
        running = running[:many] * np.uint64(MULTIPLIER) + found.hashes[step - 1 :]
    whole = np.flatnonzero(found.text_of[: len(running)] == found.text_of[size - 1 :])
    return mixed(running[whole] + np.uint64(size)), whole, running


def _hashes_of_runs(codes: np.ndarray, first: np.ndarray) -> np.ndarray:
    """(runs) sum of code x MULTIPLIER**place within each run, modulo 2**64: from running sums, without a loop."""
    inverse = np.uint64(pow(MULTIPLIER, -1, 1 << 64))
    powers = np.ones(len(codes), np.uint64)
    powers[1:] = np.uint64(MULTIPLIER)
    np.multiply.accumulate(powers, out=powers)
    steps = np.ones(int(first[-1]) + 1, np.uint64)
    steps[1:] = inverse
    back = np.multiply.accumulate(steps)[first]
    sums = np.add.reduceat((codes.astype(np.uint64) + np.uint64(1)) * powers, first)
    return mixed(sums * back)


def counts(
    texts: Sequence[str],
    sizes: Sequence[int],
    bits: int,
    groups: IntArray | None = None,
    group_sizes: Sequence[int] = (),
) -> Counts:
    """Counts of the n-grams of `sizes` tokens in each text.

    groups: (texts) the group of each, -1 where none: n-grams of `group_sizes` count once more as those of the group,
    so that a linear model learns what a word means in it beside what it means everywhere (Daumé 2007).
    """
    all_tokens = tokens(texts)
    found, running = [], None
    for size in range(1, max((*sizes, *group_sizes)) + 1):
        here, at, running = grams(all_tokens, size, running)
        text = all_tokens.text_of[at]
        if size in sizes:
            found.append(_keys(here, text, bits))
        if groups is not None and size in group_sizes:
            of_group = groups[text]
            some = of_group >= 0
            found.append(_keys(of_groups(here[some], of_group[some]), text[some], bits))
    keys, values = np.unique(np.concatenate(found), return_counts=True)
    rows = (keys >> np.uint64(bits)).astype(np.int64)
    starts = np.searchsorted(rows, np.arange(len(texts) + 1))
    columns = (keys & np.uint64((1 << bits) - 1)).astype(np.int64)
    return Counts(starts, columns, values.astype(np.float32), bits)


def of_groups(hashes: np.ndarray, groups: IntArray) -> np.ndarray:
    """(n) the hash that each n-gram has as one of its group."""
    return mixed(hashes + (groups.astype(np.uint64) + np.uint64(1)) * np.uint64(MULTIPLIER))


def _keys(hashes: np.ndarray, text: IntArray, bits: int) -> np.ndarray:
    return (text.astype(np.uint64) << np.uint64(bits)) | (hashes >> np.uint64(64 - bits))
