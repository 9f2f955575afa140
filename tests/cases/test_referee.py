"""The referee by hand: one press, weeks from Monday 2024-01-01; holding 1, late 5 and lost 100 a unit (and week)."""

from datetime import date, timedelta
from types import SimpleNamespace

import pytest

from cases import referee
from cases.referee import Delivery, Order, Outcome, at_best, chain_of_state, walk, wants

MONDAY = date(2024, 1, 1)


def monday(week: int) -> date:
    return MONDAY + timedelta(days=7 * week)


def chain(settings=None, **tables):
    """A chain of four weeks: A is made on L, 10 hours a week, one hour and 2 money a unit."""
    given = {
        "products": [{"product": "A", "price": 100.0}],
        "lines": [{"line": "L", "hours_per_week": 10.0}],
        "recipes": [{"recipe": "A/L", "product": "A", "line": "L", "hours_per_unit": 1.0, "cost_per_unit": 2.0}],
        "economics": [
            {
                "product": "A",
                "holding_cost_per_unit_week": 1.0,
                "late_cost_per_unit_week": 5.0,
                "lost_sale_cost_per_unit": 100.0,
            }
        ],
    }
    named = referee.SETTINGS | {"horizon_buckets": 4, "max_late_days": 999} | (settings or {})
    named |= dict.fromkeys(referee.STATUSES, False)
    sections = {
        "defaults": SimpleNamespace(**referee.SHARES),
        "netting": SimpleNamespace(**(referee.NETTING | named.pop("netting", {}))),
    }
    return chain_of_state(SimpleNamespace(**named, **sections), MONDAY, given | tables)


def asked(*weeks_units, **more):
    return [
        {"demand": f"D{n}", "product": "A", "due": monday(week) + timedelta(days=4), "units": units, **more}
        for n, (week, units) in enumerate(weeks_units)
    ]


def make(units, week, lead_weeks=0, product="A", way="A/L", **more):
    due = monday(week + lead_weeks)
    return Order(f"{product}{week}", "make", product, way, None, None, float(units), monday(week), due, **more)


def buy(units, week, product="M", way="M/V", lead_weeks=0):
    return Order(
        f"{product}{week}", "buy", product, way, None, None, float(units), monday(week), monday(week + lead_weeks)
    )


def cost(outcome: Outcome) -> dict[str, float]:
    return {term: money for term, money in outcome.cost.items() if money}


def test_early_late_and_never():
    """12 made in week 0 and 4 in week 2 for 8, 6 and 5 in weeks 0, 1 and 3: 4 held over week 0; 2 late in week 1, and
    made in week 2; of the 2 left then 2 are held over week 2; of the last 5 so 3 are never served."""
    here = chain(demand=asked((0, 8.0), (1, 6.0), (3, 5.0)), lines=[{"line": "L", "hours_per_week": 12.0}])
    outcome = walk(here, [make(12, 0), make(4, 2)])
    assert outcome.broken == []
    assert [outcome.served["A", t] for t in range(4)] == [8, 4, 2, 2]
    assert (outcome.on_time["A"], outcome.late["A"], outcome.short["A"]) == (14, 2, 3)
    assert outcome.unit_days_late["A"] == 14
    assert outcome.stock["A", ""] == [4, 0, 2, 0]
    # In turn, the last 3 wait through week 3 in vain. At best 2 of week 1 and 1 of week 3 are told no as they ask.
    assert cost(outcome) == {"production": 32, "holding": 6, "late": 25, "lost": 300}
    assert cost(at_best(here, [make(12, 0), make(4, 2)])) == {"production": 32, "holding": 8, "lost": 300}


def test_the_cheapest_refuse_those_who_would_wait_longest():
    """4 and 4 asked, 4 made in week 2: the first 4 would wait two weeks, the others one."""
    outcome = at_best(chain(demand=asked((0, 4.0), (1, 4.0))), [make(4, 2)])
    assert cost(outcome) == {"production": 8, "late": 20, "lost": 400}
    assert [(d.want.name, d.bucket) for d in outcome.deliveries] == [("D0", None), ("D1", 2)]


def test_deliveries_are_walked_as_they_are():
    """D1 is served before D0, which waits two weeks; what is given beyond what was asked is named."""
    here = chain(demand=asked((0, 4.0), (1, 4.0)))
    first, second = wants(here)
    outcome = walk(here, [make(4, 1), make(4, 2)], [Delivery(second, 1, 4.0), Delivery(first, 2, 4.0)])
    assert outcome.broken == []
    assert (outcome.unit_days_late["A"], outcome.cost["late"]) == (56, 40)
    assert walk(here, [make(5, 1)], [Delivery(first, 1, 5.0)]).broken != []
    assert walk(here, [make(3, 1)], [Delivery(first, 1, 4.0)]).broken != []


