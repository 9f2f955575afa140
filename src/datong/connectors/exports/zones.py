"""The zone of moments that are written with an offset: that of the country, or one whose clocks were set like that."""

from functools import cache
from importlib.resources import files
from zoneinfo import ZoneInfo

import numpy as np

from datong.connectors.exports.day_month_order import not_a_day
from datong.ledger.cells import local_to_utc
from datong.model.calendar import zone_word
from datong.model.words import Message, message

# The note that says by which clock the days of a new chain are told.
ZONE = "export.zone"

# Zones of many people, one for each way in which clocks are changed.
_LIKELY = (
    "America/New_York",
    "America/Chicago",
    "America/Denver",
    "America/Los_Angeles",
    "America/Halifax",
    "America/Anchorage",
    "Europe/London",
    "Europe/Berlin",
    "Europe/Athens",
    "Australia/Sydney",
    "Australia/Adelaide",
    "Pacific/Auckland",
    "America/Santiago",
    "Asia/Jerusalem",
    "Africa/Cairo",
)
_UNCHANGED = {
    330: "Asia/Kolkata",
    345: "Asia/Kathmandu",
    270: "Asia/Kabul",
    210: "Asia/Tehran",
    390: "Asia/Yangon",
    570: "Australia/Darwin",
}


def zone_of(
    days: np.ndarray, seconds: np.ndarray, offset: np.ndarray, country: str
) -> tuple[str | None, Message | None]:
    """The zone of a file by the offsets of its moments, and what to say of it; None where it has none.

    days: (row,) since 1970. seconds: since midnight. offset: minutes ahead of UTC, NaN where none is written.
    """
    rows = ~np.isnan(offset) & ~not_a_day(days)
    if not rows.any():
        return None, None
    local = days[rows] * 86_400 + seconds[rows]
    given = offset[rows].astype(np.int64)
    values, counts = np.unique(given, return_counts=True)
    commonest = int(values[counts.argmax()])
    zone = _fitting(local, given, [*zones_of_country(country)])
    if zone is None and len(values) > 1:
        zone = _fitting(local, given, _LIKELY)
    if zone is None:
        zone = _fixed(commonest)
    written = ", ".join(_text(int(v)) for v in values[np.argsort(-counts)][:3])
    return zone, message(ZONE, zone=zone_word(zone), offsets=written)


def _fitting(local: np.ndarray, given: np.ndarray, zones: list[str] | tuple[str, ...]) -> str | None:
    """The first zone whose clocks were set as all moments say."""
    pairs = np.unique(np.stack([local // 3600 * 3600, given]), axis=1)
    moments = pairs[0].astype("M8[s]").astype("M8[us]")
    utc = (pairs[0] - pairs[1] * 60).astype("M8[s]").astype("M8[us]")
    for zone in zones:
        if (local_to_utc(moments, ZoneInfo(zone)) == utc).mean() > 0.99:
            return zone
    return None


def _fixed(minutes: int) -> str:
    if minutes == 0:
        return "UTC"
    if minutes % 60 == 0 and -12 <= minutes // 60 <= 14:
        return f"Etc/GMT{-minutes // 60:+d}"
    return _UNCHANGED.get(minutes, "UTC")


def _text(minutes: int) -> str:
    return f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02}:{abs(minutes) % 60:02}"


@cache
def zones_of_country(country: str) -> tuple[str, ...]:
    """Zones of a country, by its ISO code, as the time zone database lists them."""
    if not country:
        return ()
    text = files("tzdata").joinpath("zoneinfo").joinpath("zone.tab").read_text(encoding="utf-8")
    lines = [line.split("\t") for line in text.splitlines() if line and not line.startswith("#")]
    return tuple(parts[2] for parts in lines if parts[0] == country.upper())
