"""Numbers that people write in words, as digits: 一百件, 两千, a hundred, eighty-five."""

import re
from functools import cache

_DIGITS = {sign: at for at, sign in enumerate("〇一二三四五六七八九")} | {"零": 0, "两": 2}
# One number below 10,000, each place at most once: 一百零五, 三千二百. "一百二" could be 102 or 120, and is none.
_D = "[一二两三四五六七八九]"
_BELOW_10_000 = re.compile(
    rf"(?:({_D})千)?(零(?={_D}?[百十]|{_D}$))?(?:({_D})百)?(零(?={_D}?十|{_D}$))?(?:({_D}?)十)?({_D})?"
)
_CHINESE = re.compile(r"[零〇一二两三四五六七八九十百千万]+")
# What is counted behind a number of one sign, which else is part of many words: 一定, 十分.
_COUNTED = re.compile(r"件|台|套|箱|包|只(?![能有做要])|个(?!月|星期|礼拜|工作|小时|班|人)")
# Behind these signs a number is only about so much: 十几件, 一百多.
_ABOUT = ("几", "多", "来", "余", "分", "半", "点几", "左右")
_ONES = (
    *("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve", "thirteen"),
    *("fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"),
)
_TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_LEAST = 10  # "two" stands in "two weeks later", too
_PIECES = re.compile(r" (?:pcs|pieces?|units?)(?![a-z])")


def in_digits(text: str) -> str:
    """A text in small letters with its numbers in words as digits. A number that is none, or could be two, stays."""

    def chinese(match: re.Match[str]) -> str:
        behind = text[match.end() :]
        number = _chinese(match[0])
        is_counted = _COUNTED.match(behind) is not None
        if number is None or behind.startswith(_ABOUT) or (len(match[0]) == 1 and not is_counted):
            return match[0]
        return str(number)

    text = _CHINESE.sub(chinese, text)

    def english(match: re.Match[str]) -> str:
        number = _english(re.split(r"[ -]", match[0]))
        is_counted = _PIECES.match(text, match.end()) is not None
        return match[0] if number is None or (number < _LEAST and not is_counted) else str(number)

    return _in_english().sub(english, text)


def _chinese(text: str) -> int | None:
    head, sign, tail = text.partition("万")
    if not sign:
        return _below_10_000(head)
    many = _below_10_000(head)
    few = 0 if not tail else _below_10_000(tail.removeprefix("零"))
    if many is None or few is None or (tail and not tail.startswith("零") and few < 1000):
        return None
    return many * 10_000 + few


def _below_10_000(text: str) -> int | None:
    match = _BELOW_10_000.fullmatch(text)
    if not text or match is None:
        return None
    thousands, _, hundreds, _, tens, ones = match.groups()
    has_gap = ("千" in text and hundreds is None) or ("百" in text and tens is None)
    if has_gap and (ones or tens) and "零" not in text:
        return None
    total = 1000 * _DIGITS.get(thousands or "", 0) + 100 * _DIGITS.get(hundreds or "", 0)
    total += 0 if tens is None else 10 * _DIGITS.get(tens, 1)
    return total + _DIGITS.get(ones or "", 0)


def _english(words: list[str]) -> int | None:
    """A number of words in their order: thousands, hundreds, tens, ones."""
    total, part, least = 0, 0, 1_000_000
    for word in words:
        if word == "and":
            if not part and not total:
                return None
        elif word in ("hundred", "thousand"):
            size = 100 if word == "hundred" else 1000
            if not 0 < part < (10 if size == 100 else 1000) or least <= size:
                return None
            total, part, least = (total + part * 1000, 0, 1000) if size == 1000 else (total, part * 100, 100)
        else:
            number = 1 if word == "a" else _ONES.index(word) + 1 if word in _ONES else 10 * (_TENS.index(word) + 2)
            room = part % 100
            if (room and not (room >= 20 and room % 10 == 0 and number < 10)) or (part % 10 and room):
                return None
            part += number
    return total + part if words[-1] != "and" else None


@cache
def _in_english() -> re.Pattern[str]:
    word = "|".join((*_ONES, *_TENS, "hundred", "thousand"))
    return re.compile(rf"(?<![a-z])(?:a (?=hundred|thousand))?(?:{word})(?:(?:-| | and )(?:{word}))*(?![a-z])")
