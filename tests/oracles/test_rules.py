"""The rules beyond the linear core on random small chains: cost, plain loop and bound are one number, rule by rule."""

from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pytest

from datong.balance import highs
from datong.balance import price_search as prices_door
from datong.balance.bound import lower_bound
from datong.balance.evaluate import evaluate
from datong.balance.pack import pack_facts
from datong.balance.rules.stock_held import StockHeld
from datong.balance.solution import USUAL_LIMITS, Prices
from datong.model.calendar import Calendar
from datong.network.bills import ComponentUse
from datong.network.co_products import with_shares
from datong.network.economics import Economics, honest_salvage
from datong.network.facts import ChainFacts
from datong.network.lines_at_once import OnLine
from datong.network.position import Position, UnderWay
from datong.network.rule_facts import DemandClass, FirmShare, RuleFacts, Substitute
from datong.network.shelf_life import Keeps
from datong.network.sourcing_shares import SourcingShare
from datong.network.stock_targets import StockTarget
from datong.network.way_arrays import unit_costs
from datong.network.ways import Way
from planning import served_in

RULES = (
    "maximum lateness",
    "priorities",
    "lateness of orders",
    "substitutes",
    "shelf life",
    "change charge",
    "firm shares",
    "overtime",
    "safety stock",
    "largest stock",
    "lines at once",
    "sourcing shares",
    "co products",
)


def way(name, kind, product, **others):
    """A Way with nothing special but what is given."""
    numbers = ("hours_per_unit", "cost_per_unit", "setup_hours", "setup_cost", "min_units", "multiple_units")
    plain = dict.fromkeys(numbers, 0.0) | dict.fromkeys(("line", "valid_from", "valid_to"))
    plain |= {"lead_days": 0, "yield_share": 1.0, "units_per_week": np.inf, "uses": ()}
    return Way(name=name, kind=kind, product=product, **(plain | others))


def random_market(seed, *names):
    """A market of 2-4 products and a part on 2-3 lines over 3-8 weeks, short of hours, with the rules named."""
    random = np.random.default_rng(seed)
    buckets, paths = int(random.integers(3, 9)), int(random.choice([1, 1, 6]))
    starts = tuple(date(2024, 1, 1) + timedelta(days=7 * i) for i in range(buckets))
    lines = [f"L{i}" for i in range(random.integers(2, 4))]
    sold = [f"P{i}" for i in range(random.integers(2, 5))]
    ways, economics = [], {}
    for product in [*sold, "Q"]:
        price = float(random.uniform(5, 50)) * (0.2 if product == "Q" else 1.0)
        holding, late, lost = price * random.uniform([0.002, 0.01, 0.3], [0.02, 0.1, 1.0])
        waiting = lost * float(random.choice([0.7, 1.0]))
        economics[product] = Economics(price, holding, late, lost, waiting, float(random.choice([0.0, price])))
        for k in range(random.integers(1, 4)):
            uses = (ComponentUse("Q", 2.0, None, None),) if product != "Q" and random.random() < 0.4 else ()
            numbers = {
                "hours_per_unit": float(random.uniform(0.2, 1)),
                "cost_per_unit": price * float(random.uniform(0.2, 0.5)),
                "lead_days": int(random.choice([0, 7])),
                "yield_share": float(random.choice([1, 0.9])),
            }
            ways.append(way(f"{product}/{k}", "make", product, line=str(random.choice(lines)), uses=uses, **numbers))
        if random.random() < 0.5 or product == "Q":
            most = float(random.choice([np.inf, 10.0]))
            numbers = {"cost_per_unit": price * 0.7, "lead_days": 7, "units_per_week": most}
            ways.append(way(f"{product}/x", "buy", product, **numbers))
    ways.sort(key=lambda w: (w.product, w.kind, w.name))
    if "lines at once" in names:
        ways = [holding_another(np.random.default_rng([seed, k]), w, lines) for k, w in enumerate(ways)]
    if "co products" in names:
        prices = {product: e.price for product, e in economics.items()}
        ways = [with_others(np.random.default_rng([seed, k, 1]), w, prices) for k, w in enumerate(ways)]
    asked = {p: random.poisson(random.uniform(2, 30), size=(paths, buckets)).astype(float) for p in sold}
    load = sum(a.mean(axis=0).mean() for a in asked.values()) * 0.6 / len(lines)
    products = tuple(sorted([*sold, "Q"]))
    costs = unit_costs(products, ways, starts)
    for product, e in economics.items():
        economics[product] = replace(e, salvage=honest_salvage(e.salvage, costs[product], e.waiting_at_end))
    hours = {name: np.full(buckets, load * random.uniform(0.4, 1.2)) for name in lines}
    facts = ChainFacts(products, economics, tuple(ways), hours)
    first = ways[0]
    under_way = (
        UnderWay("W1", "make", first.product, first.name, first.line, 5.0, starts[0], starts[1]),
        UnderWay("P1", "buy", sold[-1], None, None, 3.0, starts[0] - timedelta(days=9), starts[-1]),
    )
    where = Position({p: float(random.integers(0, 30)) for p in products}, {}, {}, under_way)
    rules = random_rules(random, facts, sold, asked, buckets, names)
    frozen = int(random.choice([0, 0, 1]))
    return pack_facts(facts, where, asked, starts, Calendar("UTC", "week"), frozen, rules)


