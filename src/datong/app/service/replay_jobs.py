"""The job that re-lives history: what it is worked out from, and what is shown of it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

import pyarrow as pa

from datong.app.chain import Chain
from datong.app.service.jobs import Pieces
from datong.app.wording.replay_verdict import difference_rows, limit_words, policy_name, totals, verdict, verdict_words
from datong.ledger.state import Snapshot, State
from datong.model.errors import Refused
from datong.model.words import LANGUAGES, message, say
from datong.questions.run import run_record
from datong.replay.replay import replay, replayed_buckets

# Rows of all tables of all states together, each as long as it is now, above which a replay belongs on the command
# line: each bucket's state goes to the job.
MOST_ROWS = 20_000_000
# How the stage of a replay begins; what follows are buckets done and of how many.
STAGE = "replay"


@dataclass(frozen=True, eq=False)
class ReplayAsked:
    """What a replay is worked out from: a value, which any process can answer. states: what was known as each bucket
    began. buckets: how many are re-lived."""

    actual: State
    states: Mapping[datetime, State]
    buckets: int
    seed: int

    def answer(self, on_stage: Callable[[str], None] = lambda _stage: None) -> Mapping[str, pa.Table]:
        """The tables of the replay."""

        def done(count: int) -> None:
            on_stage(f"{STAGE} {count} {self.buckets}")

        states = self.states.__getitem__
        return replay(states, self.actual, self.buckets, self.seed, run_record, done).tables()


def ask_replay(chain: Chain, asked: Mapping[str, Any]) -> Pieces:
    """A state in each turn. Raises what planning raises, and Refused where nothing can be replayed or it would be too
    much for a job."""
    actual = chain.state()
    chain.can_plan(actual)
    starts = replayed_buckets(actual, int(asked["buckets"]))
    rows = len(starts) * sum(table.num_rows for table in actual.tables.values())
    if rows > MOST_ROWS:
        raise Refused(message("served.replay.too_large", folder=str(chain.folder), buckets=len(starts)))
    moments = [chain.settings.calendar.midnight(start) for start in starts]
    seed = chain.seed_of(None)

    def whole(states: Sequence[State]) -> ReplayAsked:
        return ReplayAsked(actual, dict(zip(moments, states, strict=True)), len(starts), seed)

    return Pieces([partial(_state, moment=moment, snapshot=actual.snapshot) for moment in moments], whole)


def _state(chain: Chain, moment: datetime, snapshot: Snapshot | None) -> State:
    return chain.ledger.state(moment, snapshot=snapshot)


def keep_replay(chain: Chain, _asked: Mapping[str, Any], tables: Mapping[str, pa.Table]) -> Mapping[str, Any]:
    """Nothing is kept in the chain: what is shown of it, in both languages."""
    currency, found = chain.settings.currency, verdict(tables)
    names = ("policy", "cost", "avoidable_cost", "fill_on_time_share", "mean_stock_units", "production_change_share")
    policies = [
        {name: row[name] for name in names} | {"name": {lang: policy_name(row["policy"], lang) for lang in LANGUAGES}}
        for row in totals(tables["summary"])
    ]
    said, differences, notes = {}, {}, {}
    for language in LANGUAGES:
        limits = [say("report.replay.proof", language), limit_words(tables["summary"], currency, language)]
        told = [] if found is None else verdict_words(found, currency, language)
        said[language] = [*told, *(text for text in limits if text)]
        differences[language] = difference_rows(tables["differences"], currency, language)
        notes[language] = tables["notes"][language].to_pylist()
    buckets = len(set(tables["by_bucket"]["bucket"].to_pylist()))
    return {"buckets": buckets, "policies": policies, "said": said, "differences": differences, "notes": notes}
