"""What reading reviews costs as they grow: all of them at once, and one more day.

    python benchmarks/reviews_at_size.py [--short] [--reviews N]

One JSON object a line. A chain of n reviews over a year, put together of our own words (`tools/shipped_voice.toml`),
is taken into a ledger; n, 2n and 4n, each in a process of its own. Of each:

* state_s: the state of its reviews, read from the ledger. first_s: what they blame and praise, nothing kept before.
  complaints_s: which complaints rise, of that. again_s: both with what was kept, and nothing new. day_s: with one more
  day. Seconds of the process.
* read_first, read_again, read_day: reviews that were read anew in each. peak_mb: most memory of the process, and
  rows_mb: the rows of the reviews in it. kept_mb: what is kept of readings.

At the end how each grows: the slope of log against log, 1 where it is in proportion. Ends with 1 where one more day
reads others than its own reviews, where what was kept gives other answers than reading all again, or where the memory
beside the rows grows faster than the reviews. Sizes that do not fit a machine are not guessed at.
"""

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from datong.ledger.columns import day_number
from datong.ledger.protocol import Ledger
from datong.ledger.state import State
from datong.ledger.worked_out import WorkedOut
from datong.model.settings import ChainSettings
from datong.sense import reviews_read
from datong.sense.complaints import sums_by_product
from datong.sense.doubted import _doubted
from datong.sense.reviews_read import ReadReviews, read_reviews
from datong.store.duckdb_ledger import open_ledger

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tools"))
FIRST, DAYS = datetime(2025, 1, 6, tzinfo=UTC), 363
POOL, PER_PRODUCT, RATED, NAMED = 4_000, 200, 0.6, 0.5
SHORT, LONG, TIMES = 5_000, 100_000, (1, 2, 4)
SEED = 16
BATCH = 250_000
# Memory beside the rows may grow with the reviews, and no faster; a slope is told to a hundredth.
MOST_SLOPE = 1.05


def reviews(many: int, first_day: int, days: int, products: int, seed: int) -> pa.Table:
    """So many reviews, in the order of their days, as they come in."""
    from shipped_voice import made_up

    pool, good = made_up(POOL)
    random = np.random.default_rng(seed)
    texts = pa.array(pool)
    side = random.random(many) < 0.8
    sides = [np.flatnonzero(good), np.flatnonzero(~good)]
    picks = [np.where(side, *(random.choice(places, many) for places in sides)) for _ in range(2)]
    text = pc.binary_join_element_wise(*(texts.take(pa.array(pick)) for pick in picks), "，")
    day = first_day + np.sort(random.integers(0, days, many))
    moment = np.datetime64(FIRST.replace(tzinfo=None), "us") + (day * 24 + 9).astype("timedelta64[h]")
    buyer = pc.binary_join_element_wise(
        "~" + "0" * 12, pc.utf8_lpad(pa.array(random.integers(0, 10**9, many)).cast("string"), 12, "0"), ""
    )
    return pa.table(
        {
            "__row__": pa.array(np.arange(2, many + 2)),
            "review": pc.binary_join_element_wise(str(seed), pa.array(np.arange(many)).cast("string"), "-"),
            "happened_at": pa.array(moment, pa.timestamp("us", tz="UTC")),
            "product": pc.binary_join_element_wise(
                "P", pa.array(random.integers(0, products, many)).cast("string"), ""
            ),
            "rating": pa.array(np.where(side, 5.0, 1.0), mask=random.random(many) >= RATED),
            "text": text,
            "customer": pc.if_else(pa.array(random.random(many) < NAMED), buyer, None),
        }
    )


def taken_in(ledger: Ledger, rows: pa.Table) -> None:
    for begin in range(0, rows.num_rows, BATCH):
        part = rows.slice(begin, BATCH)
        ledger.ingest("reviews", part, None, (), f"reviews-{begin}", FIRST + timedelta(days=DAYS + 5), by="bench")


class Counted:
    """How many reviews are read anew."""

    def __init__(self) -> None:
        self.many = 0
        self.way = reviews_read.said_of
        reviews_read.said_of = self

    def __call__(self, texts: Sequence[str], *rest: Any) -> Any:
        self.many += len(texts)
        return self.way(texts, *rest)

    def since(self) -> int:
        many, self.many = self.many, 0
        return many


