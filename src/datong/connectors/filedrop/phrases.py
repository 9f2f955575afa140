"""What a counterparty writes as its answer: a state, an offer ("延期到12月9日", "only 80", "price 12.5"), or both.

A text is understood whole or not at all: a word that is left over makes it a question.
"""

import re
import tomllib
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from functools import cache
from importlib.resources import files
from typing import cast

import numpy as np
import pyarrow as pa

from datong.connectors.exports.cells import cells_of
from datong.connectors.exports.numbers import read_numbers, written
from datong.connectors.filedrop.folders import plain
from datong.ledger.order_life import AS_ORDERED, REPORTED, Offer
from datong.model.flow import OrderState
from datong.model.words import LANGUAGES, say

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH = rf"(?P<month>{'|'.join(_MONTHS)})[a-z]*\.?"
_DAY = r"(?P<day>\d{1,2})"
_YEAR = r"(?P<year>\d{4})"
# Days that can be read in one way only: 12/9 could be either of two.
_DATES = tuple(
    re.compile(pattern)
    for pattern in (
        rf"{_YEAR}[-/.年] ?(?P<month>\d{{1,2}})[-/.月] ?{_DAY} ?[日号]?",
        rf"(?<!\d)(?P<month>\d{{1,2}})月 ?{_DAY} ?[日号]?",
        rf"(?<!\d){_DAY}(?:st|nd|rd|th)? (?:of )?{_MONTH}(?:,? {_YEAR})?",
        rf"{_MONTH} {_DAY}(?:st|nd|rd|th)?(?:,? {_YEAR})?(?!\d)",
    )
)
# Answers that may have an offer beside them in one text.
_WITH_OFFER: tuple[OrderState, ...] = ("accepted", "refused", "offered")
# Without blanks: "80 120" could be two numbers.
_NUMBER = r"\d(?:[\d.,']*\d)?"


@dataclass(frozen=True)
class Said:
    """What a text says. state: None where it names none. offer: what it offers instead of what was ordered."""

    state: OrderState | None = None
    offer: Offer = AS_ORDERED


def said(text: str, spoken_on: date | None) -> Said | None:
    """What an answer says; None where a part of it is not understood. spoken_on: a day without a year is the first such
    day from then on; None: such a day is not understood."""
    state = _states().get(plain(text))
    if state is not None:
        return Said(state)
    left = " ".join(unicodedata.normalize("NFKC", text).casefold().split())
    left, due, wrong = _take_day(left, spoken_on)
    left, price = _take_number(left, _price())
    left, units = _take_number(left, _units())
    offer = Offer(units, due, price)
    beside = _left_over(left, is_told_what=units is not None or price is not None)
    return None if wrong or not offer or beside is None else replace(beside, offer=offer)


def day_of(text: str, spoken_on: date | None) -> date | None:
    """The day that a whole text names."""
    left, day, wrong = _take_day(" ".join(unicodedata.normalize("NFKC", text).casefold().split()), spoken_on)
    return None if wrong or left.strip() else day


def number_of(text: str) -> float | None:
    """The number that a whole text writes, with what it counts or its currency; None where it could be two numbers."""
    return numbers_of([text])[0]


def numbers_of(texts: list[str]) -> list[float | None]:
    """The numbers of a column; None for a cell that is none, is below nothing, or could be either of two numbers.

    Several people fill in one sheet: a comma for decimals in one row tells nothing of 2,100 in the next. Only where
    other cells prove the point, with which the sheet itself is written, is such a cell read by it.
    """
    column = read_numbers(cells_of(pa.array(texts, pa.string())))
    values = column.values(".")
    unsure = np.zeros(len(texts), bool) if column.rules == {"."} else column.unsure
    good = np.isfinite(values) & (values >= 0) & ~unsure & ~column.unread
    return [float(v) if ok else None for v, ok in zip(values.tolist(), good.tolist(), strict=True)]


def two_numbers(text: str) -> tuple[float, float] | None:
    """The larger and the smaller number that a text may be; None where it is one, or none."""
    read = written(text)
    if read is None or read.point is None or read.comma is None or read.point == read.comma:
        return None
    return max(read.point, read.comma), min(read.point, read.comma)


