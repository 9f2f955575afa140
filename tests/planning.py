"""From a state and its demand to orders, by the one clearing that every command uses."""

import numpy as np

from datong.balance.evaluate import Outcome
from datong.cycle import Decision, Head, decide, written
from datong.ledger.state import State
from datong.model.flow import FloatArray, Forecast, Learnt, Plan, Sensed, nothing_learnt
from datong.network.position import position

NOTHING_SENSED = Sensed(None, ())


def head_of(state: State, demand: Forecast, learnt: Learnt | None = None, sensed: Sensed = NOTHING_SENSED) -> Head:
    """The head of a cycle whose demand is at hand."""
    return Head(state, learnt or nothing_learnt(), sensed, demand, position(state))


def decided(state: State, demand: Forecast, learnt: Learnt | None = None) -> Decision:
    """Lots and deliveries, and what they do and cost."""
    return decide(head_of(state, demand, learnt))


def plan(state: State, demand: Forecast, learnt: Learnt | None = None, sensed: Sensed = NOTHING_SENSED) -> Plan:
    """The orders that are given out."""
    begun = head_of(state, demand, learnt, sensed)
    return written(begun, decide(begun))


def served_in(outcome: Outcome) -> FloatArray:
    """(demanded, bucket) expected units served in each bucket."""
    return np.diff(outcome.served_by, axis=1, prepend=0.0)
