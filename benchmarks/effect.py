"""Do intervals of effects hold what was planted? On the weekly sales of market twins (src/datong/replay/twin).

    python benchmarks/effect.py [--short] [--seeds N]

Every product of a twin is treated once: in a week its sales change by a known share (0, 20%, -20% or 50%) for the last
LATE weeks. Which week draws attention: none (a random cut), or the one before which the product stood out most (picked
by its spike: what falls back by itself must not be told as an effect). One JSON line by case: share of 90% intervals
that hold the planted effect, their median width, and the same of before against after alone (Welch's interval), which
knows of no season and no spike.

The short form (6 seeds) and the long one (30) fail where an interval of all cases holds in fewer than 80 of 100 (short)
or 85 of 100 (long).
"""

import argparse
import json
import sys
import time

import numpy as np

from datong.model.flow import FloatArray
from datong.replay.twin.parameters import TwinSettings
from datong.replay.twin.play import opened
from datong.statistics.synthetic_control import effect

FIRST_SEED, PRODUCTS, WEEKS = 2000, 15, 70
LATE, WINDOW, EARLIEST = 8, 3, 30
SHARES = (0.0, 0.2, -0.2, 0.5)
NINE_IN_TEN = 1.6449


def weekly_sales(seed: int) -> FloatArray:
    """(product, week) units of a twin."""
    market = opened(TwinSettings(products=PRODUCTS, history_weeks=WEEKS, seed=seed))
    place = {name: i for i, name in enumerate(market.truth.names)}
    units = np.zeros((PRODUCTS, WEEKS))
    for row in market.rows["sales"]:
        week = (row["happened_at"].date() - market.settings.start).days // 7
        units[place[str(row["product"])], week] += float(str(row["units"]))
    return units


def spiked_cut(own: FloatArray) -> int:
    """The week before which the product stood out most, over WINDOW weeks."""
    cuts = range(EARLIEST, WEEKS - LATE + 1)
    return max(cuts, key=lambda t: own[t - WINDOW : t].mean() / max(own[: t - WINDOW].mean(), 1e-9))


def before_after(own: FloatArray, after: int, end: int) -> tuple[float, float]:
    """90% interval of late against before, as a share of before, as if weeks were independent."""
    before, late = own[:after], own[after:end]
    error = np.sqrt(before.var(ddof=1) / len(before) + late.var(ddof=1) / len(late))
    change = late.mean() - before.mean()
    return (change - NINE_IN_TEN * error) / before.mean(), (change + NINE_IN_TEN * error) / before.mean()


def cases(seed: int) -> list[tuple[str, bool, float, bool, float]]:
    """Name, whether it holds, width; the same of before against after."""
    units, rng, found = weekly_sales(seed), np.random.default_rng([seed, 9]), []
    for i in range(PRODUCTS):
        spiked = i % 2 == 1
        share = SHARES[(i // 2) % len(SHARES)]
        own, like = units[i].copy(), np.delete(units, i, axis=0)
        after = spiked_cut(own) if spiked else int(rng.integers(EARLIEST, WEEKS - LATE + 1))
        begin, end = after - (WINDOW if spiked else 0), after + LATE
        planted = own[after:end] * share
        own[after:end] += planted
        told = effect(own[:end], like[:, :end], begin, after)
        if told is None:
            continue
        truth = planted.mean() / told.level
        naive = before_after(own, after, end)
        of_before = planted.mean() / own[:after].mean()
        held, widths = told.low <= truth <= told.high, (told.high - told.low, naive[1] - naive[0])
        name = ("spiked" if spiked else "plain") + (", none" if share == 0 else ", planted")
        found.append((name, bool(held), float(widths[0]), bool(naive[0] <= of_before <= naive[1]), float(widths[1])))
    return found


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--short", action="store_true")
    parser.add_argument("--seeds", type=int)
    options = parser.parse_args()
    seeds = options.seeds or (6 if options.short else 30)
    begun = time.perf_counter()
    found = [case for seed in range(FIRST_SEED, FIRST_SEED + seeds) for case in cases(seed)]
    for name in (*sorted({case[0] for case in found}), "all"):
        own = [case for case in found if name in (case[0], "all")]
        told = {
            "case": name,
            "cases": len(own),
            "holds": round(float(np.mean([c[1] for c in own])), 3),
            "width": round(float(np.median([c[2] for c in own])), 3),
            "before_after_holds": round(float(np.mean([c[3] for c in own])), 3),
            "before_after_width": round(float(np.median([c[4] for c in own])), 3),
        }
        sys.stdout.write(json.dumps(told) + "\n")
    sys.stdout.write(f"{time.perf_counter() - begun:.1f} s\n")
    holds = float(np.mean([c[1] for c in found]))
    least = 0.8 if options.short else 0.85
    if holds < least:
        sys.stdout.write(f"missed: {holds:.3f} of {least}\n")
    return int(holds < least)


if __name__ == "__main__":
    sys.exit(main())
