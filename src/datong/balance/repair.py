"""From the soft choices at the last prices to a plan that keeps every rule, to the last unit.

The search ends a little off the balance: some cells are asked for more than there is. The plan is cut to what there is
(`cut`), what was cut is asked again at prices at which full cells are dear, and so on for a few rounds; in the end
what components nobody uses is taken away (`trim`), what comes before it is needed starts later where there is room
(`later`), and what would never be served is turned away at once.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from datong.balance.arrays import Market
from datong.balance.dual import Block, Dual, Flow
from datong.model.flow import FloatArray, IntArray

# The share of all units below which nothing is missing.
MISSING = 1e-7
# Temperature at which what is missing chooses: warm, so that it spreads over the cells that have room.
ASK_AGAIN = 0.002
# A cell with less than this share of its amount left is full, round by round: cells with much room are filled first,
# else each round would fill no more than the crumbs of the cheapest ones. Full cells cost this many unit costs more.
FULL, PENALTY = (3e-3, 3e-3, 1e-3, 1e-3, 3e-4, 1e-4, 1e-5, 1e-6), 1.0


def feasible(market: Market, dual: Dual, price: FloatArray, flow: Flow) -> Flow:
    """A flow that keeps every rule, near the one given, which is that of the prices."""
    return _Repair(market, dual, price).feasible(flow)


@dataclass(frozen=True, eq=False)
class _Level:
    """Ways whose products are of one level, and their uses of components. product, lead (buckets), good (good units of
    a unit started): (way in `ways`). use_component, use_units (for a unit started), use_place (where a use's way is in
    `ways`): (use)."""

    ways: IntArray
    product: IntArray
    lead: IntArray
    good: FloatArray
    uses: IntArray
    use_place: IntArray
    use_component: IntArray
    use_units: FloatArray

    @cached_property
    def by_lead(self) -> list[tuple[int, IntArray, IntArray]]:
        """Lead times, the places of the ways that have them, and their products."""
        places = [np.flatnonzero(self.lead == lead) for lead in np.unique(self.lead)]
        return [(int(self.lead[own[0]]), own, self.product[own]) for own in places]


class _Repair:
    """Arrays here are (bucket, way), (bucket, line) and (bucket, product), so that a bucket is one row."""

    def __init__(self, market: Market, dual: Dual, price: FloatArray) -> None:
        self.market, self.dual, self.price = market, dual, price
        self.buckets = market.buckets
        # What is on no line stands on one more, the last, of which it takes nothing.
        on_line = market.ways.line >= 0
        self.line = np.where(on_line, market.ways.line, len(market.lines))
        self.hours = np.where(on_line, market.ways.hours, 0.0)
        self.line_hours = np.ascontiguousarray(market.lines.hours.T)
        self.most = np.ascontiguousarray(market.ways.limit.T)
        self.limited = bool(dual.limit_count)
        self.fixed = np.ascontiguousarray(market.stock.fixed.T)
        self.use_open = None if market.uses.is_open.all() else np.ascontiguousarray(market.uses.is_open.T)
        # Where a start may wait a bucket: it then still may start, and takes the same.
        self.may_wait = np.zeros(self.most.shape, dtype=bool)
        self.may_wait[:-1] = market.ways.is_open.T[:-1] & market.ways.is_open.T[1:]
        if self.use_open is not None:
            use, bucket = np.nonzero(market.uses.is_open[:, 1:] != market.uses.is_open[:, :-1])
            self.may_wait[bucket, market.uses.way[use]] = False
        # What orders under way will take later is not free before.
        self.claims = bool((self.fixed[:, market.products.is_component] < 0).any())
        self.levels = []
        for number in range(int(dual.level.max(initial=0)) + 1):
            ways = np.flatnonzero(dual.level[market.ways.product] == number)
            place = np.full(len(market.ways), -1)
            place[ways] = np.arange(len(ways))
            uses = np.flatnonzero(place[market.uses.way] >= 0)
            at = place[market.uses.way[uses]]
            product, lead = market.ways.product[ways], market.ways.lead[ways]
            component, units = market.uses.component[uses], market.uses.units[uses]
            self.levels.append(_Level(ways, product, lead, market.ways.yield_share[ways], uses, at, component, units))
        # Before a bucket no way can bring a product: until then its stock is all there is.
        first = np.where(
            market.ways.is_open.any(axis=1), market.ways.is_open.argmax(axis=1) + market.ways.lead, self.buckets
        )
        self.earliest = np.full(len(market.products), self.buckets)
        np.minimum.at(self.earliest, market.ways.product, first)
        self.leads = [(int(lead), np.flatnonzero(market.ways.lead == lead)) for lead in np.unique(market.ways.lead)]

    def feasible(self, flow: Flow) -> Flow:
        planned = np.ascontiguousarray(np.where(self.market.ways.is_open, flow.started, 0.0).T)
        issues = np.ascontiguousarray(flow.issued.T)
        wanted = self._wanted(self._arrivals(planned))
        started, issued = self.cut(planned, issues)
        total = max(float(wanted[-1].sum() + issues.sum()), 1e-9)
        for full in FULL:
            missing = self._missing(wanted, started)
            missing[:, self.market.demand.product] += np.maximum(issues - issued, 0.0)
            if missing.sum() <= MISSING * total:
                break
            more, more_issues = self._ask_again(started, issued, missing, full)
            issues = issued + more_issues
            started, issued = self.cut(started + more, issues)
        started = self.later(self.trim(started, issued), issued)
        return Flow(started.T.copy(), issued.T.copy(), self._turned_away(started, issued.T, flow.turned_away))

    # what there is --------------------------------------------------------------------------------

    def _hours(self, started: FloatArray) -> FloatArray:
        hours = np.zeros(self.line_hours.shape)
        for t in range(self.buckets):
            hours[t] = np.bincount(self.line, self.hours * started[t], hours.shape[1] + 1)[:-1]
        return hours

    def _fit_hours(self, started: FloatArray, there: FloatArray) -> None:
        """Cuts starts to the hours that are there, in place: all of a line by the same share."""
        share = np.hstack([_fits(self._hours(started), there), np.ones((self.buckets, 1))])
        for t in range(self.buckets):
            started[t] *= share[t, self.line]

    def _arrivals(self, started: FloatArray) -> FloatArray:
        """Good units that arrive."""
        market = self.market
        arrived = np.zeros((self.buckets, len(market.products)))
        for lead, own in self.leads:
            product, good = market.ways.product[own], market.ways.yield_share[own]
            for t in range(self.buckets - lead):
                arrived[t + lead] += np.bincount(product, started[t, own] * good, arrived.shape[1])
        return arrived

    def _used(self, started: FloatArray) -> FloatArray:
        """Units of components that are taken."""
        market = self.market
        used = np.zeros((self.buckets, len(market.products)))
        for t in range(self.buckets):
            units = market.uses.units * started[t, market.uses.way]
            if self.use_open is not None:
                units *= self.use_open[t]
            used[t] = np.bincount(market.uses.component, units, used.shape[1])
        return used

    def _spare(self, started: FloatArray, issued: FloatArray) -> FloatArray:
        """What lies in stock at the end of each bucket; below 0 where it is missing."""
        comes = self.fixed + self._arrivals(started) - self._used(started)
        comes[:, self.market.demand.product] -= issued
        return np.cumsum(comes, axis=0)

    def cut(self, started: FloatArray, issued: FloatArray) -> tuple[FloatArray, FloatArray]:
        """The part of a plan that fits: into the hours and limits first, then bucket by bucket into the components that
        are there, lower levels first; what asks for the same thing is cut by the same share."""
        market = self.market
        started = np.minimum(np.maximum(started, 0.0), self.most)
        self._fit_hours(started, self.line_hours)
        count = len(market.products)
        comes = np.zeros((self.buckets + int(market.ways.lead.max(initial=0)), count))
        comes[: self.buckets] = np.where(market.products.is_component, self.fixed, 0.0)
        stock, issued = np.zeros(count), issued.copy()
        for t in range(self.buckets):
            stock += comes[t]
            for level in self.levels:
                units = started[t, level.ways]
                if len(level.uses):
                    taken, component = self._taken(level, units, t), level.use_component
                    ask = np.bincount(component, taken, count).astype(np.float64)
                    fits = _fits(ask, self._free(stock, comes, t))
                    if (fits < 1.0).any():
                        share = np.ones(len(units))
                        some = taken > 0
                        np.minimum.at(share, level.use_place[some], fits[component[some]])
                        units *= share
                        ask = np.bincount(component, taken * share[level.use_place], count)
                        started[t, level.ways] = units
                    stock -= ask
                good = units * level.good
                for lead, own, product in level.by_lead:
                    came = np.bincount(product, good[own], count)
                    if lead:
                        comes[t + lead] += came
                    else:
                        stock += came
            issued[t] *= _fits(issued[t], self._free(stock, comes, t)[market.demand.product])
            stock[market.demand.product] -= issued[t]
            stock = np.where(market.products.is_component, stock, 0.0)
        return started, issued

    def _taken(self, level: _Level, units: FloatArray, t: int) -> FloatArray:
        """(use) units of components that starts of a level's ways in a bucket take."""
        taken = level.use_units * units[level.use_place]
        if self.use_open is not None:
            taken *= self.use_open[t, level.uses]
        return taken

    def _free(self, stock: FloatArray, comes: FloatArray, t: int) -> FloatArray:
        """Stock that no later claim of an order under way needs."""
        if not self.claims or t + 1 == self.buckets:
            return np.maximum(stock, 0.0)
        later = np.cumsum(comes[t + 1 : self.buckets], axis=0)
        return np.maximum(stock + np.minimum(later.min(axis=0), 0.0), 0.0)

    # what is missing ------------------------------------------------------------------------------

    def _wanted(self, arriving: FloatArray) -> FloatArray:
        """Cumulative units that demand wants of what was planned to arrive."""
        market = self.market
        planned = np.cumsum(arriving, axis=0)
        wanted = np.zeros(planned.shape)
        direct = ~market.products.is_component[market.demand.product]
        product = market.demand.product[direct]
        wanted[:, product] = planned[:, product]
        certain = direct & self.dual.certain
        product = market.demand.product[certain]
        wanted[:, product] = np.minimum(planned[:, product], self.dual.net[certain].T)
        return np.maximum.accumulate(wanted, axis=0)

    def _missing(self, wanted: FloatArray, started: FloatArray) -> FloatArray:
        """Units that must still come, when they are due; what is late but comes is not asked for again."""
        short = np.maximum(wanted - np.cumsum(self._arrivals(started), axis=0), 0.0)
        due = np.minimum(np.maximum.accumulate(short, axis=0), short[-1])
        return np.diff(due, axis=0, prepend=0.0)

    def _ask_again(
        self, started: FloatArray, issued: FloatArray, missing: FloatArray, full: float
    ) -> tuple[FloatArray, FloatArray]:
        """Starts for what is missing, in the cells that have room: what is sold first, then what that now needs; and
        the issues from pools that are to come of it."""
        dual = self.dual
        left = np.maximum(self.line_hours - self._hours(started), 0.0)
        left_limit = np.maximum(self.most - started, 0.0) if self.limited else self.most
        spare = self._spare(started, issued)
        price = self._dear_where_full(left, left_limit, self._stock_left(spare), full)
        _, costs, _ = dual.choose_components(price, ASK_AGAIN)
        none = np.zeros(costs.shape)
        flow = dual.no_flow()

        def ask(block: Block) -> None:
            asked = missing[:, block.products]
            if asked.any():
                choice = dual.choose_sold(block, price, costs, ASK_AGAIN, asked)
                dual.use(block, choice, none, flow, claims=False)

        dual.each(ask, dual.blocks)
        more, issues = self._within(flow, left, left_limit), flow.issued.T
        spare[:, self.market.demand.product] -= np.cumsum(issues, axis=0)
        for level in self.levels:
            self._change_spare(spare, level, more)
        # Components, from the highest level down: what all that is started by then needs beyond what comes.
        none_left = np.zeros(len(dual.stock_product))  # what stock there is, is counted already
        price = self._dear_where_full(left, left_limit, none_left, full)
        _, _, choices = dual.choose_components(price, ASK_AGAIN, plain=True)
        for blocks in reversed(dual.part_levels):
            short = np.maximum(-spare[:, dual.components], 0.0)
            need = np.diff(np.maximum.accumulate(short, axis=0), axis=0, prepend=0.0)
            flow = dual.no_flow()
            for block in blocks:
                dual.use(block, choices[id(block)].without_demand(), need, flow, claims=False)
            parts = self._within(flow, left, left_limit)
            self._change_spare(spare, self.levels[blocks[0].level], parts)
            more += parts
        return more, issues

    def _change_spare(self, spare: FloatArray, level: _Level, more: FloatArray) -> None:
        """Adds what more starts of a level's ways bring and take to what lies in stock at the end of each bucket."""
        count = spare.shape[1]
        comes = np.zeros(spare.shape)
        for t in range(self.buckets):
            units = more[t, level.ways]
            if not units.any():
                continue
            comes[t] -= np.bincount(level.use_component, self._taken(level, units, t), count)
            good = units * level.good
            for lead, own, product in level.by_lead:
                if t + lead < self.buckets:
                    comes[t + lead] += np.bincount(product, good[own], count)
        spare += np.cumsum(comes, axis=0, out=comes)

    def _within(self, flow: Flow, left: FloatArray, left_limit: FloatArray) -> FloatArray:
        """Starts of a flow within the room that is left."""
        more = np.ascontiguousarray(flow.started.T)
        np.minimum(more, left_limit, out=more)
        self._fit_hours(more, left)
        return more

    def _stock_left(self, spare: FloatArray) -> FloatArray:
        """Of each stock that comes: units that nothing takes before more of them could be had. spare: `_spare`."""
        product, bucket = self.dual.stock_product, self.dual.stock_bucket
        until = np.maximum(self.earliest[product], bucket + 1)
        left = np.full(len(product), np.inf)
        for first, last in sorted(set(zip(bucket.tolist(), until.tolist(), strict=True))):
            own = np.flatnonzero((bucket == first) & (until == last))
            left[own] = spare[first:last, product[own]].min(axis=0)
        return left

    def _dear_where_full(
        self, left: FloatArray, left_limit: FloatArray, stock_left: FloatArray, full: float
    ) -> FloatArray:
        dual = self.dual
        price = self.price.copy()
        hours, limits, _, stocks = dual.split(price)
        worth_hours, worth_limits, _, worth_stock = dual.split(dual.worth)
        stock_amount = dual.split(dual.amount)[3]
        hours += np.where(left <= full * self.line_hours, PENALTY * worth_hours, 0.0)
        limits += np.where(left_limit.T[dual.limited] <= full * self.most.T[dual.limited], PENALTY * worth_limits, 0.0)
        stocks += np.where(stock_left <= full * stock_amount, PENALTY * worth_stock, 0.0)
        return price

    # what is too much -----------------------------------------------------------------------------

    def trim(self, started: FloatArray, issued: FloatArray) -> FloatArray:
        """Without components that come and are never used, the latest first, from the highest level down."""
        market, buckets = self.market, self.buckets
        started = started.copy()
        count = len(market.products)
        for level in reversed(self.levels):
            own = market.products.is_component[level.product]
            if not own.any():
                continue
            ways, product, lead, good = level.ways[own], level.product[own], level.lead[own], level.good[own]
            spare = self._spare(started, issued)
            spare = np.maximum(np.minimum.accumulate(spare[::-1], axis=0)[::-1], 0.0)
            gone = np.zeros(count)
            for t in range(buckets - 1, -1, -1):
                some = lead <= t
                start = t - lead[some]
                units = started[start, ways[some]] * good[some]
                arrive = np.bincount(product[some], units, count)
                away = np.minimum(arrive, np.maximum(spare[t] - gone, 0.0))
                keep = 1.0 - away / np.where(arrive > 0, arrive, 1.0)
                started[start, ways[some]] *= keep[product[some]]
                gone += away
        return started

    def later(self, started: FloatArray, issued: FloatArray) -> FloatArray:
        """What comes before it is needed starts a bucket later by the same way, and again, as far as there is room
        then; products sold first, whose components are then needed later too."""
        market, buckets = self.market, self.buckets
        started, count = started.copy(), len(market.products)
        left = self.line_hours - self._hours(started)
        held = np.bincount(
            market.uses.way, market.uses.units * market.money.holding[market.uses.component], len(market.ways)
        )
        pays = market.ways.yield_share * market.money.holding[market.ways.product] > held
        for level in reversed(self.levels):
            early = self._early(started, issued)
            for t in range(buckets - 1):
                some = np.flatnonzero((level.lead <= t) & pays[level.ways] & (early[t, level.product] > 0))
                ways, start, product = level.ways[some], t - level.lead[some], level.product[some]
                units = np.where(self.may_wait[start, ways], started[start, ways], 0.0)
                arrive = np.bincount(product, units * level.good[some], count).astype(np.float64)
                units *= _fits(arrive, early[t])[product]
                units = np.minimum(units, np.maximum(self.most[start + 1, ways] - started[start + 1, ways], 0.0))
                on_line = np.flatnonzero(market.ways.line[ways] >= 0)
                cell = (start[on_line] + 1) * left.shape[1] + market.ways.line[ways[on_line]]
                hours = market.ways.hours[ways[on_line]]
                asked = np.bincount(cell, units[on_line] * hours, left.size).astype(np.float64)
                units[on_line] *= _fits(asked, np.maximum(left, 0.0).ravel())[cell]
                taken = units[on_line] * hours
                left -= np.bincount(cell, taken, left.size).reshape(left.shape)
                left += np.bincount(cell - left.shape[1], taken, left.size).reshape(left.shape)
                started[start, ways] -= units
                started[start + 1, ways] += units
        return started

    def _early(self, started: FloatArray, issued: FloatArray) -> FloatArray:
        """(bucket, product) units that have come by the bucket's end and are not needed in it; of uncertain demand
        that is nothing."""
        market, dual = self.market, self.dual
        early = np.maximum(self._spare(started, issued), 0.0)
        early[:, ~market.products.is_component] = 0.0
        certain = dual.certain & ~market.products.is_component[market.demand.product]
        product = market.demand.product[certain]
        supply = np.cumsum(self._arrivals(started)[:, product], axis=0)
        early[:, product] = np.maximum(supply - dual.net[certain].T, 0.0)
        return early

    def _turned_away(self, started: FloatArray, issued: FloatArray, soft: FloatArray) -> FloatArray:
        """(demanded, bucket) units turned away: those of the soft plan, and what would wait to the end, as soon as it
        is asked for, where that is the cheaper. issued: (demanded, bucket)."""
        market, certain = self.market, self.dual.certain
        away = np.minimum(np.maximum(soft, 0.0), market.demand.sure)
        supply = np.cumsum(self._arrivals(started).T[market.demand.product], axis=1)
        there = np.where(market.products.is_component[market.demand.product, None], np.cumsum(issued, axis=1), supply)
        waiting = np.maximum(self.dual.net - np.cumsum(away, axis=1) - there, 0.0)
        never = np.minimum.accumulate(waiting[:, ::-1], axis=1)[:, ::-1]
        more = np.diff(never, axis=1, prepend=0.0) * self.dual.turning_away_pays
        return np.where(certain[:, None], np.minimum(away + more, market.demand.sure), away)


def _fits(asked: FloatArray, there: FloatArray) -> FloatArray:
    """The share of what is asked for that is there, at most 1."""
    over = asked > there
    return np.where(over, np.maximum(there, 0.0) / np.where(over, asked, 1.0), 1.0)
