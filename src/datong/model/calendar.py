"""Buckets of time: local days, or weeks that start on Monday, in the chain's time zone."""

import math
import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

# A record is not of the future where its day ends by now somewhere on earth: clocks disagree, too.
FUTURE_SLACK = timedelta(days=1)

BucketUnit = Literal["day", "week"]


_FIXED = re.compile(r"Etc/GMT([+-])(\d{1,2})")


def zone_word(time_zone: str) -> str:
    """A time zone as people write it. The database names fixed offsets with the sign turned round: Etc/GMT+5 is
    UTC-05:00."""
    match = _FIXED.fullmatch(time_zone)
    return time_zone if match is None else f"UTC{'-' if match[1] == '+' else '+'}{int(match[2]):02}:00"


@dataclass(frozen=True)
class Calendar:
    """The chain's clock: its time zone and the length of its buckets."""

    time_zone: str
    unit: BucketUnit

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.time_zone)

    @property
    def bucket_days(self) -> int:
        return 7 if self.unit == "week" else 1

    def local_date(self, moment: datetime) -> date:
        """The chain's calendar day of an aware moment."""
        return moment.astimezone(self.zone).date()

    def local_text(self, moment: datetime) -> str:
        """An aware moment, exactly, as the chain's clocks show it."""
        return moment.astimezone(self.zone).isoformat(sep=" ")

    def midnight(self, day: date) -> datetime:
        """The UTC moment at which a local day starts. A midnight that daylight saving skips moves forward."""
        return datetime.combine(day, time(), self.zone).astimezone(UTC)

    def bucket_start(self, day: date) -> date:
        """First day of the bucket that holds `day`."""
        return day - timedelta(days=day.weekday()) if self.unit == "week" else day

    def shift(self, start: date, buckets: int) -> date:
        """Start of the bucket `buckets` after the one that starts at `start`."""
        return start + timedelta(days=buckets * self.bucket_days)

    def starts(self, first: date, buckets: int) -> tuple[date, ...]:
        """Starts of `buckets` buckets, from the one that holds `first`."""
        origin = self.bucket_start(first)
        return tuple(self.shift(origin, i) for i in range(buckets))

    def index(self, day: date, origin: date) -> int:
        """Buckets from the one that holds `origin` to the one that holds `day`; negative before it."""
        return (self.bucket_start(day) - self.bucket_start(origin)).days // self.bucket_days

    def lead_buckets(self, lead_days: float) -> int:
        """A lead time in whole buckets, rounded up: 0 days is the same bucket."""
        return math.ceil(lead_days / self.bucket_days - 1e-9)
