"""Workbooks made to do harm, or that harm by accident: refused in words before they take memory; sound ones pass."""

import resource
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from xml.sax.saxutils import escape

import pytest
import xlsxwriter

from datong.connectors.files import workbook_limits
from datong.connectors.files.folder import check_folder
from datong.connectors.files.read import read_source
from datong.connectors.files.workbook_limits import cell_name, inspect
from datong.ledger.row_checks import ROW

MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006"
PARTS = {
    "[Content_Types].xml": f'<Types xmlns="{PACKAGE}/content-types">'
    '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    '<Default Extension="xml" ContentType="application/xml"/></Types>',
    "_rels/.rels": f'<Relationships xmlns="{PACKAGE}/relationships">'
    f'<Relationship Id="r1" Type="{OFFICE}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
    "xl/workbook.xml": f'<workbook xmlns="{MAIN}" xmlns:r="{OFFICE}"><sheets>'
    '<sheet name="products" sheetId="1" r:id="r1"/></sheets></workbook>',
    "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{PACKAGE}/relationships">'
    f'<Relationship Id="r1" Type="{OFFICE}/worksheet" Target="worksheets/sheet1.xml"/></Relationships>',
}


def text_cell(place: str, text: str) -> str:
    where = f' r="{place}"' if place else ""
    return f'<c{where} t="str"><v>{escape(text)}</v></c>'


