"""Who is on time by the week and late by the day is told as what it is, wherever a run is read."""

from datetime import UTC, datetime
from pathlib import Path

import pyarrow.compute as pc

import mill
from datong.app.chain import Chain
from datong.questions.run_result import RunResult
from datong.questions.tables_out import rendered

MONDAY = datetime(2026, 3, 2, 8, tzinfo=UTC)


def run(folder: Path, demand: str) -> RunResult:
    """85 of P in 40 hours a week."""
    mill.write(folder, demand_csv="demand,product,due,units\n" + demand)
    with Chain(folder, now=lambda: MONDAY) as chain:
        return chain.run()


def to_tell(found: RunResult, language: str) -> str:
    rows = found.tables["since"].filter(pc.equal(found.tables["since"]["kind"], "tell"))
    return " ".join(rendered({"since": rows}, language)["since"]["text"].to_pylist())


def test_customers_who_are_late_by_their_day_alone_are_to_be_told(tmp_path: Path) -> None:
    """35 hours are worked by Friday: who wants them on Tuesday gets them three days later, in the same week."""
    found = run(tmp_path / "mill", "d1,P,2026-03-03,35\nd2,P,2026-03-13,5\n")
    assert found.tables["after_due"]["units"].to_pylist() == [35.0]
    assert "(1): d1 (35 of P, due 2026-03-03, there 2026-03-06)" in to_tell(found, "en")
    assert "d1（P 35，2026-03-03 交，2026-03-06 到）" in to_tell(found, "zh")
