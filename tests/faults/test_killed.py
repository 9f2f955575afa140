"""kill -9 at chosen moments of an ingest, a run, a release and an exchange: nothing confirmed is lost, and nothing is
there twice.

Each command is killed in a transaction, in a commit, and at one place outside of its writes: before, between, or after
them. benchmarks/faults.py kills them at moments spread over their whole lives, hundreds of times.
"""

import random
from pathlib import Path

import pytest
from kills import PLACES, Command, Experiment
from processes import Processes

BEFORE, IN_TRANSACTION, IN_COMMIT, BETWEEN, AFTER = PLACES
# A kill is aimed by how long the command took before: of a busy machine some miss.
TRIES = 20


@pytest.mark.parametrize(("number", "outside"), [(0, BEFORE), (1, BETWEEN), (2, AFTER), (3, BEFORE), (4, BETWEEN)])
def test_kills_at_chosen_moments(
    tmp_path: Path, commands: list[Command], processes: Processes, number: int, outside: str
) -> None:
    chance = random.Random(20 + number)
    experiment = Experiment(commands[number], tmp_path / "work", processes)
    fallen: list[str] = []
    # Which of the places outside of its writes a kill falls at is a matter of the machine's load: some must.
    wanted = {IN_TRANSACTION: {IN_TRANSACTION}, IN_COMMIT: {IN_COMMIT}, outside: {BEFORE, BETWEEN, AFTER}}
    for aimed, places in wanted.items():
        tries = 0
        while not places & set(fallen):
            assert tries < TRIES, f"no kill of '{commands[number].name}' fell {aimed}: {fallen}"
            fallen.append(experiment.kill(experiment.moment_in(aimed, chance)).place)
            tries += 1