def book(path: Path, rows: str, prefix: str = "", filler_bytes: int = 0) -> Path:
    """A workbook of one sheet 'products'. prefix: of the names of its XML. filler_bytes: of blanks within the sheet."""
    name = "xmlns" + (f":{prefix}" if prefix else "")
    start = f'<{prefix + ":" if prefix else ""}worksheet {name}="{MAIN}">'
    if prefix:
        for tag in ("sheetData", "row", "c", "v", "f"):
            rows = rows.replace(f"<{tag}", f"<{prefix}:{tag}").replace(f"</{tag}", f"</{prefix}:{tag}")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for part, text in PARTS.items():
            archive.writestr(part, text)
        with archive.open("xl/worksheets/sheet1.xml", "w") as sheet:
            sheet.write((start + rows).encode())
            for _ in range(filler_bytes // 1024**2):
                sheet.write(b" " * 1024**2)
            sheet.write(f"</{prefix + ':' if prefix else ''}worksheet>".encode())
    return path


def rows_of(*rows: tuple[int, str]) -> str:
    return "<sheetData>" + "".join(f'<row r="{n}">{cells}</row>' for n, cells in rows) + "</sheetData>"


HEAD = (1, text_cell("A1", "product") + text_cell("B1", "price"))
FAR = {
    "far apart": rows_of(HEAD, (1_048_576, text_cell("XFD1048576", "x"))),
    "far down": rows_of(HEAD, (1_048_576, text_cell("AX1048576", "x"))),
    "beyond the format": rows_of(HEAD, (4_000_000_000, text_cell("XFDZ4000000000", "x"))),
    "without places": rows_of((1, text_cell("", "x") * 20_000), (1_048_576, text_cell("", "x"))),
}


@pytest.mark.parametrize("prefix", ["", "x"])
@pytest.mark.parametrize("name", FAR)
def test_cells_at_the_far_ends_of_a_sheet_are_refused(tmp_path: Path, name: str, prefix: str) -> None:
    sources, findings = read_source(book(tmp_path / "products.xlsx", FAR[name], prefix))
    assert sources == []
    assert [(f.code, f.source) for f in findings] == [("scattered_cells", "products.xlsx/products")]


def test_cells_of_mixed_names_hide_nothing(tmp_path: Path) -> None:
    cells = "<x:c><v>1</v></x:c>" * 20_000
    rows = (
        f'<sheetData xmlns:x="{MAIN}"><row r="1">{text_cell("A1", "p")}{cells}</row><row r="1048576">{cells[:38]}</row>'
    )
    _, findings = read_source(book(tmp_path / "products.xlsx", rows.replace("<v>", "<x:v>").replace("</v>", "</x:v>")))
    assert findings and findings[0].code in ("scattered_cells", "unreadable_file")
    assert [f.code for f in inspect(tmp_path / "products.xlsx").refused] == ["scattered_cells"]


SOUND = {
    "a dimension that says too much": '<dimension ref="A1:XFD1048576"/>' + rows_of(HEAD, (2, text_cell("A2", "P1"))),
    "formatting without content far away": rows_of(
        HEAD, (2, text_cell("A2", "P1")), (1_048_576, '<c r="XFD1048576" s="1"/>')
    ),
    "a reference in a text": rows_of(HEAD, (2, text_cell("A2", "P1") + text_cell("C2", ' r="XFD1048576"'))),
    "a million formatted rows": rows_of(
        HEAD, (2, text_cell("A2", "P1")), *((n, f'<c r="A{n}" s="1"/>') for n in range(3, 100_000))
    ),
}


@pytest.mark.parametrize("prefix", ["", "x"])
@pytest.mark.parametrize("name", SOUND)
def test_what_only_looks_large_passes(tmp_path: Path, name: str, prefix: str) -> None:
    (source,), findings = read_source(book(tmp_path / "products.xlsx", SOUND[name], prefix))
    assert [f for f in findings if f.code != "unnamed_column"] == []
    assert source.rows["product"].to_pylist() == ["P1"] and source.rows[ROW].to_pylist() == [2]


def test_a_bomb_is_refused_in_little_memory(tmp_path: Path) -> None:
    """512 MB of blanks in half a megabyte of zip, read by a process that may take 200 MB more than it has."""
    (tmp_path / "chain.toml").write_text('name = "x"\n', encoding="utf-8")
    sound = rows_of(HEAD, (2, text_cell("A2", "P1")))
    path = book(tmp_path / "products.xlsx", sound, filler_bytes=512 * 1024**2)
    assert path.stat().st_size < 1024**2
    program = (
        "import resource, sys\n"
        "from pathlib import Path\n"
        "from datong.connectors.files.folder import check_folder\n"
        "used = int(Path('/proc/self/statm').read_text().split()[0]) * resource.getpagesize()\n"
        "resource.setrlimit(resource.RLIMIT_AS, (used + 200 * 1024**2,) * 2)\n"
        "print([f.code for f in check_folder(Path(sys.argv[1])).findings if f.source == 'products.xlsx'])\n"
    )
    if not Path("/proc/self/statm").exists():
        pytest.skip("needs Linux to limit a process by what it uses")
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "['workbook_too_large']", done.stderr[-2000:]


def test_a_zip_that_lies_about_its_size_is_found_out(tmp_path: Path) -> None:
    path = book(tmp_path / "products.xlsx", rows_of(HEAD, (2, text_cell("A2", "P1"))), filler_bytes=64 * 1024**2)
    with zipfile.ZipFile(path) as archive:
        true_bytes = archive.getinfo("xl/worksheets/sheet1.xml").file_size
    content = path.read_bytes()
    assert content.count(true_bytes.to_bytes(4, "little")) >= 1
    path.write_bytes(content.replace(true_bytes.to_bytes(4, "little"), (1000).to_bytes(4, "little")))
    sources, findings = read_source(path)
    assert sources == [] and [f.code for f in findings] == ["workbook_too_large"]


def test_limits_count_all_parts_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = book(tmp_path / "products.xlsx", rows_of(HEAD, (2, text_cell("A2", "P1"))))
    with zipfile.ZipFile(path) as archive:
        every_bytes = sum(info.file_size for info in archive.infolist())
    monkeypatch.setattr(workbook_limits, "MOST_BYTES", every_bytes)
    assert inspect(path).refused == ()
    monkeypatch.setattr(workbook_limits, "MOST_BYTES", every_bytes - 1)
    assert [f.code for f in inspect(path).refused] == ["workbook_too_large"]


def test_a_long_text_that_many_cells_share_is_counted_for_each(tmp_path: Path) -> None:
    """20 MB of text in 20 kB of zip: two cells that share it are sound, 200 of them are 4 GB."""
    for cells, codes in ((2, []), (200, ["workbook_too_large"])):
        path = tmp_path / f"{cells}.xlsx"
        rows = ((n, f'<c r="A{n}" t="s"><v>{0 if n == 1 else 1}</v></c>') for n in range(1, cells + 1))
        book(path, rows_of(*rows))
        with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
            texts = f"<si><t>product</t></si><si><t>{'x' * 20_000_000}</t></si>"
            archive.writestr("xl/sharedStrings.xml", f'<sst xmlns="{MAIN}">{texts}</sst>')
        assert [f.code for f in inspect(path).refused] == codes
        assert path.stat().st_size < 50_000


def test_a_long_text_beside_many_short_ones_passes(tmp_path: Path) -> None:
    """The bound by the longest text is too high here, so that the texts are counted."""
    path = tmp_path / "products.xlsx"
    book(path, rows_of(*((n, f'<c r="A{n}" t="s"><v>{1 if n == 2 else 0}</v></c>') for n in range(1, 2001))))
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        texts = f"<si><t>short</t></si><si><t>{'x' * 2_000_000}</t></si>"
        archive.writestr("xl/sharedStrings.xml", f'<sst xmlns="{MAIN}">{texts}</sst>')
    assert inspect(path) == workbook_limits.Inspected()


def test_nested_and_broken_zips_are_findings(tmp_path: Path) -> None:
    inner = book(tmp_path / "inner.xlsx", rows_of(HEAD, (2, text_cell("A2", "P1"))))
    for number in range(3):
        outer = tmp_path / f"{number}.xlsx"
        with zipfile.ZipFile(outer, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.write(inner, "xl/workbook.xml")
        inner = outer
    whole = book(tmp_path / "whole.xlsx", rows_of(HEAD, (2, text_cell("A2", "P1")))).read_bytes()
    cases = {"nested.xlsx": inner.read_bytes(), "cut.xlsx": whole[: len(whole) // 2], "noise.xlsx": whole[:200] + whole}
    for place in range(30, len(whole), len(whole) // 40):
        cases[f"flipped{place}.xlsx"] = whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :]
    for name, content in cases.items():
        (tmp_path / name).write_bytes(content)
        sources, findings = read_source(tmp_path / name)
        assert sources or findings, name
        assert all(f.text("en") and f.text("zh") for f in findings)


def test_entities_that_blow_up_are_findings(tmp_path: Path) -> None:
    entities = "".join(f'<!ENTITY e{i} "{f"&e{i - 1};" * 10}">' for i in range(1, 12))
    bomb = f'<!DOCTYPE w [<!ENTITY e0 "lol">{entities}]><workbook xmlns="{MAIN}"><sheets>&e11;</sheets></workbook>'
    path = tmp_path / "products.xlsx"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for part, text in {**PARTS, "xl/workbook.xml": bomb}.items():
            archive.writestr(part, text)
    start = time.perf_counter()
    sources, findings = read_source(path)
    assert sources == [] and [f.code for f in findings] == ["unreadable_file"]
    assert time.perf_counter() - start < 10


def test_a_real_sheet_of_a_hundred_megabytes_passes(tmp_path: Path) -> None:
    """Inspection alone: reading it takes its time."""
    path = tmp_path / "sales.xlsx"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for part, text in PARTS.items():
            archive.writestr(part, text)
        with archive.open("xl/worksheets/sheet1.xml", "w") as sheet:
            sheet.write(f'<worksheet xmlns="{MAIN}"><sheetData>'.encode())
            for row in range(1, 850_001):
                cells = f'<c r="A{row}" t="s"><v>{row * 7919 % 9973}</v></c><c r="B{row}"><v>{row % 17}.5</v></c>'
                sheet.write(f'<row r="{row}" spans="1:3">{cells}<c r="C{row}"><v>1</v></c></row>'.encode())
            sheet.write(b"</sheetData></worksheet>")
        size_bytes = archive.getinfo("xl/worksheets/sheet1.xml").file_size
    assert size_bytes > 100e6
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert inspect(path) == workbook_limits.Inspected()
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100 * 1024


def test_formulas_keep_their_values_and_those_without_one_are_named(tmp_path: Path) -> None:
    """Row 2: worked out. 3: never worked out, as programs that only write leave it. 4: an error. 5: an empty text."""
    rows = rows_of(
        HEAD,
        (2, text_cell("A2", "P1") + '<c r="B2"><f>1+1</f><v>2</v></c>'),
        (3, text_cell("A3", "P2") + '<c r="B3"><f>1+1</f><v></v></c>'),
        (4, text_cell("A4", "P3") + '<c r="B4" t="e"><f>1/0</f><v>#DIV/0!</v></c>'),
        (5, text_cell("A5", "P4") + '<c r="B5" t="str"><f>IF(TRUE,"","")</f><v></v></c>'),
        (6, '<c r="A6" t="str"><f ca="1">B1&amp;"6"</f></c><c r="B6"><v>1</v></c>'),
    )
    for prefix in ("", "x"):
        path = book(tmp_path / "products.xlsx", rows, prefix)
        (source,), findings = read_source(path)
        assert source.rows.select(["product", "price", ROW]).to_pylist() == [
            {"product": "P1", "price": 2.0, ROW: 2},
            {"product": "P4", "price": None, ROW: 5},
        ]
        assert sorted((f.code, f.row) for f in findings) == [
            ("error_value", 4),
            ("formula_without_value", 3),
            ("formula_without_value", 6),
        ]
        assert source.rejected[ROW].to_pylist() == [3, 4, 6]
    assert "B3" in next(f.text("en") for f in findings if f.row == 3)
    (tmp_path / "chain.toml").write_text('name = "x"\n', encoding="utf-8")
    (tmp_path / "sales.csv").write_text("product,happened_at,units\nP1,2026-01-05,1\n", encoding="utf-8")
    checked = check_folder(tmp_path)
    assert checked.checked["products"].rejected.num_rows == 3


def test_an_ordinary_workbook_has_nothing_to_say(tmp_path: Path) -> None:
    path = tmp_path / "products.xlsx"
    with xlsxwriter.Workbook(path) as workbook:
        sheet = workbook.add_worksheet("产品 & more")
        sheet.write_row(0, 0, ["product", "price"])
        sheet.write(1, 0, "P1")
        sheet.write_formula(1, 1, "=1+1", None, 2)
        workbook.add_worksheet("empty")
    assert inspect(path) == workbook_limits.Inspected()
    assert read_source(path)[0][0].rows["price"].to_pylist() == [2.0]


def test_names_of_cells() -> None:
    names = [cell_name(1, column) for column in (0, 25, 26, 701, 702, 16_383)]
    assert names == ["A1", "Z1", "AA1", "ZZ1", "AAA1", "XFD1"]
