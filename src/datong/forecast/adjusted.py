"""What signals do to drawn paths of demand: the one way in which they move a forecast."""

import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date

import numpy as np

from datong.model.flow import Adjustment, FloatArray, Item

# Distance of the 95% quantile of the normal distribution from its middle, in standard deviations: between this and its
# like below lie nine cases in ten.
NINE_IN_TEN = 1.6449


def by_item(adjustments: Sequence[Adjustment]) -> Mapping[Item, tuple[Adjustment, ...]]:
    found: dict[Item, list[Adjustment]] = defaultdict(list)
    for one in adjustments:
        found[one.item].append(one)
    return {item: tuple(own) for item, own in found.items()}


def adjusted(
    paths: FloatArray, adjustments: Sequence[Adjustment], starts: Sequence[date], seed: int, whole: bool
) -> FloatArray:
    """Paths (path, bucket) of one item times the factors of its adjustments.

    On each path a signal is as right or wrong in one bucket as in the others: with z standard normal, its factor is

        factor + z (high - factor) / NINE_IN_TEN  for z > 0,   factor + z (factor - low) / NINE_IN_TEN  otherwise,

    0 at least: two halves of normal distributions that meet at the middle. Where there is one path alone it is the
    middle. whole: units stay whole, rounded up and down by chance so that their mean is kept.
    """
    result = paths.copy()
    at = {start: t for t, start in enumerate(starts)}
    signals: dict[str, list[Adjustment]] = defaultdict(list)
    for one in adjustments:
        signals[one.signal].append(one)
    single = len(paths) == 1
    for name, own in sorted(signals.items()):
        z = np.zeros(1) if single else _generator(seed, own[0].item, name).standard_normal(len(paths))
        for one in own:
            width = np.where(z > 0, one.high - one.factor, one.factor - one.low) / NINE_IN_TEN
            result[:, at[one.bucket]] *= np.maximum(one.factor + z * width, 0.0)
    touched = sorted({at[one.bucket] for one in adjustments})
    if whole and not single:
        chance = _generator(seed, adjustments[0].item, "").random((len(paths), len(touched)))
        result[:, touched] = np.floor(result[:, touched] + chance)
    return result


def _generator(seed: int, item: Item, signal: str) -> np.random.Generator:
    """Random numbers of an item and a signal, whatever other items and signals there are."""
    digest = hashlib.sha256(f"{item.product}\x1f{item.market}\x1f{signal}\x1fadjusted".encode()).digest()
    return np.random.default_rng([seed, int.from_bytes(digest[:8], "little")])
