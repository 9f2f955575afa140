"""Which cells of a list can be quoted where it has columns of people.

In a row that is shifted by a cell the name or the telephone number of somebody stands under a date or a quantity. The
rules of masking find a number; a bare name they do not find. So of columns of dates and numbers, in a file that has
columns of people, no text is quoted.
"""

import re
from collections.abc import Iterable
from functools import cache

from datong.connectors.exports.date_texts import parse
from datong.connectors.exports.vocabulary import months, plain, words
from datong.ledger.masking import PLACEHOLDERS, masked_short
from datong.ledger.row_checks import shown

# What is quoted in place of a text.
TEXT = "[text]"
_DAY = re.compile(r"\d{1,4} ?[-/.年] ?\d{1,2} ?[-/.月] ?\d{1,4} ?日?(?:[ T]\d{1,2}[:.]\d{2}(?:[:.]\d{2}(?:\.\d+)?)?)?")
# A number with a decimal sign and one or two digits behind it, perhaps with a currency: no number of a telephone.
_DECIMAL = re.compile(
    r"[-+−(]?\W{0,2}(?:0|[1-9]\d{0,8}|\d{1,3}(?:[., '’]\d{3})+)[.,]\d{1,2}\)?(?: ?(?:€|\$|£|¥|元|[A-Z]{3}))?"
)
# Digits, their signs, and words of dates.
_SIGNS = re.compile(r"[\d\s.,'’/:+\-−–%#()$€£¥年月日号时分秒点]+")
_ZONE = re.compile(r" (?:GMT|UTC)[+-]\d{2}:?\d{2}(?: \([A-Z]{2,5}\))?$")
_WORD = re.compile(r"[^\W\d_]+")
_OF_TIMES = frozenset({"am", "pm", "t", "z", "utc", "gmt"})


def names_people(headers: Iterable[str]) -> bool:
    """Whether a list has a column of people: their names, addresses or numbers."""
    return any(_is_of_people(header) for header in headers)


def quoted(texts: Iterable[str | None], has_people: bool) -> tuple[str, ...]:
    """Cells of a column of dates or numbers as they can be shown, each once."""
    return tuple(dict.fromkeys(_quoted(text, has_people) for text in texts if text is not None))


def _quoted(text: str, has_people: bool) -> str:
    if _DAY.fullmatch(text) or _DECIMAL.fullmatch(text) or _is_time(text):
        return text
    safe = masked_short(shown(text))
    return safe if not has_people or safe in PLACEHOLDERS or _is_in_form(safe) else TEXT


def _is_time(text: str) -> bool:
    """Whether a text is a date with other signs than digits, and nothing beside it but the letters of a zone."""
    bare = _ZONE.sub("", text)
    return not bare.isdigit() and "(" not in bare and _is_in_form(bare) and parse(bare) is not None


def _is_in_form(text: str) -> bool:
    """Whether a text is a number or a date in form, if not in what it says."""
    known = months().keys() | _OF_TIMES
    left = _WORD.sub(lambda word: "" if plain(word[0]) in known else word[0], text)
    return any(c.isdigit() for c in left) and _SIGNS.fullmatch(left) is not None


@cache
def _is_of_people(header: str) -> bool:
    return _people().search(plain(re.sub(r"(?<=[a-z\d])(?=[A-Z])", " ", header))) is not None


@cache
def _people() -> re.Pattern[str]:
    found = sorted(words("people", "headers"), key=lambda word: (-len(word), word))
    return re.compile("|".join(rf"(?<![a-z]){re.escape(w)}(?![a-z])" if w.isascii() else re.escape(w) for w in found))
