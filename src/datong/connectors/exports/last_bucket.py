"""Whether an export goes to the end of its last week, or day where the chain plans by day: then that bucket counts.

An export ends somewhere. What it shows of earlier buckets tells how much of one is usually sold after the moment of its
last sale: next to nothing, and the bucket is over as far as this shop is concerned, whether it is closed on Sundays or
its last order of the week comes at nine in the evening.
"""

from dataclasses import dataclass, field
from datetime import date, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from datong.connectors.exports.left_out_counts import FEW
from datong.model.words import Message, message

DAY_SECONDS = 86_400
# Buckets before the last one that are looked at, and fewest that tell anything.
_LOOKED_AT, _FEWEST = 26, 4
# Of earlier buckets, so many had their last sale earlier than a late one.
_LATE = 0.25
# Most of a bucket that may usually be sold after a late last sale.
_MOST_AFTER = 0.1
_EPOCH = date(1970, 1, 1)
_MONDAY = 3  # days from a Monday to 1970-01-01


@dataclass(frozen=True)
class LastBucket:
    """first, last: its days. units: sold in it. after: share of a bucket that is usually sold after the moment of the
    last sale; None where too few are known. is_over: the export goes to its end."""

    first: date
    last: date
    units: float
    after: float | None
    is_over: bool


@dataclass(frozen=True, eq=False)
class OfChain:
    """What is known of the chain that an export is for. bucket_days: in which it plans. seconds: (row,) local time
    since 1970-01-01 of its sales so far; units: (row,) of these."""

    bucket_days: int = 7
    seconds: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    units: np.ndarray = field(default_factory=lambda: np.zeros(0))


def sales_of_chain(sales: pa.Table, zone: str, bucket_days: int) -> OfChain:
    """The same, of the rows that a chain holds. zone: IANA name."""
    moments = pc.local_timestamp(sales["happened_at"].cast(pa.timestamp("us", tz=zone)))
    return OfChain(bucket_days, _seconds(moments), sales["units"].to_numpy())


def last_bucket(seconds: np.ndarray, units: np.ndarray, chain: OfChain, *, has_clock: bool) -> LastBucket | None:
    """What the last bucket of some sales is. seconds: (row,) local time since 1970-01-01. units: (row,). chain: its
    sales before the first of these tell how a bucket goes where these are too few. has_clock: times are written;
    without them a day counts as a whole. None without sales."""
    if not len(seconds):
        return None
    bucket_days = chain.bucket_days
    length = bucket_days * DAY_SECONDS
    monday = _MONDAY * DAY_SECONDS if bucket_days > 1 else 0
    bucket, offset = np.divmod(seconds + monday, length)
    at = int(bucket.max())
    own = bucket == at
    end = int(offset[own].max())
    begin = _EPOCH + timedelta(days=(at * length - monday) // DAY_SECONDS)
    after = _usually_after(bucket, offset, units, at, end)
    if after is None and len(chain.seconds):
        earlier = chain.seconds < seconds.min()
        before = chain.seconds[earlier] if has_clock else chain.seconds[earlier] // DAY_SECONDS * DAY_SECONDS
        bucket, offset = np.divmod(np.concatenate([before, seconds]) + monday, length)
        units = np.concatenate([chain.units[earlier], units])
        own = bucket == at
        after = _usually_after(bucket, offset, units, at, end)
    reaches = end // DAY_SECONDS == bucket_days - 1 and (not has_clock or length - end <= FEW * length)
    is_over = reaches or (after is not None and after <= _may_come_after(bucket, offset, at, end))
    return LastBucket(begin, begin + timedelta(days=bucket_days - 1), float(units[own].sum()), after, is_over)


def _usually_after(bucket: np.ndarray, offset: np.ndarray, units: np.ndarray, at: int, end: int) -> float | None:
    """Share of earlier buckets' units that was sold later in them than `end`; None where too few are known."""
    earlier = (bucket < at) & (bucket >= at - _LOOKED_AT)
    total = units[earlier].sum()
    if len(np.unique(bucket[earlier])) < _FEWEST or total <= 0:
        return None
    return float(units[earlier & (offset > end)].sum() / total)


def _may_come_after(bucket: np.ndarray, offset: np.ndarray, at: int, end: int) -> float:
    """The share that may be missing without a doubt: more, where the last sale is as late as in most buckets."""
    earlier = (bucket < at) & (bucket >= at - _LOOKED_AT)
    _, which = np.unique(bucket[earlier], return_inverse=True)
    ends = np.zeros(which.max() + 1)
    np.maximum.at(ends, which, offset[earlier])
    return _MOST_AFTER if end >= np.quantile(ends, _LATE) else FEW


def with_last_bucket(
    sales: pa.Table, zone: str | None, today: date | None, chain: OfChain
) -> tuple[pa.Table, Message | None]:
    """Sales whose last row is known at the end of its bucket, where the export goes there: then a plan begins after it.
    Else what is to be said of the bucket that does not count. zone: IANA name, of moments with an offset."""
    moments = sales["happened_at"]
    has_clock = pa.types.is_timestamp(moments.type)
    if has_clock and moments.type.tz is not None:
        moments = pc.local_timestamp(moments.cast(pa.timestamp("us", tz=zone or "UTC")))
    seconds = _seconds(moments)
    found = last_bucket(seconds, sales["units"].to_numpy(), chain, has_clock=has_clock)
    if found is None:
        return sales, None
    if not found.is_over or (today is not None and found.last > today):
        return sales, _told_of_open(found, int(seconds.max()), today, has_clock=has_clock)
    known = np.full(len(seconds), np.datetime64("NaT"), "M8[D]")
    known[np.flatnonzero(seconds == seconds.max())[-1]] = np.datetime64(found.last)
    return sales.append_column("known_at", pa.array(known, pa.date32())), None


def _seconds(moments: pa.ChunkedArray) -> np.ndarray:
    """(row,) int64: since 1970-01-01, of local moments or days."""
    return moments.cast(pa.timestamp("us")).cast(pa.int64()).to_numpy() // 1_000_000


def _told_of_open(found: LastBucket, end: int, today: date | None, *, has_clock: bool) -> Message:
    """What a bucket that does not count has, and why it does not."""
    if found.after is None:
        why = message("export.open_few")
    elif found.is_over and today is not None:
        why = message("export.open_today", today=today)
    else:
        why = message("export.open_share", share=f"{found.after:.0%}")
    at = np.datetime64(end, "s").astype("M8[m]" if has_clock else "M8[D]")
    words = {
        "first": found.first,
        "last": found.last,
        "units": f"{found.units:,.10g}",
        "end": str(at).replace("T", " "),
    }
    return message("export.open_day" if found.first == found.last else "export.open_week", **words, why=why)
