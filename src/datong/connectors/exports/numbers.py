"""Numbers as people and spreadsheets write them: signs, currencies, units, grouping; and which sign is the decimal one.

A text such as '1,250' is 1250 or 1.25. What the sign means is found over all columns of numbers together: '0,750',
'1,5' and '1.234,50' can be read in one way only. Where nothing in the file tells, it is a question.
"""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from datong.connectors.exports.cells import Cells
from datong.connectors.exports.vocabulary import plain, words

DecimalSign = Literal[".", ","]
DECIMAL_SIGNS: tuple[DecimalSign, DecimalSign] = (".", ",")

_WRITTEN = re.compile(r"([^0-9]*?)([.,]?[0-9](?:[0-9.,' ]*[0-9])?(?:[eE][+-]?[0-9]+)?[.,]?)([^0-9]*)")
_MARKS_OF_ONE_KIND = {"-": "−–—‒﹣－‐‑➖", "'": "’‘´`＇ʼ", " ": "\u00a0\u202f\u2009\u2007\u3000"}
_DASHES = str.maketrans({odd: mark for mark, some in _MARKS_OF_ONE_KIND.items() for odd in some} | {"٫": ".", "٬": ","})
_TRIANGLE = re.compile(r"^[△▲]\s*(?=[¥￥]?\s*[\d.,])")  # before a number below zero, as Japanese books write it
_GROUPED_BY_BLANKS = re.compile(r"[0-9]{1,3}(?:[ '][0-9]{3})+(?:[.,][0-9]+)?")
_READINGS = {
    mark: re.compile(
        rf"(?:[0-9]+|[1-9][0-9]{{0,2}}(?:\{other}[0-9]{{3}})+|[1-9][0-9]?(?:\{other}[0-9]{{2}})+\{other}[0-9]{{3}})?"
        rf"(?:\{mark}[0-9]*)?"
    )
    for mark, other in ((".", ","), (",", "."))
}
# Fractions without a whole number before them; 3/5 is rather a day.
_USUAL = frozenset({(1, 2), (1, 3), (2, 3), (1, 4), (3, 4)})
_FRACTION_SIGN = re.compile("[\u00bc-\u00be\u2150-\u215e]")
_FRACTION = re.compile(r"(?P<sign>-?) *(?:(?P<whole>\d{1,4}) +)?(?P<above>\d)/(?P<below>[2-9]|1[026])(?![\d/])")
_PLAIN = r"^-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?$"
_MANY = re.compile(r"([kK万千亿])(?![a-zA-Z克瓦米])")  # 3k, 1.2万; not kg
_SCALES = {"k": 1000, "千": 1000, "万": 10_000, "亿": 100_000_000}
_NOTHING = frozenset({"", "-", "--", "n/a", "na", "nan", "null", "none", "nil", "#n/a", "无", "空"})


@dataclass(frozen=True)
class Written:
    """One text as a number. point, comma: what it is with that sign for decimals; None: it cannot be read so.
    unit: what it counts, plain; '' for none. money: a currency stands with it. empty: it says that there is nothing.
    trailing_zero, long_plain, whole: it ends in 0; more than three digits and no sign between; digits alone."""

    point: float | None
    comma: float | None
    unit: str = ""
    empty: bool = False
    trailing_zero: bool = False
    long_plain: bool = False
    whole: bool = False
    money: bool = False


