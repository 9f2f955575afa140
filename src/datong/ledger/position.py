"""Where the chain stands at a moment: stock on hand, demand still owed, and what is under way."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from datong.ledger.bills import Bills
from datong.ledger.life import Standing, events_of_table, standing
from datong.ledger.state import State
from datong.ledger.versions import EPOCH
from datong.model.flow import BoolArray, FloatArray, IntArray, Item

# Orders in these states will still bring units; `refused`, `done` and `cancelled` ones will not.
OPEN_STATES = frozenset({"released", "accepted", "started", "partly_done"})
# Units that were sent before anyone ordered them serve orders of the next promise_days and so many days more: clocks
# differ and orders are entered late, but what was sent long before was not sent for that order.
SENT_AHEAD_DAYS = 7
# Sums of fractions leave less than this behind.
LEAST_UNITS = 1e-6


@dataclass(frozen=True)
class UnderWay:
    """An order already out. units: still to be started (or, of a purchase, to come): ordered less good and scrapped.

    What arrives of them is `units` times the yield of the order's way. fixed: a planner locked it and it has not begun;
    what a run proposed and gave out is under way, but no word of a planner.
    """

    order: str
    kind: str
    product: str
    recipe: str | None
    line: str | None
    units: float
    start: date
    due: date
    offer: str | None = None
    lane: str | None = None
    site: str | None = None
    fixed: bool = False


@dataclass(frozen=True)
class Position:
    """on_hand_units by product, all sites together. on_hand_by_site: the same by product and site ('' where unnamed)
    in a chain with lanes, none below zero. owed_units by item and due day: ordered, due before the
    first open bucket, not served, not older than max_late_days. served_ahead_units by item and due day: orders due in
    open buckets that were already served. under_way: orders out, by due day. sent_unasked_units by item: sent, and not
    yet asked for; what is ordered in the next days is taken to be served by it.
    """

    on_hand_units: Mapping[str, float]
    owed_units: Mapping[tuple[Item, date], float]
    served_ahead_units: Mapping[tuple[Item, date], float]
    under_way: tuple[UnderWay, ...]
    sent_unasked_units: Mapping[Item, float] = field(default_factory=dict)
    on_hand_by_site: Mapping[tuple[str, str], float] = field(default_factory=dict)


def position(state: State) -> Position:
    """The position at the state's moment.

    Stock is the last count of each product and site plus what moved after it: production and receipts in, shipments
    out, transfers from one site to the other, and what production took of its components. Sales are served by
    shipments to buyers, first due first; a chain without any (see ships_to_buyers) is taken to have served every sale
    at once, from its stock. Stock is then never below zero: sales beyond what was counted and made say that something
    was not recorded.
    """
    owed, served_ahead, unasked = _served(state)
    by_site = _on_hand_by_site(state) if state.table("lanes").num_rows else {}
    return Position(_on_hand(state), owed, served_ahead, _under_way(state), unasked, by_site)


def ships_to_buyers(state: State) -> bool:
    """Does the chain record what it sends to buyers? Transfers between its own sites are not that."""
    return state.table("shipments")["to_site"].null_count > 0


# stock ---------------------------------------------------------------------------------------------


def _on_hand(state: State) -> dict[str, float]:
    counts, moves, used, last_count = _counts_and_moves(state)
    units = dict(zip(counts["product"], [0.0] * len(counts), strict=True))
    for product, _, count in counts[["product", "site", "units"]].itertuples(index=False):
        units[product] += count
    for product, moved in _moved_after(moves, last_count).items():
        units[product] = units.get(product, 0.0) + moved
    for product, out in _moved_after(used, last_count).items():
        # More used than was ever counted or received says that something was not recorded.
        before = units.get(product, 0.0)
        units[product] = max(before + out, min(before, 0.0))
    if not ships_to_buyers(state):
        units = {product: max(left, 0.0) for product, left in units.items()}
    return {product: float(units[product]) for product in sorted(units)}


def _on_hand_by_site(state: State) -> dict[tuple[str, str], float]:
    """Stock by product and site. What went out of an unnamed site is taken off where most lies; what is missing at a
    named one was not recorded there, and counts as 0."""
    counts, moves, used, last_count = _counts_and_moves(state)
    units = {(p, s): float(u) for p, s, u in counts[["product", "site", "units"]].itertuples(index=False)}
    for moved in (_moved_by_place(moves, last_count), _moved_by_place(used, last_count)):
        for place, more in moved.items():
            units[place] = units.get(place, 0.0) + more
    there: dict[str, list[tuple[float, str]]] = {}
    for (product, site), left in units.items():
        if site != "":
            units[product, site] = max(left, 0.0)
            there.setdefault(product, []).append((-units[product, site], site))
    for product, sites in there.items():
        missing = max(-units.get((product, ""), 0.0), 0.0)
        for lies, site in sorted(sites):
            taken = min(-lies, missing)
            units[product, site] -= taken
            missing -= taken
    return {place: max(units[place], 0.0) for place in sorted(units)}


def _counts_and_moves(state: State) -> tuple[pd.DataFrame, pa.Table, pa.Table, Callable[[str, str], int | None]]:
    """Last counts, what moved, what production used, and the moment of the last count that holds at a place."""
    counts = _last_counts(state)
    counted_at = dict(zip(zip(counts["product"], counts["site"], strict=True), counts["happened_at"], strict=True))
    # What moved at an unnamed place is in the product's last count anywhere; what moved at a place that was never
    # counted is in a count that names no place.
    anywhere = counts.groupby("product")["happened_at"].max().to_dict()

    def last_count(product: str, site: str) -> int | None:
        unnamed = counted_at.get((product, ""))
        if site == "" and unnamed is None:
            return anywhere.get(product)
        return counted_at.get((product, site), unnamed)

    shipments = state.table("shipments")
    moves = [
        _moves(state.table("production"), "site", "good_units", 1),
        _moves(state.table("receipts"), "site", "units", 1),
        _moves(shipments, "from_site", "units", -1),
        _moves(shipments.filter(pc.is_valid(shipments["to_site"])), "to_site", "units", 1),
    ]
    if not ships_to_buyers(state):
        sales = state.table("sales")
        moves.append(_moves(_sold_at(sales.filter(pc.equal(sales["state"], "ordered")), state), "site", "units", -1))
    return counts, pa.concat_tables(moves), _used_components(state, counted_at), last_count


def _sold_at(sales: pa.Table, state: State) -> pa.Table:
    """Sales with the site that they left: in a chain with lanes, their market where that is the code of a site."""
    if not state.table("lanes").num_rows:
        return sales.append_column("site", pa.nulls(sales.num_rows, pa.string()))
    is_site = pc.is_in(sales["market"], state.table("sites")["site"].combine_chunks())
    return sales.append_column("site", pc.if_else(is_site, sales["market"], pa.scalar(None, pa.string())))


def _last_counts(state: State) -> pd.DataFrame:
    """The last count of each product and site ('' where unnamed): product, site, happened_at (us), units.

    All that was counted there on one local day is one count, of each lot the last; it holds from its last row on.
    """
    rows = state.table("stock").select(["happened_at", "site", "product", "lot", "units"])
    rows = rows.filter(pc.is_valid(rows["units"]))
    counts = pd.DataFrame(
        {name: _codes(rows[name].fill_null(""))[0] for name in ("product", "site", "lot")}
        | {"happened_at": _microseconds(rows), "day": _local_days(rows, state), "units": rows["units"].to_numpy()}
    )
    place = ["product", "site"]
    counts = counts[counts["day"] == counts.groupby(place)["day"].transform("max")]
    last_of_lot = counts.groupby([*place, "lot"])["happened_at"].transform("max")
    counts = counts[counts["happened_at"] == last_of_lot]
    counts = counts.groupby(place, as_index=False).agg(happened_at=("happened_at", "max"), units=("units", "sum"))
    for name in place:
        names = _codes(rows[name].fill_null(""))[1]
        counts[name] = [names[code] for code in counts[name]]
    return counts


def _moves(rows: pa.Table, site: str | None, units: str, sign: int) -> pa.Table:
    """happened_at, site ('' where unnamed), product, units in (out where below zero)."""
    at = pa.repeat("", rows.num_rows) if site is None else rows[site].fill_null("")
    moved = pc.multiply(rows[units], float(sign))
    return pa.table({"happened_at": rows["happened_at"], "site": at, "product": rows["product"], "units": moved})


def _moved_after(moves: pa.Table, last_count: Callable[[str, str], int | None]) -> dict[str, float]:
    """Units moved by product, of the moves after the last count of their product and site."""
    product, products = _codes(moves["product"])
    place, places = _moved_places(moves)
    after = _after(moves, place, places, last_count)
    sums = np.bincount(product[after], moves["units"].to_numpy()[after], len(products))
    moved = np.bincount(product[after], minlength=len(products)) > 0
    return {products[p]: float(sums[p]) for p in np.flatnonzero(moved)}


def _moved_by_place(moves: pa.Table, last_count: Callable[[str, str], int | None]) -> dict[tuple[str, str], float]:
    """`_moved_after` by product and site."""
    place, places = _moved_places(moves)
    after = _after(moves, place, places, last_count)
    sums = np.bincount(place[after], moves["units"].to_numpy()[after], len(places))
    moved = np.bincount(place[after], minlength=len(places)) > 0
    return {places[i]: float(sums[i]) for i in np.flatnonzero(moved)}


def _moved_places(moves: pa.Table) -> tuple[IntArray, list[tuple[str, str]]]:
    """(move) position of its product and site in the list of those there are."""
    product, products = _codes(moves["product"])
    site, sites = _codes(moves["site"])
    place, pairs = pd.factorize(product * max(len(sites), 1) + site)
    return place.astype(np.int64), [(products[p // len(sites)], sites[p % len(sites)]) for p in pairs]


def _after(
    moves: pa.Table, place: IntArray, places: list[tuple[str, str]], last_count: Callable[[str, str], int | None]
) -> BoolArray:
    """(move) it came after the last count at its place."""
    never = np.iinfo(np.int64).min
    counted = [last_count(product, site) for product, site in places]
    moments = np.array([never if moment is None else moment for moment in counted], np.int64)
    return _microseconds(moves) > moments[place]


def _used_components(state: State, counted: Mapping[tuple[str, str], int]) -> pa.Table:
    """Components as moves out, for what was made and scrapped, by the bill of materials that held on the day.

    The bill is that of the order's recipe, or of the product's only one, over what holds for all its recipes. They
    were taken where they are counted: at the site of production, or else at an unnamed one.
    """
    columns = ["happened_at", "site", "product", "order", "good_units", "scrap_units"]
    made = state.table("production").select(columns)
    components = state.versions("components")
    if not components.num_rows or not made.num_rows:
        return _moves(made.slice(0, 0), "site", "good_units", -1)
    recipes = state.table("recipes")
    begun = pc.less_equal(recipes["valid_from"], pa.scalar(state.today))
    recipes = recipes.filter(pc.fill_null(begun, True)).select(["recipe", "product"]).to_pandas()
    only = recipes.drop_duplicates("product", keep=False).set_index("product")["recipe"]
    ordered = state.table("orders").select(["order", "recipe"]).to_pandas().set_index("order")["recipe"]
    rows = made.to_pandas().assign(happened_at=_microseconds(made), day=_local_days(made, state))
    rows["recipe"] = rows["order"].map(ordered).fillna(rows["product"].map(only)).fillna("")
    bills = Bills(components, set(pc.unique(components["component"]).to_pylist()))
    held = [
        (product, recipe, use.component, use.units_per_unit, *(day - EPOCH for day in use.days))
        for product, recipe in sorted(set(zip(rows["product"], rows["recipe"], strict=True)))
        for use in bills.uses(product, recipe)
    ]
    bill_columns = pd.Index(["product", "recipe", "component", "per_unit", "valid_from", "valid_to"])
    used = rows.merge(pd.DataFrame(held, columns=bill_columns), on=["product", "recipe"])
    used = used[(used["valid_from"] <= used["day"]) & (used["day"] < used["valid_to"])]
    site = [s if (c, s) in counted else "" for c, s in zip(used["component"], used["site"].fillna(""), strict=True)]
    units = -(used["good_units"] + used["scrap_units"]) * used["per_unit"]
    return pa.table(
        {
            "happened_at": pa.array(used["happened_at"].to_numpy(np.int64)).cast(pa.timestamp("us", tz="UTC")),
            "site": pa.array(site, pa.string()),
            "product": pa.array(used["component"].to_list(), pa.string()),
            "units": pa.array(units.to_numpy(np.float64)),
        }
    )


# demand --------------------------------------------------------------------------------------------


def _served(
    state: State,
) -> tuple[dict[tuple[Item, date], float], dict[tuple[Item, date], float], dict[Item, float]]:
    """What is owed, what of the orders due in open buckets is served, and what was sent that nobody asked for yet.

    Orders and shipments stand in a queue per item.

    A shipment serves the oldest orders first, which wait max_late_days from the day they are due; what finds none
    serves orders of the next promise_days + SENT_AHEAD_DAYS days. A product that is sent in market 'all' and not sold
    there has one queue for all its markets; orders of one day then share what is left in proportion.
    """
    settings = state.settings
    sales, shipments = state.table("sales"), state.table("shipments")
    sales = sales.filter(pc.equal(sales["state"], "ordered"))
    shipments = shipments.filter(pc.is_null(shipments["to_site"]))
    if not sales.num_rows or not shipments.num_rows:
        return {}, {}, {}
    today = _day_number(state.today)
    columns = ["happened_at", "product", "market", "units"]
    rows = pa.concat_tables([sales.select(columns), shipments.select(columns)])
    item, items = _items(rows)
    day, units = _local_days(rows, state), rows["units"].to_numpy()
    is_sale = np.arange(rows.num_rows) < sales.num_rows
    past = day <= today
    item, day, units, is_sale = item[past], day[past], units[past], is_sale[past]
    queue = _queues(items, set(item[is_sale]), set(item[~is_sale]))[item]
    keep = settings.max_late_days + settings.promise_days + 1  # days from the day of the order
    ordered = _by_day(queue[is_sale], day[is_sale], units[is_sale])
    sent = _by_day(queue[~is_sale], day[~is_sale], units[~is_sale])
    ahead = settings.promise_days + SENT_AHEAD_DAYS
    waiting = waiting_units(ordered, sent, len(items), today, keep, ahead)

    recent = is_sale & (day > today - keep)
    orders = pd.DataFrame({"item": item[recent], "queue": queue[recent], "day": day[recent], "units": units[recent]})
    orders = orders.groupby(["item", "queue", "day"], as_index=False)["units"].sum()
    days = orders.groupby(["queue", "day"], as_index=False)["units"].sum().sort_values("day", ascending=False)
    newer = days.groupby("queue")["units"].cumsum() - days["units"]
    # First come, first served: the units that wait are the newest of the queue.
    days["waiting"] = np.clip(waiting[days["queue"].to_numpy()] - newer, 0.0, days["units"])
    orders = orders.merge(days, on=["queue", "day"], suffixes=("", "_of_day"))
    orders = orders[orders["units"] > 0]
    orders["waiting"] *= orders["units"] / orders["units_of_day"]
    owed: dict[tuple[Item, date], float] = {}
    served_ahead: dict[tuple[Item, date], float] = {}
    named = sorted(
        (items[i], -d, w, u - w) for i, d, w, u in orders[["item", "day", "waiting", "units"]].itertuples(index=False)
    )
    for name, minus_day, left, served in named:
        due = _day(-minus_day + settings.promise_days)
        if due < state.first_open_bucket and left > LEAST_UNITS:
            owed[name, due] = left
        elif due >= state.first_open_bucket and served > LEAST_UNITS:
            served_ahead[name, due] = served
    unasked = {items[q]: -float(waiting[q]) for q in np.flatnonzero(waiting < -LEAST_UNITS)}
    return owed, served_ahead, dict(sorted(unasked.items()))


@dataclass(frozen=True, eq=False)
class UnitsByDay:
    """Units by queue and day, each pair once, by day: day number, queue, units."""

    day: IntArray
    queue: IntArray
    units: FloatArray


def waiting_units(
    ordered: UnitsByDay, sent: UnitsByDay, queues: int, last_day: int, keep_days: int, ahead_days: int
) -> FloatArray:
    """Units that wait in each queue at the end of last_day; below zero: sent, and not yet asked for.

    An order waits keep_days, its own day included; a unit sent ahead serves orders of the ahead_days after its own.
    The oldest goes first on both sides, so that only one of them is ever left over, and what is left is the newest of
    its side. One number per queue therefore tells all: it rises by what is ordered, falls by what is sent, and never
    lies beyond what was ordered in the last keep_days, or below what was sent in the last ahead_days.
    """
    net, most_waiting, most_ahead = np.zeros(queues), np.zeros(queues), np.zeros(queues)
    first = int(min(side.day.min(initial=last_day) for side in (ordered, sent)))
    edges = np.arange(first - max(keep_days, ahead_days + 1), last_day + 2)
    orders_at, sent_at = np.searchsorted(ordered.day, edges), np.searchsorted(sent.day, edges)
    offset = int(first - edges[0])
    for t in range(offset, len(edges) - 1):
        old = slice(orders_at[t - keep_days], orders_at[t - keep_days + 1])
        most_waiting[ordered.queue[old]] -= ordered.units[old]
        old = slice(sent_at[t - ahead_days - 1], sent_at[t - ahead_days])
        most_ahead[sent.queue[old]] -= sent.units[old]
        np.clip(net, -most_ahead, most_waiting, out=net)
        new = slice(orders_at[t], orders_at[t + 1])
        most_waiting[ordered.queue[new]] += ordered.units[new]
        net[ordered.queue[new]] += ordered.units[new]
        new = slice(sent_at[t], sent_at[t + 1])
        most_ahead[sent.queue[new]] += sent.units[new]
        net[sent.queue[new]] -= sent.units[new]
    return net


def _queues(items: list[Item], sold: set[int], shipped: set[int]) -> IntArray:
    """(item) its queue: itself, or the first item of a product that is sent in market 'all' and not sold there."""
    of_all = {items[i].product for i in shipped if items[i].market == "all" and i not in sold}
    first: dict[str, int] = {}
    return np.array(
        [first.setdefault(item.product, i) if item.product in of_all else i for i, item in enumerate(items)], np.int64
    )


def _items(rows: pa.Table) -> tuple[IntArray, list[Item]]:
    """(row) position of its (product, market) in the list of those there are."""
    product, products = _codes(rows["product"])
    market, markets = _codes(rows["market"])
    item, pairs = pd.factorize(product * len(markets) + market)
    return item.astype(np.int64), [Item(products[p // len(markets)], markets[p % len(markets)]) for p in pairs]


def _by_day(queue: IntArray, day: IntArray, units: FloatArray) -> UnitsByDay:
    width = int(queue.max(initial=0)) + 1
    keys, at = np.unique(day * width + queue, return_inverse=True)
    return UnitsByDay(keys // width, keys % width, np.bincount(at, units, len(keys)).astype(np.float64))


# columns -------------------------------------------------------------------------------------------


def _codes(column: pa.ChunkedArray) -> tuple[IntArray, list[str]]:
    """(row) position of its text in the list of those there are."""
    encoded = column.combine_chunks().dictionary_encode()
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.combine_chunks()
    return encoded.indices.to_numpy().astype(np.int64), encoded.dictionary.to_pylist()


def _microseconds(rows: pa.Table) -> IntArray:
    return rows["happened_at"].cast(pa.int64()).to_numpy()


def _local_days(rows: pa.Table, state: State) -> IntArray:
    """(row) the chain's calendar day, in days since 1970-01-01."""
    local = rows["happened_at"].to_pandas().dt.tz_convert(state.settings.time_zone).dt.tz_localize(None)
    return local.to_numpy("datetime64[D]").astype(np.int64)


