"""How exactly a plan must keep within what there is."""

import numpy as np

from datong.model.flow import FloatArray

# Share of a stock, capacity or limit by which rounding in a solver may miss it.
TOLERANCE = 1e-6


def assert_within(amount: FloatArray, limit: FloatArray, broken: str) -> None:
    """Raises AssertionError, which says what is broken, where an amount is below zero or above its limit."""
    slack = TOLERANCE * np.maximum(np.where(np.isfinite(limit), np.abs(limit), 0.0), 1.0)
    assert (amount >= -TOLERANCE).all() and (amount <= limit + slack).all(), broken
