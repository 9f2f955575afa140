"""What reviews blame and praise, as it is kept from one run to the next: which aspects, and where, but no words."""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from datong.model.flow import BoolArray, IntArray

# Of zlib: the fastest; places are small anyway.
_LEVEL = 1


@dataclass(frozen=True, eq=False)
class Said:
    """What n reviews say.

    blamed, praised: (review, aspect) whether it does. letters: (blamed pairs, in the order of review and aspect) the
    letters of the cleaned and masked review that its first clause takes that blames the aspect: first included, last
    not. alike: (review) place of the first of them that says the same, or nearly, on the same day; its own where
    there is none before it.
    """

    blamed: BoolArray
    praised: BoolArray
    letters: IntArray
    alike: IntArray

    def __len__(self) -> int:
        return len(self.alike)


def parted(said: Said, ends: Sequence[int]) -> list[Said]:
    """The reviews up to each end, from the end before. None says the same as one of another part."""
    pairs = np.append(0, np.cumsum(said.blamed.sum(1)))
    result, begin = [], 0
    for end in ends:
        letters = said.letters[pairs[begin] : pairs[end]]
        part = slice(begin, end)
        result.append(Said(said.blamed[part], said.praised[part], letters, said.alike[part] - begin))
        begin = end
    return result


def written(said: Said) -> bytes:
    parts = (
        np.array([len(said), said.blamed.shape[1]], "<i4"),
        np.packbits(said.blamed),
        np.packbits(said.praised),
        said.letters.astype("<i4"),
        said.alike.astype("<i4"),
    )
    return zlib.compress(b"".join(part.tobytes() for part in parts), _LEVEL)


def read_back(content: bytes) -> Said:
    """What `written` gave."""
    raw = zlib.decompress(content)
    many, aspects = np.frombuffer(raw, "<i4", 2).tolist()
    wide = -(-many * aspects // 8)
    bits = [
        np.unpackbits(np.frombuffer(raw, np.uint8, wide, 8 + at * wide), count=many * aspects).astype(bool)
        for at in (0, 1)
    ]
    blamed, praised = (one.reshape(many, aspects) for one in bits)
    numbers = np.frombuffer(raw, "<i4", -1, 8 + 2 * wide).astype(np.int64)
    pairs = int(blamed.sum())
    return Said(blamed, praised, numbers[: 2 * pairs].reshape(pairs, 2), numbers[2 * pairs :])
