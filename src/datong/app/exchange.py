"""Orders out and answers in: what is released goes out by e-mail or to the drop folder, what comes back goes into the
ledger."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from datong.app.chain import Chain
from datong.connectors.filedrop.drop import FileDrop
from datong.connectors.filedrop.sheet import Known
from datong.connectors.protocol import C, Delivered, Inlet, Outcome, Outlet, Refused
from datong.dispatch.answers import READ_FOR_ANSWERS, answers
from datong.dispatch.release import release_rows
from datong.ledger.standings import READ_FOR_STANDINGS, order_states
from datong.model import errors
from datong.model.findings import Finding, finding
from datong.model.flow import OrderMessage
from datong.model.words import message
from datong.questions.run_result import RunResult
from datong.questions.tables_out import planned_orders


def release(chain: Chain, orders: Sequence[str], all_due: bool) -> list[str]:
    """Release orders of the last run that are due for release: those named, or all. Returns their numbers.

    Orders that are out already are left as they are. Raises NotFound for a number that is not due for release, Refused
    where another run's order with the same number is out (then this run knows less than what was released), where all
    of a plan are asked for whose first bucket is over, and on a branch.
    """
    _refuse_what_ifs(chain)
    run = chain.kept_run()
    if all_due:
        _refuse_a_plan_of_before(chain, run)
    due = {m.order.order: m for m in run_messages(run)}
    unknown = [o for o in orders if o not in due]
    if unknown:
        raise errors.NotFound(message("app.not_due", orders=", ".join(unknown), due=", ".join(due)))
    state = chain.state(names=READ_FOR_STANDINGS)
    out = order_states(state)
    run_of = {r["order"]: r["run"] for r in state.table("orders").select(["order", "run"]).to_pylist()}
    taken = [o for o in due if (all_due or o in orders) and o in out and run_of.get(o) != run.run]
    if taken:
        raise errors.Refused(message("app.number_taken", orders=", ".join(taken), run=run.run))
    chosen = [m for o, m in due.items() if (all_due or o in orders) and o not in out]
    if chosen:
        moment = chain.clock()
        for table, rows in release_rows(chosen, run.run, moment).items():
            chain.ledger.ingest(table, rows, None, (), source=run.run, arrived_at=moment, by=chain.by)
    return [m.order.order for m in chosen]


def _refuse_a_plan_of_before(chain: Chain, run: RunResult) -> None:
    planned, now = (chain.state(moment, names=()).first_open_bucket for moment in (run.as_of, None))
    if planned < now:
        raise errors.Refused(message("app.plan_of_before", run=run.run, planned=planned, now=now))


def _refuse_what_ifs(chain: Chain) -> None:
    if chain.branch_name is not None:
        raise errors.Refused(message("branch.not_given_out", branch=chain.branch_name))


def run_messages(run: RunResult) -> list[OrderMessage]:
    """The messages that a kept run's dispatch gave."""
    orders = {o.order: o for o in planned_orders(run.tables)}
    return [OrderMessage(m["key"], m["counterparty"], orders[m["order"]]) for m in run.tables["messages"].to_pylist()]


def file_drop(chain: Chain, folder: Path, language: str) -> FileDrop:
    """The drop folder of a chain, with what its orders are told with."""
    return FileDrop(folder, language, known_of(chain))


def known_of(chain: Chain) -> Known:
    """What orders are told with."""
    state = chain.state(names=("products", "offers"))
    products = state.table("products").select(["product", "name", "base_unit"]).to_pylist()
    offers = state.table("offers").select(["offer", "price"]).to_pylist()
    return Known(
        {p["product"]: p["name"] for p in products},
        {p["product"]: p["base_unit"] for p in products},
        {o["offer"]: o["price"] for o in offers},
        chain.settings.currency,
    )


def anybody(_counterparty: str) -> bool:
    """Serves every counterparty."""
    return True


def waiting(chain: Chain, outlet: Outlet, serves: Callable[[str], bool] = anybody) -> tuple[OrderMessage, ...]:
    """What `exchange` would bring out now, by run. Changes nothing. Raises Refused on a branch, DatongError where it
    cannot be told."""
    _refuse_what_ifs(chain)
    by_run = sorted(released_messages(chain).items())
    return tuple(
        m for run, messages in by_run for m in outlet.waiting([m for m in messages if serves(m.counterparty)], run)
    )


def exchange(
    chain: Chain, outlet: Outlet, inlet: Inlet[C], serves: Callable[[str], bool] = anybody
) -> tuple[tuple[Outcome, ...], int, tuple[Finding, ...]]:
    """Deliver what is released, and take in what came back. Gives what became of each delivery, the report rows taken
    in, and findings: of what was refused or could not be reached, too. serves: counterparties that this way out is for.

    Raises Refused on a branch.
    """
    _refuse_what_ifs(chain)
    by_run = sorted(released_messages(chain).items())
    outcomes = tuple(
        outcome
        for run, messages in by_run
        for outcome in outlet.deliver([m for m in messages if serves(m.counterparty)], run)
    )
    try:
        collected = inlet.collect(chain.settings.calendar)
    except errors.DatongError as error:  # what went out went out
        found = finding("error", "dispatch.not_collected", outlet.name, why=error.message)
        return outcomes, 0, (*not_delivered(outcomes), found)
    taken, findings = _taken_in(chain, collected, inlet, outlet.name)
    return outcomes, taken, (*not_delivered(outcomes), *findings)


def _taken_in(chain: Chain, collected: C, inlet: Inlet[C], name: str) -> tuple[int, tuple[Finding, ...]]:
    """Hold what came against the orders, keep it, and only then put it away. Gives how many reports were new.
    name: of the way in."""
    heard = answers(chain.state(names=READ_FOR_ANSWERS), collected.reports, chain.world_clock())
    findings = [*collected.findings, *heard.findings]
    taken = 0
    moment = chain.clock()
    for batch in heard.batches:
        report = chain.ledger.ingest(batch.table, batch.rows, None, (), batch.source, moment, by=chain.by)
        if batch.table == "order_events":
            taken += report.added + report.superseded
        findings += report.findings
    try:
        inlet.settle(collected, heard.findings)
    except errors.DatongError as error:
        findings.append(finding("error", "dispatch.not_settled", name, why=error.message))
    return taken, tuple(findings)


def delivered(outcomes: Sequence[Outcome]) -> list[Delivered]:
    return [one for one in outcomes if isinstance(one, Delivered)]


def not_delivered(outcomes: Sequence[Outcome]) -> Iterator[Finding]:
    """A finding for each batch that the other side refused or that may not have arrived."""
    for one in outcomes:
        if not isinstance(one, Delivered):
            rule = "dispatch.not_taken" if isinstance(one, Refused) else "dispatch.not_reached"
            yield finding(
                "error", rule, one.counterparty, source_name=one.counterparty, count=len(one.keys), why=one.why
            )


def released_messages(chain: Chain) -> dict[str, list[OrderMessage]]:
    """Messages of orders that are released and not yet answered, by the run that proposed them."""
    state = chain.state(names=READ_FOR_STANDINGS)
    now = order_states(state)
    waiting = {r["order"]: r["run"] for r in state.table("orders").to_pylist() if r["run"] is not None}
    waiting = {o: run for o, run in waiting.items() if o in now and now[o][0] == "released"}
    return {
        run: [m for m in run_messages(chain.kept_run(run)) if waiting.get(m.order.order) == run]
        for run in set(waiting.values())
    }
