"""Sales by the month, or by another stretch longer than a bucket, are spread over their days."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datong.connectors.exports.reading import read_export
from datong.connectors.exports.result import Reading
from datong.connectors.exports.spread_over_days import day_units

MONTHS = (date(2024, 1, 1), date(2024, 2, 1), date(2024, 3, 1))
UNITS = (31.0, 10.0, 47.0)
GERMAN, CHINESE = ("Jan", "Feb", "Mrz"), ("1", "2", "3")
# Ways to write the three months.
WAYS: dict[str, Sequence[str]] = {
    "2024-03": [f"{m:%Y-%m}" for m in MONTHS],
    "2024年3月": [f"2024年{n}月" for n in CHINESE],
    "Mrz 2024": [f"{n} 2024" for n in GERMAN],
    "03/2024": [f"{m:%m/%Y}" for m in MONTHS],
    "the first": [str(m) for m in MONTHS],
    "the last": ["2024-01-31", "2024-02-29", "2024-03-31"],
    "the first, with a time": [f"{m} 00:00:00" for m in MONTHS],
}


def read(path: Path, lines: Sequence[str], answers: dict[str, str] | None = None, **more: object) -> Reading:
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return read_export(path, answers or {}, **more)  # type: ignore[arg-type]


def down(folder: Path, texts: Sequence[str], units: Sequence[float] = UNITS, **more: object) -> Reading:
    lines = ["Date,SKU,Qty", *(f"{t},A,{u:g}" for t, u in zip(texts, units, strict=True))]
    return read(folder / "list.csv", lines, **more)  # type: ignore[arg-type]


def by_month(reading: Reading, table: str = "sales") -> dict[tuple[str, str], float]:
    result: dict[tuple[str, str], float] = defaultdict(float)
    part = reading.part(table)
    assert part is not None
    for row in part.to_pylist():
        result[f"{row['happened_at']:%Y-%m}", row["product"]] += row["units"]
    return dict(result)


def days_of(reading: Reading) -> list[date]:
    part = reading.part("sales")
    assert part is not None
    return part["happened_at"].to_pylist()


@pytest.mark.parametrize("way", WAYS)
def test_a_month_is_spread_over_its_days(way: str, tmp_path: Path) -> None:
    reading = down(tmp_path, WAYS[way], answers={"stretches": "spread"} if way.startswith("the ") else None)
    assert reading.questions == ()
    assert by_month(reading) == {(f"{m:%Y-%m}", "A"): u for m, u in zip(MONTHS, UNITS, strict=True)}
    rows = reading.parts[1][1].rows.to_pylist()
    assert days_of(reading) == [date(2024, 1, 1).fromordinal(date(2024, 1, 1).toordinal() + k) for k in range(91)]
    assert {row["assumed"] for row in rows} == {"happened_at"} and all(row["units"] % 1 == 0 for row in rows)
    assert {row["known_at"] for row in rows} == {date(2024, 1, 31), date(2024, 2, 29), date(2024, 3, 31)}
    assert all(row["known_at"] >= row["happened_at"] for row in rows) and len({row["sale"] for row in rows}) == 91


def test_months_as_columns_are_spread_and_told_in_both_languages(tmp_path: Path) -> None:
    reading = read(tmp_path / "wide.csv", ["Item,Jan 2024,Feb 2024,Mar 2024", "Mug,31,10,47", "Plate,5,,2"])
    assert by_month(reading) == {
        ("2024-01", "Mug"): 31, ("2024-02", "Mug"): 10, ("2024-03", "Mug"): 47,
        ("2024-01", "Plate"): 5, ("2024-03", "Plate"): 2,
    }  # fmt: skip
    english, chinese = reading.last_line("en"), reading.last_line("zh")
    assert "5 (95 units)" in english and "(2024-01-01 to 2024-03-31)" in english
    assert "5 行（95 件）" in chinese and "（2024-01-01 至 2024-03-31）" in chinese


@pytest.mark.parametrize(("bucket_days", "spread"), [(7, False), (1, True)])
def test_a_week_is_spread_where_the_chain_plans_by_day(bucket_days: int, spread: bool, tmp_path: Path) -> None:
    lines = ["Item,2024-W10,2024-W11,2024-W12", "A,7,10,3"]
    found = days_of(read(tmp_path / "weeks.csv", lines, bucket_days=bucket_days))
    assert len(found) == (21 if spread else 3) and min(found) == date(2024, 3, 4)
    reading = read(tmp_path / "six.csv", ["Date,SKU,Qty", *(f"2024{w},A,5" for w in (10, 11, 40))], bucket_days=7)
    assert len(days_of(reading)) == 3


def test_quarters_and_stretches_are_spread_too(tmp_path: Path) -> None:
    assert len(days_of(read(tmp_path / "q.csv", ["Item,2024-Q1,2024-Q2,2024-Q3", "A,900,90,9"]))) == 274
    two_weeks = down(tmp_path, ["2024-01-01 - 2024-01-14", "2024-01-15 - 2024-01-28", "2024-01-29 - 2024-02-11"])
    assert len(days_of(two_weeks)) == 42


def test_returns_of_a_month_are_spread(tmp_path: Path) -> None:
    reading = down(tmp_path, WAYS["2024-03"], (31.0, -10.0, 47.0))
    assert by_month(reading, "returns") == {("2024-02", "A"): 10.0} and reading.returned == 10


@pytest.mark.parametrize("on", [(1, 1, 2), (1, 1)])
def test_days_that_are_not_all_firsts_of_several_months_stay(on: Sequence[int], tmp_path: Path) -> None:
    texts = [f"2024-{m:02}-{d:02}" for m, d in enumerate(on, start=1)]
    assert [str(day) for day in days_of(down(tmp_path, texts, UNITS[: len(on)]))] == texts
    kept = down(tmp_path, texts, UNITS[: len(on)], answers={"stretches": "spread"})  # as an earlier list of the chain
    assert len(days_of(kept)) == (60 if len(on) == 2 else 3)


@pytest.mark.parametrize("way", [way for way in WAYS if way.startswith("the ")])
def test_a_day_that_is_written_counts_until_somebody_says_otherwise(way: str, tmp_path: Path) -> None:
    reading = down(tmp_path, WAYS[way])
    assert len(days_of(reading)) == 3 and "stretches" not in reading.kept and reading.totals.spread is None
    (note,) = [note for note in reading.notes if note.key == "export.may_be_months"]
    assert "3 (88 units)" in note.text("en") and "stretches=spread" in note.text("zh")
    assert down(tmp_path, WAYS[way], answers={"stretches": "spread"}).kept["stretches"] == "spread"


def test_dates_as_columns_are_months_where_all_are_firsts(tmp_path: Path) -> None:
    reading = read(tmp_path / "wide.csv", ["Item,2024-01-01,2024-02-01,2024-03-01", "Mug,31,10,47", "Cup,5,3,2"])
    assert len(set(days_of(reading))) > 60


def test_somebody_may_have_months_on_their_first_day(tmp_path: Path) -> None:
    reading = down(tmp_path, WAYS["2024-03"], answers={"stretches": "as_dated"})
    assert days_of(reading) == list(MONTHS) and reading.totals.spread is None
    assert any(note.key == "export.on_one_day" and "3 (88 units)" in note.text("en") for note in reading.notes)


def test_lines_of_orders_are_each_of_one_day(tmp_path: Path) -> None:
    lines = ["Order,Month,SKU,Qty", *(f"{n},{m:%Y-%m},A,1" for n, m in enumerate(MONTHS, start=1))]
    reading = read(tmp_path / "orders.csv", lines)
    assert days_of(reading) == list(MONTHS) and "on_one_day" in {n.key.removeprefix("export.") for n in reading.notes}


@pytest.mark.parametrize(
    ("name", "today", "last", "known"),
    [
        ("list.csv", date(2024, 3, 20), date(2024, 3, 20), date(2024, 3, 19)),
        ("sales 2024-03-12.csv", date(2024, 3, 20), date(2024, 3, 12), date(2024, 3, 11)),
        ("sales 2024-03-12.csv", None, date(2024, 3, 12), date(2024, 3, 11)),
        ("sales 2024-03.csv", date(2024, 5, 1), date(2024, 3, 31), date(2024, 3, 31)),
        ("list.csv", None, date(2024, 3, 31), date(2024, 3, 31)),
        ("list.csv", date(2024, 3, 31), date(2024, 3, 31), date(2024, 3, 30)),
    ],
)
def test_a_month_that_is_not_over(name: str, today: date | None, last: date, known: date, tmp_path: Path) -> None:
    lines = ["Date,SKU,Qty", *(f"{m:%Y-%m},A,{u:g}" for m, u in zip(MONTHS, UNITS, strict=True))]
    reading = read(tmp_path / name, lines, today=today)
    rows = reading.parts[1][1].rows.to_pylist()
    assert by_month(reading)["2024-03", "A"] == 47
    assert (max(row["happened_at"] for row in rows), max(row["known_at"] for row in rows)) == (last, known)
    told = [n.text("en") for n in reading.notes if n.key.startswith("export.until_")]
    assert len(told) == (0 if today in (None, date(2024, 5, 1)) and last.day == 31 else 1)
    assert all("2024-03-01" in text and str(last) in text for text in told)


@given(
    units=st.integers(0, 10_000), days=st.integers(1, 92), phase=st.floats(0, 1, exclude_max=True),
    scale=st.sampled_from((1, 2, 8, 1000)),
)  # fmt: skip
@settings(max_examples=200)
def test_days_are_even_and_add_up(units: int, days: int, phase: float, scale: int) -> None:
    ahead = np.arange(days)
    each = np.full(days, days)
    found = day_units(np.full(days, units / scale), each, ahead, np.full(days, phase))
    step = 1.0 if units % scale == 0 else 0.001
    assert found.sum() == pytest.approx(units / scale, abs=1e-9)
    assert found.max() - found.min() <= step + 1e-9 and found.min() >= 0
    assert np.abs(np.cumsum(found) - units / scale * (ahead + 1) / days).max() <= step + 1e-9


def test_slow_products_do_not_all_sell_on_the_same_day(tmp_path: Path) -> None:
    lines = ["Item,2024-01,2024-02,2024-03", *(f"P{n},1,1,1" for n in range(200))]
    part = read(tmp_path / "slow.csv", lines).part("sales")
    assert part is not None
    sold = [(row["happened_at"], row["product"]) for row in part.to_pylist() if row["units"]]
    by_day = np.bincount([day.toordinal() - date(2024, 1, 1).toordinal() for day, _ in sold], minlength=91)
    assert len(sold) == 600 and by_day.max() <= 20 and (by_day > 0).sum() >= 80
