"""Demand of the products: what was sold, what is expected with its interval, what moves it, and a planner's own hand.

An edit of the forecast is a row of `demand_adjustments`: it moves the next plan by the same door as a promotion does,
and is held against what was then sold like any other (`accuracy`).
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from datong.app.branch_changes import as_cell
from datong.app.chain import Chain
from datong.app.service.database_note import Note
from datong.app.service.grids import Piece, Wanted, piece
from datong.app.service.last_run import LastRun, last_run, read_last_run
from datong.app.service.roles_and_permissions import Permission, Who
from datong.app.service.served_chain import Served
from datong.app.service.sorted_rows import rows_with
from datong.ledger.row_checks import nearest_hint
from datong.ledger.row_ids import keyed_row_id
from datong.ledger.state import State
from datong.model.calendar import Calendar
from datong.model.errors import NotFound, Refused
from datong.model.tables import ACTED_AT, BESIDE, tables
from datong.model.words import Message, message
from datong.network.demand_statements import Statement, statements
from datong.network.forecast_netting import parts_ordered
from datong.network.netting_told import part_words
from datong.questions.tables_out import message_of

TABLE = "demand_adjustments"
# How the keys of edits begin that were made in a grid of the forecast: one edit for each product, market and bucket.
HAND = "hand"
# Closed buckets that "of late" means.
RECENT = 8
# Runs whose forecasts are held against what came.
RUNS_READ = 104
READ = ("series", "forecast", "adjustments", "signals", "demand", "products", "netting")
STATED = ("products", "promotions", TABLE, "decisions")
_KEY = ["product", "market"]


@dataclass(frozen=True, eq=False)
class ItemDemand:
    """Demand of one product in one market, in units of the product.

    run, as_of, made_at: of the last run, as LastRun. history: bucket, units (what would have been sold),
    sold_units, availability. forecast: bucket, mean_units, q10_units, q50_units, q90_units as the last run has
    them, machine_units (expected without the planner's edit of the bucket), edited_units (what that edit makes of
    it, also where the run does not have it yet; null: there is none), known_ahead_units, and forecast_units and
    ordered_units: before firm orders were part of it, and the part that they are (null: none). ordered: the same by
    bucket, with the orders. method: how it was made, a code. signals: what was found or said of it; statements:
    what people say will change it. markets: of the product.
    """

    run: str
    as_of: datetime
    made_at: datetime | None
    product: str
    name: str
    unit: str
    market: str
    markets: tuple[str, ...]
    history: pa.Table
    forecast: pa.Table
    method: str
    signals: tuple["ShownSignal", ...]
    statements: tuple["Told", ...]
    ordered: tuple["OrderedPart", ...] = ()


@dataclass(frozen=True)
class OrderedPart:
    """The part of the forecast of a bucket that is firm orders. bucket: its first day. forecast_units, units: of the
    forecast before, and of it those that are orders. orders: their keys. text: it in words."""

    bucket: date
    forecast_units: float
    units: float
    orders: tuple[str, ...]
    text: Message


@dataclass(frozen=True)
class ShownSignal:
    """A signal of the last run. first, last: first days of its buckets. effect_share: of usual demand, if known.
    decision: 'taken', 'dismissed' or ''."""

    signal: str
    kind: str
    first: date
    last: date
    effect_share: float | None
    text: Message
    decision: str


@dataclass(frozen=True)
class Told:
    """What somebody says will change demand. edit: its row id. kind: promotion, adjustment or taken. first, last: days.
    change, low, high: shares of usual demand. by, why: '' where not told. at: since when it is known, by the chain's
    clock; acted_at: when it was said, by that of the world, None where that is not noted. is_hand: an edit
    of the forecast that can be taken back. signal: its id among the signals of a run."""

    edit: str
    kind: str
    product: str
    market: str | None
    first: date
    last: date
    change: float
    low: float
    high: float
    by: str
    why: str
    at: datetime
    acted_at: datetime | None
    is_hand: bool
    signal: str

    @property
    def version(self) -> str:
        """Tells whether somebody has edited it since."""
        return self.at.isoformat()


@dataclass(frozen=True)
class Edited:
    """An edit that was made. change: share of what the machine expects. machine_units, units: of the bucket, without it
    and with it."""

    edit: str
    product: str
    market: str
    bucket: date
    change: float
    machine_units: float
    units: float


@dataclass(frozen=True)
class Bucket:
    """Where a forecast is edited. first: its first day."""

    product: str
    market: str
    first: date


# reading -----------------------------------------------------------------------------------------


def items(served: Served, who: Who, wanted: Wanted = Wanted()) -> Piece:  # noqa: B008 - a frozen value
    """A line for each product and market: item (the key), product, name, base_unit, market, sold_units and
    expected_units (a bucket, of late and over the horizon), change_share, method, signals and edits (how many).

    Raises NotFound where there is no run.
    """
    who.require(Permission.SEE_DEMAND)
    return piece(served.chain_thread.kept("demand.items", _items, of=STATED), "item", wanted)


def _items(chain: Chain) -> pa.Table:
    run = read_last_run(chain, READ)
    stated = statements(chain.state(names=STATED))
    series, forecast, products = (run.tables[name] for name in ("series", "forecast", "products"))
    starts = pc.unique(series["bucket"]).sort()[-RECENT:]
    recent = series.filter(pc.is_in(series["bucket"], starts))
    sold = recent.group_by(_KEY, use_threads=False).aggregate([("units", "mean")])
    expected = forecast.group_by(_KEY, use_threads=False).aggregate([("mean_units", "mean"), ("method", "min")])
    table = expected.join(sold, _KEY).join(products.select(["product", "name", "base_unit"]), "product")
    table = table.sort_by([(name, "ascending") for name in _KEY])
    units, was = table["mean_units_mean"], table["units_mean"]
    signals = _counted([(r["product"], r["market"]) for r in run.tables["signals"].select(_KEY).to_pylist()])
    told = _counted([(s.product, s.market) for s in stated])
    keys = list(zip(table["product"].to_pylist(), table["market"].to_pylist(), strict=True))
    return pa.table(
        {
            "item": pa.array([f"{product}|{market}" for product, market in keys], pa.string()),
            "product": table["product"],
            "name": table["name"],
            "base_unit": table["base_unit"],
            "market": table["market"],
            "sold_units": was,
            "expected_units": units,
            "change_share": pc.if_else(pc.greater(was, 0.0), pc.subtract(pc.divide(units, was), 1.0), None),
            "method": table["method_min"],
            "signals": pa.array([_of_item(signals, *key) for key in keys], pa.int64()),
            "edits": pa.array([_of_item(told, *key) for key in keys], pa.int64()),
        }
    )


def _counted(keys: Sequence[tuple[str | None, str | None]]) -> Mapping[tuple[str | None, str], int]:
    counts: dict[tuple[str | None, str], int] = {}
    for product, market in keys:
        at = (product, market or "all")
        counts[at] = counts.get(at, 0) + 1
    return counts


def _of_item(counts: Mapping[tuple[str | None, str], int], product: str, market: str) -> int:
    """Of the item itself, and of its product in every market."""
    return counts.get((product, market), 0) + (counts.get((product, "all"), 0) if market != "all" else 0)


def item(served: Served, who: Who, product: str, market: str | None = None) -> ItemDemand:
    """Demand of a product in a market (None: the one with the most expected units). Raises NotFound for one that the
    last run does not know, or where there is no run."""
    who.require(Permission.SEE_DEMAND)
    run = last_run(served, READ)
    own = {
        name: rows_with(run.tables[name], "product", product)
        for name in ("series", "forecast", "adjustments", "demand")
    }
    if not own["forecast"].num_rows:
        hint = nearest_hint(product, run.tables["products"]["product"].to_pylist())
        raise NotFound(message("served.demand.no_product", product=product, hint=hint))
    by_market = own["forecast"].group_by("market", use_threads=False).aggregate([("mean_units", "sum")])
    ranked = by_market.sort_by([("mean_units_sum", "descending"), ("market", "ascending")])["market"].to_pylist()
    if market is not None and market not in ranked:
        raise NotFound(message("served.demand.no_market", market=market, product=product, markets=", ".join(ranked)))
    market = ranked[0] if market is None else market
    own = {name: table.filter(pc.equal(table["market"], market)) for name, table in own.items()}
    told = tuple(
        one for one in _told(served) if one.product == product and (one.market is None or one.market == market)
    )
    names = rows_with(run.tables["products"], "product", product).to_pylist()
    ordered = _ordered(run, product, market, served.chain_thread.settings.calendar)
    return ItemDemand(
        run=run.run,
        as_of=run.as_of,
        made_at=run.made_at,
        product=product,
        name=(names[0]["name"] or "") if names else "",
        unit=(names[0]["base_unit"] or "") if names else "",
        market=market,
        markets=tuple(sorted(ranked)),
        history=own["series"].select(["bucket", "units", "sold_units", "availability"]).sort_by("bucket"),
        forecast=_expected(own, told, ordered, served.chain_thread.settings.calendar.bucket_days),
        method=own["forecast"]["method"][0].as_py(),
        signals=_signals(run, product, market),
        statements=told,
        ordered=ordered,
    )


def _ordered(run: LastRun, product: str, market: str, calendar: Calendar) -> tuple[OrderedPart, ...]:
    """Which part of the forecast of an item is firm orders, by bucket."""
    if "netting" not in run.tables:  # of an earlier version
        return ()
    rows = rows_with(run.tables["netting"], "product", product)
    parts = parts_ordered(rows.filter(pc.equal(rows["market"], market)))
    return tuple(
        OrderedPart(
            bucket,
            part.forecast_units,
            part.units,
            tuple(name for name, _ in part.orders),
            part_words(bucket, part, calendar.unit),
        )
        for (_, _, bucket), part in parts.items()
    )


def _expected(
    own: Mapping[str, pa.Table], told: Sequence[Told], ordered: Sequence[OrderedPart], bucket_days: int
) -> pa.Table:
    of_bucket = {part.bucket: part for part in ordered}
    rows = own["forecast"].sort_by("bucket")
    starts = rows["bucket"].to_pylist()
    known = {r["bucket"]: r["known_ahead_units"] for r in own["demand"].to_pylist()}
    hand = {start: _of_bucket(told, start, bucket_days) for start in starts}
    machine = [
        _machine(mean, own["adjustments"], start)
        for start, mean in zip(starts, rows["mean_units"].to_pylist(), strict=True)
    ]
    edited = [
        units * (1.0 + one.change) if (one := hand[start]) is not None else None
        for start, units in zip(starts, machine, strict=True)
    ]
    return pa.table(
        {
            "bucket": rows["bucket"],
            **{name: rows[name] for name in ("mean_units", "q10_units", "q50_units", "q90_units")},
            "machine_units": pa.array(machine, pa.float64()),
            "edited_units": pa.array(edited, pa.float64()),
            "known_ahead_units": pa.array([known.get(start) for start in starts], pa.float64()),
            "forecast_units": pa.array(
                [of_bucket[start].forecast_units if start in of_bucket else None for start in starts], pa.float64()
            ),
            "ordered_units": pa.array(
                [of_bucket[start].units if start in of_bucket else None for start in starts], pa.float64()
            ),
        }
    )


def forecast_rows(chain: Chain) -> pa.Table:
    """The forecast of all products and markets, a row a bucket, with what was made of it by hand: row_key (the key),
    product, name, market, base_unit, bucket, q10_units, q90_units, mean_units (of the last run), machine_units (without
    the hand edit), edited_units, by, reason. Raises NotFound where there is no run."""
    run = read_last_run(chain, READ)
    rows = run.tables["forecast"].sort_by([(name, "ascending") for name in (*_KEY, "bucket")])
    products = run.tables["products"]
    at = pc.index_in(rows["product"], products["product"].combine_chunks())
    days = chain.settings.calendar.bucket_days
    hand = {
        (one.product, one.market, one.first): one
        for one in read_told(chain.state(names=STATED))
        if one.is_hand and one.last == one.first + timedelta(days=days - 1)
    }
    moved: dict[tuple[str, str, date], list[Mapping[str, Any]]] = {}
    for row in run.tables["adjustments"].to_pylist():
        moved.setdefault((row["product"], row["market"], row["bucket"]), []).append(row)
    keys = list(zip(*(rows[name].to_pylist() for name in (*_KEY, "bucket")), strict=True))
    machine = [
        _without_hand(mean, moved.get(key, ())) for key, mean in zip(keys, rows["mean_units"].to_pylist(), strict=True)
    ]
    told = [hand.get(key) for key in keys]
    edited = [None if one is None else units * (1.0 + one.change) for one, units in zip(told, machine, strict=True)]
    return pa.table(
        {
            "row_key": pa.array([f"{product}|{market}|{first}" for product, market, first in keys], pa.string()),
            "product": rows["product"],
            "name": products["name"].take(at),
            "market": rows["market"],
            "base_unit": products["base_unit"].take(at),
            **{name: rows[name] for name in ("bucket", "q10_units", "q90_units", "mean_units")},
            "machine_units": pa.array(machine, pa.float64()),
            "edited_units": pa.array(edited, pa.float64()),
            "by": pa.array([None if one is None else one.by for one in told], pa.string()),
            "reason": pa.array([None if one is None else one.why for one in told], pa.string()),
        }
    )


def hand_edit(served: Served, who: Who, place: Bucket) -> Told | None:
    """The edit that a bucket has."""
    who.require(Permission.SEE_DEMAND)
    days = served.chain_thread.settings.calendar.bucket_days
    own = [one for one in _told(served) if (one.product, one.market) == (place.product, place.market)]
    return _of_bucket(own, place.first, days)


def _of_bucket(told: Sequence[Told], start: date, bucket_days: int) -> Told | None:
    """The hand edit of a bucket."""
    last = start + timedelta(days=bucket_days - 1)
    return next((one for one in told if one.is_hand and (one.first, one.last) == (start, last)), None)


def _machine(mean_units: float, adjustments: pa.Table, bucket: date) -> float:
    """Units that a run expects of a bucket without the hand edit that it has: the forecast without adjustments times
    the middle factors of the other ones.

    Example: 100 units without adjustments, a promotion of 1.2 and an edit of 1.5: 120.
    """
    return _without_hand(mean_units, [row for row in adjustments.to_pylist() if row["bucket"] == bucket])


def _without_hand(mean_units: float, rows: Sequence[Mapping[str, Any]]) -> float:
    """As `_machine`. rows: the adjustments of the bucket."""
    if not any(is_hand_signal(row["signal"]) for row in rows):
        return mean_units
    others = [row["factor"] for row in rows if not is_hand_signal(row["signal"])]
    return float(rows[0]["unadjusted_units"] * np.prod(others))


def is_hand_signal(signal: str) -> bool:
    """Whether a signal of a run is an edit of the forecast."""
    return signal.startswith(f"adjustment-{HAND}-")


def _signals(run: LastRun, product: str, market: str) -> tuple[ShownSignal, ...]:
    rows = rows_with(run.tables["signals"], "product", product).to_pylist()
    return tuple(
        ShownSignal(
            r["signal"],
            r["kind"],
            r["first"],
            r["last"],
            r["effect_share"],
            message_of(r["text_key"], r["text_params"]),
            r["decision"] or "",
        )
        for r in rows
        if r["market"] in ("all", market)
    )


def edits(served: Served, who: Who) -> tuple[Told, ...]:
    """All that people say will change demand, by first day: promotions, edits, and what was taken with findings."""
    who.require(Permission.SEE_DEMAND)
    return _told(served)


def _told(served: Served) -> tuple[Told, ...]:
    return served.chain_thread.kept("demand.told", lambda chain: read_told(chain.state(names=STATED)), of=STATED)


def read_told(state: State) -> tuple[Told, ...]:
    """Of a state in hand."""
    known = {row["row_id"]: row for name in (TABLE, "promotions", "decisions") for row in state.table(name).to_pylist()}
    found = [_as_told(one, known[one.row_id]) for one in statements(state)]
    return tuple(sorted(found, key=lambda one: (one.first, one.product, one.market or "", one.edit)))


def _as_told(one: Statement, row: Mapping[str, Any]) -> Told:
    return Told(
        edit=one.row_id,
        kind=one.kind,
        product=one.product,
        market=one.market,
        first=one.first,
        last=one.last,
        change=one.change,
        low=one.low,
        high=one.high,
        by=row.get("stated_by") or row.get("decided_by") or "",
        why=row.get("reason") or "",
        at=row["known_at"],
        acted_at=row.get(ACTED_AT),
        is_hand=one.table == TABLE and one.key.startswith(f"{HAND}-"),
        signal=one.signal,
    )


# editing -----------------------------------------------------------------------------------------


def edit_forecast(
    served: Served,
    who: Who,
    product: str,
    market: str,
    bucket: date,
    units: float,
    *,
    why: str = "",
    seen: str | None = None,
) -> Edited:
    """Say what a product will sell in an open bucket, in units. It stands until it is taken back; a second edit of the
    bucket takes the place of the first. The next plan goes by it.

    The edit is kept as a share of what the last run expects without it, so that it means the same when the machine's
    forecast moves. seen: the version of the edit that whoever edits has before them ('': there was none; None: it does
    not matter). Raises NotFound as `item`; Refused for a bucket that the run did not forecast, for demand that is
    given, where nothing is expected that could be more or less, for units that are no number or below 0, and where
    somebody else has edited the bucket meanwhile.
    """
    who.require(Permission.CHANGE_DEMAND)
    if not np.isfinite(units) or units < 0:
        raise Refused(message("served.demand.wrong_units", units=str(units)))

    def write(chain: Chain) -> tuple[Edited, Told | None]:
        machine = _machine_of_item(read_last_run(chain, READ), product, market, bucket)
        key = f"{HAND}-{bucket.isoformat()}-{market}"
        edit = keyed_row_id(tables()[TABLE], {"adjustment": key, "product": product, "from": bucket})
        before = next((t for t in read_told(chain.state(names=STATED)) if t.edit == edit), None)
        _refuse_unseen(before, seen)
        change = units / machine - 1.0
        row = {"adjustment": key, "product": product, "market": market, "change_share": repr(change)}
        after = bucket + timedelta(days=chain.settings.calendar.bucket_days)
        days = {"from": bucket.isoformat(), "to": after.isoformat()}
        chain.write_rows(TABLE, [row | days | {"stated_by": who.login, "reason": why}], "forecast")
        return Edited(str(edit), product, market, bucket, change, machine, units), before

    def noted(made: tuple[Edited, Told | None]) -> list[Note]:
        edited, before = made
        after = {"change": edited.change, "units": units, "machine_units": edited.machine_units}
        entry = served.audit.entry
        return [entry(who.login, "edit_forecast", edited.edit, before=_noted(before), after=after, why=why)]

    edited, _ = served.write_whole(who, write, noted)
    served.events.tell("demand", product, Permission.SEE_DEMAND)
    return edited


def check_edit(served: Served, who: Who, place: Bucket, units: float) -> None:
    """Whether an edit could be made; nothing is written. Raises as `edit_forecast`."""
    who.require(Permission.CHANGE_DEMAND)
    if not np.isfinite(units) or units < 0:
        raise Refused(message("served.demand.wrong_units", units=str(units)))
    _machine_of_item(last_run(served, READ), place.product, place.market, place.first)


def _noted(edit: Told | None) -> Mapping[str, Any] | None:
    return None if edit is None else {"change": edit.change, "by": edit.by, "why": edit.why}


def _refuse_unseen(there: Told | None, seen: str | None) -> None:
    """Raises Refused where somebody has edited what was seen."""
    now = "" if there is None else there.version
    if seen is not None and seen != now:
        if there is None:
            raise Refused(message("served.demand.taken_back_meanwhile"))
        raise Refused(message("served.demand.edited_meanwhile", by=there.by, change=f"{there.change:+.1%}"))


def _machine_of_item(run: LastRun, product: str, market: str, bucket: date) -> float:
    """Units that the last run expects of a bucket without the edit that it may have. Raises as `edit_forecast`."""
    rows = rows_with(run.tables["forecast"], "product", product)
    if not rows.num_rows:
        hint = nearest_hint(product, run.tables["products"]["product"].to_pylist())
        raise NotFound(message("served.demand.no_product", product=product, hint=hint))
    own = [r for r in rows.to_pylist() if (r["market"], r["bucket"]) == (market, bucket)]
    if not own:
        raise Refused(message("served.demand.no_bucket", product=product, market=market, bucket=bucket))
    if own[0]["method"] == "given":
        raise Refused(message("served.demand.given", product=product))
    moved = rows_with(run.tables["adjustments"], "product", product)
    machine = _machine(own[0]["mean_units"], moved.filter(pc.equal(moved["market"], market)), bucket)
    if machine <= 0:
        raise Refused(message("served.demand.nothing_expected", product=product, bucket=bucket))
    return machine


def take_back(served: Served, who: Who, edit: str) -> None:
    """Undo an edit: what stood before it stands again, an earlier edit of the bucket or, after the first of them, the
    machine's forecast. Raises NotFound for one that is not there, Refused for what is no edit made by hand here."""
    who.require(Permission.CHANGE_DEMAND)

    def write(chain: Chain) -> tuple[Told, Told | None]:
        there = next((one for one in read_told(chain.state(names=STATED)) if one.edit == edit), None)
        if there is None:
            raise NotFound(message("served.demand.no_edit", edit=edit))
        if not there.is_hand:
            raise Refused(message("served.demand.not_by_hand", edit=edit))
        first_said = _first_said(served, there)
        earlier = chain.state(first_said - timedelta(microseconds=1), names=STATED).table(TABLE)
        rows = earlier.filter(pc.equal(earlier["row_id"], edit)).to_pylist()
        if not rows:
            chain.withdraw(TABLE, [edit])
            return there, None
        names = [c for c in tables()[TABLE].columns if c not in BESIDE and rows[0].get(c) is not None]
        chain.write_rows(TABLE, [{name: as_cell(rows[0][name]) for name in names}], "forecast")
        again = next(one for one in read_told(chain.state(names=STATED)) if one.edit == edit)
        stands_for = _first_said(served, replace(again, at=rows[0]["known_at"]))
        served.database.write(
            "INSERT OR REPLACE INTO forecast_restored VALUES (?, ?, ?)",
            (edit, again.at.isoformat(), stands_for.isoformat()),
        )
        return there, again

    def noted(made: tuple[Told, Told | None]) -> list[Note]:
        before, after = (_noted(one) for one in made)
        return [served.audit.entry(who.login, "take_back_edit", edit, before=before, after=after)]

    before, _ = served.write_whole(who, write, noted)
    served.events.tell("demand", before.product, Permission.SEE_DEMAND)


