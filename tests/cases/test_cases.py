"""Every shared case, by `run` and by `balance`: its right answer, the rules kept, and what is said, by the referee.

The referee adds the orders up by itself (referee.py); rights.py has the right answers.
"""

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from cases.plans import CASES as FOLDERS
from cases.plans import Plan, Plans, feasible, folder_of, plans_of, printed, same_orders, says_what_it_does, whole
from cases.rights import CASES, Case
from datong.model.errors import NoPlan

# What is wrong today, by case and check. An entry goes when its fault is mended: a check that passes may not be here.
FAULTS: dict[tuple[str, str], str] = {}

# What a fault raises; anything else is a fault of the test.
RAISED = (AssertionError, NoPlan, ValueError)

HOW = ("balance", "run")


def checks(case: Case) -> list[str]:
    """Names of the checks of a case."""
    usual = ["same", *(f"{how} {what}" for how in HOW for what in USUAL)]
    usual += [f"{how} right" for how in HOW if case.right is not None]
    usual += ["found"] * bool(case.found) + [f"{how} shows" for how in HOW if case.shown]
    return [name for name in usual if name not in case.without] + list(case.also)


USUAL: Mapping[str, Callable[[Plan], None]] = {"feasible": feasible, "whole": whole, "says": says_what_it_does}
ALL = [(name, check) for name, case in CASES.items() for check in checks(case)]


@pytest.mark.skipif(not FOLDERS.is_dir(), reason="the shared cases are not here")
@pytest.mark.parametrize("name", list(CASES))
def test_case(name: str, tmp_path: Path) -> None:
    """All checks of a case on the same two plans: those that fail are the faults that are listed, no more, no fewer."""
    made = plans_of(name, tmp_path, CASES[name].put_aside, CASES[name].most_nodes)
    failed = {}
    for check in checks(CASES[name]):
        try:
            hold(name, check, made, tmp_path / check.replace(" ", "-"))
        except RAISED as wrong:
            failed[check] = f"{type(wrong).__name__}: {wrong}"
    known = {check for of, check in FAULTS if of == name}
    assert {check: text for check, text in failed.items() if check not in known} == {}
    assert known <= set(failed), "mended: strike it from FAULTS"


def hold(name: str, check: str, of_case: Plans, where: Path) -> None:
    """Raises one of RAISED where the case fails the check."""
    case = CASES[name]
    if check in case.also:
        case.also[check](copied(name, where))
        return
    how, _, what = check.partition(" ")
    if what == "shows":
        shown = printed(how, copied(name, where), where / "out")
        missing = [words for words in case.shown if words not in shown]
        assert not missing, f"{missing} not in: {shown}"
        return
    if check == "found":
        findings = next(iter(of_case.values()))
        assert isinstance(findings, Plan)
        assert any(all(words in text for words in case.found) for text in findings.findings), findings.findings
        return
    made = [plan_of(of_case[one]) for one in HOW if check == "same" or one == how]
    if check == "same":
        same_orders(*made)
    elif what == "right":
        assert case.right is not None
        case.right(*made)
    else:
        USUAL[what](*made)


def plan_of(found: Plan | Exception) -> Plan:
    if isinstance(found, Exception):
        raise found
    return found


def copied(name: str, where: Path) -> Path:
    return Path(shutil.copytree(folder_of(name), where / name))


def test_every_fault_is_of_a_check() -> None:
    assert set(FAULTS) <= set(ALL)


@pytest.mark.skipif(not FOLDERS.is_dir(), reason="the shared cases are not here")
def test_every_case_is_here() -> None:
    there = {folder.name for kind in ("planning", "peers") for folder in (FOLDERS / kind).iterdir() if folder.is_dir()}
    assert there == set(CASES)
