"""Stages read the tables that they say they read: each is given those alone, and the cycle is the same."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from cases.random_chains import random_chain
from datong.connectors.files.folder import check_folder
from datong.cycle import READS, STAGES, USUAL, Stages, run_cycle
from datong.ledger.protocol import END_OF_TIME
from datong.ledger.state import State, every_table, state_of_tables
from datong.model.flow import nothing_learnt
from datong.questions.run import run_record

FMCG = Path(__file__).parents[2] / "examples" / "fmcg"


def declared(reads: dict[str, tuple[str, ...]]) -> Stages:
    """The usual stages, each with the tables that it declares in place of the whole state."""

    def held_to(stage: str) -> Callable[..., Any]:
        usual = getattr(USUAL, stage)

        def called(first: Any, *rest: Any) -> Any:
            if isinstance(first, State):
                return usual(first.only(reads[stage]), *rest)
            if stage == "balance":
                return usual(replace(first, state=first.state.only(reads[stage])), *rest)
            return usual(first, *rest)

        return called

    return Stages(**{stage: held_to(stage) for stage in STAGES})


def company() -> State:
    """The example's records, whole, with few sample paths."""
    checked = check_folder(FMCG)
    assert checked.settings is not None
    given = {name: part.rows.drop_columns(["__row__"]) for name, part in checked.checked.items()}
    moment = END_OF_TIME - timedelta(days=365)
    state = state_of_tables(replace(checked.settings, path_count=20), moment, given)
    last = max(state.table("sales")["happened_at"].to_pylist())
    return replace(state, as_of=last)


RANDOM = [random_chain(seed, without=("locked", "released", "started")).state for seed in range(4)]


@pytest.mark.parametrize("chain", [0, 1, 2, 3, "company"])
def test_stages_read_what_they_declare(chain: int | str) -> None:
    state = RANDOM[chain] if isinstance(chain, int) else company()
    whole, held = (run_cycle(state, nothing_learnt(), (), 1, stages=s) for s in (USUAL, declared(dict(READS))))
    records = [run_record(state, nothing_learnt(), 1, result).tables for result in (whole, held)]
    assert records[0].keys() == records[1].keys()
    assert all(records[0][name].equals(records[1][name]) for name in records[0])


@pytest.mark.parametrize("stage", ["sense", "balance", "plan", "dispatch", "learn"])
def test_a_stage_that_reads_another_table_is_found(stage: str) -> None:
    fewer = {**READS, stage: tuple(name for name in READS[stage] if name not in ("products", "orders"))}
    with pytest.raises(KeyError, match="made with"):
        run_cycle(RANDOM[0], nothing_learnt(), (), 1, stages=declared(fewer))


def test_only_tables_of_a_state_are_declared() -> None:
    assert READS.keys() == set(STAGES)
    assert {name for names in READS.values() for name in names} <= set(every_table())
