"""Files that are no files, and files that change while they are read: a finding, and nothing half-read."""

import errno
import json
import os
import threading
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet
import pytest

from datong.connectors.files import changed_while_read, read
from datong.connectors.files.changed_while_read import looks, read_steadily, settled
from datong.connectors.files.folder import check_folder
from datong.connectors.files.mapping import read_mapping
from datong.connectors.files.read import UnreadableError, open_sources, read_source
from datong.model.findings import Finding


def _folder(path: Path) -> None:
    path.mkdir()


def _broken_link(path: Path) -> None:
    path.symlink_to("nowhere.csv")


def _pipe(path: Path) -> None:
    if not hasattr(os, "mkfifo"):
        pytest.skip("this system has no named pipes")
    os.mkfifo(path)


@pytest.mark.parametrize("make", [_folder, _broken_link, _pipe])
@pytest.mark.parametrize("name", ["sales.csv", "sales.xlsx", "sales.parquet", "sales.jsonl"])
def test_what_is_no_file_is_a_finding_and_never_waited_for(tmp_path: Path, make, name: str) -> None:
    (tmp_path / "chain.toml").write_text('name = "x"\n', encoding="utf-8")
    (tmp_path / "products.csv").write_text("product\nA\n", encoding="utf-8")
    make(tmp_path / name)
    sources, findings = read_source(tmp_path / name)
    assert sources == [] and [(f.code, f.severity) for f in findings] == [("no_file", "error")]
    checked = check_folder(tmp_path)
    assert [(f.code, f.source) for f in checked.findings] == [("no_file", name)]
    assert checked.findings[0].text("en") != checked.findings[0].text("zh")


@pytest.mark.parametrize("make", [_folder, _pipe])
def test_settings_and_mappings_that_are_no_files_are_findings(tmp_path: Path, make) -> None:
    make(tmp_path / "chain.toml")
    checked = check_folder(tmp_path)
    assert checked.settings is None
    assert ("no_file", "chain.toml") in [(f.code, f.source) for f in checked.findings]
    _, findings = read_mapping(tmp_path / "chain.toml")
    assert [f.code for f in findings] == ["no_file"]


@pytest.mark.parametrize(("age", "waits"), [(0.0, 0.02), (0.015, 0.005), (0.021, None), (-5.0, None)])
def test_who_looks_at_a_file_waits_for_what_is_left_of_the_tick_of_its_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, age: float, waits: float | None
) -> None:
    """A change in the same tick would not show. A file of the future is not waited for."""
    path, slept = tmp_path / "a.csv", []
    path.write_text("a\n", encoding="utf-8")
    os.utime(path, (1000.0, 1000.0))
    monkeypatch.setattr(changed_while_read.time, "time", lambda: 1000.0 + age)
    monkeypatch.setattr(changed_while_read.time, "sleep", slept.append)
    assert settled(path) == looks(path)
    assert slept == ([] if waits is None else [pytest.approx(waits)])


def _append(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"B,2\n")


def _write_over(path: Path) -> None:
    with path.open("r+b") as file:
        file.write(b"product,unitz")


def _replace(path: Path) -> None:
    path.with_name("other").write_bytes(path.read_bytes())
    path.with_name("other").replace(path)


@pytest.mark.parametrize("change", [_append, _write_over, _replace, Path.unlink])
def test_a_change_during_the_read_leaves_nothing_of_it(tmp_path: Path, change) -> None:
    path = tmp_path / "sales.csv"
    path.write_bytes(b"product,units\nA,1\n")

    def read(given: Path) -> tuple[list[str], list[Finding]]:
        found = given.read_text(encoding="utf-8").splitlines()
        change(given)
        return found, []

    rows, findings = read_steadily(path, read)
    assert rows == []
    assert [f.code for f in findings] == ["unreadable_file" if change is Path.unlink else "changed_while_read"]
    assert read_steadily(tmp_path / "none.csv", read)[1][0].code == "unreadable_file"


