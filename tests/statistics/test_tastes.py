"""Tastes for attributes out of sales: what is planted is found; empty shelves, new and single products are none."""

import numpy as np
import pytest

from datong.model.flow import FloatArray
from datong.statistics.taste_changes import changes
from datong.statistics.taste_leads import of_counts, taste_leads
from datong.statistics.tastes import EFFECT, WEEKS, Panel, outlook, tastes, weekly_effects

PRODUCTS, COUNT = 24, 4
LATE_AND_BEFORE = (slice(-6, None), slice(-12, -6))


def panel(
    seed: int, taste: FloatArray | None = None, weeks: int = 60, own: FloatArray | None = None, noise: float = 0.05
) -> Panel:
    """24 products, 6 of each of 4 colours and 12 of each of 2 shapes, some 60 a week. taste: (week, colour), own:
    (product, week), in logarithms."""
    rng = np.random.default_rng(seed)
    colour, shape = np.arange(PRODUCTS) % COUNT, (np.arange(PRODUCTS) // COUNT) % 2
    level = 4.0 + rng.normal(0, 0.4, PRODUCTS)[:, None] + 0.3 * np.sin(2 * np.pi * np.arange(weeks) / 52)
    level = level + (0.0 if taste is None else taste[:, colour].T) + (0.0 if own is None else own)
    units = rng.poisson(np.exp(level + rng.normal(0, noise, level.shape))).astype(float)
    return Panel(units, (colour, shape), (COUNT, 2), np.ones(PRODUCTS, bool))


def rising(weeks: int = 60, colour: int = 1, rise: float = 0.4, of_late: int = WEEKS) -> FloatArray:
    """A colour that buyers like better by and by in the last weeks."""
    taste = np.zeros((weeks, COUNT))
    taste[-of_late:, colour] = rise
    return taste


def test_a_planted_taste_is_found_with_its_share() -> None:
    """Share of colour 1 among four before: its worth over that of all; after: that times e^0.4, over the new whole."""
    one = panel(1, rising())
    found = tastes(one)
    told = outlook(one, found)[0]
    worth = np.exp(found.worth)
    before = worth[one.values[0] == 1].sum() / worth.sum()
    late = before * np.exp(0.4) / (1 - before + before * np.exp(0.4))
    assert told.late[1] == pytest.approx(late, abs=0.03)
    assert told.before[1] == pytest.approx(before, abs=0.03)
    for part in (told.before, told.late, told.expected):
        assert part.sum() == pytest.approx(1.0)
    assert told.gain.sum() == pytest.approx(0.0, abs=1e-9)
    assert np.all((told.low <= told.expected) & (told.expected <= told.high))
    tested = changes(one, found)[0]
    assert tested.p_value[1] < 1e-4
    assert tested.low[1] < 0.4 < tested.high[1]


def test_an_empty_shelf_and_a_new_product_are_no_taste() -> None:
    """Of the six products of colour 1 three are out of stock in the last six weeks; of colour 2 three are new."""
    still = panel(2)
    units = still.units.copy()
    units[[1, 5, 9], -6:] = np.nan
    units[[2, 6, 10], :-6] = np.nan
    one = Panel(units, still.values, still.counts, still.on_sale)
    found = tastes(one)
    told, full = outlook(one, found)[0], outlook(still, tastes(still))[0]
    assert told.late == pytest.approx(full.late, abs=0.02)
    assert told.gain == pytest.approx(np.zeros(COUNT), abs=0.01)
    assert changes(one, found)[0].p_value.min() > 0.01
    # Units alone say otherwise: colour 1 loses, and colour 2 gains, a third and more.
    late, before = (np.array([np.nansum(units[one.values[0] == c, span]) for c in (1, 2)]) for span in LATE_AND_BEFORE)
    assert late[0] < 0.75 * before[0] and late[1] > 1.5 * before[1]


def test_one_product_that_sells_better_is_no_news_of_its_colour() -> None:
    own = np.zeros((PRODUCTS, 60))
    own[1, -WEEKS:] = 1.2
    one = panel(3, own=own)
    assert changes(one, tastes(one))[0].p_value[1] > 0.05
    every = np.zeros((PRODUCTS, 60))
    every[[1, 5, 9, 13, 17, 21], -WEEKS:] = 0.3
    all_of_it = panel(3, own=every)
    assert changes(all_of_it, tastes(all_of_it))[0].p_value[1] < 0.001


@pytest.mark.parametrize("noise", [0.0, 0.3])
def test_where_nothing_changed_the_test_is_no_more_often_sure_than_it_says(noise: float) -> None:
    """25 panels, in which products wander by themselves, too. At 0.05 at most 11% of 100 values: 5% and some three
    standard errors."""
    p_values = []
    for seed in range(25):
        rng = np.random.default_rng(1000 + seed)
        own = np.cumsum(rng.normal(0, noise / 10, (PRODUCTS, 60)), axis=1)
        one = panel(seed, own=own, noise=noise)
        p_values.append(changes(one, tastes(one))[0].p_value)
    share = np.mean(np.concatenate(p_values) < 0.05)
    assert share <= 0.11


def test_a_season_that_was_there_last_year_is_no_news() -> None:
    weeks = 84
    season = rising(weeks)
    season[weeks - 52 - WEEKS : weeks - 52, 1] = 0.4
    yearly, new = panel(4, season, weeks), panel(4, rising(weeks), weeks)
    assert changes(yearly, tastes(yearly))[0].p_value[1] > 0.05
    assert changes(new, tastes(new))[0].p_value[1] < 0.001


def test_too_short_a_history_is_not_tested() -> None:
    one = panel(5, weeks=20)
    found = changes(one, tastes(one))[0]
    assert np.isnan(found.change).all()
    assert found.p_value.tolist() == [1.0] * COUNT


def test_effects_of_a_week_are_those_of_a_ridge() -> None:
    """Against the same written out: weighted least squares with a constant, effects with a normal prior."""
    one, rng = panel(6), np.random.default_rng(7)
    left, weight = rng.normal(size=one.units.shape), rng.uniform(0.5, 2, one.units.shape)
    x = np.concatenate([one.values[0][:, None] == np.arange(COUNT), one.values[1][:, None] == np.arange(2)], axis=1)
    x = np.column_stack([np.ones(PRODUCTS), x])
    prior = np.diag([0.0] + [1 / EFFECT**2] * (COUNT + 2))
    expected = np.linalg.solve(x.T @ (weight[:, :1] * x) + prior, x.T @ (weight[:, 0] * left[:, 0]))
    assert weekly_effects(one, left, weight)[0] == pytest.approx(expected[1:])


def test_interest_counts_only_where_it_ran_ahead() -> None:
    """Tastes wander; views of one panel see them three weeks before, those of the other see another walk."""
    weeks, rng = 80, np.random.default_rng(8)
    taste, other = (np.zeros((weeks + 3, COUNT)) for _ in range(2))
    for t in range(1, weeks + 3):
        taste[t], other[t] = (0.9 * walk[t - 1] + rng.normal(0, 0.12, COUNT) for walk in (taste, other))
    one = panel(9, taste[:weeks], weeks)
    found = tastes(one)
    p_values = []
    for walk in (taste, other):
        views = rng.poisson(np.exp(5.0 + walk[3:, one.values[0]].T)).astype(float)
        (lead,) = taste_leads(one, found, [of_counts("view", views, np.ones(views.shape, bool))])
        p_values.append(lead.p_value)
    assert p_values[0] < 0.001
    assert p_values[1] > 0.05
