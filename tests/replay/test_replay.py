"""The replay as a whole, and that nothing known later can leak into it."""

import copy
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from datong.cycle import CycleResult
from datong.ledger.protocol import RunRecord
from datong.ledger.row_ids import SINCE_EVER as EVER
from datong.ledger.state import State, state_of_tables
from datong.model.errors import Refused
from datong.model.flow import Learnt, PlannedOrder, nothing_learnt
from datong.model.tables import tables
from datong.network.committed import committed
from datong.network.facts import chain_facts
from datong.network.position import position
from datong.replay import replay as module
from datong.replay.baseline import baseline_orders
from datong.replay.company import Company, company_of
from datong.replay.course import before_replay, course_tables
from datong.replay.replay import follow, replay, replayed_buckets, set_scene
from datong.replay.scene_and_batches import Batch, Scene
from datong.replay.scene_from_records import batches_under_way, make_scene, open_shares
from datong.replay.simulate import Simulation
from datong.replay.unit_worth import cheapest_ways, unit_costs

Seen = list[tuple[State, CycleResult]]


def record(state: State, used: Learnt, seed: int, result: CycleResult) -> RunRecord:
    return RunRecord(f"R{state.today}", state.as_of, seed, {})


@pytest.fixture
def cycles(monkeypatch: pytest.MonkeyPatch, no_foresight: None) -> Iterator[Seen]:
    """Every state that a replay hands to the cycle, with the cycle's result; without those of perfect foresight."""
    seen: Seen = []
    run_cycle = module.run_cycle

    def watched(state: State, *others: Any, **named: Any) -> CycleResult:
        result = run_cycle(state, *others, **named)
        seen.append((state, result))
        return result

    monkeypatch.setattr(module, "run_cycle", watched)
    yield seen


def orders(seen: Seen) -> list[list[tuple[Any, ...]]]:
    return [[(o.order, o.product, o.units, o.start, o.due, o.cost, o.value) for o in r.plan.orders] for _, r in seen]


def later_rows(small: SimpleNamespace, moment: datetime, learnt_at: datetime) -> dict[str, list[dict[str, Any]]]:
    """What changes the picture as of `moment` but is only known at `learnt_at`: corrections and new rows, far out."""
    monday = small.settings.calendar.local_date(moment)
    last_week = monday - timedelta(days=4)
    rows = small.facts()
    changed: dict[str, list[dict[str, Any]]] = {
        "sales": [],
        "stock": [],
        "lines": [],
        "economics": [],
        "production": [],
    }
    for row in rows["sales"]:
        if row["happened_at"] < moment:
            changed["sales"].append(row | {"units": row["units"] * 5, "known_at": learnt_at})
    for n in range(3):
        for product in ("a", "b"):
            key = f"late|{n}|{product}"
            late = small.event("sales", key, last_week, product=product, units=400.0)
            changed["sales"].append(late | {"known_at": learnt_at})
    changed["stock"] = [
        small.event("stock", f"late|{p}", last_week, product=p, units=900.0) | {"known_at": learnt_at}
        for p in ("a", "b")
    ]
    changed["production"] = [
        small.event("production", "late", last_week, product="a", good_units=500.0) | {"known_at": learnt_at}
    ]
    changed["lines"] = [row | {"hours_per_week": 11.0, "known_at": learnt_at} for row in rows["lines"]]
    changed["economics"] = [row | {"late_cost_per_unit_week": 9.0, "known_at": learnt_at} for row in rows["economics"]]
    return changed


def with_rows(rows: dict[str, list[dict[str, Any]]], more: dict[str, list[dict[str, Any]]]) -> Any:
    both = copy.deepcopy(rows)
    for name, added in more.items():
        both[name] = both[name] + added
    return both


