"""Ratings as platforms write them, as numbers of stars: 4, 4.0 out of 5 stars, ★★★★☆, 5星, 好评."""

import re
from functools import lru_cache

import numpy as np

from datong.connectors.exports.cells import Cells
from datong.connectors.exports.numbers import written
from datong.connectors.exports.vocabulary import market_list_cells, plain

MOST_STARS = 5
GRADES = {"good": 5.0, "middling": 3.0, "bad": 1.0}
_OUT_OF = re.compile(
    r"(\d+(?:[.,]\d+)?)\s*(?:out of|von|sur|de|/)\s*(\d+)(?:\s*(?:stars?|sternen?|étoiles|estrellas))?"
)
_WITH_WORD = re.compile(r"(\d+(?:[.,]\d+)?)\s*(?:stars?|星级?|颗星|分|sterne?|étoiles?|estrellas?|stelle)")
_SIGNS = re.compile(r"[★⭐✭✩☆\ufe0f\s]+")
_FULL = "★⭐✭"
_SAMPLE = 2000


@lru_cache(maxsize=10_000)
def stars_of(text: str) -> tuple[float, str] | None:
    """A rating as a number, and how it is written: 'number', 'grade'; None where it is none. Of one out of another
    number than 5, as 8/10, the share of 5."""
    simple = plain(text)
    for grade, stars in GRADES.items():
        if simple in market_list_cells(grade):
            return stars, "grade"
    if _SIGNS.fullmatch(text) and any(sign in text for sign in _FULL):
        return float(sum(text.count(sign) for sign in _FULL)), "number"
    if found := _OUT_OF.fullmatch(simple):
        most = float(found[2])
        return (float(found[1].replace(",", ".")) / most * MOST_STARS, "number") if most else None
    if found := _WITH_WORD.fullmatch(simple):
        return float(found[1].replace(",", ".")), "number"
    number = written(text)
    if number is None or number.empty:
        return None
    value = number.point if number.point is not None and number.point <= 100 else number.comma
    return None if value is None else (value, "number")


def share_of_stars(cells: Cells) -> float:
    """The share of the filled cells of a sample that are ratings of any scale."""
    texts = cells.text.drop_null().slice(0, _SAMPLE).to_pylist()
    return sum(stars_of(text) is not None for text in texts) / len(texts) if texts else 0.0


def read_stars(cells: Cells) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(row,) ratings as they are written, NaN where there is none; bool, in words (good, bad); bool, something that is
    no rating."""
    encoded = cells.text.dictionary_encode()
    read = [stars_of(text) for text in encoded.dictionary.to_pylist()]
    at = encoded.indices.fill_null(len(read)).to_numpy(zero_copy_only=False)
    values = np.array([np.nan if r is None else r[0] for r in read] + [np.nan])[at]
    graded = np.array([r is not None and r[1] == "grade" for r in read] + [False])[at]
    unread = np.array([r is None for r in read] + [False])[at]
    return values, graded, unread
