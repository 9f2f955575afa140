"""The simulator with components and with lanes, against arithmetic done by hand, and conserved whatever is ordered."""

import math
from datetime import date

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datong.model.flow import Item, OrderKind, PlannedOrder
from datong.model.settings import ChainSettings
from datong.network.bills import ComponentUse
from datong.network.economics import Economics
from datong.network.places import Lane, Move, Places
from datong.network.ways import Way
from datong.replay.making import begin
from datong.replay.policies_compared import by_product
from datong.replay.scene_and_batches import Batch, Due, Scene
from datong.replay.simulate import Simulation

MONDAYS = (date(2024, 1, 1), date(2024, 1, 8), date(2024, 1, 15))
P, A = Item("P", "all"), Item("A", "all")


def way(name: str, kind: OrderKind, product: str, cost: float, uses: dict[str, float], **other: object) -> Way:
    facts: dict[str, object] = {
        "line": None, "hours_per_unit": 0.0, "setup_hours": 0.0, "setup_cost": 0.0, "min_units": 0.0,
        "multiple_units": 0.0, "lead_days": 0, "yield_share": 1.0, "units_per_week": math.inf, "valid_from": None,
        "valid_to": None,
    }  # fmt: skip
    taken = tuple(ComponentUse(component, units, None, None) for component, units in sorted(uses.items()))
    named = {"name": name, "kind": kind, "product": product, "cost_per_unit": cost, "uses": taken}
    return Way(**{**facts, **named, **other})  # ty: ignore[invalid-argument-type]


def order(name: str, of: Way, units: float, start: date, product: str | None = None) -> PlannedOrder:
    return PlannedOrder(
        order=name,
        kind=of.kind,
        product=product or of.product,
        recipe=of.recipe,
        offer=of.offer,
        line=None,
        units=units,
        start=start,
        due=start,
        needed_by=start,
        cost=0.0,
        value=0.0,
        causes=(),
        lane=of.lane,
        from_site=of.from_site,
        site=of.site,
    )


def scene(
    ways: list[Way],
    unit_cost: dict[str, float],
    opening: dict[str, float],
    demand: list[dict[Due, float]],
    limits: dict[str, float] | None = None,
    places: Places | None = None,
) -> Scene:
    """Held 0.5, late 2, lost 20 a unit and week; `limits`: hours of lines, and units of lanes, in every week."""
    return Scene(
        settings=ChainSettings("s", max_late_days=28),
        buckets=MONDAYS[: len(demand)],
        products=tuple(sorted(unit_cost)),
        economics={p: Economics(20.0, 0.5, 2.0, 20.0, 20.0, 0.0) for p in unit_cost},
        unit_cost=unit_cost,
        ways={w.name: w for w in ways},
        opening_units=opening,
        opening_owed={},
        demand_units=tuple(demand),
        line_hours=tuple(limits or {} for _ in demand),
        places=places,
    )


def follow(scene: Scene, orders: list[list[PlannedOrder]]) -> Simulation:
    course = Simulation(scene)
    for given_out in orders:
        course.release(given_out)
        course.run()
    return course


def costs(course: Simulation) -> list[float]:
    """By week, all products and terms."""
    return np.sum(list(course.cost.values()), axis=(0, 2)).tolist()


# components ---------------------------------------------------------------------------------------

MAKE = way("P/1", "make", "P", 4.0, {"C": 2.0})
BUY = way("C/offer", "buy", "C", 3.0, {}, lead_days=7)
WORTH = {"P": 10.0, "C": 3.0}  # 4 + 2 x 3


def test_two_levels_by_hand() -> None:
    """P takes 2 C, of which 10 are there; 6 P are due in each week; 14 C are bought, there a week later.

    Week 1: of 6 P ordered, 10 / 2 = 5 begin, 1 is short, and late. Made 5 x 4 = 20. P is charged 10 C x 3 = 30, and
    stock less owed fell from 0 to -1: + 10. C: fell by 10: + 30, charged to P: - 30. Late 2. In all 62: the 6 due at
    10 each, and the lateness.
    Week 2: 14 C came: 42. 7 P take them: 28, charged 42, and stock less owed rose from -1 to 0: - 10. C: came and
    went: 0, charged - 42. In all 60: the 6 due.
    """
    due: list[dict[Due, float]] = [{(P, date(2024, 1, 3)): 6.0}, {(P, date(2024, 1, 10)): 6.0}]
    orders = [
        [order("W1", MAKE, 6.0, MONDAYS[0]), order("P1", BUY, 14.0, MONDAYS[0])],
        [order("W2", MAKE, 7.0, MONDAYS[1])],
    ]
    course = follow(scene([MAKE, BUY], WORTH, {"C": 10.0}, due), orders)
    c, p = 0, 1
    assert course.on_time_units[:, p].tolist() == [5.0, 6.0]
    assert course.late_units[:, p].tolist() == [1.0, 0.0]
    assert course.short_units[:, p].tolist() == [1.0, 0.0]
    assert course.made_units[:, p].tolist() == [5.0, 7.0]
    assert course.made_units[:, c].tolist() == [0.0, 14.0]
    assert course.stock_units[:, c].tolist() == [0.0, 0.0]
    assert costs(course) == pytest.approx([62.0, 60.0])
    # Of each product by itself: C costs nothing beyond what P is charged for it.
    rows = {row["product"]: row for row in by_product({"x": course}).to_pylist()}
    assert rows["C"]["cost"] == pytest.approx(0.0) and rows["P"]["cost"] == pytest.approx(122.0)
    assert rows["P"]["short_units"] == 1.0


