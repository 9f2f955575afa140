"""Stories: a folder of tables goes in, the tables of a run come out as blessed.

`pytest tests/scenarios --bless` writes the expected tables anew and prints what changed; read the difference before
committing it.
"""

import csv
import difflib
import io
import shutil
from pathlib import Path

import pytest

import datong
from datong.app.wording.report_inputs import ReportInputs
from datong.questions.tables_out import rendered

HERE = Path(__file__).parent
STORIES = sorted(p.name for p in HERE.iterdir() if (p / "story.md").exists())
TABLES = ("signals", "orders", "reasons", "kept", "gaps", "cost")
# Figures are compared to a tolerance that other processors' last digits stay within.
DIGITS = 4


def as_csv(rows: list[dict[str, object]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    if rows:
        writer.writerow(rows[0])
    for row in rows:
        writer.writerow([f"{v:.{DIGITS}g}" if isinstance(v, float) else v for v in row.values()])
    return text.getvalue()


@pytest.mark.parametrize("story", STORIES)
def test_story(story: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    shutil.copytree(HERE / story / "chain", tmp_path / "chain")
    with datong.open(tmp_path / "chain") as chain:
        assert chain.findings == ()
        result = chain.run()
    inputs = ReportInputs(result.tables, result.settings, result.as_of)
    tables = rendered(inputs.tables, "en")
    changed = []
    for name in TABLES:
        rows = [{k: v for k, v in r.items() if k != "evidence"} for r in tables[name].to_pylist()]
        now = as_csv(rows)
        file = HERE / story / "expected" / f"{name}.csv"
        before = file.read_text(encoding="utf-8") if file.exists() else ""
        if now != before:
            changed += difflib.unified_diff(before.splitlines(), now.splitlines(), f"{name} blessed", f"{name} now")
            if request.config.getoption("--bless"):
                file.write_text(now, encoding="utf-8")
    difference = "\n".join(changed)
    if request.config.getoption("--bless"):
        print(difference)  # noqa: T201 - what the switch is for
    else:
        assert difference == ""


def blessed(story: str, table: str) -> list[dict[str, str]]:
    text = (HERE / story / "expected" / f"{table}.csv").read_text(encoding="utf-8")
    return list(csv.DictReader(io.StringIO(text)))


def test_the_towels_story_holds() -> None:
    """What story.md promises, read from the blessed tables."""
    signals = blessed("towels", "signals")
    assert {s["product"] for s in signals} == {"HAND"}
    kept = blessed("towels", "kept")
    assert [k["order"] for k in kept] == ["LOCK-1"]
    orders = blessed("towels", "orders")
    hours_per_unit = {"BATH": 0.5, "HAND": 0.25}
    used: dict[str, float] = {"2026-04-27": 40 * 0.5}
    for order in orders:
        assert float(order["units"]) >= 40
        used[order["start"]] = used.get(order["start"], 0.0) + float(order["units"]) * hours_per_unit[order["product"]]
    assert orders
    assert max(used.values()) <= 40
