"""Rolling-origin back-test of one series: how each model would have done, and the weight it gets for it."""

from dataclasses import dataclass

import numpy as np

from datong.forecast.mix_weights import mix_weights
from datong.forecast.models_tried import mean_forecasts, offered
from datong.forecast.unknown_buckets import filled
from datong.model.flow import FloatArray

# A model sees at least this many buckets before its first back-test forecast.
SHORTEST_TRAINING = 6
MOST_WINDOWS = 10
# Back-test forecasts reach this far; what lies beyond follows from the fitted growth of the error.
FURTHEST_BUCKET = 13


@dataclass(frozen=True, eq=False)
class BackTest:
    """names: (model). weights: (model), sum 1. mean: (bucket ahead) weighted forecast from the end of the series.

    errors, means: (window, bucket ahead) actual - forecast and forecast of the weighted mix, NaN where the actual is
    unknown or after the end; a model's weight is the same in them as in the final forecast. starts: (window) buckets of
    the series before each. length: buckets of the series.
    """

    names: tuple[str, ...]
    weights: FloatArray
    mean: FloatArray
    errors: FloatArray
    means: FloatArray
    starts: tuple[int, ...]
    length: int

    @property
    def tested_buckets(self) -> int:
        """Buckets from the first one that was forecast to the end of the series."""
        return self.length - self.starts[0] if self.starts else 0


def origins(length: int) -> tuple[int, ...]:
    """Ends of the training part, evenly spread, the last one a bucket before the end."""
    first, last = min(SHORTEST_TRAINING, max(length - 1, 1)), length - 1
    if last < first:
        return ()
    count = min(MOST_WINDOWS, last - first + 1)
    return tuple(sorted({round(float(o)) for o in np.linspace(first, last, count)}))


def back_test(
    units: FloatArray, buckets: int, starts: tuple[int, ...] | None = None, then: FloatArray | None = None
) -> BackTest:
    """Back-test and forecast of one series (bucket) that starts with a known bucket; NaN where unknown.

    starts: where it is tried, where not at `origins`. then: the series as the back-test is to see it, where not as the
    forecast does.
    """
    series = filled(units)
    names = offered(series)
    reach = min(FURTHEST_BUCKET, max(buckets, 1))
    starts = origins(len(units)) if starts is None else starts
    then = units if then is None else then
    actual = np.full((len(starts), reach), np.nan)
    each = np.zeros((len(names), len(starts), reach))
    for w, start in enumerate(starts):
        part = then[start : start + reach]
        actual[w, : len(part)] = part
        # What fills a censored bucket may only look back, as it would have then.
        each[:, w] = mean_forecasts(names, filled(then[:start]), reach)
    weights = mix_weights(actual - each, series)
    means = np.einsum("m,mwh->wh", weights, each)
    mean = weights @ mean_forecasts(names, series, buckets)
    return BackTest(names, weights, mean, actual - means, means, starts, len(units))
