"""A forecast as a table of quantiles, for people and for scoring."""

import numpy as np
import pyarrow as pa

from datong.model.demand_layers import quantile_index
from datong.model.flow import QUANTILES, Forecast

# Items whose paths are sorted at a time: sorting makes a copy of them.
ITEMS_AT_A_TIME = 1000

QUANTILE_SCHEMA = pa.schema(
    [
        ("product", pa.string()),
        ("market", pa.string()),
        ("bucket", pa.date32()),
        ("horizon", pa.int64()),
        ("mean_units", pa.float64()),
        *((name, pa.float64()) for name in QUANTILES),
        ("method", pa.string()),
        ("prior", pa.bool_()),
    ]
)


def quantile_table(forecast: Forecast) -> pa.Table:
    """One row per item and open bucket, in the order of the forecast's items. horizon counts buckets from 0.

    Quantiles are observed path values (no interpolation), so whole histories have whole quantiles.
    """
    items, path_count, buckets = forecast.paths.shape
    at = [quantile_index(share, path_count) for share in QUANTILES.values()]
    quantiles = np.empty((len(at), items, buckets))
    for first in range(0, items, ITEMS_AT_A_TIME):
        some = slice(first, first + ITEMS_AT_A_TIME)
        quantiles[:, some] = np.sort(forecast.paths[some], axis=1)[:, at].swapaxes(0, 1)
    item, bucket = (pa.array(at) for at in np.indices((items, buckets)).reshape(2, -1))
    columns: dict[str, object] = {
        "product": pa.array([i.product for i in forecast.items], pa.string()).take(item),
        "market": pa.array([i.market for i in forecast.items], pa.string()).take(item),
        "bucket": pa.array(list(forecast.bucket_starts), pa.date32()).take(bucket),
        "horizon": bucket,
        "mean_units": forecast.paths.mean(axis=1).ravel(),
    }
    for name, values in zip(QUANTILES, quantiles, strict=True):
        columns[name] = values.ravel()
    columns["method"] = pa.array(list(forecast.method), pa.string()).take(item)
    columns["prior"] = np.repeat(forecast.prior, buckets)
    return pa.table(columns, schema=QUANTILE_SCHEMA)
