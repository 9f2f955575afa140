"""`datong people`: who owns the machine lets people in."""

from pathlib import Path

import pytest

from datong.app.service.served_chain import DATABASE_FILE, server_folder
from mill import run, write


def test_people_are_invited_listed_and_shut_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    chain = write(tmp_path / "mill")
    status, said = run(
        capsys, "people", chain, "invite", "li@works", "--role", "factory", "--firm", "F1", "--lang", "en"
    )
    assert status == 0 and "/invitation/" in said
    assert (server_folder(chain) / DATABASE_FILE).is_file()
    assert not list(chain.glob("*.sqlite"))
    status, said = run(capsys, "people", chain, "list", "--lang", "zh")
    assert said.strip() == "li@works：工厂；企业 F1；已邀请，尚未设密码"
    assert run(capsys, "people", chain, "disable", "LI@works", "--lang", "en") == (0, "li@works is disabled now.\n")
    assert run(capsys, "people", chain, "enable", "li@works", "--lang", "en")[0] == 0
    assert "/invitation/" in run(capsys, "people", chain, "reset", "li@works", "--lang", "en")[1]


@pytest.mark.parametrize(
    "words",
    [("invite",), ("invite", "x@y"), ("invite", "x@y", "--role", "god"), ("reset", "nobody"), ("disable", "nobody")],
)
def test_what_cannot_be_is_refused_in_words(tmp_path: Path, capsys: pytest.CaptureFixture[str], words) -> None:
    chain = write(tmp_path / "mill")
    status, said = run(capsys, "people", chain, *words, "--lang", "en")
    assert status == 2 and said.strip()


def test_a_folder_that_is_no_chain_gets_no_accounts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "people", tmp_path / "nothing", "list", "--lang", "en")[0] == 2
    assert list(tmp_path.iterdir()) == []