def test_priority_and_firm_orders_count_for_more():
    """A firm order beside a forecast weighs 1.25, one of priority 2 four times that; it is served first."""
    rows = asked((0, 3.0), (0, 3.0))
    rows[0]["firm"], rows[1]["priority"] = False, 2
    here = chain(demand=rows, settings={"netting": {"orders": "add"}})
    assert [w.weight for w in wants(here)] == [1.0, 5.0]
    outcome = walk(here, [make(3, 0)])
    assert [(d.want.name, d.units) for d in outcome.deliveries] == [("D1", 3)]
    assert outcome.cost["lost"] == 300


def test_a_firm_order_consumes_the_forecast_of_its_bucket():
    """5 ordered beside 3 expected: 5 are wanted; of 8 expected 3 are left."""
    for expected, left in ((3.0, []), (8.0, [3.0])):
        rows = asked((0, expected), (0, 5.0))
        rows[0]["firm"] = False
        assert [w.units for w in wants(chain(demand=rows)) if w.name == "D0" and w.units > 0] == left


def test_firm_demand_of_before_is_owed_and_a_forecast_is_past():
    rows = asked((-1, 3.0), (-1, 4.0), (-6, 5.0))
    rows[1]["firm"] = False
    here = chain(demand=rows, settings={"max_late_days": 28})
    assert [(w.name, w.due, w.bucket, w.last) for w in wants(here)] == [("D0", -1, 0, 3)]
    outcome = walk(here, [make(3, 1)])
    assert (outcome.late["A"], outcome.unit_days_late["A"], outcome.cost["late"]) == (3, 42, 15)


def test_what_waits_too_long_is_lost():
    here = chain(demand=asked((0, 3.0)), settings={"max_late_days": 7})
    assert walk(here, [make(3, 1)]).late["A"] == 3
    outcome = walk(here, [make(3, 2)])
    assert (outcome.short["A"], outcome.lost["A", 1]) == (3, 3)


def test_hours_set_ups_and_overtime():
    """8 units and a set-up of 4 hours on 10 hours: 2 over; with 3 hours of overtime at 7 they fit."""
    recipe = {
        "recipe": "A/L",
        "product": "A",
        "line": "L",
        "hours_per_unit": 1.0,
        "setup_hours": 4.0,
        "setup_cost": 9.0,
    }
    assert walk(chain(recipes=[recipe]), [make(6, 0)]).broken == []
    over = walk(chain(recipes=[recipe]), [make(8, 0)])
    assert over.broken == ["L works 12 of 10 hours in the bucket of 2024-01-01"]
    assert (over.cost["setup"], over.hours["L", 0]) == (9, 12)
    span = {"line": "L", "from": MONDAY, "to": monday(1), "hours": 10.0, "overtime_hours": 3.0}
    more = walk(chain(recipes=[recipe], line_calendar=[span | {"overtime_cost_per_hour": 7.0}]), [make(8, 0)])
    assert (more.broken, more.cost["overtime"]) == ([], 14)


def test_a_lot_of_more_hours_than_a_week_is_worked_until_its_units_are_there():
    """18 hours on 10 a week, there in week 2: 10 and 8; another 3 in week 1 are too many."""
    recipe = {"recipe": "A/L", "product": "A", "line": "L", "hours_per_unit": 1.0, "lead_days": 14.0}
    fits = walk(chain(recipes=[recipe]), [make(18, 0, 2)])
    assert (fits.broken, fits.hours["L", 0], fits.hours["L", 1]) == ([], 10, 8)
    assert walk(chain(recipes=[recipe]), [make(18, 0, 2), make(3, 1, 2)]).broken != []
    assert walk(chain(recipes=[recipe]), [make(18, 0, 2), make(3, 1, 2), make(21, 0, 2)]).broken != []


def test_a_line_has_its_hours_from_its_day_and_a_span_counts_day_by_day():
    late_line = chain(lines=[{"line": "L", "hours_per_week": 10.0, "valid_from": monday(2)}])
    assert [referee.hours_of(late_line, "L", t)[0] for t in range(4)] == pytest.approx([0, 0, 10, 10])
    span = {"line": "L", "from": MONDAY + timedelta(days=2), "to": monday(1), "hours": 0.0}
    assert referee.hours_of(chain(line_calendar=[span]), "L", 0)[0] == pytest.approx(4)


