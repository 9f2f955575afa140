"""Words that a sheet gave out itself. They are known again as they were given out, and are never an answer."""

import hashlib
from collections.abc import Iterable, Mapping

from datong.connectors.filedrop.order_sheet import Sheet
from datong.model.words import visible

# Columns of a sheet in which we write words, as people write remarks.
_IN_WORDS = ("note", "why", "deliver_to")
# Of an order with which no words were given out.
_NONE = "-"


def given_out(sheet: Sheet) -> dict[str, str]:
    """By message number, marks of the words that stand in its row: their lengths, and digests. A text of a few signs,
    so that it can be noted beside the number; the words themselves are not kept."""
    columns = [at for at, name in enumerate(sheet.columns) if name in _IN_WORDS]
    key = sheet.columns.index("key")
    return {row[key]: _marks(row[at] for at in columns) for row in sheet.rows}


def with_more(before: Mapping[str, str], given: Mapping[str, str]) -> dict[str, str]:
    """Marks of all that ever went out: the same message may go out again with other words beside it."""
    both = {key: " ".join(dict.fromkeys(f"{before.get(key, '')} {marks}".split())) for key, marks in given.items()}
    return {**before, **both}


def without_what_we_gave(text: str, key: str, given: Mapping[str, str]) -> str:
    """A cell of a row that came back, without the words that went out in that row; what somebody wrote before or behind
    them stays."""
    left = _even(text)
    for mark in given.get(key, _NONE).split():
        length, _, digest = mark.partition(":")
        if not digest:
            continue
        if _digest(left[: int(length)]) == digest:
            left = left[int(length) :]
        elif _digest(left[-int(length) :]) == digest:
            left = left[: -int(length)]
        else:
            continue
        return left.strip(" ,.;:，。；：、")
    return text


def _marks(cells: Iterable[str]) -> str:
    return " ".join(f"{len(text)}:{_digest(text)}" for cell in cells if (text := _even(cell))) or _NONE


def _even(text: str) -> str:
    """Spreadsheets change blanks and ends of lines, and one of our cells may have a sign before it (_harmless)."""
    return " ".join(visible(text).split()).removeprefix("'")


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
