"""What changed in demand, how sure we are, and which rows say so.

Lasting changes of level are watched for along the whole history, so that looking again raises no new alarms
(level_changes.py): of those of a year at most FALSE_ALARM_SHARE are expected to be accident. Whatever else is
looked for is a test with a p-value: of an item the one oddest week, more returns per unit sold, more reviews that blame
an aspect; of a value of an attribute its share of what buyers choose; of a holiday its days against the same weekdays
around, over the chain and over each category. These tests of a run together are held to TEST_SHARE by Benjamini and
Hochberg (1995): of the signals that they show at most that share is expected to be accident, and where nothing changed
at most that share of runs shows any. See statistics/changes.py and rates.py for each test and its source.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pyarrow as pa

from datong.ledger.columns import local_days
from datong.ledger.state import State
from datong.model.flow import EVIDENCE_ROWS, WHOLE_CHAIN, FloatArray, IntArray, Item, Sensed, SeriesSet, Signal
from datong.network.finding_decisions import Decision, decision_about, decisions
from datong.sense import feast_signals
from datong.sense.attribute_findings import attribute_findings, is_worth_a_word
from datong.sense.attribute_shares import attribute_shares, outlooks
from datong.sense.complaints import complaints
from datong.sense.found import Found, by_name, named
from datong.sense.interest_leads_sales import leading
from datong.sense.level_changes import WEEK_DAYS, level_changes
from datong.sense.odd_weeks import odd_weeks
from datong.sense.prices_ahead import prices_ahead
from datong.sense.returns_rise import returns_rise
from datong.sense.series import SaleRows, sale_rows, series_of_sales
from datong.sense.stated_demand import stated
from datong.statistics.changes import NEIGHBOURS
from datong.statistics.false_discovery import false_discovery_q

# Share of the signals of tests that may be false alarms; of changes of level at most FALSE_ALARM_SHARE.
TEST_SHARE = 0.05


def sense(state: State) -> Sensed:
    """Demand series and signals as known at the state's moment, each with what was decided about it.

    Signals are within these shares and ordered by their effect in money (units x price; the default price
    where none is known), then by id; what people say will change (stated_demand.py), prices and promotions
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
    tests, explained = feast_signals.feast_effects(state, sales, item, series, prices)
    bucket_days = state.settings.calendar.bucket_days
    tests += odd_weeks(series, explained, bucket_days, prices)
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
    shown += level_changes(series, explained, bucket_days, prices)
    shown = _without_echo(feast_signals.told_once(shown, series))
    shown.sort(key=lambda t: (-t.value, t.signal.signal))
    said, adjustments = stated(state, series, made)
    priced, by_price = prices_ahead(state, series, sales, made)
    ahead, led = leading(state, series, made)
    changes = _with_evidence(state, sales, item, series, shown)
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


def _with_evidence(
    state: State, sales: SaleRows, item: IntArray, series: SeriesSet, shown: Sequence[Found]
) -> tuple[Signal, ...]:
    """The signals with the row_ids that show them: the rows of their items in their days.

    Where there are none, since nobody bought, the last rows before those days show it.
    """
    if not shown:
        return ()
    returns = state.table("returns").select(["happened_at", "product", "market", "units"])
    at = {one: i for i, one in enumerate(series.items)}
    pairs = zip(returns["product"].to_pylist(), returns["market"].to_pylist(), strict=True)
    tables = {
        "sales": _Rows(state.table("sales")["row_id"], item, sales.due_day, sales.units, sales.row),
        "returns": _Rows(
            state.table("returns")["row_id"],
            np.array([at.get(Item(p, m), -1) for p, m in pairs], np.int64),
            local_days(returns, state),
            returns["units"].to_numpy(),
            np.arange(returns.num_rows),
        ),
    }
    nothing = np.zeros(0, np.int64)
    rows = [nothing if t.signal.evidence else tables[t.signal.evidence_table].rows_of(t) for t in shown]
    ids: dict[tuple[str, int], str] = {}  # looked up all at once: one by one is dear
    for name, table in tables.items():
        own = [r for t, r in zip(shown, rows, strict=True) if t.signal.evidence_table == name]
        wanted = np.unique(np.concatenate(own)) if own else np.zeros(0, np.int64)
        ids |= {(name, row): i for row, i in zip(wanted.tolist(), table.row_id.take(wanted).to_pylist(), strict=True)}
    signals = []
    for test, of_test in zip(shown, rows, strict=True):
        if test.signal.evidence:
            signals.append(test.signal)
            continue
        evidence = tuple(sorted(ids[test.signal.evidence_table, row] for row in of_test.tolist()))
        signals.append(replace(test.signal, evidence=evidence))
    return tuple(signals)


class _Rows:
    """Rows of one event table, sorted by item for quick look-up."""

    def __init__(
        self, row_id: pa.ChunkedArray, item: IntArray, day: IntArray, units: FloatArray, row: IntArray
    ) -> None:
        order = np.lexsort((row, item))
        self.row_id, self.item, self.day = row_id, item[order], day[order]
        self.units, self.row = units[order], row[order]

    def rows_of(self, test: Found) -> IntArray:
        """The rows of the table that show a signal best."""
        first, last = test.days
        members = np.sort(test.items)
        starts, ends = np.searchsorted(self.item, members), np.searchsorted(self.item, members, side="right")
        of_items = np.concatenate([np.arange(a, b) for a, b in zip(starts, ends, strict=True)])
        day = self.day[of_items]
        inside = of_items[(day >= first) & (day <= last)]
        if not len(inside):
            before = of_items[day < first]
            inside = before[np.argsort(-self.day[before], kind="stable")][:EVIDENCE_ROWS]
        most = inside[np.lexsort((self.row[inside], -self.units[inside]))][:EVIDENCE_ROWS]
        return self.row[most]
