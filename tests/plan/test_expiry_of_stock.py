"""Stock with a day of expiry: first expired, first out, and nothing after its day, by hand."""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from datong.cycle import CycleResult, run_cycle
from datong.ledger.row_ids import keyed_row_id
from datong.ledger.state import State, in_state_schema, state_of_tables
from datong.model.flow import nothing_learnt
from datong.model.settings import ChainSettings
from datong.model.tables import tables
from datong.network.position import position
from datong.network.position_notices import position_notices
from datong.network.shelf_life import of_dated, wasted

MONDAY = date(2026, 1, 5)
WEEK = timedelta(weeks=1)


def state(lots: Sequence[tuple[int | None, float]], *asked: float, **more: list[dict[str, Any]]) -> State:
    """P bought at 2, there in the week of its order; holding 0.5 a week, late 50, lost 1,000. lots: the week by whose
    Sunday each expires (None: it keeps), and its units."""
    rows = {
        "products": [{"product": "P", "price": 100.0}],
        "offers": [{"offer": "o", "product": "P", "price": 2.0}],
        "stock": [
            {"product": "P", "happened_at": MONDAY, "site": None, "units": units, "lot": f"L{n}"}
            | {"expires_on": None if week is None else MONDAY + (week + 1) * WEEK - timedelta(days=1)}
            for n, (week, units) in enumerate(lots)
        ],
        "economics": [
            {"product": "P", "holding_cost_per_unit_week": 0.5, "late_cost_per_unit_week": 50.0}
            | {"lost_sale_cost_per_unit": 1000.0}
        ],
        "demand": [
            {"demand": f"d{t}", "product": "P", "due": MONDAY + t * WEEK, "units": units}
            for t, units in enumerate(asked)
            if units
        ],
    } | more
    given = {name: in_state_schema(name, pa.Table.from_pylist(own)) for name, own in rows.items()}
    chain = ChainSettings("t", start=MONDAY, horizon_buckets=len(asked), path_count=1)
    return state_of_tables(chain, chain.calendar.midnight(MONDAY), given)


def run(of: State) -> CycleResult:
    return run_cycle(of, nothing_learnt(), (), 0)


def bought(result: CycleResult, product: str = "P") -> dict[int, float]:
    found: dict[int, float] = {}
    for order in result.plan.orders:
        if order.product == product:
            week = (order.start - MONDAY).days // 7
            found[week] = found.get(week, 0.0) + order.units
    return found