def clear_edit(served: Served, who: Who, place: Bucket, *, seen: str | None = None, why: str = "") -> None:
    """Take the edit of a bucket back with all that it took the place of: the machine's forecast stands again. seen: as
    for `edit_forecast`. Raises NotFound where there is none, Refused where somebody has edited it meanwhile."""
    who.require(Permission.CHANGE_DEMAND)

    def write(chain: Chain) -> Told:
        own = [
            t for t in read_told(chain.state(names=STATED)) if (t.product, t.market) == (place.product, place.market)
        ]
        there = _of_bucket(own, place.first, chain.settings.calendar.bucket_days)
        _refuse_unseen(there, seen)
        if there is None:
            raise NotFound(message("served.demand.no_edit", edit=f"{place.product} {place.market} {place.first}"))
        chain.withdraw(TABLE, [there.edit])
        return there

    before = served.chain_thread.write(who.login, write)
    served.audit.note(who.login, "take_back_edit", before.edit, before=_noted(before), why=why)
    served.events.tell("demand", place.product, Permission.SEE_DEMAND)


def _first_said(served: Served, edit: Told) -> datetime:
    """When somebody said what an edit says: earlier than it is known since, where it stands again after a later one was
    taken back."""
    asked = "SELECT stands_for FROM forecast_restored WHERE edit = ? AND at = ?"
    found = served.database.row(asked, (edit.edit, edit.at.isoformat()))
    return edit.at if found is None else datetime.fromisoformat(found["stands_for"])


