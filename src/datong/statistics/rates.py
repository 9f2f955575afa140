"""Tests of counts against what they are counted on."""

import numpy as np
from scipy.special import betainc

from datong.model.flow import FloatArray, IntArray


def rate_rise(recent: IntArray, before: IntArray, recent_base: FloatArray, before_base: FloatArray) -> FloatArray:
    """One-sided p-values that counts per base (returns per unit sold) rose.

    Given their sum, one of two Poisson counts of equal rate is binomial with the share of its base (Przyborowski and
    Wilenski 1940, Biometrika 31).
    """
    share = recent_base / np.maximum(recent_base + before_base, 1e-12)
    # P(X >= recent) of a binomial, by the incomplete beta function: scipy.stats takes a second to import.
    p_values = betainc(np.maximum(recent, 1).astype(np.float64), before + 1.0, share)
    return np.where(recent > 0, p_values, 1.0)