def test_components_in_work_are_still_worth_what_they_cost() -> None:
    """5 P take 10 C in week 1 and are there in week 2: nothing is gained or lost on the way. Held: 5 x 0.5."""
    slow = way("P/1", "make", "P", 4.0, {"C": 2.0}, lead_days=7)
    course = follow(scene([slow], WORTH, {"C": 10.0}, [{}, {}]), [[order("W1", slow, 5.0, MONDAYS[0])], []])
    assert course.stock_units.tolist() == [[0.0, 0.0], [0.0, 5.0]]
    assert costs(course) == pytest.approx([0.0, 2.5])


def test_first_come_by_start_and_number() -> None:
    """10 C are enough for 5 P: the first order gets its 4, the second 1; the later start comes last."""
    s = scene([MAKE], WORTH, {"C": 10.0}, [{}])
    late = order("W0", MAKE, 4.0, date(2024, 1, 3))
    begun = begin(s, 0, [late, order("W2", MAKE, 4.0, MONDAYS[0]), order("W1", MAKE, 4.0, MONDAYS[0])], {"C": 10.0})
    assert [(b.order, b.units, b.uses) for b in begun.batches] == [
        ("W1", 4.0, (("C", 8.0),)),
        ("W2", 1.0, (("C", 2.0),)),
    ]
    assert begun.short_units == {"P": 7.0}
    assert [b.planned.units for b in begun.batches if b.planned is not None] == [4.0, 1.0]


def test_what_is_made_in_the_bucket_can_go_into_its_parent_there() -> None:
    """P takes S, S takes C; P's order has the lower number, and still finds the 3 S made in the same week."""
    upper, lower = way("P/1", "make", "P", 1.0, {"S": 1.0}), way("S/1", "make", "S", 1.0, {"C": 1.0})
    s = scene([upper, lower], {"P": 5.0, "S": 4.0, "C": 3.0}, {"C": 3.0}, [{}])
    begun = begin(s, 0, [order("W1", upper, 3.0, MONDAYS[0]), order("W2", lower, 3.0, MONDAYS[0])], {"C": 3.0})
    assert [(b.order, b.units) for b in begun.batches] == [("W2", 3.0), ("W1", 3.0)]
    assert not begun.short_units


def test_what_the_records_tell_takes_what_was_made_in_the_same_bucket_and_no_more_than_there_is() -> None:
    """The company made 5 S of 5 C and 5 P of these S in one week. In the next it made 2 P of S that no record has."""
    s = scene([], {"P": 5.0, "S": 4.0, "C": 3.0}, {"C": 5.0}, [{}, {}])
    course = Simulation(s)
    course.step(
        [
            Batch("c1", "make", "P", 5.0, MONDAYS[0], 5.0, uses=(("S", 5.0),)),
            Batch("c2", "make", "S", 5.0, MONDAYS[0], 5.0, uses=(("C", 5.0),)),
        ]
    )
    course.step([Batch("c3", "make", "P", 2.0, MONDAYS[1], 2.0, uses=(("S", 2.0),))])
    assert course.on_hand == {"P": 7.0, "S": 0.0, "C": 0.0}
    # Held 5 x 0.5 and 7 x 0.5; the 2 S that nobody recorded cost what S costs.
    assert costs(course) == pytest.approx([2.5, 3.5])


# lanes --------------------------------------------------------------------------------------------

LANE = Lane("L", "F", "W", None, 7.0, 1.0, 6.0, None, None)
PLACES = Places({("A", "F"): "A@F", ("A", "W"): "A@W"}, {A: "A@W"}, (Move("A", "F", "W", LANE),))
MOVE = way(
    "L>A", "move", "A@W", 1.0, {"A@F": 1.0}, lead_days=7, line="lane L", hours_per_unit=1.0, site="W", from_site="F",
    row="L",
)  # fmt: skip