def holding_another(random, way, lines):
    """The way, half the time with another line held besides its own."""
    others = [line for line in lines if line != way.line]
    if way.line is None or random.random() < 0.5:
        return way
    return replace(way, beside=(OnLine(str(random.choice(others)), float(random.uniform(0.1, 0.8)), 0.0),))


def with_others(random, way, prices):
    """The way, half the time with one or two products that come besides its own, the part that it takes among them."""
    if way.kind != "make" or random.random() < 0.5:
        return way
    others = random.choice([p for p in prices if p != way.product], int(random.integers(1, 3)), replace=False)
    units = {str(other): float(random.choice([0.2, 1.0, 2.0])) for other in others}
    return replace(way, outputs=with_shares(units, way.product, way.yield_share, prices))


def random_rules(random, facts, sold, asked, buckets, names):
    lines = list(facts.line_hours)
    rules = RuleFacts()
    if "maximum lateness" in names:
        rules = replace(rules, late_buckets=int(random.integers(0, 3)))
    if "priorities" in names:
        classes = {}
        for product in sold[:2]:
            firm = np.floor(asked[product].min(axis=0) * random.uniform(0.2, 1.0))[None]
            classes[product] = (
                DemandClass(float(random.choice([1.25, 3.0])), firm),
                DemandClass(1.0, asked[product] - firm),
            )
        rules = replace(rules, classes=classes)
    if "lateness of orders" in names:
        classes = dict(rules.classes)
        for product in sold[:2]:
            hurried = np.floor(asked[product].min(axis=0) * random.uniform(0.2, 1.0))[None]
            parts_of = rules.classes.get(
                product, (DemandClass(1.0, hurried), DemandClass(1.0, asked[product] - hurried))
            )
            classes[product] = (replace(parts_of[0], late_buckets=int(random.integers(0, 3))), *parts_of[1:])
        rules = replace(rules, classes=classes)
    if "substitutes" in names:
        pairs = {tuple(random.choice(sold, 2, replace=False)) for _ in range(2)}
        rules = replace(
            rules, substitutes=tuple(Substitute(str(a), str(b), float(random.uniform(0, 5))) for a, b in sorted(pairs))
        )
    if "shelf life" in names:
        rules = replace(rules, shelf_life={p: Keeps(int(random.integers(0, 3))) for p in [*sold[1:], "Q"]})
    if "change charge" in names:
        before = {w.name: random.choice([0.0, 0.0, 6.0, 20.0], buckets) for w in facts.ways}
        cost = {p: e.price * float(random.uniform(0.01, 0.6)) for p, e in facts.economics.items()}
        rules = replace(rules, before=before, before_buckets=int(random.integers(1, buckets + 1)), change_cost=cost)
    if "firm shares" in names:
        firm_of_line = {line: f"F{i % 2}" for i, line in enumerate(lines)}
        shares = (
            FirmShare("F0", 0.0, float(random.uniform(0.2, 0.6))),
            FirmShare("F1", float(random.uniform(0.3, 0.7)), 1.0),
        )
        rules = replace(
            rules, shares=shares, firm_of_line=firm_of_line, hour_worth_factor=float(random.uniform(0.05, 1))
        )
    if "sourcing shares" in names:
        made = [w for w in facts.ways if w.kind != "move"]
        rules = replace(rules, sourcing=tuple(random_share(random, made, way) for way in made[:3]))
    if "overtime" in names:
        extra = {lines[0]: facts.line_hours[lines[0]] * random.uniform(0, 0.5, buckets)}
        rules = replace(rules, overtime_hours=extra, overtime_cost={lines[0]: random.uniform(0, 30, buckets)})
    groups = [(product,) for product in [*sold[:2], "Q"]]
    if "safety stock" in names or "largest stock" in names:
        groups += [tuple(sold[:2])] if random.random() < 0.5 else []  # of several products together
        targets = [random_target(random, facts, points, buckets, names) for points in groups]
        rules = replace(rules, stock_targets=tuple(targets))
    return rules


