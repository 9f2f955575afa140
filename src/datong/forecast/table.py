"""A forecast as a table of quantiles, for people and for scoring."""

import numpy as np
import pyarrow as pa

from datong.model.flow import QUANTILES, Forecast

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
    items, _, buckets = forecast.paths.shape
    ordered = np.sort(forecast.paths, axis=1)
    columns: dict[str, object] = {
        "product": np.repeat([i.product for i in forecast.items], buckets).tolist(),
        "market": np.repeat([i.market for i in forecast.items], buckets).tolist(),
        "bucket": list(forecast.bucket_starts) * items,
        "horizon": list(range(buckets)) * items,
        "mean_units": forecast.paths.mean(axis=1).ravel(),
    }
    for name, share in QUANTILES.items():
        columns[name] = np.quantile(ordered, share, axis=1, method="inverted_cdf").ravel()
    columns["method"] = np.repeat(list(forecast.method), buckets).tolist()
    columns["prior"] = np.repeat(forecast.prior, buckets)
    return pa.table(columns, schema=QUANTILE_SCHEMA)
