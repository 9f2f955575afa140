"""Dates with slashes in a folder's tables: read by the evidence of their whole column, or refused in words."""

from datetime import date
from pathlib import Path

import pytest

from datong.connectors.files.folder import check_folder


def check(folder: Path, dates: list[str], more: str = "") -> tuple[list[date], list[str]]:
    """The days of sales, and the codes of findings about dates."""
    (folder / "chain.toml").write_text('name = "x"\nstart = 2024-06-01\n', encoding="utf-8")
    (folder / "products.csv").write_text("product\nA\n", encoding="utf-8")
    rows = "\n".join(f"A,{i + 1},{text}{more}" for i, text in enumerate(dates))
    (folder / "sales.csv").write_text(f"product,units,happened_at\n{rows}\n", encoding="utf-8")
    result = check_folder(folder)
    days = [moment.date() for moment in result.checked["sales"].rows["happened_at"].to_pylist()]
    return days, sorted({f.code for f in result.findings if "date" in f.code or f.code in ("both_ways", "not_a_moment")
                         or f.code.startswith("read_")})  # fmt: skip


JANUARY = [date(2024, 1, day) for day in range(5, 25)]


@pytest.mark.parametrize("way", ["%d/%m/%Y", "%d-%m-%Y", "%d.%m.%Y", "%d/%m/%Y 10:30"])
def test_the_day_first(way: str, tmp_path: Path) -> None:
    assert check(tmp_path, [day.strftime(way) for day in JANUARY]) == (JANUARY, ["read_day_first"])


def test_the_month_first(tmp_path: Path) -> None:
    assert check(tmp_path, [day.strftime("%m/%d/%Y") for day in JANUARY]) == (JANUARY, ["read_month_first"])


def test_what_can_be_read_both_ways_is_refused_in_words(tmp_path: Path) -> None:
    assert check(tmp_path, ["01/02/2024", "03/04/2024"]) == ([], ["both_ways", "not_a_moment"])
    assert check(tmp_path, ["13/02/2024", "02/13/2024"]) == ([], ["both_ways", "not_a_moment"])


def test_dots_mean_the_day_first(tmp_path: Path) -> None:
    assert check(tmp_path, ["01.02.2024"]) == ([date(2024, 2, 1)], ["read_day_first"])


def test_plain_dates_are_left_alone(tmp_path: Path) -> None:
    assert check(tmp_path, [str(day) for day in JANUARY]) == (JANUARY, [])
