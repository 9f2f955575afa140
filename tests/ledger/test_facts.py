"""What stock and orders under way fix before anything is planned, by hand."""

from datetime import date, timedelta

import pyarrow as pa

from datong.ledger.committed import committed
from datong.ledger.facts import chain_facts, response_buckets
from datong.ledger.position import Position, UnderWay
from datong.ledger.state import state_of_tables
from datong.model.flow import nothing_learnt
from datong.model.settings import ChainSettings

MONDAY = date(2026, 1, 5)
STARTS = tuple(MONDAY + timedelta(weeks=w) for w in range(3))


def test_what_comes_is_the_yield_of_the_units_still_to_be_started() -> None:
    """A takes an hour and 2 C, of which 4 of 5 are good. 100 C in stock.

    W1: 10 start in week 1 and come in week 2: 8 A, 10 hours, 20 C. W2: started last week, due now, 5 left: 4 A, its
    hours are spent, its 10 C still in the records. W3: overdue, 5 left, made now: 4 A, 5 hours, 10 C.
    """
    settings = ChainSettings("t")
    tables = {
        "products": [{"product": "A"}, {"product": "C", "kind": "component"}],
        "lines": [{"line": "L", "hours_per_week": 40.0}],
        "recipes": [{"recipe": "R", "product": "A", "line": "L", "hours_per_unit": 1.0, "yield_share": 0.8}],
        "components": [{"product": "A", "component": "C", "units_per_unit": 2.0}],
    }
    state = state_of_tables(
        settings,
        settings.calendar.midnight(MONDAY),
        {name: pa.Table.from_pylist(rows) for name, rows in tables.items()},
    )
    week = timedelta(weeks=1)
    under_way = (
        UnderWay("W3", "make", "A", "R", None, 5.0, MONDAY - 2 * week, MONDAY - week),
        UnderWay("W2", "make", "A", "R", "L", 5.0, MONDAY - week, MONDAY),
        UnderWay("W1", "make", "A", "R", "L", 10.0, STARTS[1], STARTS[2]),
        UnderWay("P1", "buy", "C", None, None, 7.0, MONDAY, STARTS[1]),
    )
    facts = chain_facts(state, STARTS, nothing_learnt())
    found = committed(facts, Position({"C": 100.0}, {}, {}, under_way), STARTS, settings.calendar, 0)
    assert found.units["A"].tolist() == [8.0, 0.0, 8.0]
    assert found.hours["L"].tolist() == [5.0, 10.0, 0.0]
    assert found.units["C"].tolist() == [80.0, 7.0 - 20.0, 0.0]


def test_the_response_is_review_frozen_buckets_and_the_lead_times_of_the_cheapest_ways() -> None:
    """A by the cheap R1 takes 10 days, 2 weeks, of component C, bought in 7 days, 1 week; one frozen bucket, one of
    review: A 2 + 1 + 1 + 1 = 5, C 1 + 1 + 1 = 3. R2 would be there at once, but costs more. B has nothing: an implied
    offer of 7 days, 3."""
    settings = ChainSettings("t", frozen_buckets=1)
    tables = {
        "products": [{"product": "A"}, {"product": "B"}, {"product": "C", "kind": "component"}],
        "recipes": [
            {"recipe": "R1", "product": "A", "cost_per_unit": 1.0, "lead_days": 10.0},
            {"recipe": "R2", "product": "A", "cost_per_unit": 2.0, "lead_days": 0.0},
        ],
        "components": [{"product": "A", "component": "C", "units_per_unit": 2.0}],
        "offers": [{"offer": "O", "product": "C", "price": 1.0, "lead_days": 7.0}],
    }
    state = state_of_tables(
        settings,
        settings.calendar.midnight(MONDAY),
        {name: pa.Table.from_pylist(rows) for name, rows in tables.items()},
    )
    facts = chain_facts(state, STARTS, nothing_learnt())
    assert response_buckets(facts, STARTS, settings) == {"A": 5, "B": 3, "C": 3}
