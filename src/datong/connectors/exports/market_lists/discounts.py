"""Discounts as shops write them, as the share of the price that is taken off: 8折, 7.5折, 20%, -20 %, 30% off, 0.8."""

import re
import unicodedata
from functools import lru_cache

import numpy as np

from datong.connectors.exports.cells import Cells
from datong.connectors.exports.numbers import written
from datong.connectors.exports.vocabulary import plain

# How a discount is written: what is left of the price in tenths (折); a share that is said to be taken off; a share, or
# a bare number, of which only the column says which of both it is.
TENTHS, OFF, SHARE, NUMBER = "tenths", "off", "share", "number"
_TENTHS = re.compile(r"(?:打)?\s*(\d{1,2}(?:\.\d+)?)\s*折(?:起)?")
_PERCENT = re.compile(r"([-−–]?)\s*(\d{1,3}(?:[.,]\d+)?)\s*(?:%|percent)\s*(off|rabatt|reduction|de réduction)?")
_SAVES = re.compile(r"(?:save|立减|直降|降|减|off)\s*(\d{1,3}(?:\.\d+)?)\s*%(?:\s*off)?")
_SAMPLE = 2000


@lru_cache(maxsize=10_000)
def discount_of(text: str) -> tuple[float, str] | None:
    """A discount as a number and how it is written; None where it is none. Of TENTHS and OFF the share taken off; of
    SHARE the share that stands there; of NUMBER the number."""
    simple = plain(text)
    if found := _TENTHS.fullmatch(simple):
        tenths = float(found[1])
        left = tenths / (100.0 if tenths >= 10 else 10.0)
        return 1.0 - left, TENTHS
    if found := _SAVES.fullmatch(simple):
        return float(found[1]) / 100, OFF
    # `plain` turns dashes to blanks: the sign is looked for in the text itself.
    if found := _PERCENT.fullmatch(unicodedata.normalize("NFKC", text).strip().casefold()):
        value = float(found[2].replace(",", ".")) / 100
        return value, OFF if found[1] or found[3] else SHARE
    number = written(text)
    if number is None or number.empty or number.money:
        return None
    value = number.point if number.point is not None else number.comma
    return None if value is None else (value, NUMBER)


def share_of_discounts(cells: Cells) -> float:
    """The share of the filled cells of a sample that are discounts of any kind."""
    texts = cells.text.drop_null().slice(0, _SAMPLE).to_pylist()
    return sum(discount_of(text) is not None for text in texts) / len(texts) if texts else 0.0


def read_discounts(cells: Cells) -> tuple[np.ndarray, np.ndarray]:
    """(row,) the number that is written, NaN where there is none; and how it is written, '' where there is none."""
    encoded = cells.text.dictionary_encode()
    read = [discount_of(text) for text in encoded.dictionary.to_pylist()]
    at = encoded.indices.fill_null(len(read)).to_numpy(zero_copy_only=False)
    values = np.array([np.nan if r is None else r[0] for r in read] + [np.nan])[at]
    return values, np.array(["" if r is None else r[1] for r in read] + [""])[at]
