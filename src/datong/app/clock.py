"""The chain's clock: now, the moment that a plan is made for, and what a wrong clock hides or moves."""

import shlex
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from datong.app.stores import LEDGER_FILE
from datong.app.wiring import Opened
from datong.ledger.protocol import END_OF_TIME, Ahead
from datong.model.calendar import FUTURE_SLACK
from datong.model.errors import NotFound, Refused
from datong.model.findings import Finding, finding
from datong.model.settings import ChainSettings
from datong.model.tables import tables
from datong.model.words import message

# A moment as a program may give it; pandas.Timestamp is a datetime.
Moment = str | date | datetime | np.datetime64
# Rows of the future that are named.
MOST_NAMED = 5
# Days between which a plan may be asked for.
FIRST_MOMENT, LAST_MOMENT = date(1970, 1, 1), date(2199, 12, 31)
# The clocks of machines differ by so much without anything being wrong.
CLOCK_SLACK = timedelta(seconds=2)
# A clock that is so far before the last write, or after it, has jumped: it is not believed until somebody says so.
MOST_BACK, MOST_AHEAD = timedelta(days=7), timedelta(days=3 * 366)


def today(now: Callable[[], datetime], settings: ChainSettings) -> date:
    """The day that it is in the chain's zone, by the clock of the world."""
    return settings.calendar.local_date(now())


def clock(at: Opened) -> datetime:
    """Now, on the chain's clock.

    A chain of live records has the clock of the world. A chain of declared history stands at the last moment at
    which anything became known: a change made now comes just after it, not years later. A branch stands at its
    moment, or where rows of its own became known later. Where the world's clock has gone back, the chain's stays
    just after the last arrival: what comes later must not seem older.
    """
    latest = at.ledger.latest_known_at()
    if at.branch is not None and latest is not None:
        return latest
    if at.settings.history == "live" or latest is None:
        now, arrived = at.now(), at.ledger.latest_arrival()
        return now if arrived is None or now >= arrived else arrived + timedelta(microseconds=1)
    return latest + timedelta(microseconds=1)


def refuse_a_jump(at: Opened) -> None:
    """Raises Refused where the machine's clock cannot be right, by when the chain of live records was last written to:
    what came in would be dated by it, and all that comes after."""
    last, now = at.ledger.latest_write(), at.now()
    if last is None or at.settings.history != "live":
        return
    words = {"last": _local(at, last), "now": _local(at, now), "folder": str(at.folder)}
    if last - now > MOST_BACK:
        raise Refused(message("clock.jumped_back", days=(last - now).days, most=MOST_BACK.days, **words))
    if now - last > MOST_AHEAD:
        raise Refused(message("clock.jumped_ahead", days=(now - last).days, most=MOST_AHEAD.days, **words))


@dataclass(frozen=True)
class ClockLook:
    """now: by the machine. chain: by the chain. last: when anything was last written. ahead: what a clock that ran
    ahead wrote. repaired: how many moments were put back before."""

    now: datetime
    chain: datetime
    last: datetime | None
    ahead: tuple[Ahead, ...]
    repaired: int


def look(at: Opened) -> ClockLook:
    """How the chain's clock stands."""
    now = at.now()
    ahead = tuple(at.ledger.ahead(now + CLOCK_SLACK))
    return ClockLook(now, clock(at), at.ledger.latest_write(), ahead, at.ledger.put_back_rows().num_rows)


def repair(at: Opened) -> int:
    """Put back what a clock that ran ahead wrote; see Ledger.put_back. Returns how many moments. Raises Refused where
    all that was ever written is later than the machine's clock: then that one is wrong."""
    now = at.now()
    moments = at.ledger.writes()["at"].to_pylist()
    if moments and min(moments) > now + CLOCK_SLACK:
        raise Refused(message("clock.all_ahead", first=_local(at, min(moments)), now=_local(at, now)))
    return at.ledger.put_back(now, by=at.by)


def clock_findings(at: Opened, as_of: datetime | None = None) -> list[Finding]:
    """What a clock that went back, or a record of the future, hides or moves. as_of: the moment that was asked for.

    What lies before the start of the plan (the settings' start, or as_of) is its opening, also where the plan is
    made days ahead. A chain of declared history stands at its last record: one that is dated in the future moves
    all of it there, unless a moment is asked for.
    """
    start, calendar = at.settings.start, at.settings.calendar
    if at.settings.history != "live":
        last = at.ledger.latest_known_at()
        if last is None or last - at.now() <= FUTURE_SLACK:
            return []
        if (as_of is not None and last <= as_of) or (start is not None and calendar.local_date(last) <= start):
            return []
        ahead = _of_the_future(at)
        words: dict[str, Any] = {"then": _local(at, last), "today": _local(at, at.now()), "count": len(ahead)}
        rows = ", ".join(f"{row} ({calendar.local_date(moment)})" for moment, _, row in ahead[:MOST_NAMED])
        words["rows"] = rows + (" …" if len(ahead) > MOST_NAMED else "")
        command = ["datong", "withdraw", ahead[0][1], ahead[0][2], "--chain", str(at.folder)] if ahead else []
        words |= {"command": shlex.join(command), "repair": shlex.join(["datong", "clock", str(at.folder), "--repair"])}
        return [finding("warning", "app.in_the_future", str(LEDGER_FILE), **words)]
    found = []
    arrived = at.ledger.latest_arrival()
    if arrived is not None and arrived - at.now() > CLOCK_SLACK:
        then, today = _local(at, arrived), _local(at, at.now())
        found.append(finding("warning", "app.clock_back", str(LEDGER_FILE), arrived=then, now=today))
    asked = [moment for moment in (as_of, _start_moment(at.settings)) if moment is not None]
    now, latest = max([clock(at), *asked]), at.ledger.latest_known_at()
    if latest is not None and latest > now:
        state = at.ledger.state(END_OF_TIME)
        for name in tables():
            known_at = state.table(name)["known_at"]
            ahead = known_at.filter(pc.greater(known_at, pa.scalar(now, known_at.type)))
            if len(ahead):
                first = _local(at, pc.min(ahead).as_py())
                found.append(
                    finding(
                        "warning",
                        "app.known_ahead",
                        name,
                        column="known_at",
                        rows_affected=len(ahead),
                        count=len(ahead),
                        first=first,
                    )
                )
    return found


