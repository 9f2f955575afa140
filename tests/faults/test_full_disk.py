"""A disk that is full: nothing confirmed is lost, nothing half-written stands under a final name, the refusal says what
to do. A limit on the size of files stands for the full disk everywhere; where a small disk can be mounted, that too.
"""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from kills import Command, Experiment
from processes import Ended, Processes

REMEDY = {"en": "the space on its disk", "zh": "磁盘剩余空间"}


@pytest.fixture(scope="module")
def planned(tmp_path_factory: pytest.TempPathFactory, commands: list[Command], processes: Processes) -> Path:
    """A folder with a chain that has a run, a report of it, and orders released."""
    folder = tmp_path_factory.mktemp("planned")
    subprocess.run(["cp", "-r", str(commands[2].prepared / "chain"), str(folder)], check=True)
    for words in (("run", "chain", "--out", "out"), ("report", "chain"), ("release", "--due", "--chain", "chain")):
        ended = processes.run(*words, folder=folder)
        assert ended.status == 0, ended.text
    return folder


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 24 MB."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(place)], capture_output=True)
    if mounted.returncode:
        pytest.skip("may not mount a small disk here; the limit on file sizes stands for it")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def refused(ended: Ended, language: str = "en") -> bool:
    return ended.status == 2 and REMEDY[language] in ended.text and "Traceback" not in ended.text


@pytest.mark.parametrize(("number", "most_bytes", "language"), [(0, 2_000, "zh"), (1, 20_000, "en"), (2, 20_000, "zh")])
def test_no_room_for_the_ledger(
    tmp_path: Path, commands: list[Command], processes: Processes, number: int, most_bytes: int, language: str
) -> None:
    experiment = Experiment(commands[number], tmp_path / "work", processes)
    words, limits = [*commands[number].words, "--lang", language], {"RLIMIT_FSIZE": most_bytes}
    ended = experiment.disturbed(lambda: processes.run(*words, folder=tmp_path / "work", limits=limits))
    assert refused(ended, language), ended.text


@pytest.mark.parametrize("number", [1, 2])
def test_a_disk_that_is_full(small_disk: Path, commands: list[Command], processes: Processes, number: int) -> None:
    work = small_disk / "work"
    experiment = Experiment(commands[number], work, processes)

    def attempt() -> Ended:
        room = os.statvfs(small_disk)
        (small_disk / "filler").write_bytes(bytes(room.f_bavail * room.f_frsize - 16_384))
        ended = processes.run(*commands[number].words, folder=work)
        (small_disk / "filler").unlink()
        return ended

    ended = experiment.disturbed(attempt)
    assert refused(ended), ended.text


def everything(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.mark.parametrize(
    ("words", "place", "most_bytes"),
    [
        (("run", "chain", "--out", "out"), "out", 12_000),
        (("run", "chain", "--out", "new"), "new", 12_000),
        (("report", "chain", "--out", "report.html"), "report.html", 30_000),
        (("report", "chain", "--out", "new/report.html"), "new", 30_000),
        (("exchange", "chain"), "chain/exchange", 4_000),
        (("init", "started"), "started", 200),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, tuple) else None,
)
def test_no_room_for_what_is_written(
    tmp_path: Path, planned: Path, processes: Processes, words: tuple[str, ...], place: str, most_bytes: int
) -> None:
    folder = tmp_path / "work"
    subprocess.run(["cp", "-r", str(planned), str(folder)], check=True)
    before = {name: content for name, content in everything(folder).items() if not name.startswith("chain/.datong/")}
    ended = processes.run(*words, folder=folder, limits={"RLIMIT_FSIZE": most_bytes})
    # What an exchange shows of a delivery that failed is longer than the limit, and cut off: then the status is 1.
    assert ended.status in ((1, 2) if words[0] == "exchange" else (2,)) and "Traceback" not in ended.text, ended.text
    assert any(remedy in ended.text for remedy in (REMEDY["en"], "the disk has room", "cannot be made or written to"))
    after = {name: content for name, content in everything(folder).items() if not name.startswith("chain/.datong/")}
    assert {name: after.get(name) for name in before} == before
    whole = processes.run(*words, folder=folder) if words[0] != "init" else None
    if whole is None:  # its smaller files fit, and each of them is whole
        assert all(content.endswith(b"\n") for name, content in after.items() if name not in before)
        return
    # What was about to be written, told before, stays until it is; it is whole.
    meant = {"chain/exchange/writing.csv", "chain/exchange/given.csv"}
    assert set(after) - meant == set(before), "something half-written is left"
    assert all(after[name].endswith(b"\n") for name in meant & set(after))
    assert whole.status == 0, whole.text
    written = {name for name in everything(folder) if name.startswith(place)}
    assert written and not any(Path(name).name.endswith(".tmp") for name in written)
