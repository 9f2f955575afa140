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


@pytest.mark.parametrize(
    ("text", "value"),
    [("½", 0.5), ("4½", 4.5), ("1 1/2", 1.5), ("3/4 kg", 0.75), ("2 ¼", 2.25), ("-½", -0.5), ("12 3/8", 12.375)],
)
def test_fractions_are_parts_of_one(text: str, value: float) -> None:
    found = written(text)
    assert found is not None and (found.point, found.comma) == (value, value)


@pytest.mark.parametrize("text", ["3/2", "3/5", "1/2/2026", "5/17", "4/4", "12/24"])
def test_what_is_no_part_of_one_is_no_fraction(text: str) -> None:
    assert written(text) is None


def test_a_price_may_name_what_it_is_of() -> None:
    found = written("24.90/Nos")
    assert found is not None and (found.point, found.unit) == (24.9, "")
    assert written("5 Nos") is not None and written("24.90/Kettle") is None and written("No. 5") is None
