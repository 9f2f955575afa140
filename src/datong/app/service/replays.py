"""History through the loop: what Datong would have cost and served, held against what the company did."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from datong.app.service.jobs import Job
from datong.app.service.roles_and_permissions import Permission, Who
from datong.app.service.served_chain import Served
from datong.model.errors import Refused
from datong.model.words import message

# Buckets that are re-lived unless somebody says otherwise, and at most.
USUAL_BUCKETS, MOST_BUCKETS = 8, 26


@dataclass(frozen=True)
class Policy:
    """One who plans. cost, avoidable_cost: money. fill_on_time_share: of demand. mean_stock_units: on average.
    production_change_share: of what is made, from bucket to bucket."""

    policy: str
    name: Mapping[str, str]
    cost: float
    avoidable_cost: float
    fill_on_time_share: float | None
    mean_stock_units: float
    production_change_share: float | None


@dataclass(frozen=True)
class Replayed:
    """What the last replay says, texts in each language. buckets: that were re-lived. ended: seconds since 1970.
    differences: Datong less each other: than, measure, difference, interval, finding."""

    buckets: int
    ended: float
    policies: Sequence[Policy]
    said: Mapping[str, Sequence[str]]
    differences: Mapping[str, Sequence[Mapping[str, str]]]
    notes: Mapping[str, Sequence[str]]


def start_replay(served: Served, who: Who, buckets: int = USUAL_BUCKETS) -> Job:
    """Begin a replay of the last closed buckets. Raises NotAllowed, Refused for a number of buckets that is none."""
    who.require(Permission.WHAT_IF)
    if not 1 <= buckets <= MOST_BUCKETS:
        raise Refused(message("served.replay.wrong_buckets", most=MOST_BUCKETS))
    return served.start_job(who, "replay", {"buckets": buckets})


def last_replay(served: Served, who: Who) -> Replayed | None:
    """What the last replay that ended well says; None: there was none. Raises NotAllowed."""
    who.require(Permission.SEE_PLAN)
    asked = "SELECT result, ended FROM jobs WHERE kind = 'replay' AND state = 'done' ORDER BY ended DESC LIMIT 1"
    row = served.database.row(asked)
    if row is None:
        return None
    kept = json.loads(row["result"])
    policies = [Policy(**one) for one in kept.pop("policies")]
    return Replayed(ended=row["ended"], policies=policies, **kept)
