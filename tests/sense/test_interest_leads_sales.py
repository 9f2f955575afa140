"""What runs ahead of sales moves the forecast as far as history earns it, and where nothing does, nothing is moved."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest

from datong.ledger.state import State, state_of_tables
from datong.model.flow import DISMISSED, FloatArray
from datong.model.settings import ChainSettings
from datong.network.finding_decisions import Decision, decision_rows
from datong.sense.signals import sense
from datong.statistics.leads import AHEAD, leads, news_of_counts, news_of_shares

MONDAY = datetime(2023, 1, 2, tzinfo=UTC)
WEEKS, PRODUCTS, LAG = 70, 16, 2


def shocks(rng: np.random.Generator) -> FloatArray:
    """(product, week) what people are taken by, in logs: a few weeks at a time; P00 in the last week, by 1."""
    result = np.zeros((PRODUCTS, WEEKS))
    for row in result:
        for week in rng.integers(0, WEEKS, 4):
            row[week : week + 5] += rng.normal(0, 1)
    result[:, -1] = 0.0
    result[0, -1] = 1.0
    return result


def panel(seed: int, slope: float) -> tuple[FloatArray, FloatArray]:
    """(product, week) units and views: the views follow the shocks at once, the units by `slope` LAG weeks later."""
    rng = np.random.default_rng(seed)
    level, season = np.exp(rng.normal(3.5, 0.5, (PRODUCTS, 1))), 0.4 * np.sin(np.arange(WEEKS) * 2 * np.pi / 52)[None]
    moved = shocks(rng)
    later = np.concatenate([np.zeros((PRODUCTS, LAG)), moved[:, :-LAG]], axis=1)
    drift = np.cumsum(rng.normal(0, 0.04, (PRODUCTS, WEEKS)), axis=1)
    views = rng.poisson(level * 20 * np.exp(moved + season))
    return rng.poisson(level * np.exp(slope * later + season + drift)).astype(float), views.astype(float)


def rows_of(values: FloatArray, column: str, **more: object) -> list[dict]:
    return [
        {"product": f"P{i:02d}", "happened_at": MONDAY + timedelta(weeks=week, days=2), column: value, **more}
        for i, row in enumerate(values)
        for week, value in enumerate(row.tolist())
    ]


def shop(seed: int, slope: float, made: tuple[Decision, ...] = (), **tables: list[dict]) -> State:
    units, views = panel(seed, slope)
    rows = {"products": [{"product": f"P{i:02d}"} for i in range(PRODUCTS)], "sales": rows_of(units, "units")}
    if not tables:
        tables = {"interest": rows_of(views, "count", kind="view")}
    built = {name: pa.Table.from_pylist(own) for name, own in (rows | tables).items()}
    if made:
        told = decision_rows(made)
        built["decisions"] = told.drop_columns([n for n in told.column_names if n.startswith("__")])
    settings = ChainSettings("shop", horizon_buckets=8)
    return state_of_tables(settings, MONDAY + timedelta(weeks=WEEKS), built)


def test_views_that_lead_sales_move_the_forecast_of_the_product_in_which_they_rise() -> None:
    """The views of P00 rise to exp(1) = 2.7 times in the last week; two weeks later 0.4 more is sold in logs."""
    sensed = sense(shop(1, 0.4))
    of_first = [a for a in sensed.adjustments if a.item.product == "P00"]
    weeks = {(a.bucket - sensed.series.horizon_starts[0]).days // 7 + 1 for a in of_first}
    assert weeks
    assert weeks <= {week for first, last in AHEAD for week in range(first, last + 1)}
    assert all(1.1 < a.factor < 1.8 and a.low < a.factor < a.high for a in of_first)
    (signal,) = (s for s in sensed.signals if s.kind == "interest" and s.product == "P00")
    assert signal.evidence_table == "interest"
    assert len(signal.evidence) == 1
    assert {a.signal for a in of_first} == {signal.signal}
    assert "views in the week of" in signal.text.text("en")
    assert "浏览次数" in signal.text.text("zh")
    about = Decision(signal.signal, DISMISSED, "interest", signal.subject, signal.first, signal.last, MONDAY)
    dismissed = sense(shop(1, 0.4, (about,)))
    assert not [a for a in dismissed.adjustments if a.item.product == "P00"]


def test_views_that_lead_nothing_move_nothing() -> None:
    moved = [seed for seed in range(12) if sense(shop(seed, 0.0)).adjustments]
    assert len(moved) <= 1


@pytest.mark.parametrize("slope", [0.0, 0.15, 0.4])
def test_a_lead_is_found_as_often_as_it_is_there(slope: float) -> None:
    """At 5%: where there is none at most one in ten of 24 panels shows one; a strong one is always found."""
    found, slopes = 0, []
    for seed in range(24):
        units, views = panel(seed, slope)
        own = leads(units, news_of_counts(views))
        found += min(lead.p_value for lead in own) * len(own) < 0.05
        slopes.append(own[0].slope)
    assert found <= 2 if slope == 0 else found >= (24 if slope > 0.2 else 10)
    if slope:
        assert 0.4 * slope < np.median(slopes) < 1.2 * slope


def test_bad_reviews_and_returns_are_held_against_sales_by_the_same_rule() -> None:
    """Complaints rise for some weeks; three weeks later less is sold. Stars of 3 and more are none."""
    rng = np.random.default_rng(4)
    units, _ = panel(4, 0.0)
    bad = shocks(rng) > 0.5
    bad[0, -12:-1] = False
    units[:, 3:] = np.where(bad[:, :-3], rng.poisson(units[:, 3:] * 0.6), units[:, 3:])
    reviews = []
    for i in range(PRODUCTS):
        for week in range(WEEKS):
            for n in range(8):
                stars = float(rng.choice([1, 2]) if rng.random() < (0.6 if bad[i, week] else 0.1) else 4 + n % 2)
                day = MONDAY + timedelta(weeks=week, days=3)
                reviews.append(
                    {"product": f"P{i:02d}", "happened_at": day, "rating": stars, "review": f"{i}-{week}-{n}"}
                )
    state = shop(4, 0.0, reviews=reviews, sales=rows_of(units, "units"))
    sensed = sense(state)
    (signal,) = (s for s in sensed.signals if s.kind == "complaints" and s.product == "P00")
    assert signal.effect_share < -0.05
    stars = dict(zip(*(state.table("reviews")[c].to_pylist() for c in ("row_id", "rating")), strict=True))
    assert {stars[row] for row in signal.evidence} <= {1.0, 2.0}
    assert all(a.factor < 1 for a in sensed.adjustments if a.item.product == "P00")


def test_a_row_of_every_market_stands_for_each_and_one_of_another_product_for_none() -> None:
    units, views = panel(1, 0.4)
    sales = [r | {"market": m} for m in ("east", "west") for r in rows_of(units, "units")]
    state = shop(1, 0.4, sales=sales, interest=rows_of(views, "count", kind="cart"))
    moved = {(a.item.product, a.item.market) for a in sense(state).adjustments}
    assert {("P00", "east"), ("P00", "west")} <= moved


@pytest.mark.parametrize(("series", "buckets"), [(0, 0), (1, 1), (3, 7), (2, 40), (12, 12)])
def test_too_little_to_test_earns_nothing(series: int, buckets: int) -> None:
    rng = np.random.default_rng(1)
    units, views = (rng.poisson(20, (series, buckets)).astype(float) for _ in range(2))
    assert leads(units, news_of_counts(views)) == []
    assert leads(units, news_of_shares(views, views + 1, 20.0)) == []


def test_shares_are_drawn_to_the_usual_one_where_there_are_few_cases() -> None:
    """Two of two against a usual one in ten, as by 20 cases more: (2 + 20 x 0.1) / (2 + 20) - 0.1 = 0.0818."""
    hits, of = np.tile(1.0, (1, 12)), np.tile(10.0, (1, 12))
    hits[0, -1], of[0, -1] = 2.0, 2.0
    news = news_of_shares(hits, of, 20.0)
    usual = (8 + 20 * hits.sum() / of.sum()) / (80 + 20)
    assert news[0, -1] == pytest.approx((2 + 20 * usual) / 22 - usual)
    assert news[0, -2] == pytest.approx((1 + 20 * usual) / 30 - usual)
    assert np.isnan(news[0, 0])
