"""Titles and texts of reviews, as they are read."""

import pyarrow as pa

from datong.ledger.large_tables import taken
from datong.model.flow import IntArray

WORDS = ("title", "text")


def words_at(reviews: pa.Table, row: IntArray) -> pa.Table:
    """Title and text at some positions, with places of 64 bits: all of a large chain have more letters than 32 bits
    count."""
    return pa.table({name: taken(reviews[name], row).cast(pa.large_string()) for name in WORDS})


def texts_of(reviews: pa.Table) -> list[str]:
    """(review) heading and text."""
    pairs = zip(reviews["title"].to_pylist(), reviews["text"].to_pylist(), strict=True)
    return ["\n".join(part for part in pair if part) for pair in pairs]
