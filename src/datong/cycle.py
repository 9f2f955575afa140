"""The loop: six verbs in order. Read this first.

A state of the world goes in; a plan with its reasons comes out; what happens next is in the next state, and
`learn` turns it into what the next cycle knows better. Nothing here reads or writes: the caller passes in the
state, what was learnt, past runs and the seed, and keeps what comes back.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from datong.balance.market import balance
from datong.dispatch.messages import dispatch
from datong.forecast.paths import forecast
from datong.learn.scores import learn
from datong.ledger.position import position
from datong.ledger.protocol import RunRecord
from datong.ledger.state import State
from datong.model.flow import Clearing, Forecast, Learnt, OrderMessage, Plan, Sensed
from datong.plan.orders import plan
from datong.sense.signals import sense

STAGES = ("sense", "forecast", "balance", "plan", "dispatch", "learn")


@dataclass(frozen=True, eq=False)
class CycleResult:
    """What each verb gave, in order."""

    sensed: Sensed
    forecast: Forecast
    clearing: Clearing
    plan: Plan
    messages: tuple[OrderMessage, ...]
    learnt: Learnt


def run_cycle(
    state: State,
    learnt: Learnt,
    past_runs: Sequence[RunRecord],
    seed: int,
    on_stage: Callable[[str], None] = lambda stage: None,
) -> CycleResult:
    """One turn of the loop on what was known at `state.as_of`.

    learnt: what the cycle before this one learnt. past_runs: earlier runs, oldest first, for `learn` to score.
    on_stage: called with each stage's name as it starts.
    """
    on_stage("sense")
    sensed = sense(state)
    on_stage("forecast")
    demand = forecast(sensed, learnt, state.settings.path_count, seed)
    on_stage("balance")
    where = position(state)
    clearing = balance(state, demand, learnt, where=where)
    on_stage("plan")
    planned = plan(state, sensed, demand, clearing, learnt, where)
    on_stage("dispatch")
    messages = dispatch(state, planned)
    on_stage("learn")
    learnt_now = learn(state, sensed, past_runs, where)
    return CycleResult(sensed, demand, clearing, planned, messages, learnt_now)
