"""Numbers, money and days as people write them, in either language."""

import math
from collections.abc import Sequence
from datetime import date

from datong.model.words import digits_of

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
NONE = "–"


def number(value: float | None, digits: int = 0) -> str:
    """With thousands separators; a dash where there is none."""
    if value is None or not math.isfinite(value):
        return NONE
    text = f"{value:,.{digits}f}"
    return text[1:] if float(text.replace(",", "")) == 0 and text.startswith("-") else text


def fitting(value: float | None) -> str:
    """With as many digits after the point as `digits_of` it, at most 2."""
    if value is None or not math.isfinite(value):
        return NONE
    return number(value, digits_of(value))


def compact(value: float | None, language: str) -> str:
    """Short: 12.3k, 4.5M; in Chinese by ten thousands: 1.2万, 3.4亿."""
    if value is None or not math.isfinite(value):
        return NONE
    steps = ((1e8, "亿"), (1e4, "万")) if language == "zh" else ((1e9, "bn"), (1e6, "M"), (1e3, "k"))
    for step, word in steps:
        if abs(value) >= step * 0.99995:
            scaled = value / step
            digits = 0 if abs(scaled) >= 99.95 else 1 if abs(scaled) >= 9.995 else 2
            text = f"{scaled:,.{digits}f}"
            return (text.rstrip("0").rstrip(".") if "." in text else text) + word
    return fitting(value)


def money(value: float | None, currency: str, language: str) -> str:
    if value is None or not math.isfinite(value):
        return NONE
    return f"{compact(value, language)} {currency}" if language == "zh" else f"{currency} {compact(value, language)}"


def signed(value: float | None) -> str:
    """With a plus where it is more."""
    text = number(value)
    return f"+{text}" if value is not None and value > 0 and text != "0" else text


def share(value: float | None, digits: int = 1) -> str:
    if value is None or not math.isfinite(value):
        return NONE
    return number(value * 100, digits) + "%"


def rounded_up(value: float) -> float:
    """A share rounded up to a hundredth of a percent, so that 'at most' stays true."""
    return math.ceil(value * 1e4 - 1e-6) / 1e4 if math.isfinite(value) else value


def share_at_most(value: float | None) -> str:
    """`rounded_up` in percent."""
    return NONE if value is None else share(rounded_up(value), 2)


def one_after_another(sentences: Sequence[str], language: str) -> str:
    """Sentences in a row: Chinese has no space between them."""
    return ("" if language == "zh" else " ").join(sentences)


def short_day(day: date, language: str) -> str:
    """For an axis: 3 Jul, 7/3."""
    return f"{day.month}/{day.day}" if language == "zh" else f"{day.day} {MONTHS[day.month - 1]}"


def long_day(day: date, language: str) -> str:
    """3 Jul 2023, 2023年7月3日."""
    if language == "zh":
        return f"{day.year}年{day.month}月{day.day}日"
    return f"{day.day} {MONTHS[day.month - 1]} {day.year}"