@dataclass(frozen=True, eq=False)
class NumberColumn:
    """A column of numbers, read both ways. point, comma: (row,) float64, NaN where it cannot be read so or is empty.

    unread: (row,) bool: there is something, and it is no number. units: what the cells say they count. rules: signs
    that are certainly the decimal one in some cell; grouping: the one that the other cells suggest. unsure: (row,)
    bool: the two readings differ. money: some cells are money.
    """

    point: np.ndarray
    comma: np.ndarray
    unread: np.ndarray
    units: tuple[str, ...]
    rules: frozenset[DecimalSign]
    grouping: DecimalSign | None
    unsure: np.ndarray
    money: bool = False

    @property
    def is_mixed(self) -> bool:
        """Whether both signs stand before three digits, 1,250 and 1.250, and no cell proves what either is."""
        larger = np.abs(self.point[self.unsure]) > np.abs(self.comma[self.unsure])
        return not self.rules and bool(larger.any()) and not larger.all()

    def grouped(self) -> np.ndarray:
        """As numbers, with either sign between thousands where it may be."""
        return np.where(self.unsure & (np.abs(self.comma) > np.abs(self.point)), self.comma, self.values("."))

    def values(self, mark: DecimalSign) -> np.ndarray:
        """As numbers, with `mark` for decimals; what is only readable otherwise is read otherwise."""
        first, second = (self.point, self.comma) if mark == "." else (self.comma, self.point)
        return np.where(np.isnan(first), second, first)


@lru_cache(maxsize=200_000)
def written(text: str) -> Written | None:
    """A text as a number, None where it is none."""
    text = unicodedata.normalize("NFKC", _FRACTION_SIGN.sub(_spelled_out, text)).translate(_DASHES).strip()
    text = _TRIANGLE.sub("-", text)
    if (part := _FRACTION.match(text)) is not None:
        return _with_fraction(text, part)
    if not text.isascii():
        text = "".join(str(unicodedata.digit(c)) if c.isdecimal() else c for c in text)
    if text.startswith('="') and text.endswith('"'):
        text = text[2:-1].strip()
    text = text.removeprefix("'").strip()
    if text.casefold() in _NOTHING:
        return Written(None, None, empty=True)
    found = _WRITTEN.fullmatch(text)
    if found is None:
        return None
    before, core, after = (part.strip() for part in found.groups())
    if core[0] in ".," and before.strip("+-( "):  # the point of an abbreviation: Rs.500
        before, core = before + core[0], core[1:]
    if core.endswith((",", ".")) and after.startswith("-"):  # 12,- and 12.-- are prices without cents
        after = after.lstrip("-").strip()
    sign = (
        -1 if "-" in before or after.startswith("-") or after.endswith("-") or ("(" in before and ")" in after) else 1
    )
    if ("(" in before) != (")" in after):
        return None
    many = _MANY.match(after)
    scale = 1 if many is None else _SCALES[many[1].lower()]
    unit = _unit(before, after if many is None else after[many.end() :])
    if unit is None:
        return None
    unit, money = unit
    sign *= scale
    point, comma = (_value(core, mark) for mark in DECIMAL_SIGNS)
    if point is None and comma is None:
        return None
    digits = core.replace(" ", "").replace("'", "")
    return Written(
        None if point is None else sign * point,
        None if comma is None else sign * comma,
        unit,
        trailing_zero=digits.endswith("0"),
        long_plain=len(digits) > 3 and digits.isdigit() and digits[0] != "0",
        whole=digits.isdigit(),
        money=money,
    )


def _spelled_out(sign: re.Match[str]) -> str:
    """One half, as it is one sign, as 1/2."""
    return " " + unicodedata.normalize("NFKD", sign[0]).replace("\u2044", "/")


def _with_fraction(text: str, part: re.Match[str]) -> Written | None:
    """A number with a fraction: 1 1/2, 3/4 kg."""
    above, below, rest = int(part["above"]), int(part["below"]), text[part.end() :].strip()
    unit = _unit("", rest)
    if unit is None or not 0 < above < below or (part["whole"] is None and (above, below) not in _USUAL):
        return None
    value = (int(part["whole"] or 0) + above / below) * (-1 if part["sign"] else 1)
    return Written(value, value, unit[0], money=unit[1])


