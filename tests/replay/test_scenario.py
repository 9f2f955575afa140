"""Scenarios, perfect foresight, the company's own books and what the loop learns, in the small chain."""

import itertools
from dataclasses import replace
from datetime import date, datetime, timedelta
from types import SimpleNamespace

import pyarrow as pa
import pytest

from datong.cycle import CycleResult
from datong.learn.learnt_as_table import learnt_table
from datong.ledger.protocol import RunRecord
from datong.ledger.state import State, state_of_tables
from datong.model.flow import Learnt
from datong.model.settings import ChainSettings
from datong.network.position import position
from datong.questions.tables_out import run_tables
from datong.replay.replay import replay, replay_sweep, set_scene
from datong.replay.scenario import DAYS_AHEAD, STATED, Scenario, as_in, sweep
from datong.replay.served_as_recorded import recorded_service


def record(state: State, used: Learnt, seed: int, result: CycleResult) -> RunRecord:
    tables = {**run_tables(result), "learnt_used": learnt_table(used), "learnt": learnt_table(result.learnt)}
    return RunRecord(f"R{state.today}", state.as_of, seed, tables)


def end_state(small: SimpleNamespace) -> State:
    return small.known(small.facts())(small.midnight(small.end))


def test_a_scenario_changes_costs_of_tables_and_defaults_alike(small: SimpleNamespace) -> None:
    state = end_state(small)
    assert as_in(state, STATED) is state
    changed = as_in(state, Scenario("x", holding_factor=2.0, late_factor=0.5, promise_days=1))
    row = changed.table("economics").to_pylist()[0]
    assert (row["holding_cost_per_unit_week"], row["late_cost_per_unit_week"]) == (0.2, 0.5)
    assert row["lost_sale_cost_per_unit"] == 20.0
    assert changed.settings.defaults.holding_share_per_week == 2 * state.settings.defaults.holding_share_per_week
    assert changed.settings.promise_days == 1


def test_a_weekly_chain_by_day_and_back() -> None:
    """10 weeks and 1 frozen week are 70 days, of which DAYS_AHEAD are planned, and 7 frozen ones."""
    weekly = ChainSettings("t", horizon_buckets=10, frozen_buckets=1)
    moment = weekly.calendar.midnight(date(2024, 1, 1))
    by_day = as_in(state_of_tables(weekly, moment, {}), Scenario(bucket="day")).settings
    assert (by_day.bucket, by_day.horizon_buckets, by_day.frozen_buckets) == ("day", DAYS_AHEAD, 7)
    daily = ChainSettings("t", bucket="day", horizon_buckets=30, frozen_buckets=8)
    by_week = as_in(state_of_tables(daily, moment, {}), Scenario(bucket="week")).settings
    assert (by_week.bucket, by_week.horizon_buckets, by_week.frozen_buckets) == ("week", 4, 2)


def test_twice_the_opening_stock_is_what_every_policy_sees(small: SimpleNamespace) -> None:
    states, actual = small.known(small.facts()), end_state(small)
    one = set_scene(states, actual, 4)
    two = set_scene(states, actual, 4, Scenario(opening_stock_factor=2.0))
    assert one.scene.opening_units
    for product, units in one.scene.opening_units.items():
        assert two.scene.opening_units[product] == pytest.approx(2 * units)
        assert position(two.before).on_hand_units[product] == pytest.approx(2 * units)


def test_the_sweep_changes_one_thing_at_a_time_and_holds_the_stated_case(small: SimpleNamespace) -> None:
    names = [scenario.name for scenario in sweep(small.settings)]
    assert names[0] == "stated" and len(set(names)) == len(names)
    assert "promise_3_days" not in names  # that is what the chain promises
    told: list[int] = []
    chosen = [STATED, Scenario("opening_stock_x2", opening_stock_factor=2.0)]
    found = replay_sweep(small.known(small.facts()), end_state(small), 2, 7, record, chosen, told.append)
    assert told == [1, 2]
    stated = replay(small.known(small.facts()), end_state(small), 2, 7, record)
    both = found.differences.to_pandas()
    own = stated.differences.to_pandas()
    own = own[own["than"] != "foresight"].reset_index(drop=True)
    assert both[both["scenario"] == "stated"].drop(columns="scenario").reset_index(drop=True).equals(own)
    stock = found.summary.to_pandas().query("policy == 'company'").set_index("scenario")["mean_stock_units"]
    assert stock["opening_stock_x2"] > stock["stated"]


def test_nobody_does_better_than_perfect_foresight(small: SimpleNamespace) -> None:
    """It has nothing left at the end, hardly holds anything, and is late only where the lines leave no choice."""
    result = replay(small.known(small.facts()), end_state(small), 8, 7, record)
    summary = result.summary.to_pandas().set_index("policy")
    others = summary.drop(index="foresight")
    assert (summary.at["foresight", "avoidable_cost"] <= others["avoidable_cost"]).all()
    assert summary.at["foresight", "avoidable_cost"] < 0.5 * summary.at["baseline", "avoidable_cost"]
    assert summary.at["foresight", "owed_end_units"] < 0.05 * summary.at["foresight", "demand_units"] / 8


def test_a_day_by_day_replay_of_the_weekly_chain(small: SimpleNamespace) -> None:
    result = replay(small.known(small.facts()), end_state(small), 3, 7, record, scenario=Scenario(bucket="day"))
    days = sorted(set(result.by_bucket["bucket"].to_pylist()))
    assert [small.end - day for day in days] == [timedelta(days=n) for n in (3, 2, 1)]


