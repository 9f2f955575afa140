"""Two processes at once on one chain or one place: the second waits or is refused in words, and nothing breaks."""

import shutil
from pathlib import Path

import pytest
from kills import Command, Experiment, dump, results
from processes import BEGUN, OPENED, Processes

# What the first one does, and the second; of the second, after the first, the ledger is the same as in this order.
PAIRS = {"ingest and run": (1, 2), "run and ingest": (2, 1), "two ingests": (1, 1), "two runs": (2, 2)}


@pytest.mark.parametrize("pair", PAIRS)
def test_the_second_is_refused_by_name_and_breaks_nothing(
    tmp_path: Path, commands: list[Command], processes: Processes, pair: str
) -> None:
    """The first is stopped in the middle of a transaction, tried against, and let go on."""
    first, second = (commands[i] for i in PAIRS[pair])
    expected = tmp_path / "expected"
    shutil.copytree(commands[2].prepared, expected)
    for command in (first, second):
        assert processes.run(*command.words, folder=expected).status == 0
    work = tmp_path / "work"
    shutil.copytree(commands[2].prepared, work)
    running = processes.start(first.words, work, watched=True)
    running.until_note(OPENED)
    running.until_note(BEGUN)
    running.stop()
    for language, says in (("en", "wait until it is done, and try again"), ("zh", "等它结束后再试")):
        ended = processes.run(*second.words, "--lang", language, folder=work)
        assert ended.status == 2 and "Traceback" not in ended.text
        assert str(running.pid) in ended.text and says in ended.text
    running.go_on()
    ended = running.wait()
    assert ended.status == 0, ended.text
    assert processes.run(*second.words, folder=work).status == 0
    assert dump(work / "chain") == dump(expected / "chain")
    assert results(work / "out") == results(expected / "out")


def test_a_killed_process_leaves_no_lock(tmp_path: Path, commands: list[Command], processes: Processes) -> None:
    work = tmp_path / "work"
    shutil.copytree(commands[1].prepared, work)
    running = processes.start(commands[1].words, work, watched=True)
    running.until_note(BEGUN)
    running.kill()
    ended = processes.run(*commands[1].words, folder=work)
    assert ended.status == 0, ended.text


def test_both_may_make_the_ledger(tmp_path: Path, commands: list[Command], processes: Processes) -> None:
    """Many first commands at once on a chain without a ledger: one or more go through, the others are refused; nobody's
    rows are lost to another one's new ledger."""
    experiment = Experiment(commands[0], tmp_path / "undisturbed", processes)
    for attempt in range(3):
        work = tmp_path / str(attempt)
        shutil.copytree(commands[0].prepared, work)
        ended = [running.wait() for running in [processes.start(commands[0].words, work) for _ in range(4)]]
        assert {e.status for e in ended} <= {0, 2} and 0 in {e.status for e in ended}, ended
        assert all("Traceback" not in e.text for e in ended)
        assert dump(work / "chain") == experiment.after
        assert [p.name for p in (work / "chain" / ".datong").iterdir()] == ["ledger.duckdb"]


def test_two_chains_may_write_to_one_place(tmp_path: Path, commands: list[Command], processes: Processes) -> None:
    """Results of runs of two chains with one --out: those of one of them, whole; the one that comes later wins."""
    for name in ("one", "two"):
        shutil.copytree(commands[2].prepared / "chain", tmp_path / name)
    (tmp_path / "two" / "chain.toml").write_text('name = "Two"\n', encoding="utf-8")
    alone = {}
    for name in ("one", "two"):
        assert processes.run("run", name, "--out", f"out-{name}", folder=tmp_path).status == 0
        alone[name] = results(tmp_path / f"out-{name}")
    assert alone["one"] != alone["two"]
    for _ in range(3):
        both = [processes.start(("run", name, "--out", "out"), tmp_path) for name in ("one", "two")]
        for ended in [running.wait() for running in both]:
            assert ended.status == 0, ended.text
        assert results(tmp_path / "out") in alone.values()
        assert not [p.name for p in tmp_path.iterdir() if p.name.startswith(".")]
