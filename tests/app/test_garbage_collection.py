"""A process of Datong's own looks for garbage seldom; one that only imports it is left as it was."""

import gc
import subprocess
import sys
from collections.abc import Iterator

import pytest

from datong.app.cli.main import main
from datong.app.garbage_collection import OBJECTS, OLDER_RUNS, YOUNG_RUNS


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    before = gc.get_threshold()
    yield
    gc.set_threshold(*before)


def test_a_command_collects_seldom(tmp_path, capsys: pytest.CaptureFixture[str]) -> None:
    gc.set_threshold(700, 10, 10)
    main(["check", str(tmp_path / "nothing")])
    assert gc.get_threshold() == (OBJECTS, YOUNG_RUNS, OLDER_RUNS)


def test_an_import_changes_nothing() -> None:
    script = "import gc; before = gc.get_threshold(); import datong.app.chain; assert gc.get_threshold() == before"
    subprocess.run([sys.executable, "-c", script], check=True)


CIRCLE = """
from datong.app.garbage_collection import collect_seldom

class Circle:
    def __init__(self):
        self.itself = self

    def __del__(self):
        print("looked through")

circle = Circle()
"""


@pytest.mark.parametrize(("calls", "said"), [("", "looked through"), ("collect_seldom()", "")])
def test_at_the_end_of_a_command_nothing_is_looked_through(calls: str, said: str) -> None:
    """Nobody needs the memory of a process that ends. What no circle holds goes as ever."""
    done = subprocess.run([sys.executable, "-c", CIRCLE + calls], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == said
