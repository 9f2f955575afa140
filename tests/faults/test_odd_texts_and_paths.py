"""Odd paths, line ends, marks and texts through the whole loop: the same results as the plain twin, and no formulas."""

import csv
import io
import re
import shutil
import zipfile
from pathlib import Path
from xml.etree import ElementTree

import pytest
from kills import Command, results
from processes import Processes

# Blanks, signs of shells and addresses, other scripts, an accent apart and joined; and the name of an option.
FOLDERS = ["my chain 链 🧵 a%20b & 'c' \"d\" 日本語\u3000全角 e\u0301 é", "--out"]


def crlf(text: str) -> bytes:
    return text.replace("\n", "\r\n").encode()


def old_mac(text: str) -> bytes:
    return text.replace("\n", "\r").encode()


def marked(text: str) -> bytes:
    return b"\xef\xbb\xbf" + crlf(text)


def trailing(text: str) -> bytes:
    return (text + "\n\n  \n,,\n\n").encode()


def without_end(text: str) -> bytes:
    return text.rstrip("\n").encode()


def gb18030(text: str) -> bytes:
    return text.encode("gb18030")


def utf16(text: str) -> bytes:
    return crlf(text).decode().encode("utf-16")


def tabs_in_header(text: str) -> bytes:
    head, rest = text.split("\n", 1)
    return ("\n".join([",".join(f"\t{name} " for name in head.split(",")), rest])).encode()


FORMS = [crlf, old_mac, marked, trailing, without_end, gb18030, utf16, tabs_in_header]


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory, commands: list[Command], processes: Processes) -> Path:
    """The plain twin, run: chain and out."""
    folder = tmp_path_factory.mktemp("plain")
    shutil.copytree(commands[0].prepared / "chain", folder / "chain")
    products = (folder / "chain" / "products.csv").read_text(encoding="utf-8").replace("Canvas bag", "帆布包")
    (folder / "chain" / "products.csv").write_text(products, encoding="utf-8")
    ended = processes.run("run", "chain", "--out", "out", folder=folder)
    assert ended.status == 0, ended.text
    return folder


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.__name__)
def test_line_ends_marks_and_blanks_change_nothing(tmp_path: Path, plain: Path, processes: Processes, form) -> None:
    shutil.copytree(plain / "chain", tmp_path / "chain", ignore=shutil.ignore_patterns(".datong"))
    for path in (tmp_path / "chain").glob("*.csv"):
        text = path.read_bytes().decode().replace("\r\n", "\n")
        path.write_bytes(form(text))
    ended = processes.run("run", "chain", "--out", "out", folder=tmp_path)
    assert ended.status == 0, ended.text
    assert results(tmp_path / "out") == results(plain / "out")


@pytest.mark.parametrize("name", FOLDERS)
def test_paths_of_every_kind_go_through_the_loop(
    tmp_path: Path, plain: Path, commands: list[Command], processes: Processes, name: str
) -> None:
    shutil.copytree(plain / "chain", tmp_path / name, ignore=shutil.ignore_patterns(".datong"))
    chain = f"./{name}"
    shutil.copy(commands[0].prepared.parent / "sales1.csv", tmp_path / f"🧵 {name} sales.csv")
    for words in (
        ("check", chain),
        ("run", chain, "--out", f"{chain}/results {name}"),
        ("report", chain, "--out", f"./{name} report/{name}.html"),
        ("release", "--due", "--chain", chain),
        ("exchange", chain, "--drop", f"./{name} drop"),
        ("ingest", f"./🧵 {name} sales.csv", "--table", "sales", "--chain", chain),
        ("quarantine", chain),
    ):
        ended = processes.run(*words, folder=tmp_path)
        assert ended.status == 0, f"{words}: {ended.text}"
    assert results(tmp_path / name / f"results {name}") == results(plain / "out")
    assert (tmp_path / f"{name} report" / f"{name}.html").stat().st_size > 10_000
    assert list((tmp_path / f"{name} drop" / "outbox").glob("*.csv"))


@pytest.mark.parametrize("name", ["--out", "-x"])
def test_a_folder_that_looks_like_an_option_is_told_from_one(
    tmp_path: Path, plain: Path, processes: Processes, name: str
) -> None:
    shutil.copytree(plain / "chain", tmp_path / name, ignore=shutil.ignore_patterns(".datong"))
    assert processes.run("check", f"./{name}", folder=tmp_path).status == 0
    assert processes.run("check", "--", name, folder=tmp_path).status == 0
    refused = processes.run("check", name, folder=tmp_path)
    assert refused.status == 2 and "usage:" in refused.text and "Traceback" not in refused.text


# Also what looks like a delimiter in a value.
EVIL = ["=1+1", "+86 21", "-2+3", "@SUM(A1)", "＝1+1", "=cmd|' /C calc'!A0"]


def test_what_others_typed_never_becomes_a_formula(tmp_path: Path, processes: Processes) -> None:
    """Codes, names, lines, sites and markets that look like formulas, in the workbook and the work-order files."""
    chain = tmp_path / "chain"
    chain.mkdir()
    tables = {
        "products": [["product", "name"], *([code, code] for code in EVIL)],
        "lines": [["line", "name", "hours_per_week"], *([code, code, "100"] for code in EVIL)],
        "recipes": [["recipe", "product", "line", "hours_per_unit", "cost_per_unit"]]
        + [[code, code, code, "0.1", "1"] for code in EVIL],
        "sales": [["happened_at", "product", "market", "units"]]
        + [[f"2026-0{m}-{d:02d}", code, code, "30"] for code in EVIL for m, d in ((1, 4), (1, 11), (1, 18), (1, 25))],
    }
    for name, rows in tables.items():
        with (chain / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows(rows)
    (chain / "chain.toml").write_text('name = "=1+1"\n', encoding="utf-8")
    for words in (("run", "chain", "--out", "out"), ("release", "--due", "--chain", "chain"), ("exchange", "chain")):
        ended = processes.run(*words, folder=tmp_path)
        assert ended.status == 0, ended.text
    with zipfile.ZipFile(tmp_path / "out" / "datong.xlsx") as book:
        for part in book.namelist():
            if part.startswith("xl/worksheets/sheet"):
                sheet = ElementTree.fromstring(book.read(part))
                own = {tag: [e for e in sheet.iter() if e.tag.rpartition("}")[2] == tag] for tag in ("f", "hyperlink")}
                assert own["hyperlink"] == [], part
                # The first sheet adds up cells of the others: no formula holds a text that came in.
                assert not [e.text for e in own["f"] if any(code.lstrip("=") in (e.text or "") for code in EVIL)], part
        texts = {e.text for e in ElementTree.fromstring(book.read("xl/sharedStrings.xml")).iter() if e.text}
    assert set(EVIL) <= texts
    files = list((chain / "exchange").rglob("*.csv"))
    assert len(files) > 1
    cells = [cell for f in files for row in csv.reader(io.StringIO(f.read_text(encoding="utf-8-sig"))) for cell in row]
    assert not [cell for cell in cells if re.match("[=+@＝＋－＠\t\r\n-]", cell)]
    assert len({f"'{code}" for code in EVIL} & set(cells)) >= 2
