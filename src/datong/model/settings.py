"""chain.toml: what holds for the whole chain."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Literal

from datong.model.calendar import BucketUnit, Calendar


@dataclass(frozen=True)
class Defaults:
    """What is taken where a table leaves it open; every use is marked as assumed. Shares are of the price;
    holding_share_per_week and late_share_per_week for a unit that lies, or waits, for a week.

    A lost sale costs the whole price: its revenue. The cost of making the unit counts only where it is made, so that a
    share below cost_share would say that nothing is worth making.

    late_horizon_factor: where demand is given, and not forecast, a bucket of lateness costs at least so many times
    the holding over the horizon, so that making ahead is cheaper (network/economics.py); 0: late_share_per_week alone.
    priority_factor: lateness and loss of demand cost so many times as much for each step of priority; firm_factor: for
    a firm order of a product that also has forecast demand. change_cost_share: a unit by which a plan differs from the
    one before; 0: free. firm_share_factor: an hour short of a firm's floor, or beyond its ceiling, costs so many times
    the most that an hour of any line can earn.
    """

    price: float = 1.0
    cost_share: float = 0.7
    holding_share_per_week: float = 0.004
    late_share_per_week: float = 0.02
    late_horizon_factor: float = 1.0
    lost_sale_share: float = 1.0
    offer_lead_days: float = 7.0
    priority_factor: float = 2.0
    firm_factor: float = 1.25
    change_cost_share: float = 0.0
    firm_share_factor: float = 1.0


@dataclass(frozen=True)
class Netting:
    """The section [netting] of chain.toml: how firm orders and forecasts of a product and market go together.

    orders: 'consume' the forecast, the part that the orders are; or 'add' to it. back_days, forward_days: beside the
    forecast of its own bucket an order consumes that of buckets so many days before and after its due day.
    own_forecast: whether a product that sells keeps Datong's own forecast beside its firm orders; if not, they are all
    of its demand.
    """

    orders: Literal["consume", "add"] = "consume"
    back_days: int = 0
    forward_days: int = 0
    own_forecast: bool = True


Security = Literal["tls", "starttls", "unencrypted"]
# Where neither of the two ends leaves this machine, nobody listens.
LOCAL_HOSTS = ("localhost", "127.0.0.1", "::1")
_SMTP_PORTS: Mapping[Security, int] = {"tls": 465, "starttls": 587, "unencrypted": 25}
_IMAP_PORTS: Mapping[Security, int] = {"tls": 993, "starttls": 143, "unencrypted": 143}


@dataclass(frozen=True)
class MailServer:
    """A server of mail, and its TCP port. security: 'tls' from the first byte, 'starttls' before anything is said, or
    'unencrypted'."""

    host: str
    port: int
    security: Security


@dataclass(frozen=True)
class EmailSettings:
    """The section [email] of chain.toml. The password stands elsewhere (connectors/email/hand_over_mail.py).

    sender: the address that orders come from and answers go to ('from' in the file). user: who logs in; None: the
    server for sending asks nobody, and the sender reads. smtp_port, imap_port: TCP ports, None: the usual ones. folder:
    of the mailbox in which answers arrive. taken_folder: into which they are moved once the ledger has them.
    password_file: relative to the chain's folder.
    """

    sender: str
    smtp_host: str
    imap_host: str
    user: str | None = None
    smtp_port: int | None = None
    imap_port: int | None = None
    smtp_security: Security | None = None
    imap_security: Security | None = None
    folder: str = "INBOX"
    taken_folder: str = "Datong"
    password_file: str | None = None

    @property
    def smtp(self) -> MailServer:
        security = self.smtp_security or ("unencrypted" if self.smtp_host in LOCAL_HOSTS else "starttls")
        return MailServer(self.smtp_host, self.smtp_port or _SMTP_PORTS[security], security)

    @property
    def imap(self) -> MailServer:
        security = self.imap_security or ("unencrypted" if self.imap_host in LOCAL_HOSTS else "tls")
        return MailServer(self.imap_host, self.imap_port or _IMAP_PORTS[security], security)


@dataclass(frozen=True)
class VoiceSettings:
    """The section [voice] of chain.toml: a language model that is asked where Datong is not sure of a clause. Its key
    stands elsewhere (connectors/models/chat.py).

    address: what comes before /chat/completions. model: its name there. at_once: pieces in one question.
    """

    address: str
    model: str
    at_once: int = 20


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
    netting: how firm orders and forecasts go together.
    plan_quotes, plan_inquiries: whether rows of `demand` with these statuses are planned like open ones.
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
    netting: Netting = field(default_factory=Netting)
    plan_quotes: bool = False
    plan_inquiries: bool = False

    @property
    def planned_statuses(self) -> tuple[str, ...]:
        """Values of demand.status of what is planned."""
        return ("open", *("quote",) * self.plan_quotes, *("inquiry",) * self.plan_inquiries)

    @property
    def calendar(self) -> Calendar:
        return Calendar(self.time_zone, self.bucket)

    def first_open_bucket(self, moment: datetime) -> date:
        """Start of the bucket that planning starts in at a moment: the one that holds it, or `start`'s if later."""
        day = self.calendar.local_date(moment)
        return self.calendar.bucket_start(day if self.start is None else max(day, self.start))