def _unit(before: str, after: str) -> tuple[str, bool] | None:
    """The unit that stands around the digits, plain, and whether a currency does; None where it is no number then."""
    known = words("numbers", "currencies"), words("numbers", "units")
    result, money = "", False
    if after.startswith("/") and plain(after[1:]).rstrip(".") in known[1]:  # a price of one: 24.90/Nos
        after = ""
    for part in (before.strip("+-( "), after.strip("+-) ")):
        word = plain(part).strip(" +-()")
        if not word:
            continue
        if not any(word in some or word.rstrip(".") in some for some in known):
            return None
        if word in known[1] or word.rstrip(".") in known[1]:
            result = word.rstrip(".")
        else:
            money = True
    return result, money


def _value(core: str, mark: DecimalSign) -> float | None:
    mantissa, _, exponent = core.lower().partition("e")
    if " " in mantissa or "'" in mantissa:
        if not _GROUPED_BY_BLANKS.fullmatch(mantissa):
            return None
        mantissa = mantissa.replace(" ", "").replace("'", "")
    if not _READINGS[mark].fullmatch(mantissa) or not any(c.isdigit() for c in mantissa):
        return None
    other = "," if mark == "." else "."
    return float(mantissa.replace(other, "").replace(mark, ".") + (f"e{exponent}" if exponent else ""))


def share_of_numbers(texts: Sequence[str]) -> tuple[float, float, float]:
    """Of filled texts: the share that are numbers, the share of these that may be whole, and their typical size."""
    read = [w for w in map(written, texts) if w is not None and not w.empty]
    filled = sum(w is None or not w.empty for w in map(written, texts))
    if not read or not filled:
        return 0.0, 0.0, 0.0
    values = [w.point if w.point is not None else w.comma for w in read]
    numbers = [abs(v) for v in values if v is not None]
    return len(read) / filled, sum(v == int(v) for v in numbers) / len(numbers), float(np.median(numbers))


def read_numbers(cells: Cells) -> NumberColumn:
    """A column as numbers, in both readings. Typed cells of a workbook mean what they say."""
    text = cells.text
    size = len(text)
    if cells.kind is None and _all_plain(text):
        return _plain_numbers(text)
    encoded = text.dictionary_encode()
    distinct = [written(value) for value in encoded.dictionary.to_pylist()]
    places = encoded.indices.fill_null(len(distinct)).to_numpy(zero_copy_only=False)
    nothing = Written(None, None, empty=True)
    read = [w or Written(None, None) for w in distinct] + [nothing]
    point = np.array([np.nan if w.point is None else w.point for w in read])[places]
    comma = np.array([np.nan if w.comma is None else w.comma for w in read])[places]
    bad = np.array([w is None for w in distinct] + [False])[places]
    if cells.kind is not None:
        typed = cells.kind == Cells.NUMBER
        point = np.where(
            typed, pc.cast(pc.if_else(pa.array(typed), text, None), pa.float64()).to_numpy(zero_copy_only=False), point
        )
        comma, bad = np.where(typed, point, comma), bad & ~typed
        seen = np.zeros(len(read), dtype=bool)
        seen[places[~typed]] = True
        read = [w for w, is_seen in zip(read, seen, strict=True) if is_seen]
    return NumberColumn(
        point,
        comma,
        bad,
        tuple(sorted({w.unit for w in read} - {""})),
        *_evidence(read),
        _unsure(point, comma, size),
        any(w.money for w in read),
    )


def _all_plain(text: pa.Array) -> bool:
    return bool(pc.all(pc.match_substring_regex(text, _PLAIN)).as_py() is not False) and len(text) > 0