# accuracy ----------------------------------------------------------------------------------------

# For each edit and bucket that has closed since: what the last run before it expected, without any edit and with the
# edits, what would have been sold, in units, and by how much each was off.
ACCURACY_SCHEMA = pa.schema(
    [
        ("edit", pa.string()),
        ("by", pa.string()),
        ("product", pa.string()),
        ("market", pa.string()),
        ("bucket", pa.date32()),
        ("machine_units", pa.float64()),
        ("edited_units", pa.float64()),
        ("came_units", pa.float64()),
        ("machine_error_units", pa.float64()),
        ("edited_error_units", pa.float64()),
    ]
)


@dataclass(frozen=True)
class Hand:
    """How the edits of one person did. buckets: that have closed. machine_error_units, edited_error_units: sums of
    absolute errors, without their edits and with them. better: buckets in which the edit was nearer."""

    by: str
    buckets: int
    better: int
    machine_error_units: float
    edited_error_units: float


@dataclass(frozen=True, eq=False)
class Accuracy:
    """rows: in ACCURACY_SCHEMA, by bucket. people: by name. runs: kept runs that were looked through."""

    rows: pa.Table
    people: tuple[Hand, ...]
    runs: int


def accuracy(served: Served, who: Who) -> Accuracy:
    """How what people adjusted by hand did beside the machine, in buckets that have closed since. Raises NotFound where
    there is no run."""
    who.require(Permission.SEE_DEMAND)
    return served.chain_thread.kept("demand.accuracy", _accuracy, of=STATED)


