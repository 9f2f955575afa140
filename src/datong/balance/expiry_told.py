"""Stock with a day of expiry that goes bad in a plan, in words."""

import numpy as np

from datong.balance.arrays import Market
from datong.balance.scarcity import product_of
from datong.balance.stock_limits import LEAST_TOLD, listed
from datong.model.findings import Finding, finding
from datong.model.flow import FloatArray
from datong.model.settings import ChainSettings
from datong.model.words import message, shown


def expiry_told(market: Market, wasted: FloatArray, settings: ChainSettings) -> tuple[Finding, ...]:
    """By product and bucket, half a unit or more that goes bad at its end. wasted: (product, bucket) units."""
    rule, unit = market.rules.shelf_life, settings.calendar.unit
    dated = np.flatnonzero(rule.is_dated).tolist()
    told = [
        message(
            "expiry.bad_one",
            product=product_of(market, market.products.names[p]),
            units=shown(float(wasted[p, t])),
            when=message(f"netting.{unit}", day=market.bucket_starts[t]),
        )
        for p in dated
        for t in np.flatnonzero(wasted[p] >= LEAST_TOLD).tolist()
    ]
    if not told:
        return ()
    return (finding("warning", "expiry.bad", "stock", column="expires_on", count=len(told), names=listed(told)),)