def _plain_numbers(text: pa.Array) -> NumberColumn:
    """Numbers without anything around them and no comma, which Arrow reads at once."""
    point = pc.cast(text, pa.float64()).to_numpy(zero_copy_only=False)
    ambiguous = pc.fill_null(pc.match_substring_regex(text, r"^-?[1-9][0-9]{0,2}\.[0-9]{3}$"), False)
    dotted = pc.fill_null(pc.match_substring(text, "."), False)
    either = ambiguous.to_numpy(zero_copy_only=False)
    comma = np.where(dotted.to_numpy(zero_copy_only=False), np.nan, point)
    comma[either] = np.round(point[either] * 1000)
    proof = bool(pc.any(pc.and_not(dotted, ambiguous)).as_py())
    telling = pc.or_(ambiguous, pc.invert(dotted)) if either.any() else ambiguous
    distinct = [
        w for w in map(written, pc.unique(text.filter(telling).drop_null()).slice(0, 5000).to_pylist()) if w is not None
    ]
    rules, grouping = _evidence(distinct)
    return NumberColumn(
        point, comma, np.zeros(len(text), dtype=bool), (), rules | ({"."} if proof else set()), grouping, either
    )


def _unsure(point: np.ndarray, comma: np.ndarray, size: int) -> np.ndarray:
    both = ~np.isnan(point) & ~np.isnan(comma)
    return both & (point != comma) if size else np.zeros(0, dtype=bool)


def _evidence(read: Sequence[Written]) -> tuple[frozenset[DecimalSign], DecimalSign | None]:
    """Which signs are certainly the decimal one in some cell; and, where none is, what the other cells suggest.

    In a column that holds '1500' nobody groups, so that '1,250' has decimals. In one that holds '80' and '1,250',
    a last zero is written only in a group: nobody writes 1.25 with three decimals and 80 with none.
    """
    there = [w for w in read if not w.empty and (w.point is not None or w.comma is not None)]
    rules: set[DecimalSign] = set()
    if any(w.point is None for w in there):
        rules.add(",")
    if any(w.comma is None for w in there):
        rules.add(".")
    unsure = [w for w in there if w.point is not None and w.comma is not None and w.point != w.comma]
    if rules or not unsure:
        return frozenset(rules), None
    assert unsure[0].point is not None and unsure[0].comma is not None
    signs: set[DecimalSign] = {"." if abs(w.point or 0) < abs(w.comma or 0) else "," for w in unsure}
    if len(signs) > 1:
        return frozenset(), None
    (sign,) = signs
    other: DecimalSign = "," if sign == "." else "."
    if any(w.long_plain for w in there):
        return frozenset(), sign
    if any(w.whole for w in there) and any(w.trailing_zero for w in unsure):
        return frozenset(), other
    return frozenset(), None


@dataclass(frozen=True)
class Decided:
    """What the decimal sign of each column is. unsure: columns in which two readings are left."""

    marks: Mapping[str, DecimalSign]
    unsure: tuple[str, ...]
    comma_proved: bool = False


def decide_decimals(columns: Mapping[str, NumberColumn], fits: Mapping[DecimalSign, float]) -> Decided:
    """The decimal sign of each column, by all of them together.

    fits: for each sign, the share of rows in which price x units = amount, where there are such columns.
    """
    proofs = {mark for column in columns.values() for mark in column.rules}
    hints = {column.grouping for column in columns.values() if column.grouping}
    common: DecimalSign | None = None
    if len(proofs) == 1:
        (common,) = proofs
    elif not proofs and len(hints) == 1:
        (common,) = hints
    elif not proofs and fits and max(fits.values()) > 0.9 and min(fits.values()) < 0.5:
        common = max(DECIMAL_SIGNS, key=lambda mark: fits.get(mark, 0.0))
    marks: dict[str, DecimalSign] = {}
    unsure = []
    for name, column in columns.items():
        if len(column.rules) == 1:
            (marks[name],) = column.rules
        elif len(column.rules) == 2:
            marks[name] = "."
            if column.unsure.any():
                unsure.append(name)
        elif column.grouping is not None and (common is None or len(proofs) != 1):
            marks[name] = column.grouping
        elif common is not None:
            marks[name] = common
        else:
            marks[name] = "."
            if column.unsure.any():
                unsure.append(name)
    return Decided(marks, tuple(unsure), proofs == {","})
