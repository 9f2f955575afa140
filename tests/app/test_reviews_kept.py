"""What days of reviews say is kept between runs: a run reads the new days alone, and says what it would without."""

import pickle
from collections.abc import Sequence
from contextlib import closing
from datetime import datetime
from pathlib import Path

import pytest
from tests.app.test_market_findings_shown import TABLES, WEEKS, review_lines
from tests.app.test_promotions import day, shop

from datong.app.chain import Chain
from datong.questions.run_result import RunResult
from datong.sense import blame_and_praise, review_reader
from datong.sense.blame_and_praise import said_of

LAST_WEEK = day(WEEKS - 1, 0)


def lines(late: bool) -> str:
    """The reviews; without `late` those of the last week are still to come."""
    head, *rest = review_lines().splitlines()
    return "\n".join([head, *(line for line in rest if late or line.split(",")[1] < LAST_WEEK)]) + "\n"


def second_run(folder: Path, read: list[int], keeps: bool) -> tuple[RunResult, int]:
    """The second run of a chain, and how many reviews it read anew."""
    shop(folder, WEEKS, TABLES | {"reviews.csv": lines(late=False)})
    now = datetime.fromisoformat(day(WEEKS, 0) + "T08:00+00:00")
    with closing(Chain(folder, now=lambda: now, by="Li")) as chain:
        chain.run()
        assert chain.ledger.worked_out()
        if not keeps:
            chain.ledger.keep_worked_out({})
    (folder / "reviews.csv").write_text(lines(late=True), encoding="utf-8")
    read.clear()
    later = now.replace(hour=12)
    with closing(Chain(folder, now=lambda: later, by="Li")) as chain:
        result = chain.run()
        return result, sum(read)


def test_a_run_reads_new_days_alone_and_gives_what_reading_all_would(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[int] = []

    def spied(texts: Sequence[str], *rest: object) -> object:
        read.append(len(texts))
        return said_of(texts, *rest)  # ty: ignore[invalid-argument-type]

    monkeypatch.setattr(blame_and_praise, "said_of", spied)
    # As a large chain, it learnt from the first 400 reviews with stars the time before, and does so again.
    monkeypatch.setattr(review_reader, "LEARNT_MAX", 500)
    monkeypatch.setattr(review_reader, "LEARNT_MIN", 100)
    kept, few = second_run(tmp_path / "a", read, keeps=True)
    fresh, every = second_run(tmp_path / "b", read, keeps=False)
    late = len(lines(late=True).splitlines()) - len(lines(late=False).splitlines())
    assert few == late and every == len(lines(late=True).splitlines()) - 1
    assert kept.run == fresh.run and kept.tables.keys() == fresh.tables.keys()
    assert all(kept.tables[name].equals(fresh.tables[name]) for name in kept.tables)
    assert "complaint" in kept.tables["signals"]["kind"].to_pylist()


def test_what_another_process_read_is_kept_with_its_answer(tmp_path: Path) -> None:
    folder = tmp_path / "shop"
    shop(folder, WEEKS, TABLES | {"reviews.csv": lines(late=True)})
    now = datetime.fromisoformat(day(WEEKS, 0) + "T08:00+00:00")
    with closing(Chain(folder, now=lambda: now, by="Li")) as chain:
        record = pickle.loads(pickle.dumps(pickle.loads(pickle.dumps(chain.run_asked())).answer()))
        assert not chain.ledger.worked_out()
        chain.keep_run(record)
        assert chain.ledger.worked_out() == record.worked_out != {}
