"""The chain as arrays: what the market knows. Facts and demand in, a Market out; no solver here.

Axes: product; demanded (products that are asked for); way (recipes and offers); line; bucket (t).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date

import numpy as np

from datong.ledger.facts import (
    ChainFacts,
    Way,
    chain_facts,
    committed,
    planned_demand,
    prices_first,
    unit_costs,
    valid_on,
)
from datong.ledger.places import StockPoint
from datong.ledger.position import Position
from datong.ledger.state import State
from datong.model.calendar import Calendar
from datong.model.flow import BoolArray, FloatArray, Forecast, IntArray, Item, Learnt


@dataclass(frozen=True, eq=False)
class Market:
    """Everything that is bought, sold or scarce.

    way_*: (way). `way_open`: (way, bucket) it may start there and arrives inside the horizon. `way_limit`:
    (way, bucket) most units started. Costs and hours are per unit started, of which `way_yield` become good units.
    use_*: (use) units of a component that one unit started takes; `use_open`: (use, bucket) while it is valid.
    line_hours: (line, bucket) left after orders under way. fixed: (product, bucket) units that come (opening stock in
    bucket 0) less units that orders under way will use; `stock_in` the same before use, `hours_taken` of those orders.
    holding, late, lost_sale, waiting_at_end, salvage: (product) money per unit (and bucket). cumulative_demand: per
    demanded product (path, bucket). sure: (demanded, bucket) units asked for in every path. plain_cost: (product)
    money for a good unit by the cheapest way where nothing is scarce; inf without a way. levels: products,
    components first; those of a circle of lanes stand together, as often as there are of them.

    In a chain with lanes a product is a stock point, by its label; stock_points: product and site by label; label_of:
    what an item is asked of; shared: what stands for a line and is none: label -> ('lane' or 'offer', its key), an hour
    being a unit.
    """

    products: tuple[str, ...]
    ways: tuple[Way, ...]
    lines: tuple[str, ...]
    bucket_starts: tuple[date, ...]
    way_product: IntArray
    way_line: IntArray
    way_hours: FloatArray
    way_cost: FloatArray
    way_yield: FloatArray
    way_lead: IntArray
    way_open: BoolArray
    way_limit: FloatArray
    use_way: IntArray
    use_component: IntArray
    use_units: FloatArray
    use_open: BoolArray
    line_hours: FloatArray
    hours_taken: FloatArray
    fixed: FloatArray
    holding: FloatArray
    late: FloatArray
    lost_sale: FloatArray
    waiting_at_end: FloatArray
    salvage: FloatArray
    demanded: IntArray
    cumulative_demand: tuple[FloatArray, ...]
    sure: FloatArray
    is_component: BoolArray
    plain_cost: FloatArray
    levels: tuple[int, ...]
    stock_points: Mapping[str, StockPoint] = field(default_factory=dict)
    shared: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    label_of: Callable[[Item], str] = lambda item: item.product

    @property
    def buckets(self) -> int:
        return len(self.bucket_starts)

    @property
    def single_level(self) -> bool:
        """No component is made, bought or used: products share nothing but lines."""
        return len(self.use_way) == 0

    @property
    def has_circles(self) -> bool:
        """Lanes lead from some stock point back to it: `levels` then names its members more than once."""
        return len(self.levels) > len(self.products)

    def net_demand(self, d: int) -> FloatArray:
        """Cumulative demand of the d-th demanded product (path, bucket) less what comes anyway.

        Stock of a product that is also a component is not earmarked, so it is not taken off.
        """
        product = self.demanded[d]
        if self.is_component[product]:
            return self.cumulative_demand[d]
        return self.cumulative_demand[d] - np.cumsum(self.fixed[product])


def pack(state: State, demand: Forecast, learnt: Learnt, where: Position) -> Market:
    """Arrays of the chain as known at the state's moment."""
    settings = state.settings
    facts = chain_facts(state, demand.bucket_starts, learnt, demand.items)
    asked = planned_demand(demand, where, facts, demand.bucket_starts, settings)
    return pack_facts(facts, where, asked, demand.bucket_starts, settings.calendar, settings.frozen_buckets)


