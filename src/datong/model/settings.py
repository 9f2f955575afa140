"""chain.toml: what holds for the whole chain."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Literal

from datong.model.calendar import BucketUnit, Calendar


@dataclass(frozen=True)
class Defaults:
    """What is taken where a table leaves it open; every use is marked as assumed. Shares are of the price.

    A lost sale costs the whole price: its revenue. The cost of making the unit counts only where it is made, so that a
    share below cost_share would say that nothing is worth making.

    priority_factor: lateness and loss of demand cost so many times as much for each step of priority; firm_factor: for
    a firm order of a product that also has forecast demand. change_cost_share: a unit by which a plan differs from the
    one before; 0: free. firm_share_factor: an hour short of a firm's floor, or beyond its ceiling, costs so many times
    the most that an hour of any line can earn.
    """

    price: float = 1.0
    cost_share: float = 0.7
    holding_share_per_week: float = 0.004
    late_share_per_week: float = 0.02
    lost_sale_share: float = 1.0
    offer_lead_days: float = 7.0
    priority_factor: float = 2.0
    firm_factor: float = 1.25
    change_cost_share: float = 0.0
    firm_share_factor: float = 1.0


@dataclass(frozen=True)
class ChainSettings:
    """Settings of a chain. Everything has a default but the name.

    country: ISO 3166 code for public holidays ('BD', 'CN'); empty: none.
    promise_days: an order taken on day d is due on day d + promise_days.
    frozen_buckets: buckets from now in which no new order is proposed and no released one moved.
    max_late_days: demand not served this long after it was due is lost.
    start: planning never starts before this day's bucket; empty: it starts where the records end.
    history: 'declared' takes happened_at for a missing known_at (a load of past records); 'live' takes arrival.
    assumed: how assumed columns were derived, by 'table.column' and language ('en', 'zh').
    """

    name: str
    time_zone: str = "UTC"
    currency: str = "CNY"
    bucket: BucketUnit = "week"
    start: date | None = None
    horizon_buckets: int = 13
    country: str = ""
    promise_days: int = 0
    frozen_buckets: int = 0
    max_late_days: int = 28
    path_count: int = 200
    seed: int = 0
    history: Literal["declared", "live"] = "declared"
    defaults: Defaults = field(default_factory=Defaults)
    assumed: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    @property
    def calendar(self) -> Calendar:
        return Calendar(self.time_zone, self.bucket)

    def first_open_bucket(self, moment: datetime) -> date:
        """Start of the bucket that planning starts in at a moment: the one that holds it, or `start`'s if later."""
        day = self.calendar.local_date(moment)
        return self.calendar.bucket_start(day if self.start is None else max(day, self.start))
