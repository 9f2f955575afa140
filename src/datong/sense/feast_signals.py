"""How holidays moved orders: the days of a feast against the same weekdays of the weeks around it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np

from datong.ledger.columns import as_day, day_number
from datong.ledger.state import State
from datong.model.flow import WHOLE_CHAIN, BoolArray, FloatArray, IntArray, SeriesSet, Signal, Subject
from datong.model.words import Message, message
from datong.sense.change_found import Found, Shown, about, direction, found, percent, times, who
from datong.sense.holidays import Feast, feasts, holidays_between
from datong.sense.series import SaleRows
from datong.statistics.odd_blocks import BASELINE_BLOCKS_MIN, one_block, usual_level

# A feast this sure over the chain or a category is looked for in every item; it explains its buckets when it moves at
# least this share of a usual week.
FEAST_SURE = 0.01
WEEK_SHARE = 0.25
# An item's or a category's own effect is told where it differs by this much from that of the wider group.
SHARE_APART = 0.25
# A weekday with at least this share of all units has orders; with fewer such weekdays sales are dated by the week.
WEEKDAY_SHARE, WEEKDAYS_MIN = 0.02, 3


@dataclass(frozen=True)
class Window:
    """Order days of a feast, and the same weekdays whole weeks away, as often as its length needs.
    length, step: days of a window, and from one to the next.

    starts: first day of every window; starts[at] is the feast's own. quiet: (window) touches no feast.
    """

    feast: Feast
    length: int
    step: int
    starts: tuple[date, ...]
    at: int
    quiet: BoolArray

    @property
    def first(self) -> date:
        return self.starts[self.at]

    @property
    def last(self) -> date:
        return self.first + timedelta(days=self.length - 1)


def feast_effects(
    state: State, sales: SaleRows, item: IntArray, series: SeriesSet, prices: FloatArray, assumed: BoolArray
) -> tuple[list[Found], BoolArray]:
    """Tests of every feast within the records, and the closed buckets (bucket) that sure ones explain.

    item: (sale row) position in the series' items. Each feast is tested on all items together and on every category,
    and a sure one on every item. assumed: (item, bucket) those that were not measured: a feast in a bucket that mostly
    was not is not tested.
    """
    unmeasured = _mostly(assumed, series.sold_units)
    explained = np.zeros(len(series.bucket_starts), bool)
    tests: list[Found] = []
    if not len(item):
        return tests, explained
    category = np.array(series.category)
    categories = sorted(set(series.category) - {""})
    categories = categories if len(categories) > 1 else []
    groups = [(WHOLE_CHAIN, np.arange(len(series.items)))]
    groups += [(Subject("category", c), np.flatnonzero(category == c)) for c in categories]
    single = [(about(one), np.array([i])) for i, one in enumerate(series.items)]
    usual_week = float(np.median(series.sold_units.sum(axis=0))) * 7 / state.settings.calendar.bucket_days
    for window in feast_windows(state, sales):
        first, last = _buckets(state, window)
        own = np.array([first <= b <= last for b in series.bucket_starts], bool)
        if (own & unmeasured).any():
            continue
        wide = _tests(state, sales, item, window, groups, prices)
        tests += wide
        if any(t.p_value <= FEAST_SURE for t in wide):
            tests += _tests(state, sales, item, window, single, prices)
            if abs(wide[0].signal.effect_units) >= WEEK_SHARE * usual_week:
                explained |= own
    return tests, explained


def _mostly(assumed: BoolArray, sold: FloatArray) -> BoolArray:
    """(bucket) whether the days of at least half of its units are assumed."""
    units = np.where(assumed, sold, 0.0).sum(axis=0)
    return assumed.any(axis=0) & (2.0 * units >= sold.sum(axis=0))


def told_once(tests: Sequence[Found], series: SeriesSet) -> list[Found]:
    """Without feast signals of categories and items that say no more than a wider one of the same feast."""
    shown = {(_feast_of(t.signal), t.signal.subject): t.signal for t in tests if t.signal.kind == "calendar"}
    category = {item.product: c for item, c in zip(series.items, series.category, strict=True)}

    def says_more(test: Found) -> bool:
        one = test.signal
        if one.kind != "calendar" or one.subject == WHOLE_CHAIN:
            return True
        wider = [WHOLE_CHAIN]
        if one.subject.kind == "product":
            wider.insert(0, Subject("category", category[one.product]))
        above = next((s for w in wider if (s := shown.get((_feast_of(one), w)))), None)
        return above is None or abs(one.effect_share - above.effect_share) >= SHARE_APART

    return [t for t in tests if says_more(t)]


def _feast_of(signal: Signal) -> str:
    """First day of the feast of a calendar signal, with which its id ends."""
    return signal.signal[-len("2000-01-01") :]


def feast_windows(state: State, sales: SaleRows) -> list[Window]:
    """A window for every feast of the chain's country that lies within the days with records."""
    first_day, last_day = as_day(sales.ordered_day.min()), state.today - timedelta(days=1)
    listed = feasts(holidays_between(state.settings.country, first_day, last_day))
    whole_weeks = _dated_by_week(sales)
    windows = []
    for feast in listed:
        first, last = feast.first, feast.last
        if whole_weeks:
            first -= timedelta(days=first.weekday())
            last += timedelta(days=6 - last.weekday())
        if first < first_day or last > last_day:
            continue
        length = (last - first).days + 1
        step = -(-length // 7) * 7
        before, after = (first - first_day).days // step, (last_day - last).days // step
        starts = tuple(first + timedelta(days=step * k) for k in range(-before, after + 1))
        quiet = np.array([not _touches(s, length, listed) for s in starts])
        if quiet.sum() < BASELINE_BLOCKS_MIN:
            quiet[:] = True  # a calendar full of feasts: every other window measures the noise
        windows.append(Window(feast, length, step, starts, before, quiet))
    return windows


def _dated_by_week(sales: SaleRows) -> bool:
    by_weekday = np.bincount(sales.ordered_day % 7, sales.units, 7)
    return int((by_weekday > WEEKDAY_SHARE * by_weekday.sum()).sum()) < WEEKDAYS_MIN


def _touches(start: date, length: int, listed: Sequence[Feast]) -> bool:
    end = start + timedelta(days=length - 1)
    return any(f.first <= end and start <= f.last for f in listed)


def _buckets(state: State, window: Window) -> tuple[date, date]:
    """First and last bucket concerned: from the feast's first day to the day on which its last day's orders are due."""
    calendar, promise = state.settings.calendar, timedelta(days=state.settings.promise_days)
    return calendar.bucket_start(window.first), calendar.bucket_start(window.last + promise)


def _tests(
    state: State,
    sales: SaleRows,
    item: IntArray,
    window: Window,
    groups: Sequence[tuple[Subject, IntArray]],
    prices: FloatArray,
) -> list[Found]:
    """The test of one feast on each group of items that has enough history."""
    by_item = window_units(sales, item, len(prices), window)
    units = np.stack([by_item[members].sum(axis=0) for _, members in groups])
    change, usual = one_block(units, window.at, window.quiet), usual_level(units)[0][:, window.at]
    calendar = state.settings.calendar
    span = _buckets(state, window)
    days = (day_number(span[0]), day_number(span[1]) + calendar.bucket_days - 1)
    result: list[Found] = []
    for g, (one, members) in enumerate(groups):
        if np.isnan(change.p_value[g]):
            continue
        levels = (float(usual[g]), float(units[g, window.at]))
        name = f"calendar-{_named(one)}-{one.market}-{window.first.isoformat()}"
        text = _text(window, one, levels)
        test, shown = (change.strength[g], change.p_value[g]), Shown(members, days, prices[members])
        result.append(found(name, "calendar", one, span, levels, test, text, shown))
    return result


def window_units(sales: SaleRows, item: IntArray, item_count: int, window: Window) -> FloatArray:
    """(item, window) units ordered within each window's days."""
    windows = len(window.starts)
    since = sales.ordered_day - day_number(window.starts[0])
    at = since // window.step
    inside = (at >= 0) & (at < windows) & (since % window.step < window.length)
    flat = item[inside] * windows + at[inside]
    return np.bincount(flat, sales.units[inside], item_count * windows).reshape(item_count, windows).astype(np.float64)


def _named(one: Subject) -> str:
    """A subject as an id has it."""
    return f"category:{one.name}" if one.kind == "category" else one.name


def _text(window: Window, one: Subject, levels: tuple[float, float]) -> Message:
    way = "none" if levels[1] < levels[0] and percent(*levels) == "100%" else direction(*levels)
    return message(
        f"sense.calendar_{way}",
        holiday=message("sense.holiday", english=window.feast.name, chinese=window.feast.name_zh),
        days=window.first if window.length == 1 else message("sense.days", first=window.first, last=window.last),
        who=who(one),
        percent=percent(*levels),
        times=times(*levels),
    )