def random_share(random, ways, way):
    """A share of a way's product, at more or less than what its ways differ by."""
    every = frozenset(w.name for w in ways if w.product == way.product)
    share, cost = float(random.uniform(0.1, 0.9)), float(random.uniform(0.0, 10.0))
    return SourcingShare(way.kind, way.name, way.product, share, cost, frozenset({way.name}), every)


def random_target(random, facts, points, buckets, names):
    """A target of stock points; a unit below it costs at most what holding and lateness cost together."""
    holding, late = (
        min(getattr(facts.economics[p], n) for p in points) for n in ("holding_per_bucket", "late_per_bucket")
    )
    at_end = min(facts.economics[p].waiting_at_end - facts.economics[p].salvage for p in points)
    share = (0.5 if len(points) == 1 else 0.2) * random.uniform(0.0, 1.0, buckets)  # of two targets of a product
    below = share * (holding + late)
    below[-1] += 0.5 * max(at_end, 0.0)
    smallest = np.floor(random.uniform(0, 20, buckets)) if "safety stock" in names else np.zeros(buckets)
    largest = smallest + np.floor(random.uniform(0, 20, buckets))
    if "largest stock" not in names:
        largest = np.full(buckets, np.inf)
    above = random.uniform(0.0, 1.5, buckets) * late
    return StockTarget(points[0], None, points, smallest, largest, below, above, np.zeros(buckets))


def parts(solution):
    return (solution.started, solution.issued, solution.turned_away, solution.substituted, solution.wasted)


def objective(market):
    """Cost of the optimum, and the bound at its duals."""
    solution = highs.solve(market)
    return solution, sum(evaluate(market, *parts(solution)).cost.values()), lower_bound(market, solution.prices)


@pytest.mark.parametrize("rule", [*RULES, "all"])
def test_the_bound_meets_the_optimum(rule):
    """Weak duality is strong at the duals of the linear programme, whichever rules there are."""
    names = RULES if rule == "all" else (rule,)
    there, below = 0, 0
    for seed in range(45):
        market = random_market(seed, *names)
        there += set(names) <= market.rule_names
        _, cost, bound = objective(market)
        if (market.rules.largest_stock.own < 0).any():  # then it is that of the market without the rule
            assert bound <= cost + 1e-6 * max(abs(cost), 1.0), seed
            market = replace(market, rules=replace(market.rules, largest_stock=market.rules.largest_stock.without()))
            _, cost, bound = objective(market)
        assert bound <= cost + 1e-6 * max(abs(cost), 1.0), seed
        below += bound != pytest.approx(cost, rel=1e-6, abs=1e-5)
    assert there > 30
    # Of one, prices of safety stock are cut to what no start earns by, co-products too; of another, the price of a
    # substitute that may leave only while its row holds is in no bound. Of sourcing shares, the bound is one for lots
    # too, what these leave over counting for a share; the market in any quantities leaves nothing over for that.
    assert below <= 2 * (rule in ("all", "sourcing shares"))


@pytest.mark.parametrize("rule", [*RULES, "all"])
def test_any_prices_of_the_rules_give_a_bound_below_the_optimum(rule):
    """The best prices with noise on all of them, and prices drawn at random, bound the optimum from below."""
    for seed in range(12):
        market = random_market(seed, *(RULES if rule == "all" else (rule,)))
        solution, cost, _ = objective(market)
        best, random = solution.prices, np.random.default_rng(seed)
        for spread in (0.1, 1.0, 10.0):

            def noisy(price, spread=spread, random=random):
                return price + spread * random.standard_normal(price.shape)

            own = {name: noisy(price) for name, price in best.rule.items()}
            wild = Prices(
                noisy(best.line),
                noisy(best.limit),
                noisy(best.turned_away),
                noisy(best.component),
                {**best.rule, **own},
            )
            for prices in (wild, replace(best, rule=own), replace(best, rule={})):
                assert lower_bound(market, prices) <= cost + 1e-6 * max(abs(cost), 1.0), (seed, spread)


