"""What reading reviews, and lines of sales, costs as they grow: all of them at once, and one more day of reviews.

    python benchmarks/reviews_at_size.py [--short] [--reviews N]

One JSON object a line. A chain of n reviews over a year, put together of our own words (`tools/shipped_voice.toml`),
is taken into a ledger; n, 2n and 4n, each in a process of its own. Of each:

* state_s: the state of its reviews, read from the ledger. first_s: what they blame and praise, nothing kept before.
  complaints_s: which complaints rise, of that. again_s: both with what was kept, and nothing new. day_s: with one more
  day. Seconds of the process.
* read_first, read_again, read_day: reviews that were read anew in each. first_mb, again_mb: the most memory that each
  takes beside what was there before. rows_mb: the rows of the reviews. kept_mb: what is kept of readings.

Then ten times as many lines of sales, of 100 products over two years, taken into a ledger too. state_s, state_mb: the
state, read from the ledger, and the most memory meanwhile, of the database above all, which has a limit. series_s: the
series of demand. level_s: changes of their level, which are watched over the series. run_s, run_mb: a whole run of the
cycle, and the most memory meanwhile. rows_mb: the rows, which lie in a file.

Memory is a process's own: pages of files, of which the system lets go, are not counted. A table is read in parts
(ledger/large_tables.py); with --short the parts are small, so that few rows are many parts.

At the end how each grows: the slope of log against log, 1 where it is in proportion; bytes_a_review and bytes_a_line:
what memory grows by from the smallest size to the largest, of reviews from the second, since up to 200,000 of them are
held against one another for fakes. Ends with 1 where one more day reads others than its own
reviews, where what was kept gives other answers than reading all again, where memory grows by more than the bars
(MOST_BYTES_A_REVIEW, not with --short, where a few MB decide; MOST_BYTES_A_LINE), or where a state takes more than
MOST_STATE_MB to read. Sizes that do not fit a machine are not guessed at.
"""

import argparse
import json
import resource
import subprocess
import sys
import threading
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