def pack_facts(
    facts: ChainFacts,
    where: Position,
    asked: dict[str, FloatArray],
    bucket_starts: tuple[date, ...],
    calendar: Calendar,
    frozen_buckets: int,
) -> Market:
    """Arrays of facts, position and demand (product -> (path, bucket) units).

    Later rules (capped lateness, priorities, shelf life) come in here as further arrays.
    """
    buckets = len(bucket_starts)
    costs = unit_costs(facts.products, facts.ways, bucket_starts)
    products, ways, lines = facts.products, facts.ways, tuple(facts.line_hours)
    at = {p: i for i, p in enumerate(products)}
    line_at = {name: i for i, name in enumerate(lines)}
    t = np.arange(buckets)
    lead = np.array([calendar.lead_buckets(w.lead_days) for w in ways], dtype=np.int64)
    valid = np.array([[valid_on(s, w.valid_from, w.valid_to) for s in bucket_starts] for w in ways], dtype=bool)
    way_open = valid.reshape(len(ways), buckets) & (t >= frozen_buckets) & (t + lead[:, None] < buckets)
    limit = np.array([w.units_per_week for w in ways]) * calendar.bucket_days / 7
    uses = [(i, at[u.component], u) for i, w in enumerate(ways) for u in w.uses if u.component in at]
    use_open = np.array([[valid_on(s, u.valid_from, u.valid_to) for s in bucket_starts] for *_, u in uses], dtype=bool)
    line_hours = np.array([facts.line_hours[name] for name in lines]).reshape(len(lines), buckets)
    promised = committed(facts, where, bucket_starts, calendar)
    hours_taken = np.array([promised.hours[name] for name in lines]).reshape(len(lines), buckets)
    economics = [facts.economics[p] for p in products]
    holding, late, lost_sale, waiting_at_end, salvage = (
        np.array([getattr(e, name) for e in economics], dtype=np.float64)
        for name in ("holding_per_bucket", "late_per_bucket", "lost_sale", "waiting_at_end", "salvage")
    )
    is_component = np.zeros(len(products), dtype=bool)
    is_component[[c for _, c, _ in uses]] = True
    names = [p for p in asked if p in at]
    sure = np.array([np.maximum(asked[p].min(axis=0), 0.0) for p in names]).reshape(len(names), buckets)
    return Market(
        products=products,
        ways=ways,
        lines=lines,
        bucket_starts=tuple(bucket_starts),
        way_product=np.array([at[w.product] for w in ways], dtype=np.int64),
        way_line=np.array([line_at.get(w.line or "", -1) for w in ways], dtype=np.int64),
        way_hours=np.array([w.hours_per_unit for w in ways], dtype=np.float64),
        way_cost=np.array([w.cost_per_unit for w in ways], dtype=np.float64),
        way_yield=np.array([w.yield_share for w in ways], dtype=np.float64),
        way_lead=lead,
        way_open=way_open,
        way_limit=np.where(way_open, limit[:, None], 0.0),
        use_way=np.array([i for i, *_ in uses], dtype=np.int64),
        use_component=np.array([c for _, c, _ in uses], dtype=np.int64),
        use_units=np.array([u.units_per_unit for *_, u in uses], dtype=np.float64),
        use_open=use_open.reshape(len(uses), buckets),
        line_hours=line_hours - hours_taken,
        hours_taken=hours_taken,
        fixed=np.array([promised.units[p] for p in products]).reshape(len(products), buckets),
        holding=holding,
        late=late,
        lost_sale=lost_sale,
        waiting_at_end=waiting_at_end,
        salvage=salvage,
        demanded=np.array([at[p] for p in names], dtype=np.int64),
        cumulative_demand=tuple(np.cumsum(asked[p], axis=1) for p in names),
        sure=sure,
        is_component=is_component,
        plain_cost=np.array([costs[p] for p in products]),
        levels=tuple(at[p] for p in prices_first(products, ways)),
        stock_points=facts.stock_points,
        shared=facts.shared,
        label_of=facts.label_of,
    )