def heard(state: State, days: int) -> tuple[ReadReviews, np.ndarray, float, float]:
    """What reviews say, by product and aspect, and the seconds of both."""
    _doubted.cache_clear()  # what a process remembers is not known to the next one
    start = time.process_time()
    found = read_reviews(state, day_number(FIRST.date()) + days)
    assert found is not None
    middle = time.process_time()
    sums = sums_by_product(found, found.opinions.blamed, found.weight)
    return found, sums, middle - start, time.process_time() - middle


def measured(many: int) -> dict[str, Any]:
    """One size, in this process."""
    counted, row = Counted(), {"row": "size", "reviews": many}
    products = max(many // PER_PRODUCT, 10)
    with TemporaryDirectory() as folder, open_ledger(Path(folder) / "l.duckdb", ChainSettings("reviews")) as ledger:
        start = time.process_time()
        taken_in(ledger, reviews(many, 0, DAYS, products, SEED))
        row["taken_in_s"] = time.process_time() - start
        start = time.process_time()
        state = ledger.state(FIRST + timedelta(days=DAYS + 1), ("reviews",))
        row["state_s"] = time.process_time() - start
        row["rows_mb"] = state.table("reviews").nbytes / 1e6
        found, _, row["first_s"], row["complaints_s"] = heard(state, DAYS)
        row["read_first"] = counted.since()
        ledger.keep_worked_out(state.worked_out.used)
        kept = ledger.worked_out()
        row["kept_mb"] = sum(len(one.content) for one in kept.values()) / 1e6
        _, _, *both = heard(replace(state, worked_out=WorkedOut(kept)), DAYS)
        row["again_s"], row["read_again"] = sum(both), counted.since()
        del found, state
        one_day = reviews(max(many // DAYS, 1), DAYS, 1, products, SEED + 1)
        taken_in(ledger, one_day)
        start = time.process_time()
        state = ledger.state(FIRST + timedelta(days=DAYS + 2), ("reviews",))
        state = replace(state, worked_out=WorkedOut(ledger.worked_out()))
        row["state_day_s"] = time.process_time() - start
        after, sums, *both = heard(state, DAYS + 1)
        row["day_s"], row["read_day"], row["of_day"] = sum(both), counted.since(), one_day.num_rows
        row["peak_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
        row["learnt_anew"] = row["read_day"] == len(after.row)
        weight = after.weight
        del after
        fresh, other, *_ = heard(replace(state, worked_out=WorkedOut()), DAYS + 1)
        row["same"] = bool(np.array_equal(sums, other) and np.array_equal(weight, fresh.weight))
    return {name: round(value, 2) if isinstance(value, float) else value for name, value in row.items()}


def slopes(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """How each figure grows with the reviews."""
    many = np.log([row["reviews"] for row in rows])
    names = ("state_s", "first_s", "again_s", "day_s", "peak_mb", "kept_mb")
    values = {name: [row[name] for row in rows] for name in names}
    beside = [row["peak_mb"] - row["rows_mb"] for row in rows]
    found = {name: np.polyfit(many, np.log(np.maximum(value, 0.01)), 1)[0] for name, value in values.items()}
    last = rows[-1]
    row = {name: round(float(slope), 2) for name, slope in found.items()}
    row["beside_rows_mb"] = round(float(np.polyfit(many, np.log(beside), 1)[0]), 2)
    return {"row": "slopes", **row, "day_over_first": round(last["day_s"] / last["first_s"], 3)}


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--short", action="store_true", help="few reviews, under a minute")
    parser.add_argument("--reviews", type=int, default=0, help="the smallest of the three sizes")
    parser.add_argument("--one", type=int, default=0, help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.one:
        sys.stdout.write(json.dumps(measured(given.one)) + "\n")
        return 0
    rows, failed = [], False
    for times in TIMES:
        many = times * (given.reviews or (SHORT if given.short else LONG))
        done = subprocess.run(
            [sys.executable, __file__, "--one", str(many)], capture_output=True, text=True, check=True
        )
        sys.stdout.write(done.stdout)
        sys.stdout.flush()
        rows.append(row := json.loads(done.stdout))
        wrong = row["read_day"] != row["of_day"] and not row["learnt_anew"]
        failed |= wrong or row["read_again"] != 0 or not row["same"]
    sys.stdout.write(json.dumps(last := slopes(rows)) + "\n")
    return int(failed or last["beside_rows_mb"] > MOST_SLOPE)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
