"""Whatever a spreadsheet can write is read back as it was, or asked about; never as something else."""

from collections import defaultdict
from datetime import date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from connectors.exports.exports_made import made
from datong.connectors.exports.reading import Reading, read_export

SEEDS = 120
# Of all files, that are read without a question.
LEAST_READ = 0.9


def by_day(reading: Reading, table: str) -> dict[tuple[date, str], float]:
    """Units by local day and product."""
    result: dict[tuple[date, str], float] = defaultdict(float)
    part = reading.part(table)
    for row in [] if part is None else part.to_pylist():
        when = row["happened_at"]
        if reading.zone is not None:
            when = when.astimezone(ZoneInfo(reading.zone))
        if row["units"]:
            result[when.date() if isinstance(when, datetime) else when, row["product"]] += row["units"]
    return {key: round(units, 6) for key, units in result.items()}


def by_month(units: dict[tuple[date, str], float], reading: Reading) -> dict[tuple[date, str], float]:
    """Units by month and product, where those of a month were spread over its days; else as they are."""
    if reading.totals.spread is None:
        return units
    result: dict[tuple[date, str], float] = defaultdict(float)
    for (day, product), own in units.items():
        if own:
            result[day.replace(day=1), product] += own
    return {key: round(own, 6) for key, own in result.items()}


@pytest.fixture(scope="module")
def read(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[dict[str, object], Reading, bool]]:
    """Of each file: its conventions, its reading, and whether that is the truth."""
    folder = tmp_path_factory.mktemp("made")
    result = []
    for seed in range(SEEDS):
        file = made(folder, seed)
        reading = read_export(file.path)
        right = all(
            by_month(found, reading) == by_month(dict(true), reading)
            for found, true in ((by_day(reading, "sales"), file.sold), (by_day(reading, "returns"), file.returned))
        )
        result.append(({"seed": seed, **file.how}, reading, right))
    return result


def test_nothing_is_read_wrongly(read: list[tuple[dict[str, object], Reading, bool]]) -> None:
    assert [how for how, reading, right in read if not right and not reading.questions and not reading.missing] == []


def test_little_is_asked_and_nothing_refused(read: list[tuple[dict[str, object], Reading, bool]]) -> None:
    assert [how for how, reading, _ in read if reading.missing] == []
    assert sum(not reading.questions for _, reading, _ in read) >= LEAST_READ * SEEDS


def test_the_same_file_gives_the_same_reading(tmp_path: Path) -> None:
    file = made(tmp_path, 3)
    first, second = read_export(file.path), read_export(file.path)
    assert [(n, s.rows.to_pylist()) for n, s in first.parts] == [(n, s.rows.to_pylist()) for n, s in second.parts]
