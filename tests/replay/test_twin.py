"""A market twin: the same twice, goods and money add up, buyers answer to what there is, a null twin tells nothing."""

from collections import Counter, defaultdict
from dataclasses import replace
from datetime import timedelta
from functools import partial

import numpy as np
import pytest

from datong.balance.solution import Limits
from datong.cycle import decide
from datong.ledger.state import state_of_tables
from datong.replay.twin import parameters as p
from datong.replay.twin.market import TwinOrder
from datong.replay.twin.parameters import NULL, TwinSettings
from datong.replay.twin.play import chain_settings, datong, line_hours, opened, order_up_to, play, seen
from datong.replay.twin.sentences import ASPECTS, FAULT, review, sentences
from datong.sense.signals import sense

SMALL = TwinSettings(products=6, history_weeks=30, visitors=150, seed=3)


def test_the_same_settings_and_orders_give_the_same_market() -> None:
    first, again = (play(SMALL, order_up_to(), 4) for _ in range(2))
    assert first.market.rows == again.market.rows
    assert first.profit == again.profit
    other = play(replace(SMALL, seed=4), order_up_to(), 4)
    assert other.market.rows["sales"] != first.market.rows["sales"]


@pytest.mark.parametrize("fault_week", [None, 5])
def test_goods_and_money_add_up(fault_week: int | None) -> None:
    """Made + back on sale - sold = in stock, by product; sales, production and returns in money by the rows."""
    settings = replace(SMALL, fault_week=fault_week)
    market = opened(settings)
    moved: dict[str, float] = defaultdict(float)
    for row in market.rows["production"]:
        moved[str(row["product"])] += float(str(row["good_units"]))
    for row in market.rows["sales"]:
        moved[str(row["product"])] -= float(str(row["units"]))
    for row in market.rows["returns"]:
        moved[str(row["product"])] += float(str(row["units"])) if row["resaleable"] else 0.0
    for i, name in enumerate(market.truth.names):
        assert moved[name] == pytest.approx(market.stock[i] + market.faulty[i])
        assert min(market.stock[i], market.faulty[i]) >= 0
    game = play(settings, order_up_to(), 5)
    begin = settings.start + timedelta(weeks=settings.history_weeks)
    rows = {
        name: [r for r in game.market.rows[name] if r["happened_at"].date() >= begin] for name in ("sales", "returns")
    }
    money = game.market.money
    assert money["sales"] == pytest.approx(sum(p.PRICE * r["units"] for r in rows["sales"]))
    assert money["returns"] == pytest.approx((p.PRICE + p.RETURN_COST) * sum(r["units"] for r in rows["returns"]))
    assert game.market.week == settings.history_weeks + 5


def test_what_is_not_there_is_not_sold_and_its_buyers_turn_to_the_others() -> None:
    crowded = replace(SMALL, visitors=3000)
    full, short = opened(crowded), opened(crowded)
    best = full.faulty_product
    short.stock[best] = short.faulty[best] = 0.0
    week = full.now
    for market in (full, short):
        market.step()
    sold = [Counter() for _ in range(2)]
    for count, market in zip(sold, (full, short), strict=True):
        for row in market.rows["sales"]:
            if row["happened_at"] >= week:
                count[row["product"]] += row["units"]
    name = full.truth.names[best]
    assert sold[1][name] < sold[0][name] / 5  # what came back that week
    assert sum(sold[1].values()) - sold[1][name] > sum(sold[0].values()) - sold[0][name]
    assert short.money["lost"] > full.money["lost"] == 0


def test_a_bad_lot_comes_back_is_complained_of_and_ends_when_its_cause_is_mended() -> None:
    settings = replace(SMALL, fault_week=20, history_weeks=45)
    market = opened(settings)
    name = market.truth.names[market.faulty_product]
    sold = {"before": 0.0, "after": 0.0}
    back, bad = dict(sold), dict(sold)
    for table, sums in (("sales", sold), ("returns", back), ("reviews", bad)):
        for row in market.rows[table]:
            if row["product"] == name and (table != "reviews" or row["rating"] <= 2):
                when = "after" if (row["happened_at"].date() - settings.start).days >= 7 * 24 else "before"
                sums[when] += row.get("units", 1.0)
    assert back["after"] / sold["after"] > 1.3 * back["before"] / sold["before"]
    assert bad["after"] / sold["after"] > 1.5 * bad["before"] / sold["before"]
    market.mended_week = market.week
    market.step([TwinOrder("new", market.faulty_product, 100.0, market.week, market.week)])
    assert market.faulty[market.faulty_product] <= 200
    texts = [str(r["text"]) for r in market.rows["reviews"] if r["product"] == name and r["rating"] <= 2]
    blamed = [s for language in sentences().values() for s in language[FAULT]["bad"]]
    assert any(s in text for text in texts for s in blamed)


def test_views_and_reviews_say_nothing_in_the_null_twin_and_something_in_the_other() -> None:
    found = {}
    for effects in (p.Effects(), NULL):
        settings = TwinSettings(products=12, history_weeks=70, seed=5, effects=effects)
        market = opened(settings)
        sensed = sense(state_of_tables(chain_settings(settings), market.now, seen(market, [])))
        found[effects] = {s.kind for s in sensed.signals if s.strength is not None} & {"interest", "complaints"}
        assert (not sensed.adjustments) == (effects == NULL)
    assert "interest" in found[p.Effects()]


def test_datong_plays_a_week_and_what_it_cannot_make_waits() -> None:
    game = play(SMALL, datong(SMALL, decides=partial(decide, limits=Limits(most_nodes=0))), 2)
    assert game.orders
    assert game.profit > 0
    hours: dict[int, float] = defaultdict(float)
    for order in game.orders:
        hours[order.start] += order.units * p.HOURS_PER_UNIT + p.SETUP_HOURS
    assert max(hours.values()) <= line_hours(game.market) + 1e-6


def test_reviews_speak_of_what_they_rate() -> None:
    kinds = Counter()
    for draw in range(300):
        glad, faulty = draw % 3 > 0, draw % 2 > 0
        one = review(glad, faulty, draw)
        assert (float(str(one["rating"])) >= 4) == glad
        text = str(one["text"])
        assert text
        own = [
            (lang, a, s)
            for lang, of in sentences().items()
            for a, by in of.items()
            for s in by["good" if glad else "bad"]
        ]
        said = [(lang, a) for lang, a, s in own if s in text]
        assert said
        kinds.update(said)
        if faulty and not glad:
            assert FAULT in {a for _, a in said}
    assert {a for _, a in kinds} == {*ASPECTS, FAULT}
    assert {lang for lang, _ in kinds} == {"zh", "en"}
    assert np.all([len(set(s)) == len(s) for of in sentences().values() for by in of.values() for s in by.values()])