def test_rows_known_later_cannot_leak(small: SimpleNamespace, cycles: Seen) -> None:
    """Two worlds that differ only in what became known a second after the re-lived Monday's first moment."""
    end = small.midnight(small.end)
    last_monday = small.midnight(small.end - timedelta(weeks=1))
    plain = small.facts()
    for rows in (plain, with_rows(plain, later_rows(small, last_monday, last_monday + timedelta(seconds=1)))):
        replay(small.known(rows), small.known(rows)(end), 1, 7, record)
    assert orders(cycles[:1])[0]
    assert orders(cycles[:1]) == orders(cycles[1:])


def test_what_buyers_order_later_cannot_leak_into_any_bucket(small: SimpleNamespace, cycles: Seen) -> None:
    """Three buckets; the worlds differ in what buyers order in the last one, and in hours and costs known then."""
    end = small.midnight(small.end)
    last = small.end - timedelta(weeks=1)
    plain = small.facts()
    more = later_rows(small, small.midnight(last), small.midnight(last) + timedelta(seconds=1))
    more = {name: more[name] for name in ("lines", "economics")}
    more["sales"] = [
        small.event("sales", f"more|{p}|{d}", last + timedelta(days=d), product=p, units=60.0)
        for p in ("a", "b")
        for d in range(3)
    ]
    results = []
    for rows in (plain, with_rows(plain, more)):
        results.append(replay(small.known(rows), small.known(rows)(end), 3, 7, record))
    assert len(cycles) == 6 and all(orders(cycles))
    assert orders(cycles[:3]) == orders(cycles[3:])
    assert results[0].summary["demand_units"].to_pylist() != results[1].summary["demand_units"].to_pylist()


def test_the_same_rows_known_in_time_do_change_the_orders(small: SimpleNamespace, cycles: Seen) -> None:
    """The leak test can fail: what it hides would have mattered."""
    end = small.midnight(small.end)
    last_monday = small.midnight(small.end - timedelta(weeks=1))
    plain = small.facts()
    for rows in (plain, with_rows(plain, later_rows(small, last_monday, last_monday))):
        replay(small.known(rows), small.known(rows)(end), 1, 7, record)
    assert orders(cycles[:1]) != orders(cycles[1:])


def test_no_state_that_a_policy_sees_holds_a_row_from_later(small: SimpleNamespace, cycles: Seen) -> None:
    """Fails where `actual`, or a table of it, reaches the cycle; the simulated rows keep the rule as well."""
    rows = small.facts()
    actual = small.known(rows)(small.midnight(small.end))
    replay(small.known(rows), actual, 4, 7, record)
    mondays = [small.midnight(small.end - timedelta(weeks=n)) for n in (4, 3, 2, 1)]
    assert [state.as_of for state, _ in cycles] == mondays
    for state, _ in cycles:
        for name in tables():
            known_at = state.table(name)["known_at"].drop_null()
            if len(known_at):
                assert pc.max(known_at).as_py() <= state.as_of, name  # ty: ignore[unresolved-attribute]
    last = cycles[-1][0]
    assert last.table("order_events").num_rows > 0
    company = actual.table("production").filter(pc.field("happened_at") >= pa.scalar(mondays[0]))
    assert not set(company["row_id"].to_pylist()) & set(last.table("production")["row_id"].to_pylist())


