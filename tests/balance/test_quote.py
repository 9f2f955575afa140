"""Quotes at cleared prices, and what it takes to serve what is late or lost, worked out by hand."""

from datetime import UTC, date, datetime

import numpy as np
import pytest

from datong.balance import highs
from datong.balance.evaluate import evaluate
from datong.balance.pack import pack
from datong.balance.solvers import balance
from datong.balance.unit_prices import Cleared, cleared_for_quotes
from datong.balance.warm_start import warm_prices
from datong.model.flow import nothing_learnt
from datong.network.position import position
from datong.questions.quote import Order, quote
from planning import served_in
from small_chain import MONDAY, chain, demand, press

SECOND, THIRD = date(2024, 1, 8), date(2024, 1, 15)


def cleared(state, asked) -> Cleared:
    market = pack(state, asked, nothing_learnt(), position(state))
    found = highs.solve(market)
    outcome = evaluate(market, found.started, found.issued, found.turned_away)
    return cleared_for_quotes(market, found.prices, found.started, found.turned_away, served_in(outcome))


def at(of: Cleared, product: str, bucket: int):
    return of.best(of.market.products.names.index(product), bucket)


def test_a_full_line_sells_at_what_a_lost_sale_is_worth():
    """Ten hours a week for 8 and 14: an hour of the second week is worth 98, of the first 97 (test_market).

    A unit due in the second week: 2 + 98 made then, 2 + 97 + 1 made a week early, or 100 for telling a buyer no. In the
    first week it is 2 + 97, or 100 - 1: a buyer of the second week is told no, and one unit less lies a week. The price
    of the second week is good for what it has, 2 held and 10 made, each of which somebody else then goes without.
    """
    state = chain(2, **press())
    of = cleared(state, demand(state, A=[[8.0, 14.0]]))
    options = of.options(0, 1, late=False)
    assert [(o.way, o.start, round(o.price, 6)) for o in options] == [(-1, 1, 100.0), (0, 1, 100.0), (0, 0, 100.0)]
    made = options[1]
    assert (made.own, made.hours, made.holding, made.late) == pytest.approx((2.0, 98.0, 0.0, 0.0))
    assert (made.scarce.what, made.scarce.name, made.scarce.bucket, made.scarce.price) == ("line", "L", 1, 98.0)
    assert (options[2].hours, options[2].holding) == pytest.approx((97.0, 1.0))
    assert at(of, "A", 0).price == pytest.approx(99.0)
    assert of.normal_price(0) == 2.0
    assert of.holds_units(0, 1) == pytest.approx(12.0)


def test_what_is_late_pays_by_the_week():
    """Nothing is asked; a unit due on Monday by a line of 3 weeks' lead: 2 to make and 3 weeks late at 5 each."""
    state = chain(5, **press(lead_days=21))
    of = cleared(state, demand(state, A=[[0.0] * 5]))
    assert at(of, "A", 2) is None
    assert at(of, "A", 3).price == pytest.approx(2.0)
    first = of.options(0, 0)[0]
    assert (first.arrive, first.price, first.late) == (3, pytest.approx(17.0), pytest.approx(15.0))
    assert of.holds_units(0, 2) == 0.0
    assert of.holds_units(0, 3) == pytest.approx(10.0)


def with_part(**offer):
    """A takes 2 of Q, which an offer brings at 3; hours without end."""
    tables = press()
    tables["lines"] = [{"line": "L", "hours_per_week": 1000.0}]
    tables["products"].append({"product": "Q", "price": 4.0, "kind": "material"})
    tables["economics"].append({"product": "Q", "holding_cost_per_unit_week": 0.2})
    tables["components"] = [{"product": "A", "component": "Q", "units_per_unit": 2.0}]
    tables["offers"] = [{"offer": "Q/S", "product": "Q", "price": 3.0} | offer]
    return tables


def test_a_scarce_component_is_told_by_what_is_scarce_behind_it():
    """12 of Q a week make 6 A; 6 and 8 are asked for, 2 are lost. A lost sale is worth 100 - 2 - 2 x 3 = 92 or 46 for
    each Q of the second week's offer: a unit costs 2 and 6, and 92 for the offer's last two units."""
    state = chain(2, **with_part(units_per_week=12.0))
    of = cleared(state, demand(state, A=[[6.0, 8.0]]))
    made = next(o for o in of.options(of.market.products.names.index("A"), 1) if o.way >= 0)
    assert (made.own, made.materials, made.scarce_materials, made.price) == pytest.approx((2.0, 6.0, 92.0, 100.0))
    assert (made.scarce.what, made.scarce.name, made.scarce.bucket) == ("offer", "Q/S", 1)
    assert made.scarce.price == pytest.approx(46.0)


def test_prices_of_what_nobody_uses_are_not_believed():
    """Nobody asks for A, so that a programme is free to say that Q costs nothing: it costs what its offer does. And
    where the line has no hours in the second week, no price of 0 makes a unit of that week."""
    tables = with_part()
    tables["line_calendar"] = [{"line": "L", "from": SECOND, "to": THIRD, "hours": 0.0}]
    state = chain(3, **tables)
    of = cleared(state, demand(state, A=[[0.0, 0.0, 0.0]]))
    assert [at(of, "A", t).price for t in range(3)] == pytest.approx([8.0, 9.0, 8.0])
    assert at(of, "A", 1).start == 0


