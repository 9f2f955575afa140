"""Tests of counts against what they are counted on."""

import numpy as np

from datong.model.flow import FloatArray, IntArray


def rate_rise(recent: IntArray, before: IntArray, recent_base: FloatArray, before_base: FloatArray) -> FloatArray:
    """One-sided p-values that counts per base (returns per unit sold) rose.

    Given their sum, one of two Poisson counts of equal rate is binomial with the share of its base (Przyborowski and
    Wilenski 1940, Biometrika 31).
    """
    from scipy import stats  # takes a second to import, and few chains record returns

    share = recent_base / np.maximum(recent_base + before_base, 1e-12)
    return np.asarray(stats.binom.sf(recent - 1, recent + before, share), np.float64)
