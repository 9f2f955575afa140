"""Long work in a process of its own: its answer, its progress, its end by hand, and what a kill leaves."""

import multiprocessing
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from datong.app.chain import Chain
from datong.app.service.jobs import MOST_ATTEMPTS, Job, Jobs, Kind
from datong.app.service.roles_and_permissions import NotAllowed, Permission, Who
from datong.app.service.served_chain import Served
from datong.model.errors import NotFound, Refused
from datong.model.words import message

PLANNER = Who(1, "plan@works", "", ("planner",))
ANALYST = Who(2, "look@works", "", ("analyst",))


@dataclass(frozen=True)
class Waits:
    """Work that waits until it is let go, or fails."""

    file: Path
    fails: bool = False

    def answer(self, on_stage: Callable[[str], None]) -> Any:
        on_stage("waiting")
        if self.fails:
            raise Refused(message("service.closed"))
        while not self.file.exists():
            time.sleep(0.01)
        return self.file.read_text(encoding="utf-8")


def jobs_of(served: Served, file: Path) -> Jobs:
    kept: list[str] = []

    def keep(_chain: Chain, _asked: Mapping[str, Any], answer: str) -> Mapping[str, Any]:
        kept.append(answer)
        return {"said": answer, "times": len(kept)}

    kinds = {
        "wait": Kind(Permission.RUN_PLAN, lambda _chain, _asked: Waits(file), keep),
        "fail": Kind(Permission.RUN_PLAN, lambda _chain, _asked: Waits(file, fails=True), keep),
    }
    return Jobs(served.database, served.chain_thread, served.audit, served.events, served.now, kinds)


def until(jobs: Jobs, job: Job, is_so: Callable[[Job], bool]) -> Job:
    for _ in range(3000):
        if is_so(now := jobs.job(PLANNER, job.job)):
            return now
        time.sleep(0.01)
    raise AssertionError(now)


