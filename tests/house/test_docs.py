"""The docs, and the docstrings and comments of the source, name files that are there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


@pytest.mark.parametrize("doc", DOCS, ids=lambda path: path.name)
def test_each_file_of_python_that_is_named_is_there(doc: Path) -> None:
    there = {path.name for folder in ("src", "benchmarks", "tools", "tests") for path in (ROOT / folder).rglob("*.py")}
    named = set(re.findall(r"`[^`\s]*?([a-z_]+\.py)`", doc.read_text(encoding="utf-8")))
    assert named <= there


def test_each_file_that_the_source_names_is_there() -> None:
    there = {
        path.name
        for folder in ("src", "benchmarks", "tools", "tests", "examples")
        for path in (ROOT / folder).rglob("*.py")
    }
    named = {
        f"{path.relative_to(ROOT)}: {name}"
        for path in sorted((ROOT / "src").rglob("*.py"))
        for name in re.findall(r"\b([a-z_]+\.py)\b", path.read_text(encoding="utf-8"))
        if name not in there
    }
    assert named == set()
