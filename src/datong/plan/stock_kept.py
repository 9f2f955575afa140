"""What lots leave in stock for the rules of a smallest and a largest stock, product by product.

Where several stock points count together, the market says how much of the target lies at each of them: its share of
their stock at the end of the bucket.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date

import numpy as np

from datong.model.flow import Clearing, FloatArray
from datong.network.facts import ChainFacts
from datong.network.stock_targets import StockTarget


@dataclass(frozen=True, eq=False)
class StockKept:
    """Of one product or stock point."""

    # What its stock is to be, of it alone.
    target: StockTarget
    # (bucket) units below or at its smallest that the market has lie at the end.
    units: FloatArray


def stock_kept(
    targets: Sequence[StockTarget], clearing: Clearing, facts: ChainFacts, starts: Sequence[date]
) -> dict[str, StockKept]:
    """By product, or label of a stock point, of those that have a target; of several the largest smallest stock and
    the smallest largest one."""
    if not targets:
        return {}
    closing = closing_units(clearing, facts, starts)
    found: dict[str, StockTarget] = {}
    for target in targets:
        total = np.sum([closing[p] for p in target.points], axis=0)
        for point in target.points:
            share = np.where(total > 0, closing[point] / np.where(total > 0, total, 1.0), 1.0 / len(target.points))
            is_limited = np.isfinite(target.largest)
            largest = np.where(is_limited, np.where(is_limited, target.largest, 0.0) * share, np.inf)
            own = replace(target, points=(point,), smallest=target.smallest * share, largest=largest)
            own = replace(own, ahead=target.ahead * share)
            found[point] = _both(found[point], own) if point in found else own
    return {p: StockKept(target, np.minimum(target.smallest, closing[p])) for p, target in sorted(found.items())}


def _both(one: StockTarget, other: StockTarget) -> StockTarget:
    return replace(
        one,
        smallest=np.maximum(one.smallest, other.smallest),
        largest=np.minimum(one.largest, other.largest),
        below=np.maximum(one.below, other.below),
        above=np.maximum(one.above, other.above),
        ahead=np.maximum(one.ahead, other.ahead),
        lead_days=max(one.lead_days, other.lead_days),
    )


def closing_units(clearing: Clearing, facts: ChainFacts, starts: Sequence[date]) -> Mapping[str, FloatArray]:
    """(bucket) units that the market has lie at the end of each, by product or label of a stock point."""
    at = {start: t for t, start in enumerate(starts)}
    closing = {p: np.zeros(len(starts)) for p in facts.products}
    columns = [clearing.flow[name].to_pylist() for name in ("product", "site", "bucket", "closing_units")]
    for product, site, bucket, units in zip(*columns, strict=True):
        label = facts.names_by_product[product].get(site or "", product)
        closing[label][at[bucket]] = units
    return closing
