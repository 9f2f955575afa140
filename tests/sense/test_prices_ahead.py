"""Prices and promotions known ahead move the forecast as far as the chain's own past earned it; else they are said."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest

from datong.ledger.state import State, in_state_schema, state_of_tables
from datong.model.flow import DISMISSED, TAKEN, Signal
from datong.model.settings import ChainSettings
from datong.network.finding_decisions import Change, Decision, decision_rows
from datong.sense.signals import sense

MONDAY = datetime(2023, 1, 2, tzinfo=UTC)
WEEKS, PRODUCTS = 104, 16
NOW = MONDAY + timedelta(weeks=WEEKS)
FIRST = NOW.date()
CUT = FIRST + timedelta(weeks=2)


def shop(
    elasticity: float = -2.0,
    uplift: float = 0.0,
    ahead: dict[str, float] | None = None,
    promotions: list[dict] = (),
    by_list: bool = True,
    made: tuple[Decision, ...] = (),
    still: tuple[str, ...] = (),
    in_sales: bool = False,
    **settings: object,
) -> State:
    """Two years of 16 products, some 30 a week at a price of 10 that moves now and then (not of `still`), each with
    four promoted weeks. ahead: prices from CUT on. by_list: prices in `prices`; else only those ahead, and in sales.
    in_sales: past promotions are named by sales alone."""
    rng = np.random.default_rng(5)
    sales, prices, promoted = [], [], []
    for i in range(PRODUCTS):
        name, log_price = f"P{i:02d}", np.zeros(WEEKS)
        for week in np.sort(rng.integers(4, WEEKS - 16, 5)).tolist() if name not in still else ():
            log_price[week:] = rng.choice([-0.2, -0.1, 0.0, 0.1])
        log_price[-15:] = 0.0
        weeks_promoted = rng.integers(4, WEEKS - 16, 4)
        log_rate = np.log(30) + 0.3 * np.sin(np.arange(WEEKS) * 2 * np.pi / 52) + elasticity * log_price
        log_rate[weeks_promoted] += uplift
        price = 10 * np.exp(log_price)
        for week in range(WEEKS):
            for weekday in (0, 6):
                day, units = MONDAY + timedelta(weeks=week, days=weekday), rng.poisson(np.exp(log_rate[week]) / 2)
                promoted_by = f"S{week}" if in_sales and week in weeks_promoted else None
                row = {"product": name, "happened_at": day, "units": float(units), "price": price[week]}
                sales.append(row | {"promotion": promoted_by})
        prices += [
            {"product": name, "price": float(price[w]), "valid_from": (MONDAY + timedelta(weeks=w)).date()}
            for w in range(WEEKS)
            if by_list and (w == 0 or price[w] != price[w - 1])
        ]
        prices += [{"product": name, "price": ahead[name], "valid_from": CUT}] if ahead and name in ahead else []
        promoted += [
            {"promotion": f"S{w}", "product": name, "from": (at := (MONDAY + timedelta(weeks=int(w))).date()),
             "to": at + timedelta(weeks=1), "change_share": None, "price": None, "discount_share": None}
            for w in weeks_promoted if not in_sales
        ]  # fmt: skip
    rows = {"products": [{"product": f"P{i:02d}"} for i in range(PRODUCTS)], "sales": sales, "prices": prices}
    rows["promotions"] = [*promoted, *promotions]
    built = {name: pa.Table.from_pylist(own) for name, own in rows.items() if own}
    if made:
        told = decision_rows(made)
        built["decisions"] = told.drop_columns([n for n in told.column_names if n.startswith("__")])
    return state_of_tables(ChainSettings("shop", horizon_buckets=8, **settings), NOW, built)


def the_signal(state: State, kind: str) -> Signal:
    (signal,) = (s for s in sense(state).signals if s.kind == kind)
    return signal


@pytest.mark.parametrize("by_list", [True, False])
def test_a_price_cut_ahead_moves_its_weeks_by_the_elasticity_of_the_past(by_list: bool) -> None:
    """10 to 8.5 at an elasticity of -2: 0.85 ** -2 = 1.38 times, from the third open week on."""
    state = shop(ahead={"P00": 8.5}, by_list=by_list)
    sensed = sense(state)
    assert {a.item.product for a in sensed.adjustments} == {"P00"}
    assert [a.bucket for a in sensed.adjustments] == [FIRST + timedelta(weeks=w) for w in range(2, 8)]
    for one in sensed.adjustments:
        assert one.factor == pytest.approx(1.38, abs=0.13)
        assert one.low < one.factor < one.high and one.low < 1.38 < one.high
    signal = the_signal(state, "price")
    assert (signal.product, signal.first, signal.evidence_table) == ("P00", CUT, "prices")
    assert {state.tables["prices"]["row_id"].index(row).as_py() for row in signal.evidence} != {-1}
    assert len(signal.evidence) == 1
    english, chinese = signal.text.text("en"), signal.text.text("zh")
    assert "P00 costs 8.50 from 2025-01-13" in english and "of late 10.00 (-15%)" in english
    assert "not proof of a cause" in english and "并非因果证明" in chinese


def test_where_prices_did_nothing_nothing_is_moved_and_that_is_said() -> None:
    state = shop(elasticity=0.0, ahead={"P00": 8.5})
    assert not sense(state).adjustments
    signal = the_signal(state, "price")
    assert signal.q_value is None and signal.effect_share == 0.0
    assert "not known: in the chain's own past it did not forecast demand" in signal.text.text("en")


def test_a_price_that_never_moved_is_not_known() -> None:
    state = shop(ahead={"P00": 8.5}, still=("P00",))
    assert not sense(state).adjustments
    assert "not known: its price has not moved often enough" in the_signal(state, "price").text.text("en")


def test_prices_that_stay_say_nothing() -> None:
    sensed = sense(shop())
    assert not sensed.adjustments
    assert not [s for s in sensed.signals if s.kind in ("price", "uplift")]


def test_a_change_beyond_what_was_seen_counts_as_that_much() -> None:
    state = shop(ahead={"P00": 2.0})
    assert all(a.factor < 2.5 for a in sense(state).adjustments)
    assert "never moved by more than" in the_signal(state, "price").text.text("en")


def test_what_is_dismissed_or_taken_otherwise_moves_nothing_of_its_own() -> None:
    signal = the_signal(shop(ahead={"P00": 8.5}), "price")
    about = Decision(signal.signal, DISMISSED, "price", signal.subject, signal.first, signal.last, NOW)
    assert not sense(shop(ahead={"P00": 8.5}, made=(about,))).adjustments
    change = Change(CUT, CUT + timedelta(weeks=1), 0.6, 0.6, 0.6)
    taken = sense(shop(ahead={"P00": 8.5}, made=(replace(about, state=TAKEN, change=change),)))
    assert [(a.bucket, a.factor) for a in taken.adjustments] == [(CUT, 1.6)]


def promotion(first: date, **more: object) -> dict:
    return {"promotion": "NEW", "product": "P01", "from": first, "to": first + timedelta(weeks=1)} | more


def test_a_promotion_without_a_stated_change_does_what_past_ones_did() -> None:
    """An uplift of exp(0.7) = 2.01; a promotion of half a week of its square root, 1.42."""
    sensed = sense(shop(uplift=0.7, promotions=[promotion(CUT)]))
    (one,) = sensed.adjustments
    assert (one.item.product, one.bucket) == ("P01", CUT)
    assert one.low < 2.01 < one.high and one.factor == pytest.approx(2.01, abs=0.25)
    (signal,) = (s for s in sensed.signals if s.kind == "uplift")
    assert "Promotion NEW of P01" in signal.text.text("en") and "促销 NEW" in signal.text.text("zh")
    assert signal.evidence_table == "promotions" and len(signal.evidence) == 1
    stated = sense(shop(uplift=0.7, promotions=[promotion(CUT, change_share=0.3)]))
    assert [a.factor for a in stated.adjustments] == [1.3]


def test_a_promotion_with_a_price_counts_as_that_price_where_past_ones_say_nothing() -> None:
    """A fifth off at an elasticity of -2: 0.8 ** -2 = 1.56; the same said as a price of 8."""
    for more in ({"discount_share": 0.2}, {"price": 8.0}):
        (one,) = sense(shop(promotions=[promotion(CUT, **more)])).adjustments
        assert one.low < 1.56 < one.high and one.factor == pytest.approx(1.56, abs=0.25)
    state = shop(promotions=[promotion(CUT)])
    assert not sense(state).adjustments
    assert "what it does to demand is not known" in the_signal(state, "uplift").text.text("en")


def test_promotions_that_only_sales_name_are_past_promotions_too() -> None:
    """They last from the first to the last sale that names them: here a Monday and the Sunday after it."""
    (one,) = sense(shop(uplift=0.7, promotions=[promotion(CUT)], in_sales=True)).adjustments
    assert one.low < 2.01 < one.high and one.factor == pytest.approx(2.01, abs=0.25)


def test_a_price_of_one_market_counts_before_that_of_all() -> None:
    rows = [
        {"product": "P00", "market": "all", "price": 10.0, "valid_from": None},
        {"product": "P00", "market": "north", "price": 8.0, "valid_from": CUT},
        {"product": "P00", "market": "north", "price": 9.0, "valid_from": None},
    ]
    sales = [
        {"product": "P00", "market": market, "units": 5.0, "happened_at": MONDAY + timedelta(weeks=w), "price": 9.5}
        for market in ("north", "south")
        for w in range(WEEKS)
    ]
    tables = {"products": [{"product": "P00"}], "sales": sales, "prices": rows}
    built = {name: pa.Table.from_pylist(own) for name, own in tables.items()}
    state = state_of_tables(ChainSettings("shop", horizon_buckets=8), NOW, built)
    signals = [s for s in sense(state).signals if s.kind == "price"]
    assert [(s.subject.market, s.first) for s in signals] == [("north", CUT)]
    assert "costs 8.00" in signals[0].text.text("en") and "of late 9.00" in signals[0].text.text("en")


def test_prices_of_sales_stand_for_the_past_where_the_list_is_new() -> None:
    """Sold at 10 net of what a list writes as 12: from 12 to 10.2 is 15% less, as from 10 to 8.5."""
    state = shop(by_list=False)
    row = {"product": "P00", "price": 12.0, "valid_from": (NOW - timedelta(weeks=12)).date()}
    rows = pa.Table.from_pylist([row, {"product": "P00", "price": 10.2, "valid_from": CUT}])
    one = sense(state.with_tables(prices=in_state_schema("prices", rows))).adjustments
    assert {a.bucket for a in one} == {FIRST + timedelta(weeks=w) for w in range(2, 8)}
    assert all(a.low < 1.38 < a.high and a.factor == pytest.approx(1.38, abs=0.15) for a in one)


def test_orders_due_later_answer_to_the_price_of_their_day() -> None:
    """Due a week after the order: the third open week's price moves the fourth open week's demand."""
    moved = sense(shop(ahead={"P00": 8.5}, promise_days=7)).adjustments
    assert moved[0].bucket == CUT + timedelta(weeks=1)