def test_undated_wanted_rows_and_orders_are_not_shown_to_the_past(small: SimpleNamespace, cycles: Seen) -> None:
    """Undated rows count as known since ever; those that say when they were known are seen from then on."""
    rows = small.facts()
    due = small.end - timedelta(days=3)
    seen = small.midnight(small.end - timedelta(weeks=2))
    for key, known_at in (("undated", EVER), ("dated", seen)):
        row = {"row_id": f"demand:{key}", "demand": key, "product": "a", "market": "all", "due": due, "units": 9.0}
        rows.setdefault("demand", []).append({**row, "firm": True, "priority": 0, "known_at": known_at})
    for key, known_at in (("undated", EVER), ("dated", seen)):
        order = {"order": key, "kind": "make", "product": "a", "recipe": "a/1", "units": 7.0, "locked": True}
        dated = {"row_id": f"orders:{key}", "start": due, "due": due, "known_at": known_at}
        rows.setdefault("orders", []).append(order | dated)
    actual = small.known(rows)(small.midnight(small.end))
    replay(small.known(rows), actual, 4, 7, record)
    assert [state.table("demand")["demand"].to_pylist() for state, _ in cycles] == [[], [], ["dated"], ["dated"]]
    for (
        state,
        _,
    ) in cycles:  # orders since the replay began are the policy's own; those before it say when they were known
        assert "undated" not in state.table("orders")["order"].to_pylist()


def test_undated_prices_and_promotions_to_come_are_not_shown_to_the_past(small: SimpleNamespace, cycles: Seen) -> None:
    """What began before the cycle's day is seen, and so is what says when it was known."""
    rows = small.facts()
    begins = {"past": small.end - timedelta(weeks=20), "undated": small.end - timedelta(days=3)}
    begins["dated"] = begins["undated"] + timedelta(days=1)
    for key, day in begins.items():
        known_at = small.midnight(small.end - timedelta(weeks=2)) if key == "dated" else EVER
        price = {"row_id": f"prices:{key}", "product": "a", "market": "all", "price": 9.0, "valid_from": day}
        rows.setdefault("prices", []).append({**price, "known_at": known_at})
        row = {"row_id": f"promotions:{key}", "promotion": key, "product": "a", "from": day, "known_at": known_at}
        rows.setdefault("promotions", []).append({**row, "to": day + timedelta(days=2), "change_share": 0.1})
    actual = small.known(rows)(small.midnight(small.end))
    replay(small.known(rows), actual, 4, 7, record)
    assert [sorted(state.table("promotions")["promotion"].to_pylist()) for state, _ in cycles] == [
        ["past"], ["past"], ["dated", "past"], ["dated", "past"],
    ]  # fmt: skip
    assert [len(state.versions("prices")) for state, _ in cycles] == [1, 1, 2, 2]


def test_a_ledger_that_answers_for_another_moment_is_refused(small: SimpleNamespace) -> None:
    actual = small.known(small.facts())(small.midnight(small.end))
    with pytest.raises(ValueError, match="asked for what was known"):
        replay(lambda _moment: actual, actual, 2, 7, record)


def test_real_ledger_does_not_leak(small: SimpleNamespace, cycles: Seen, tmp_path: Path) -> None:
    from datong.ledger.row_checks import validate
    from datong.store.duckdb_ledger import open_ledger

    last_monday = small.midnight(small.end - timedelta(weeks=1))
    late = later_rows(small, last_monday, last_monday + timedelta(seconds=1))
    for number, more in enumerate(({}, late)):
        ledger = open_ledger(tmp_path / f"{number}.duckdb", small.settings)
        for part in (small.facts(), more):
            for name in (n for n in tables() if n in part):
                columns = sorted({c for row in part[name] for c in row} - {"row_id"})
                raw = pa.table({c: pa.array([row.get(c) for row in part[name]]) for c in columns})
                raw = raw.append_column("__row__", pa.array(range(2, raw.num_rows + 2), pa.int64()))
                checked = validate(tables()[name], raw, name, small.settings)
                assert checked.rejected.num_rows == 0, [f.text("en") for f in checked.findings]
                ledger.ingest(
                    name, checked.rows, checked.rejected, [], name, datetime(2024, 1, 1, tzinfo=UTC), by="test"
                )
        replay(ledger.state, ledger.state(small.midnight(small.end)), 1, 7, record)
        ledger.close()
    assert cycles[1][0].table("sales").equals(cycles[0][0].table("sales"))
    assert orders(cycles[:1]) == orders(cycles[1:])
    assert orders(cycles[:1])[0]


