"""The last week of an export in the order list: a whole one counts, one that is not over says what it has and until
when an order is to last."""

from datetime import date, datetime, timedelta
from pathlib import Path

import pytest

import datong
from datong.app.cli.main import main

FIRST, WEEKS, LEAD = date(2026, 6, 1), 24, 7
END = FIRST + timedelta(days=7 * WEEKS)  # the Monday after
RISEN = 10


def export(path: Path, last: datetime, open_days: int = 6) -> Path:
    """Two products that sell ten a day, one of them ten times as many in the last week."""
    rows = ["Date,SKU,Qty"]
    for day in (FIRST + timedelta(days=d) for d in range(7 * WEEKS)):
        for hour in (9, 12, 18) if day.weekday() < open_days else ():
            at = datetime.combine(day, datetime.min.time()) + timedelta(hours=hour)
            risen = RISEN if day >= END - timedelta(days=7) else 1
            sold = (("A", 3 * risen), ("B", 3)) if at <= last else ()
            rows += [f"{at:%Y-%m-%d %H:%M:%S},{code},{units}" for code, units in sold]
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return path


def tried(folder: Path, file: Path, capsys: pytest.CaptureFixture[str], *more: str) -> str:
    assert main(["try", str(file), "--yes", "--into", str(folder), "--lang", "en", *more]) == 0
    return " ".join(capsys.readouterr().out.split())


def listed(folder: Path) -> dict[str, dict[str, object]]:
    with datong.open(folder) as chain:
        return {row["product"]: row for row in chain.run(listed=True).tables["order_list"].to_pylist()}


@pytest.mark.parametrize("open_days", [6, 7])
def test_a_whole_week_counts_and_its_order_lasts_until_the_next_arrives(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], open_days: int
) -> None:
    said = tried(
        tmp_path / "c", export(tmp_path / "a.csv", datetime.combine(END, datetime.min.time()), open_days), capsys
    )
    assert f"Order list of c, {END}" in said and "does not count" not in said
    rows = listed(tmp_path / "c")
    assert rows["A"]["week_units"] > 2 * rows["B"]["week_units"]
    next_arrives = END + timedelta(days=7 + LEAD)
    assert all(row["lasts_until"] >= next_arrives - timedelta(days=1) for row in rows.values())


@pytest.mark.parametrize("day", range(5))
def test_a_week_that_is_not_over_says_what_it_has_and_until_when_an_order_lasts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], day: int
) -> None:
    monday = END - timedelta(days=7)
    last = datetime.combine(monday + timedelta(days=day), datetime.min.time()) + timedelta(hours=12)
    file = export(tmp_path / "a.csv", last)
    said = tried(tmp_path / "c", file, capsys)
    sold = (3 * day + 2) * 3 * (RISEN + 1)
    sunday = END - timedelta(days=1)
    assert f"The week from {monday} to {sunday} does not count as a whole one yet: it has {sold} units" in said
    assert f"an order of {END} arrives" in said
    rows = listed(tmp_path / "c")
    for row in rows.values():
        assert row["lasts_until"] >= END + timedelta(days=LEAD - 1)
    stock = tmp_path / "stock.csv"
    counted_on = monday - timedelta(days=1)
    stock.write_text(f"product,happened_at,units\nA,{counted_on},2000\nB,{counted_on},8\n", encoding="utf-8")
    assert main(["ingest", str(stock), "--chain", str(tmp_path / "c"), "--lang", "en"]) == 0
    counted = listed(tmp_path / "c")
    assert counted["A"]["on_hand_units"] == 2000 - (3 * day + 2) * 3 * RISEN
    for row in counted.values():
        assert (
            row["lasts_beyond"] or row["lasts_until"] >= last.date() or row["on_hand_units"] + row["order_units"] <= 0
        )


def lines(path: Path, since: date, until: date, shuts: int | None = None, gone: int = 0) -> Path:
    """A list of order lines of two products, ten a day but on Sundays (with a clock, on Sundays too, until so many
    minutes before midnight); the first `gone` lines are cancelled since."""
    rows = ["Order,Date,SKU,Qty,Status"]
    days = [FIRST + timedelta(days=d) for d in range((until - FIRST).days + 1)]
    for n, day in enumerate(days):
        for k, code in enumerate("AB"):
            at = "" if shuts is None else f" {23 - shuts // 60:02}:{59 - shuts % 60:02}:00"
            state = "cancelled" if day >= since and (day - since).days * 2 + k < gone else "completed"
            if (day.weekday() < 6 or shuts is not None) and day >= since:
                rows.append(f"B{2 * n + k},{day}{at},{code},10,{state}")
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return path


@pytest.mark.parametrize("gone", [0, 2])
@pytest.mark.parametrize("weeks", [1, 3, 6, 10])
@pytest.mark.parametrize("shuts", [None, 20, 300])
def test_the_next_list_ends_with_its_week_as_the_sales_of_the_chain_tell(
    weeks: int, shuts: int | None, gone: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """However few weeks it has of its own, and whatever was cancelled since; the first list had 23 weeks."""
    first_until = END - timedelta(days=8)
    tried(tmp_path / "c", lines(tmp_path / "a.csv", FIRST, first_until, shuts), capsys)
    since = END - timedelta(days=7 * weeks)
    said = tried(tmp_path / "c", lines(tmp_path / "b.csv", since, END - timedelta(days=1), shuts, gone), capsys)
    assert f"Order list of c, {END}" in said
    assert "does not count" not in said and "is not over" not in said


@pytest.mark.parametrize(("minutes", "counts"), [(20, True), (300, False)])
def test_a_list_that_ends_just_before_midnight_of_its_week_is_whole_without_any_weeks_before(
    minutes: int, counts: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = lines(tmp_path / "a.csv", END - timedelta(days=14), END - timedelta(days=1), minutes)
    said = tried(tmp_path / "c", file, capsys)
    assert (f"Order list of c, {END}" in said, "does not count" in said) == (counts, not counts)


def test_the_next_list_of_a_chain_that_sells_later_in_the_week_is_not_over(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tried(tmp_path / "c", lines(tmp_path / "a.csv", FIRST, END - timedelta(days=8)), capsys)
    file = lines(tmp_path / "b.csv", END - timedelta(days=14), END - timedelta(days=4))  # until Thursday
    said = tried(tmp_path / "c", file, capsys)
    assert "does not count" in said and "is sold later" in said
