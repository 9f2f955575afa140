"""Stock on hand: the last count of each place, and what moved since.

An order takes all its components when it begins (`standings.begun_at`). A count of one from that moment on has them out
already, once and for all. After a count from before, what is reported of the order takes its components off stock, and
the rest is still to take (`Counts.taken`). Good units come in as they are reported, by `production`, `receipts` or
`order_events`, in whichever way more is told at a moment; with the units that are started, good or scrapped, come
their co-products (`recipe_outputs`), unless `production` tells of these themselves.

Of a product that nobody ever counted, a sale takes no more than was there by the records: what it took besides was
there before the records begin, and is not off what came later.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from datong.ledger.columns import codes, day_number, distinct, grouped, local_days, microseconds, pairs
from datong.ledger.large_tables import is_large, parts
from datong.ledger.order_life import Standing, events_of_table, standings
from datong.ledger.row_ids import end_of_local_day
from datong.ledger.standings import LEAST_UNITS, begun_at, of_their_orders, only_recipes
from datong.ledger.state import State
from datong.ledger.versions import EPOCH, Span
from datong.model.flow import BoolArray, FloatArray, IntArray
from datong.model.settings import ChainSettings
from datong.network.bills import Bills, phantoms
from datong.network.co_products import RecipeOutputs
from datong.network.horizon import rows_of
from datong.network.order_takes import of_records
from datong.network.routes import Routes
from datong.network.sent_to_buyers import (
    MOMENT,
    first_sent_day,
    old_sales_waiting,
    sales_before_shipments,
    ships_to_buyers,
)
from datong.network.site_transfers import arrived, receipts_of_suppliers, reported_beyond_shipments

_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
_NEVER = np.iinfo(np.int64).min
_DAY_US = 86_400_000_000
# What moves of a place are told apart by, as they are summed.
_BESIDE = ["after", "out", "day"]
# The table in which what comes of an order of a kind is booked, and its column of units.
_BOOKED: Mapping[str, tuple[str, str]] = {"make": ("production", "good_units"), "buy": ("receipts", "units")}


@dataclass(frozen=True, eq=False)
class Counts:
    """The last count of each product and site. table: as `last_counts` gives it.

    What moved at an unnamed place is in the product's last count anywhere; what moved at a place that was never counted
    is in a count that names no place.
    """

    table: pa.Table
    at: Mapping[tuple[str, str], int]
    anywhere: Mapping[str, int]

    @classmethod
    def of(cls, state: State) -> "Counts":
        table = last_counts(state)
        product, site, moment = (table[name].to_pylist() for name in ("product", "site", "happened_at"))
        anywhere: dict[str, int] = {}
        for of, at in zip(product, moment, strict=True):
            anywhere[of] = max(at, anywhere.get(of, at))
        return cls(table, dict(zip(zip(product, site, strict=True), moment, strict=True)), anywhere)

    def last(self, product: str, site: str) -> int | None:
        """The moment (us) of the last count that holds at a place; None where it was never counted."""
        unnamed = self.at.get((product, ""))
        if site == "" and unnamed is None:
            return self.anywhere.get(product)
        return self.at.get((product, site), unnamed)

    def taken_at(self, component: str, site: str) -> str:
        """Where what is made at a site takes a component: there where it is counted there, or else at no named one."""
        return site if (component, site) in self.at else ""

    def taken(self, component: str, site: str, began: int) -> bool:
        """Whether an order that began at a moment (us) has nothing of the component left to take: it was counted since,
        or never, and then the order had it."""
        counted = self.last(component, self.taken_at(component, site))
        return counted is None or counted >= began


@dataclass(frozen=True, slots=True)
class SinceCount:
    """Units of a product at a place: at its last count, and what came and went since."""

    counted: float
    came: float
    went: float

    def __add__(self, other: "SinceCount") -> "SinceCount":
        return SinceCount(self.counted + other.counted, self.came + other.came, self.went + other.went)


@dataclass(frozen=True, eq=False)
class Movements:
    """happened_at, site ('' where unnamed), product, units in (out where below zero). moves: what moved; taken: what
    production, and sales that nobody sent, took."""

    moves: pa.Table
    taken: pa.Table


def on_hand(state: State, counts: Counts, movements: Movements) -> dict[str, float]:
    """Units in stock by product, all sites together.

    What was used, and sold before shipments were recorded, takes no more than was there: more than was ever counted or
    received says that something was not recorded.
    """
    units: dict[str, float] = defaultdict(float)
    for product, _, count in _counted(counts):
        units[product] += count
    for product, moved in _moved_after(movements.moves, counts).items():
        units[product] += moved
    for product, out in _moved_after(movements.taken, counts).items():
        before = units[product]
        units[product] = max(before + out, min(before, 0.0))
    if not ships_to_buyers(state):
        units = {product: max(left, 0.0) for product, left in units.items()}
    return {product: float(units[product]) for product in sorted(units)}


def on_hand_by_site(counts: Counts, movements: Movements) -> dict[tuple[str, str], float]:
    """Stock by product and site. What went out of an unnamed site is taken off where most lies; what is missing at a
    named one was not recorded there, and counts as 0."""
    units = {(product, site): count for product, site, count in _counted(counts)}
    for moved in (_moved_by_place(movements.moves, counts), _moved_by_place(movements.taken, counts)):
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
            out = min(-lies, missing)
            units[product, site] -= out
            missing -= out
    return {place: max(units[place], 0.0) for place in sorted(units)}


def _holds_from(moments: IntArray, settings: ChainSettings) -> IntArray:
    """Moments of counts (us): of those at the very beginning of a local day, which are days without a clock, its end. A
    count of the day on which planning starts is what it starts with: of the moment before it, so that all of that day
    comes after it, and orders that begin on it take their components from it."""
    from_then = {}
    for moment in set(moments.tolist()):
        at = _BEGINNING + timedelta(microseconds=moment)
        day = settings.calendar.local_date(at)
        if at == settings.calendar.midnight(day):
            ends = at if day == settings.start else end_of_local_day(at, settings.calendar)
            at = ends - timedelta(microseconds=1)
        from_then[moment] = (at - _BEGINNING) // timedelta(microseconds=1)
    return np.array([from_then[moment] for moment in moments.tolist()], np.int64)


def last_counts(state: State) -> pa.Table:
    """The last count of each product and site ('' where unnamed): product, site, happened_at (us), units as counted.

    All that was counted there on one local day is one count, of each lot and bin the last; it holds from its last row
    on. A count with a date alone is that of the end of the day: what moved on that day is in it, unless planning starts
    on it.
    """
    rows = _of_last_counts(state)
    product, products = codes(rows["product"])
    site, sites = codes(rows["site"].fill_null(""))
    places, at = np.unique(product * max(len(sites), 1) + site, return_inverse=True)
    last = np.full(len(places), _NEVER)
    np.maximum.at(last, at, microseconds(rows))
    return pa.table(
        {
            "product": pa.array([products[p] for p in (places // max(len(sites), 1)).tolist()], pa.string()),
            "site": pa.array([sites[p] for p in (places % max(len(sites), 1)).tolist()], pa.string()),
            "happened_at": pa.array(_holds_from(last, state.settings), pa.int64()),
            "units": pa.array(np.bincount(at, rows["units"].to_numpy(), len(places)).astype(np.float64)),
        }
    )


def _of_last_counts(state: State) -> pa.Table:
    """The rows of `stock` that are of a last count: all of the last day of a product and site, and of each lot, bin and
    day of expiry the last."""
    rows = state.table("stock").select(["happened_at", "site", "product", "lot", "bin", "expires_on", "units"])
    rows = rows.filter(pc.is_valid(rows["units"]))
    part, _ = pairs(rows["product"], rows["site"].fill_null(""))
    of_day = np.flatnonzero(_of_last(part, local_days(rows, state)))
    for name in ("lot", "bin", "expires_on"):
        code, _ = codes(rows[name].cast(pa.string()).fill_null(""))
        part = distinct(part * (code.max(initial=0) + 1) + code)[0]
    return rows.take(of_day[_of_last(part[of_day], microseconds(rows)[of_day])])


def not_counted_again(state: State) -> list[dict[str, Any]]:
    """Rows of last counts of which the same day has later ones of the product and site, with `counted`: units of them
    all. Each is of a lot, bin or day of expiry that the later ones do not name; without those of nothing."""
    rows = _of_last_counts(state)
    if not rows.num_rows:
        return []
    part, _ = pairs(rows["product"], rows["site"].fill_null(""))
    earlier = ~_of_last(part, microseconds(rows)) & (rows["units"].to_numpy() > 0)
    together = np.bincount(part, rows["units"].to_numpy())[part]
    found = rows.append_column("counted", pa.array(together)).filter(pa.array(earlier))
    return found.sort_by([(name, "ascending") for name in ("product", "site", "lot", "bin", "expires_on")]).to_pylist()


def counted_lots(state: State) -> dict[tuple[str, str], list[tuple[date, float]]]:
    """By product and site, the units of the last counts that have a day of expiry, with it, the first to go first."""
    if not pc.any(pc.is_valid(state.table("stock")["expires_on"])).as_py():
        return {}
    rows = _of_last_counts(state)
    found: dict[tuple[str, str], list[tuple[date, float]]] = defaultdict(list)
    named = rows.filter(pc.is_valid(rows["expires_on"])).sort_by([("expires_on", "ascending")])
    columns = (named[name].to_pylist() for name in ("product", "site", "expires_on", "units"))
    for product, site, day, units in zip(*columns, strict=True):
        found[product, site or ""].append((day, max(units, 0.0)))
    return found


def _of_last(group: IntArray, when: IntArray) -> BoolArray:
    """(row) it is of the last moment, or day, of its group."""
    last = np.full(group.max(initial=-1) + 1, _NEVER)
    np.maximum.at(last, group, when)
    return when == last[group]


def _counted(counts: Counts) -> list[tuple[str, str, float]]:
    """Product, site and units of the last counts; one below zero counts as nothing."""
    columns = (counts.table[name].to_pylist() for name in ("product", "site", "units"))
    return [(product, site, max(units, 0.0)) for product, site, units in zip(*columns, strict=True)]


def movements(state: State, stands: Mapping[str, Standing], counts: Counts) -> Movements:
    """Everything that moved stock, whatever was counted since."""
    shipments = state.table("shipments")
    moves = [
        _moves(_of_steps(state), "site", "good_units", 1),
        _moves(receipts_of_suppliers(state), "site", "units", 1),
        _moves(shipments, "from_site", "units", -1),
        _moves(arrived(state), "to_site", "units", 1),
        _moves(_back_on_sale(state), "site", "units", 1),
        _told_moves(state, stands),
        _co_product_moves(state, stands),
        _reported_transfers(state, stands),
    ]
    came = pa.concat_tables(moves)
    known_from_arrivals = set(pc.unique(came["product"].filter(pc.greater(came["units"], 0.0))).to_pylist())
    known_from_arrivals -= counts.anywhere.keys()
    sold = _sold_moves(state, counts, known_from_arrivals)
    taken = _used_components(state, stands, counts)
    if ships_to_buyers(state):
        return Movements(came, pa.concat_tables([taken, sold]))
    return Movements(_not_below_nothing(pa.concat_tables([came, sold]), known_from_arrivals), taken)


def _not_below_nothing(moves: pa.Table, products: Collection[str]) -> pa.Table:
    """Moves of which those of some products take no more than was there at their moment; what came at a moment is there
    before anything leaves."""
    if not products:
        return moves
    of = pc.is_in(moves["product"], pa.array(sorted(products), pa.string()))
    rest, own = moves.filter(pc.invert(of)), moves.filter(of)
    own = own.append_column("out", pc.less(own["units"], 0.0))
    own = own.sort_by([(name, "ascending") for name in ("product", "happened_at", "out")])
    product, names = codes(own["product"])
    by_product, first = grouped(product, len(names))
    units = own["units"].to_numpy().copy()
    for k in range(len(names)):
        rows = by_product[first[k] : first[k + 1]]
        summed = np.cumsum(units[rows])
        there = summed - np.minimum(np.minimum.accumulate(summed), 0.0)
        units[rows] = np.diff(there, prepend=0.0)
    left = own.set_column(own.column_names.index("units"), "units", pa.array(units)).drop_columns(["out"])
    return pa.concat_tables([rest, left.select(moves.column_names)])


def _of_steps(state: State) -> pa.Table:
    """`production`; of orders for a routing step, what waits for the next one."""
    routes, production = Routes.of(state), state.table("production")
    if not routes.between:
        return production
    orders = state.table("orders").select(["order", "product", "recipe"]).to_pylist()
    brings = {o["order"]: (o["product"], routes.brings(o["product"], o["recipe"])) for o in orders}
    named = zip(*(production[name].to_pylist() for name in ("order", "product")), strict=True)
    products = pa.array([_brought(product, brings.get(order)) for order, product in named], pa.string())
    return production.set_column(production.column_names.index("product"), "product", products)


def _brought(product: str, order: tuple[str, str] | None) -> str:
    """What a report of a product is of. order: the product of its order, and what that brings."""
    return order[1] if order is not None and product == order[0] else product


def _sold_moves(state: State, counts: Counts, by_day: Collection[str]) -> pa.Table:
    """What sales that nobody sent took. Of a large table those of one place that lie to the same side of its last
    count are one move, and those of below 0 units another; those of the products of by_day are so for each day."""
    if not is_large(state.table("sales")):
        return _moves(_sold_at(sales_before_shipments(state), state), "site", "units", -1)
    first = first_sent_day(state)
    begins = None if first is None else pa.scalar(state.settings.calendar.midnight(first), MOMENT)
    found: list[pa.Table] = []
    for rows in parts(state.table("sales"), ("happened_at", "product", "market", "units", "state")):
        rows = rows.filter(pc.equal(rows["state"], "ordered"))
        rows = rows if begins is None else rows.filter(pc.less(rows["happened_at"], begins))
        moves = _moves(_sold_at(rows, state), "site", "units", -1)
        found = [_summed_moves([*found, _beside_counts(moves, pc.less(moves["units"], 0.0), counts, by_day)])]
    # Those that wait for a shipment all the same leave with it.
    waiting = _moves(_sold_at(old_sales_waiting(state), state), "site", "units", 1)
    out = pa.array(np.ones(waiting.num_rows, dtype=bool))
    return _summed_moves([*found, _beside_counts(waiting, out, counts, by_day)]).drop_columns(_BESIDE)


def _beside_counts(
    moves: pa.Table, out: pa.Array | pa.ChunkedArray, counts: Counts, by_day: Collection[str]
) -> pa.Table:
    """Moves with `after`, whether they are after the last count of their place, `out`, and `day`, of the products of
    by_day."""
    place, places = pairs(moves["product"], moves["site"])
    after = pa.array(_after(moves, place, places, counts))
    of_day = pc.is_in(moves["product"], pa.array(sorted(by_day), pa.string())).to_numpy()
    day = pa.array(np.where(of_day, microseconds(moves) // _DAY_US, 0))
    return moves.append_column("after", after).append_column("out", out).append_column("day", day)


def _summed_moves(moves: Sequence[pa.Table]) -> pa.Table:
    """Moves of one place and `day`, to one side of its last count, and both out or both in, as one."""
    names = moves[0].column_names
    same = pa.concat_tables(moves).group_by(["product", "site", *_BESIDE], use_threads=False)
    sums = same.aggregate([("happened_at", "max"), ("units", "sum")])
    given = {"happened_at_max": "happened_at", "units_sum": "units"}
    return sums.rename_columns([given.get(name, name) for name in sums.column_names]).select(names)


def _back_on_sale(state: State) -> pa.Table:
    """Returns of units that can be sold again."""
    returns = state.table("returns")
    return returns.filter(pc.fill_null(returns["resaleable"], False))


def _sold_at(sales: pa.Table, state: State) -> pa.Table:
    """Sales with the site that they left: in a chain with lanes, their market where that is the code of a site."""
    if not state.table("lanes").num_rows:
        return sales.append_column("site", pa.nulls(sales.num_rows, pa.string()))
    is_site = pc.is_in(sales["market"], state.table("sites")["site"].combine_chunks())
    return sales.append_column("site", pc.if_else(is_site, sales["market"], pa.scalar(None, pa.string())))


def _moves(rows: pa.Table, site: str, units: str, sign: int) -> pa.Table:
    """happened_at, site ('' where unnamed), product, units in (out where below zero)."""
    moved = pc.multiply(rows[units], float(sign))
    columns = {"happened_at": rows["happened_at"], "site": rows[site].fill_null("")}
    return pa.table({**columns, "product": rows["product"], "units": moved})


def _move_table(rows: Iterable[tuple[int, str, str, float]]) -> pa.Table:
    """`_moves` of (microseconds, site, product, units)."""
    moment, site, product, units = zip(*rows, strict=True) if (rows := list(rows)) else ((), (), (), ())
    return pa.table(
        {
            "happened_at": pa.array(moment, pa.int64()).cast(MOMENT),
            "site": pa.array(site, pa.string()),
            "product": pa.array(product, pa.string()),
            "units": pa.array(units, pa.float64()),
        }
    )


def _moved_after(moves: pa.Table, counts: Counts) -> dict[str, float]:
    """Units moved by product, of the moves after the last count of their product and site."""
    product, products = codes(moves["product"])
    place, places = pairs(moves["product"], moves["site"])
    after = _after(moves, place, places, counts)
    sums = np.bincount(product[after], moves["units"].to_numpy()[after], len(products))
    moved = np.bincount(product[after], minlength=len(products)) > 0
    return {products[p]: float(sums[p]) for p in np.flatnonzero(moved)}


def _moved_by_place(moves: pa.Table, counts: Counts) -> dict[tuple[str, str], float]:
    """`_moved_after` by product and site."""
    place, places = pairs(moves["product"], moves["site"])
    after = _after(moves, place, places, counts)
    sums = np.bincount(place[after], moves["units"].to_numpy()[after], len(places))
    moved = np.bincount(place[after], minlength=len(places)) > 0
    return {places[i]: float(sums[i]) for i in np.flatnonzero(moved)}


def since_count(counts: Counts, movements: Movements) -> dict[tuple[str, str], SinceCount]:
    """By product and site ('' where unnamed) what was counted, and what moved since."""
    found = {(product, site): SinceCount(count, 0.0, 0.0) for product, site, count in _counted(counts)}
    none = SinceCount(0.0, 0.0, 0.0)
    for moves in (movements.moves, movements.taken):
        place, places = pairs(moves["product"], moves["site"])
        after = _after(moves, place, places, counts)
        units = moves["units"].to_numpy()[after]
        came = np.bincount(place[after], np.maximum(units, 0.0), len(places))
        went = np.bincount(place[after], np.maximum(-units, 0.0), len(places))
        for i in np.flatnonzero(came + went):
            found[places[i]] = found.get(places[i], none) + SinceCount(0.0, float(came[i]), float(went[i]))
    return found


def _after(moves: pa.Table, place: IntArray, places: list[tuple[str, str]], counts: Counts) -> BoolArray:
    """(move) it came after the last count at its place."""
    counted = [counts.last(product, site) for product, site in places]
    moments = np.array([_NEVER if moment is None else moment for moment in counted], np.int64)
    return microseconds(moves) > moments[place]


# what orders report -------------------------------------------------------------------------------


def unbooked_done(row: Mapping[str, Any], stand: Standing) -> bool:
    """An order that is told to be done, and of which nobody says how much came of it."""
    return stand.state == "done" and row["kind"] in _BOOKED and stand.good_units + stand.scrap_units <= LEAST_UNITS


def booked_without_order(state: State) -> set[tuple[str, str]]:
    """(kind, product) of which units were booked that name no order: what its orders tell may be among them."""
    found = set()
    for kind, (table, _) in _BOOKED.items():
        rows = state.table(table)
        found |= {(kind, p) for p in pc.unique(rows["product"].filter(pc.is_null(rows["order"]))).to_pylist()}
    return found


def _told_moves(state: State, stands: Mapping[str, Standing]) -> pa.Table:
    """Good units that events of orders tell of beyond what is booked for them, at each moment: what is told in both
    ways comes once, when it was first told.

    An order that is done without a word of units brings what was ordered (the yield of it where it is made). Where
    units of the product are booked without an order's number, those of its orders are taken to be among them.
    """
    told = state.table("order_events")
    told = told.filter(pc.or_(pc.is_valid(told["good_units"]), pc.equal(told["state"], "done")))
    if not told.num_rows:
        return _move_table([])
    mine = pc.unique(told["order"])
    orders = state.table("orders")
    orders = orders.filter(pc.and_(pc.is_in(orders["order"], mine), pc.not_equal(orders["kind"], "move")))
    events_table = state.table("order_events")
    events = events_of_table(events_table.filter(pc.is_in(events_table["order"], mine)))
    booked: dict[str, list[tuple[int, float]]] = defaultdict(list)
    for table, units in _BOOKED.values():
        rows = state.table(table)
        rows = rows.filter(pc.is_in(rows["order"], mine))
        rows = of_their_orders(state, rows) if table == "production" else rows
        for order, moment, came in zip(
            rows["order"].to_pylist(), microseconds(rows).tolist(), rows[units].to_pylist(), strict=True
        ):
            booked[order].append((moment, came))
    without = booked_without_order(state)
    site_of = order_sites(state)
    yield_share = dict(zip(*(state.table("recipes")[c].to_pylist() for c in ("recipe", "yield_share")), strict=True))
    only, routes = only_recipes(state), Routes.of(state)
    moves = []
    for row in orders.to_pylist():
        brings = routes.brings(row["product"], row["recipe"])
        if (row["kind"], brings) in without:
            continue
        steps = [(_us(s), s.good_units) for s in standings(events.get(row["order"], ()))]
        if unbooked_done(row, stands[row["order"]]):
            recipe = row["recipe"] or only.get(row["product"], "")
            share = yield_share.get(routes.yields_as(recipe), 1.0) if row["kind"] == "make" else 1.0
            steps.append((steps[-1][0], row["units"] * share))
        for moment, more in _beyond(_as_corrected(steps), booked.get(row["order"], ())):
            moves.append((moment, site_of(row), brings, more))
    return _move_table(moves)


def _co_product_moves(state: State, stands: Mapping[str, Standing]) -> pa.Table:
    """Co-products as moves in: by what held on the day, with the units, good and scrapped, that are reported of what
    they come of."""
    rows = state.versions("recipe_outputs")
    if not rows.num_rows:
        return _move_table([])
    known = set(rows["product"].to_pylist()) - told_themselves(state)
    yielded, calendar = RecipeOutputs(rows, Routes.of(state), known), state.settings.calendar
    moves: list[tuple[int, str, str, float]] = []
    for moment, site, product, recipe, units in _started(state, stands):
        day = calendar.local_date(_BEGINNING + timedelta(microseconds=moment)).toordinal()
        ((_, besides),) = yielded.over_time(product, recipe, Span(day, day + 1))
        moves += [(moment, site, other, units * each) for other, each in besides.items()]
    return _move_table(moves)


def told_themselves(state: State) -> set[str]:
    """Co-products of which `production` tells: under the number of an order of another product, or, of what has no
    recipe of its own, at all."""
    production = state.table("production")
    own = of_their_orders(state, production)["row_id"].combine_chunks()
    under_others = production.filter(pc.invert(pc.is_in(production["row_id"], own)))
    made = set(state.versions("recipes")["product"].to_pylist())
    return set(under_others["product"].to_pylist()) | (set(production["product"].to_pylist()) - made)


def _started(state: State, stands: Mapping[str, Standing]) -> Iterable[tuple[int, str, str, str, float]]:
    """Moment (us), site, product, recipe or step, and units that are reported, good and scrapped: those of
    `production`, and what events of orders tell of beyond these."""
    only, routes, site_of = only_recipes(state), Routes.of(state), order_sites(state)
    orders = {row["order"]: row for row in state.table("orders").to_pylist() if row["kind"] == "make"}
    production = of_their_orders(state, state.table("production"))
    booked: dict[str, list[tuple[int, float]]] = defaultdict(list)
    columns = ("order", "product", "site", "good_units", "scrap_units")
    named = (production[name].to_pylist() for name in columns)
    for moment, order, product, site, good, scrap in zip(microseconds(production).tolist(), *named, strict=True):
        booked[order or ""].append((moment, good + scrap))
        row = orders.get(order)
        if row is None:
            yield moment, site or "", product, only.get(product, ""), good + scrap
        else:
            yield moment, site or site_of(row), row["product"], _recipe_of(row, only, routes), good + scrap
    for order, events in events_of_table(state.table("order_events")).items():
        if (row := orders.get(order)) is None:
            continue
        steps = [(_us(s), s.good_units + s.scrap_units) for s in standings(events)]
        if unbooked_done(row, stands[order]):
            steps.append((steps[-1][0], row["units"]))
        for moment, more in _beyond(_as_corrected(steps), booked.get(order, ())):
            yield moment, site_of(row), row["product"], _recipe_of(row, only, routes), more


def _recipe_of(order: Mapping[str, Any], only: Mapping[str | tuple[str, str], str], routes: Routes) -> str:
    """The recipe or step of a work order, of one of a whole recipe its last step; '' where it is not known."""
    told = order["recipe"] or only.get((order["product"], order["line"])) or only.get(order["product"])
    return routes.last(told) or ""


def _reported_transfers(state: State, stands: Mapping[str, Standing]) -> pa.Table:
    """Transfers of which no shipment tells, where they left and where they came."""
    reported = reported_beyond_shipments(state, stands)
    left = [(_microseconds(r.left), r.from_site, r.product, -r.units) for r in reported]
    return _move_table([*left, *((_microseconds(r.came), r.to_site, r.product, r.units) for r in reported)])


def _us(stand: Standing) -> int:
    assert stand.happened_at is not None
    return _microseconds(stand.happened_at)


def _microseconds(moment: datetime) -> int:
    return int(pa.scalar(moment, MOMENT).value)


def _as_corrected(told: Sequence[tuple[int, float]]) -> list[tuple[int, float]]:
    """Units so far by moment, none more than was said later: who says fewer corrects what was said before."""
    least = np.minimum.accumulate(np.array([units for _, units in told], float)[::-1])[::-1]
    return [(moment, units) for (moment, _), units in zip(told, least.tolist(), strict=True)]


def _beyond(told: Iterable[tuple[int, float]], booked: Iterable[tuple[int, float]]) -> list[tuple[int, float]]:
    """Changes of max(told so far - booked so far, 0) by moment. told: units so far; booked: units more."""
    moments = sorted([(m, 0, units) for m, units in told] + [(m, 1, units) for m, units in booked])
    so_far = in_books = before = 0.0
    changes: dict[int, float] = {}
    for moment, is_booked, units in moments:
        so_far, in_books = (so_far, in_books + units) if is_booked else (units, in_books)
        now = max(so_far - in_books, 0.0)
        changes[moment] = changes.get(moment, 0.0) + now - before
        before = now
    return [(moment, more) for moment, more in changes.items() if abs(more) > LEAST_UNITS]


def order_sites(state: State) -> Callable[[Mapping[str, Any]], str]:
    """Where the units of an order arrive, and a recipe takes its components: '' where nobody says."""
    line_site = dict(zip(*(state.table("lines")[c].to_pylist() for c in ("line", "site")), strict=True))
    recipes = state.table("recipes").select(["recipe", "line", "site"]).to_pylist()
    recipe_site = {r["recipe"]: r["site"] or line_site.get(r["line"]) for r in recipes}
    for step in state.table("recipe_steps").select(["step", "recipe", "line"]).to_pylist():
        recipe_site.setdefault(step["step"], recipe_site.get(step["recipe"]) or line_site.get(step["line"]))
    offer_site = dict(zip(*(state.table("offers")[c].to_pylist() for c in ("offer", "to_site")), strict=True))
    only = only_recipes(state)

    def site(order: Mapping[str, Any]) -> str:
        recipe = order["recipe"] or only.get(order["product"], "")
        return order["site"] or recipe_site.get(recipe) or offer_site.get(order["offer"]) or ""

    return site


# components ---------------------------------------------------------------------------------------


def _used_components(state: State, stands: Mapping[str, Standing], counts: Counts) -> pa.Table:
    """Components as moves out, by the bill of materials that held on the day.

    What an order reported was taken when it began; what is made without an order, as it is reported. The bill is that
    of the order's recipe, or of the product's only one, over what holds for all its recipes. They were taken where they
    are counted: at the site of production, or else at an unnamed one.
    """
    components, routes = state.versions("components"), Routes.of(state)
    if not components.num_rows and not routes.between:
        return _move_table([])
    made = _made(state, stands)
    if not made.num_rows:
        return _move_table([])
    bills = Bills(components, set(pc.unique(components["component"]).to_pylist()), phantoms(state))
    product, products = codes(made["product"])
    recipe, recipes = codes(made["recipe"])
    site, sites = codes(made["site"])
    kind, kinds = distinct(product * len(recipes) + recipe)
    by_kind, first = grouped(kind, len(kinds))
    moves: list[tuple[IntArray, str, float]] = []
    per_lot: list[tuple[IntArray, str, FloatArray]] = []
    units, scrap = made["units"].to_numpy(), _set_up_scrap(state)
    for k, key in enumerate(kinds.tolist()):
        rows = by_kind[first[k] : first[k + 1]]
        day = made["day"].to_numpy()[rows]
        bill = routes.bill_with_scrap(bills, products[key // len(recipes)], recipes[key % len(recipes)], scrap)
        for taken in of_records(bill):
            since, until = (end - EPOCH for end in taken.days)
            own = rows[(day >= since) & (day < until)]
            moves.append((own, taken.component, taken.units))
            if taken.per_order:  # of a report without an order: it is of one
                per_lot.append((own, taken.component, np.where(units[own] > LEAST_UNITS, taken.per_order, 0.0)))
    if not moves:
        return _move_table([])
    at = np.concatenate([rows for rows, _, _ in (*moves, *per_lot)])
    component = [name for rows, name, _ in (*moves, *per_lot) for _ in rows]
    used = np.concatenate([*(units[rows] * each for rows, _, each in moves), *(each for _, _, each in per_lot)])
    place = list(zip(component, (sites[s] for s in site[at].tolist()), strict=True))
    taken_at = {one: counts.taken_at(*one) for one in set(place)}
    return pa.table(
        {
            "happened_at": pa.array(made["happened_at"].to_numpy()[at]).cast(MOMENT),
            "site": pa.array([taken_at[one] for one in place], pa.string()),
            "product": pa.array(component, pa.string()),
            "units": pa.array(-used),
        }
    )


def _set_up_scrap(state: State) -> dict[str, float]:
    """Units that a set-up scraps, as each recipe and each step says."""
    told = (("recipes", "recipe"), ("recipe_steps", "step"))
    rows = (row for table, code in told for row in rows_of(state.table(table), (code, "setup_scrap_units")))
    return {code: units for code, units in rows if units}


_MADE_SCHEMA = pa.schema(
    {
        "happened_at": pa.int64(),
        "day": pa.int64(),
        "site": pa.string(),
        "product": pa.string(),
        "recipe": pa.string(),
        "units": pa.float64(),
    }
)


def _made(state: State, stands: Mapping[str, Standing]) -> pa.Table:
    """What took components, of reports that name no known order and of orders: happened_at (us), day (since
    1970-01-01), site ('' where unnamed), product, recipe ('' where unknown), units started."""
    columns = ["happened_at", "site", "product", "order", "good_units", "scrap_units"]
    production = state.table("production").select(columns)
    orders = state.table("orders")
    if not production.num_rows and not orders.num_rows:
        return _MADE_SCHEMA.empty_table()
    only = only_recipes(state)
    by_order = orders.filter(pc.equal(orders["kind"], "make"))
    known = pc.fill_null(pc.is_in(production["order"], by_order["order"].combine_chunks()), False)
    loose = production.filter(pc.invert(known))
    recipe_of = {p: r for p, r in only.items() if isinstance(p, str)}
    loosely = pa.table(
        {
            "happened_at": loose["happened_at"].cast(pa.int64()),
            "day": local_days(loose, state),
            "site": loose["site"].fill_null(""),
            "product": loose["product"],
            "recipe": pa.array([recipe_of.get(p) or "" for p in loose["product"].to_pylist()], pa.string()),
            "units": pc.add(loose["good_units"], loose["scrap_units"]),
        }
    )
    calendar, site_of, rows = state.settings.calendar, order_sites(state), []
    booked_at = _booked_sites(production.filter(known))
    for row in by_order.filter(pc.is_in(by_order["order"], pa.array(sorted(stands), pa.string()))).to_pylist():
        stand = stands[row["order"]]
        began = begun_at(stand, row["start"], calendar)
        if began is None:
            continue
        reported = stand.good_units + stand.scrap_units
        rows.append(
            {
                "happened_at": int(pa.scalar(began, MOMENT).value),
                "day": day_number(calendar.local_date(began)),
                "site": booked_at.get(row["order"]) or site_of(row) or "",
                "product": row["product"],
                "recipe": row["recipe"] or only.get((row["product"], row["line"])) or only.get(row["product"]) or "",
                "units": row["units"] if unbooked_done(row, stand) else reported,
            }
        )
    return pa.concat_tables([loosely, pa.Table.from_pylist(rows, _MADE_SCHEMA)])


def _booked_sites(production: pa.Table) -> dict[str, str | None]:
    """The site at which units of an order were first booked in."""
    rows = production.sort_by("happened_at").group_by("order", use_threads=False).aggregate([("site", "first")])
    return dict(zip(rows["order"].to_pylist(), rows["site_first"].to_pylist(), strict=True))
