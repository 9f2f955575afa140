"""Hours of a firm's own lines that the last plan leaves free, and what they would earn."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta

from datong.app.chain import Chain
from datong.app.service.day_of_chain import chain_today
from datong.app.service.roles_and_permissions import Permission, Who
from datong.app.service.served_chain import Served
from datong.ledger.state import State
from datong.model.errors import NotFound
from datong.model.words import message
from datong.questions.run_result import RunResult

# Hours below this are none.
LEAST_HOURS = 0.05


@dataclass(frozen=True)
class IdleWeek:
    """A bucket of the plan by its first day: hours of all own lines that are free, and that there are."""

    first: date
    free_hours: float
    available_hours: float


@dataclass(frozen=True)
class IdleHours:
    """weeks: buckets of the plan that are not over; over: how many are. money_per_hour: what the plan counts an hour of
    its work on these lines at, by the costs of the recipes; None: it plans no work there, or no costs are known. run,
    currency: of the plan."""

    run: str
    currency: str
    weeks: tuple[IdleWeek, ...]
    money_per_hour: float | None
    over: int = 0

    @property
    def free_hours(self) -> float:
        return sum(week.free_hours for week in self.weeks)

    @property
    def would_earn_money(self) -> float | None:
        """What the free hours would come to at `money_per_hour`."""
        return None if self.money_per_hour is None else self.free_hours * self.money_per_hour


def idle_hours(served: Served, who: Who) -> IdleHours:
    """What the last plan leaves free on the firm's own lines. Only rows of these lines go into it. Raises NotAllowed;
    NotFound where there is no plan, or the firm has no line."""
    who.require(Permission.ANSWER_ORDERS)
    firm = who.own_firm
    found = served.chain_thread.kept("factory/idle", _of_all_firms).get(firm)
    if found is None:
        raise NotFound(message("factory.no_lines"))
    today = chain_today(served)
    length = timedelta(days=served.chain_thread.settings.calendar.bucket_days)
    to_come = tuple(week for week in found.weeks if week.first + length > today)
    if not to_come:
        raise NotFound(message("factory.plan_is_over", run=found.run, today=today))
    return replace(found, weeks=to_come, over=len(found.weeks) - len(to_come))


def _of_all_firms(chain: Chain) -> Mapping[str, IdleHours]:
    run = chain.kept_run()
    firm_of = _firms_of_lines(chain.state(names=("lines", "sites")))
    return {
        firm: _of_lines(run, frozenset(line for line, of in firm_of.items() if of == firm))
        for firm in sorted(set(firm_of.values()))
    }


def _firms_of_lines(state: State) -> Mapping[str, str]:
    """Whose each line is, as orders are given out: the firm that runs its site, else the site itself."""
    sites = {row["site"]: row["firm"] or row["site"] for row in state.table("sites").to_pylist()}
    lines = state.table("lines").to_pylist()
    return {row["line"]: sites.get(row["site"], row["site"]) for row in lines if row["site"] is not None}


def _of_lines(run: RunResult, lines: frozenset[str]) -> IdleHours:
    weeks: dict[date, IdleWeek] = {}
    worked = 0.0
    for row in run.tables["hours"].to_pylist():
        if row["line"] in lines:
            before = weeks.get(row["bucket"], IdleWeek(row["bucket"], 0.0, 0.0))
            weeks[row["bucket"]] = replace(
                before,
                free_hours=before.free_hours + max(row["free_hours"], 0.0),
                available_hours=before.available_hours + row["available_hours"],
            )
            worked += row["run_hours"] + row["setup_hours"]
    earned = _counted_money(run, lines)
    rate = earned / worked if earned > 0 and worked > LEAST_HOURS else None
    in_order = tuple(week for _, week in sorted(weeks.items()))
    return IdleHours(run.run, run.settings.currency, in_order, rate)


def _counted_money(run: RunResult, lines: frozenset[str]) -> float:
    """What the plan counts for its own new work on some lines, set-ups included, components left out."""
    orders = run.tables["orders"].select(["kind", "line", "cost"]).to_pylist()
    return sum(row["cost"] for row in orders if row["kind"] == "make" and row["line"] in lines)
