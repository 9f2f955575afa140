"""What orders under way bring and take, in time: by hand, and what holds of any chain."""

from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pyarrow as pa
import pytest

from datong.balance.conflict import conflicts_of
from datong.ledger.state import state_of_tables
from datong.model.flow import nothing_learnt
from datong.model.settings import ChainSettings
from datong.network.committed import committed, covered
from datong.network.facts import chain_facts
from datong.network.position import Position, UnderWay
from each import each_seed

MONDAY = date(2026, 1, 5)
WEEK = timedelta(weeks=1)


def facts_of(weeks=6, **tables):
    settings = ChainSettings("t", horizon_buckets=weeks)
    given = {name: pa.Table.from_pylist(rows) for name, rows in tables.items() if rows}
    state = state_of_tables(settings, settings.calendar.midnight(MONDAY), given)
    starts = settings.calendar.starts(MONDAY, weeks)
    return chain_facts(state, starts, nothing_learnt()), starts, settings.calendar


def plain(hours=40.0, lead=14.0, **others):
    """A takes an hour of L and 2 Q; Q is bought in two weeks."""
    tables = {
        "products": [{"product": "A", "price": 10.0}, {"product": "Q", "kind": "material", "price": 1.0}],
        "lines": [{"line": "L", "hours_per_week": hours}],
        "recipes": [{"recipe": "A/L", "product": "A", "line": "L", "hours_per_unit": 1.0}],
        "components": [{"product": "A", "component": "Q", "units_per_unit": 2.0}],
        "offers": [{"offer": "Q/S", "product": "Q", "price": 1.0, "lead_days": lead}],
    }
    return facts_of(**(tables | others))


def make(order, units, week, weeks=1, **others):
    """An order of A that starts in a week and is due some weeks later."""
    start = MONDAY + week * WEEK
    plain = {"kind": "make", "product": "A", "recipe": "A/L", "line": None, "start": start, "due": start + weeks * WEEK}
    return UnderWay(order=order, units=units, **(plain | others))


def found(of, stock, *orders, frozen=0):
    facts, starts, calendar = of
    return committed(facts, Position(stock, {}, {}, tuple(orders)), starts, calendar, frozen)


def test_what_is_missing_is_demand_on_the_chain():
    """10 A in week 3 take 20 Q, 5 are there: 15 must come by then, bought in week 1."""
    one = found(plain(), {"Q": 5.0}, make("W", 10.0, 3))
    assert one.units["Q"].tolist() == [5.0, 0.0, 0.0, -20.0, 0.0, 0.0]
    assert one.units["A"].tolist() == [0.0, 0.0, 0.0, 0.0, 10.0, 0.0]
    assert {name: units.tolist() for name, units in one.covering.items()} == {"Q/S": [0.0, 15.0, 0.0, 0.0, 0.0, 0.0]}
    assert one.hours["L"].tolist() == [0.0, 0.0, 0.0, 10.0, 0.0, 0.0]
    assert one.put_off == ()


def test_an_order_begins_when_its_components_can_be_there_and_what_it_brings_comes_later():
    """In week 1 the 20 Q cannot be there, in week 2 they can: it begins then, and its A, which take no lead time, are
    there in week 2 all the same; with one of a week, in week 3."""
    one = found(plain(), {"Q": 5.0}, make("W", 10.0, 1))
    assert one.units["Q"].tolist() == [5.0, 0.0, -20.0, 0.0, 0.0, 0.0]
    assert one.units["A"].tolist() == [0.0, 0.0, 10.0, 0.0, 0.0, 0.0]
    assert one.hours["L"].tolist() == [0.0, 0.0, 10.0, 0.0, 0.0, 0.0]
    (late,) = one.put_off
    assert (late.said, late.start, late.arrives, late.component, late.line) == ((1, 2), 2, 2, "Q", None)
    slow = [{"recipe": "A/L", "product": "A", "line": "L", "hours_per_unit": 1.0, "lead_days": 7.0}]
    assert found(plain(recipes=slow), {"Q": 5.0}, make("W", 10.0, 1)).units["A"].tolist()[3] == 10.0