def with_parts(components, **tables):
    products = [{"product": p, "price": 100.0} for p in ("A", "M", "N")]
    offers = [{"offer": f"{p}/V", "product": p, "price": 3.0} for p in ("M", "N")]
    return chain(components=components, **{"products": products, "offers": offers} | tables)


def test_components_are_taken_with_scrap_when_an_order_starts_and_yield_arrives():
    """4 started take 2 / 0.8 M each: 10; half of them arrive, a week later."""
    recipe = {"recipe": "A/L", "product": "A", "lead_days": 7.0, "yield_share": 0.5}
    here = with_parts(
        [{"product": "A", "component": "M", "units_per_unit": 2.0, "scrap_share": 0.2}],
        recipes=[recipe],
        demand=asked((1, 2.0)),
    )
    enough = walk(here, [buy(10, 0), make(4, 0, 1)])
    assert (enough.broken, enough.on_time["A"], enough.cost["purchase"]) == ([], 2, 30)
    assert walk(here, [buy(9, 0), make(4, 0, 1)]).broken != []
    assert walk(here, [buy(10, 1), make(4, 0, 1)]).broken != []


def test_one_component_takes_the_place_of_another_and_nothing_is_made_of_nothing():
    rows = [
        {"product": "A", "component": "M", "units_per_unit": 1.0, "valid_from": monday(1), "valid_to": monday(2)},
        {"product": "A", "component": "N", "units_per_unit": 1.0, "valid_from": monday(2)},
    ]
    here = with_parts(rows)
    assert walk(here, [buy(5, 1), make(5, 1)]).broken == []
    assert walk(here, [buy(5, 2, "N", "N/V"), make(5, 2)]).broken == []
    assert walk(here, [buy(5, 1), make(5, 2)]).broken != []
    assert "made of nothing" in walk(here, [buy(5, 0), make(5, 0)]).broken[0]


def test_a_part_that_is_listed_twice_is_used_twice_and_that_of_a_recipe_stands_for_it():
    rows = [{"product": "A", "component": "M", "units_per_unit": units} for units in (2.0, 4.0)]
    assert referee.bill(with_parts(rows), "A", "A/L", MONDAY) == {"M": 6}
    own = {"product": "A", "recipe": "A/L", "component": "M", "units_per_unit": 1.0}
    assert referee.bill(with_parts([*rows, own]), "A", "A/L", MONDAY) == {"M": 1}


def test_what_a_sold_component_is_kept_for_is_not_sold():
    """5 M in stock, 4 of them to be used in week 1, 3 asked for in week 0: 1 is free."""
    here = with_parts(
        [{"product": "A", "component": "M", "units_per_unit": 1.0}],
        stock=[{"happened_at": MONDAY - timedelta(days=1), "product": "M", "units": 5.0}],
        demand=[{"demand": "D", "product": "M", "due": MONDAY, "units": 3.0}],
    )
    outcome = walk(here, [make(4, 1)])
    assert (outcome.broken, outcome.on_time["M"]) == ([], 1)


def test_rules_of_an_order():
    """Lots, multiples, lead times, days on which a way holds, the frozen horizon, offers that nobody made."""
    recipe = {"recipe": "A/L", "product": "A", "min_lot_units": 6.0, "lot_multiple_units": 4.0, "lead_days": 7.0}
    here = chain(recipes=[recipe | {"valid_from": monday(1)}], settings={"frozen_buckets": 1})
    assert walk(here, [make(8, 1, 1)]).broken == []
    assert "smallest lot" in walk(here, [make(4, 1, 1)]).broken[0]
    assert "multiple" in walk(here, [make(10, 1, 1)]).broken[0]
    assert "lead time" in walk(here, [make(8, 1, 0)]).broken[0]
    assert "holds" in walk(here, [make(8, 0, 1)]).broken[0]
    assert "frozen" in walk(chain(settings={"frozen_buckets": 1}), [make(8, 0)]).broken[0]
    assert "holds" in walk(here, [buy(8, 0, "A", "A/implied", 1)]).broken[0]
    bought = walk(chain(recipes=[]), [buy(8, 0, "A", "A/implied", 1)])
    assert (bought.broken, bought.cost["purchase"]) == ([], 560)
    limited = [{"offer": "M/V", "product": "M", "price": 1.0, "units_per_week": 5.0}]
    assert "a week" in walk(with_parts([], offers=limited), [buy(8, 0)]).broken[0]


