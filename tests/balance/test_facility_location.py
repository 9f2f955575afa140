"""Rows that make the programme of lots tight: no plan is taken away, no bound lies above a plan; by hand, at random."""

import math
from dataclasses import replace
from datetime import date, timedelta

import highspy
import numpy as np
import pytest

from datong.balance import exact_lots, highs
from datong.balance.arrays import Market
from datong.balance.pack import pack_facts
from datong.model.calendar import Calendar
from datong.model.flow import FloatArray
from datong.network.bills import ComponentUse
from datong.network.economics import Economics
from datong.network.facts import ChainFacts
from datong.network.position import Position
from datong.network.rule_facts import DemandClass, FirmShare, RuleFacts, Substitute
from datong.network.shelf_life import Keeps
from datong.network.ways import Way

WEEKS = 5


def way(name: str, product: str, **others) -> Way:
    plain = dict.fromkeys(("setup_hours", "setup_cost", "min_units", "multiple_units", "hours_per_unit"), 0.0)
    plain |= dict.fromkeys(("line", "valid_from", "valid_to"))
    plain |= {"kind": "make", "cost_per_unit": 5.0, "lead_days": 0, "yield_share": 1.0}
    return Way(name=name, product=product, **(plain | {"units_per_week": math.inf, "uses": ()} | others))


def market_of(facts: ChainFacts, paths: dict[str, FloatArray], stock: dict[str, float], rules: RuleFacts) -> Market:
    weeks = next(iter(paths.values())).shape[1]
    starts = tuple(date(2024, 1, 1) + timedelta(days=7 * i) for i in range(weeks))
    return pack_facts(facts, Position(stock, {}, {}, ()), paths, starts, Calendar("UTC", "week"), 0, rules)