def test_a_plan_is_made_beside_and_kept(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """By a process that begins with nothing, as where Datong is served."""
    monkeypatch.setattr("datong.app.service.jobs.multiprocessing", multiprocessing)
    job = served.jobs.start(PLANNER, "run", {})
    done = until(served.jobs, job, lambda j: not j.is_open)
    assert done.state == "done" and done.result is not None
    kept = served.chain_thread.read(lambda chain: chain.kept_run())
    assert (kept.run, len(kept.orders)) == (done.result["run"], done.result["orders"])
    assert served.chain_thread.read(lambda chain: chain.ledger.writes().to_pylist()[-1]["by"]) == "plan@works"
    assert served.chain_thread.read(lambda chain: chain.run().run) == kept.run  # as in one process


def test_stages_are_told_and_the_answer_counts_once(served: Served, tmp_path: Path) -> None:
    jobs, listener = jobs_of(served, tmp_path / "go"), served.events.listen(PLANNER)
    job = jobs.start(PLANNER, "wait", {"a": 1})
    until(jobs, job, lambda j: j.stage == "waiting")
    (tmp_path / "go").write_text("let go", encoding="utf-8")
    assert until(jobs, job, lambda j: not j.is_open).result == {"said": "let go", "times": 1}
    assert {listener.queue.get_nowait().kind for _ in range(listener.queue.qsize())} >= {"job", "plan"}
    jobs.close()


def test_who_may_not_ask_may_not_see(served: Served, tmp_path: Path) -> None:
    jobs = jobs_of(served, tmp_path / "go")
    (tmp_path / "go").write_text("", encoding="utf-8")
    job = jobs.start(PLANNER, "wait", {})
    with pytest.raises(NotAllowed):
        jobs.start(ANALYST, "wait", {})
    with pytest.raises(NotFound):
        jobs.job(ANALYST, job.job)
    assert jobs.jobs(ANALYST) == [] and [j.job for j in jobs.jobs(PLANNER)] == [job.job]
    jobs.close()


def test_a_job_that_is_cancelled_keeps_nothing(served: Served, tmp_path: Path) -> None:
    jobs = jobs_of(served, tmp_path / "never")
    running, waiting = jobs.start(PLANNER, "wait", {}), jobs.start(PLANNER, "wait", {"n": 2})
    until(jobs, running, lambda j: j.stage == "waiting")
    assert jobs.cancel(PLANNER, waiting.job).state == jobs.cancel(PLANNER, running.job).state == "cancelled"
    jobs.close()
    assert {j.state for j in jobs.jobs(PLANNER)} == {"cancelled"}


def test_what_fails_says_why_in_both_languages(served: Served, tmp_path: Path) -> None:
    jobs = jobs_of(served, tmp_path / "go")
    failed = until(jobs, jobs.start(PLANNER, "fail", {}), lambda j: not j.is_open)
    assert failed.state == "failed" and failed.error == {
        language: message("service.closed").text(language) for language in ("en", "zh")
    }
    jobs.close()


def test_after_a_kill_a_job_is_begun_again_and_at_last_said_to_be_lost(served: Served, tmp_path: Path) -> None:
    """A server that is killed leaves `running`: closing does here what a kill does."""
    jobs = jobs_of(served, tmp_path / "go")
    job = jobs.start(PLANNER, "wait", {})
    until(jobs, job, lambda j: j.stage == "waiting")
    for attempt in range(1, MOST_ATTEMPTS):
        jobs.close()
        assert served.database.row("SELECT state, attempts FROM jobs") == {"state": "running", "attempts": attempt}
        jobs = jobs_of(served, tmp_path / "go")
        until(jobs, job, lambda j: j.stage == "waiting")
    jobs.close()
    jobs = jobs_of(served, tmp_path / "go")
    assert jobs.job(PLANNER, job.job).state == "lost"
    jobs.close()


def test_a_job_that_was_killed_once_ends_well(served: Served, tmp_path: Path) -> None:
    jobs = jobs_of(served, tmp_path / "go")
    job = jobs.start(PLANNER, "wait", {})
    until(jobs, job, lambda j: j.stage == "waiting")
    jobs.close()
    (tmp_path / "go").write_text("at last", encoding="utf-8")
    jobs = jobs_of(served, tmp_path / "go")
    assert until(jobs, job, lambda j: not j.is_open).result == {"said": "at last", "times": 1}
    jobs.close()


def test_a_plan_does_not_call_itself_of_now_where_something_came_in_while_it_was_worked_out(served: Served) -> None:
    asked = served.chain_thread.read(lambda chain: chain.run_asked())
    served.chain_thread.write("plan@works", lambda chain: chain.withdraw("demand", ["demand:d3"]))
    record = asked.answer()
    served.chain_thread.write("plan@works", lambda chain: chain.keep_run(record))
    assert not served.chain_thread.read(lambda chain: chain.ledger.run_inputs(record.run, ()).current)
    again = served.chain_thread.write("plan@works", lambda chain: chain.run())
    assert served.chain_thread.read(lambda chain: chain.ledger.run_inputs(again.run, ()).current)


@pytest.mark.parametrize("branch", [None, "dear"])
def test_a_plan_is_made_of_what_the_folder_holds_now(served: Served, branch: str | None) -> None:
    """What was written into a file since the server began is in the next plan, as by the command line; not in a
    what-if."""
    if branch is not None:
        served.chain_thread.write("plan@works", lambda chain: chain.branch(branch))
    file = served.chain_thread.folder / "lines.csv"
    before = served.chain_thread.read(lambda chain: chain.state().table("lines")["hours_per_week"].to_pylist())
    text = file.read_text(encoding="utf-8")
    number = f"{before[0]:g}"
    assert number in text
    file.write_text(text.replace(number, "77"), encoding="utf-8")
    asked = {} if branch is None else {"branch": branch}
    ended = until(served.jobs, served.jobs.start(PLANNER, "run", asked), lambda j: not j.is_open)
    assert ended.state == "done", ended.error
    now = served.chain_thread.read(lambda chain: chain.state().table("lines")["hours_per_week"].to_pylist())
    assert (77.0 in now) == (branch is None)