def test_same_seed_same_bytes(small: SimpleNamespace) -> None:
    states, end = small.known(small.facts()), small.midnight(small.end)
    one, two = (replay(states, states(end), 2, 7, record) for _ in range(2))
    assert all(one.tables()[name].equals(two.tables()[name]) for name in one.tables())


def test_every_policy_meets_the_same_demand_and_each_step_is_told(small: SimpleNamespace) -> None:
    states, end = small.known(small.facts()), small.midnight(small.end)
    told: list[int] = []
    result = replay(states, states(end), 3, 7, record, told.append)
    assert told == [1, 2, 3]
    summary = result.summary.to_pandas().set_index("policy")
    assert list(summary.index) == ["datong", "company", "baseline", "foresight"]
    assert summary["demand_units"].nunique() == 1
    assert (summary["fill_on_time_share"] <= 1.0).all()
    by_bucket = result.by_bucket.to_pandas()
    assert by_bucket.groupby("policy")["cost"].sum().to_dict() == pytest.approx(summary["cost"].to_dict())
    difference = result.differences.to_pandas().set_index(["than", "measure"]).loc["company"]
    assert difference.at["cost", "difference"] == pytest.approx(
        summary.at["datong", "cost"] - summary.at["company", "cost"]
    )
    assert difference["low"].isna().all() and (difference["finding"] == "unsure").all()  # two products prove nothing
    assert all(note.text("zh") != note.text("en") for note in result.notes)


def follow_small(
    small: SimpleNamespace, rows: Any, decide: Callable[[State], list[PlannedOrder]], frozen_buckets: int = 0
) -> Simulation:
    states = small.known(rows, replace(small.settings, frozen_buckets=frozen_buckets))
    return follow(set_scene(states, states(small.midnight(small.end)), 8), decide)


@pytest.mark.parametrize("with_shipments", [True, False])
def test_a_policy_sees_the_stock_and_the_debts_of_its_own_course(small: SimpleNamespace, with_shipments: bool) -> None:
    """What `position` makes of the tables handed over is what the simulator counted, bucket after bucket."""
    rows = small.facts(with_shipments)
    if not with_shipments:
        del rows["production"]
    seen: list[tuple[dict[str, float], dict[Any, float]]] = []

    def decide(state: State) -> list[PlannedOrder]:
        where = position(state)
        seen.append((dict(where.on_hand_units), dict(where.owed_units)))
        return [o for o in baseline_orders(state) if o.product == "a"]  # b runs out, and its buyers wait

    course = follow_small(small, rows, decide)
    assert len(seen) == 8
    for t in range(1, 8):
        on_hand, owed = seen[t]
        assert [on_hand[p] for p in ("a", "b")] == pytest.approx(course.stock_units[t - 1].tolist())
        late = [sum(u for (item, _), u in owed.items() if item.product == p) for p in ("a", "b")]
        assert late[0] == pytest.approx(course.late_units[t - 1, 0])
        # On Monday one day more has passed than when the simulator counted: a buyer may have given up meanwhile.
        assert late[1] <= course.late_units[t - 1, 1] + 1e-9
    assert course.late_units[:, 1].max() > 0
    assert course.lost_units[:, 1].sum() > 0


def test_baseline_orders_up_to_mean_and_safety_stock(small: SimpleNamespace) -> None:
    """Due per week 10, 14, 10, 14: m = 12, s = sqrt(16 / 3) = 2.309; late 1, holding 0.1: z = Phi^-1(1 / 1.1) = 1.335.

    S = 12 + 1.335 x 2.309 = 15.08; with 4 in stock and nothing owed 11.08 are short: 12 in whole units.
    """
    monday = date(2023, 2, 6)
    sales = [
        small.event("sales", str(n), monday - timedelta(weeks=4 - n), product="a", units=units)
        for n, units in enumerate((10.0, 14.0, 10.0, 14.0))
    ]
    stock = [small.event("stock", "a", monday - timedelta(days=1), product="a", units=4.0)]
    rows = small.facts()
    given = {name: rows[name] for name in ("products", "lines", "recipes", "economics")} | {
        "sales": sales,
        "stock": stock,
    }
    got = baseline_orders(small.known(given)(small.midnight(monday)))
    assert [(o.product, o.recipe, o.units, o.start, o.due) for o in got] == [("a", "a/1", 12.0, monday, monday)]


