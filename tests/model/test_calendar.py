"""Buckets in the chain's zone, daylight saving included."""

from datetime import UTC, date, datetime

from datong.model.calendar import Calendar


def test_a_week_starts_on_monday() -> None:
    weekly = Calendar("Asia/Shanghai", "week")
    assert weekly.bucket_start(date(2026, 11, 22)) == date(2026, 11, 16)
    assert weekly.bucket_start(date(2026, 11, 23)) == date(2026, 11, 23)


def test_the_local_day_decides() -> None:
    """16:30 UTC is already the next day in Shanghai (UTC+8)."""
    assert Calendar("Asia/Shanghai", "day").local_date(datetime(2026, 1, 1, 16, 30, tzinfo=UTC)) == date(2026, 1, 2)


def test_days_of_daylight_saving_start_at_their_own_midnight() -> None:
    """New York: 2026-03-08 has 23 hours, 2026-11-01 has 25."""
    ny = Calendar("America/New_York", "day")
    assert ny.midnight(date(2026, 3, 9)) - ny.midnight(date(2026, 3, 8)) == (
        datetime(2026, 3, 9, 4, tzinfo=UTC) - datetime(2026, 3, 8, 5, tzinfo=UTC)
    )
    assert (ny.midnight(date(2026, 11, 2)) - ny.midnight(date(2026, 11, 1))).total_seconds() == 25 * 3600


def test_a_midnight_that_does_not_exist_still_belongs_to_its_day() -> None:
    """Santiago skips 00:00-01:00 on 2026-09-06."""
    santiago = Calendar("America/Santiago", "day")
    assert santiago.local_date(santiago.midnight(date(2026, 9, 6))) == date(2026, 9, 6)


def test_buckets_count_across_a_year_and_lead_times_round_up() -> None:
    weekly = Calendar("UTC", "week")
    assert weekly.index(date(2026, 1, 5), date(2025, 12, 31)) == 1
    assert weekly.index(date(2025, 12, 28), date(2025, 12, 31)) == -1
    assert [weekly.lead_buckets(d) for d in (0, 1, 7, 8)] == [0, 1, 1, 2]
    assert weekly.starts(date(2026, 1, 1), 2) == (date(2025, 12, 29), date(2026, 1, 5))
