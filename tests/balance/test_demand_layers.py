"""The layers of cumulative demand against the definition of expected cost."""

import numpy as np
import pytest

from datong.model.demand_layers import expected_over_and_short, layer_grid, layer_slopes, with_recourse


def test_sum_of_layer_slopes_is_the_expected_cost():
    """f_t(X) - f_t(0) is the sum of the slopes of the layers up to X, for any whole X up to the largest demand."""
    random = np.random.default_rng(7)
    net = np.cumsum(random.poisson(4.0, (30, 5)), axis=1) - 6.0
    holding, late, lost, salvage = 0.5, 2.0, 9.0, 0.25
    width, chance = layer_grid(net)
    slopes = layer_slopes(chance, holding, late, lost, salvage)

    def cost(supply):
        over, short = expected_over_and_short(np.full(5, supply), net)
        each = holding * over + late * short
        each[-1] += lost * short[-1] - salvage * over[-1]
        return each

    top = np.cumsum(width)
    for units in (0.0, 1.0, 3.0, 7.0, top[-1]):
        covered = np.clip(units - (top - width), 0.0, width)
        assert covered @ slopes == pytest.approx(cost(units) - cost(0.0))


def test_a_single_layer_by_hand():
    """Demand 0 or 2, each as likely: both layers have G = 1/2; slope = 1 - (1 + 3)/2 - 4/2 - 0.5/2 = -3.25."""
    width, chance = layer_grid(np.array([[0.0], [2.0]]))
    assert (width.tolist(), chance.tolist()) == ([2.0], [[0.5]])
    assert layer_slopes(chance, 1.0, 3.0, 4.0, 0.5).tolist() == [[-3.25]]


def test_recourse_leaves_only_the_risk_since_the_plan_could_still_be_changed():
    """Two paths, 0 or 4 in each of three buckets; a response of one bucket. Cumulative 0, 0, 0 and 4, 8, 12.

    Bucket 1: as it is, 0 or 4. Bucket 2: since bucket 1 come 0 or 4, on a mean of 2: 2 or 6. Bucket 3: on 4: 4 or 8.
    """
    paths = np.array([[0.0, 0.0, 0.0], [4.0, 4.0, 4.0]])
    seen = with_recourse(paths, 1)
    assert np.cumsum(seen, axis=1).tolist() == [[0.0, 2.0, 4.0], [4.0, 6.0, 8.0]]
    assert np.cumsum(seen, axis=1).mean(axis=0).tolist() == np.cumsum(paths, axis=1).mean(axis=0).tolist()
    assert np.cumsum(with_recourse(paths, 2), axis=1).tolist() == [[0.0, 0.0, 2.0], [4.0, 8.0, 10.0]]
    assert with_recourse(paths, 3) is paths  # nothing can be changed in time: the plan is fixed now
    assert with_recourse(paths[:1], 1).tolist() == paths[:1].tolist()  # nothing is at risk


def test_recourse_keeps_whole_units_whole():
    """The mean of 0, 0 and 1 is a third: of what came before, one unit counts on a third of the paths, the last."""
    paths = np.array([[0.0, 1.0], [0.0, 2.0], [1.0, 3.0]])
    assert np.cumsum(with_recourse(paths, 1), axis=1)[:, 1].tolist() == [1.0, 2.0, 4.0]


def test_recourse_keeps_the_mean_of_rare_demand():
    """0.03 units a week: rounded to whole units on every path it would be none in a quarter."""
    paths = np.random.default_rng(2).poisson(0.03, (200, 13)).astype(float)
    seen = with_recourse(paths, 2)
    assert (seen % 1 == 0).all()
    assert np.cumsum(seen, axis=1).mean(axis=0) == pytest.approx(np.cumsum(paths, axis=1).mean(axis=0), abs=0.003)