def chain(seed: int, rule: str = "") -> Market:
    """A and B of a component C, which is sold itself at odd seeds, and C of a material D with lots; leads, yields, ways
    with and without C, stock, one path of demand or three, classes of demand and maximum lateness. rule: one more, by
    its name (`with_rule`)."""
    random = np.random.default_rng(seed)
    weeks = WEEKS

    def rules() -> dict[str, float]:
        return {
            "setup_cost": float(random.choice([0.0, 30.0, 90.0])),
            "setup_hours": float(random.choice([0.0, 2.0, 5.0])),
            "min_units": float(random.choice([0.0, 0.0, 8.0])),
            "multiple_units": float(random.choice([0.0, 0.0, 4.0])),
            "lead_days": int(random.choice([0, 0, 7])),
            "yield_share": float(random.choice([1.0, 1.0, 0.8])),
        }

    def on_line(line: str) -> dict[str, object]:
        return {"line": line, "hours_per_unit": float(random.uniform(0.5, 1.5))}

    def uses(component: str) -> tuple[ComponentUse, ...]:
        return (ComponentUse(component, float(random.choice([1.0, 2.0])), None, None),)

    ways = [
        way("A/1", "A", uses=uses("C"), **on_line("L"), **rules()),
        way("A/2", "A", uses=uses("C") if random.random() < 0.7 else (), **on_line("L"), **rules()),
        way("B/1", "B", uses=uses("C"), **on_line("L"), **rules()),
        way("C/1", "C", uses=uses("D"), **on_line("K"), **rules()),
        way("D/1", "D", **(rules() | {"kind": "buy", "yield_share": 1.0})),
    ]
    products = ("A", "B", "C", "D")
    sold = products[: 2 + seed % 2]
    count = int(random.choice([1, 1, 3]))
    paths = {p: np.maximum(random.poisson(12.0, (count, weeks)) - 4.0, 0.0) for p in sold}
    hours = {"L": random.uniform(15, 40, weeks).round(), "K": random.uniform(15, 60, weeks).round()}
    economics = {
        p: Economics(40.0, float(random.uniform(0.2, 2)), float(random.uniform(1, 9)), 60.0, 60.0, 0.0)
        for p in products
    }
    stock = {p: float(random.choice([0.0, 0.0, 15.0])) for p in products}
    classes = {"A": (DemandClass(1.0, paths["A"] // 2), DemandClass(0.5, paths["A"] - paths["A"] // 2))}
    facts = RuleFacts(late_buckets=int(random.choice([1, 9])), classes=classes if random.random() < 0.3 else {})
    facts = with_rule(facts, rule, paths, random)
    return market_of(ChainFacts(products, economics, tuple(ways), hours), paths, stock, facts)


RULES = ("", "smallest deliveries", "groups", "substitutes", "shelf life", "firm shares", "change charge")


def with_rule(facts: RuleFacts, rule: str, paths: dict[str, FloatArray], random: np.random.Generator) -> RuleFacts:
    """The facts of a chain with one rule more."""
    if rule in ("smallest deliveries", "groups"):
        first = {p: of[:1].copy() for p, of in paths.items()}  # what is asked for for sure
        requests = {}
        for p, of in first.items():
            own, rest = np.zeros_like(of), of.copy()
            t = int(random.integers(0, of.shape[1]))
            own[0, t], rest[0, t] = of[0, t] + 5.0, 0.0
            smallest = float(own.sum()) if rule == "groups" else float(np.ceil(own.sum() / 2))
            group = "together" if rule == "groups" and p in ("A", "B") else ""
            whole = DemandClass(1.0, own, request=f"of {p}", smallest_units=smallest, group=group)
            requests[p] = (whole, DemandClass(1.0, rest))
        for p, of in first.items():
            paths[p] = sum(c.paths for c in requests[p]) + 0.0 * of
        return replace(facts, classes=requests)
    if rule == "substitutes":
        instead = (Substitute("A", "B", float(random.uniform(0, 4))), Substitute("B", "A", 3.0))
        return replace(facts, substitutes=instead)
    if rule == "shelf life":
        return replace(facts, shelf_life={p: Keeps(int(random.integers(0, 3))) for p in ("A", "C")})
    if rule == "firm shares":
        shares = (FirmShare("F", float(random.uniform(0, 0.7)), float(random.uniform(0.7, 1))),)
        return replace(facts, shares=shares, firm_of_line={"L": "F", "K": "G"})
    if rule == "change charge":
        before = {w: np.floor(random.uniform(0, 15, WEEKS)) for w in ("A/1", "B/1", "C/1")}
        return replace(facts, before=before, before_buckets=WEEKS - 1, change_cost={"A": 1.0, "B": 0.5, "C": 0.2})
    return facts


def lots_of(market: Market) -> exact_lots._Lots:
    return exact_lots._Lots(market, exact_lots.lot_rules(market, np.full(len(market.products), False)))


def relaxed(programme: highs.LinearProgramme) -> float:
    """The optimum in fractions of lots."""
    solver = exact_lots._solver(highs.OPTIONS)
    solver.passModel(exact_lots._model(programme, np.zeros(len(programme.cost)), programme.upper))
    solver.run()
    assert solver.getModelStatus() == highspy.HighsModelStatus.kOptimal
    return solver.getInfo().objective_function_value


def plan_at(lots: exact_lots._Lots, cost: FloatArray) -> FloatArray:
    """Columns of the cheapest plan in lots, without any tight row, at another cost."""
    solver = exact_lots._solver({**highs.OPTIONS, "mip_max_nodes": 20})
    solver.passModel(exact_lots._model(lots.plain, np.zeros(len(cost)), lots.plain.upper, lots.whole))
    solver.changeColsCost(len(cost), np.arange(len(cost), dtype=np.int32), cost)
    solver.run()
    assert solver.getInfo().primal_solution_status == highspy.SolutionStatus.kSolutionStatusFeasible
    value = np.array(solver.getSolution().col_value)
    value[lots.whole] = np.round(value[lots.whole])
    return value


def keeps(lots: exact_lots._Lots, value: FloatArray) -> bool:
    """Whether the tight rows leave a plan as it is, its lots and all its units."""
    count = len(lots.plain.cost)
    lower, upper = np.zeros(len(lots.tight.cost)), lots.tight.upper.copy()
    lower[:count] = upper[:count] = value
    solver = exact_lots._solver(highs.OPTIONS)
    solver.passModel(exact_lots._model(lots.tight, lower, upper))
    solver.run()
    return solver.getModelStatus() == highspy.HighsModelStatus.kOptimal


def test_a_lot_for_two_weeks_by_hand():
    """10 in each of two weeks, a set-up of 15, holding 1: one lot costs 15 + 10, two 30. In fractions, with x <= 20 y,
    ten a week cost half a set-up each: 15. Told apart by the week that they serve, z(1,2) <= 10 y(1): where u of the
    second week come early, at 1 each, y(2) is 1 - u / 10 and saves 1.5 u. So all come early, and it is 25."""
    economics = {"A": Economics(20.0, 1.0, 40.0, 200.0, 200.0, 0.0)}
    ways = (way("A/1", "A", line="L", hours_per_unit=1.0, setup_cost=15.0, cost_per_unit=0.0),)
    facts = ChainFacts(("A",), economics, ways, {"L": np.full(2, 20.0)})
    market = market_of(facts, {"A": np.full((1, 2), 10.0)}, {}, RuleFacts())
    lots = lots_of(market)
    best = exact_lots.solve(market, lots.rules)
    assert best is not None and best.total_cost == pytest.approx(25.0)
    wasted = best.total_cost - float(lots.plain.cost @ plan_at(lots, lots.plain.cost))
    assert relaxed(lots.plain) + wasted == pytest.approx(15.0)
    assert relaxed(lots.tight) + wasted == pytest.approx(25.0)


def test_a_component_is_told_apart_by_what_it_goes_into():
    """The same of a component C, one in each A: A costs no set-up and no holding, C 15 and 1; the same 25."""
    economics = {"A": Economics(20.0, 9.0, 40.0, 200.0, 200.0, 0.0), "C": Economics(1.0, 1.0, 0.0, 0.0, 0.0, 0.0)}
    ways = (
        way("A/1", "A", cost_per_unit=0.0, uses=(ComponentUse("C", 1.0, None, None),)),
        way("C/1", "C", line="L", hours_per_unit=1.0, setup_cost=15.0, cost_per_unit=0.0),
    )
    facts = ChainFacts(("A", "C"), economics, ways, {"L": np.full(2, 20.0)})
    lots = lots_of(market_of(facts, {"A": np.full((1, 2), 10.0)}, {}, RuleFacts()))
    best = float(lots.plain.cost @ plan_at(lots, lots.plain.cost))
    assert relaxed(lots.plain) == pytest.approx(best - 10.0)
    assert relaxed(lots.tight) == pytest.approx(best)


@pytest.mark.parametrize("levels", [1, 2])
def test_the_rows_are_made_only_where_they_are_used(monkeypatch, levels: int):
    """Of a chain with components they are not: it would cost time and memory for nothing."""
    economics = {"A": Economics(20.0, 9.0, 40.0, 200.0, 200.0, 0.0), "C": Economics(1.0, 1.0, 40.0, 90.0, 90.0, 0.0)}
    uses = (ComponentUse("C", 1.0, None, None),) if levels == 2 else ()
    ways = (
        way("A/1", "A", line="L", hours_per_unit=1.0, setup_cost=5.0, cost_per_unit=0.0, uses=uses),
        way("C/1", "C", line="K", hours_per_unit=1.0, setup_cost=15.0, cost_per_unit=0.0),
    )
    facts = ChainFacts(("A", "C"), economics, ways, {"L": np.full(2, 20.0), "K": np.full(2, 20.0)})
    market = market_of(facts, {"A": np.full((1, 2), 10.0)}, {}, RuleFacts())
    made: list[int] = []
    tightening = exact_lots.tightening
    monkeypatch.setattr(exact_lots, "tightening", lambda *given: made.append(1) or tightening(*given))
    assert exact_lots.solve(market, exact_lots.lot_rules(market, np.full(2, False))) is not None
    assert len(made) == (1 if levels == 1 else 0)


@pytest.mark.parametrize(("seed", "rule"), [(seed, rule) for rule in RULES for seed in range(2 if rule else 12)])
def test_no_plan_in_lots_is_taken_away(seed: int, rule: str) -> None:
    """Plans that are the best at random costs, some below nothing: lots for nobody, late ones, refusals, part lots."""
    lots = lots_of(chain(seed, rule))
    if not len(lots.decided):
        pytest.skip("nothing is set up")
    random, programme = np.random.default_rng(seed), lots.programme
    made = 0.0
    for _ in range(4):
        cost = lots.plain.cost.copy()
        cost[programme.started] += random.uniform(-12, 6, len(programme.started)) * lots.scale[programme.started]
        cost[lots.y] += random.uniform(-20, 20, len(lots.y))
        value = plan_at(lots, cost)
        made += value[programme.started].sum()
        assert keeps(lots, value)
    assert made > 0


@pytest.mark.parametrize("seed", range(12))
def test_in_fractions_of_lots_it_is_no_dearer_than_the_best_plan_and_no_looser_than_before(seed):
    lots = lots_of(chain(seed))
    least = float(lots.plain.cost @ plan_at(lots, lots.plain.cost))
    tight = relaxed(lots.tight)
    assert relaxed(lots.plain) <= tight + 1e-6
    assert tight <= least + 1e-6 * max(abs(least), 1.0)


def test_it_is_tighter_for_most_chains():
    """Share of the way from the bound before to the best plan that the rows go, over chains that have such a way."""
    shares = []
    for seed in range(12):
        lots = lots_of(chain(seed))
        plain, least = relaxed(lots.plain), float(lots.plain.cost @ plan_at(lots, lots.plain.cost))
        if least - plain > 1.0:
            shares.append((relaxed(lots.tight) - plain) / (least - plain))
    assert len(shares) > 8 and np.mean(shares) > 0.2, shares