def test_first_come_first_served_and_what_an_order_makes_is_there_for_the_next():
    """9 Q for two orders that need 6 each: the first takes them; the second waits for what is bought. B is made of A,
    which comes later than it says, and so is B."""
    tables = {
        "products": [{"product": "A"}, {"product": "B"}, {"product": "Q", "kind": "material"}],
        "recipes": [
            {"recipe": "A/L", "product": "A", "line": "L", "hours_per_unit": 1.0},
            {"recipe": "B/0", "product": "B"},
        ],
        "components": [
            {"product": "A", "component": "Q", "units_per_unit": 2.0},
            {"product": "B", "component": "A", "units_per_unit": 1.0},
        ],
    }
    second = make("W2", 3.0, 0)
    of_a = make("W3", 3.0, 1, product="B", recipe="B/0")
    one = found(plain(**tables), {"Q": 9.0}, second, make("W1", 3.0, 0, weeks=0), of_a)
    assert [(late.order.order, late.start) for late in one.put_off] == [("W2", 2)]
    assert one.units["Q"].tolist() == [3.0, 0.0, -6.0, 0.0, 0.0, 0.0]
    assert one.units["A"].tolist() == [3.0, -3.0, 3.0, 0.0, 0.0, 0.0]


def test_an_order_that_never_finds_its_components_takes_what_there_is():
    """Nobody sells Q: 7 lie there and 4 come in week 2, enough for 5 of 10 A from then on; of none, nothing comes."""
    offers = [{"offer": "Q/S", "product": "Q", "price": 1.0, "units_per_week": 0.0}]
    coming = UnderWay("P", "buy", "Q", None, None, 4.0, MONDAY, MONDAY + 2 * WEEK)
    one = found(plain(offers=offers), {"Q": 7.0}, make("W", 10.0, 1), coming)
    (late,) = one.put_off
    assert (late.start, late.units, late.component) == (2, 5.0, "Q")
    assert one.units["Q"].tolist() == [7.0, 0.0, 4.0 - 10.0, 0.0, 0.0, 0.0]
    assert one.units["A"].sum() == 5.0
    none = found(plain(offers=offers), {}, make("W", 10.0, 1))
    assert (none.put_off[0].start, none.put_off[0].arrives, none.units["A"].sum()) == (None, None, 0.0)
    assert none.hours["L"].sum() == 0.0


def test_hours_are_worked_where_they_are_and_not_lost():
    """130 hours on a line of 40 take four weeks; what is due sooner goes first, what a planner locked before all."""
    one = found(plain(), {"Q": 500.0}, make("W1", 120.0, 0, weeks=2), make("W2", 10.0, 1, weeks=0))
    assert one.hours["L"].tolist() == [40.0, 40.0, 40.0, 10.0, 0.0, 0.0]
    assert {late.order.order: (late.arrives, late.line) for late in one.put_off} == {"W1": (3, "L")}
    fixed = found(plain(), {"Q": 500.0}, make("W1", 120.0, 0, weeks=2, stage="fixed"), make("W2", 10.0, 1, weeks=0))
    assert {late.order.order: late.arrives for late in fixed.put_off} == {"W2": 3}


def test_a_set_up_takes_hours_of_what_has_not_begun():
    """Six hours for the set-up, once however many weeks the order takes: 6 + 36 = 42, two of them in the second week.
    Of what has begun it is done."""
    recipes = [{"recipe": "A/L", "product": "A", "line": "L", "hours_per_unit": 1.0, "setup_hours": 6.0}]
    order = {"units": 36.0, "week": 0, "weeks": 1}
    one = found(plain(recipes=recipes), {"Q": 500.0}, make("W", **order))
    assert one.hours["L"].tolist() == [40.0, 2.0, 0.0, 0.0, 0.0, 0.0]
    begun = found(plain(recipes=recipes), {"Q": 500.0}, make("W", **order, stage="begun"))
    assert begun.hours["L"].tolist() == [36.0, 0.0, 0.0, 0.0, 0.0, 0.0]


