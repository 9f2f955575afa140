"""The table of cases, by the functions beside it. A store's way of judging is held to the same cases in tests/store."""

from datetime import UTC, datetime

import pytest

from datong.ledger.verdicts import ARRIVED, CASES, Case, Coming, Version, verdicts, verdicts_on_branch


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.why)
def test_cases(case: Case) -> None:
    assert tuple(verdicts(case.held, case.rows, case.kind, case.history, ARRIVED)) == case.verdicts


def test_a_fact_from_another_day_on_is_there() -> None:
    """Its undated row has come now and so is later than the dated version; without the fact it holds since ever."""
    row = [Coming(None, "b", True)]
    assert verdicts((), row, "master", arrived=ARRIVED, fact_is_there=True) == ["new"]


def test_on_a_branch_what_comes_takes_the_place_of_what_the_parent_says() -> None:
    """Parent: a. On the branch: the same is known, other things are news; of one moment the last counts."""
    below, early, late = Version(ARRIVED, "a"), datetime(2026, 2, 1, tzinfo=UTC), datetime(2026, 2, 2, tzinfo=UTC)
    own = [Version(late, "b"), Version(late, "c")]
    assert verdicts_on_branch(None, (), [Coming(early, "a")]) == ["new"]
    assert verdicts_on_branch(below, (), [Coming(early, "a"), Coming(late, "b")]) == ["known", "superseding"]
    assert verdicts_on_branch(below, own, [Coming(early, "b"), Coming(late, "c")]) == ["superseding", "known"]
    assert verdicts_on_branch(below, own, [Coming(late, "b"), Coming(late, "d")]) == ["superseding", "conflicting"]
    gone = Version(ARRIVED, "a", withdrawn=True)
    assert verdicts_on_branch(gone, (), [Coming(early, "a")]) == ["superseding"]
