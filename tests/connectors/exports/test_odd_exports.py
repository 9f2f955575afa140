"""Odd exports of shops in eight languages: read rightly, asked about or refused; never wrongly in silence."""

from collections import Counter
from pathlib import Path

import pytest

from connectors.exports.odd_exports import odd
from connectors.exports.test_any_convention import by_day
from datong.connectors.exports.reading import read_export

SEEDS = 100
# Of all files, that are read rightly without a question.
LEAST_RIGHT = 0.8


def outcome(folder: Path, seed: int) -> tuple[str, dict[str, object]]:
    """right, asked, refused or wrong; and the conventions, with what is asked."""
    made = odd(folder, seed)
    reading = read_export(made.path)
    how = {"seed": seed, **made.how, "asked": [question.key for question in reading.questions]}
    right = by_day(reading, "sales") == dict(made.sold) and by_day(reading, "returns") == dict(made.returned)
    word = "refused" if reading.missing else "asked" if reading.questions else "right" if right else "wrong"
    return word, how


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[str, dict[str, object]]]:
    folder = tmp_path_factory.mktemp("odd")
    return [outcome(folder, seed) for seed in range(SEEDS)]


def test_nothing_is_read_wrongly_in_silence(outcomes: list[tuple[str, dict[str, object]]]) -> None:
    assert [how for word, how in outcomes if word == "wrong"] == []


def test_most_is_read_without_a_question(outcomes: list[tuple[str, dict[str, object]]]) -> None:
    assert Counter(word for word, _ in outcomes)["right"] >= LEAST_RIGHT * SEEDS