def _of_the_future(at: Opened) -> list[tuple[datetime, str, str]]:
    """Rows of the days after today, or known after today, the latest first: when they happened or became known, table,
    id."""
    state, calendar = at.ledger.state(END_OF_TIME), at.settings.calendar
    limit = calendar.midnight(calendar.local_date(at.now()) + timedelta(days=1))
    found = []
    for name in tables():
        rows = state.table(name)
        column = "happened_at" if "happened_at" in rows.column_names else "known_at"
        later = pc.greater(rows["known_at"], pa.scalar(limit, rows["known_at"].type))
        if column == "happened_at":  # what happens on a day is known by the midnight after it
            later = pc.or_(later, pc.greater_equal(rows[column], pa.scalar(limit, rows[column].type)))
        late = rows.filter(later)
        found += zip(late[column].to_pylist(), [name] * late.num_rows, late["row_id"].to_pylist(), strict=True)
    return sorted(found, key=lambda row: (-row[0].timestamp(), row[1], row[2]))


def _start_moment(settings: ChainSettings) -> datetime | None:
    """When the settings' start begins, before which nothing is planned."""
    start = settings.start
    return None if start is None else settings.calendar.midnight(start)


def _local(at: Opened, moment: datetime) -> str:
    return f"{moment.astimezone(at.settings.calendar.zone):%Y-%m-%d %H:%M:%S}"


def default_as_of(at: Opened) -> datetime:
    """The last moment at which anything became known, but not before the settings' start, nor before that of a plan
    whose orders were given out; of a branch its clock.

    A chain of live records does not look beyond its clock; where nothing became known today, it stands where the
    day began: a plan of Monday is not made for Friday, because nothing came in since.
    """
    latest = at.ledger.latest_known_at()
    if at.branch is not None and latest is not None:
        return latest
    moment = default_moment(at.settings, latest, clock(at))
    moment = max((m for m in (moment, _last_given_out(at)) if m is not None), default=None)
    if moment is None:
        raise NotFound(message("app.nothing_known", folder=str(at.folder)))
    return moment


def _last_given_out(at: Opened) -> datetime | None:
    """The last moment of a run whose orders were given out: a plan of before would not know what is out."""
    given_out = pc.unique(at.ledger.state(END_OF_TIME, ("orders",)).table("orders")["run"]).to_pylist()
    if not given_out:
        return None
    moments = [row["as_of"] for row in at.ledger.runs().to_pylist() if row["run"] in given_out]
    return max(moments, default=None)


def default_moment(settings: ChainSettings, latest: datetime | None, clock: datetime) -> datetime | None:
    """The moment that a plan is made for: the latest at which anything became known (None: nothing did), but not before
    the settings' start.

    For a chain of live records: nor after its clock, nor before today: where nothing became known today, it stands
    where the day began. A plan of Monday is not made for Friday because nothing came in since.
    """
    if latest is not None and settings.history == "live":
        latest = max(min(latest, clock), settings.calendar.midnight(settings.calendar.local_date(clock)))
    floor = None if settings.start is None else settings.calendar.midnight(settings.start)
    return max((m for m in (latest, floor) if m is not None), default=None)


def moment_of(value: Moment | None, settings: ChainSettings) -> datetime | None:
    """A moment as a program gives it, in UTC; None stays None. A text, a day, and what has no zone: see `parse_moment`.
    Raises Refused for what is none."""
    if value is None or (type(value) is datetime and value.tzinfo is not None):
        return value
    try:
        if isinstance(value, np.datetime64):
            text = str(np.datetime_as_string(value, unit="us"))
        else:
            text = value if isinstance(value, str) else value.isoformat()
    except (AttributeError, TypeError, ValueError) as error:
        raise Refused(message("app.not_a_moment", text=repr(value))) from error
    return parse_moment(text, settings)


def day_of(value: Moment, settings: ChainSettings) -> date:
    """A day as a program gives it; of a moment, the day that it is in the chain's zone. Raises Refused as
    `moment_of`."""
    if type(value) is date:
        return value
    moment = moment_of(value, settings)
    if moment is None:
        raise Refused(message("app.not_a_moment", text=repr(value)))
    return settings.calendar.local_date(moment)


def parse_moment(text: str, settings: ChainSettings) -> datetime:
    """A moment as a user writes it: ISO; a date alone is its local midnight; without offset it is local time."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise Refused(message("app.not_a_moment", text=text)) from error
    if not FIRST_MOMENT <= moment.date() <= LAST_MOMENT:
        raise Refused(message("app.moment_too_far", text=text, first=FIRST_MOMENT, last=LAST_MOMENT))
    if moment.time() == time() and moment.tzinfo is None:
        return settings.calendar.midnight(moment.date())
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=settings.calendar.zone)
    return moment.astimezone(UTC)