def test_recorded_service_by_hand() -> None:
    """10 ordered on day 1 and 10 on day 2; sent: 4 on day 1, 10 on day 4, 3 on day 9, so 3 never.

    Same day 4 of 20; within a day 4; within 3 days all of day 1's and 4 of day 2's are there by days 4 and 5: 10 + 4;
    within 7 (days 8 and 9): 10 + 7; in the end 17.
    """

    def moment(day: int) -> datetime:
        return datetime.fromisoformat(f"2024-01-{day:02d}T08:00:00+00:00")

    sales = {"happened_at": [moment(1), moment(2)], "product": ["a", "a"], "units": [10.0, 10.0]}
    sent = {"happened_at": [moment(1), moment(4), moment(9)], "product": ["a"] * 3, "units": [4.0, 10.0, 3.0]}
    settings = ChainSettings("t")
    state = state_of_tables(settings, moment(20), {"sales": pa.table(sales), "shipments": pa.table(sent)})
    found = {row["within_days"]: row["share"] for row in recorded_service(state).to_pylist()}
    assert found == {0: 0.2, 1: 0.2, 3: 0.7, 7: 0.85, 14: 0.85, None: 0.85}
    silent = state_of_tables(settings, moment(20), {"sales": pa.table(sales)})
    assert recorded_service(silent).num_rows == 0


def test_lead_times_and_yields_are_learnt_from_how_the_companys_orders_really_went(
    small: SimpleNamespace, no_foresight: None
) -> None:
    """The recipes say at once and all good; the company's orders took 9 days, and 4 of 5 became good.

    The first cycles believe the recipes and are 9 days and a fifth off; once LEAST_ORDERS of a recipe's own orders are
    done, it is counted on to take 9 days, and the yield comes nearer with every report.
    """
    rows = small.facts()
    rows["orders"], rows["order_events"] = [], []
    # Nobody told of these orders until the records were put together: no policy sees them.
    told_at = small.midnight(small.end - timedelta(days=1))
    for n, product in itertools.product(range(12), ("a", "b")):
        day, name = small.first + timedelta(weeks=n), f"C{n}{product}"
        order = {"order": name, "kind": "make", "product": product, "recipe": f"{product}/1", "units": 50.0}
        dated = {"row_id": f"orders:{name}", "start": day, "due": day, "locked": True, "known_at": told_at}
        rows["orders"].append(order | dated)
        for state, days, good in (("released", 0, None), ("done", 9, 40.0)):
            event = {"row_id": f"order_events:{name}|{state}", "order_event": f"{name}|{state}", "order": name}
            happened_at = small.midnight(day + timedelta(days=days))
            rows["order_events"].append(
                event | {"happened_at": happened_at, "state": state, "good_units": good, "known_at": told_at}
            )
    for row in rows["production"]:
        row["scrap_units"] = 0.0
    for product in ("a", "b"):
        lost = small.event("production", f"scrap|{product}", small.end - timedelta(days=2), product=product)
        total = sum(r["good_units"] for r in rows["production"] if r["product"] == product)
        rows["production"].append(lost | {"good_units": 0.0, "scrap_units": total / 4})
    settings = replace(small.settings, horizon_buckets=6)
    states = small.known(rows, settings)
    result = replay(states, states(small.midnight(small.end)), 16, 7, record)
    learning = result.learning.to_pandas().pivot(index="bucket", columns="measure", values="value")
    lead = learning["lead_days_error"].dropna()
    assert lead.iloc[0] == 9.0 and lead.iloc[-5:].mean() < 5.0 and lead.min() == 0.0
    made = learning["yield_error"].dropna()
    assert made.iloc[0] > 0.15 and made.iloc[-1] < 0.75 * made.iloc[0]


def test_the_opening_stock_is_at_least_what_the_companys_own_flows_need(small: SimpleNamespace) -> None:
    """No stock was ever counted: what the company sent before it made as much is given to every policy, and said."""
    rows = small.facts()
    del rows["stock"]
    setting = set_scene(small.known(rows), small.known(rows)(small.midnight(small.end)), 8)
    calendar = small.settings.calendar
    start = setting.scene.buckets[0]
    for product in ("a", "b"):
        have = max(setting.scene.opening_units.get(product, 0.0), setting.company.least_opening.get(product, 0.0))
        flow = {}
        for name, column, sign in (("production", "good_units", 1.0), ("shipments", "units", -1.0)):
            for row in rows[name]:
                day = calendar.local_date(row["happened_at"])
                if row["product"] == product and day >= start:
                    flow[day] = flow.get(day, 0.0) + sign * row[column]
        lowest = min(itertools.accumulate((flow[day] for day in sorted(flow)), initial=have))
        assert lowest == pytest.approx(0.0, abs=1e-6) or lowest > 0
    assert setting.company.least_opening
    result = replay(small.known(rows), small.known(rows)(small.midnight(small.end)), 8, 7, record)
    assert any(note.key == "replay.note_opening" for note in result.notes)
    assert not any(
        note.key == "replay.note_opening"
        for note in replay(small.known(small.facts()), end_state(small), 2, 7, record).notes
    )


def test_records_that_say_less_than_nothing_is_left_are_put_right(small: SimpleNamespace) -> None:
    """What was made is not recorded, what was sent is: a policy still sees what comes of its own orders."""
    rows = small.facts()
    del rows["production"]
    actual = small.known(rows)(small.midnight(small.end))
    setting = set_scene(small.known(rows), actual, 8)
    assert min(position(setting.before).on_hand_units.values()) >= 0.0
    result = replay(small.known(rows), actual, 8, 7, record)
    summary = result.summary.to_pandas().set_index("policy")
    assert summary.at["baseline", "made_units"] < 1.5 * summary.at["baseline", "demand_units"]
    assert any(note.key == "replay.note_no_company" for note in result.notes)
