"""Numbers as people write them: a dash behind the decimal sign stands for no cents, behind a digit for a minus."""

import itertools

import pytest

from datong.connectors.exports.numbers import written

WITHOUT_CENTS = [
    (before + digits + mark + dash + after, mark, value)
    for (digits, value), mark, dash, (before, after) in itertools.product(
        [("12", 12.0), ("3", 3.0), ("999", 999.0)],
        ",.",
        ["-", "--", "–", "—", " -"],
        [("", ""), ("€ ", ""), ("", " €"), ("CHF ", "")],
    )
] + [("-12,-", ",", -12.0), ("(12,-)", ",", -12.0), ("- 12.--", ".", -12.0), ("1.250,-", ",", 1250.0)]


@pytest.mark.parametrize(("text", "mark", "value"), WITHOUT_CENTS)
def test_a_dash_for_the_cents_is_no_minus(text: str, mark: str, value: float) -> None:
    read = written(text)
    assert read is not None
    assert (read.point if mark == "." else read.comma) == value


@pytest.mark.parametrize("text", ["3-", "3 -", "-3", "−3", "(3)", "3–", "'-3", "3- €", "€ 3-", "€ -3"])
def test_a_dash_beside_the_digits_is_a_minus(text: str) -> None:
    read = written(text)
    assert read is not None
    assert (read.point, read.comma) == (-3.0, -3.0)