def _take_day(text: str, spoken_on: date | None) -> tuple[str, date | None, bool]:
    """The text without its day, the day, and whether a day is there that is none."""
    for pattern in _DATES:
        match = pattern.search(text)
        if match is not None:
            day = _day(match.groupdict(), spoken_on)
            return f"{text[: match.start()]} {text[match.end() :]}", day, day is None
    return text, None, False


def _day(parts: Mapping[str, str | None], spoken_on: date | None) -> date | None:
    month = str(parts["month"])
    number = int(month) if month.isdigit() else _MONTHS.index(month[:3]) + 1
    year = parts.get("year")
    try:
        if year is not None:
            return date(int(year), number, int(str(parts["day"])))
        if spoken_on is None:
            return None
        found = date(spoken_on.year, number, int(str(parts["day"])))
        return found if found >= spoken_on else found.replace(year=spoken_on.year + 1)
    except ValueError:
        return None


def _take_number(text: str, pattern: re.Pattern[str]) -> tuple[str, float | None]:
    """The text without a number of this kind, and the number; one that cannot be read stays in the text."""
    match = pattern.search(text)
    number = None if match is None else number_of(next(g for g in match.groups() if g is not None))
    if match is None or number is None:
        return text, None
    return f"{text[: match.start()]} {text[match.end() :]}", number


def _left_over(text: str, is_told_what: bool) -> Said | None:
    """What the words beside days and numbers say; None where one is not understood. is_told_what: a day is known to be
    one of delivery, as there is a quantity or a price beside it; else a word must say so."""
    found: OrderState | None = None
    at = 0
    while match := _beside().match(text, at):
        at = match.end()
        word = match["word"]
        if word is None:
            continue
        state = _states().get(plain(word))
        if state is not None and word not in _table()["day_words"]:
            if state not in _WITH_OFFER or word in _table()["alone_words"] or found not in (None, state):
                return None
            found = state
        is_told_what |= word in _table()["day_words"] or state is not None
    return Said(found) if at == len(text) and is_told_what else None


@cache
def _states() -> Mapping[str, OrderState]:
    """Words for states, plain."""
    states: dict[str, str] = {plain(state): state for state in REPORTED}
    for language in LANGUAGES:
        states |= {plain(say(f"dispatch.state.{state}", language)): state for state in REPORTED}
    for state in REPORTED:
        states |= {plain(word): state for word in _table().get(state, ())}
    return cast(Mapping[str, OrderState], states)


@cache
def _beside() -> re.Pattern[str]:
    """One word that may stand beside the day, quantity or price of an offer, or signs between words."""
    told = _table()
    states = [word for state in _WITH_OFFER for word in (*told[state], say(f"dispatch.state.{state}", "zh"), state)]
    words = [*states, *told["day_words"], *told["units_words"], *told["counted_words"], *told["other_words"]]
    return re.compile(rf"[\s,.;:!，。；：！、()（）/]+|(?P<word>{_any(words)})")


@cache
def _table() -> Mapping[str, list[str]]:
    text = files("datong.connectors.filedrop").joinpath("answer_words.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


def _any(words: list[str]) -> str:
    """One of some words, the longest that fits; one in letters ends where its letters end."""
    bounded = [
        rf"(?<![a-z]){re.escape(w)}(?![a-z])" if w[-1:].isascii() and w.isalpha() else re.escape(w) for w in words
    ]
    return "|".join(sorted(set(bounded), key=lambda w: (-len(w), w)))


@cache
def _price() -> re.Pattern[str]:
    """A number with a word for a price before it, or a currency beside it."""
    told = _table()
    price, money, between = _any(told["price_words"]), _any(told["money_words"]), _any(told["between_words"])
    return re.compile(
        rf"(?:{price})[ :：]*(?:(?:{between})[ :：]*)*(?:{money})? ?({_NUMBER})(?: ?(?:{money})(?! ?\d))?"
        rf"|(?:{money}) ?({_NUMBER})|({_NUMBER}) ?(?:{money})(?! ?\d)"
    )


@cache
def _units() -> re.Pattern[str]:
    """A number with a word for a quantity that can be done before it, or `only` behind it."""
    told = _table()
    cue, counted, between = _any(told["units_words"]), _any(told["counted_words"]), _any(told["between_words"])
    return re.compile(
        rf"(?:{cue})[ :：]*(?:(?:{between})[ :：]*)*({_NUMBER}) ?(?:(?:{counted}))?"
        rf"|({_NUMBER}) ?(?:{counted})? ?only"
    )
