"""kill -9 at random moments of an ingest and of a run: nothing confirmed is lost, and nothing is there twice."""

from collections import Counter
from pathlib import Path

from kills import PLACES, Command, spread
from processes import Processes

# So many of the ingests together, and as many of the run.
KILLS = 12


def test_kills_at_random_moments_of_ingest_and_run(
    tmp_path: Path, commands: list[Command], processes: Processes
) -> None:
    fallen = spread(KILLS, commands, tmp_path / "work", processes, seed=20)
    assert len(fallen) == 2 * KILLS
    for command in commands:
        places = Counter(f.place for f in fallen if f.command == command.name)
        assert places[PLACES[1]] + places[PLACES[2]] >= 2, f"too few kills of '{command.name}' in its writes: {places}"
        # Where between its writes a kill falls is a matter of the machine's load: some must.
        assert sum(places.values()) > places[PLACES[1]] + places[PLACES[2]]
