"""A correction that came in beside the folder stands, while the folder's file says what it said before."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import datong
from datong.app.chain import Chain
from datong.ledger.protocol import END_OF_TIME
from datong.model.findings import Finding

SETTINGS = 'name = "shop"\nstart = 2026-06-01\nhorizon_buckets = 4\n'
BASE = {
    "products": "product,price\nA,50\nB,20\n",
    "sites": "site,name,kind\nH,Hall,factory\n",
    "firms": "firm,name\nF,Firm\n",
    "lines": "line,name,site,hours_per_week\nL,Line,H,40\nM,Mill,H,30\n",
    "recipes": "recipe,product,line,hours_per_unit\nR,A,L,0.5\nS,B,M,0.5\n",
    "offers": "offer,product,firm,price,lead_days\nO,A,F,10,3\nQ,B,F,4,5\n",
    "demand": "demand,product,due,units,status\nD1,A,2026-06-17,20,open\nD2,A,2026-06-18,10,open\n",
    "orders": "order,product,units,start,due,locked\nW1,A,5,2026-06-02,2026-06-05,false\n"
    "W2,A,6,2026-06-02,2026-06-06,false\n",
    "stock_rules": "product,site,smallest_units\nA,H,3\nB,H,2\n",
    "economics": "product,price,holding_cost_rate\nA,50,0.1\nB,20,0.2\n",
}


class Told(NamedTuple):
    """A cell of a table of the folder: what its file says, and what comes in beside it."""

    table: str
    key: str
    column: str
    here: str
    later: str


FAMILY = (
    Told("demand", "D1", "units", "20", "14"),
    Told("demand", "D1", "status", "open", "cancelled"),
    Told("lines", "L", "hours_per_week", "40", "60"),
    Told("offers", "O", "price", "10", "12"),
    Told("recipes", "R", "hours_per_unit", "0.5", "0.4"),
    Told("orders", "W1", "due", "2026-06-05", "2026-06-12"),
    Told("orders", "W1", "units", "5", "4"),
    Told("products", "A", "price", "50", "55"),
    Told("stock_rules", "A", "smallest_units", "3", "8"),
)


@pytest.fixture(params=["declared", "live"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    shop = tmp_path / "shop"
    shop.mkdir()
    (shop / "chain.toml").write_text(f'{SETTINGS}history = "{request.param}"\n', encoding="utf-8")
    for name, text in BASE.items():
        (shop / f"{name}.csv").write_text(text, encoding="utf-8")
    return shop


def rows_of(text: str) -> list[dict[str, str]]:
    head, *lines = (line.split(",") for line in text.splitlines())
    return [dict(zip(head, line, strict=True)) for line in lines]


def written(place: Path, told: Told, value: str, other: Mapping[str, str] | None = None) -> Path:
    """The file of a table with a value in the cell; other: cells of its other row."""
    head = BASE[told.table].splitlines()[0]
    first, second = rows_of(BASE[told.table])
    assert told.key in first.values()
    lines = [head, ",".join({**first, told.column: value}.values()), ",".join({**second, **(other or {})}.values())]
    file = place / f"{told.table}.csv"
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return file


def taken_in(folder: Path, file: Path) -> tuple[int, int]:
    with datong.open(folder) as chain:
        (report,) = chain.ingest(file).reports
        return report.added, report.superseded


def held(chain: Chain, told: Told) -> str:
    (row,) = [r for r in chain.state(END_OF_TIME).table(told.table).to_pylist() if told.key in r.values()]
    value: Any = row[told.column]
    return f"{value:g}" if isinstance(value, float) else str(value)


def opened(folder: Path, told: Told) -> tuple[str, int, list[Finding]]:
    """What the chain holds when it is opened, how many rows were news then, and what was overtaken."""
    with datong.open(folder) as chain:
        news = sum(report.added + report.superseded for report in chain.ingested)
        return held(chain, told), news, [f for f in chain.unheeded if "overtaken" in f.code]


@pytest.mark.parametrize("told", FAMILY, ids=lambda told: f"{told.table}.{told.column}")
def test_a_correction_stands_until_the_folder_says_otherwise(folder: Path, tmp_path: Path, told: Told) -> None:
    beside = tmp_path / "beside"
    beside.mkdir()
    opened(folder, told)
    assert taken_in(folder, written(beside, told, told.later)) == (0, 1)
    for _ in range(2):  # the file of the folder is as it was: it says nothing new, and what it says is told to differ
        value, news, (overtaken,) = opened(folder, told)
        assert (value, news) == (told.later, 0)
        assert overtaken.row == 2
        assert f"{told.column} {told.here} → {told.later}" in overtaken.text("en")
        assert f"{told.table}.csv" in overtaken.text("en")
        assert f"{told.column} {told.here} → {told.later}" in overtaken.text("zh")
    # Another row of the file changes: this one still says nothing new.
    number = "units" if told.table in ("demand", "orders") else told.column
    other = rows_of(BASE[told.table])[1]
    written(folder, told, told.here, {number: f"{float(other[number]) + 1:g}"})
    value, news, found = opened(folder, told)
    assert (value, news, len(found)) == (told.later, 1, 1)
    # The row itself changes: its word counts.
    third = {"due": "2026-06-19", "status": "quote"}.get(told.column, "9")
    written(folder, told, third, {number: f"{float(other[number]) + 1:g}"})
    assert opened(folder, told) == (third, 1, [])
    # The same file beside it again says nothing new either.
    with datong.open(folder) as chain:
        (report,) = chain.ingest(beside / f"{told.table}.csv").reports
        assert held(chain, told) == third
        assert report.findings
    assert opened(folder, told)[:2] == (third, 0)


def test_the_file_may_be_edited_to_what_came_and_back(folder: Path, tmp_path: Path) -> None:
    """To agree with what came is a word of the file: from then on it may say otherwise, as it did at first."""
    told = FAMILY[0]
    beside = tmp_path / "beside"
    beside.mkdir()
    opened(folder, told)
    taken_in(folder, written(beside, told, told.later))
    written(folder, told, told.later)
    assert opened(folder, told) == (told.later, 0, [])
    assert opened(folder, told) == (told.later, 0, [])
    written(folder, told, told.here)
    assert opened(folder, told) == (told.here, 1, [])


def test_a_row_that_came_in_beside_the_folder_first_is_corrected_there(folder: Path, tmp_path: Path) -> None:
    """The folder says it too, then another file corrects it: the folder, which is as it was, does not take it back."""
    told = Told("demand", "D3", "units", "30", "25")
    beside = tmp_path / "beside"
    beside.mkdir()
    opened(folder, FAMILY[0])
    head = "demand,product,due,units,status\n"
    (beside / "demand.csv").write_text(f"{head}D3,A,2026-06-19,30,open\n", encoding="utf-8")
    assert taken_in(folder, beside / "demand.csv") == (1, 0)
    (folder / "demand.csv").write_text(f"{BASE['demand']}D3,A,2026-06-19,30,open\n", encoding="utf-8")
    assert opened(folder, told) == ("30", 0, [])
    (beside / "demand.csv").write_text(f"{head}D3,A,2026-06-19,25,open\n", encoding="utf-8")
    assert taken_in(folder, beside / "demand.csv") == (0, 1)
    value, news, found = opened(folder, told)
    assert (value, news, len(found)) == ("25", 0, 1)


def test_what_somebody_wrote_by_hand_is_told_of(folder: Path) -> None:
    told = FAMILY[2]
    with datong.open(folder) as chain:
        row = {"line": "L", "name": "Line", "site": "H", "hours_per_week": "60"}
        chain.write_rows("lines", [row], "workbook")
    value, news, (overtaken,) = opened(folder, told)
    assert (value, news, overtaken.code) == ("60", 0, "overtaken_by_hand")


def test_a_row_that_left_the_file_and_comes_back_is_as_it_was(folder: Path, tmp_path: Path) -> None:
    """It said the same last: what came in since stands."""
    told = FAMILY[0]
    beside = tmp_path / "beside"
    beside.mkdir()
    opened(folder, told)
    taken_in(folder, written(beside, told, told.later))
    (folder / "demand.csv").write_text("demand,product,due,units,status\nD2,A,2026-06-18,10,open\n", encoding="utf-8")
    with datong.open(folder) as chain:
        assert held(chain, told) == told.later
        assert [f.code for f in chain.unheeded if f.code in ("vanished", "overtaken")] == ["vanished"]
    (folder / "demand.csv").write_text(BASE["demand"], encoding="utf-8")
    value, news, found = opened(folder, told)
    assert (value, news, len(found)) == (told.later, 0, 1)


def test_many_rows_are_counted(folder: Path, tmp_path: Path) -> None:
    head, rows = "demand,product,due,units\n", [f"D{n},A,2026-06-17" for n in range(12)]
    beside = tmp_path / "demand.csv"
    (folder / "demand.csv").write_text(head + "".join(f"{row},20\n" for row in rows), encoding="utf-8")
    opened(folder, FAMILY[0])
    beside.write_text(head + "".join(f"{row},14\n" for row in rows), encoding="utf-8")
    assert taken_in(folder, beside) == (0, 12)
    _, _, found = opened(folder, FAMILY[0])
    assert [f.code for f in found] == ["overtaken"] * 5 + ["more_overtaken"]
    assert found[-1].rows_affected == 7


def test_earlier_moments_see_what_was_so_then(folder: Path, tmp_path: Path) -> None:
    """Where the file comes to agree, nothing of what was known when changes."""
    told = FAMILY[0]
    beside = tmp_path / "beside"
    beside.mkdir()
    opened(folder, told)
    taken_in(folder, written(beside, told, told.later))
    with datong.open(folder) as chain:
        before = [chain.state(moment).table("demand") for moment in ("2026-06-02", END_OF_TIME)]
    written(folder, told, told.later)
    with datong.open(folder) as chain:
        assert before == [chain.state(moment).table("demand") for moment in ("2026-06-02", END_OF_TIME)]
