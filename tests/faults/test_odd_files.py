"""Files that no export should give, as a user meets them: an answer in words within seconds, no traceback, no hang."""

import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from kills import Command
from processes import Ended, Processes, Running

SECONDS = 60
ROWS = "sale,happened_at,product,units\nS-1,2026-01-05,BAG-01,2\n"


def within(running: Running, seconds: int = SECONDS) -> Ended:
    """The end of a command, which is killed where it takes too long."""

    def late(*_: object) -> None:
        os.kill(running.pid, signal.SIGKILL)

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(seconds)
    try:
        return running.wait()
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def empty(path: Path) -> None:
    path.touch()


def folder(path: Path) -> None:
    path.mkdir()


def broken_link(path: Path) -> None:
    path.symlink_to("nowhere")


def link_to_itself(path: Path) -> None:
    path.symlink_to(path.name)


def pipe(path: Path) -> None:
    os.mkfifo(path)


def device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def unreadable(path: Path) -> None:
    path.write_text(ROWS, encoding="utf-8")
    path.chmod(0)


def many_columns(path: Path) -> None:
    names = [f"c{i}" for i in range(100_000)]
    path.write_text(f"{','.join(names)}\n{','.join(names)}\n", encoding="utf-8")


def many_blank_columns(path: Path) -> None:
    path.write_text(
        f"sale,happened_at,product,units{',' * 10_000}\nS-1,2026-01-05,BAG-01,2{',x' * 10_000}\n", encoding="utf-8"
    )


def no_line_end(path: Path) -> None:
    path.write_bytes(b"x" * 5_000_000)


def only_quotes(path: Path) -> None:
    path.write_bytes(b"sale,happened_at,product,units\n" + b'"' * 30_001)


def zeros(path: Path) -> None:
    path.write_bytes(bytes(5_000_000))


def many_findings(path: Path) -> None:
    lines = [f"q{i},no day {i},no product {i},no number {i}\n" for i in range(20_000)]
    path.write_text("sale,happened_at,product,units\n" + "".join(lines), encoding="utf-8")


# What is there under the name sales.csv, and words of the finding in English and Chinese.
CASES: dict[Callable[[Path], None], tuple[str, str]] = {
    empty: ("nothing in it", "空文件"),
    folder: ("a folder, not a file", "不是文件"),
    broken_link: ("a link that points to nothing, not a file", "指向不存在位置的链接"),
    link_to_itself: ("cannot be read", "无法读取"),
    pipe: ("a pipe or a device, not a file", "管道或设备"),
    device: ("a pipe or a device, not a file", "管道或设备"),
    unreadable: ("Permission denied", "权限"),
    many_columns: ("more than 16,384 columns", "超过 16,384 列"),
    many_blank_columns: ("more columns with values but no name", "有数据但没有列名"),
    no_line_end: ("Found", "sales.csv"),
    only_quotes: ("a quote that is never closed", "引号未闭合"),
    zeros: ("bytes that are no text", "不是文本"),
    many_findings: ("and the like in 20000 rows", "共 20000 行"),
}


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory, commands: list[Command]) -> Path:
    """A chain whose ledger is made, in a folder of its own."""
    place = tmp_path_factory.mktemp("odd")
    shutil.copytree(commands[1].prepared / "chain", place / "chain")
    return place


@pytest.mark.parametrize("make", CASES, ids=lambda make: make.__name__)
def test_odd_files_are_findings(
    tmp_path: Path, chain: Path, processes: Processes, make: Callable[[Path], None]
) -> None:
    shutil.copytree(chain / "chain", tmp_path / "chain", ignore=shutil.ignore_patterns(".datong", "sales.csv"))
    make(tmp_path / "chain" / "sales.csv")
    good = make is many_blank_columns
    ended = within(processes.start(("check", "chain"), tmp_path, plain=True))
    assert ended.status == (0 if good else 1), ended.text[-2000:]
    flat = " ".join(ended.text.split())
    assert CASES[make][0] in flat and "Traceback" not in flat and "Remedy" in flat, flat[:2000]
    if make not in (folder, broken_link, link_to_itself):  # an ingest is given a file by name
        words = (
            "ingest",
            str(tmp_path / "chain" / "sales.csv"),
            "--table",
            "sales",
            "--chain",
            "chain",
            "--lang",
            "zh",
        )
        ended = within(processes.start(words, chain, plain=True))
        assert ended.status == (0 if good else 1), ended.text[-2000:]
        flat = "".join(ended.text.split())
        assert CASES[make][1].replace(" ", "") in flat and "Traceback" not in flat, flat[:2000]


def test_one_cell_of_many_megabytes_spoils_no_other_row(tmp_path: Path, chain: Path, processes: Processes) -> None:
    """50 MB of one cell: it is taken or named; the rows around it are taken."""
    head, before, after = (
        "sale,happened_at,product,units,customer",
        "B,2026-01-05,BAG-01,2,c",
        "A,2026-01-05,BAG-01,2,c",
    )
    with (tmp_path / "sales.csv").open("w", encoding="utf-8") as file:
        file.write(f"{head}\n{before}\nL,2026-01-05,BAG-01,2,")
        for _ in range(50):
            file.write("x" * 1_000_000)
        file.write(f"\n{after}\n")
    shutil.copytree(chain / "chain", tmp_path / "chain")
    words = ("ingest", tmp_path / "sales.csv", "--chain", "chain")
    ended = within(processes.start(words, tmp_path, limits={"RLIMIT_AS": 8 * 1024**3}), 120)
    assert ended.status in (0, 1) and "Traceback" not in ended.text, ended.text[-2000:]
    for row in ("sales:B", "sales:A"):  # withdraw finds only what is there
        ended = processes.run("withdraw", "sales", row, "--chain", "chain", folder=tmp_path)
        assert ended.status == 0, ended.text


def test_an_inbox_with_odd_things_still_takes_the_rest(tmp_path: Path, chain: Path, processes: Processes) -> None:
    shutil.copytree(chain / "chain", tmp_path / "chain")
    inbox = tmp_path / "chain" / "exchange" / "inbox"
    inbox.mkdir(parents=True)
    for make in (folder, broken_link, pipe, empty, zeros):
        make(inbox / f"{make.__name__}.csv")
    ended = within(processes.start(("exchange", "chain"), tmp_path))
    assert ended.status == 1 and "Traceback" not in ended.text, ended.text
    assert all(f"{make.__name__}.csv" in ended.text for make in (folder, broken_link, pipe, empty, zeros))
    assert sorted(p.name for p in inbox.iterdir()) == ["broken_link.csv", "folder.csv", "pipe.csv"]