def test_pieces_are_whole_and_measures_need_not_be():
    assert referee.in_parts(chain(), [make(1.5, 0)]) == ["A0: 1.5 units"]
    assert referee.in_parts(chain(products=[{"product": "A", "base_unit": "kg"}]), [make(1.5, 0)]) == []


def test_orders_that_are_out():
    """LOCKED takes its hours and components and costs nothing more; STARTED has had its components, as they were
    counted after it began; of PART 3 of 5 are still to come; PROPOSED is nothing."""
    before = MONDAY - timedelta(days=7)

    def order(name, units, start, due, **more):
        return {"order": name, "product": "A", "recipe": "A/L", "units": units, "start": start, "due": due} | more

    orders = [
        order("LOCKED", 4.0, monday(1), monday(1), locked=True),
        order("STARTED", 2.0, before, monday(1)),
        order("PART", 5.0, before, monday(0)),
        order("PROPOSED", 9.0, monday(2), monday(2)),
    ]
    events = [
        {"happened_at": before, "order": "STARTED", "state": "started"},
        {"happened_at": before, "order": "PART", "state": "started"},
        {"happened_at": before, "order": "PART", "state": "partly_done", "good_units": 2.0},
        {"happened_at": before, "order": "PROPOSED", "state": "proposed"},
    ]
    here = with_parts(
        [{"product": "A", "component": "M", "units_per_unit": 1.0}],
        orders=orders,
        order_events=events,
        stock=[{"happened_at": MONDAY - timedelta(days=1), "product": "M", "units": 4.0}],
        demand=asked((1, 9.0)),
    )
    outcome = walk(here, [])
    assert (outcome.broken, outcome.on_time["A"], outcome.hours["L", 1]) == ([], 9, 4)
    assert outcome.stock["M", ""] == [4, 0, 0, 0]
    assert cost(outcome) == {"holding": 3 + 4 * 0.4}  # PART's 3 wait for week 1
    counted_before = [{"happened_at": MONDAY - timedelta(days=9), "product": "M", "units": 4.0}]
    assert walk(
        with_parts(here.rows("components"), orders=orders, order_events=events, stock=counted_before), []
    ).broken


def test_lanes_carry_from_site_to_site():
    """5 made at F; 3 go to W at 2 and the holding of a week, and serve W there; F has no market of its own."""
    lane = {
        "lane": "FW",
        "from_site": "F",
        "to_site": "W",
        "lead_days": 7.0,
        "cost_per_unit": 2.0,
        "units_per_week": 4.0,
    }
    here = chain(
        sites=[{"site": "F"}, {"site": "W"}],
        lanes=[lane],
        lines=[{"line": "L", "site": "F", "hours_per_week": 10.0}],
        demand=asked((1, 4.0), market="W"),
    )

    def move(units):
        return Order("T", "move", "A", "FW", "W", "F", float(units), monday(0), monday(1))

    outcome = walk(here, [make(5, 0), move(3)])
    assert (outcome.broken, outcome.on_time["A"], outcome.cost["transport"]) == ([], 3, 9)
    assert (outcome.stock["A", "F"], outcome.stock["A", "W"]) == ([2, 2, 2, 2], [0, 0, 0, 0])
    assert "a week" in walk(here, [make(5, 0), move(5)]).broken[0]
    assert "short" in walk(here, [make(2, 0), move(3)]).broken[0]


def test_stock_is_the_last_count_and_what_moved_after_it():
    day = MONDAY - timedelta(days=3)
    here = with_parts(
        [{"product": "A", "component": "M", "units_per_unit": 2.0}],
        stock=[
            {"happened_at": day - timedelta(days=9), "product": "M", "units": 100.0},
            {"happened_at": day, "product": "M", "lot": "1", "units": 7.0},
            {"happened_at": day, "product": "M", "lot": "2", "units": 8.0},
            {"happened_at": day, "product": "N", "units": -5.0},
        ],
        production=[{"happened_at": day + timedelta(days=1), "product": "A", "good_units": 4.0}],
        receipts=[{"happened_at": day + timedelta(days=1), "product": "M", "units": 3.0}],
        sales=[{"happened_at": day + timedelta(days=1), "product": "A", "units": 1.0}],
    )
    assert referee.opening(here) == {("A", ""): 3, ("M", ""): 10, ("N", ""): 0}


@pytest.mark.parametrize("table", referee.UNKNOWN_TABLES)
def test_the_referee_says_what_it_does_not_know(table):
    with pytest.raises(NotImplementedError, match=table):
        chain(**{table: [{"product": "A"}]})
