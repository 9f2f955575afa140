"""Point forecasts of one series from statsforecast, and which of them a series is offered.

Models are called on plain arrays (`model.forecast(y, h)`): the frame interface of statsforecast costs more than these
models do on series of this length. One core.

What is offered was chosen by rolling origins over weekly SupplyGraph, M5, VN2 and Online Retail: pinball loss of
buckets and of sums over 4, 8 and 13 buckets, as a ratio to the set below. AutoETS and AutoTheta as well: 0.997 to
1.009, at up to 12 times the time. ETS(A,N,N) and Theta as well: 0.98 to 1.004, at up to 8 times. Naive as well: 0.98 to
1.013. Picking the best (loss ** -8) instead of mixing by loss ** -2: 0.99 to 1.04.
benchmarks/forecast_choice.py sets the result against single models.
"""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
from statsforecast import models as sf

from datong.model.flow import FloatArray

# A series with more than this share of empty buckets is intermittent (mean gap between demands of 4/3 buckets and
# more: the border of Syntetos, Boylan and Croston 2005, JORS 56, is 1.32).
INTERMITTENT_ZERO_SHARE = 0.25

MODELS: Mapping[str, Callable[[], Any]] = MappingProxyType(
    {
        "SES": sf.SimpleExponentialSmoothingOptimized,
        "WindowAverage4": lambda: sf.WindowAverage(4),
        "WindowAverage8": lambda: sf.WindowAverage(8),
        "WindowAverage26": lambda: sf.WindowAverage(26),
        "CrostonOptimized": sf.CrostonOptimized,
        "TSB": lambda: sf.TSB(alpha_d=0.2, alpha_p=0.2),
        "ADIDA": sf.ADIDA,
        "IMAPA": sf.IMAPA,
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


def mean_forecast(name: str, units: FloatArray, buckets: int) -> FloatArray:
    """(bucket) expected units after the end of a filled series, never below 0.

    A series too short for the model is forecast by its mean.
    """
    if len(units) < max(_SHORTEST.get(name, 2), 2) or float(np.ptp(units)) == 0.0:
        return np.full(buckets, float(np.mean(units)) if len(units) else 0.0)
    mean = np.asarray(MODELS[name]().forecast(y=units, h=buckets)["mean"], dtype=np.float64)
    mean = np.where(np.isfinite(mean), mean, float(np.mean(units)))
    return np.maximum(mean, 0.0)


def mean_forecasts(names: Sequence[str], units: FloatArray, buckets: int) -> FloatArray:
    """(model, bucket) `mean_forecast` of each."""
    return np.stack([mean_forecast(name, units, buckets) for name in names])