def test_an_order_that_nobody_reported_to_have_begun_takes_hours_and_components_from_now_on():
    """W was to start two weeks ago, and is due now: with its set-up 42 hours and its 72 Q are taken from now on, and
    with a lead time of a week its 36 A are there in the second week. Reported to have begun it has both behind it, and
    comes now; one that is due in the third week comes then either way."""
    recipe = {"recipe": "A/L", "product": "A", "line": "L", "hours_per_unit": 1.0, "setup_hours": 6.0, "lead_days": 7.0}
    of, order = plain(recipes=[recipe]), {"units": 36.0, "week": -2}
    one = found(of, {"Q": 500.0}, make("W", **order, weeks=2))
    assert one.hours["L"].tolist() == [40.0, 2.0, 0.0, 0.0, 0.0, 0.0]
    assert one.units["Q"].tolist() == [428.0, 0.0, 0.0, 0.0, 0.0, 0.0]
    assert one.units["A"].tolist() == [0.0, 36.0, 0.0, 0.0, 0.0, 0.0]
    assert one.put_off == ()
    begun = found(of, {"Q": 500.0}, make("W", **order, weeks=2, stage="begun", taken=frozenset({"Q"})))
    assert (begun.hours["L"].sum(), begun.units["Q"].sum()) == (0.0, 500.0)
    assert begun.units["A"].tolist() == [36.0, 0.0, 0.0, 0.0, 0.0, 0.0]
    for later in (make("W", **order, weeks=4), make("W", **order, weeks=4, stage="begun")):
        assert found(of, {"Q": 500.0}, later).units["A"].tolist() == [0.0, 0.0, 36.0, 0.0, 0.0, 0.0]


def test_a_component_that_a_line_must_make_waits_for_its_hours():
    """Q takes an hour each on L, 40 a week: 5 A need 10 Q and 5 hours, all in the first week; 20 A 40 Q and 20 hours:
    the Q in the first week, and A a week later."""
    recipes = [
        {"recipe": "A/L", "product": "A", "line": "L", "hours_per_unit": 1.0},
        {"recipe": "Q/L", "product": "Q", "line": "L", "hours_per_unit": 1.0},
    ]
    of = plain(recipes=recipes, offers=[])
    assert found(of, {}, make("W", 5.0, 0)).put_off == ()
    (late,) = found(of, {}, make("W", 20.0, 0)).put_off
    assert (late.start, late.component) == (1, "Q")


def test_lots_of_a_component_are_whole():
    """Q comes in lots of 12, at least 24, with set-up hours that must be there as well; on 14 hours a week a lot takes
    three weeks, so that the order of week 1 begins in week 2."""
    lot = {"setup_hours": 6.0, "min_lot_units": 24.0, "lot_multiple_units": 12.0}
    recipes = [
        {"recipe": "Q/M", "product": "Q", "line": "M", "hours_per_unit": 1.0} | lot,
        {"recipe": "A/L", "product": "A", "line": "L", "hours_per_unit": 1.0},
    ]
    lines = [{"line": "L", "hours_per_week": 40.0}, {"line": "M", "hours_per_week": 30.0}]
    of = plain(recipes=recipes, lines=lines, offers=[])
    one = found(of, {}, make("W", 5.0, 2))
    assert one.covering["Q/M"].tolist() == [0.0, 0.0, 24.0, 0.0, 0.0, 0.0]
    tight = plain(recipes=recipes, lines=[lines[0], {"line": "M", "hours_per_week": 14.0}], offers=[])
    assert found(tight, {}, make("W", 5.0, 1)).put_off[0].start == 2


def test_a_component_and_what_it_is_made_of_share_the_hours_of_a_line():
    """A takes a Q, and that an R: an hour each on M, 8 a week. 6 Q and 6 R are 12 hours, too many for the first week;
    booked one after the other they once were 12 hours of 8. In two weeks there is room, so the order begins a week
    late."""
    recipes = [
        {"recipe": "A/L", "product": "A", "line": "L", "hours_per_unit": 1.0},
        {"recipe": "Q/M", "product": "Q", "line": "M", "hours_per_unit": 1.0},
        {"recipe": "R/M", "product": "R", "line": "M", "hours_per_unit": 1.0},
    ]
    use = {"product": "A", "component": "Q", "units_per_unit": 1.0}
    components = [use, {"product": "Q", "component": "R", "units_per_unit": 1.0}]
    lines = [{"line": "L", "hours_per_week": 40.0}, {"line": "M", "hours_per_week": 8.0}]
    products = [{"product": p, "kind": k, "price": 1.0} for p, k in (("A", "finished"), ("Q", "semi"), ("R", "semi"))]
    of = plain(products=products, recipes=recipes, components=components, lines=lines, offers=[])
    one = found(of, {}, make("W", 6.0, 0))
    assert one.put_off[0].start == 1
    taken = sum(one.covering.get(name, np.zeros(6)) for name in ("Q/M", "R/M"))
    assert taken.max() <= 8.0
    assert taken.sum() == 12.0


