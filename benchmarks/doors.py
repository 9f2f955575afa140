"""The two doors of the balance side by side: seconds of the price method over HiGHS's, and both certified gaps.

    python benchmarks/doors.py [--short]

Random chains of one level (products on two lines each, 26 weeks, lines about 90% used), demand as one path and as 20.
Each figure is the median of three runs of both doors in turn; of the largest chain, of one. It fails where a gap is
wider than half a percent, or where the door of prices is much the slower one at a size at which it is taken.
"""

import sys
import time
from datetime import UTC, date, datetime
from statistics import median

import numpy as np
import pyarrow as pa

from datong.balance.highs import BREAKPOINTS
from datong.balance.solvers import EXACT_UP_TO, balance
from datong.ledger.state import State, state_of_tables
from datong.model.flow import Forecast, Item, nothing_learnt
from datong.model.settings import ChainSettings

WEEKS, RUNS, MOST_GAP, MOST_RATIO = 26, 3, 0.005, 1.5
SHORT = ((50, 1), (50, 20))
LONG = ((100, 1), (1000, 1), (100, 20), (1000, 20), (3000, 20))


def chain(products: int, paths: int, seed: int) -> tuple[State, Forecast]:
    """A random chain and its demand."""
    random = np.random.default_rng(seed)
    names = [f"P{i:05d}" for i in range(products)]
    lines = [f"L{i:04d}" for i in range(max(2, products // 20))]
    mean = np.clip(random.lognormal(3.0, 0.7, products), 3, 200)
    units = random.poisson(mean[:, None, None], (products, paths, WEEKS)).astype(float)
    hours = random.uniform(0.05, 0.25, products)
    line_of = random.integers(0, len(lines), (products, 2))
    load = np.bincount(line_of.ravel(), np.repeat(hours * mean / 2, 2), len(lines))
    recipes = [
        {"recipe": f"{p}/{k}", "product": p, "line": lines[line_of[i, k]], "hours_per_unit": h, "cost_per_unit": c}
        for i, p in enumerate(names)
        for k, (h, c) in enumerate(zip(hours[i] * random.uniform(0.9, 1.1, 2), random.uniform(8, 40, 2), strict=True))
    ]
    tables = {
        "products": [{"product": p, "price": 100.0} for p in names],
        "lines": [{"line": x, "hours_per_week": h / 0.9} for x, h in zip(lines, load, strict=True)],
        "recipes": recipes,
    }
    settings = ChainSettings("doors", horizon_buckets=WEEKS)
    given = {name: pa.Table.from_pylist(rows) for name, rows in tables.items()}
    state = state_of_tables(settings, datetime(2024, 1, 1, tzinfo=UTC), given)
    none = np.zeros(products)
    items = tuple(Item(p, "all") for p in names)
    starts = settings.calendar.starts(date(2024, 1, 1), WEEKS)
    return state, Forecast(items, starts, units, ("SES",) * products, none.astype(np.int64), none.astype(bool))


def main(short: bool) -> int:
    good = True
    for products, paths in SHORT if short else LONG:
        state, demand = chain(products, paths, seed=products + paths)
        seconds: dict[str, list[float]] = {"prices": [], "highs": []}
        gaps = {}
        large = products * WEEKS * min(paths, BREAKPOINTS) > EXACT_UP_TO
        for _ in range(1 if large else RUNS):
            for door in ("prices", "highs"):
                start = time.perf_counter()
                gaps[door] = balance(state, demand, nothing_learnt(), door=door).gap_share  # ty: ignore[invalid-argument-type]
                seconds[door].append(time.perf_counter() - start)
        ratio = median(a / b for a, b in zip(seconds["prices"], seconds["highs"], strict=True))
        sys.stdout.write(
            f"{products:5d} products x {WEEKS} weeks, {paths:2d} paths: seconds of prices over HiGHS {ratio:5.1f};"
            f" gap of prices {gaps['prices']:.3%}, of HiGHS {gaps['highs']:.3%}\n"
        )
        sys.stdout.flush()
        good &= max(gaps.values()) < MOST_GAP and not (large and ratio > MOST_RATIO)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main("--short" in sys.argv[1:]))
