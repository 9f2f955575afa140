"""How much each review of a chain counts: less where it is likely made up or sent in concert (voice/fakes.py)."""

from functools import lru_cache

import numpy as np
import pyarrow as pa

from datong.ledger.parts import taken
from datong.model.flow import IntArray
from datong.sense.voice.fakes import Doubt, Reviews, doubts
from datong.sense.voice.text import clean

# Most reviews that are held against one another, the newest first; older ones count in full.
HELD_MAX = 200_000
WORDS = ("title", "text")


def words_at(reviews: pa.Table, row: IntArray) -> pa.Table:
    """Title and text at some positions, with places of 64 bits: all of a large chain have more letters than 32 bits
    count."""
    return pa.table({name: taken(reviews[name], row).cast(pa.large_string()) for name in WORDS})


def texts_of(reviews: pa.Table) -> list[str]:
    """(review) heading and text."""
    pairs = zip(reviews["title"].to_pylist(), reviews["text"].to_pylist(), strict=True)
    return ["\n".join(part for part in pair if part) for pair in pairs]


def doubted(reviews: pa.Table, row: IntArray, day: IntArray) -> Doubt:
    """reviews: the table. row: (review) position in it of each that is asked for. day: (review) local, since
    1970-01-01."""
    held = np.sort(np.argsort(-day, kind="stable")[:HELD_MAX])
    names = ("product", "customer", "rating", "sale")
    rows = pa.table({name: taken(reviews[name], row[held]) for name in names})
    found = _doubted(
        tuple(texts_of(words_at(reviews, row[held]))),
        tuple(rows["product"].to_pylist()),
        tuple(rows["customer"].to_pylist()),
        tuple(rows["rating"].to_pylist()),
        tuple(one is not None for one in rows["sale"].to_pylist()),
        tuple(day[held].tolist()),
    )
    weight, kind = np.ones(len(day)), np.full(len(day), -1)
    weight[held], kind[held] = found.weight, found.kind
    return Doubt(weight, kind)


@lru_cache(maxsize=4)
def _doubted(
    texts: tuple[str, ...],
    products: tuple[str, ...],
    customers: tuple[str | None, ...],
    stars: tuple[float | None, ...],
    shown: tuple[bool, ...],
    day: tuple[int, ...],
) -> Doubt:
    """The same reviews are held against one another once a process."""
    number = {name: i for i, name in enumerate(dict.fromkeys(products))}
    buyer = {name: i for i, name in enumerate(dict.fromkeys(customers))}
    return doubts(
        Reviews(
            [clean(text) for text in texts],
            np.array([number[name] for name in products], np.int64),
            np.array(day, np.int64),
            np.array([np.nan if one is None else one for one in stars], np.float64),
            np.array([-1 if name is None else buyer[name] for name in customers], np.int64),
            np.array(shown, bool),
        )
    )
