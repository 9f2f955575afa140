"""Orders that are given out: those of the last plan that are due become released ones in the ledger.

What may not be given out, and why: release_rules.py. How orders reach their counterparties: exchange_one_way.py.
"""

from collections.abc import Mapping, Sequence

from datong.app.chain import Chain
from datong.app.kept_runs import run_messages
from datong.app.release_rules import refuse_a_plan_of_before, refuse_taken_numbers, refuse_what_ifs, why_not_due
from datong.connectors.inlet_and_outlet import chain_of, chain_tag
from datong.dispatch.rows_of_released_orders import release_rows
from datong.ledger.standings import READ_FOR_STANDINGS, order_states
from datong.model import errors
from datong.model.flow import OrderMessage
from datong.model.words import message
from datong.questions.run_result import RunResult


def release(
    chain: Chain,
    orders: Sequence[str],
    all_due: bool,
    run_name: str | None = None,
    without: Sequence[str] = (),
) -> list[str]:
    """Release orders of the last run that are due for release: those named, or all. Returns their numbers.

    orders: numbers, or keys as the run's messages have them, which name what exactly is asked for. run_name: the plan
    that is meant. without: products of which nothing is released. Orders that are out already are left as they are.
    Raises NotFound for a number that is not due for release and for a product without orders, Refused for a key or a
    run that is not of the current plan (a run since, a branch, another chain), where another run's order with the same
    number is out (then this run knows less than what was released), where all of a plan are asked for whose first
    bucket is over, and on a branch.
    """
    refuse_what_ifs(chain)
    run = chain.kept_run()
    if run_name not in (None, run.run):
        raise errors.Refused(message("app.not_this_plan", orders=run_name, run=run.run))
    if all_due:
        refuse_a_plan_of_before(chain, run)
    due = {m.order.order: m for m in run_messages(run)}
    if strangers := sorted(set(without) - {m.order.product for m in due.values()}):
        raise errors.NotFound(message("app.without_unknown", products=", ".join(strangers)))
    due = {o: m for o, m in due.items() if m.order.product not in without}
    orders = _numbers(orders, due, chain, run)
    state = chain.state(names=READ_FOR_STANDINGS)
    out = order_states(state)
    unknown = [o for o in orders if o not in due]
    if unknown:
        given_out = {order for order, (now, *_) in out.items() if now != "proposed"}
        raise errors.NotFound(why_not_due(unknown, run, given_out, [o for o in due if o not in out]))
    refuse_taken_numbers([o for o in due if (all_due or o in orders) and o in out], state, run)
    chosen = [m for o, m in due.items() if (all_due or o in orders) and o not in out]
    if chosen:
        moment = chain.clock()
        with chain.ledger.together():
            for table, rows in release_rows(chosen, run.run, moment, chain.world_clock()).items():
                chain.ledger.ingest(table, rows, None, (), source=run.run, arrived_at=moment, by=chain.by)
    return [m.order.order for m in chosen]


def _numbers(asked: Sequence[str], due: Mapping[str, OrderMessage], chain: Chain, run: RunResult) -> list[str]:
    """Numbers of the orders that are asked for by number or by key. Raises Refused for keys of other plans."""
    of_key = {m.key: order for order, m in due.items()}
    numbers, others = [], []
    for text in asked:
        tag, key = chain_of(text), text if chain_of(text) is None else text.partition(":")[2]
        is_other = tag is not None and tag != chain_tag(chain.settings.name)
        if not is_other and key in of_key:
            numbers.append(of_key[key])
        elif is_other or key.rpartition("-")[0] in due:
            others.append(text)
        else:
            numbers.append(text)
    if others:
        raise errors.Refused(message("app.not_this_plan", orders=", ".join(others), run=run.run))
    return numbers
