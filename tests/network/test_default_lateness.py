"""The default price of lateness, by hand: what free hours before could make is not late; stated prices are obeyed."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from datong.connectors.files.settings import read_settings
from datong.cycle import decide, head
from datong.ledger.state import State, in_state_schema, state_of_tables
from datong.model.flow import nothing_learnt
from datong.model.settings import ChainSettings, Defaults
from datong.network.economics import Economics
from datong.network.facts import chain_facts

MONDAY = date(2026, 1, 5)


def state(economics: list[dict[str, Any]] | None = None, defaults: Defaults | None = None, **columns: Any) -> State:
    """A at 100, made in an hour and for 60 on a line of two hours a week; 10 wanted in the last of five weeks."""
    asked = {"demand": "D", "product": "A", "due": MONDAY + timedelta(weeks=4), "units": 10.0} | columns
    rows = {
        "products": [{"product": "A", "price": 100.0}],
        "lines": [{"line": "L", "hours_per_week": 2.0}],
        "recipes": [{"recipe": "m", "product": "A", "line": "L", "hours_per_unit": 1.0, "cost_per_unit": 60.0}],
        "demand": [asked],
        "economics": economics or [],
    }
    tables = {}
    for name, own in rows.items():
        if own:
            table = pa.table({column: [row.get(column) for row in own] for column in own[0]})
            tables[name] = in_state_schema(name, table)
    chain = ChainSettings("t", horizon_buckets=8, path_count=1, max_late_days=21, defaults=defaults or Defaults())
    return state_of_tables(chain, datetime(2026, 1, 5, tzinfo=UTC), tables)


def economics(of: State) -> Economics:
    starts = of.settings.calendar.starts(MONDAY, of.settings.horizon_buckets)
    return chain_facts(of, starts, nothing_learnt()).economics["A"]


def late_units(of: State) -> float:
    return sum(decide(head(of, nothing_learnt(), 0)).clearing.gaps["late_units"].to_pylist())


def test_what_hours_before_could_make_is_not_late() -> None:
    """Holding 0.4 a week; a bucket late costs 8 weeks of it, a lost sale what three weeks of that cost more."""
    found = economics(state())
    assert found.late_per_bucket == pytest.approx(8 * 0.4)
    assert found.lost_sale == pytest.approx(100 + 3 * (3.2 - 2.0))
    assert late_units(state()) == 0


def test_without_the_factor_late_is_cheaper_than_made_ahead() -> None:
    """At 1 a week late, the two units that would lie four weeks, for 1.6 each, are a week late instead."""
    flat = Defaults(late_share_per_week=0.01, late_horizon_factor=0.0)
    assert economics(state(defaults=flat)).late_per_bucket == 1.0
    assert economics(state(defaults=flat)).lost_sale == 100.0
    assert late_units(state(defaults=flat)) == 2
    assert late_units(state(defaults=replace(flat, late_horizon_factor=1.0))) == 0


def test_a_stated_price_is_obeyed() -> None:
    found = economics(state([{"product": "A", "late_cost_per_unit_week": 0.5}]))
    assert (found.late_per_bucket, found.lost_sale) == (0.5, 100.0)


def test_under_a_stated_lost_sale_late_stays_cheaper_than_lost() -> None:
    """Lost costs 70, made 60: lateness of up to three weeks may cost at most the 10 that are between, so 2.5 a week."""
    found = economics(state([{"product": "A", "lost_sale_cost_per_unit": 70.0}]))
    assert (found.late_per_bucket, found.lost_sale) == (2.5, 70.0)
    assert 60 + 3 * found.late_per_bucket < 70


def test_a_request_that_may_wait_longer_counts() -> None:
    found = economics(state(max_late_days=35))
    assert found.lost_sale == pytest.approx(100 + 5 * (3.2 - 2.0))


def test_what_is_owed_from_before_is_given_too() -> None:
    """Due a week before the plan begins, and not shipped: it weighs as what is due ahead, and is all."""
    found, ahead = economics(state(due=MONDAY - timedelta(weeks=1))), economics(state())
    assert (found.late_per_bucket, found.lost_sale, found.salvage) == (ahead.late_per_bucket, ahead.lost_sale, 0.0)


def test_what_does_not_pay_is_not_made_for_it() -> None:
    dear = state([{"product": "A", "lost_sale_cost_per_unit": 50.0}])
    assert economics(dear).late_per_bucket == 2.0


@pytest.mark.parametrize(
    ("said", "factor"),
    [("", 1.0), ("late_share_per_week = 0.02", 0.0), ("late_share_per_week = 0.02\nlate_horizon_factor = 0.5", 0.5)],
)
def test_a_share_that_the_settings_state_is_obeyed(tmp_path: Path, said: str, factor: float) -> None:
    (tmp_path / "chain.toml").write_text(f'name = "t"\n[defaults]\n{said}\n')
    settings, findings = read_settings(tmp_path)
    assert not findings
    assert settings.defaults.late_horizon_factor == factor
