"""Findings about attributes: up, down, dying and new, with the products and rows that show it; none by chance."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest

from datong.ledger.state import State, state_of_tables
from datong.model.flow import Sensed, Signal
from datong.model.settings import ChainSettings
from datong.sense.attribute_findings import ATTRIBUTE_KINDS
from datong.sense.attribute_shares import attribute_shares
from datong.sense.series import demand_series
from datong.sense.signals import sense

MONDAY = datetime(2024, 1, 1, tzinfo=UTC)
WEEKS = 44
COLOURS = ("black", "white", "red", "green")
PRODUCTS = [f"P{n:02d}" for n in range(24)]


def colour_of(product: str) -> str:
    return COLOURS[int(product[1:]) % 4]


def shop(
    factor: Callable[[str, int], float] = lambda _product, _week: 1.0,
    markets: Sequence[str] = ("all",),
    named: Callable[[str], str] = lambda product: product,
    stated: bool = True,
    seed: int = 1,
) -> State:
    """24 products, 6 of each colour, some 40 a week in each market, times a factor of product and week. stated: the
    table says the colours."""
    rng = np.random.default_rng(seed)
    sales, level = [], {p: 40.0 * np.exp(rng.normal(0, 0.3)) for p in PRODUCTS}
    for week in range(WEEKS):
        for product in PRODUCTS:
            for market in markets:
                units = float(rng.poisson(level[product] * factor(product, week)))
                row = {"product": product, "market": market, "units": units, "row_id": f"{product}-{week}-{market}"}
                if factor(product, week) > 0:
                    sales.append(row | {"happened_at": MONDAY + timedelta(weeks=week)})
    tables = {"products": [{"product": p, "name": named(p)} for p in PRODUCTS], "sales": sales}
    if stated:
        tables["product_attributes"] = [{"product": p, "attribute": "colour", "value": colour_of(p)} for p in PRODUCTS]
    built = {name: pa.Table.from_pylist(rows) for name, rows in tables.items()}
    return state_of_tables(ChainSettings("shop", horizon_buckets=4), MONDAY + timedelta(weeks=WEEKS), built)


def about(sensed: Sensed) -> list[Signal]:
    return [s for s in sensed.signals if s.kind in ATTRIBUTE_KINDS]


def late(colour: str, factor: float, weeks: int = 8) -> Callable[[str, int], float]:
    return lambda product, week: factor if colour_of(product) == colour and week >= WEEKS - weeks else 1.0


def test_a_colour_that_buyers_turn_to_is_found_with_its_products_and_rows() -> None:
    state = shop(late("red", 1.6), named=lambda p: f"Mug {p}")
    sensed = sense(state)
    (up,) = [s for s in about(sensed) if s.effect_share > 0]
    assert (up.kind, up.subject.kind, up.subject.name, up.product) == ("growing", "attribute", "colour=red", "")
    assert up.evidence_table == "sales" and up.q_value is not None and up.q_value <= 0.05
    rows = [row.split("-") for row in up.evidence]
    assert {colour_of(product) for product, *_ in rows} == {"red"}
    assert min(int(week) for _, week, _ in rows) >= WEEKS - 8
    told = dict(up.text.params)
    assert told["low_change"] < up.effect_share < told["high_change"]
    english, chinese = up.text.text("en"), up.text.text("zh")
    assert "colour red is up" in english and "6 products: Mug P" in english
    assert "颜色“red”走强" in chinese and "涉及 6 个产品" in chinese
    # 1.6 of a fourth beside three fourths: 1.6 / 4.6 = 35%.
    (red,) = [one for one in sensed.attributes if one.value == "red"]
    assert red.late_share == pytest.approx(1.6 / 4.6, abs=0.05)
    assert red.products[0] in PRODUCTS and len(red.products) == 6
    assert [one.gain_units for one in sensed.attributes] == sorted(
        (one.gain_units for one in sensed.attributes), reverse=True
    )


def test_a_colour_that_nobody_wants_any_more_is_dying() -> None:
    (found,) = [s for s in about(sense(shop(late("green", 0.3)))) if s.subject.name == "colour=green"]
    assert found.kind == "dying"
    assert found.effect_share < -0.5
    assert "dying out" in found.text.text("en") and "趋于消失" in found.text.text("zh")


def test_where_nothing_moved_nothing_is_said_and_all_values_are_ranked() -> None:
    for seed in range(3):
        sensed = sense(shop(seed=seed))
        assert about(sensed) == []
        assert {one.value for one in sensed.attributes} == set(COLOURS)
        assert all(one.gain_low_share < 0 < one.gain_high_share for one in sensed.attributes)


def test_a_change_that_is_a_trifle_is_not_said() -> None:
    """A tenth more of one colour in four makes 8% more of its share."""
    state = shop(lambda p, w: 100 * late("red", 1.1)(p, w))
    assert about(sense(state)) == []
    assert {s.subject.name for s in about(sense(shop(lambda p, w: 100 * late("red", 1.4)(p, w))))} >= {"colour=red"}


def test_a_new_colour_that_sells_more_than_others_do_is_new() -> None:
    def factor(product: str, week: int) -> float:
        if colour_of(product) != "white":
            return 1.0
        return 4.0 if week >= WEEKS - 6 else 0.0

    (found,) = [s for s in about(sense(shop(factor))) if s.subject.name == "colour=white"]
    assert found.kind == "new_value"
    text = found.text.text("en")
    assert "new" in text and (MONDAY + timedelta(weeks=WEEKS - 6)).date().isoformat() in text
    slow = shop(lambda p, w: factor(p, w) / 8.0 if colour_of(p) == "white" else 1.0)
    assert [s for s in about(sense(slow)) if s.subject.name == "colour=white"] == []


def test_colours_read_from_names_are_found_and_said_to_be() -> None:
    chinese = {"black": "黑色", "white": "白色", "red": "红色", "green": "绿色"}
    state = shop(late("red", 1.6), named=lambda p: f"{chinese[colour_of(p)]}马克杯", stated=False)
    sensed = sense(state)
    (up,) = [s for s in about(sensed) if s.effect_share > 0]
    assert up.subject.name == "colour=红色"
    assert "of 6 the name alone says so" in up.text.text("en") and "6 个仅由品名读出" in up.text.text("zh")
    assert {one.read_names for one in sensed.attributes} == {6}


def test_a_market_without_stock_is_filled_and_one_that_is_not_open_yet_is_none() -> None:
    """Red is out of stock in one of two markets in the last weeks: its share stays a fourth."""
    state = shop(markets=("north", "south"))
    counts = [
        {"product": p, "site": "south", "units": 0.0, "available": False, "happened_at": MONDAY + timedelta(weeks=w)}
        for p in PRODUCTS
        if colour_of(p) == "red"
        for w in range(WEEKS - 6, WEEKS)
    ]
    sales = state.table("sales").to_pylist()
    gone = {(c["product"], c["happened_at"]) for c in counts}
    left = [r for r in sales if r["market"] == "north" or (r["product"], r["happened_at"]) not in gone]
    tables = {
        name: pa.Table.from_pylist(rows)
        for name, rows in {
            "products": state.table("products").to_pylist(),
            "product_attributes": state.table("product_attributes").to_pylist(),
            "sales": left,
            "stock": counts,
        }.items()
    }
    short = state_of_tables(ChainSettings("shop", horizon_buckets=4), state.as_of, tables)
    series = [demand_series(one) for one in (state, short)]
    feasts = np.zeros(len(series[0].bucket_starts), bool)
    shares = [attribute_shares(one, own, feasts) for one, own in zip((state, short), series, strict=True)]
    full, filled = (one.told[0].late for one in shares if one is not None)
    assert filled == pytest.approx(full, abs=0.02)
    assert about(sense(short)) == []


def test_products_that_are_not_offered_any_more_are_no_loss_of_their_colour() -> None:
    """Four of the six red products stop selling altogether five weeks ago: of them no taste is known."""
    gone = [p for p in PRODUCTS if colour_of(p) == "red"][:4]
    sensed = sense(shop(lambda p, w: 0.0 if p in gone and w >= WEEKS - 5 else 1.0))
    assert about(sensed) == []
    (red,) = [one for one in sensed.attributes if one.value == "red"]
    assert not set(red.products) & set(gone)
    assert red.late_share == pytest.approx(red.before_share, abs=0.02)


def test_without_attributes_or_with_a_short_history_there_is_nothing() -> None:
    assert sense(shop(stated=False)).attributes == ()
    state = shop()
    early = state_of_tables(
        ChainSettings("shop", horizon_buckets=4),
        MONDAY + timedelta(weeks=20),
        {
            "products": state.table("products"),
            "product_attributes": state.table("product_attributes"),
            "sales": state.table("sales").slice(0, 20 * len(PRODUCTS)),
        },
    )
    assert sense(early).attributes == ()
