"""Every shared sales export and chain folder against its right answer: read rightly, or asked about; never wrong in
silence."""

import shutil
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from datong.app.cli.main import EXIT_ASKED, main
from datong.connectors.exports.reading import Reading, read_export
from datong.connectors.files.folder import check_folder

FILES = Path(__file__).resolve().parents[2] / ".." / "shared" / "cases" / "files"
pytestmark = pytest.mark.skipif(not FILES.is_dir(), reason="the shared cases are not here")

KITS = ["KA-10", "KB-20", "KC-30"]


@dataclass(frozen=True)
class Right:
    """sold, returned: units. products: in alphabetical order. asked: keys of the questions that are right here; said:
    codes of the findings. days: the first and the last day. zone: of the moments."""

    sold: float
    returned: float = 0
    products: tuple[str, ...] = tuple(KITS)
    asked: tuple[str, ...] = ()
    said: tuple[str, ...] = ()
    days: tuple[str, str] | None = None
    price: float | None = None
    zone: str | None = None


SPRING = ("2024-01-01", "2024-03-24")
EXPORTS = {
    "01-decimal-comma": Right(231.25, days=SPRING, price=12.5),
    "01b-decimal-comma-en-headers": Right(231.25, days=SPRING, price=12.5),
    "02-shopify-refunded-multi-line": Right(504, 72, zone="Etc/GMT-8", price=25),
    "02b-shopify-offset-mended": Right(504, 72, zone="Etc/GMT-8", price=25),
    "03-amazon-identical-rows": Right(440, price=9.5, zone="UTC"),
    "03b-amazon-as-csv": Right(440, price=9.5, zone="UTC"),
    "05-pdd-status": Right(230, 91, price=20),
    "06a-trailing-minus": Right(351, 24, days=SPRING),
    "06b-parentheses": Right(351, 24, days=SPRING),
    "06d-unicode-minus": Right(351, 24, days=SPRING),
    "07-excel-half-swapped-dates": Right(375, said=("swapped",), days=SPRING),
    "08a-total-row": Right(375, days=SPRING, price=8),
    "08b-grand-total-product": Right(375, days=SPRING, price=8),
    "09a-wide-total-row": Right(918, days=("2024-01-01", "2024-12-31")),
    "09b-wide-Mon-yy": Right(918, days=("2024-01-01", "2024-12-31")),
    "09c-wide-Mon-yyyy": Right(918, days=("2024-01-01", "2024-12-31")),
    "09e-wide-iso-week": Right(1770, days=("2024-01-01", "2024-05-13")),
    "10-iso-week-cells": Right(309, days=("2024-01-01", "2024-06-24")),
    "11-excel-serials-csv": Right(375, days=SPRING),
    "12-codes": Right(294, products=("00123", "123", "90.75", "90.750", "AB-1", "ab-1"), said=("twins",)),
    "13-fullwidth-unit-suffix": Right(375, days=SPRING),
    "13b-utf16": Right(375, days=SPRING),
    "13c-fullwidth-some": Right(375, days=SPRING),
    "14b-cover-sheet": Right(375, days=SPRING),
    "16-grouped-dates": Right(375, days=SPRING),
    "17-excel-escape": Right(375, products=("001", "002", "003"), days=SPRING),
    "18-offset-late-night": Right(176, products=("KA-10",), zone="Etc/GMT+5"),
    "19-identical-pos-rows": Right(252, products=("KA-10",), days=SPRING),
    "20-ambiguous-dates": Right(234, products=("KA-10",), days=("2023-01-01", "2023-12-09")),
    "20b-dotted-first-of-month": Right(3636, days=("2023-01-01", "2023-12-01")),
    "21-square-items": Right(345, 30, days=SPRING, price=4),
    "22a-Month-dd-yyyy": Right(375, days=SPRING),
    "22b-dd-Mon-yyyy": Right(375, days=SPRING),
    "22c-dd-Monat": Right(375, days=SPRING),
    "22f-mixed-iso-and-slash": Right(375, days=SPRING),
    "23b-cancelled-qty": Right(289, 14, asked=("cancelled_units",), days=("2024-01-01", "2024-03-23")),
    "24-xlsx-zero-format-codes": Right(375, products=("00007", "00008", "00009"), days=SPRING),
    "24c-csv-scientific-barcodes": Right(375, products=("6.90123E+12",), said=("destroyed_codes",)),
    "26-type-refund-positive": Right(334, 41, days=SPRING),
}
FOLDERS = ["01e-folder-comma-decimals", "24d-xlsx-chain-zero-format", "S1-negative-sales-row", "S2-code-case-and-zero"]


