"""The last week of an export counts where the export plainly goes to its end; where it does not, that is said."""

from datetime import date, datetime, time, timedelta
from pathlib import Path

import numpy as np
import pytest

from datong.connectors.exports.reading import Reading, read_export

MONDAY = date(2026, 9, 7)
WEEKS = 11  # the last of them ends on 2026-11-22
END = MONDAY + timedelta(days=7 * WEEKS - 1)
TODAY = date(2026, 11, 30)


def moments(open_days: int, opens: int, shuts: int, a_day: int, seed: int = 3) -> list[datetime]:
    """Sales of a shop that is open so many days of the week, from one hour to another."""
    draws = np.random.default_rng(seed)
    found = []
    for day in (MONDAY + timedelta(days=d) for d in range(7 * WEEKS)):
        if day.weekday() < open_days:
            minutes = np.sort(draws.integers(60 * opens, 60 * shuts, draws.poisson(a_day)))
            found += [datetime.combine(day, time(*divmod(int(m), 60))) for m in minutes]
    return found


def read(folder: Path, sold: list[datetime], shape: str = "%Y-%m-%d %H:%M", today: date = TODAY) -> Reading:
    path = folder / "sales.csv"
    rows = [f"{at:{shape}},{'AB'[i % 2]},{1 + i % 3}" for i, at in enumerate(sold)]
    path.write_text("\n".join(["Date,SKU,Qty", *rows]) + "\n", encoding="utf-8")
    return read_export(path, today=today)


def known(reading: Reading) -> set[date]:
    part = reading.part("sales")
    assert part is not None
    return {day for day in part["known_at"].to_pylist() if day} if "known_at" in part.column_names else set()


def said(reading: Reading, language: str = "en") -> list[str]:
    texts = [note.text(language) for note in reading.notes if note.key.startswith("export.open_")]
    assert len(texts) <= 1
    return texts


SHOPS = [(7, 8, 20, 6), (7, 0, 24, 40), (6, 9, 18, 5), (5, 9, 17, 12), (7, 10, 22, 2), (6, 9, 13, 30)]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("shop", SHOPS)
def test_a_whole_week_counts(tmp_path: Path, shop: tuple[int, int, int, int], seed: int) -> None:
    """In three of four weeks at least, since the last sale comes as late in that many."""
    reading = read(tmp_path, moments(*shop, seed=seed))
    assert known(reading) == {END} or "is sold later" in said(reading)[0]


def test_most_whole_weeks_count(tmp_path: Path) -> None:
    counted = [known(read(tmp_path, moments(*shop, seed=seed))) == {END} for shop in SHOPS for seed in range(6)]
    assert np.mean(counted) >= 0.7


@pytest.mark.parametrize("shop", SHOPS)
@pytest.mark.parametrize("days", [1, 2, 3])
def test_a_week_that_breaks_off_does_not(tmp_path: Path, shop: tuple[int, int, int, int], days: int) -> None:
    """So many of its open days are missing."""
    last = datetime.combine(END - timedelta(days=7 - shop[0] + days), time(23, 59))
    sold = [at for at in moments(*shop) if at <= last]
    reading = read(tmp_path, sold)
    assert known(reading) == set()
    (text,) = said(reading)
    first = END - timedelta(days=6)
    units = sum(1 + i % 3 for i, at in enumerate(sold) if at.date() >= first)
    assert (
        f"The week from {first} to {END}" in text and f" {units} unit" in text and f"{sold[-1]:%Y-%m-%d %H:%M}" in text
    )
    assert f"{first}" in said(reading, "zh")[0]


@pytest.mark.parametrize("open_days", [5, 6, 7])
def test_days_without_a_time_count_by_the_days_that_are_open(tmp_path: Path, open_days: int) -> None:
    sold = moments(open_days, 9, 18, 8)
    whole = known(read(tmp_path, sold, "%Y-%m-%d"))
    assert whole == {END}
    last = sold[-1].date()
    short = read(tmp_path, [at for at in sold if at.date() < last], "%Y-%m-%d")
    assert known(short) == set() and len(said(short)) == 1


def test_weeks_dated_by_their_monday_count(tmp_path: Path) -> None:
    sold = [datetime.combine(MONDAY + timedelta(days=7 * w), time()) for w in range(WEEKS) for _ in range(4)]
    assert known(read(tmp_path, sold, "%Y-%m-%d")) == {END}


def test_a_week_that_is_not_over_by_the_clock_does_not_count(tmp_path: Path) -> None:
    """A shop that is shut on Sundays, on Saturday."""
    sold = moments(6, 9, 18, 8)
    reading = read(tmp_path, sold, today=sold[-1].date())
    assert known(reading) == set() and "today is" in said(reading)[0]


def test_a_few_weeks_tell_nothing(tmp_path: Path) -> None:
    sold = [at for at in moments(7, 9, 18, 8) if at.date() > END - timedelta(days=21)]
    reading = read(tmp_path, sold)
    assert known(reading) == set() and "Too few" in said(reading)[0]
