"""Who reads the reviews of a chain: a model learnt from its own with stars, or the models that come with Datong alone.

These judge along where a chain has stars, too: few hundred reviews of its own teach few words.

Who reads is decided by the chain's reviews alone, so that a ledger without anything kept gives the same answers.
A chain of up to LEARNT_MAX reviews in the year learns from all of them that have stars, each time. A larger one learns
anew only when it has twice as many reviews with stars as the time before, from those that were known first: so what
was kept stays right for long. One with too few stars is read by the models that come with Datong (voice/shipped.py).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from hashlib import blake2b
from importlib.metadata import version
from importlib.resources import files

import numpy as np
import pyarrow as pa

from datong.ledger.large_tables import parts
from datong.model.flow import BoolArray, IntArray
from datong.sense.review_texts import texts_of, words_at
from datong.sense.voice.polarity_model import Polarity, Settings, learnt
from datong.sense.voice.reading import as_read
from datong.sense.voice.shipped import LANGUAGES, shipped

# Fewest reviews with stars, and of them good and bad ones, of which a model is learnt; most that it is learnt from.
LEARNT_MIN, EACH_MIN, LEARNT_MAX = 300, 30, 5_000
BAD_STARS, GOOD_STARS = 2.0, 4.0
MODEL = Settings(bits=18)
SEED = 16
# Of what a reading is made, beside the texts.
_RULES = (
    ("datong.sense", ("voice", "blame_and_praise.py", "review_reader.py", "review_texts.py")),
    ("datong.ledger", ("masking.py",)),
)
_MADE_OF = (".py", ".toml", ".txt", ".npz")
_LIBRARIES = ("numpy", "scipy")


@dataclass(frozen=True, eq=False)
class Reader:
    """Who reads. digest: of the rules, and of what is learnt from. texts, good: (learnt) reviews that it learns from
    and whether each is good; none: the models that come with Datong."""

    digest: str
    texts: tuple[str, ...]
    good: BoolArray

    def models(self) -> Mapping[str, Polarity]:
        """By language."""
        if not self.texts:
            return {name: shipped(name) for name in LANGUAGES}
        beside = {name: shipped(name) for name in LANGUAGES}
        own = learnt(as_read(self.texts), self.good, SEED, settings=MODEL, others=beside)
        return dict.fromkeys(LANGUAGES, own)


def reader_of(reviews: pa.Table, inside: IntArray, before: IntArray) -> Reader:
    """Who reads. reviews: the table. inside: its rows of the last WEEKS_MAX weeks. before: those of the closed buckets.

    In the order in which they were known the first LEARNT_MIN x 2^k reviews with stars count, the most that there are,
    and of them the last LEARNT_MAX. A review whose words are gone counts and teaches nothing: so forgetting
    somebody of whom nothing was learnt changes no reader.
    """
    side = sides_by_stars(reviews)
    if len(inside) <= LEARNT_MAX:
        rows = inside[side[inside] != 0]
    else:
        rows = before[side[before] != 0]
        known = reviews["known_at"].cast(pa.int64()).to_numpy()[rows]
        many = LEARNT_MIN << max(int(np.log2(max(len(rows), 1) / LEARNT_MIN)), 0)
        rows = np.sort(rows[np.argsort(known, kind="stable")][:many][-LEARNT_MAX:])
    texts = texts_of(words_at(reviews, rows))
    kept = np.array([bool(text) for text in texts], bool)
    good = side[rows][kept] > 0
    digest = blake2b(rules_digest().encode(), digest_size=16)
    if kept.sum() < LEARNT_MIN or min(good.sum(), (~good).sum()) < EACH_MIN:
        return Reader(digest.hexdigest(), (), np.zeros(0, bool))
    chosen = tuple(text for text in texts if text)
    digest.update(good.tobytes())
    for text in chosen:
        digest.update(text.encode(errors="replace") + b"\0")
    return Reader(digest.hexdigest(), chosen, good)


@cache
def rules_digest() -> str:
    """Of all that decides what a text says, beside what was learnt from a chain."""
    digest = blake2b(" ".join(version(library) for library in _LIBRARIES).encode())
    for package, names in _RULES:
        for name in names:
            place = files(package).joinpath(name)
            inside = sorted(place.iterdir(), key=lambda one: one.name) if place.is_dir() else [place]
            for file in inside:
                if file.is_file() and file.name.endswith(_MADE_OF):
                    digest.update(file.name.encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()


def sides_by_stars(reviews: pa.Table) -> IntArray:
    """(review) 1 for good stars, -1 for bad ones, 0 for others or none."""
    found = []
    for part in parts(reviews, ("rating",)):
        stars = part["rating"].to_numpy(zero_copy_only=False).astype(np.float64)
        found.append((stars >= GOOD_STARS).astype(np.int8) - (stars <= BAD_STARS).astype(np.int8))
    return np.concatenate(found)
