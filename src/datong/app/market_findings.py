"""Findings of the market: the list, what is decided about one, and what came of it."""

from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from datong.app.chain import Chain
from datong.app.clock import Moment
from datong.model.errors import Refused
from datong.model.words import message
from datong.network.finding_decisions import Change, decision_rows
from datong.questions.tables_out import SIGNALS_SCHEMA

if TYPE_CHECKING:  # they import every stage
    from datong.ledger.state import State
    from datong.questions.decision_effect import EffectResult
    from datong.questions.hours_to_order import HoursToOrder
    from datong.questions.market_findings import MarketFinding
    from datong.questions.market_findings_shown import MarketNow, MarketShown
    from datong.questions.run_result import RunResult

# Kept runs that are looked through for the first that showed a finding, and of those that gave orders out, for what
# became of them: the reasons of a large chain's run are a million rows.
RUNS_READ, RUNS_FOLLOWED = 26, 8
# Tables of a kept run that say what it found, and why it proposed its orders.
SIGNALS, REASONS = "signals", "reasons"


def market_findings(chain: Chain, as_of: Moment | None = None) -> "list[MarketFinding]":
    """What is found now, what was decided about it, the first of the last runs that showed it, and the orders of the
    last run that it moved."""
    from datong.questions.market_findings import market_findings

    state = chain.state(as_of)
    return market_findings(state, _shown_by_runs(chain, state))


def market_now(chain: Chain, as_of: Moment | None = None) -> "MarketNow":
    """The findings, and what stands beside them."""
    from datong.questions.market_findings_shown import market_now

    state = chain.state(as_of)
    return market_now(state, _shown_by_runs(chain, state))


def _shown_by_runs(chain: Chain, state: "State") -> list[tuple[datetime, dict[str, pa.Table]]]:
    """Moment and signals of the last kept runs, oldest first; of the last also the reasons."""
    rows = _last_runs(chain, state.as_of)
    runs = []
    for row in rows:
        kept = {SIGNALS: _signals(chain, row["run"])}
        if row is rows[-1]:
            kept[REASONS] = chain.ledger.run_table(row["run"], REASONS)
        runs.append((row["as_of"], kept))
    return runs


def market_of_run(chain: Chain, result: "RunResult") -> "MarketShown | None":
    """What a kept run found, with all that is known of it at the run's moment. None of one that an earlier version
    kept, which does not say what its signals are about."""
    from datong.questions.market_findings_shown import market_shown

    if not _says_subjects(result.tables[SIGNALS]):
        return None
    state = chain.state(result.as_of)
    earlier = [row for row in _last_runs(chain, result.as_of) if row["as_of"] < result.as_of]
    past = [(row["as_of"], {SIGNALS: _signals(chain, row["run"])}) for row in earlier]
    return market_shown(state, result.tables, past, hours_to_order(chain, state))


def market_of_run_now(chain: Chain, result: "RunResult") -> "MarketShown | None":
    """As `market_of_run`, with what was decided and what came of it since the run."""
    from datong.questions.market_findings_shown import market_shown

    if not _says_subjects(result.tables[SIGNALS]):
        return None
    state = chain.state()
    past = [(row["as_of"], {SIGNALS: _signals(chain, row["run"])}) for row in _last_runs(chain, result.as_of)]
    return market_shown(state, result.tables, past, hours_to_order(chain, state))


def _signals(chain: Chain, run: str) -> pa.Table:
    """What a kept run found; nothing of one that does not say what its signals are about."""
    table = chain.ledger.run_table(run, SIGNALS)
    return table if _says_subjects(table) else SIGNALS_SCHEMA.empty_table()


def _says_subjects(signals: pa.Table) -> bool:
    return {"subject_kind", "subject_name"} <= set(signals.column_names)


def hours_to_order(chain: Chain, state: "State") -> "HoursToOrder":
    """How long it took from what the market said to the orders of the last runs that were accepted."""
    from datong.questions.hours_to_order import Proposed, hours_to_order

    given_out = set(state.table("orders")["run"].to_pylist())
    followed = [row for row in _last_runs(chain, state.as_of) if row["run"] in given_out][-RUNS_FOLLOWED:]
    runs, kept_at = {}, _kept_at(chain)
    for row in followed:
        reasons = chain.ledger.run_table(row["run"], REASONS)
        runs[row["run"]] = Proposed(row["as_of"], _signals(chain, row["run"]), reasons, kept_at.get(row["run"]))
    return hours_to_order(state, runs)


def _kept_at(chain: Chain) -> dict[str, datetime]:
    """When each run was kept for the first time, by the clock of the world."""
    writes = chain.ledger.writes()
    runs = writes.filter(pc.equal(writes["what"], "run")).group_by("subject").aggregate([("at", "min")])
    return dict(zip(runs["subject"].to_pylist(), runs["at_min"].to_pylist(), strict=True))


def _last_runs(chain: Chain, until: datetime) -> list[dict[str, Any]]:
    """Rows of the last kept runs of this branch, oldest first."""
    rows = [row for row in chain.ledger.runs(until).to_pylist() if row["branch"] == chain.branch_name]
    return sorted(rows, key=lambda row: (row["as_of"], row["saved"]))[-RUNS_READ:]


def decide_finding(chain: Chain, name: str, state: str, why: str = "", change: Change | None = None) -> "MarketFinding":
    """Take or dismiss a finding: the next run plans by it. Gives the finding as decided. Raises NotFound, and Refused
    on a branch and for a change that its kind does not allow."""
    from datong.questions.market_findings import decided, the_finding

    if chain.branch_name is not None:
        raise Refused(message("branch.not_given_out", branch=chain.branch_name))
    one = the_finding(market_findings(chain), name)
    moment = chain.clock()
    made = replace(decided(one, state, moment, why, chain.by, change), acted_at=chain.world_clock())
    rows = decision_rows([made])
    told = rows.append_column("known_at", pa.array([moment], pa.timestamp("us", tz="UTC")))
    chain.ledger.ingest("decisions", told, None, (), "findings", moment, by=chain.by)
    return replace(one, decision=made)


def effect_of_finding(chain: Chain, name: str, as_of: Moment | None = None) -> "EffectResult":
    """What came after a decision about a finding. Raises NotFound, and Refused where nothing was decided."""
    from datong.questions.decision_effect import effect_of
    from datong.questions.market_findings import the_finding

    return effect_of(chain.state(as_of), the_finding(market_findings(chain, as_of), name))
