"""The plans that `run` and `balance` make of a shared case, each with what the referee finds that its orders do."""

import contextlib
import io
import shutil
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from cases import referee
from cases.referee import NOTHING, Order, Outcome, Row
from datong.app.chain import Chain
from datong.app.cli.main import main
from searched import searched_once

CASES = Path(__file__).resolve().parents[2] / ".." / "shared" / "cases"
# After every day of the cases: none of them is of the future.
NOW = datetime(2027, 6, 1, 12, tzinfo=UTC)
# By how much a figure that is shown may differ from the one that is added up: rounding of a solver.
UNITS, MONEY = 1e-4, 1e-4


def folder_of(case: str) -> Path:
    found = [CASES / kind / case for kind in ("planning", "peers") if (CASES / kind / case).is_dir()]
    return found[0]


@dataclass(frozen=True, eq=False)
class Plan:
    """What a command made of a chain. findings: those of the folder, each in one line. how: 'run' or 'balance'.

    put_aside: orders that are out and that the referee leaves out, as they cannot run.
    """

    how: str
    result: Any
    findings: tuple[str, ...]
    folder: Path
    today: date
    put_aside: tuple[str, ...] = ()

    @cached_property
    def chain(self) -> referee.Chain:
        return referee.chain_of_folder(self.folder, self.today, self.put_aside)

    @cached_property
    def orders(self) -> list[Order]:
        return referee.planned(self.result.orders.arrow.to_pylist())

    @cached_property
    def best(self) -> Outcome:
        """What the orders do where those are served for whom it costs least."""
        return referee.at_best(self.chain, self.orders)

    @cached_property
    def gaps(self) -> list[Row]:
        return self.result.gaps.arrow.to_pylist()

    @property
    def cost(self) -> Mapping[str, float] | None:
        """Money by term as the result says it."""
        if self.how == "balance":
            return self.result.certificate["cost"]
        return {r["term"]: r["money"] for r in self.result.cost.arrow.to_pylist()}

    def units(self, kind: str, product: str) -> dict[date, float]:
        """Units ordered of a product by day of start."""
        found: dict[date, float] = defaultdict(float)
        for o in self.orders:
            if o.kind == kind and o.product == product:
                found[o.start] += o.units
        return dict(sorted(found.items()))

    def made(self, product: str) -> float:
        return sum(self.units("make", product).values())

    def bought(self, product: str) -> float:
        return sum(self.units("buy", product).values())

    def served(self, product: str) -> dict[date, float]:
        """Units served of a product by first day of the bucket."""
        served = sorted((t, u) for (p, t), u in self.best.served.items() if p == product and u > NOTHING)
        return {self.chain.starts(t): units for t, units in served}


Plans = dict[str, "Plan | Exception"]


def plans_of(case: str, where: Path, put_aside: tuple[str, ...] = (), most_nodes: int | None = None) -> Plans:
    """The plan of each command for a copy of the case in `where`, or what it raised. most_nodes: see searched_once."""
    folder = where / case
    shutil.copytree(folder_of(case), folder)
    found: Plans = {}
    with searched_once(most_nodes), Chain(folder, now=lambda: NOW) as chain:
        findings = tuple(f.text("en") for f in chain.findings)
        for how, make in (("balance", lambda: chain.balance(gap=0.0001)), ("run", chain.run)):
            try:
                result = make()
            except Exception as error:  # a check of this plan raises it again
                found[how] = error
                continue
            today = chain.settings.calendar.local_date(result.as_of)
            found[how] = Plan(how, result, findings, folder, today, put_aside)
    return found


def printed(how: str, folder: Path, out: Path) -> str:
    """What the command shows."""
    text = io.StringIO()
    with contextlib.redirect_stdout(text), contextlib.redirect_stderr(text):
        main([how, str(folder), "--out", str(out), "--lang", "en"])
    return text.getvalue()


# checks -------------------------------------------------------------------------------------------