def scene_of(actual: State, known: list[State], starts: list[date]) -> tuple[Scene, Company]:
    start, facts = position(known[0]), chain_facts(actual, starts, nothing_learnt())
    company = company_of(actual, facts, starts, unit_costs(facts, starts), start.on_hand_units)
    return make_scene(actual, facts, start, known, starts, company.line_hours, nothing_learnt()), company


def test_capacity_is_what_was_planned_less_closed_days_or_what_the_company_used(small: SimpleNamespace) -> None:
    """130 h a week; every week five days are worked.

    Week 1: nothing out of the way: 130 h. Week 2: on two of the five days only: 130 x 2 / 5 = 52 h. Week 3: on one
    day only, but the company itself then used 100 x 1 h: 100 h. Week 4: planned for 20 h: 20 h, or what was used.
    """
    rows = small.facts()
    rows["sales"] = rows["sales"][:40]
    mondays = [date(2023, 5, 1) + timedelta(weeks=n) for n in range(4)]
    usual = [date(2023, 3, 6) + timedelta(weeks=w, days=d) for w in range(8) for d in range(5)]
    worked = [mondays[0] + timedelta(days=d) for d in range(5)] + [mondays[1], mondays[1] + timedelta(days=1)]
    worked += [mondays[3] + timedelta(days=d) for d in range(5)]
    made = [small.event("production", str(day), day, product="a", good_units=1.0) for day in usual + worked]
    made.append(small.event("production", "big", mondays[2], product="a", good_units=100.0))
    rows["production"] = made
    rows["line_calendar"] = [
        {
            "row_id": "line_calendar:l",
            "known_at": small.midnight(small.first),
            "line": "l",
            "from": mondays[3],
            "to": mondays[3] + timedelta(days=7),
            "hours": 20.0,
        }
    ]
    states = small.known(rows)
    actual = states(small.midnight(small.end))
    known = [states(small.midnight(monday)) for monday in mondays]
    assert open_shares(actual, mondays) == pytest.approx([1.0, 0.4, 0.2, 1.0])
    scene, company = scene_of(actual, known, mondays)
    assert [hours["l"] for hours in scene.line_hours] == pytest.approx([130.0, 52.0, 100.0, 20.0])
    assert [[(b.product, b.units) for b in batches] for batches in company.batches] == [
        [("a", units)] for units in (5.0, 2.0, 100.0, 5.0)
    ]


def test_what_cannot_be_replayed_says_why(small: SimpleNamespace) -> None:
    end = small.midnight(small.end)
    rows = small.facts()
    no_sales = state_of_tables(small.settings, end, {})
    short = small.known(rows | {"sales": rows["sales"][-20:]})(end)
    for state, words in ((no_sales, "no sales"), (short, "go back too little")):
        with pytest.raises(Refused, match=words):
            replayed_buckets(state, 2)
    assert replayed_buckets(small.known(rows)(end), 99)[0] == date(2023, 2, 27)


KEYS = ["note_simulated", "note_capacity", "note_cost", "note_frozen"]


