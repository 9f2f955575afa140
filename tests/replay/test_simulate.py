"""The simulator against arithmetic done by hand."""

import math
from datetime import date

import pytest

from datong.model.flow import Item, PlannedOrder
from datong.model.settings import ChainSettings
from datong.network.economics import Economics
from datong.network.ways import Way
from datong.replay.making import begin
from datong.replay.scene_and_batches import Batch, Scene
from datong.replay.simulate import Simulation

MONDAYS = (date(2024, 1, 1), date(2024, 1, 8), date(2024, 1, 15))
A = Item("a", "all")


def way(name: str = "a/1", product: str = "a", line: str | None = "l", **other: object) -> Way:
    facts = {
        "kind": "make",
        "hours_per_unit": 1.0,
        "cost_per_unit": 10.0,
        "setup_hours": 0.0,
        "setup_cost": 0.0,
        "min_units": 0.0,
        "multiple_units": 0.0,
        "lead_days": 0,
        "yield_share": 1.0,
        "units_per_week": math.inf,
        "uses": (),
        "valid_from": None,
        "valid_to": None,
    }
    return Way(name=name, product=product, line=line, **{**facts, **other})  # ty: ignore[invalid-argument-type]


def scene(
    demand: list[dict[tuple[Item, date], float]],
    opening: float = 0.0,
    owed: dict[tuple[Item, date], float] | None = None,
    max_late_days: int = 14,
    ways: tuple[Way, ...] = (way(),),
    hours: float = 1000.0,
    bucket: str = "week",
    buckets: tuple[date, ...] = MONDAYS,
) -> Scene:
    settings = ChainSettings("s", bucket=bucket, max_late_days=max_late_days)  # ty: ignore[invalid-argument-type]
    products = tuple(sorted({w.product for w in ways}))
    return Scene(
        settings=settings,
        buckets=buckets[: len(demand)],
        products=products,
        economics={p: Economics(20.0, 0.5, 2.0, 20.0, 20.0, 0.0) for p in products},
        unit_cost=dict.fromkeys(products, 10.0),
        ways={w.name: w for w in ways},
        opening_units={"a": opening},
        opening_owed=owed or {},
        demand_units=tuple(demand),
        line_hours=tuple({"l": hours} for _ in demand),
    )


def order(units: float, start: date, name: str = "o", used: str = "a/1", product: str = "a") -> PlannedOrder:
    buy = "offer" in used
    return PlannedOrder(
        order=name,
        kind="buy" if buy else "make",
        product=product,
        recipe=None if buy else used,
        offer=used if buy else None,
        line=None,
        units=units,
        start=start,
        due=start,
        needed_by=start,
        cost=0.0,
        value=0.0,
        causes=(),
    )


def batches(scene: Scene, t: int, orders: list[PlannedOrder]) -> list[Batch]:
    return list(begin(scene, t, orders, {}).batches)


def made(units: float, start: date) -> list[Batch]:
    return [Batch(f"made {start}", "make", "a", units, start, units * 10.0)]


def test_two_weeks_by_hand() -> None:
    """Opening 5. Week 1: makes 10, due 12 -> serves 12 on time, 3 left. Week 2: makes 4, due 10 -> serves 7, 3 late.

    Cost of week 1: made 10 x 10 = 100; stock fell from 5 to 3: + 2 x 10; held 3 x 0.5 = 1.5; in all 121.5.
    Cost of week 2: made 40; stock less owed fell from 3 to -3: + 60; late 3 x 2 = 6; in all 106.
    """
    course = Simulation(scene([{(A, date(2024, 1, 3)): 12.0}, {(A, date(2024, 1, 10)): 10.0}], opening=5.0))
    course.step(made(10.0, MONDAYS[0]))
    course.step(made(4.0, MONDAYS[1]))
    assert course.on_time_units[:, 0].tolist() == [12.0, 7.0]
    assert course.late_units[:, 0].tolist() == [0.0, 3.0]
    assert course.stock_units[:, 0].tolist() == [3.0, 0.0]
    assert course.made_units[:, 0].tolist() == [10.0, 4.0]
    by_week = sum(course.cost[term][:, 0] for term in course.cost)
    assert by_week.tolist() == [121.5, 106.0]


def test_first_due_is_served_first_and_the_late_do_not_count_as_on_time() -> None:
    """6 are owed from before; 10 are due this week, 4 on Tuesday and 6 on Friday; 11 are there: 6 + 4 + 1."""
    owed = {(A, date(2023, 12, 30)): 6.0}
    due = {(A, date(2024, 1, 5)): 6.0, (A, date(2024, 1, 2)): 4.0}
    course = Simulation(scene([due], owed=owed))
    course.step(made(11.0, MONDAYS[0]))
    assert course.on_time_units[0, 0] == 5.0
    assert course.owed == {(A, date(2024, 1, 5)): 5.0}
    assert course.sent[0].units == 11.0


def test_an_order_is_of_the_version_of_its_recipe_that_holds_when_it_starts() -> None:
    """From the second week on a unit costs 20, and half are good: 8 come of the first order, 4 of the second."""
    first = way(valid_to=MONDAYS[1])
    later = way("a/1 (later)", cost_per_unit=20.0, yield_share=0.5, valid_from=MONDAYS[1], row="a/1")
    course = Simulation(scene([{}, {}], ways=(first, later)))
    course.release([order(8.0, MONDAYS[0], "o1"), order(8.0, MONDAYS[1], "o2")])
    course.run()
    course.run()
    assert course.made_units[:, 0].tolist() == [8.0, 4.0]
    assert course.cost["production"][:, 0].tolist() == [80.0, 160.0]


