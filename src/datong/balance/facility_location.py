"""Lots by the bucket that they serve: rows that make the integer programme of lots tight, and take no plan away.

x <= most y lets a fraction of a set-up make a small lot. A lot is told apart here by the bucket whose need it serves
(Krarup and Bilde 1977), and no bucket takes more from it than it needs: for a product i, a start k of it, there in
bucket a(k), and a bucket s,

    z(k,s) <= need(s) y(k)    s >= a(k)        late(k) <= Need(a(k) - 1) y(k)       units that come for earlier buckets
    sum over s of z(k,s) + late(k) <= good units of k
    b(t) = b(t-1) + need(t) - sum over a(k) <= t of z(k,t) - sum over a(k) = t of late(k)           b >= 0
    sum over a(k) = t of late(k) <= b(t-1)                      b(t) <= S(t) + Need(t) - max(E(t), 0)

S(t) is what the plan itself leaves open of the demand that needs the product, late or turned away, and b(t) what the
lots do. E is the echelon need (Clark and Scarf 1960), cumulative and net of all that comes anyway, so that a component
is told apart by the demand of what it goes into, too:

    S_i(t) = sum of its demand d of short_d(t) + away_d(t) + sum over what it goes into of uses S_j(t + lead)
    E_i(t) = sum of its demand d of Q_d(t) + sum over what it goes into of uses max(E_j(t + lead), 0) - what comes
    Need_i(t) = most of max(E_i(s), 0) for s <= t,     need its increments

uses: the fewest units that any way of j takes; lead: the shortest of its ways. Q_d is the level up to which a unit more
saves money: demand itself where it is one path; short_d = Q_d - min(M_d, Q_d), in pieces of the cost curve.

Each plan in lots keeps the rows: what comes by t of i is at least E_i(t) - S_i(t), as what goes into j by t is at least
`uses` times what comes of j by t + lead. Let units and refusals serve the buckets first come first served; then those
that are there by t serve min(what is there, Need(t)) of the buckets up to t. `tests/balance/test_facility_location.py`
holds it to plans that are fixed.
"""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from datong.balance.arrays import Market
from datong.balance.highs import LinearProgramme, Programme
from datong.model.flow import FloatArray, IntArray

# Units below this are rounding.
NOTHING = 1e-9


@dataclass(frozen=True, eq=False)
class Starts:
    """The starts of a programme in lots, in the order of `Programme.started`."""

    # (start) column that says whether it is set up, -1 where nothing decides it.
    setup: IntArray
    # (start) units that its column counts in.
    scale: FloatArray
    # (start) units, the most of one order; may be infinite.
    most: FloatArray


@dataclass(frozen=True, eq=False)
class Tightening:
    """More columns, at least 0 and free of cost, after all others; and more rows: lower <= matrix x <= upper."""

    # How many columns.
    count: int
    # (row, column) over the columns that were there and these.
    matrix: sp.csr_matrix
    # (row) units.
    lower: FloatArray
    upper: FloatArray


@dataclass(frozen=True, eq=False)
class Need:
    """What a product is needed for."""

    # (bucket) E: cumulative units, net of what comes anyway; may be below nothing.
    echelon: FloatArray
    # (bucket, column) S of the columns of the programme, and its constant, units.
    open_by: sp.csr_matrix
    open_units: FloatArray


def tightening(market: Market, programme: Programme, starts: Starts, columns: int) -> Tightening:
    """The rows for all products that are set up. columns: how many there are, set-ups among them."""
    needs = needs_of(market, programme, columns)
    rows = _Rows(columns)
    product = market.ways.product[programme.way_index]
    for i in sorted({int(p) for p in product[starts.setup >= 0]}):
        of = np.flatnonzero(product == i)
        _add(rows, market, programme, starts, of, needs[i])
    return rows.done()


