"""What a counterparty writes as its answer: a state, an offer ("延期到12月9日", "only 80", "price 12.5"), or both.

A text is understood whole or not at all: a word that is left over makes it a question.
"""

import re
import tomllib
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from difflib import get_close_matches
from functools import cache
from importlib.resources import files
from typing import cast

import numpy as np
import pyarrow as pa

from datong.connectors.exports.cells import cells_of
from datong.connectors.exports.numbers import read_numbers, written
from datong.connectors.filedrop.number_words import in_digits
from datong.connectors.filedrop.sheet_columns import plain
from datong.ledger.counter_offer import AS_ORDERED, Offer
from datong.ledger.order_life import REPORTED
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
# 12/9 is in December where a sheet is in Chinese; else it could be either of two, unless one of them is no month. It is
# a day only where it begins a text or follows a word for one: elsewhere it is a share.
_SLASHED = re.compile(r"(?:^|(?<=[到至:：])|(?<=by )|(?<=until )|(?<=due ))\s*(\d{1,2})/(\d{1,2})(?![\d/])")
# Days and weeks after the day that was asked for: 晚两天, "3 days later".
_COUNT = r"(?P<count>\d{1,3}|[一二两三四五六七八九十]{1,3}|one|two|three|four|five|six)"
_SPAN = r"(?P<span>天|日|个?星期|个?礼拜|周|days?|weeks?)"
_LATER = (
    re.compile(rf"(?:晚|迟|延期|延迟|延后|推迟|推后|顺延|延) ?{_COUNT} ?{_SPAN}"),
    re.compile(rf"(?:delay|delayed|postponed?)(?: by)? {_COUNT} {_SPAN}"),
    re.compile(rf"(?<![a-z]){_COUNT} {_SPAN} (?:later|late)(?![a-z])"),
)
# Days and weeks before the day that was asked for: 提前两天, "2 days earlier". 最早3天 says something else.
_EARLIER = (
    re.compile(rf"(?:提前|提早|(?<!最)早) ?{_COUNT} ?{_SPAN}"),
    re.compile(rf"(?<![a-z]){_COUNT} {_SPAN} (?:earlier|early|sooner|ahead)(?: of time)?(?![a-z])"),
)
# Days from now on: 三天后. A day of the month alone is the next such day: 15号, not line 3 (3号线).
_AFTER = re.compile(rf"(?<![晚迟延推后顺]){_COUNT} ?{_SPAN}(?:之后|以后|后)")
_OF_MONTH = re.compile(r"(?<![\d月年/.-])(?P<day>\d{1,2})号(?![线机楼仓厂车间店])")
# Days that are told by the one on which somebody speaks. "Next Wednesday" may be that of this week.
_NEXT_WEEK = re.compile(r"下个?(?:周|星期|礼拜)([一二三四五六日天])")
_THIS_WEEK = re.compile(r"[本这]个?(?:周|星期|礼拜)([一二三四五六日天])")
_SOON = (("大后天", 3), ("后天", 2), ("明天", 1), ("tomorrow", 1))
# The day on which a file was written. 昨天 is asked: a file may be written days after it was told.
_TODAY = ("今天", "今日", "today")
_DIGITS = {"一": 1, "二": 2, "两": 2, "三": 3, "四": 4, "五": 5, "六": 6, "七": 7, "八": 8, "九": 9, "日": 7, "天": 7}
_ENGLISH = {"one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6}
_IN_CHINESE = re.compile(r"[〇零一二三四五六七八九十廿]+(?=[年月日号])")
# A part of the day and an hour, as beside the day on which something happened.
_CLOCK = re.compile(
    r"(?P<part>凌晨|早上|上午|中午|下午|傍晚|晚上)? ?(?P<hour>\d{1,2})(?:[点时:](?P<minute>\d{1,2}|半)?分?整?)"
    r" ?(?P<half>am|pm)?"
    r"|(?P<only_hour>\d{1,2}) ?(?P<only_half>am|pm)"
)
# A delay beyond a year is a slip of the hand.
_MOST_DAYS_LATER = 366
_AFTER_NOON = ("下午", "傍晚", "晚上", "pm")
# "晚上1点" may be an hour past midnight: no hour before this one is one of an evening.
_EVENING, _FIRST_OF_EVENING = ("傍晚", "晚上"), 5
# What stands in place of a day or a number that was taken out of a text: a blank that nobody types.
_TAKEN = "\x1f"
# What parts a refusal from the offer behind it: "拒绝，12月9日才能交". A blank does so only behind Chinese.
_PARTED = re.compile(r" ?[,.;:!，。；：！、()（）]|(?<![a-z]) ")
_BETWEEN_PARTS = re.compile(r"[,.;:!，。；：！、()（）]|(?<=[\u4e00-\u9fff]) | (?=[\u4e00-\u9fff])")
# What is missing or broken: 没布料, 缺辅料了, 人手不够, no fabric.
_MISSING = re.compile(
    r"(?:我们|现在|目前)?(?:没有?|缺少?|无)[\u4e00-\u9fff]{1,6}|[\u4e00-\u9fff]{1,6}(?:不够|不足|没到|没来|坏了|故障|断货)了?"
    r"|(?:no|out_of|short_of|lack_of)_[a-z_]{2,30}"
)
_PARTS_OF_REMARK = re.compile(r"[,;!，。；！、()（）]|\.(?!\d)")
# A number, in words too where something is counted by it.
_COUNTS = re.compile(
    r"\d|[一二两三四五六七八九十百千万][件个只台套箱包天周星礼月成百千万十]|[零一二两三四五六七八九]十|十[一二三四五六七八九]"
)
# Answers that may have an offer beside them in one text.
_WITH_OFFER: tuple[OrderState, ...] = ("accepted", "refused", "offered")
# Without blanks: "80 120" could be two numbers.
_NUMBER = r"\d(?:[\d.,']*\d)?"
# Before units that are left out of those that were ordered: 少20件. 至少20 says something else.
_LESS = "少做|少交|少发|少供|少出|少生产|减少|减掉|减去|(?<![至最不缺减])少了?|减"


@dataclass(frozen=True)
class Said:
    """What a text says. state: None where it names none. offer: what it offers instead of what was ordered.
    is_by_speech: its day is counted from the one on which somebody spoke: 下周三. reason: of a refusal, as it says."""

    state: OrderState | None = None
    offer: Offer = AS_ORDERED
    is_by_speech: bool = False
    reason: str | None = None


@dataclass(frozen=True)
class Spoken:
    """What days of a text are understood by. on: the day on which it was said; a day without a year is the first such
    day from then on. due: the day that was asked for. None: not known, and what hangs on it is not understood.
    is_chinese: the month comes first. units: that were ordered, from which 少20件 counts."""

    on: date | None = None
    due: date | None = None
    is_chinese: bool = False
    units: float | None = None


@dataclass(frozen=True)
class _Day:
    """left: the text without its day. day: None where none is there, or, where it `is_wrong`, one that is none.
    is_loose: a delay or a day with a slash; beside it a refusal may be one of just that delay, or of a share.
    may_be_share: n/m with no word for a day before it."""

    left: str
    day: date | None = None
    is_wrong: bool = False
    is_by_speech: bool = False
    is_loose: bool = False
    may_be_share: bool = False


def said(text: str, spoken: Spoken) -> Said | None:
    """What an answer says; None where a part of it is not understood."""
    state = _state_of(plain(text)) or _said_in_parts(text)
    if state is not None:
        return Said(state, reason=_reasons_of(text) if state == "refused" else None)
    can_do = _units_that_can_be_done(text)
    if can_do is not None:
        return Said("accepted", Offer(units=can_do))
    text = _cannot_all().sub("", _even(text))
    found = _take_day(_even(text), spoken)
    left, less, is_wrong = _take_less(found.left, spoken)
    left, price = _take_number(left, _price())
    left, units = _take_number(left, _units())
    if is_wrong or (less is not None and units not in (None, less)):
        return None
    is_loose = found.is_loose or less is not None
    offer = Offer(less if units is None else units, found.day, price)
    is_told_what = offer.units is not None or price is not None
    beside = _left_over(left, is_told_what=is_told_what, may_be_share=found.may_be_share)
    if found.is_wrong or not offer or beside is None or (is_loose and beside.state == "refused"):
        return None
    return replace(beside, offer=offer, is_by_speech=found.is_by_speech)


def _units_that_can_be_done(text: str) -> float | None:
    """The units of a quantity that is said yes to, and nothing more: 100件没问题."""
    match = _so_many().fullmatch(_even(text))
    if match is None or _state_of(plain(match["answer"])) != "accepted":
        return None
    return number_of(match["units"])


def said_of_rest(text: str, spoken: Spoken) -> tuple[Said, bool]:
    """What a remark beside work that is begun offers for what is left of the order, a later day as one of its parts;
    and whether it seems to offer something that is not understood."""
    due, is_doubt = Said(), False
    for part in _PARTS_OF_REMARK.split(_even(text)):
        rest = _any_of("rest_words").sub(" ", part).strip()
        told = said(rest, spoken) if rest else Said()
        has_day = _take_day(rest, spoken)
        speaks_of_rest = rest != part.strip() or _any_of("day_words").search(rest) is not None
        if told is not None and told.offer.due is not None and told.offer == Offer(due=told.offer.due):
            is_later = spoken.due is None or told.offer.due > spoken.due
            is_doubt |= due.offer.due not in (None, told.offer.due)
            due = told if is_later else due
        elif told is not None and told.offer:
            is_doubt = True
        elif told is None and speaks_of_rest:
            day, due_day = has_day.day, spoken.due
            is_in_time = day is not None and due_day is not None and day <= due_day
            is_doubt |= not is_in_time and (day is not None or has_day.is_wrong or _says_time(rest))
    return due, is_doubt


def _says_time(even: str) -> bool:
    return _any_of("time_words").search(even) is not None


def _said_in_parts(text: str) -> OrderState | None:
    """The state that each part of a text says, parted by a sign (可以，没问题), a refusal also with its reason, beside
    courtesies (好的，尽量); None where a part says something else, or another state."""
    parts = [plain(part) for part in _BETWEEN_PARTS.split(_even(text)) if part.strip()]
    reasons, courtesies = {part for part in parts if _is_reason(part)}, _plain_words("courtesies")
    states = {_state_of(part) for part in parts if part not in reasons | courtesies}
    state = states.pop() if len(states) == 1 else None
    is_plain = not reasons and (state == "accepted" or not courtesies & {*parts})
    return state if state == "refused" or is_plain else None


def _state_of(word: str) -> OrderState | None:
    """The state of a plain word, also with a sign for `already` or for something that is new: 已经开工, 拒绝了."""
    short = word.replace("已经", "已")
    bare = short.removeprefix("已")
    forms = (word, short, bare, word.removesuffix("了"), bare.removesuffix("了"))
    return next((state for form in forms if (state := _states().get(form)) is not None), None)


def _is_reason(part: str) -> bool:
    """Whether a plain part of a text says why somebody refuses: something is missing or broken; no state, and nothing
    of a part of the order, a day or a price."""
    if part in _plain_words("refusal_reasons"):
        return True
    return _MISSING.fullmatch(part) is not None and _state_of(part) is None and not says_more(part.replace("_", " "))


def _reasons_of(text: str) -> str | None:
    """Why somebody refuses, as it stands beside the refusal."""
    parts = (part.strip() for part in _BETWEEN_PARTS.split(_even(text)))
    return "; ".join(part for part in parts if _is_reason(plain(part))) or None


def meant(text: str) -> OrderState | None:
    """The state that a text may mean. None where words for two states are as near. What says more than yes is never
    hinted to be an acceptance as ordered, and what says how much of the work is done, never to be the whole of it."""
    if is_reason_alone(text):
        return None
    near = _near(text)
    even = _even(text)
    if not says_more(text) or near not in (None, "accepted", "done"):
        return near
    if _any_of("work_words").search(even) and not _any_of("can_words").search(even):
        return "partly_done"
    return "offered" if near == "accepted" or not _refuses(even) else None


def says_more(text: str) -> bool:
    """Whether a text tells of a number, a day, a part, a price or a condition."""
    even = _even(text)
    kinds = ("part_words", "time_words", "more_money_words")
    return bool(_COUNTS.search(even) or _has_condition(even) or any(_any_of(kind).search(even) for kind in kinds))


def says_half(text: str) -> bool:
    """Whether a text tells of half of an order: 做好一半了."""
    return re.search(r"一半|半数|(?<![a-z])half(?![a-z])", _even(text)) is not None


def is_conditional(text: str) -> bool:
    """Whether a remark beside an acceptance takes something of it back: a condition, and what it is of."""
    even = _even(text)
    kinds = ("part_words", "time_words", "more_money_words")
    is_of_something = _COUNTS.search(even) or any(_any_of(kind).search(even) for kind in kinds)
    return bool(is_of_something) and _has_condition(even)


def is_perhaps_refused(text: str) -> bool:
    """Whether a text may be a refusal, or say that it cannot be done as asked: 不能接, 来不及."""
    return plain(text).removesuffix("了") in _plain_words("perhaps_refused")


def is_reason_alone(text: str) -> bool:
    """Whether a text says why, and not what: 没料 may be a refusal, or a delay."""
    parts = {plain(part) for part in _BETWEEN_PARTS.split(_even(text)) if part.strip()}
    return any(_is_reason(part) for part in parts) and "refused" not in {_state_of(part) for part in parts}


def _has_condition(even: str) -> bool:
    """A word such as 但 with something behind it."""
    return any(even[match.end() :].strip(" ,.;:!") for match in _any_of("but_words").finditer(even))


def _refuses(even: str) -> bool:
    found = _any_state().findall(plain(even))
    return any(_states()[word] == "refused" for word in found)


def _near(text: str) -> OrderState | None:
    """The state whose word stands nearest to a text: with a slip of the hand, where one sign of Chinese is another, or
    few letters are; or among more words."""
    typed = plain(text)
    if typed in _plain_words("perhaps_accepted"):
        return "accepted"
    if typed.isascii():
        near = get_close_matches(typed, [word for word in _states() if word.isascii()], 3, 0.8)
    else:
        alike = [word for word in _states() if len(word) == len(typed) > 1]
        near = [word for word in alike if sum(a != b for a, b in zip(word, typed, strict=True)) == 1]
    if not near and not typed.isascii():
        near = _any_state().findall(typed)
    states = {_states()[word] for word in near}
    return states.pop() if len(states) == 1 else None


def day_of(text: str, spoken: Spoken) -> tuple[date, bool] | None:
    """The day that a whole text names, and whether it is counted from the one on which somebody spoke."""
    found = _take_day(_even(text), spoken)
    beside = found.left.replace(_TAKEN, " ").strip()
    is_whole = not beside or beside in _table()["day_words"]
    return None if found.is_wrong or not is_whole or found.day is None else (found.day, found.is_by_speech)


def names_later_day(text: str, spoken: Spoken) -> bool:
    """Whether a text names a day after the one that was asked for."""
    day = _take_day(_even(text), spoken).day
    return day is not None and spoken.due is not None and day > spoken.due


def units_less(text: str, ordered: float | None) -> float | None:
    """The units that a whole text leaves of those that were ordered: 少20件 of 100; None for any other text."""
    left, units, is_wrong = _take_less(_even(text), Spoken(units=ordered))
    return None if is_wrong or left.replace(_TAKEN, " ").strip() else units


def is_only_received(text: str) -> bool:
    """Whether a text says that something came, and neither yes nor no: 收到, noted."""
    return plain(text).removesuffix("了") in {word.removesuffix("了") for word in _plain_words("perhaps_accepted")}


def moment_of(text: str, near: date, is_chinese: bool) -> tuple[date, time | None] | None:
    """The day, and the time of day where one is told, at which something happened. near: a day without a year is the
    one that is nearest to it."""
    spoken = Spoken(near - timedelta(days=182), None, is_chinese)
    told = _even(text)
    word = next((word for word in _TODAY if told.startswith(word)), None)
    found = _take_day(told if word is None else f"{near.isoformat()} {told.removeprefix(word)}", spoken)
    left = found.left.replace(_TAKEN, " ").strip(" ,，")
    if found.is_wrong or found.is_by_speech or found.day is None:
        return None
    if not left:
        return found.day, None
    match = _CLOCK.fullmatch(left)
    passed = None if match is None else _since_midnight(match.groupdict())
    if passed is None:
        return None
    moment = datetime.combine(found.day, time.min) + passed
    return moment.date(), moment.time()


def is_day_by_speech(text: str) -> bool:
    """Whether a moment is told by the day on which it was written: 今天."""
    return _even(text).startswith(_TODAY)


def _since_midnight(parts: Mapping[str, str | None]) -> timedelta | None:
    """How long after the beginning of its day a time is: 24 hours and more at night (晚上12点); None where it is none,
    or could be one of two."""
    hour = int(parts["hour"] or parts["only_hour"] or 0)
    part = parts["half"] or parts["only_half"] or parts["part"] or ""
    minute = 30 if parts["minute"] == "半" else int(parts["minute"] or 0)
    if hour > 23 or minute > 59 or (part in _EVENING and hour < _FIRST_OF_EVENING) or (part == "傍晚" and hour == 12):
        return None
    if (part in _AFTER_NOON and hour < 12) or (part == "中午" and hour < 3) or (part == "晚上" and hour == 12):
        hour += 12
    elif part in ("am", "凌晨") and hour == 12:
        hour = 0
    return timedelta(hours=hour, minutes=minute)


def _even(text: str) -> str:
    """A text without case, wide signs and blanks that mean nothing, and with numbers in digits."""
    found = " ".join(unicodedata.normalize("NFKC", text).casefold().split())
    return in_digits(_IN_CHINESE.sub(lambda match: _digits(match[0]), found))


def _digits(text: str) -> str:
    """十二 as 12, 廿三 as 23, 二〇二六 as 2026."""
    if "十" not in text and "廿" not in text:
        return "".join("0" if sign in "〇零" else str(_DIGITS[sign]) for sign in text)
    tens, _, ones = text.replace("廿", "二十").partition("十")
    return str((_DIGITS.get(tens, 1) if len(tens) < 2 else 99) * 10 + (_DIGITS.get(ones, 0) if len(ones) < 2 else 99))


def number_of(text: str) -> float | None:
    """The number that a whole text writes, with what it counts or its currency; None where it could be two numbers."""
    return numbers_of([text])[0]


def numbers_of(texts: list[str]) -> list[float | None]:
    """The numbers of a column; None for a cell that is none, is below nothing, or could be either of two numbers.

    Several people fill in one sheet: a comma for decimals in one row tells nothing of 2,100 in the next. Only where
    other cells prove the point, with which the sheet itself is written, is such a cell read by it.
    """
    texts = [text if any(sign.isdigit() for sign in text) else in_digits(text.casefold()) for text in texts]
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


def _take_day(text: str, spoken: Spoken) -> _Day:
    """A text without its day, and the day."""
    for pattern in _DATES:
        match = pattern.search(text)
        if match is not None:
            day = _day(match.groupdict(), spoken.on)
            return _Day(_without(text, match), day, day is None)
    for take in (_take_slashed, _take_later, _take_by_speech, _take_of_month):
        found = take(text, spoken)
        if found is not None:
            return found
    return _Day(text)


def _without(text: str, match: re.Match[str], word: str = "") -> str:
    return f"{text[: match.start()]}{_TAKEN} {word}{text[match.end() :]}"


def _take_slashed(text: str, spoken: Spoken) -> _Day | None:
    match = _SLASHED.search(text)
    if match is None:
        return None
    first, second = int(match[1]), int(match[2])
    if not spoken.is_chinese and first <= 12 and second <= 12 and first != second:
        return _Day(text, None, True)
    month, day = (first, second) if first <= 12 else (second, first)
    found = _day({"month": str(month), "day": str(day)}, spoken.on)
    return _Day(_without(text, match), found, found is None, is_loose=True, may_be_share=match.start() == 0)


def _take_later(text: str, spoken: Spoken) -> _Day | None:
    """A day so many days after, or before, the one that was asked for."""
    for patterns, sign in ((_LATER, 1), (_EARLIER, -1)):
        match = next((m for pattern in patterns if (m := pattern.search(text)) is not None), None)
        if match is None:
            continue
        days = _days_in(match)
        if spoken.due is None or not 0 < days <= _MOST_DAYS_LATER:
            return _Day(text, None, True)
        return _Day(_without(text, match, "改到 "), spoken.due + sign * timedelta(days=days), is_loose=True)
    return None


def _days_in(match: re.Match[str]) -> int:
    """Days of a count and a span of days or weeks."""
    count = match["count"]
    days = _ENGLISH.get(count) or int(count if count.isdigit() else _digits(count))
    return days if match["span"].startswith(("天", "日", "day")) else 7 * days


def _take_of_month(text: str, spoken: Spoken) -> _Day | None:
    """The next day of this number in its month, or one after so many days from now."""
    match = _AFTER.search(text)
    if match is not None and spoken.on is not None and 0 < (days := _days_in(match)) <= _MOST_DAYS_LATER:
        return _Day(_without(text, match), spoken.on + timedelta(days=days), False, True)
    match = _OF_MONTH.search(text)
    if match is None or spoken.on is None:
        return None
    first = spoken.on.replace(day=1)
    following = (first + timedelta(days=31)).replace(day=1)
    number = int(match["day"])
    for month in (first, following):
        day = month + timedelta(days=number - 1)
        if number >= 1 and day.month == month.month and day >= spoken.on:
            return _Day(_without(text, match), day, False, True)
    return _Day(text, None, True)


def _take_by_speech(text: str, spoken: Spoken) -> _Day | None:
    """A day that is counted from the one on which somebody spoke."""
    for pattern, weeks in ((_NEXT_WEEK, 1), (_THIS_WEEK, 0)):
        match = pattern.search(text)
        if match is not None:
            if spoken.on is None:
                return _Day(text, None, True)
            monday = spoken.on - timedelta(days=spoken.on.weekday())
            day = monday + timedelta(days=7 * weeks + _DIGITS[match[1]] - 1)
            return _Day(_without(text, match), day, day < spoken.on, True)
    for word, days in _SOON:
        if word in text:
            day = None if spoken.on is None else spoken.on + timedelta(days=days)
            return _Day(text.replace(word, f"{_TAKEN} ", 1), day, day is None, True)
    return None


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
    return _without(text, match), number


def _take_less(text: str, spoken: Spoken) -> tuple[str, float | None, bool]:
    """The text without units that are left out of those that were ordered, the units that stay, and whether nobody can
    tell how many those are."""
    match = _less().search(text)
    if match is None:
        return text, None, False
    number = number_of(match["fewer"] or match["less"])
    if number is None or spoken.units is None or not 0 < number < spoken.units:
        return text, None, True
    return _without(text, match), spoken.units - number, False


def _left_over(text: str, is_told_what: bool, may_be_share: bool) -> Said | None:
    """What the words beside days and numbers say; None where one is not understood, or where a refusal may be one of
    what seems to be offered: 12月9日不行, 不同意单价12.5. is_told_what: a day is known to be one of delivery, as there
    is a quantity or a price beside it; else a word must say so, and one for a day where it may_be_share."""
    is_told_what = is_told_what and not may_be_share
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
            if state == "refused" and (_TAKEN in text[:at] or _PARTED.match(text, at) is None):
                return None
            found = state
        is_told_what |= word in _table()["day_words"] or (state is not None and not may_be_share)
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
def _any_state() -> re.Pattern[str]:
    """A word of two signs or more for a state, plain."""
    return re.compile(_any([word for word in _states() if len(word) > 1 and not word.isascii()]))


@cache
def _plain_words(name: str) -> frozenset[str]:
    return frozenset(plain(word) for word in _table()[name])


@cache
def _any_of(name: str) -> re.Pattern[str]:
    return re.compile(_any(_table()[name]))


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


@cache
def _cannot_all() -> re.Pattern[str]:
    """That all of it cannot be done, before what can: 做不完，只能80."""
    return re.compile(rf"^(?:{_any(_table()['cannot_all'])})了? ?[,;.!，。；！](?=.)\s*")


@cache
def _so_many() -> re.Pattern[str]:
    return re.compile(rf"(?P<units>{_NUMBER}) ?(?:{_any(_table()['counted_words'])})[ ,，]?(?P<answer>\D+)")


def _any(words: list[str]) -> str:
    """One of some words, the longest that fits; one in letters ends where its letters end."""
    bounded = [
        rf"(?<![a-z]){re.escape(w)}(?![a-z])" if w[-1:].isascii() and w.isalpha() else re.escape(w) for w in words
    ]
    return "|".join(sorted(set(bounded), key=lambda w: (-len(w), w)))


@cache
def _less() -> re.Pattern[str]:
    """A number of units with a word before or behind it that they are left out: 少20件, "20 pcs fewer"."""
    counted = _any(_table()["counted_words"])
    ends = r"(?![\d.,'])(?! ?[%折成倍天日周月号])"
    return re.compile(
        rf"(?:{_LESS}) ?(?P<less>{_NUMBER}){ends} ?(?:{counted})?"
        rf"|(?<![\d.,'])(?P<fewer>{_NUMBER})(?: ?(?:{counted}))? (?:fewer|less|short)"
        r"(?: than (?:ordered|asked))?(?![a-z])"
    )


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