from datong.ledger import large_tables
from datong.ledger.columns import day_number
from datong.ledger.kept_results import WorkedOut
from datong.ledger.protocol import Ledger
from datong.ledger.state import State
from datong.model.settings import ChainSettings
from datong.questions.run import RunAsked
from datong.sense import blame_and_praise
from datong.sense.blame_and_praise import ReadReviews, read_reviews
from datong.sense.complaints import sums_by_product
from datong.sense.level_changes import level_changes
from datong.sense.series import demand_series
from datong.sense.which_reviews_count import _doubted
from datong.store.duckdb_ledger import open_ledger

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tools"))
FIRST, DAYS = datetime(2025, 1, 6, tzinfo=UTC), 363
POOL, PER_PRODUCT, RATED, NAMED = 4_000, 200, 0.6, 0.5
SHORT, LONG, TIMES = 5_000, 100_000, (1, 2, 4)
SEED = 16
BATCH = 250_000
LINES_A_REVIEW, SALES_PRODUCTS, SALES_DAYS, WEEK_DAYS = 10, 100, 728, 7
# Of figures whose logarithm is taken.
LEAST = 0.01
SALES_SHORT, SHORT_PART = 250_000, 50_000
SALES_PATHS = 50
STATUS, LOOK_S = Path("/proc/self/status"), 0.004
# What memory may grow by with each review of the year, and with each line of sales: a review and what is said of it
# take some 250 bytes as rows, a line 120. To read a state the database has 768 MB.
MOST_BYTES_A_REVIEW, MOST_BYTES_A_LINE, MOST_STATE_MB = 450, 60, 1_500


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
        self.way = blame_and_praise.said_of
        blame_and_praise.said_of = self

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
        with Watched() as first:
            found, _, row["first_s"], row["complaints_s"] = heard(state, DAYS)
        row["first_mb"] = first.most_mb - first.before_mb
        row["read_first"] = counted.since()
        ledger.keep_worked_out(state.worked_out.used)
        kept = ledger.worked_out()
        row["kept_mb"] = sum(len(one.content) for one in kept.values()) / 1e6
        del found
        with Watched() as again:
            _, _, *both = heard(replace(state, worked_out=WorkedOut(kept)), DAYS)
        row["again_mb"] = again.most_mb - again.before_mb
        row["again_s"], row["read_again"] = sum(both), counted.since()
        del state
        one_day = reviews(max(many // DAYS, 1), DAYS, 1, products, SEED + 1)
        taken_in(ledger, one_day)
        start = time.process_time()
        state = ledger.state(FIRST + timedelta(days=DAYS + 2), ("reviews",))
        state = replace(state, worked_out=WorkedOut(ledger.worked_out()))
        row["state_day_s"] = time.process_time() - start
        after, sums, *both = heard(state, DAYS + 1)
        row["day_s"], row["read_day"], row["of_day"] = sum(both), counted.since(), one_day.num_rows
        row["learnt_anew"] = row["read_day"] == len(after.row)
        weight = after.weight
        del after
        fresh, other, *_ = heard(replace(state, worked_out=WorkedOut()), DAYS + 1)
        row["same"] = bool(np.array_equal(sums, other) and np.array_equal(weight, fresh.weight))
    return {name: round(value, 2) if isinstance(value, float) else value for name, value in row.items()}


def lines_sold(begin: int, many: int) -> pa.Table:
    """So many lines of sales over all days, as they come in, numbered from `begin` on."""
    random = np.random.default_rng([SEED, begin])
    day = np.sort(random.integers(0, SALES_DAYS, many))
    moment = np.datetime64(FIRST.replace(tzinfo=None), "us") + (day * 24 + 9).astype("timedelta64[h]")
    number = np.arange(begin, begin + many)
    key = pc.binary_join_element_wise("S", pc.utf8_lpad(pa.array(number).cast("string"), 12, "0"), "")
    product = pa.array([f"P{k}" for k in range(SALES_PRODUCTS)]).take(
        pa.array(random.integers(0, SALES_PRODUCTS, many))
    )
    rows = {"__row__": number + 2, "sale": key, "happened_at": pa.array(moment, pa.timestamp("us", tz="UTC"))}
    return pa.table(
        rows | {"product": product, "units": random.integers(1, 4, many) * 1.0, "price": np.full(many, 10.0)}
    )


def measured_sales(many: int) -> dict[str, Any]:
    """One size of sales, in this process."""
    now = FIRST + timedelta(days=SALES_DAYS)
    settings = ChainSettings("sales", path_count=SALES_PATHS)
    products = pa.table({"__row__": np.arange(SALES_PRODUCTS), "product": [f"P{k}" for k in range(SALES_PRODUCTS)]})
    figures: dict[str, Any] = {}
    with TemporaryDirectory() as folder, open_ledger(Path(folder) / "l.duckdb", settings) as ledger:
        ledger.ingest("products", products, None, (), "products", FIRST, by="bench")
        start = time.process_time()
        for begin in range(0, many, BATCH):
            rows = lines_sold(begin, min(BATCH, many - begin))
            ledger.ingest("sales", rows, None, (), f"sales-{begin}", now, by="bench")
        figures["taken_in_s"] = time.process_time() - start
        start = time.process_time()
        with Watched() as reading:
            state = ledger.state(now)
        figures["state_s"], figures["state_mb"] = time.process_time() - start, reading.most_mb
    start = time.process_time()
    series = demand_series(state)
    middle = time.process_time()
    measured = np.zeros(series.units.shape, bool)
    level_changes(series, np.zeros(len(series.bucket_starts), bool), WEEK_DAYS, np.ones(len(series.items)), measured)
    figures |= {"series_s": middle - start, "level_s": time.process_time() - middle}
    start = time.process_time()
    with Watched() as running:
        RunAsked(state, (), None, SEED).answer()
    figures |= {"run_s": time.process_time() - start, "run_mb": running.most_mb}
    figures["rows_mb"] = state.table("sales").nbytes / 1e6
    return {"row": "sales", "lines": many, **{name: round(value, 2) for name, value in figures.items()}}


class Watched:
    """The most memory of its own, in MB, that this process has while it lasts: pages of files, of which the system lets
    go, are not counted. Where the system does not tell, all that it ever had. before_mb: as it began."""

    def __init__(self) -> None:
        self.before_mb = self.most_mb = own_mb()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def _watch(self) -> None:
        while not self._over.wait(LOOK_S):
            self.most_mb = max(self.most_mb, own_mb())

    def __enter__(self) -> "Watched":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()


def own_mb() -> float:
    if STATUS.exists():
        for line in STATUS.read_text().splitlines():
            if line.startswith("RssAnon"):
                return int(line.split()[1]) / 1e3
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


def slopes(rows: Sequence[dict[str, Any]], of: str, names: Sequence[str]) -> dict[str, Any]:
    """How each figure grows with the rows. of: what is counted."""
    many = np.log([row[of] for row in rows])
    values = {name: [row[name] for row in rows] for name in names}
    found = {name: np.polyfit(many, np.log(np.maximum(value, LEAST)), 1)[0] for name, value in values.items()}
    return {"row": f"slopes_{of}", **{name: round(float(slope), 2) for name, slope in found.items()}}


def each(kind: str, sizes: Sequence[int], part: int) -> list[dict[str, Any]]:
    """Each size in a process of its own, told as it is known. part: rows that are read at once."""
    rows = []
    for many in sizes:
        command = [sys.executable, __file__, kind, str(many), "--part", str(part)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        sys.stdout.write(done.stdout)
        sys.stdout.flush()
        rows.append(json.loads(done.stdout))
    return rows


def bytes_each(rows: Sequence[dict[str, Any]], of: str, name: str) -> float:
    """What a figure in MB grows by with each row, from the first of some sizes to the last."""
    return round((rows[-1][name] - rows[0][name]) * 1e6 / (rows[-1][of] - rows[0][of]), 1)


def wrong(row: dict[str, Any]) -> bool:
    """Whether what was kept gave other answers, or other reviews were read than those of the new day."""
    return row["read_again"] != 0 or not row["same"] or not (row["learnt_anew"] or row["read_day"] == row["of_day"])


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--short", action="store_true", help="few reviews, under a minute")
    parser.add_argument("--reviews", type=int, default=0, help="the smallest of the three sizes")
    parser.add_argument("--one", type=int, default=0, help=argparse.SUPPRESS)
    parser.add_argument("--one-of-sales", type=int, default=0, help=argparse.SUPPRESS)
    parser.add_argument("--part", type=int, default=large_tables.MOST_IN_MEMORY, help="rows that are read at once")
    given = parser.parse_args(arguments)
    large_tables.MOST_IN_MEMORY = given.part
    if given.one or given.one_of_sales:
        row = measured(given.one) if given.one else measured_sales(given.one_of_sales)
        sys.stdout.write(json.dumps(row) + "\n")
        return 0
    smallest = given.reviews or (SHORT if given.short else LONG)
    part = SHORT_PART if given.short else given.part
    rows = each("--one", [times * smallest for times in TIMES], part)
    growth = slopes(rows, "reviews", ("state_s", "first_s", "again_s", "day_s", "kept_mb"))
    growth["day_over_first"] = round(rows[-1]["day_s"] / rows[-1]["first_s"], 3)
    growth["bytes_a_review"] = [bytes_each(rows[1:], "reviews", name) for name in ("first_mb", "again_mb")]
    sys.stdout.write(json.dumps(growth) + "\n")
    fewest = SALES_SHORT if given.short else LINES_A_REVIEW * smallest
    sold = each("--one-of-sales", [times * fewest for times in TIMES], part)
    of_sales = slopes(sold, "lines", ("taken_in_s", "state_s", "series_s", "run_s"))
    of_sales["bytes_a_line"] = bytes_each(sold, "lines", "run_mb")
    sys.stdout.write(json.dumps(of_sales) + "\n")
    grows = not given.short and max(growth["bytes_a_review"]) > MOST_BYTES_A_REVIEW
    grows |= of_sales["bytes_a_line"] > MOST_BYTES_A_LINE or max(row["state_mb"] for row in sold) > MOST_STATE_MB
    return int(grows or any(map(wrong, rows)))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