def test_orders_go_out_as_many_buckets_ahead_as_are_frozen(small: SimpleNamespace, cycles: Seen) -> None:
    """One frozen week: each cycle gives out the orders of the next week, and the one after it finds them under way."""
    rows, end = small.facts(), small.midnight(small.end)
    rows["stock"] = [row | {"units": 50.0} for row in rows["stock"]]
    states = small.known(rows, replace(small.settings, frozen_buckets=1))
    result = replay(states, states(end), 6, 7, record)
    summary = result.summary.to_pandas().set_index("policy")
    due = summary.at["datong", "demand_units"]
    assert summary.at["datong", "fill_on_time_share"] > 0.9
    assert summary.at["baseline", "fill_on_time_share"] > 0.8
    assert 0.7 * due < summary.at["datong", "made_units"] < 1.3 * due
    assert [n.key.removeprefix("replay.") for n in result.notes][:4] == KEYS and "1" in result.notes[3].text("en")
    mondays = [small.end - timedelta(weeks=n) for n in (6, 5, 4, 3, 2, 1)]
    # As the replay begins the frozen week is decided first, then the one after it.
    assert [(s.today, s.settings.frozen_buckets) for s, _ in cycles[:2]] == [(mondays[0], 0), (mondays[0], 1)]
    assert [(s.today, s.settings.frozen_buckets) for s, _ in cycles[2:]] == [(monday, 1) for monday in mondays[1:]]
    for (_, cycle), (state, _) in pairwise(cycles):
        given_out = {m.order.order: m.order for m in cycle.messages}
        under_way = {o.order: o for o in position(state).under_way}
        coming = {name: o for name, o in given_out.items() if o.start >= state.today}
        assert coming
        assert {n: under_way[n].units for n in coming} == {n: o.units for n, o in coming.items()}
        assert all(under_way[n].start == o.start for n, o in coming.items())
        kept = cycles[[s for s, _ in cycles].index(state)][1].plan.kept
        assert set(coming) <= set(kept["order"].to_pylist())
    for state, cycle in cycles[1:]:
        ahead = [(m.order.start - state.today).days for m in cycle.messages]
        assert all(7 <= days < 14 for days in ahead), ahead