def test_stock_that_nobody_needs_costs_less_than_making_one():
    """Of 9 in stock 4 are asked for in the second week: a unit due on Monday saves holding it for two weeks, 2 x 1; of
    4 of them, until a fifth would have to be made."""
    tables = press()
    tables["stock"] = [{"happened_at": datetime(2023, 12, 31, tzinfo=UTC), "product": "A", "units": 9.0}]
    state = chain(2, **tables)
    of = cleared(state, demand(state, A=[[0.0, 4.0]]))
    best = at(of, "A", 0)
    assert (best.way, best.price, best.late) == (-1, pytest.approx(-2.0), 0.0)
    assert of.holds_units(0, 0) == pytest.approx(5.0)


def test_a_full_lane_is_what_is_scarce():
    """A is made at F for 2 without end; a lane takes 10 a week to M for 1; 22 are asked there in the second week.

    Two are lost: the lane's place of the second week is worth 100 - 2 - 1 = 97, of the first 96 (a week's holding).
    """
    tables = press() | {
        "sites": [{"site": "F"}, {"site": "M"}],
        "lines": [{"line": "L", "site": "F", "hours_per_week": 1000.0}],
        "lanes": [{"lane": "F-M", "from_site": "F", "to_site": "M", "cost_per_unit": 1.0, "units_per_week": 10.0}],
        "demand": [{"demand": "D", "product": "A", "market": "M", "due": MONDAY, "units": 0.0}],
    }
    state = chain(2, **tables)
    of = cleared(state, demand(state, A__M=[[0.0, 22.0]]))
    moved = [o for o in of.options(of.market.products.names.index("A@M"), 1, late=False) if o.way >= 0]
    assert [(o.start, o.own, o.materials, o.hours, o.holding) for o in moved] == [
        (1, pytest.approx(1.0), pytest.approx(2.0), pytest.approx(97.0), 0.0),
        (0, pytest.approx(1.0), pytest.approx(2.0), pytest.approx(96.0), pytest.approx(1.0)),
    ]
    assert (moved[0].scarce.what, moved[0].scarce.name) == ("lane", "F-M")
    told = balance(state, demand(state, A__M=[[0.0, 22.0]]), nothing_learnt()).prices  # and so it is read back
    np.testing.assert_allclose(warm_prices(of.market, told).line, of.prices.line, atol=1e-9)


# what it would take ------------------------------------------------------------------------------


def gaps_of(state, *asked):
    rows = balance(state, demand(state, A=[list(asked)]), nothing_learnt()).gaps.to_pylist()
    names = ("binding", "binding_bucket", "needed_amount", "needed_unit", "needed_days")
    return [(r["late_units"], r["lost_units"], *(r[name] for name in names)) for r in rows]


def test_lost_units_name_the_hours_that_would_serve_them():
    """2 of 14 are lost in the second week: 2 x 1 hours more of L then. With them nothing is lost."""
    tables = press()
    first, second = gaps_of(chain(2, **tables), 8.0, 14.0)
    assert first == (0.0, 0.0, "", None, None, None, None)
    assert second[1:] == (pytest.approx(2.0), "L", SECOND, pytest.approx(2.0), "hour", None)
    tables["line_calendar"] = [{"line": "L", "from": SECOND, "to": THIRD, "hours": 10.0 + second[4]}]
    assert gaps_of(chain(2, **tables), 8.0, 14.0)[1][1] == pytest.approx(0.0)


def test_what_is_late_or_lost_could_be_served_days_later():
    """With a third week 2 wait for it: 7 days. Where a sale is lost for 4, less than a week's lateness, they are lost;
    a unit of the third week costs 2, less than 4: 7 days too."""
    second = gaps_of(chain(3, **press()), 8.0, 14.0, 0.0)[1]
    assert second == (pytest.approx(2.0), 0.0, "L", SECOND, pytest.approx(2.0), "hour", 7)
    tables = press()
    tables["economics"][0]["lost_sale_cost_per_unit"] = 4.0
    second = gaps_of(chain(3, **tables), 8.0, 14.0, 0.0)[1]
    assert second == (0.0, pytest.approx(2.0), "L", SECOND, pytest.approx(2.0), "hour", 7)


def test_a_missing_component_is_counted_in_its_own_units():
    """An offer of 12 Q a week makes 6 A; 8 are asked for in the first week: 2 wait, for 4 Q of that offer."""
    tables = with_part(units_per_week=12.0)
    first = gaps_of(chain(2, **tables), 8.0, 0.0)[0]
    assert first == (pytest.approx(2.0), 0.0, "Q/S", MONDAY, pytest.approx(4.0), "unit", 7)


def test_what_no_way_can_bring_in_time_names_nothing_scarce():
    """A lead time of a week: what is asked for on Monday waits 7 days, and nothing is in the way."""
    first = gaps_of(chain(2, **press(lead_days=7)), 3.0, 0.0)[0]
    assert first == (pytest.approx(3.0), 0.0, "", None, None, None, 7)


def test_a_lead_time_counts_in_whole_weeks_in_a_quote_too():
    """9 days are two weeks: what is made from the first Monday is of use on the third, not on the day in between."""
    state = chain(4, **press(lead_days=9))
    told = quote(state, nothing_learnt(), 0, Order("A", 1.0, THIRD))
    first = told.tables["alternatives"].to_pylist()[0]
    assert (first["start"], first["arrives"], told.summary["earliest"]) == (MONDAY, THIRD, THIRD.isoformat())
