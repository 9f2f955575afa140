"""Trade item numbers (GTIN-8, -12, -13, -14): whether a text is one, and which (GS1 General Specifications, 7.9)."""

from datong.connectors.exports.vocabulary import plain

LENGTHS = (8, 12, 13, 14)
WHOLE = 14


def gtin_of(text: str | None) -> str | None:
    """The number in its 14 digits; None where a text is none: by its length, its check digit, or as one that firms
    give out for themselves (a prefix of 2, 02 or 04)."""
    digits = plain(text or "").replace(" ", "")
    if not digits.isdigit() or len(digits) not in LENGTHS or not int(digits) or check_digit(digits[:-1]) != digits[-1]:
        return None
    whole = digits.zfill(WHOLE)
    of_thirteen = whole[1:]
    if len(digits) != LENGTHS[0] and (of_thirteen[0] == "2" or of_thirteen[:2] in ("02", "04")):
        return None
    if len(digits) == LENGTHS[0] and digits[0] in "02":
        return None
    return whole


def check_digit(digits: str) -> str:
    """The last digit of a number without it: weights 3 and 1 from the right, up to a whole ten."""
    total = sum(int(d) * (3 if place % 2 == 0 else 1) for place, d in enumerate(reversed(digits)))
    return str(-total % 10)
