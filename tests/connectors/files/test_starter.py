"""The starter folder passes its own check, in both languages."""

from dataclasses import fields
from pathlib import Path

import pytest

from datong.connectors.files.folder import check_folder
from datong.connectors.files.starter import write_starter
from datong.model.errors import Refused
from datong.model.settings import ChainSettings, Defaults, Netting


@pytest.mark.parametrize("language", ["en", "zh"])
def test_starter_passes_check(tmp_path: Path, language: str) -> None:
    files = write_starter(tmp_path / "new" / "chain", language)
    assert {f.name for f in files} == {p.name for p in (tmp_path / "new" / "chain").iterdir()}
    result = check_folder(tmp_path / "new" / "chain")
    assert result.findings == () and result.settings is not None
    assert set(result.checked) == {"products", "sales", "lines", "recipes", "stock", "economics"}
    assert all(2 <= c.rows.num_rows <= 3 and c.rejected.num_rows == 0 for c in result.checked.values())


@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_setting_is_there_under_a_comment(tmp_path: Path, language: str) -> None:
    write_starter(tmp_path, language)
    lines = (tmp_path / "chain.toml").read_text(encoding="utf-8").splitlines()
    for setting in [*fields(ChainSettings), *fields(Defaults), *fields(Netting)]:
        if setting.name in ("defaults", "assumed", "netting"):
            continue
        (at,) = [i for i, line in enumerate(lines) if line.removeprefix("# ").startswith(f"{setting.name} = ")]
        assert lines[at - 1].startswith("# ")


def test_values_of_the_starter_are_the_defaults(tmp_path: Path) -> None:
    write_starter(tmp_path, "en")
    assert check_folder(tmp_path).settings == ChainSettings("My chain")


def test_chinese_tables_open_right_in_excel(tmp_path: Path) -> None:
    write_starter(tmp_path, "zh")
    for path in tmp_path.glob("*.csv"):
        assert path.read_bytes().startswith(b"\xef\xbb\xbf") and b"\r\n" in path.read_bytes()
    assert not (tmp_path / "chain.toml").read_bytes().startswith(b"\xef\xbb\xbf")
    assert "供应链" in (tmp_path / "README.md").read_text(encoding="utf-8")


def test_a_folder_with_files_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("x")
    with pytest.raises(Refused) as refused:
        write_starter(tmp_path, "zh")
    assert tmp_path.name in refused.value.message.text("zh")
    assert [p.name for p in tmp_path.iterdir()] == ["mine.txt"]


def test_a_file_in_the_way_is_refused(tmp_path: Path) -> None:
    (tmp_path / "chain").write_text("x")
    with pytest.raises(Refused):
        write_starter(tmp_path / "chain", "en")
