"""The READMEs show what the demo really prints."""

import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def test_the_readme_shows_what_the_demo_prints(capsys: pytest.CaptureFixture[str]) -> None:
    wrong = runpy.run_path(str(ROOT / "tools" / "readme.py"))["main"](check=True)
    assert not wrong, capsys.readouterr().out
