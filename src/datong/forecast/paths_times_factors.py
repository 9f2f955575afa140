"""What signals do to drawn paths of demand: the one way in which they move a forecast."""

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from datetime import date

import numpy as np

from datong.model.flow import NINE_IN_TEN, Adjustment, FloatArray, Forecast, Item, Sensed


def with_adjustments(made: Forecast, sensed: Sensed, whole: Sequence[bool], seed: int) -> Forecast:
    """A forecast moved by `sensed.adjustments`. What is known to be ordered is the least that is asked for, as before.
    whole: (item) whether it is counted in whole units."""
    of_item: dict[Item, list[Adjustment]] = defaultdict(list)
    for one in sensed.adjustments:
        of_item[one.item].append(one)
    if not of_item:
        return made
    paths, unadjusted = made.paths.copy(), {}
    for i, item in enumerate(made.items):
        if item in of_item:
            known = np.nan_to_num(sensed.series.known_ahead_units[i])
            unadjusted[item] = paths[i].mean(axis=0)
            moved = adjusted(paths[i], of_item[item], made.bucket_starts, seed, whole[i])
            paths[i] = np.maximum(moved, known)
    return replace(made, paths=paths, unadjusted=unadjusted)


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
    if whole and single:  # cumulative units rounded: no demand of a slow mover is lost
        result = np.diff(np.round(np.cumsum(result, axis=1)), axis=1, prepend=0.0)
    elif whole:
        chance = _generator(seed, adjustments[0].item, "").random((len(paths), len(touched)))
        result[:, touched] = np.floor(result[:, touched] + chance)
    return result


def _generator(seed: int, item: Item, signal: str) -> np.random.Generator:
    """Random numbers of an item and a signal, whatever other items and signals there are."""
    digest = hashlib.sha256(f"{item.product}\x1f{item.market}\x1f{signal}\x1fadjusted".encode()).digest()
    return np.random.default_rng([seed, int.from_bytes(digest[:8], "little")])