def test_a_file_that_another_program_is_writing_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "sales.csv"
    path.write_bytes(b"product,units\n" + b"A,1\n" * 400_000)
    done, wrote = threading.Event(), threading.Event()

    def write() -> None:
        with path.open("ab", buffering=0) as file:
            while not done.is_set():
                file.write(b"B,2\n")
                wrote.set()

    writer = threading.Thread(target=write)
    writer.start()
    wrote.wait()
    sources, findings = read_source(path)
    done.set()
    writer.join()
    assert sources == [] and [f.code for f in findings] == ["changed_while_read"]
    sources, findings = read_source(path)
    assert findings == [] and sources[0].rows.num_rows == path.read_bytes().count(b"\n") - 1


ROWS = [("A", "1"), ("B", "2"), ("C", "3")]


def _csv(path: Path) -> None:
    path.write_text("product,units\n" + "".join(f"{p},{u}\n" for p, u in ROWS), encoding="utf-8")


def _json_lines(path: Path) -> None:
    path.write_text("".join(json.dumps({"product": p, "units": u}) + "\n" for p, u in ROWS), encoding="utf-8")


def _parquet(path: Path) -> None:
    products, units = zip(*ROWS, strict=True)
    pa.parquet.write_table(pa.table({"product": products, "units": units}), path, row_group_size=1)


def _cut_off(path: Path) -> None:
    with path.open("r+b") as file:
        file.truncate(9)


def _other_encoding(path: Path) -> None:
    path.write_text("product,units\nÄ,1\n", encoding="utf-16")


CHANGES = [_append, _write_over, _replace, _cut_off, _other_encoding, Path.touch, Path.unlink]


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize(("name", "write"), [("x.csv", _csv), ("x.jsonl", _json_lines), ("x.parquet", _parquet)])
@pytest.mark.parametrize("when", ["before the first batch", "after the last", "in the second reading"])
def test_a_stream_from_a_file_that_changed_has_no_end(tmp_path: Path, change, name: str, write, when: str) -> None:
    """Whoever reads to the end knows that all batches are of the file as it was opened."""
    path = tmp_path / name
    write(path)
    (source,), findings = open_sources(path)
    assert findings == []
    if when == "in the second reading":
        assert sum(batch.rows.num_rows for batch in source.batches()) == len(ROWS)
    with pytest.raises(UnreadableError) as raised:
        if when == "before the first batch":
            change(path)
        for _ in source.batches():
            if when != "before the first batch" and path.exists():
                change(path)
    assert raised.value.found.code == ("unreadable_file" if change is Path.unlink else "changed_while_read")
    assert raised.value.found.source == name


def test_a_file_that_cannot_be_read_to_its_end_is_unreadable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _csv(tmp_path / "x.csv")
    (source,), _ = open_sources(tmp_path / "x.csv")

    def broken(*_: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr("datong.connectors.files.read.csv_batches", broken)
    with pytest.raises(UnreadableError) as raised:
        list(source.batches())
    assert raised.value.found.code == "unreadable_file" and "Input/output error" in raised.value.found.text("en")


@pytest.mark.parametrize("table", ["products", "sales"])  # one that is kept while a folder is checked, one that is not
def test_a_table_that_changes_while_a_folder_is_checked_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, table: str
) -> None:
    (tmp_path / "chain.toml").write_text('name = "x"\n', encoding="utf-8")
    (tmp_path / "products.csv").write_text("product\nA\n", encoding="utf-8")
    (tmp_path / "sales.csv").write_text("product,units,happened_at\nA,1,2026-01-05\n", encoding="utf-8")
    batches = read.csv_batches

    def meanwhile(path: Path, *args):
        yield from batches(path, *args)
        if path.stem == table:
            _append(path)

    monkeypatch.setattr("datong.connectors.files.read.csv_batches", meanwhile)
    checked = check_folder(tmp_path)
    assert [(f.code, f.source) for f in checked.findings] == [("changed_while_read", f"{table}.csv")]
    assert set(checked.checked) == {"products", "sales"} - {table}