def test_frozen_buckets_bring_nothing_new():
    one = found(plain(lead=0.0), {}, make("W", 5.0, 1), frozen=3)
    assert (one.put_off[0].start, one.covering["Q/S"].tolist()) == (3, [0.0, 0.0, 0.0, 10.0, 0.0, 0.0])


def test_what_an_order_took_it_does_not_take_again():
    order = make("W", 10.0, 0, stage="begun", taken=frozenset({"Q"}))
    assert found(plain(), {"Q": 5.0}, order).units["Q"].tolist() == [5.0, 0.0, 0.0, 0.0, 0.0, 0.0]
    part = make("W", 10.0, 0, stage="begun")
    assert [pull.units for pull in found(plain(lead=0.0), {"Q": 5.0}, part).pulls] == [20.0]


def random_chain(seed, setup_hours=(0, 0, 5)):
    """Two levels, lines short of hours, limited offers, lots; orders of all of it, some locked, some begun."""
    random = np.random.default_rng(seed)
    weeks, products = int(random.integers(3, 8)), ["A", "B", "P", "Q", "R"]
    recipes, components, offers = [], [], []
    parts = {"A": ["P", "Q"], "B": ["Q", "R"], "P": ["R"]}
    for product, below in parts.items():
        line = str(random.choice(["L", "M"]))
        recipe = {"recipe": f"{product}/{line}", "product": product, "line": line}
        recipe |= {"hours_per_unit": float(random.integers(1, 4)), "lead_days": float(random.choice([0, 7]))}
        recipe |= {"yield_share": float(random.choice([1.0, 0.8])), "setup_hours": float(random.choice(setup_hours))}
        recipe |= {"min_lot_units": float(random.choice([0, 0, 8])), "lot_multiple_units": float(random.choice([0, 4]))}
        recipes.append(recipe)
        for part in below:
            components.append({"product": product, "component": part, "units_per_unit": float(random.integers(1, 3))})
    for part in ("Q", "R"):
        most = None if random.random() < 0.5 else float(random.integers(0, 25))
        lead = float(random.choice([0, 7, 14]))
        offers.append({"offer": f"{part}/S", "product": part, "price": 1.0, "lead_days": lead, "units_per_week": most})
    of = facts_of(
        weeks,
        products=[{"product": p, "price": 10.0} for p in products],
        lines=[{"line": line, "hours_per_week": float(random.integers(20, 60))} for line in "LM"],
        recipes=recipes,
        components=components,
        offers=offers,
    )
    orders = []
    for i in range(int(random.integers(1, 8))):
        recipe = recipes[int(random.integers(len(recipes)))]
        start, span = int(random.integers(-2, weeks)), int(random.integers(0, 3))
        stage = str(random.choice(["fixed", "out", "begun"]))
        orders.append(
            make(
                f"W{i}",
                float(random.integers(1, 15)),
                start,
                span,
                product=recipe["product"],
                recipe=recipe["recipe"],
                stage=stage,
            )
        )
    for i in range(int(random.integers(0, 3))):
        orders.append(
            UnderWay(
                f"P{i}",
                "buy",
                "Q",
                None,
                None,
                float(random.integers(1, 30)),
                MONDAY,
                MONDAY + int(random.integers(0, weeks)) * WEEK,
            )
        )
    stock = {p: float(random.integers(0, 30)) for p in products if random.random() < 0.6}
    return of, stock, orders, int(random.choice([0, 0, 1]))