def file_of(case: str) -> Path:
    (file,) = (FILES / case).iterdir()
    return file


def read(case: str) -> Reading:
    return read_export(file_of(case))


def test_every_case_is_here() -> None:
    assert sorted([*EXPORTS, *FOLDERS]) == sorted(path.name for path in FILES.iterdir())


@pytest.mark.parametrize("case", EXPORTS)
def test_an_export(case: str) -> None:
    reading, right = read(case), EXPORTS[case]
    assert (reading.sold, reading.returned) == (right.sold, right.returned)
    assert tuple(q.key for q in reading.questions) == right.asked
    assert tuple(f.code for f in reading.findings) == right.said
    assert reading.zone == right.zone
    products, sales = reading.part("products"), reading.part("sales")
    assert products is not None and sales is not None
    assert tuple(sorted(products["product"].to_pylist())) == right.products
    returns = reading.part("returns")
    assert sum(sales["units"].to_pylist()) == right.sold
    assert sum([] if returns is None else returns["units"].to_pylist()) == right.returned
    if right.price is not None:
        assert set(sales["price"].to_pylist()) == {right.price}
    if right.days is not None:
        moments = sales["happened_at"].to_pylist()
        assert (str(min(moments))[:10], str(max(moments))[:10]) == right.days


@pytest.mark.parametrize("case", ["01-decimal-comma", "02-shopify-refunded-multi-line", "09a-wide-total-row"])
def test_an_export_as_a_chain(case: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The whole command: what is kept is what was read, and the folder that it makes has nothing wrong with it."""
    kept = tmp_path / "kept"
    assert main(["try", "--yes", "--keep", str(kept), str(file_of(case)), "--lang", "en"]) == 0
    assert capsys.readouterr().out.strip().splitlines()[-1].startswith("Read ")
    assert sum(pq.read_table(kept / "sales.parquet")["units"].to_pylist()) == EXPORTS[case].sold
    assert [f for f in check_folder(kept, today=date(2026, 11, 29)).findings if f.severity != "note"] == []


def test_a_doubt_stops_and_an_answer_goes_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file, kept = str(file_of("23b-cancelled-qty")), tmp_path / "kept"
    assert main(["try", "--yes", "--keep", str(kept), file, "--lang", "en"]) == EXIT_ASKED
    said = capsys.readouterr()
    assert "86 units were cancelled" in said.out and "--answer" in said.err and not kept.exists()
    answer = ["--answer", "cancelled_units=sold"]
    assert main(["try", "--yes", "--keep", str(kept), file, *answer, "--lang", "en"]) == 0
    assert "375 units sold, 14 came back" in capsys.readouterr().out
    assert 'cancelled_units" = "sold' in (kept / "answers.toml").read_text(encoding="utf-8")
    # The next export asks nothing again.
    again = tmp_path / "export-2.csv"
    shutil.copy(file, again)
    again.write_text(again.read_text(encoding="utf-8").replace("2024-", "2020-"), encoding="utf-8")
    assert main(["ingest", str(again), "--chain", str(kept), "--lang", "en"]) == 0
    assert "375 units sold, 14 came back" in capsys.readouterr().out


@pytest.mark.parametrize("case", FOLDERS)
def test_a_folder(case: str) -> None:
    checked = check_folder(FILES / case)
    sales = checked.checked["sales"].rows
    codes = {f.code for f in checked.findings if f.severity == "error"}
    if case.startswith("01e"):
        assert codes == set()
        assert sales["units"].to_pylist() == [0.75, 2.5, 1.5]
        assert checked.checked["products"].rows["price"].to_pylist() == [12.5]
    elif case.startswith("24d"):
        assert codes == set() and sales["product"].to_pylist() == ["00007"]
    elif case.startswith("S1"):
        assert codes == {"negative_sale"} and sales["units"].to_pylist() == [5]
    else:
        assert codes == {"unknown_reference"} and sorted(sales["product"].to_pylist()) == ["00123", "AB-1"]
