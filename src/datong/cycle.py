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
from datong.ledger.position import Position, position
from datong.ledger.protocol import RunRecord
from datong.ledger.state import State
from datong.model.flow import Clearing, Forecast, Learnt, OrderMessage, Plan, Sensed
from datong.plan.orders import plan
from datong.sense.signals import sense

STAGES = ("sense", "forecast", "balance", "plan", "dispatch", "learn")


@dataclass(frozen=True)
class Stages:
    """The six functions that a cycle calls. A replay exchanges one to find out what it is worth."""

    sense: Callable[[State], Sensed] = sense
    forecast: Callable[[Sensed, Learnt, int, int], Forecast] = forecast
    balance: Callable[[State, Forecast, Learnt, Position], Clearing] = balance
    plan: Callable[[State, Sensed, Forecast, Clearing, Learnt, Position], Plan] = plan
    dispatch: Callable[[State, Plan], tuple[OrderMessage, ...]] = dispatch
    learn: Callable[[State, Sensed, Sequence[RunRecord], Position], Learnt] = learn


USUAL = Stages()


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
    stages: Stages = USUAL,
) -> CycleResult:
    """One turn of the loop on what was known at `state.as_of`.

    learnt: what the cycle before this one learnt. past_runs: earlier runs, oldest first, for `learn` to score.
    on_stage: called with each stage's name as it starts. stages: others than the usual ones, in a replay.
    """
    on_stage("sense")
    sensed = stages.sense(state)
    on_stage("forecast")
    demand = stages.forecast(sensed, learnt, state.settings.path_count, seed)
    on_stage("balance")
    where = position(state)
    clearing = stages.balance(state, demand, learnt, where)
    on_stage("plan")
    planned = stages.plan(state, sensed, demand, clearing, learnt, where)
    on_stage("dispatch")
    messages = stages.dispatch(state, planned)
    on_stage("learn")
    learnt_now = stages.learn(state, sensed, past_runs, where)
    return CycleResult(sensed, demand, clearing, planned, messages, learnt_now)
