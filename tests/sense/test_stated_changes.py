"""Promotions and a planner's adjustments: signals that move the forecast by one door."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from datong.forecast.paths import forecast
from datong.forecast.paths_times_factors import adjusted
from datong.ledger.state import State, state_of_tables
from datong.model.flow import Adjustment, Item, Subject, nothing_learnt
from datong.model.settings import ChainSettings
from datong.network.notices import notices
from datong.sense.signals import sense

MONDAY = datetime(2024, 1, 1, tzinfo=UTC)
NOW = MONDAY + timedelta(weeks=30)
FIRST = NOW.date()
MARKETS = ("north", "south")


def shop(
    promotions: list[dict] = (), adjustments: list[dict] = (), demand: list[dict] = (), bucket: str = "week"
) -> State:
    """A and B, each sold in two markets, 20 a week about."""
    rng = np.random.default_rng(1)
    sales = [
        {"product": p, "market": m, "units": float(rng.poisson(20)), "happened_at": MONDAY + timedelta(weeks=w, days=2)}
        for p in "AB"
        for m in MARKETS
        for w in range(30)
    ]
    tables = {"products": [{"product": p} for p in "ABC"], "sales": sales}
    tables |= {"promotions": list(promotions), "demand_adjustments": list(adjustments), "demand": list(demand)}
    rows = {name: pa.Table.from_pylist(own) for name, own in tables.items() if own}
    return state_of_tables(ChainSettings("shop", horizon_buckets=6, bucket=bucket), NOW, rows)


def promotion(product: str = "A", change: float = 0.5, **more: object) -> dict:
    row = {"promotion": "P", "product": product, "from": FIRST + timedelta(weeks=1), "to": FIRST + timedelta(weeks=2)}
    return row | {"change_share": change} | more


def means(state: State) -> dict[tuple[str, str], list[float]]:
    made = forecast(sense(state), nothing_learnt(), 400, 0)
    return {(i.product, i.market): made.paths[n].mean(axis=0).tolist() for n, i in enumerate(made.items)}


def test_a_promotion_moves_its_weeks_and_nothing_else() -> None:
    before, after = means(shop()), means(shop([promotion(market="north")]))
    moved = {(item, t) for item in before for t in range(6) if before[item][t] != after[item][t]}
    assert moved == {(("A", "north"), 1)}
    assert after["A", "north"][1] == pytest.approx(1.5 * before["A", "north"][1], rel=0.02)
    both = means(shop([promotion()]))
    assert {item for item in before if both[item] != before[item]} == {("A", "north"), ("A", "south")}


def test_part_of_a_week_counts_by_its_days_and_two_statements_multiply() -> None:
    """3 of 7 days at +70%: 1.3; 20% less by hand besides: 1.3 * 0.8 = 1.04."""
    short = promotion(change=0.7, to=FIRST + timedelta(weeks=1, days=3))
    less = {"adjustment": "1", "product": "A", "from": FIRST, "to": FIRST + timedelta(weeks=6), "change_share": -0.2}
    before, after = means(shop()), means(shop([short], [less]))
    ratio = [b / a for a, b in zip(before["A", "south"], after["A", "south"], strict=True)]
    assert ratio == pytest.approx([0.8, 1.04, 0.8, 0.8, 0.8, 0.8], rel=0.03)


def test_the_statement_is_a_signal_with_its_row_as_evidence() -> None:
    (signal,) = (s for s in sense(shop([promotion(stated_by="Sales", reason="618")])).signals if s.strength is None)
    assert (signal.kind, signal.subject) == ("promotion", Subject("product", "A"))
    assert (signal.evidence_table, signal.evidence) == ("promotions", ("promotions:0",))
    assert signal.text.text("en").startswith("Planned promotion P of A from 2024-08-05 to 2024-08-11: 50% more")
    assert signal.text.text("en").endswith(". Sales: 618")
    assert "预计需求增加 50%" in signal.text.text("zh")
    assert (signal.q_value, signal.first) == (None, FIRST + timedelta(weeks=1))


def test_what_changes_nothing_is_said() -> None:
    wanted = [{"demand": m, "product": "B", "market": m, "due": FIRST, "units": 5.0, "firm": False} for m in MARKETS]
    rows = [promotion("B"), promotion("C", promotion="Q"), promotion("A", promotion="R")]
    rows += [promotion(promotion="S", **{"from": date(2023, 1, 1), "to": date(2023, 1, 8)})]
    told = {n.code: n.text("en") for n in notices(shop(rows, demand=wanted))}
    assert "P (B)" in told["stated_beside_given"]
    assert "Q (C)" in told["stated_for_nobody"]
    assert "S (A)" in told["stated_outside"]
    assert not any("R (A)" in text for text in told.values())
    given = sense(shop(rows, demand=wanted))
    assert {a.item.product for a in given.adjustments} == {"A"}


@given(
    factor=st.floats(0.0, 5.0),
    width=st.tuples(st.floats(0.0, 1.0), st.floats(0.0, 1.0)),
    level=st.floats(0.0, 200.0),
    whole=st.booleans(),
)
def test_adjusted_paths_have_the_stated_middle_and_ends(
    factor: float, width: tuple[float, float], level: float, whole: bool
) -> None:
    """Nine cases in ten between the ends, half on either side of the middle, and never below nothing."""
    low, high = max(factor - width[0], 0.0), factor + width[1]
    base = np.full((4000, 2), float(round(level)) if whole else level)
    one = Adjustment(Item("A", "all"), FIRST, factor, low, high, "s")
    starts = (FIRST, FIRST + timedelta(weeks=1))
    paths = adjusted(base, [one], starts, 0, whole)
    assert (paths[:, 1] == base[:, 1]).all()
    assert (paths >= 0).all()
    if whole:
        assert (paths == np.round(paths)).all()
    slack = 1.0 if whole else 1e-9
    ends = np.array([low, factor, high]) * base[0, 0]
    inside = (paths[:, 0] >= ends[0] - slack) & (paths[:, 0] <= ends[2] + slack)
    assert inside.mean() >= 0.87
    assert ((paths[:, 0] <= ends[1] + slack).mean() >= 0.47) and ((paths[:, 0] >= ends[1] - slack).mean() >= 0.47)
    assert (adjusted(base, [one], starts, 0, whole) == paths).all()
    sure = adjusted(base, [replace(one, low=factor, high=factor)], starts, 0, whole)
    assert sure[:, 0].mean() == pytest.approx(factor * base[0, 0], abs=0.05)