def test_the_linear_rules_are_those_of_queues():
    """One path, unit by unit: buyers and stock stand in queues, oldest first; nobody waits longer than the maximum
    lateness, served or not, and nothing is used that has lain longer than it keeps."""
    served_late, old = 0, 0
    for seed in range(120):
        market = random_market(seed, "maximum lateness", "shelf life", "priorities")
        if market.given_demand is None:
            continue
        solution = highs.solve(market)
        outcome = evaluate(market, *parts(solution))
        late = next(k for k in range(market.buckets + 1) if _overdue_is(market, k))
        for d in range(len(market.demand)):
            asked = np.diff(market.given_demand[d], prepend=0.0)
            waits = _longest_wait(asked, served_in(outcome)[d] + solution.turned_away[d])
            assert waits <= late, (seed, d)
            served_late += waits > 0
        for product in np.flatnonzero((market.rules.shelf_life.life >= 0) & (market.stock.fixed >= 0).all(axis=1)):
            came = market.stock.fixed[product].copy()
            for w in np.flatnonzero(market.ways.product == product):
                lead = market.ways.lead[w]
                came[lead:] += market.ways.yield_share[w] * solution.started[w, : market.buckets - lead]
            gone = solution.wasted[product] + outcome.pool_used[product]
            for d in np.flatnonzero(market.demand.product == product):
                gone += served_in(outcome)[d] - solution.issued[d]
            lay = _longest_wait(came, gone)
            assert lay <= market.rules.shelf_life.life[product], (seed, product)
            old += lay > 0
    assert served_late > 20
    assert old > 20


def _overdue_is(market, late):
    """Whether overdue demand is that of so many buckets before."""
    before = np.zeros(market.given_demand.shape)
    before[:, late:] = market.given_demand[:, : market.buckets - late]
    return np.allclose(market.rules.max_lateness.overdue, before)


def _longest_wait(comes, goes):
    """Most buckets that any unit of a queue stays in it, oldest first; one that is left stays until the end."""
    queue, longest = [], 0
    for t in range(len(comes)):
        queue.append([t, comes[t]])
        left = goes[t]
        for unit in queue:
            out = min(unit[1], left)
            unit[1] -= out
            left -= out
            if out > 1e-6:
                longest = max(longest, t - unit[0])
        assert left < 1e-5
    return max([longest, *(len(comes) - 1 - t for t, units in queue if units > 1e-5)])


def test_a_plan_that_breaks_a_rule_is_refused():
    market = random_market(5, *RULES)
    solution = highs.solve(market)
    for name, change in (
        ("a substitute below zero", {"substituted": solution.substituted - 1}),
        ("waste of a product that keeps", {"wasted": solution.wasted + 1}),
        ("more started|more hours", {"started": solution.started + market.ways.is_open * 20}),
    ):
        with pytest.raises(AssertionError, match=name):
            evaluate(market, *parts(replace(solution, **change)))


def test_the_search_keeps_stock_as_the_linear_programme_does():
    """Targets of products that are asked for and lie in no pool stand in their curves: both doors pay about the same,
    and the bound of the search lies below the optimum and near it."""
    searched = kept = 0
    for seed in range(120):
        market = random_market(seed, "safety stock", "largest stock")
        if market.rules.unknown_to_search:
            rules = market.rules
            own = {name: only_own(getattr(rules, name)) for name in ("safety_stock", "largest_stock")}
            market = replace(market, rules=replace(rules, **own))
        if not market.rules.in_curves.any():
            continue
        searched += 1
        _, cost, bound = objective(market)
        assert bound == pytest.approx(cost, rel=1e-6, abs=1e-5), seed
        found = prices_door.solve(market, replace(USUAL_LIMITS, gap_share=0.002))
        total, room = sum(found.outcome.cost.values()), 1e-6 * max(abs(cost), 1.0)
        assert 0.98 * cost - room <= found.bound <= cost + room, seed
        assert cost - room <= total <= 1.02 * cost + room, seed
        kept += found.outcome.cost.get("safety_stock", 0.0) > 0
    assert searched > 30
    assert kept > 20


def only_own(rule):
    """The rule for the targets that stand in the curve of their demand alone."""
    at = np.flatnonzero(rule.own >= 0)
    some = np.isin(rule.stock.target, at)
    stock = StockHeld(np.searchsorted(at, rule.stock.target[some]), rule.stock.product[some])
    limit = "smallest" if rule.name == "safety stock" else "largest"
    leads = {"lead_days": rule.lead_days[at]} if rule.name == "safety stock" else {}
    own = {"stock": stock, limit: getattr(rule, limit)[at], "cost": rule.cost[at], "own": rule.own[at]}
    return type(rule)(**own, **leads)
