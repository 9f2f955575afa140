"""From the soft choices at the last prices to a plan that keeps every rule, to the last unit.

The search ends a little off the balance: some cells are asked for more than there is. The plan is cut to what there is
(`cut`), what was cut is asked again at prices at which full cells are dear, and so on for a few rounds; in the end
what components nobody uses is taken away (`trim`), and what would never be served is turned away at once.
"""

from dataclasses import dataclass

import numpy as np

from datong.balance.dual import Dual, Flow
from datong.balance.pack import Market
from datong.model.flow import FloatArray, IntArray

# How often what was cut is asked again, and the share of all units below which nothing is missing.
ROUNDS, MISSING = 8, 1e-7
# Temperature at which what is missing chooses: warm, so that it spreads over the cells that have room.
ASK_AGAIN = 0.002
# A cell with less than this share of its amount left is full; full cells cost this many unit costs more.
FULL, PENALTY = 1e-6, 1.0


def feasible(market: Market, dual: Dual, price: FloatArray, flow: Flow) -> Flow:
    """A flow that keeps every rule, near the one given, which is that of the prices."""
    return _Repair(market, dual, price).feasible(flow)


@dataclass(frozen=True, eq=False)
class _Level:
    """Ways whose products are of one level, and their uses of components. use_place: where a use's way is in `ways`."""

    ways: IntArray
    product: IntArray
    lead: IntArray
    good: FloatArray
    uses: IntArray
    use_place: IntArray