def test_two_sites_with_a_lane_by_hand() -> None:
    """8 A lie at F (10 each), 2 at W (11 each), where 5 are due in each week. The lane takes 6 a week, for 1 each.

    Week 1: of 10 ordered 6 leave. W serves 2, 3 wait. A@F: 2 lie there and 6 are on the way: no change. A@W: from 2
    to -3: 55. Held at F 2 x 0.5, late 3 x 2: 62 in all.
    Week 2: 6 came: transport 6; A@W is charged 60 and rose from -3 to -2: - 11; A@F fell by 6: 60, charged - 60. W
    served the 3 that waited and 3 of 5 on time. Held 1, late 2 x 2: 60 in all.
    """
    due: list[dict[Due, float]] = [{(A, date(2024, 1, 3)): 5.0}, {(A, date(2024, 1, 10)): 5.0}]
    s = scene([MOVE], {"A@F": 10.0, "A@W": 11.0}, {"A@F": 8.0, "A@W": 2.0}, due, {"lane L": 6.0}, PLACES)
    course = follow(s, [[order("T1", MOVE, 10.0, MONDAYS[0], "A")], []])
    f, w = 0, 1
    assert course.stock_units[:, f].tolist() == [2.0, 2.0]
    assert course.on_time_units[:, w].tolist() == [2.0, 3.0]
    assert course.late_units[:, w].tolist() == [3.0, 2.0]
    assert course.made_units.sum() == 0.0
    assert costs(course) == pytest.approx([62.0, 60.0])
    assert [(sent.label, sent.units) for sent in course.sent] == [("A@W", 2.0), ("A@W", 6.0)]
    (row,) = by_product({"x": course}).to_pylist()
    assert (row["product"], row["demand_units"], row["served_on_time_units"]) == ("A", 10.0, 5.0)


def test_a_transfer_takes_no_more_than_lies_there() -> None:
    s = scene([MOVE], {"A@F": 10.0, "A@W": 11.0}, {"A@F": 4.0}, [{}, {}], {"lane L": 100.0}, PLACES)
    course = follow(s, [[order("T1", MOVE, 10.0, MONDAYS[0], "A")], []])
    assert course.stock_units.tolist() == [[0.0, 0.0], [0.0, 4.0]]
    assert course.short_units.sum() == 6.0


def test_several_sites_serve_a_market_alike_most_first() -> None:
    """'all' is asked where both end: 7 are due, 5 lie at W and 3 at V: 5 from W, 2 from V."""
    label = {("A", ""): "A", ("A", "V"): "A@V", ("A", "W"): "A@W"}
    places = Places(label, {A: "A"}, (Move("A", "V", "", None), Move("A", "W", "", None)))
    due: list[dict[Due, float]] = [{(A, date(2024, 1, 3)): 7.0}]
    s = scene([], {"A": 1.0, "A@V": 1.0, "A@W": 1.0}, {"A@V": 3.0, "A@W": 5.0}, due, None, places)
    course = follow(s, [[]])
    assert {sent.label: sent.units for sent in course.sent} == {"A@W": 5.0, "A@V": 2.0}
    assert course.on_time_units.sum() == 7.0


# whatever is ordered ------------------------------------------------------------------------------

UNITS = st.lists(st.tuples(*[st.integers(0, 30)] * 3), min_size=3, max_size=3)


@settings(max_examples=60, deadline=None)
@given(
    made=UNITS,
    due=st.lists(st.integers(0, 25), min_size=3, max_size=3),
    leads=st.tuples(*[st.sampled_from([0, 7])] * 3),
    opening=st.tuples(*[st.integers(0, 40)] * 3),
    yield_share=st.sampled_from([1.0, 0.8]),
)
def test_units_and_money_are_conserved_whatever_is_ordered(
    made: list[tuple[int, int, int]],
    due: list[int],
    leads: tuple[int, int, int],
    opening: tuple[int, int, int],
    yield_share: float,
) -> None:
    """Three levels, one way each. Every bucket asserts that units are conserved. Of money: making, buying and the
    change of stock cost what was due, and not given up, times what a unit costs: nobody gains or loses on the way."""
    c = way("C/offer", "buy", "C", 3.0, {}, lead_days=leads[0])
    s = way("S/1", "make", "S", 2.0, {"C": 2.0}, lead_days=leads[1], yield_share=yield_share)
    p = way("P/1", "make", "P", 4.0, {"S": 1.0, "C": 1.0}, lead_days=leads[2])
    worth = {"C": 3.0, "S": 8.0 / yield_share, "P": 4.0 + 8.0 / yield_share + 3.0}
    demand: list[dict[Due, float]] = [
        {(P, date(2024, 1, 3 + 7 * t)): float(units)} if units else {} for t, units in enumerate(due)
    ]
    given_out = [
        [order(f"{of.name}|{t}", of, float(n), MONDAYS[t]) for of, n in zip((c, s, p), units, strict=True) if n]
        for t, units in enumerate(made)
    ]
    stock = dict(zip(("C", "S", "P"), map(float, opening), strict=True))
    course = follow(scene([c, s, p], worth, stock, demand), given_out)
    assert course.step_index == 3 and (course.stock_units >= -1e-9).all()
    each = [worth[product] for product in course.scene.products]
    spent = course.cost["production"].sum() + course.cost["stock_change"].sum()
    assert spent == pytest.approx((course.demand_units - course.lost_units).sum(axis=0) @ each, abs=1e-6)