def _day_number(day: date) -> int:
    return (day - date(1970, 1, 1)).days


def _day(number: int) -> date:
    return date(1970, 1, 1) + timedelta(days=int(number))


# orders --------------------------------------------------------------------------------------------


def order_states(state: State) -> dict[str, tuple[str, float, datetime | None]]:
    """State, good units so far and moment of the last event of every order that has events."""
    stands = order_standings(state)
    return {o: (str(s.state), s.good_units, s.happened_at) for o, s in stands.items() if s.state is not None}


def order_standings(state: State) -> dict[str, Standing]:
    """Where every order stands that has events, production or receipts (its `state` is None without events).

    Good and scrapped units so far: what its events say in all, or the sum of its production and receipts where that
    is more: the same units are told in either way, or in both.
    """
    events = events_of_table(state.table("order_events"))
    stands = {order: standing(of_order) for order, of_order in events.items()}
    for table, columns in (
        ("production", ("good_units", "scrap_units")),
        ("receipts", ("units",)),
        ("shipments", ("units",)),
    ):
        rows = state.table(table)
        if table == "shipments":  # of transfer orders: what left for the other site is taken to be there
            orders = state.table("orders")
            transfers = orders["order"].filter(pc.equal(orders["kind"], "move"))
            rows = rows.filter(
                pc.and_(pc.is_valid(rows["to_site"]), pc.is_in(rows["order"], transfers.combine_chunks()))
            )
        rows = rows.select(["order", *columns])
        rows = rows.filter(pc.is_valid(rows["order"]))
        code, orders = _codes(rows["order"])
        sums = [np.bincount(code, rows[c].to_numpy(), len(orders)) for c in columns]
        for order, good, *scrap in zip(orders, *sums, strict=True):
            stands[order] = _at_least(stands.get(order, Standing()), float(good), float(sum(scrap)))
    return stands


def _at_least(stand: Standing, good_units: float, scrap_units: float) -> Standing:
    good, scrap = max(stand.good_units, good_units), max(stand.scrap_units, scrap_units)
    return replace(stand, good_units=good, scrap_units=scrap)


def state_now(stand: Standing | None, locked: bool) -> str:
    """State of an order. Without events it is released where it is locked, else only proposed."""
    return (stand.state if stand is not None else None) or ("released" if locked else "proposed")


def _under_way(state: State) -> tuple[UnderWay, ...]:
    """Orders out that still bring units."""
    stands = order_standings(state)
    names = ["order", "kind", "product", "recipe", "line", "start", "due", "offer", "lane", "site"]
    result = []
    for r in state.table("orders").select([*names, "units", "locked", "run"]).to_pylist():
        stand = stands.get(r["order"], Standing())
        now = state_now(stand, r["locked"])
        left = r["units"] - stand.good_units - stand.scrap_units
        if now in OPEN_STATES and left > LEAST_UNITS:
            fixed = r["locked"] and r["run"] is None and now in ("released", "accepted")
            result.append(UnderWay(units=left, fixed=fixed, **{name: r[name] for name in names}))
    return tuple(sorted(result, key=lambda o: (o.due, o.order)))