def test_what_is_too_late_is_lost() -> None:
    """Due Wednesday 3 January, 10 days of patience: on Sunday the 14th it is 11 days late, lost and paid for once."""
    course = Simulation(scene([{(A, date(2024, 1, 3)): 5.0}, {}, {}], max_late_days=10))
    course.step([])
    course.step([*made(5.0, MONDAYS[1])])
    course.step([])
    assert course.late_units[:, 0].tolist() == [5.0, 0.0, 0.0]
    assert course.lost_units[:, 0].tolist() == [0.0, 5.0, 0.0]
    assert course.cost["lost"][:, 0].tolist() == [0.0, 100.0, 0.0]
    assert course.stock_units[2, 0] == 5.0
    # 5 were made for 50; stock less owed goes from 0 over -5 to 5, so that the 50 of stock left are taken off.
    assert course.cost["stock_change"][:, 0].tolist() == [50.0, -100.0, 0.0]


def test_a_line_that_is_asked_for_too_much_cuts_all_its_orders_alike() -> None:
    """12 units x 1 h + 6 x 2 h = 24 h and a setup of 4 h are asked of 16 h: (16 - 4) / 24 = half of each is made."""
    ways = (way(), way("b/1", "b", hours_per_unit=2.0, setup_hours=4.0))
    s = scene([{}], ways=ways, hours=16.0)
    got = batches(s, 0, [order(12.0, MONDAYS[0]), order(6.0, MONDAYS[0], "p", "b/1", "b")])
    assert [(b.product, b.units, b.cost) for b in got] == [("a", 6.0, 60.0), ("b", 3.0, 30.0)]


def test_an_offer_gives_no_more_than_its_units_a_week() -> None:
    s = scene([{}], ways=(way("a/offer", line=None, kind="buy", units_per_week=30.0, lead_days=8),))
    got = batches(s, 0, [order(40.0, MONDAYS[0], used="a/offer")])
    assert [(b.units, b.arrives) for b in got] == [(30.0, date(2024, 1, 15))]


def test_lead_time_and_yield() -> None:
    """10 started, 80% good, 8 days: 8 units are there two weeks later, having cost 100."""
    s = scene([{}, {}, {}], ways=(way(lead_days=8, yield_share=0.8),))
    course = Simulation(s)
    for t, monday in enumerate(MONDAYS):
        course.step(batches(s, t, [order(10.0, monday)] if t == 0 else []))
    assert course.made_units[:, 0].tolist() == [0.0, 0.0, 8.0]
    assert course.cost["production"][:, 0].tolist() == [0.0, 0.0, 100.0]


def test_orders_for_later_buckets_wait_for_the_next_decision() -> None:
    assert batches(scene([{}]), 0, [order(10.0, MONDAYS[1])]) == []


def test_days_work_as_weeks_do() -> None:
    days = (date(2024, 1, 1), date(2024, 1, 2), date(2024, 1, 3))
    demand = [{(A, day): 2.0} for day in days]
    course = Simulation(scene(demand, bucket="day", buckets=days))
    for units, day in zip((1.0, 3.0, 3.0), days, strict=True):
        course.step(made(units, day))
    assert course.on_time_units[:, 0].tolist() == [1.0, 2.0, 2.0]
    assert course.stock_units[:, 0].tolist() == [0.0, 0.0, 1.0]


@pytest.mark.parametrize("units", [0.0, 7.0, 40.0])
def test_units_are_neither_made_nor_lost_by_counting(units: float) -> None:
    """Opening + made = sent + stock; owed before + due = sent + owed + lost."""
    demand = [{(A, date(2024, 1, 3 + 7 * t)): 11.0 + t} for t in range(3)]
    course = Simulation(scene(demand, opening=4.0, owed={(A, date(2023, 12, 20)): 3.0}, max_late_days=12))
    for monday in MONDAYS:
        course.step(made(units, monday))
    sent = sum(s.units for s in course.sent)
    assert 4.0 + course.made_units.sum() == pytest.approx(sent + course.on_hand["a"])
    assert 3.0 + course.demand_units.sum() == pytest.approx(sent + sum(course.owed.values()) + course.lost_units.sum())


def test_orders_given_out_ahead_wait_for_their_bucket() -> None:
    """10 to make and 6 to buy, eight days away, go out in week 1 for week 2: made in week 2, bought two weeks later."""
    mondays = tuple(date(2024, 1, 1 + 7 * n) for n in range(4))
    ways = (way(), way("a/offer", line=None, kind="buy", lead_days=8))
    course = Simulation(scene([{}, {}, {}, {}], ways=ways, buckets=mondays))
    ahead = [order(10.0, mondays[1]), order(6.0, mondays[1], "p", "a/offer")]
    for given_out in (ahead, [], [order(1.0, mondays[2], "q")], []):
        course.release(given_out)
        course.run()
    assert course.made_units[:, 0].tolist() == [0.0, 10.0, 1.0, 6.0]
    assert course.waiting == []
    assert course.released == {"o": mondays[0], "p": mondays[0], "q": mondays[2]}


@pytest.mark.parametrize("again", [order(1.0, MONDAYS[1]), order(1.0, MONDAYS[0], "late")])
def test_an_order_goes_out_once_and_never_for_a_bucket_that_is_over(again: PlannedOrder) -> None:
    course = Simulation(scene([{}, {}]))
    course.release([order(1.0, MONDAYS[0])])
    course.run()
    with pytest.raises(AssertionError):
        course.release([again])
