"""The second verb: series into possible futures.

`fit` looks at each item by itself, `share` at all fits together, and `draw` again at each item by itself. In a chain
with enough items one model more, of all items together, joins the mix (pooled.py, pooled_beside_own.py), and one of
launches moves the prior of those with hardly any history (pooled_launches.py); how all that was sold went on from a
like beginning tells of those that have just begun (just_launched.py). What signals say of the weeks ahead comes last
(paths_times_factors.py).

Parts of a chain can be worked on apart: the fits of parts, in the order of the items, are those of the whole, and so
are the paths, byte for byte.
"""

import numpy as np

from datong.forecast.across_items import Shared, share
from datong.forecast.draw import draw
from datong.forecast.fit import Pooling, Seen, fit, see
from datong.forecast.paths_times_factors import with_adjustments
from datong.model.flow import FloatArray, Forecast, Learnt, Sensed


def forecast(sensed: Sensed, learnt: Learnt, path_count: int, seed: int, pooling: Pooling = "auto") -> Forecast:
    """Paths of demand over the open buckets of every item.

    What cycles before taught is applied: `learnt.forecast_ratio` to an item's mean, `learnt.spread_ratio` to the
    distance of its paths from their mean; then `sensed.adjustments` (paths_times_factors.py). Given demand stays as
    given; where all of it is given, one path tells it. One path alone is the mean, in whole units where the history is
    whole, or the orders that are known where they are more. Same inputs and seed, same bytes; an item's random numbers
    depend only on the seed and on itself.

    pooling: "auto" uses the pooled model where LightGBM is installed (pip install 'datong[ml]') and the chain is large
    enough for it.
    """
    seen = see(sensed, pooling)
    items = range(len(seen.series.items))
    shared = share(seen, fit(seen, items))
    made = joined(seen, shared, draw(seen, shared, learnt, items, seen.path_count(path_count), seed))
    return with_adjustments(made, sensed, [fitted.whole for fitted in shared.fits], seed)


def joined(seen: Seen, shared: Shared, paths: FloatArray) -> Forecast:
    """The Forecast of paths (item, path, bucket) of all items."""
    fits = shared.fits
    return Forecast(
        items=seen.series.items,
        bucket_starts=seen.series.horizon_starts,
        paths=paths,
        method=tuple(f.method for f in fits),
        backtest_windows=np.array([0 if f.test is None else len(f.test.errors) for f in fits], dtype=np.int64),
        prior=np.array([f.test is None and f.method != "given" for f in fits], dtype=bool),
    )