def same_orders(one: Plan, other: Plan) -> None:
    """Both order the same units of the same things by the same ways, to be started and due on the same days."""
    units = [defaultdict(float), defaultdict(float)]
    for side, plan in zip(units, (one, other), strict=True):
        for o in plan.orders:
            side[o.kind, o.product, o.way or "", o.site or "", o.from_site or "", o.start, o.due] += o.units
    differ = {
        key: (units[0][key], units[1][key])
        for key in sorted(set(units[0]) | set(units[1]))
        if abs(units[0][key] - units[1][key]) > UNITS * max(1.0, units[0][key])
    }
    assert not differ, f"{one.how} and {other.how} order differently: {differ}"


def feasible(plan: Plan) -> None:
    """No hour over, no stock below nothing, no lead time, lot or validity broken."""
    assert not plan.best.broken


def whole(plan: Plan) -> None:
    """Pieces are ordered whole."""
    assert not referee.in_parts(plan.chain, plan.orders)


def refusals_said(plan: Plan) -> dict[tuple[str, int], float]:
    """Units that the result says are refused, by product and bucket in which they are due."""
    found: dict[tuple[str, int], float] = defaultdict(float)
    for r in plan.gaps:
        found[r["product"], plan.chain.bucket(r["bucket"])] += r["refused_units"]
    return found


def says_what_it_does(plan: Plan) -> None:
    """Served, late and lost units by product and bucket, and cost by term, are those of the orders.

    The orders do not say who is refused. What the result says of that is taken at its word, and the rest served in
    turn; where demand is of several weights, or waits for other times, the cheapest deliveries of the orders will do
    as well.
    """
    in_turn = referee.as_refused(plan.chain, plan.orders, refusals_said(plan))
    differ = _differences(plan, in_turn)
    waits_its_own = any(r.get("max_late_days") is not None for r in plan.chain.rows("demand"))
    if differ and (waits_its_own or len({w.weight for w in referee.wants(plan.chain)}) > 1):
        differ = _differences(plan, plan.best) and differ
    assert not differ, f"said, and what the orders do: {differ}"


def _differences(plan: Plan, outcome: Outcome) -> dict[str, tuple[float | None, float]]:
    """What is said otherwise than the outcome has it: name -> (said, added up)."""
    found: dict[str, tuple[float | None, float]] = {}
    said: dict[tuple[str, str, int], float] = defaultdict(float)
    for r in plan.gaps:
        t = plan.chain.bucket(r["bucket"])
        for column in ("served", "waiting"):
            said[column, r["product"], t] += r[f"{column}_units"]
        said["lost", r["product"], 0] += r["lost_units"]
        parts = r["on_time_units"] + r["late_units"] + r["lost_units"]
        assert abs(parts - r["demand_units"]) <= UNITS * max(1.0, r["demand_units"]), r
    done: dict[tuple[str, str, int], float] = defaultdict(float)
    for column, units in (("served", outcome.served), ("waiting", outcome.waiting)):
        for (product, t), amount in units.items():
            done[column, product, t] += amount
    for (product, _), amount in outcome.lost.items():
        done["lost", product, 0] += amount
    for column, product, t in sorted(set(said) | set(done)):
        one, other = said[column, product, t], done[column, product, t]
        if abs(one - other) > UNITS * max(1.0, other):
            found[f"{product} {column} {plan.chain.starts(t)}"] = (round(one, 4), round(other, 4))
    if plan.cost is None:
        found["cost"] = (None, round(outcome.total_cost, 4))
        return found
    for name, terms in COSTS.items():
        one, other = (sum(of.get(term, 0.0) for term in terms) for of in (plan.cost, outcome.cost))
        if abs(one - other) > MONEY * max(1.0, abs(other)):
            found[f"cost, {name}"] = (round(one, 4), round(other, 4))
    return found


# Terms of cost that are compared together.
COSTS = {
    "production and set-up": ("production", "setup"),
    "purchase": ("purchase",),
    "orders": ("ordering",),
    "transport": ("transport",),
    "overtime": ("overtime",),
    "holding": ("holding",),
    "late": ("late",),
    "lost": ("lost",),
    "salvage": ("salvage",),
}