@each_seed(range(150))
def test_what_is_committed_can_be_kept(seed):
    """With the starts that cover what is missing, no component falls short, no hour is used twice, no limit broken; all
    that an order takes and brings is its own, once."""
    of, stock, orders, frozen = random_chain(seed)
    facts, starts, calendar = of
    one = found(of, stock, *orders, frozen=frozen)
    whole = covered(one, facts, starts, calendar)
    for product, units in whole.units.items():
        assert np.cumsum(units).min() >= -1e-4, product
    for line, hours in whole.hours.items():
        assert (hours <= facts.line_hours[line] + 1e-6).all(), line
    ways = {w.name: w for w in facts.ways}
    for name, started in one.covering.items():
        assert not started[:frozen].any()
        assert (started <= ways[name].units_per_week + 1e-6).all()
        lot, step = ways[name].min_units, ways[name].multiple_units or 1.0
        assert all(units >= lot - 1e-6 and abs(units / step - round(units / step)) < 1e-6 for units in started if units)
    late = {p.order.order: p for p in one.put_off}
    for order in (o for o in orders if o.kind == "make"):
        pulls = [p for p in one.pulls if p.order == order.order]
        if calendar.index(order.start, starts[0]) >= len(starts):
            assert pulls == []
            continue
        units = late[order.order].units if order.order in late else order.units
        way = ways[order.recipe]
        expected = {u.component: units * u.units_per_unit for u in way.uses} if units > 0 else {}
        assert {p.component: p.units for p in pulls} == pytest.approx(expected)
    worked = sum(float(h.sum()) for h in one.hours.values())
    made = [(o, ways[o.recipe]) for o in orders if o.kind == "make"]
    run = sum(o.units * way.hours_per_unit for o, way in made)
    set_up = sum(way.setup_hours for o, way in made if o.stage != "begun")
    assert worked <= run + set_up + 1e-6


def test_locked_orders_that_do_not_contradict_one_another_find_their_hours():
    """What the conflicts let through is worked from its start until it is due, whatever else is out. Set-ups they do
    not count: two orders of one recipe may share one."""
    ran = 0
    for seed in range(150):
        of, _, orders, _ = random_chain(seed, setup_hours=(0, 0, 0))
        facts, starts, calendar = of
        where = Position(dict.fromkeys(facts.products, 1000000.0), {}, {}, tuple(orders))
        if conflicts_of(facts, where, starts, calendar, MONDAY):
            continue
        put_off = {p.order.order for p in committed(facts, where, starts, calendar, 0).put_off}
        end = calendar.shift(starts[-1], 1)
        certain = {o.order for o in orders if o.kind == "make" and o.fixed and o.start >= MONDAY and o.due <= end}
        others = [o for o in orders if o.kind == "make" and o.fixed and o.order not in certain]
        if not others:  # orders whose locking is not certain to hold may be in their way
            assert not put_off & certain, seed
            ran += bool(certain)
    assert ran > 20


@pytest.mark.parametrize(("partly", "hours"), [(True, [25.0, 0.0]), (False, [0.0, 0.0])])
def test_the_rest_of_an_order_that_is_partly_done_is_still_to_be_worked(partly: bool, hours: list[float]) -> None:
    """It began last week and is due next week, 25 are left: an hour each, unless it may be all in work already."""
    order = make("W", 25.0, -1, 2, stage="begun", taken=frozenset({"Q"}), partly=partly)
    one = found(plain(), {}, order)
    assert one.hours["L"].tolist()[:2] == hours
    assert one.units["A"].tolist()[:2] == [0.0, 25.0]
    short = found(plain(hours=20.0), {}, replace(order, partly=True))
    assert short.hours["L"].tolist()[:3] == [20.0, 5.0, 0.0]