def bad(result: CycleResult, product: str = "P") -> dict[int, float]:
    """Week -> units that go bad at its end."""
    rows = [r for r in result.clearing.flow.to_pylist() if r["product"] == product and r["wasted_units"]]
    return {(r["bucket"] - MONDAY).days // 7: r["wasted_units"] for r in rows}


def test_what_goes_first_is_used_first_and_none_after_its_day() -> None:
    """4 until the first Sunday, 6 until the second, 8 that keep; 5 wanted in each of three weeks. 4 + 1, then 5, then 5
    of those that keep: nothing goes bad, and nothing is bought."""
    result = run(state([(0, 4.0), (1, 6.0), (None, 8.0)], 5.0, 5.0, 5.0))
    assert bought(result) == {}
    assert bad(result) == {}
    assert result.clearing.cost["holding"] == pytest.approx(0.5 * (13 + 8 + 3))


def test_what_goes_bad_is_bought_anew_and_told() -> None:
    """20 until the first Sunday, 5 wanted in each of two weeks: 15 go bad, and 5 are bought for the second."""
    result = run(state([(0, 20.0)], 5.0, 5.0))
    assert bad(result) == {0: 15.0}
    assert bought(result) == {1: 5.0}
    told = {term: money for term, money in result.clearing.cost.items() if money}
    assert told == pytest.approx({"purchase": 10})
    assert result.clearing.lower_bound == pytest.approx(10)
    (found,) = (f for f in result.decision.findings if "goes bad" in f.text("en"))
    assert "15 of P in the week of 2026-01-05" in found.text("en")
    assert "过期" in found.text("zh")
    causes = [c for o in result.plan.orders for c in o.causes]
    english, chinese = (" ".join(c.text.text(language) for c in causes) for language in ("en", "zh"))
    assert "15 more in stock go bad before anything takes them, the first after 2026-01-11" in english
    assert "另有库存 15 在被领用前过期" in chinese


def test_good_units_are_not_thrown_away_to_save_their_holding() -> None:
    """10 until the second Sunday, of which nobody wants 7: they lie for a week, and go bad when they do."""
    result = run(state([(1, 10.0)], 3.0, 0.0, 0.0))
    assert bad(result) == {1: 7.0}
    assert result.clearing.cost["holding"] == pytest.approx(0.5 * 7)


def test_what_expires_on_the_last_day_goes_bad_at_its_end() -> None:
    """20 until the second Sunday, 5 wanted in each of two weeks: 10 are left, and go bad. 15 lie for a week, at 0.5."""
    result = run(state([(1, 20.0)], 5.0, 5.0))
    assert (bought(result), bad(result)) == ({}, {1: 10.0})
    assert result.clearing.total_cost == pytest.approx(7.5)


def test_what_expires_within_the_first_bucket_is_no_stock() -> None:
    """Expired on the Saturday: a delivery on that Sunday could not use it."""
    of = state([(None, 2.0)], 5.0)
    late = in_state_schema(
        "stock",
        pa.Table.from_pylist(
            [
                {"product": "P", "happened_at": MONDAY, "units": 9.0, "expires_on": MONDAY + timedelta(days=5)},
                {"product": "P", "happened_at": MONDAY, "units": 2.0, "expires_on": None},
            ]
        ),
    )
    of = state_of_tables(
        of.settings, of.as_of, {n: of.table(n) for n in ("products", "offers", "economics", "demand")} | {"stock": late}
    )
    assert position(of).on_hand_units == {"P": 2.0}
    assert bought(run(of)) == {0: 3.0}
    told = " ".join(f.text("en") for f in position_notices(of, nothing_learnt()))
    assert "P 9 (2026-01-10)" in told


def test_what_went_since_the_count_went_of_what_expires_first() -> None:
    """Counted a day ago: 4 until the first Sunday and 6 until the second; 5 were sold since."""
    counted = MONDAY - timedelta(days=2)
    lots = [
        {"product": "P", "happened_at": counted, "lot": "a", "units": 4.0, "expires_on": MONDAY + timedelta(days=6)},
        {"product": "P", "happened_at": counted, "lot": "b", "units": 6.0, "expires_on": MONDAY + timedelta(days=13)},
    ]
    sold = [{"happened_at": MONDAY - timedelta(hours=6), "product": "P", "units": 5.0, "customer": None}]
    where = position(state([], 5.0, stock=lots, sales=sold))
    assert where.on_hand_units == {"P": 5.0}
    assert where.expiring.lots == {("P", ""): ((MONDAY + timedelta(days=13), 5.0),)}


def test_a_component_goes_bad_in_the_same_way() -> None:
    """Of 12 M until the first Sunday, 5 are used in the first week; the 5 of the second are bought."""
    made = {
        "products": [{"product": "P", "price": 100.0}, {"product": "M", "price": 5.0}],
        "lines": [{"line": "L", "hours_per_week": 5.0}],
        "recipes": [{"recipe": "r", "product": "P", "line": "L", "hours_per_unit": 1.0}],
        "offers": [{"offer": "m", "product": "M", "price": 2.0}],
        "components": [{"product": "P", "component": "M", "units_per_unit": 1.0}],
        "stock": [
            {"product": "M", "happened_at": MONDAY, "units": 12.0, "expires_on": MONDAY + timedelta(days=6)},
        ],
    }
    result = run(state([], 5.0, 5.0, **made))
    assert bought(result, "P") == {0: 5.0, 1: 5.0}
    assert bought(result, "M") == {1: 5.0}
    assert bad(result, "M") == {0: 7.0}


def test_rows_of_one_count_are_told_apart_by_their_day_of_expiry() -> None:
    row = {"happened_at": MONDAY, "site": "F", "product": "P"}
    days = (None, MONDAY, MONDAY + WEEK)
    assert len({keyed_row_id(tables()["stock"], row | {"expires_on": day}) for day in days}) == 3


@pytest.mark.parametrize(
    ("comes", "arrived", "taken", "spoils", "bad"),
    [
        ([10, 0, 0], [0, 0, 0], [2, 2, 2], [4, 6, 6], [2, 0, 0]),
        ([10, 0, 0], [0, 0, 0], [4, 2, 0], [4, 6, 6], [0, 0, 0]),
        # What arrives is used last.
        ([10, 0, 0], [5, 0, 0], [4, 0, 0], [4, 10, 10], [0, 6, 0]),
    ],
)
def test_the_fewest_that_may_go_bad_by_hand(
    comes: list[float], arrived: list[float], taken: list[float], spoils: list[float], bad: list[float]
) -> None:
    given = [np.array(own, dtype=np.float64) for own in (comes, arrived, taken)]
    assert wasted(*given, 3, np.array(spoils, dtype=np.float64)).tolist() == bad


def test_counted_stock_is_told_apart_from_what_goes_bad_by_its_shelf_life() -> None:
    """All 5 counted are used in the first week. The 20 that an order brings in the second keep for a week: 10 of them
    go bad, and none of the stock."""
    more = {
        "products": [{"product": "P", "price": 100.0, "shelf_life_days": 7}],
        "offers": [{"offer": "o", "product": "P", "price": 2.0, "min_order_units": 20.0}],
    }
    result = run(state([(0, 5.0)], 5.0, 10.0, 0.0, 0.0, **more))
    assert bought(result) == {1: 20.0}
    assert bad(result) == {2: 10.0}
    (found,) = (f for f in result.decision.findings if "goes bad" in f.text("en"))
    assert (
        "by its shelf life goes bad before anything takes it, at the latest: 10 of P in the week of 2026-01-19"
        in found.text("en")
    )
    assert "shelf_life_days" in found.text("en")
    (order,) = result.plan.orders
    told = " ".join(c.text.text("en") for c in order.causes)
    assert "in stock go bad" not in told
    assert "of these 10 will have gone bad at the end of the week of 2026-01-19" in told


def test_what_goes_bad_by_its_shelf_life_alone_is_told_in_the_bucket_in_which_it_does() -> None:
    """30 lie there that have no day of their own and keep for two weeks: 10 are taken at once, and 20 go bad at the end
    of the third week, though the plan throws them away at once. Of 5 that keep for six weeks none goes bad by its end.
    """
    keeps = [{"product": "P", "price": 100.0, "shelf_life_days": 14}]
    result = run(state([(None, 30.0)], 10.0, 0.0, 0.0, 0.0, products=keeps))
    (found,) = (f for f in result.decision.findings if f.code == "aged")
    assert "before anything takes it, at the latest: 20 of P in the week of 2026-01-19" in found.text("en")
    assert "P 20（2026-01-19" in found.text("zh")
    assert not run(state([(None, 15.0)], 10.0, 0.0, products=[keeps[0] | {"shelf_life_days": 42}])).decision.findings


@pytest.mark.parametrize(
    ("spoils", "out", "bad", "dated"),
    [
        # All counted is used: what goes bad came later.
        ([5, 5, 5], [5, 2, 0], [0, 0, 8], [0, 0, 0]),
        # 4 of 10 that expire first are left, and go bad; what goes bad later is none of them.
        ([10, 10, 10], [6, 1, 1], [4, 0, 3], [4, 0, 0]),
        # Two lots: the first is used first, the rest of the second goes bad in its week.
        ([4, 6, 6], [5, 0, 0], [0, 1, 7], [0, 1, 0]),
    ],
)
def test_of_what_goes_bad_the_counted_by_hand(
    spoils: list[float], out: list[float], bad: list[float], dated: list[float]
) -> None:
    given = [np.array(own, dtype=np.float64) for own in (spoils, out, bad)]
    assert of_dated(*given).tolist() == dated
