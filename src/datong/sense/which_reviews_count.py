"""Which reviews of a chain count, and how much each: those of the last WEEKS_MAX weeks, each with a weight.

One counts less than one where it is likely made up or sent in concert (voice/fakes.py), and nothing where it says what
another said of the product on that day, or where its buyer said so before.
"""

from functools import lru_cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from datong.ledger.columns import local_days
from datong.ledger.large_tables import codes_at, parts, taken
from datong.ledger.state import State
from datong.model.flow import BoolArray, FloatArray, IntArray
from datong.sense.review_texts import texts_of, words_at
from datong.sense.voice.fakes import ALIKE, KINDS, Doubt, Reviews, doubts
from datong.sense.voice.text import clean
from datong.sense.weeks_looked_at import WEEK_DAYS, WEEKS_MAX

# Most reviews that are held against one another, the newest first; older ones count in full.
HELD_MAX = 200_000
# Why a review counts less than one: it is likely made up or sent in concert, or says what another said that day.
SIGNS = (*KINDS, "alike")


def rows_in_time(day: IntArray, end: int) -> IntArray:
    """Positions of the reviews of the last WEEKS_MAX weeks. day: (review). end: the day after the last that counts."""
    return np.flatnonzero((day >= end - WEEKS_MAX * WEEK_DAYS) & (day < end))


def local_day(reviews: pa.Table, state: State) -> IntArray:
    """(review) local day, in days since 1970-01-01."""
    return np.concatenate([local_days(part, state) for part in parts(reviews, ("happened_at",))])


def weighed(
    reviews: pa.Table, row: IntArray, day: IntArray, of: IntArray, alike: IntArray
) -> tuple[FloatArray, IntArray]:
    """(review) how much it counts, and the place in SIGNS of why it counts less. reviews, row, day: as of `doubted`.
    of: (review) its product. alike: (review) the first with these words on its day, of any product."""
    doubt = doubted(reviews, row, day)
    buyer, buyers = codes_at(reviews["customer"], row)
    own_voice = _first_alike(of, alike, np.where(buyer == _place_of("", buyers), -1, buyer))
    weight = np.where(np.isin(doubt.kind, ALIKE), doubt.weight, doubt.weight * own_voice)
    return weight, np.where((doubt.kind < 0) & ~own_voice, SIGNS.index("alike"), doubt.kind)


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


def _place_of(name: str, names: pa.Array) -> int:
    """Of a name among some; below -1 where it is none of them."""
    at = pc.index(names, pa.scalar(name, names.type)).as_py()
    return at if at >= 0 else -2


def _first_alike(of: IntArray, alike: IntArray, buyer: IntArray) -> BoolArray:
    """(review) whether it is the first about its product with these words, or nearly these, on its day, and the first
    of its buyer. of: (review) its product. alike: (review) the first with these words on its day, of any product.
    buyer: (review) -1: nobody knows."""
    wide = int(of.max(initial=0)) + 1
    first = _is_first(alike * wide + of)
    return first & ((buyer < 0) | _is_first((buyer + 1) * wide + of))


def _is_first(keys: IntArray) -> BoolArray:
    """(n) whether each is the first of its kind."""
    first = np.zeros(len(keys), bool)
    first[np.unique(keys, return_index=True)[1]] = True
    return first
