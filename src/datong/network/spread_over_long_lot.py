"""Amounts by bucket, over the buckets that a long lot works: each has its share of the lot's hours."""

from dataclasses import dataclass

import numpy as np

from datong.model.flow import FloatArray, IntArray


@dataclass(frozen=True, slots=True)
class Worked:
    """The buckets in which a start is worked, and how much of it in each; in those in between it rests."""

    # Buckets from the start, which is 0, rising.
    after: tuple[int, ...] = (0,)
    # (worked bucket) share of its hours, 1 in all.
    share: tuple[float, ...] = (1.0,)

    def __len__(self) -> int:
        return len(self.after)

    def at(self, start: int, buckets: int) -> tuple[IntArray, FloatArray]:
        """The buckets, of so many, that a start there works, and its share of hours in each."""
        there = [start + later for later in self.after if start + later < buckets]
        return np.array(there, dtype=np.int64), np.array(self.share[: len(there)])

    def most_at(self, amount: FloatArray, start: int) -> float:
        """The most hours that a start there can take of an amount (bucket)."""
        at, share = self.at(start, len(amount))
        return float((amount[at] / share).min())

    def share_in(self, later: int) -> float:
        """Its share of hours so many buckets after the start."""
        return self.share[self.after.index(later)] if later in self.after else 0.0


AT_ONCE = Worked()


def spread(hours: FloatArray, worked: Worked) -> FloatArray:
    """(bucket) hours of starts, in the buckets in which they are worked."""
    total = np.zeros(len(hours))
    for later, share in zip(worked.after, worked.share, strict=True):
        if later < len(hours):
            total[later:] += hours[: len(hours) - later] * share
    return total


def most_over(amount: FloatArray, worked: Worked) -> FloatArray:
    """(bucket of start) the most hours that a start can take of an amount (bucket)."""
    most = amount / worked.share[0]
    for later, share in zip(worked.after[1:], worked.share[1:], strict=True):
        if later < len(amount):
            most[:-later] = np.minimum(most[:-later], amount[later:] / share)
    return most


def mean_over(amount: FloatArray, worked: Worked) -> FloatArray:
    """(bucket of start) the mean of an amount (bucket) over the buckets that a start works; the last goes on."""
    if len(worked) == 1:
        return amount
    padded = np.concatenate([amount, np.full(worked.after[-1], amount[-1])])
    parts = (
        share * padded[later : later + len(amount)] for later, share in zip(worked.after, worked.share, strict=True)
    )
    return np.sum(list(parts), axis=0)