class _Repair:
    def __init__(self, market: Market, dual: Dual, price: FloatArray) -> None:
        self.market, self.dual, self.price = market, dual, price
        self.buckets = market.buckets
        level = dual.level
        self.on_line = np.nonzero(market.way_line >= 0)[0]
        self.levels = []
        for number in range(int(level.max(initial=0)) + 1):
            ways = np.nonzero(level[market.way_product] == number)[0]
            place = np.full(len(market.ways), -1)
            place[ways] = np.arange(len(ways))
            uses = np.nonzero(place[market.use_way] >= 0)[0] if len(market.use_way) else np.zeros(0, dtype=np.int64)
            self.levels.append(
                _Level(
                    ways,
                    market.way_product[ways],
                    market.way_lead[ways],
                    market.way_yield[ways],
                    uses,
                    place[market.use_way[uses]],
                )
            )

    def feasible(self, flow: Flow) -> Flow:
        market = self.market
        planned = flow.started * market.way_open
        arriving = self._arrivals(planned)
        wanted = self._wanted(arriving)
        started, issued = self.cut(planned, flow.issued)
        total = max(float(wanted[:, -1].sum()), 1e-9)
        for number in range(ROUNDS):
            missing = self._missing(wanted, started)
            if missing.sum() <= MISSING * total:
                break
            asked = started + self._ask_again(started, issued, missing, number)
            started, issued = self.cut(asked, flow.issued)
        started = self.trim(started, issued)
        return Flow(started, issued, self._turned_away(started, issued, flow.turned_away))

    # what there is --------------------------------------------------------------------------------

    def _hours(self, started: FloatArray) -> FloatArray:
        market = self.market
        hours = np.zeros(market.line_hours.shape)
        lines, weights = market.way_line[self.on_line], market.way_hours[self.on_line]
        for t in range(self.buckets):
            hours[:, t] = np.bincount(lines, weights * started[self.on_line, t], len(hours))
        return hours

    def _arrivals(self, started: FloatArray) -> FloatArray:
        """(product, bucket) good units that arrive."""
        market = self.market
        arrived = np.zeros((self.buckets, len(market.products)))
        for lead in np.unique(market.way_lead):
            own = np.nonzero(market.way_lead == lead)[0]
            for t in range(self.buckets - int(lead)):
                good = started[own, t] * market.way_yield[own]
                arrived[t + lead] += np.bincount(market.way_product[own], good, len(market.products))
        return arrived.T

    def _used(self, started: FloatArray) -> FloatArray:
        """(product, bucket) units of components that are taken."""
        market = self.market
        used = np.zeros((self.buckets, len(market.products)))
        for t in range(self.buckets):
            units = market.use_units * started[market.use_way, t] * market.use_open[:, t]
            used[t] = np.bincount(market.use_component, units, len(market.products))
        return used.T

    def cut(self, started: FloatArray, issued: FloatArray) -> tuple[FloatArray, FloatArray]:
        """The part of a plan that fits: into the hours and limits first, then bucket by bucket into the components that
        are there, lower levels first; what asks for the same thing is cut by the same share."""
        market, buckets = self.market, self.buckets
        started = np.minimum(np.maximum(started, 0.0), market.way_limit)
        started[self.on_line] *= _fits(self._hours(started), market.line_hours)[market.way_line[self.on_line]]
        count = len(market.products)
        comes = np.zeros((buckets + int(market.way_lead.max(initial=0)), count))
        comes[:buckets] = np.where(market.is_component[:, None], market.fixed, 0.0).T
        # What orders under way will take later is not free now.
        claims = np.minimum(comes[:buckets], 0.0)
        stock, issued = np.zeros(count), issued.copy()
        issuer = market.demanded
        for t in range(buckets):
            stock += comes[t]
            for level in self.levels:
                units = started[level.ways, t]
                if len(level.uses):
                    taken = market.use_units[level.uses] * units[level.use_place] * market.use_open[level.uses, t]
                    component = market.use_component[level.uses]
                    ask = np.bincount(component, taken, count).astype(np.float64)
                    fits = _fits(ask, self._free(stock, claims, comes, t))
                    share = np.ones(len(units))
                    np.minimum.at(share, level.use_place[taken > 0], fits[component[taken > 0]])
                    units *= share
                    stock -= np.bincount(component, taken * share[level.use_place], count)
                    started[level.ways, t] = units
                at = t + level.lead
                good = units * level.good
                now = level.lead == 0
                stock += np.bincount(level.product[now], good[now], count)
                np.add.at(comes, (at[~now], level.product[~now]), good[~now])
            issued[:, t] *= _fits(issued[:, t], self._free(stock, claims, comes, t)[issuer])
            stock[issuer] -= issued[:, t]
            stock = np.where(market.is_component, stock, 0.0)
        return started, issued

    def _free(self, stock: FloatArray, claims: FloatArray, comes: FloatArray, t: int) -> FloatArray:
        """Stock that no later claim of an order under way needs."""
        if not claims[t + 1 :].any():
            return np.maximum(stock, 0.0)
        later = np.cumsum(np.concatenate([np.zeros((1, len(stock))), comes[t + 1 : self.buckets]]), axis=0)
        return np.maximum(stock + later.min(axis=0), 0.0)

    # what is missing ------------------------------------------------------------------------------

    def _wanted(self, arriving: FloatArray) -> FloatArray:
        """(product, bucket) cumulative units that demand wants of what was planned to arrive."""
        market = self.market
        planned = np.cumsum(arriving, axis=1)
        wanted = np.zeros(planned.shape)
        for d, product in enumerate(market.demanded):
            if not market.is_component[product]:
                wanted[product] = planned[product]
                if self.dual.certain[d]:
                    wanted[product] = np.minimum(planned[product], np.maximum(market.net_demand(d)[0], 0.0))
        wanted[:, -1] = np.maximum(wanted[:, -1], 0.0)
        return np.maximum.accumulate(wanted, axis=1)

    def _missing(self, wanted: FloatArray, started: FloatArray) -> FloatArray:
        """(product, bucket) units that must still come by then."""
        short = np.maximum(wanted - np.cumsum(self._arrivals(started), axis=1), 0.0)
        return np.diff(np.maximum.accumulate(short, axis=1), axis=1, prepend=0.0)

    def _ask_again(self, started: FloatArray, issued: FloatArray, missing: FloatArray, number: int) -> FloatArray:
        """Starts for what is missing, in the cells that have room: products sold first, then what they now need."""
        market, dual = self.market, self.dual
        left = np.maximum(market.line_hours - self._hours(started), 0.0)
        left_limit = np.where(np.isfinite(market.way_limit), np.maximum(market.way_limit - started, 0.0), np.inf)
        price = self._dear_where_full(left, left_limit, stock=number >= ROUNDS // 2)
        _, costs, _ = dual.choose_components(price, ASK_AGAIN)
        none = np.zeros((self.buckets, len(market.products)))
        flow = dual.no_flow()
        for block in dual.sold:
            asked = missing[block.products].T
            if asked.any():
                dual.use(block, dual.choose_sold(block, price, costs, ASK_AGAIN, asked), none, flow)
        more = self._within(flow.started, left, left_limit)
        # Components, from the highest level down: what all that is started by then needs beyond what comes.
        price = self._dear_where_full(left, left_limit, stock=True)
        _, _, choices = dual.choose_components(price, ASK_AGAIN)
        issues = np.zeros((len(market.products), self.buckets))
        issues[market.demanded] = issued
        for blocks in reversed(dual.part_levels):
            comes = market.fixed + self._arrivals(started + more)
            short = np.maximum(np.cumsum(self._used(started + more) + issues - comes, axis=1), 0.0)
            need = np.diff(np.maximum.accumulate(short, axis=1), axis=1, prepend=0.0).T
            flow = dual.no_flow()
            for block in blocks:
                choice = choices[id(block)].without_demand()
                dual.use(block, choice, need, flow, claims=False)
            more = more + self._within(flow.started, left, left_limit)
        return more

    def _within(self, more: FloatArray, left: FloatArray, left_limit: FloatArray) -> FloatArray:
        """Starts within the room that is left."""
        more = np.minimum(more, left_limit)
        more[self.on_line] *= _fits(self._hours(more), left)[self.market.way_line[self.on_line]]
        return more

    def _dear_where_full(self, left: FloatArray, left_limit: FloatArray, stock: bool) -> FloatArray:
        dual, market = self.dual, self.market
        price = self.price.copy()
        hours, limits, _, stocks = dual.split(price)
        worth_hours, worth_limits, _, worth_stock = dual.split(dual.worth)
        hours += np.where(left.T <= FULL * market.line_hours.T, PENALTY * worth_hours, 0.0)
        limits += np.where(left_limit[dual.limited] <= FULL, PENALTY * worth_limits, 0.0)
        if stock:  # what stock there is, is counted already
            stocks += PENALTY * worth_stock
        return price

    # what is too much -----------------------------------------------------------------------------

    def trim(self, started: FloatArray, issued: FloatArray) -> FloatArray:
        """Without components that come and are never used, the latest first, from the highest level down."""
        market, buckets = self.market, self.buckets
        started = started.copy()
        issues = np.zeros((len(market.products), buckets))
        issues[market.demanded] = issued
        count = len(market.products)
        for level in reversed(self.levels):
            own = market.is_component[level.product]
            if not own.any():
                continue
            ways, product, lead, good = level.ways[own], level.product[own], level.lead[own], level.good[own]
            spare = np.cumsum(market.fixed + self._arrivals(started) - self._used(started) - issues, axis=1)
            spare = np.maximum(np.minimum.accumulate(spare[:, ::-1], axis=1)[:, ::-1], 0.0)
            gone = np.zeros(count)
            for t in range(buckets - 1, -1, -1):
                start = t - lead
                some = start >= 0
                units = started[ways[some], start[some]] * good[some]
                arrive = np.bincount(product[some], units, count)
                away = np.minimum(arrive, np.maximum(spare[:, t] - gone, 0.0))
                keep = 1.0 - away / np.where(arrive > 0, arrive, 1.0)
                started[ways[some], start[some]] *= keep[product[some]]
                gone += away
        return started

    def _turned_away(self, started: FloatArray, issued: FloatArray, soft: FloatArray) -> FloatArray:
        """Units turned away: what would wait to the end, as soon as it is asked for, where that is the cheaper."""
        market = self.market
        supply = np.cumsum(self._arrivals(started), axis=1)
        away = np.minimum(np.maximum(soft, 0.0), market.sure)
        pays = self.dual.turning_away_pays
        for d, product in enumerate(market.demanded):
            if self.dual.certain[d]:
                there = np.cumsum(issued[d]) if market.is_component[product] else supply[product]
                waiting = np.maximum(market.net_demand(d)[0] - np.cumsum(away[d]) - there, 0.0)
                never = np.minimum.accumulate(waiting[::-1])[::-1]
                more = np.diff(never, prepend=0.0) * pays[d]
                away[d] = np.minimum(away[d] + more, market.sure[d])
        return away


def _fits(asked: FloatArray, there: FloatArray) -> FloatArray:
    """The share of what is asked for that is there, at most 1."""
    over = asked > there
    return np.where(over, np.maximum(there, 0.0) / np.where(over, asked, 1.0), 1.0)