def tightened(programme: LinearProgramme, more: Tightening) -> LinearProgramme:
    """The programme with more columns and rows."""
    none = sp.csc_matrix((programme.matrix.shape[0], more.count))
    return LinearProgramme(
        np.concatenate([programme.cost, np.zeros(more.count)]),
        np.concatenate([programme.upper, np.full(more.count, np.inf)]),
        np.concatenate([programme.row_lower, more.lower]),
        np.concatenate([programme.row_upper, more.upper]),
        sp.csc_matrix(sp.vstack([sp.hstack([programme.matrix, none]), more.matrix])),
    )


def needs_of(market: Market, programme: Programme, columns: int) -> dict[int, Need]:
    """What each product is needed for, with S over so many columns."""
    buckets = market.buckets
    found: dict[int, Need] = {}
    demands: dict[int, list[int]] = {}
    for d, i in enumerate(market.demand.product.tolist()):
        demands.setdefault(i, []).append(d)
    instead = set(market.rules.substitutes.demand.tolist())  # what others may serve needs nothing of its own product
    parents = _parents(market)
    for i in reversed(market.products.order):
        echelon, constant = np.zeros(buckets), np.zeros(buckets)
        open_by = sp.csr_matrix((buckets, columns))
        for d in demands.get(i, ()):
            if d in instead:
                continue
            level, short = _short(market, programme, d, columns)
            echelon, constant, open_by = echelon + level, constant + level - market.least_supply[d], open_by + short
        for j, units, lead in parents.get(i, ()):
            there = np.minimum(np.arange(buckets) + lead, buckets - 1)
            own = found[j]
            echelon = echelon + units * np.maximum(own.echelon[there], 0.0)
            constant = constant + units * own.open_units[there]
            open_by = open_by + units * own.open_by[there]
        if market.products.is_component[i]:
            echelon = echelon - np.cumsum(market.stock.fixed[i])
        found[i] = Need(echelon, sp.csr_matrix(open_by), constant)
    return found


def _short(market: Market, programme: Programme, d: int, columns: int) -> tuple[FloatArray, sp.csr_matrix]:
    """Q_d (bucket), and (bucket, column) short_d and away_d without the constant Q_d - least supply."""
    supply, bucket, _ = programme.over[d]
    saves = (programme.linear.cost[supply] < 0) & np.isfinite(programme.linear.upper[supply])
    supply, bucket = supply[saves], bucket[saves]
    level = market.least_supply[d] + np.bincount(bucket, programme.linear.upper[supply], market.buckets)
    earlier, later = np.tril_indices(market.buckets)[::-1]
    row = np.concatenate([bucket, later])
    column = np.concatenate([supply, programme.turned_away[d][earlier]])
    value = np.concatenate([np.full(len(supply), -1.0), np.ones(len(later))])
    return level, sp.csr_matrix((value, (row, column)), shape=(market.buckets, columns))


def _parents(market: Market) -> dict[int, list[tuple[int, float, int]]]:
    """component -> what it goes into: product, the fewest units of it in a good unit of any way, the shortest lead."""
    ways, uses = market.ways, market.uses
    opens = np.flatnonzero(ways.is_open.any(axis=1))
    count: dict[int, int] = {}
    lead: dict[int, int] = {}
    for w in opens.tolist():
        j = int(ways.product[w])
        count[j] = count.get(j, 0) + 1
        lead[j] = min(lead.get(j, market.buckets), int(ways.lead[w]))
    of_way: dict[tuple[int, int], FloatArray] = {}
    for u in range(len(uses)):
        at = (int(uses.component[u]), int(uses.way[u]))
        of_way[at] = of_way.get(at, np.zeros(market.buckets)) + uses.units[u] * uses.is_open[u]
    least: dict[tuple[int, int], list[float]] = {}
    for (i, w), units in of_way.items():
        if ways.is_open[w].any():
            each = float((units / ways.yield_share[w])[ways.is_open[w]].min())
            least.setdefault((i, int(ways.product[w])), []).append(each)
    found: dict[int, list[tuple[int, float, int]]] = {}
    for (i, j), each in sorted(least.items()):
        if len(each) == count[j] and min(each) > 0:  # a way without it needs none
            found.setdefault(i, []).append((j, min(each), lead[j]))
    return found


