"""kill -9 at 30 random moments of an ingest and of a run: nothing confirmed is lost, and nothing is there twice."""

from collections import Counter
from pathlib import Path

from kills import PLACES, prepare, spread
from processes import Processes


def test_kills_at_random_moments_of_ingest_and_run(tmp_path: Path, processes: Processes) -> None:
    commands = prepare(tmp_path / "prepared", processes)
    fallen = spread(30, commands, tmp_path / "work", processes, seed=20)
    assert len(fallen) == 60
    for command in commands:
        places = Counter(f.place for f in fallen if f.command == command.name)
        assert places[PLACES[1]] + places[PLACES[2]] >= 3, f"too few kills of '{command.name}' in its writes: {places}"
        assert sum(places.values()) - places[PLACES[1]] - places[PLACES[2]] >= 3
