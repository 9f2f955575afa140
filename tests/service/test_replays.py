"""A replay as a job: begun, followed bucket by bucket, and its figures those of the command."""

import time
from collections.abc import Generator
from pathlib import Path

import pytest

from datong.app.service.permissions import NotAllowed, Who
from datong.app.service.replays import last_replay, start_replay
from datong.app.service.served import Served, serve
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
    direct = past.keeper.read(lambda chain: chain.replay(2)).summary.to_pylist()
    told = {one.policy: one for one in found.policies}
    assert {row["policy"]: row["cost"] for row in direct} == pytest.approx({p: one.cost for p, one in told.items()})
    assert told["datong"].name["zh"] == "打通"
    assert found.said["zh"] and found.differences["en"] and found.notes["zh"]


def test_who_may_not_and_numbers_that_are_none_are_refused(shop: Served) -> None:
    for buckets in (0, 27):
        with pytest.raises(Refused):
            start_replay(shop, ANALYST, buckets)
    with pytest.raises(NotAllowed):
        start_replay(shop, AUDITOR)
    with pytest.raises(NotAllowed):
        last_replay(shop, Who(3, "x", "", ("factory",), "F1"))