def test_hours_that_run_over_the_weekend_bring_an_order_in_the_next_week():
    """12 hours from Friday on, 8 a day: 8 on Friday, 4 in the next week, and its 12 A are there then. Of two from
    Wednesday on, 16 and 12 hours, the second has 8 in the week and 4 in the next. From Monday on 40 fit."""
    friday = {"start": MONDAY + timedelta(days=4), "due": MONDAY + timedelta(days=4)}
    one = found(plain(), {"Q": 500.0}, make("K", 12.0, 0, **friday))
    assert one.hours["L"].tolist() == [8.0, 4.0, 0.0, 0.0, 0.0, 0.0]
    assert one.units["A"].tolist() == [0.0, 12.0, 0.0, 0.0, 0.0, 0.0]
    assert [(late.start, late.arrives, late.line) for late in one.put_off] == [(0, 1, "L")]
    wednesday = {"start": MONDAY + timedelta(days=2), "due": MONDAY + timedelta(days=4)}
    two = found(plain(), {"Q": 500.0}, make("K", 16.0, 0, **wednesday), make("M", 12.0, 0, **wednesday))
    assert two.hours["L"].tolist() == [24.0, 4.0, 0.0, 0.0, 0.0, 0.0]
    assert two.units["A"].tolist() == [16.0, 12.0, 0.0, 0.0, 0.0, 0.0]
    assert found(plain(), {"Q": 500.0}, make("K", 40.0, 0, weeks=0)).put_off == ()


def test_hours_after_the_last_of_its_components_came_are_those_that_an_order_has():
    """24 hours that wait for Q until Thursday: 16 are left in that week. With the Q in stock all fit."""
    coming = UnderWay("P", "buy", "Q", None, None, 48.0, MONDAY, MONDAY + timedelta(days=3))
    one = found(plain(), {}, make("K", 24.0, 0, weeks=0), coming)
    assert one.hours["L"].tolist() == [16.0, 8.0, 0.0, 0.0, 0.0, 0.0]
    assert one.units["A"].tolist() == [0.0, 24.0, 0.0, 0.0, 0.0, 0.0]
    assert found(plain(), {"Q": 48.0}, make("K", 24.0, 0, weeks=0), coming).units["A"].tolist()[0] == 24.0


def test_of_two_orders_that_lack_a_component_the_one_promised_first_has_it():
    """Q for one of two orders lies there. The one that was promised on Friday has it, whatever its number, and however
    late it is; the other waits for what comes of Q in the next week."""
    friday, tuesday = MONDAY - timedelta(days=3), MONDAY + timedelta(days=1)
    first = make("Z", 4.0, 0, start=friday, due=MONDAY + WEEK, said=friday)
    second = make("K", 10.0, 0, start=friday, due=tuesday)
    coming = UnderWay("P", "buy", "Q", None, None, 48.0, MONDAY, MONDAY + WEEK)
    one = found(plain(lead=70.0), {"Q": 20.0}, second, first, coming)
    assert {pull.order: pull.bucket for pull in one.pulls} == {"Z": 0, "K": 1}


def test_two_steps_that_a_line_works_on_share_days_where_a_week_has_no_days_of_their_own_for_both():
    """As the lots of a plan do (`crowded_hours` in its reasons), so that what was given out can run. Q is worked from
    Monday until Tuesday, A on another line: 36 hours of 40 share Monday with it, and 30 begin once the Q is there. A
    purchase that comes on Tuesday is not shared."""
    recipes = [
        {"recipe": "A/L", "product": "A", "line": "L", "hours_per_unit": 1.0},
        {"recipe": "Q/M", "product": "Q", "line": "M", "hours_per_unit": 0.25},
    ]
    lines = [{"line": "L", "hours_per_week": 40.0}, {"line": "M", "hours_per_week": 40.0}]
    of = plain(recipes=recipes, lines=lines, offers=[])
    friday, tuesday = MONDAY + timedelta(days=4), MONDAY + timedelta(days=1)
    step = UnderWay("W", "make", "Q", "Q/M", None, 64.0, MONDAY, tuesday)
    for hours in (36.0, 30.0):
        one = found(of, {"Q": 20.0}, step, make("K", hours, 0, due=friday))
        assert (one.put_off, one.hours["L"].tolist()) == ((), [hours, 0.0, 0.0, 0.0, 0.0, 0.0])
        assert one.units["A"].tolist() == [hours, 0.0, 0.0, 0.0, 0.0, 0.0]
    bought = UnderWay("P", "buy", "Q", None, None, 64.0, MONDAY, tuesday)
    (late,) = found(of, {"Q": 20.0}, bought, make("K", 36.0, 0, due=friday)).put_off
    assert (late.start, late.arrives, late.component) == (0, 1, "Q")
