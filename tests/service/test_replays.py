"""A replay as a job: begun, followed bucket by bucket, and its figures those of the command."""

import time
from collections.abc import Generator
from pathlib import Path

import pytest

from datong.app.service import replay_jobs
from datong.app.service.jobs import Job
from datong.app.service.replay_jobs import ask_replay
from datong.app.service.replays import last_replay, start_replay
from datong.app.service.roles_and_permissions import NotAllowed, Who
from datong.app.service.served_chain import Served, serve
from datong.ledger.state import every_table
from datong.model.errors import Refused
from service.conftest import QUICK, Clock
from shop import write_shop

ANALYST, AUDITOR = Who(1, "eve", "", ("analyst",)), Who(2, "audit", "", ("auditor",))


@pytest.fixture
def past(tmp_path: Path, clock: Clock) -> Generator[Served]:
    """The shop, whose plans may begin in any week of its records."""
    folder = write_shop(tmp_path / "past", chain_toml='name = "past"\nhorizon_buckets = 6\nbucket = "week"\n')
    one = serve(folder, None, clock, hasher=QUICK)
    yield one
    one.close()


def test_a_replay_is_a_job_and_says_what_the_command_says(past: Served) -> None:
    assert last_replay(past, ANALYST) is None
    job = start_replay(past, ANALYST, 2)
    stages = set()
    for _ in range(3000):
        job = past.jobs.job(ANALYST, job.job)
        stages.add(job.stage)
        if not job.is_open:
            break
        time.sleep(0.02)
    assert job.state == "done", job.error
    assert "replay 1 2" in stages or "replay 2 2" in stages
    found = last_replay(past, AUDITOR)
    assert found is not None and found.buckets == 2
    direct = past.chain_thread.read(lambda chain: chain.replay(2)).summary.to_pylist()
    told = {one.policy: one for one in found.policies}
    assert {row["policy"]: row["cost"] for row in direct} == pytest.approx({p: one.cost for p, one in told.items()})
    assert told["datong"].name["zh"] == "打通"
    assert found.said["zh"] and found.differences["en"] and found.notes["zh"]


def ended(served: Served, job: Job) -> Job:
    for _ in range(3000):
        job = served.jobs.job(ANALYST, job.job)
        if not job.is_open:
            break
        time.sleep(0.02)
    return job


def test_others_have_their_turn_between_the_states_that_a_replay_reads(past: Served, monkeypatch) -> None:
    turns: list[int] = []
    read = past.chain_thread.read
    monkeypatch.setattr(past.chain_thread, "read", lambda task: turns.append(1) or read(task))
    assert ended(past, start_replay(past, ANALYST, 3)).state == "done"
    assert len(turns) == 1 + 3


def test_what_is_written_while_a_replay_is_gathered_is_no_part_of_it(past: Served, tmp_path: Path) -> None:
    asked = past.chain_thread.read(lambda chain: ask_replay(chain, {"buckets": 2}))
    before = [past.chain_thread.read(piece) for piece in asked.pieces]
    (sale, *_) = before[0].table("sales").to_pylist()
    file = tmp_path / "sales.csv"
    file.write_text(f"sale,happened_at,product,units\nlate,{sale['happened_at'].isoformat()},OIL,7\n", encoding="utf-8")
    past.chain_thread.write("ann", lambda chain: chain.ingest(file))
    moment = before[0].as_of
    now = past.chain_thread.read(lambda chain: chain.ledger.state(moment))
    assert now.table("sales").num_rows == before[0].table("sales").num_rows + 1
    after = [past.chain_thread.read(piece) for piece in asked.pieces]
    assert [one.table("sales") for one in after] == [one.table("sales") for one in before]


def test_a_replay_that_is_cancelled_while_it_is_gathered_reads_no_more(past: Served, monkeypatch) -> None:
    read, turns = past.chain_thread.read, []

    def turn(task):
        turns.append(1)
        found = read(task)
        past.jobs.cancel(ANALYST, past.jobs.jobs(ANALYST)[0].job)
        return found

    monkeypatch.setattr(past.chain_thread, "read", turn)
    assert ended(past, start_replay(past, ANALYST, 3)).state == "cancelled"
    past.jobs.close()
    assert len(turns) == 1


def test_a_replay_that_is_too_much_is_refused_by_the_rows_of_all_tables(past: Served, monkeypatch) -> None:
    state = past.chain_thread.read(lambda chain: chain.state())
    rows = 2 * sum(state.tables[name].num_rows for name in every_table())
    few = 2 * sum(state.table(name).num_rows for name in ("sales", "production", "shipments", "orders"))
    assert few < rows
    monkeypatch.setattr(replay_jobs, "MOST_ROWS", rows)
    assert len(past.chain_thread.read(lambda chain: ask_replay(chain, {"buckets": 2})).pieces) == 2
    monkeypatch.setattr(replay_jobs, "MOST_ROWS", rows - 1)
    with pytest.raises(Refused):
        past.chain_thread.read(lambda chain: ask_replay(chain, {"buckets": 2}))


def test_who_may_not_and_numbers_that_are_none_are_refused(shop: Served) -> None:
    for buckets in (0, 27):
        with pytest.raises(Refused):
            start_replay(shop, ANALYST, buckets)
    with pytest.raises(NotAllowed):
        start_replay(shop, AUDITOR)
    with pytest.raises(NotAllowed):
        last_replay(shop, Who(3, "x", "", ("factory",), "F1"))
