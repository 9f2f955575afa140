"""Where nothing could be sold: a bucket without stock on sale is masked demand, not low demand."""

from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from datong.ledger.columns import day_number, local_days, pairs
from datong.ledger.state import State
from datong.model.flow import ON_SALE, STOCKED_OUT, STOCKED_OUT_INFERRED, BoolArray, FloatArray, IntArray, Item

# Without any counts a run of zeros is a stock-out only when accident is less likely than this.
RUN_PROBABILITY = 0.001
# The recent rate is that of this many buckets before the run, of which at least so many must be known.
RATE_BUCKETS, RATE_BUCKETS_MIN = 13, 6
# A longer silence is the end of a season or of a life, not an empty shelf.
RUN_WEEKS_MAX = 8


def stocked_out(
    state: State,
    items: tuple[Item, ...],
    bucket_starts: tuple[date, ...],
    sold_units: FloatArray,
    there: BoolArray,
    near_holiday: BoolArray,
) -> IntArray:
    """(item, bucket) ON_SALE, STOCKED_OUT or STOCKED_OUT_INFERRED.

    sold_units, there (is the item's demand of the bucket known at all): (item, bucket). near_holiday: (bucket).

    A count of stock speaks of the day it was taken; what could not be ordered that day would have been due
    promise_days later, so it speaks of that later day's bucket. A count at a site that is a market by itself, a shop,
    speaks of that market; any other of all markets of its product. Where counts say whether the product was on sale, a
    bucket is out when at least half of them say no
    (measured). Else it is out when all of its counts are zero and nothing was sold (inferred). A product that was
    never counted: see `silent_runs` (inferred).
    """
    availability = np.full(sold_units.shape, ON_SALE, np.int64)
    if not sold_units.size:
        return availability
    flagged, empty, counted = _counts(state, items, bucket_starts)
    availability[empty & (sold_units == 0)] = STOCKED_OUT_INFERRED
    availability[flagged] = STOCKED_OUT
    # A bucket in which nobody sold anything is a gap of the chain or of its records, not of one shelf.
    open_chain = sold_units.sum(axis=0) > 0
    runs = silent_runs(sold_units, there, near_holiday | ~open_chain, state.settings.calendar.bucket_days)
    availability[runs & ~counted[:, None]] = STOCKED_OUT_INFERRED
    return availability


def _counts(
    state: State, items: tuple[Item, ...], bucket_starts: tuple[date, ...]
) -> tuple[BoolArray, BoolArray, BoolArray]:
    """(item, bucket) said to be off sale, (item, bucket) counted zero without a word of it, (item) ever counted."""
    settings = state.settings
    flagged, empty = (np.zeros((len(items), len(bucket_starts)), bool) for _ in range(2))
    ever = np.zeros(len(items), bool)
    counts = state.table("stock").select(["happened_at", "site", "product", "units", "available"])
    counts = counts.filter(pc.or_(pc.is_valid(counts["units"]), pc.is_valid(counts["available"])))
    if not counts.num_rows:
        return flagged, empty, ever
    due_day = local_days(counts, state) + settings.promise_days
    bucket = (due_day - day_number(bucket_starts[0])) // settings.calendar.bucket_days
    shops = pa.array(sorted({i.market for i in items}), pa.string())
    site = counts["site"]
    place, places = pairs(counts["product"], pc.if_else(pc.is_in(site, shops), site, "").fill_null(""))
    inside = (bucket >= 0) & (bucket < len(bucket_starts))
    cell = (place * len(bucket_starts) + bucket)[inside]
    shape = len(places), len(bucket_starts)
    # Of a place and bucket: how many counts said whether it was on sale, how many of them no, and the most units.
    said = np.bincount(cell, counts["available"].is_valid().to_numpy()[inside], shape[0] * shape[1])
    no = np.bincount(cell, pc.equal(counts["available"], False).fill_null(False).to_numpy()[inside], len(said))
    most = np.full(len(said), np.nan)
    np.fmax.at(most, cell, counts["units"].cast(pa.float64()).to_numpy()[inside])
    off_sale = ((said > 0) & (no >= 0.5 * said)).reshape(shape)
    nothing = ((said == 0) & (most <= 0)).reshape(shape)
    at = {pair: i for i, pair in enumerate(places)}
    for of_item in ([(i.product, i.market) for i in items], [(i.product, "") for i in items]):
        own = np.array([at.get(key, -1) for key in of_item], np.int64)
        known = own >= 0
        ever |= known
        flagged[known] |= off_sale[own[known]]
        empty[known] |= nothing[own[known]]
    return flagged, empty, ever


def silent_runs(sold_units: FloatArray, there: BoolArray, explained: BoolArray, bucket_days: int) -> BoolArray:
    """(item, bucket) True in runs of zeros that the item's own recent rate makes too unlikely to be accident.

    P(a zero bucket) = (1 + mean / k)^-k with k = mean^2 / (variance - mean), the negative binomial, or exp(-mean)
    where the variance is not above the mean (Poisson), over the RATE_BUCKETS buckets before the run; never less than
    their own share of zeros, since intermittent demand has more zeros than either. A run of n buckets that nothing
    explains has P^n, which must be below RUN_PROBABILITY. `explained` (bucket): a holiday or a closed chain accounts
    for it, so that it adds nothing to n. Sales must resume after the run, within RUN_WEEKS_MAX weeks.
    """
    rows, buckets = sold_units.shape
    result = np.zeros((rows, buckets), bool)
    zero = there & (sold_units == 0)
    edges = np.diff(np.pad(zero.astype(np.int8), ((0, 0), (1, 1))), axis=1)
    row, start = np.nonzero(edges == 1)
    _, end = np.nonzero(edges == -1)  # (run) first bucket after it; same order as the starts, row by row
    longest = max(RUN_WEEKS_MAX * 7 // bucket_days, 1)
    keep = (end < buckets) & (start >= RATE_BUCKETS_MIN) & (end - start <= longest)
    row, start, end = row[keep], start[keep], end[keep]

    def window_sum(values: FloatArray) -> FloatArray:
        sums = np.pad(np.cumsum(values, axis=1), ((0, 0), (1, 0)))
        return sums[row, start] - sums[row, np.maximum(start - RATE_BUCKETS, 0)]

    known = window_sum(there.astype(float))
    at_least_two = np.maximum(known, 2.0)
    mean = window_sum(np.where(there, sold_units, 0.0)) / at_least_two
    square = window_sum(np.where(there, sold_units, 0.0) ** 2)
    variance = np.maximum((square - at_least_two * mean**2) / (at_least_two - 1), 0.0)
    excess = np.maximum(variance - mean, 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        shape = mean**2 / excess
        zero_share = np.where(excess > 1e-9 * mean, (1 + mean / shape) ** -shape, np.exp(-mean))
    zero_share = np.clip(np.maximum(zero_share, window_sum(zero.astype(float)) / at_least_two), 1e-300, 1.0)
    unexplained = np.pad(np.cumsum(~explained), (1, 0))
    evidence = unexplained[end] - unexplained[start]
    strong = (known >= RATE_BUCKETS_MIN) & (mean > 0) & (evidence * np.log(zero_share) < np.log(RUN_PROBABILITY))
    for r, s, e in zip(row[strong], start[strong], end[strong], strict=True):
        result[r, s:e] = True
    return result
