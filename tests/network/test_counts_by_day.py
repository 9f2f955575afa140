"""A count with a date alone is that of the end of its day, whatever clock the other records of that day have."""

from datetime import UTC, date, datetime, timedelta

import pyarrow as pa
import pytest

from datong.ledger.state import state_of_tables
from datong.model.flow import nothing_learnt
from datong.model.settings import ChainSettings
from datong.network.position import position
from datong.network.position_notices import position_notices

SHANGHAI = timedelta(hours=8)
# Sunday 2026-12-06 in Shanghai, as a date alone is kept: the moment at which it begins there.
DAY = datetime(2026, 12, 6, tzinfo=UTC) - SHANGHAI
DAY_ITSELF = date(2026, 12, 6)


def on_hand(counted_at: datetime, made_at: datetime, sold_at: datetime, start: date | None = None) -> float:
    tables = {
        "products": [{"product": "KET"}],
        "recipes": [{"recipe": "R", "product": "KET"}],
        "stock": [{"product": "KET", "units": 86.0, "happened_at": counted_at}],
        "production": [{"product": "KET", "good_units": 80.0, "happened_at": made_at}],
        "sales": [{"product": "KET", "units": 5.0, "happened_at": sold_at}],
    }
    rows = {name: pa.Table.from_pylist(own) for name, own in tables.items()}
    settings = ChainSettings("shop", time_zone="Asia/Shanghai", start=start)
    return position(state_of_tables(settings, DAY + timedelta(days=2), rows)).on_hand_units["KET"]


@pytest.mark.parametrize("made", [0, 8, 17, 23])
@pytest.mark.parametrize("sold", [0, 14])
def test_what_moved_on_the_day_of_a_count_without_a_clock_is_in_it(made: int, sold: int) -> None:
    assert on_hand(DAY, DAY + timedelta(hours=made), DAY + timedelta(hours=sold)) == 86


def test_a_count_with_a_clock_is_of_its_moment() -> None:
    """Counted at 12: the 80 of 17 o'clock come on top, the 5 that were sold at 9 are out already."""
    noon = DAY + timedelta(hours=12)
    assert on_hand(noon, DAY + timedelta(hours=17), DAY + timedelta(hours=9)) == 166
    assert on_hand(DAY, DAY + timedelta(days=1), DAY + timedelta(days=1, hours=3)) == 161


def test_a_count_of_the_day_on_which_planning_starts_is_what_it_starts_with() -> None:
    """Counted as the 6th begins, 80 made and 5 sold on it: 161. A day that is not the start is counted as it ends."""
    day = DAY + timedelta(hours=14)
    assert on_hand(DAY, day, day, start=DAY_ITSELF) == 161
    assert on_hand(DAY, day, day, start=date(2026, 12, 7)) == 86


@pytest.mark.parametrize("hours", [0, 1])
def test_what_an_order_of_the_first_day_used_goes_off_a_count_of_that_day(hours: int) -> None:
    """80 clay counted as the 6th begins, on which planning starts. W, to start that day, made 20 pots of 2 clay two
    days later: 40 left. Told to have begun at 1 o'clock, the same."""
    tables = {
        "products": [{"product": "POT"}, {"product": "CLAY"}],
        "components": [{"product": "POT", "component": "CLAY", "units_per_unit": 2.0}],
        "stock": [{"product": "CLAY", "units": 80.0, "happened_at": DAY}],
        "orders": [
            {"order": "W", "kind": "make", "product": "POT", "units": 20.0, "start": DAY_ITSELF, "due": DAY_ITSELF}
        ],
        "order_events": [
            *([{"order": "W", "state": "started", "happened_at": DAY + timedelta(hours=hours)}] if hours else []),
            {"order": "W", "state": "done", "good_units": 20.0, "happened_at": DAY + timedelta(days=2)},
        ],
    }
    rows = {name: pa.Table.from_pylist(own) for name, own in tables.items()}
    settings = ChainSettings("shop", time_zone="Asia/Shanghai", start=DAY_ITSELF)
    state = state_of_tables(settings, DAY + timedelta(days=3), rows)
    assert position(state).on_hand_units == {"CLAY": 40.0, "POT": 20.0}


def test_what_came_on_the_first_day_without_a_clock_comes_on_top_of_its_count() -> None:
    """86 counted as the 6th begins, on which planning starts; 80 are booked in and 5 sold on that date: 161."""
    assert on_hand(DAY, DAY, DAY, start=DAY_ITSELF) == 161


@pytest.mark.parametrize(
    ("evening", "names", "units"),
    [
        ([("L2", 40.0)], ["KET L1 60/100"], 100.0),
        ([("L1", 0.0), ("L2", 40.0)], [], 40.0),
        ([("L1", 55.0), ("L2", 40.0)], [], 95.0),
        ([], [], 130.0),
    ],
)
def test_a_lot_that_a_later_count_of_its_day_does_not_name_is_told(
    evening: list[tuple[str, float]], names: list[str], units: float
) -> None:
    """60 of L1 and 70 of L2 are counted, and in the evening of that day some again: all are one count, as documented;
    what was not counted again is said to be in it, for whoever counted all that was left."""
    counts = [("L1", 60.0, DAY), ("L2", 70.0, DAY), *((lot, n, DAY + timedelta(hours=20)) for lot, n in evening)]
    rows = [{"product": "KET", "lot": lot, "units": n, "happened_at": at} for lot, n, at in counts]
    tables = {"products": [{"product": "KET"}], "stock": rows}
    given = {name: pa.Table.from_pylist(own) for name, own in tables.items()}
    state = state_of_tables(ChainSettings("shop", time_zone="Asia/Shanghai"), DAY + timedelta(days=2), given)
    assert position(state).on_hand_units["KET"] == units
    told = [f for f in position_notices(state, nothing_learnt()) if f.code == "not_counted_again"]
    assert [dict(f.found.params)["names"] for f in told] == names
    if told:
        assert "1 lot or bin counted earlier on the day of the last count is not in its later rows" in told[0].text(
            "en"
        )
