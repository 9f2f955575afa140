"""Since the last plan: what went out in between, from whichever run, counts on the side of now, over several runs."""

import json
from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import Any

import numpy as np
import pyarrow.compute as pc
import pytest

from cases.random_chains import MONDAY, RandomChain, random_chain
from datong.dispatch.rows_of_released_orders import release_rows
from datong.ledger.protocol import RunRecord
from datong.ledger.state import State
from datong.model.errors import NoPlan
from datong.model.flow import OrderMessage
from datong.questions.run import RunAsked
from datong.questions.since import PlanBefore, runs_since
from datong.questions.tables_out import planned_orders

Row = dict[str, Any]
# Chains that are planned within a second or two.
SEEDS = (*range(11), 12, 13, 14, 17, 19, 20, 21, 23)


@dataclass
class Played:
    """A chain that is planned again and again. runs: each with what it saw. out: (run, number) given out so far."""

    made: RandomChain
    random: np.random.Generator
    runs: list[tuple[RunRecord, State]] = field(default_factory=list)
    out: list[tuple[str, str]] = field(default_factory=list)

    def run(self, before: int | None = None) -> RunRecord:
        """before: which of the runs it is held against."""
        held = None if before is None else self.plan_before(before)
        proposed = tuple(record.tables["orders"] for record, _ in self.runs)
        record = RunAsked(self.made.state, (), held, 0, proposed=proposed).answer()
        self.runs.append((record, self.made.state))
        return record

    def plan_before(self, number: int) -> PlanBefore:
        record, state = self.runs[number]
        wanted = runs_since(state, self.made.state)
        sources = {run.run: run.tables for run, _ in self.runs if run.run in wanted}
        return PlanBefore(record.run, record.as_of, state, record.tables, sources=sources)

    def give_out(self, chance: float = 0.6) -> None:
        """Some of the last run's orders that start in its first weeks."""
        record, state = self.runs[-1]
        until = state.first_open_bucket + timedelta(days=21)
        chosen = [o for o in planned_orders(record.tables) if o.start < until and self.random.random() < chance]
        self.out += [(record.run, o.order) for o in chosen]
        messages = [OrderMessage(o.order, "works", o) for o in chosen]
        tables = {name: list(rows) for name, rows in self.made.tables.items()}
        for name, rows in release_rows(messages, record.run, record.as_of).items():
            tables.setdefault(name, []).extend(rows.drop_columns(["known_at", "__row__"]).to_pylist())
        self.made = replace(self.made, tables={name: rows for name, rows in tables.items() if rows})

    def next_bucket(self) -> None:
        later = self.made.settings.start or MONDAY
        later += timedelta(days=1 if self.made.settings.bucket == "day" else 7)
        self.made = _At(**{**vars(self.made), "settings": replace(self.made.settings, start=later)})

    def row(self, run: str, number: str) -> Row:
        record = next(record for record, _ in self.runs if record.run == run)
        return next(row for row in record.tables["orders"].to_pylist() if row["order"] == number)


class _At(RandomChain):
    """The chain as it stands on the first day of its plan."""

    @property
    def state(self) -> State:
        start = self.settings.start or MONDAY
        state = super().state
        return replace(state, as_of=datetime(start.year, start.month, start.day, tzinfo=UTC))


def weeks_of(record: RunRecord) -> set[date]:
    return set(record.tables["forecast_total"]["bucket"].to_pylist())


def since_rows(record: RunRecord, part: str) -> list[Row]:
    rows = record.tables["since"]
    return rows.filter(pc.equal(rows["part"], part)).to_pylist()


@cache
def game_of(seed: int) -> Played | None:
    """Two runs of one moment and two of the next, orders given out after each but the last; all are held against the
    first. None where locked orders cannot run."""
    game = Played(random_chain(seed), np.random.default_rng(seed))
    try:
        game.run()
        game.give_out()
        game.run(0)
        game.give_out()
        game.next_bucket()
        game.run(0)
        game.give_out()
        game.run(0)
    except NoPlan:
        return None
    return game


@pytest.mark.parametrize("seed", SEEDS)
def test_money_of_orders_is_what_is_proposed_and_what_went_out_since(seed: int) -> None:
    """Added up by hand over the weeks of both, from the rows of the runs that proposed the orders."""
    game = game_of(seed)
    if game is None:
        pytest.skip("locked orders that cannot run")
    first, last = game.runs[0][0], game.runs[-1][0]
    calendar = game.made.settings.calendar
    both = weeks_of(first) & weeks_of(last)

    def money(rows: list[Row]) -> float:
        return sum(row["cost"] for row in rows if calendar.bucket_start(row["start"]) in both)

    out = [game.row(run, number) for run, number in game.out]
    proposed = last.tables["orders"].to_pylist()
    cost = {row["kind"]: row for row in since_rows(last, "cost")}
    shown = cost.get("orders", {"money_before": 0.0, "money_after": 0.0})
    assert shown["money_after"] == pytest.approx(money(proposed) + money(out), rel=1e-9, abs=0.02)
    assert shown["money_before"] == pytest.approx(money(first.tables["orders"].to_pylist()), rel=1e-9, abs=0.02)
    assert "unpriced" not in cost


@pytest.mark.parametrize("seed", SEEDS)
def test_every_order_of_the_plan_before_is_told_once(seed: int) -> None:
    """It went out by its number, is as it was, or has a row; and none of which its like went out is gone or moved."""
    game = game_of(seed)
    if game is None:
        pytest.skip("locked orders that cannot run")
    first, last = game.runs[0][0], game.runs[-1][0]
    told, out = since_rows(last, "orders"), {number for _, number in game.out}
    was = first.tables["orders"].to_pylist()
    left = [row for row in was if row["order"] not in out]
    same = sum(json.loads(row["text_params"])["count"] for row in told if row["kind"] == "same")
    gone_on = [row for row in told if row["units_before"] is not None]
    assert len(left) == len(gone_on) + same

    given = [row["subject"] for row in told if row["kind"] == "given_out"]
    assert len(set(given)) == len(given)
    assert set(given) <= out - {row["order"] for row in was}
    alone = [game.row(*one) for one in game.out if one[1] not in {*given, *(row["order"] for row in was)}]
    untold = {(way_of(row), row["start"]) for row in alone}
    by_start = {(row["product"], row["start"], row["units"]): way_of(row) for row in left}
    for row in gone_on:
        if row["kind"] in ("missed", "dropped", "moved", "moved_resized"):
            way = by_start[row["product"], row["day_before"], row["units_before"]]
            assert (way, row["day_before"]) not in untold


def way_of(order: Row) -> tuple[Any, ...]:
    return tuple(order[name] for name in ("kind", "product", "recipe", "offer", "lane", "site"))


def test_the_games_have_what_they_are_about() -> None:
    """Orders went out of runs that were made again, and some of them were planned before under another number."""
    games = [game for game in map(game_of, SEEDS) if game is not None]
    kinds = Counter(row["kind"] for game in games for row in since_rows(game.runs[-1][0], "orders"))
    assert kinds["given_out"] > 10
    assert kinds["moved_resized"] > 5
    assert kinds["dropped"] + kinds["missed"] > 3