@pytest.mark.parametrize("frozen_buckets", [1, 2])
def test_baseline_counts_on_what_it_gave_out_before(small: SimpleNamespace, frozen_buckets: int) -> None:
    """It orders for the first week that is not frozen, up to what is due until then, and never twice for a week."""
    given_out: list[tuple[date, date]] = []

    def decide(state: State) -> list[PlannedOrder]:
        orders = baseline_orders(state)
        given_out.extend((state.today, o.start) for o in orders)
        return orders

    rows = small.facts()
    rows["stock"] = [row | {"units": 50.0} for row in rows["stock"]]
    course = follow_small(small, rows, decide, frozen_buckets)
    first = course.scene.buckets[0]
    assert {(start - day).days // 7 for day, start in given_out if day > first} == {frozen_buckets}
    assert {start for day, start in given_out if day == first} <= set(course.scene.buckets[: frozen_buckets + 1])
    made, due = course.made_units.sum(), course.demand_units.sum()
    assert 0.8 * due < made < 1.2 * due
    assert {order.start for order in course.waiting} <= {
        course.scene.settings.calendar.shift(course.scene.buckets[-1], n + 1) for n in range(frozen_buckets)
    }
    assert course.waiting


def test_what_began_in_a_replay_has_its_hours_and_components_behind_it(small: SimpleNamespace) -> None:
    """`a` takes three weeks and 2 `c` a unit: while it is in work, no open week has hours taken for it, its `c` are
    gone once, and what is on its way comes in its week."""
    rows = small.facts()
    rows["recipes"][0]["lead_days"], rows["lines"][0]["hours_per_week"] = 21.0, 1000.0
    rows["products"].append(dict(rows["products"][0], row_id="products:c", product="c", kind="component"))
    rows["components"] = [
        {"row_id": "components:1", "known_at": EVER, "product": "a", "component": "c", "units_per_unit": 2.0}
    ]
    rows["stock"].append(small.event("stock", "c", small.first - timedelta(days=2), product="c", units=5000.0))
    seen: list[tuple[float, float, list[float]]] = []

    def decide(state: State) -> list[PlannedOrder]:
        where = position(state)
        starts = state.settings.calendar.starts(state.first_open_bucket, 4)
        found = committed(chain_facts(state, starts, nothing_learnt()), where, starts, state.settings.calendar, 0)
        assert found.put_off == ()
        seen.append((where.on_hand_units["c"], float(found.hours["l"].sum()), found.units["a"].tolist()))
        return [o for o in baseline_orders(state) if o.product != "c"]

    course = follow_small(small, rows, decide)
    at = {p: i for i, p in enumerate(course.scene.products)}
    assert course.made_units[:, at["a"]].sum() > 0
    for t in range(1, 8):
        there, hours, comes = seen[t]
        assert there == pytest.approx(course.stock_units[t - 1, at["c"]])
        assert hours == 0.0
        assert comes[0] - course.stock_units[t - 1, at["a"]] == pytest.approx(course.made_units[t, at["a"]])


def test_closing_the_books_without_shipments_leaves_the_position_as_it_was(small: SimpleNamespace) -> None:
    """Counted 300 of each, made none: what was sold is gone, and only what was sold beyond the 300 had come in."""
    rows = small.facts(with_shipments=False)
    del rows["production"]
    rows["stock"] = [row | {"units": 300.0} for row in rows["stock"]]
    state = small.known(rows)(small.midnight(small.first + timedelta(weeks=10)))
    sold = {
        p: sum(r["units"] for r in rows["sales"] if r["product"] == p and r["known_at"] <= state.as_of) for p in "ab"
    }
    assert sold["a"] > 300 > sold["b"]
    before = before_replay(state)
    where = position(before)
    assert where.on_hand_units == pytest.approx({"a": 0.0, "b": 300.0 - sold["b"]})
    assert where.on_hand_units == pytest.approx(position(state).on_hand_units)
    assert where.owed_units == {}
    got = [(r["product"], r["units"]) for r in before.table("receipts").to_pylist()]
    assert got == [("a", pytest.approx(sold["a"] - 300.0))]


def test_no_batch_is_searched_for_among_the_others(small: SimpleNamespace) -> None:
    """Batches are entered in time linear in their number: none is compared with another."""

    class Single(Batch):
        def __eq__(self, other: object) -> bool:
            raise AssertionError("compared")

        __hash__ = None  # ty: ignore[invalid-assignment]

    course = follow_small(small, small.facts(), baseline_orders)
    course.arrived = [Single(**vars(batch)) for batch in course.arrived]
    before = before_replay(small.known(small.facts())(small.midnight(course.scene.buckets[0])))
    rows = course_tables(course, before)
    assert rows["order_events"]["state"].to_pylist().count("done") == len(course.arrived) > 4


def test_what_has_expired_sets_no_cost(small: SimpleNamespace) -> None:
    """A recipe at 1 a unit that ended long before the replay: a unit costs 14, by the recipe that is in use."""
    rows = small.facts()
    rows["stock"] = [row | {"units": 20.0} for row in rows["stock"]]
    (a,) = (row for row in rows["recipes"] if row["product"] == "a")
    old = a | {"row_id": "recipes:a/0", "recipe": "a/0", "cost_per_unit": 1.0, "valid_to": small.first}
    b_ended = [r | ({"valid_to": small.first} if r["product"] == "b" else {}) for r in rows["recipes"]]
    states, monday = small.known(rows | {"recipes": [*b_ended, old]}), small.midnight(small.end - timedelta(weeks=1))
    known = [states(monday)]
    starts = replayed_buckets(states(small.midnight(small.end)), 1)
    scene, _ = scene_of(states(small.midnight(small.end)), known, starts)
    assert scene.unit_cost == {"a": 14.0, "b": 14.0}  # b: nothing makes it any more; its last recipe says its worth
    assert cheapest_ways(chain_facts(known[0], starts, nothing_learnt()), starts)["a"].name == "a/1"
    assert {order.recipe for order in baseline_orders(known[0])} == {"a/1"}


def test_of_what_is_under_way_the_yield_arrives(small: SimpleNamespace) -> None:
    """20 are out, 4 of them already made: of the 16 still to be started 75% are good, 12 units at 14 / 0.75 each.

    The baseline counts on those 12: it orders 12 / 0.75 = 16 started fewer than without them.
    """
    monday = small.end - timedelta(weeks=1)
    rows = small.facts()
    rows["stock"] = [row | {"units": 20.0} for row in rows["stock"]]
    rows["recipes"] = [row | {"yield_share": 0.75, "lot_multiple_units": 0.0} for row in rows["recipes"]]
    key = {"known_at": small.midnight(monday - timedelta(days=7)), "order": "o"}
    order = {"row_id": "orders:o", "kind": "make", "product": "a", "recipe": "a/1", "line": "l", "units": 20.0}
    out = rows | {
        "orders": [{**order, **key, "start": monday - timedelta(days=7), "due": monday, "locked": True}],
        "order_events": [
            small.event("order_events", "1", monday - timedelta(days=3), order="o", state="partly_done", good_units=4.0)
        ],
    }
    states = small.known(out)
    state, actual = states(small.midnight(monday)), states(small.midnight(small.end))
    start = position(state)
    assert [o.units for o in start.under_way] == [16.0]
    scene, _ = scene_of(actual, [state], [monday])
    (batch,) = batches_under_way(start, scene, chain_facts(actual, [monday], nothing_learnt()))
    assert (batch.units, batch.cost) == (pytest.approx(12.0), pytest.approx(12.0 * 14.0 / 0.75))
    with_it, without = (
        next(o.units for o in baseline_orders(s) if o.product == "a")
        for s in (state, small.known(rows)(small.midnight(monday)))
    )
    assert without - with_it == pytest.approx(16.0)


def test_a_first_moment_at_which_nothing_was_known_is_refused_in_words(small: SimpleNamespace) -> None:
    """Records that all arrived on the last day, as with history = "live"; and sales, or products, alone that did."""
    end = small.midnight(small.end)
    rows = small.facts()
    arrived = {name: [row | {"known_at": end} for row in table] for name, table in rows.items()}
    for late in (arrived, rows | {"sales": arrived["sales"]}, rows | {"products": arrived["products"]}):
        states = small.known(late)
        with pytest.raises(Refused, match="were known yet") as refused:
            replay(states, states(end), 4, 7, record)
        assert str(small.end - timedelta(weeks=4)) in refused.value.message.text("zh")


def test_scores_are_those_of_all_cycles_in_order(small: SimpleNamespace, cycles: Seen) -> None:
    states, end = small.known(small.facts()), small.midnight(small.end)
    result = replay(states, states(end), 3, 7, record)
    assert len(cycles) == 3 and all(cycle.learnt.scores.num_rows for _, cycle in cycles)
    assert result.scores.to_pylist() == [row for _, cycle in cycles for row in cycle.learnt.scores.to_pylist()]


@pytest.mark.parametrize("later_weeks", [-1, 0, 5])
def test_the_day_on_which_planning_starts_is_none_of_the_past(small: SimpleNamespace, later_weeks: int) -> None:
    """Whatever `start` says, within or after what is lived again, the same weeks are lived, and alike."""
    states, end = small.known(small.facts()), small.midnight(small.end)
    start = states(end).first_open_bucket + timedelta(weeks=later_weeks)

    def starting(moment: datetime) -> State:
        state = states(moment)
        return replace(state, settings=replace(state.settings, start=start))

    one = replay(starting, starting(end), 2, 7, record)
    two = replay(states, states(end), 2, 7, record)
    assert all(one.tables()[name].equals(two.tables()[name]) for name in one.tables())
