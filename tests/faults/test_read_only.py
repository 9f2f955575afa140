"""Folders that may not be written to: looking works, the rest is refused with what to do."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from kills import Command, dump
from processes import Processes


def lock(folder: Path, locked: bool) -> None:
    for path in (folder, *folder.rglob("*")):
        path.chmod((0o555 if path.is_dir() else 0o444) if locked else (0o755 if path.is_dir() else 0o644))


@pytest.fixture
def work(tmp_path: Path, commands: list[Command]) -> Iterator[Path]:
    """Two chains: 'used' has a ledger with a run, 'fresh' has none."""
    folder = tmp_path / "work"
    shutil.copytree(commands[0].prepared / "chain", folder / "fresh")
    shutil.copytree(commands[2].prepared / "chain", folder / "used")
    yield folder
    lock(folder, False)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_read_only_chain_can_be_looked_at_and_refuses_the_rest(
    work: Path, processes: Processes, language: str
) -> None:
    before = dump(work / "used")
    lock(work, True)
    for name in ("fresh", "used"):
        for words in (("check", name), ("schema",)):
            ended = processes.run(*words, "--lang", language, folder=work, plain=True)
            assert ended.status == 0, ended.text
        for words in (("run", name), ("ingest", f"{name}/sales.csv", "--chain", name), ("exchange", name)):
            ended = processes.run(*words, "--lang", language, folder=work, plain=True)
            assert ended.status == 2, ended.text
            assert "Traceback" not in ended.text
            assert {"en": "Check the rights to its folder", "zh": "请检查所在文件夹的权限"}[language] in ended.text
    lock(work, False)
    assert dump(work / "used") == before
    assert not (work / "fresh" / ".datong").exists()


def test_results_cannot_go_into_a_read_only_folder(work: Path, processes: Processes) -> None:
    (work / "results").mkdir()
    (work / "results" / "report.html").write_text("old", encoding="utf-8")
    lock(work / "results", True)
    for words in (
        ("run", "used", "--out", "results/out"),
        ("report", "used", "--out", "results/report.html"),
        ("report", "used", "--out", "results/new.html"),
    ):
        ended = processes.run(*words, folder=work, plain=True)
        assert ended.status == 2 and "Traceback" not in ended.text, ended.text
        assert "Check that the path exists and may be written" in ended.text
    assert [p.name for p in (work / "results").iterdir()] == ["report.html"]
    assert (work / "results" / "report.html").read_text(encoding="utf-8") == "old"
    ended = processes.run("init", "results/started", folder=work, plain=True)
    assert ended.status == 2 and "cannot be made or written to" in ended.text


def test_files_that_may_not_be_read_are_findings(work: Path, processes: Processes) -> None:
    (work / "fresh" / "lines.csv").chmod(0)
    (work / "fresh" / "chain.toml").chmod(0)
    ended = processes.run("check", "fresh", folder=work, plain=True)
    assert ended.status == 1 and "Traceback" not in ended.text
    assert "lines.csv" in ended.text and "chain.toml" in ended.text and "unreadable_file" in ended.text
    (work / "fresh" / "chain.toml").chmod(0o644)
    ended = processes.run("run", "fresh", folder=work, plain=True)
    assert ended.status == 1 and "lines.csv" in ended.text, ended.text
    ended = processes.run("ingest", "fresh/lines.csv", "--chain", "used", folder=work, plain=True)
    assert ended.status == 1 and "unreadable_file" in ended.text, ended.text
    (work / "fresh" / "shop.csv").write_text("date,sku,qty\n2024-01-01,A,1\n", encoding="utf-8")
    (work / "fresh" / "shop.csv").chmod(0)
    for arguments in (("ingest", "fresh/shop.csv", "--chain", "used"), ("try", "fresh/shop.csv", "--yes")):
        ended = processes.run(*arguments, folder=work, plain=True)
        assert ended.status == 1 and "shop.csv" in ended.text and "Permission denied" in ended.text, ended.text
    (work / "used").chmod(0)
    ended = processes.run("check", "used", folder=work, plain=True)
    assert ended.status in (1, 2) and "Traceback" not in ended.text, ended.text
