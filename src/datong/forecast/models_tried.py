"""Point forecasts of one series, and which of them a series is offered.

Every model here is level: it expects the same in each bucket ahead (smoothing.py). One core.

What is offered was chosen by rolling origins over weekly SupplyGraph, M5, VN2 and Online Retail: pinball loss of
buckets and of sums over 4, 8 and 13 buckets, as a ratio to the set below. AutoETS and AutoTheta as well: 0.997 to
1.009, at up to 12 times the time. ETS(A,N,N) and Theta as well: 0.98 to 1.004, at up to 8 times. Naive as well: 0.98 to
1.013. Picking the best (loss ** -8) instead of mixing by loss ** -2: 0.99 to 1.04.
benchmarks/forecast.py sets the result against single models.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

import numpy as np

from datong.forecast.smoothing import adida, croston, imapa, ses, tsb
from datong.model.flow import FloatArray

# A series with more than this share of empty buckets is intermittent (mean gap between demands of 4/3 buckets and
# more: the border of Syntetos, Boylan and Croston 2005, JORS 56, is 1.32).
INTERMITTENT_ZERO_SHARE = 0.25


def _window_average(buckets: int) -> Callable[[FloatArray], float]:
    return lambda units: float(np.mean(units[-buckets:]))


# Each gives the expected units of a bucket ahead.
MODELS: Mapping[str, Callable[[FloatArray], float]] = MappingProxyType(
    {
        "SES": ses,
        "WindowAverage4": _window_average(4),
        "WindowAverage8": _window_average(8),
        "WindowAverage26": _window_average(26),
        "CrostonOptimized": croston,
        "TSB": tsb,
        "ADIDA": adida,
        "IMAPA": imapa,
    }
)

_SHORTEST = {"WindowAverage4": 4, "WindowAverage8": 8, "WindowAverage26": 26}
_REGULAR = ("SES", "WindowAverage4", "WindowAverage8", "WindowAverage26")
_INTERMITTENT = ("SES", "WindowAverage8", "WindowAverage26", "CrostonOptimized", "TSB", "ADIDA", "IMAPA")


def is_intermittent(units: FloatArray) -> bool:
    """Whether many of the known buckets are empty."""
    known = units[~np.isnan(units)]
    return len(known) > 0 and float(np.mean(known == 0)) > INTERMITTENT_ZERO_SHARE


def offered(units: FloatArray) -> tuple[str, ...]:
    """Names of the models that a filled series of past units is offered, by its length and share of zeros."""
    intermittent = is_intermittent(units)
    return _INTERMITTENT if intermittent else _REGULAR


def mean_forecasts(names: Sequence[str], units: FloatArray, buckets: int) -> FloatArray:
    """(model, bucket) expected units after the end of a filled series by each model, never below 0.

    A series too short for a model, or without any change, is forecast by its mean.
    """
    mean = float(np.mean(units)) if len(units) else 0.0
    varied = len(units) >= 2 and float(np.max(units)) > float(np.min(units))
    means = np.full(len(names), mean)
    for m, name in enumerate(names):
        if varied and len(units) >= _SHORTEST.get(name, 2):
            expected = MODELS[name](units)
            means[m] = expected if math.isfinite(expected) else mean
    return np.repeat(np.maximum(means, 0.0)[:, None], buckets, axis=1)
