"""What changed in demand, how sure we are, and which rows say so.

Lasting changes of level are watched for along the whole history, so that looking again raises no new alarms
(level_changes.py): of those of a year at most FALSE_ALARM_SHARE are expected to be accident. Whatever else is
looked for is a test with a p-value: of an item the one oddest week, more returns per unit sold, more reviews that blame
an aspect; of a value of an attribute its share of what buyers choose; of a holiday its days against the same weekdays
around, over the chain and over each category. These tests of a run together are held to TEST_SHARE by Benjamini and
Hochberg (1995): of the signals that they show at most that share is expected to be accident, and where nothing changed
at most that share of runs shows any. See statistics/odd_blocks.py and rates.py for each test and its source.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from datong.ledger.columns import local_days, pairs
from datong.ledger.large_tables import parts, taken
from datong.ledger.state import State
from datong.model.flow import WHOLE_CHAIN, FloatArray, Item, Sensed, SeriesSet, Signal
from datong.network.finding_decisions import Decision, decision_about, decisions
from datong.sense import feast_signals
from datong.sense.assumed_days import assumed_days
from datong.sense.attribute_findings import attribute_findings, is_worth_a_word
from datong.sense.attribute_shares import attribute_shares, outlooks
from datong.sense.change_found import Found, by_name, named
from datong.sense.complaints import complaints
from datong.sense.evidence_rows import EventRows, best_rows
from datong.sense.interest_leads_sales import leading
from datong.sense.level_changes import WEEK_DAYS, level_changes
from datong.sense.odd_weeks import odd_weeks
from datong.sense.prices_ahead import prices_ahead
from datong.sense.returns_rise import returns_rise
from datong.sense.series import rows_of_sales, sale_rows, series_of_sales
from datong.sense.stated_changes import stated
from datong.statistics.false_discovery import false_discovery_q
from datong.statistics.odd_blocks import NEIGHBOURS

# Share of the signals of tests that may be false alarms; of changes of level at most FALSE_ALARM_SHARE.
TEST_SHARE = 0.05


def sense(state: State) -> Sensed:
    """Demand series and signals as known at the state's moment, each with what was decided about it.

    Signals are within these shares and ordered by their effect in money (units x price; the default price
    where none is known), then by id; what people say will change (stated_changes.py), prices and promotions
    known ahead (prices_ahead.py) and what runs ahead of sales (interest_leads_sales.py) stand before them. Holidays are
    looked for first, and the buckets that they explain are left out of the tests of items, so that a feast is told
    once. Evidence is the EVIDENCE_ROWS rows with most units, by row_id.
    """
    made = decisions(state)
    found = _sensed(state, made)
    found = replace(found, signals=named(found.signals, state))
    if not made:
        return found
    about = [decision_about(signal, made) for signal in found.signals]
    signals = [s if d is None else replace(s, decision=d.state) for s, d in zip(found.signals, about, strict=True)]
    return replace(found, signals=tuple(signals))


def _sensed(state: State, made: tuple[Decision, ...]) -> Sensed:
    sales = sale_rows(state)
    series = series_of_sales(state, sales)
    if not series.bucket_starts or not series.items:
        return Sensed(series, *stated(state, series, made))
    prices = _prices(state, series.items)
    at = {item: i for i, item in enumerate(series.items)}
    own = np.array([at[item] for item in sales.items], np.int64)
    item = own[sales.item]
    assumed = assumed_days(state, series.items, series.bucket_starts, series.sold_units)
    tests, explained = feast_signals.feast_effects(state, sales, item, series, prices, assumed)
    bucket_days = state.settings.calendar.bucket_days
    tests += odd_weeks(series, explained, bucket_days, prices, assumed)
    tests += returns_rise(state, series, prices)
    tests += complaints(state, series, prices)
    shares = attribute_shares(state, series, explained)
    attributes = () if shares is None else outlooks(shares)
    tests += [] if shares is None else attribute_findings(shares, attributes, series, prices, by_name(state))
    q_values = false_discovery_q([t.p_value for t in tests])
    shown = [
        replace(t, signal=replace(t.signal, q_value=float(q)))
        for t, q in zip(tests, q_values, strict=True)
        if q <= TEST_SHARE and is_worth_a_word(t)
    ]
    shown += level_changes(series, explained, bucket_days, prices, assumed)
    shown = _without_echo(feast_signals.told_once(shown, series))
    shown.sort(key=lambda t: (-t.value, t.signal.signal))
    said, adjustments = stated(state, series, made)
    priced, by_price = prices_ahead(state, series, sales, made)
    ahead, led = leading(state, series, made)
    changes = _with_evidence(state, series, shown)
    return Sensed(series, (*said, *priced, *ahead, *changes), (*adjustments, *by_price, *led), attributes)


def _prices(state: State, items: Sequence[Item]) -> FloatArray:
    """(item) price, or the default one."""
    rows = state.table("products").select(["product", "price"]).to_pydict()
    price = {p: v for p, v in zip(rows["product"], rows["price"], strict=True) if v is not None}
    return np.array([price.get(i.product, state.settings.defaults.price) for i in items], np.float64)


def _without_echo(shown: Sequence[Found]) -> list[Found]:
    """Without what is told twice.

    An odd week at the step of a change of the same item, whose neighbours are half of the old and half of the new
    level; a category that changes as the whole chain does, at the same time to the same side; a category or the chain
    of whose change single items that are told make up half.
    """
    changes = [t for t in shown if t.signal.since is not None]
    levels = {t.signal.subject: t.signal for t in changes}

    def beside(one: Signal, other: Signal) -> bool:
        near = abs((one.first - other.first).days) <= NEIGHBOURS * WEEK_DAYS
        return near and (one.kind == "anomaly" or one.effect_units * other.effect_units > 0)

    def echo(test: Found) -> bool:
        one = test.signal
        if one.kind == "anomaly":
            return one.subject in levels and beside(one, levels[one.subject])
        if one.since is None or one.subject.kind == "product":
            return False
        if one.subject != WHOLE_CHAIN and WHOLE_CHAIN in levels and beside(one, levels[WHOLE_CHAIN]):
            return True
        members = set(test.items.tolist())
        parts = [t.signal for t in changes if t.signal.subject.kind == "product" and int(t.items[0]) in members]
        return sum(p.effect_units for p in parts if beside(one, p)) / one.effect_units >= 0.5

    return [t for t in shown if not echo(t)]


def _with_evidence(state: State, series: SeriesSet, shown: Sequence[Found]) -> tuple[Signal, ...]:
    """The signals with the row_ids that show them: the rows of their items in their days.

    Where there are none, since nobody bought, the last rows before those days show it.
    """
    wanted = {name: [t for t in shown if not t.signal.evidence and t.signal.evidence_table == name] for name in _PARTS}
    found: dict[str, tuple[str, ...]] = {}
    for name, own in wanted.items():
        best = best_rows(_PARTS[name](state, series.items), own) if own else []
        rows = np.unique(np.concatenate(best)) if best else np.zeros(0, np.int64)
        ids = dict(zip(rows.tolist(), taken(state.table(name)["row_id"], rows).to_pylist(), strict=True))
        for test, of_test in zip(own, best, strict=True):
            found[test.signal.signal] = tuple(sorted(ids[row] for row in of_test.tolist()))
    return tuple(t.signal if t.signal.evidence else replace(t.signal, evidence=found[t.signal.signal]) for t in shown)


def _parts_of_sales(state: State, items: Sequence[Item]) -> Iterator[EventRows]:
    for part in rows_of_sales(state, items):
        day = part.ordered_day + state.settings.promise_days
        yield EventRows(part.item, day, part.rows["units"].to_numpy(), part.row)


def _parts_of_returns(state: State, items: Sequence[Item]) -> Iterator[EventRows]:
    at = {one: i for i, one in enumerate(items)}
    begin = 0
    for rows in parts(state.table("returns"), ("happened_at", "product", "market", "units")):
        of, found = pairs(rows["product"], rows["market"])
        item = np.array([at.get(Item(*pair), -1) for pair in found], np.int64)[of]
        yield EventRows(item, local_days(rows, state), rows["units"].to_numpy(), np.arange(rows.num_rows) + begin)
        begin += rows.num_rows


# By event table, its rows with the place of their item among some, a part of the table at a time.
_PARTS = {"sales": _parts_of_sales, "returns": _parts_of_returns}