def _accuracy(chain: Chain) -> Accuracy:
    came = read_last_run(chain, ("series",)).tables["series"]
    told = {one.signal: one for one in read_told(chain.state(names=STATED)) if one.kind == "adjustment"}
    runs = [row for row in chain.ledger.runs().to_pylist() if row["branch"] == chain.branch_name]
    runs = sorted(runs, key=lambda row: (row["as_of"], row["saved"]))[-RUNS_READ:]
    last: dict[tuple[str, str, date], list[Mapping[str, Any]]] = {}  # of the last run that had the bucket open
    for row in runs:
        moved = chain.ledger.run_tables(row["run"], ("adjustments",)).get("adjustments")
        found: dict[tuple[str, str, date], list[Mapping[str, Any]]] = {}
        for one in [] if moved is None else moved.to_pylist():
            found.setdefault((one["product"], one["market"], one["bucket"]), []).append(one)
        last |= found
    last = {at: moved for at, moved in last.items() if any(one["signal"] in told for one in moved)}
    units = _units_that_came(came, {product for product, _, _ in last})
    rows = []
    for (product, market, bucket), moved in sorted(last.items()):
        by_hand = [one for one in moved if one["signal"] in told]
        actual = units.get((product, market, bucket))
        if actual is None:
            continue
        others = np.prod([one["factor"] for one in moved if one["signal"] not in told])
        machine, edited = float(moved[0]["unadjusted_units"] * others), float(moved[0]["adjusted_units"])
        for one in by_hand:
            said = told[one["signal"]]
            errors = {"machine_error_units": abs(machine - actual), "edited_error_units": abs(edited - actual)}
            where = {"edit": said.edit, "by": said.by, "product": product, "market": market, "bucket": bucket}
            rows.append({**where, "machine_units": machine, "edited_units": edited, "came_units": actual, **errors})
    table = pa.Table.from_pylist(sorted(rows, key=lambda r: (r["bucket"], r["product"], r["market"])), ACCURACY_SCHEMA)
    return Accuracy(table, _people(rows), len(runs))


def _units_that_came(series: pa.Table, products: Collection[str]) -> Mapping[tuple[str, str, date], float]:
    """Of some products what would have been sold, by product, market and bucket, where that is known."""
    own = series.filter(pc.is_in(series["product"], pa.array(sorted(products), pa.string())))
    rows = own.filter(pc.is_valid(own["units"])).to_pylist()
    return {(r["product"], r["market"], r["bucket"]): r["units"] for r in rows}


def _people(rows: Sequence[Mapping[str, Any]]) -> tuple[Hand, ...]:
    found = []
    for by in sorted({row["by"] for row in rows}):
        own = [row for row in rows if row["by"] == by]
        errors = [(row["machine_error_units"], row["edited_error_units"]) for row in own]
        better = sum(edited < machine for machine, edited in errors)
        found.append(Hand(by, len(own), better, sum(m for m, _ in errors), sum(e for _, e in errors)))
    return tuple(found)
