"""Buckets whose sales are known by the month, or by another stretch of days, and were spread evenly over its days.

Such a bucket was not measured: within a stretch all are alike, and from one to the next they step together. A test that
holds a week, or the days of a feast, against those around it would take these steps for news; and its first days tell
the rest of it exactly, as those of a week to come do not."""

from collections.abc import Sequence
from datetime import date

import numpy as np
import pyarrow.compute as pc

from datong.ledger.columns import day_number, local_days, pairs
from datong.ledger.large_tables import parts
from datong.ledger.state import State
from datong.model.flow import BoolArray, FloatArray, Item

# From this share of a bucket's units on it counts as not measured.
MOSTLY = 0.5
_READ = ("happened_at", "product", "market", "units", "state", "assumed")


def assumed_days(state: State, items: Sequence[Item], starts: Sequence[date], sold: FloatArray) -> BoolArray:
    """(item, bucket) whether the days of most of what was due in it are assumed. sold: (item, bucket) units."""
    at = {item: i for i, item in enumerate(items)}
    rows, units = np.zeros(sold.shape, np.int64), np.zeros(sold.shape)
    length = state.settings.calendar.bucket_days
    for part in parts(state.table("sales"), _READ):
        ours = pc.and_(pc.equal(part["state"], "ordered"), pc.match_substring(part["assumed"], "happened_at"))
        part = part.filter(pc.fill_null(ours, False))
        if not part.num_rows or not starts:
            continue
        code, found = pairs(part["product"], part["market"])
        item = np.array([at[Item(*pair)] for pair in found], np.int64)[code]
        due = local_days(part, state) + state.settings.promise_days
        bucket = (due - day_number(starts[0])) // length
        inside = (bucket >= 0) & (bucket < len(starts))
        place = (item[inside], bucket[inside])
        np.add.at(rows, place, 1)
        np.add.at(units, place, part["units"].to_numpy()[inside])
    return (rows > 0) & (units >= MOSTLY * sold)