def _add(rows: "_Rows", market: Market, programme: Programme, starts: Starts, of: IntArray, need: Need) -> None:
    """The rows of one product. of: its starts."""
    buckets, t = market.buckets, np.arange(market.buckets)
    so_far = np.maximum.accumulate(np.maximum(need.echelon, 0.0))
    each = np.diff(so_far, prepend=0.0)
    if so_far[-1] <= NOTHING:
        return
    way = programme.way_index[of]
    good, there = market.ways.yield_share[way], programme.way_bucket[of] + market.ways.lead[way]
    most = np.where(np.isfinite(starts.most[of]), starts.most[of] * good, np.inf)
    setup = starts.setup[of]

    k, s = np.nonzero((there[:, None] <= t) & (each > NOTHING))
    z = rows.columns(len(k))
    before = np.concatenate([[0.0], so_far])[there]
    k_late = np.flatnonzero(before > NOTHING)
    late = rows.columns(len(k_late))
    all_k, all_z = np.concatenate([k, k_late]), np.concatenate([z, late])
    most_z = np.minimum(np.concatenate([each[s], before[k_late]]), most[all_k])

    decided = np.flatnonzero(setup[all_k] >= 0)
    row = rows.rows(np.full(len(decided), -np.inf), np.zeros(len(decided)))
    rows.put(row, all_z[decided], 1.0)
    rows.put(row, setup[all_k[decided]], -most_z[decided])

    row = rows.rows(np.full(len(of), -np.inf), np.zeros(len(of)))
    rows.put(row[all_k], all_z, 1.0)
    rows.put(row, programme.started[of], -good * starts.scale[of])

    left = rows.columns(buckets)
    row = rows.rows(each, each)
    rows.put(row, left, 1.0)
    rows.put(row[1:], left[:-1], -1.0)
    rows.put(row[s], z, 1.0)
    rows.put(row[there[k_late]], late, 1.0)

    row = rows.rows(np.full(buckets, -np.inf), np.zeros(buckets))
    rows.put(row[there[k_late]], late, 1.0)
    rows.put(row[1:], left[:-1], -1.0)

    spare = so_far - np.maximum(need.echelon, 0.0)
    row = rows.rows(np.full(buckets, -np.inf), spare + need.open_units)
    rows.put(row, left, 1.0)
    open_by = need.open_by.tocoo()
    rows.put(row[open_by.row], open_by.col, -open_by.data)


class _Rows:
    """Columns and rows in the making."""

    def __init__(self, columns: int) -> None:
        self.first, self.column_count, self.row_count = columns, columns, 0
        self.limits: list[tuple[FloatArray, FloatArray]] = []
        self.entries: list[tuple[IntArray, IntArray, FloatArray]] = []

    def columns(self, count: int) -> IntArray:
        self.column_count += count
        return np.arange(self.column_count - count, self.column_count)

    def rows(self, lower: FloatArray, upper: FloatArray) -> IntArray:
        self.limits.append((lower, upper))
        self.row_count += len(lower)
        return np.arange(self.row_count - len(lower), self.row_count)

    def put(self, row: IntArray, column: IntArray, value: FloatArray | float) -> None:
        self.entries.append((row, column, np.broadcast_to(np.asarray(value, dtype=np.float64), row.shape)))

    def done(self) -> Tightening:
        none = (np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0))
        row, column, value = (np.concatenate(a) for a in zip(none, *self.entries, strict=True))
        lower, upper = (np.concatenate(a) for a in zip((np.zeros(0), np.zeros(0)), *self.limits, strict=True))
        matrix = sp.csr_matrix((value, (row, column)), shape=(self.row_count, self.column_count))
        return Tightening(self.column_count - self.first, matrix, lower, upper)
