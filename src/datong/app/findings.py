"""Findings of the market: the list, what is decided about one, and what came of it."""

from dataclasses import replace
from typing import TYPE_CHECKING

import pyarrow as pa

from datong.app.chain import Chain
from datong.app.clock import Moment
from datong.model.errors import Refused
from datong.model.words import message
from datong.network.finding_decisions import Change, decision_rows

if TYPE_CHECKING:  # it imports every stage
    from datong.questions.effect import EffectResult
    from datong.questions.findings import MarketFinding

# Kept runs that are looked through for the first that showed a finding.
RUNS_READ = 26


def market_findings(chain: Chain, as_of: Moment | None = None) -> "list[MarketFinding]":
    """What is found now, what was decided about it, the first of the last runs that showed it, and the orders of the
    last run that it moved."""
    from datong.questions.findings import market_findings

    state = chain.state(as_of)
    rows = [row for row in chain.ledger.runs(state.as_of).to_pylist() if row["branch"] == chain.branch_name]
    rows = sorted(rows, key=lambda row: (row["as_of"], row["saved"]))[-RUNS_READ:]
    runs = []
    for row in rows:
        names = ["signals", "reasons"] if row is rows[-1] else ["signals"]
        kept = {name: chain.ledger.run_table(row["run"], name) for name in names}
        runs.append((row["as_of"], kept))
    return market_findings(state, runs)


def decide_finding(chain: Chain, name: str, state: str, why: str = "", change: Change | None = None) -> "MarketFinding":
    """Take or dismiss a finding: the next run plans by it. Gives the finding as decided. Raises NotFound, and Refused
    on a branch and for a change that its kind does not allow."""
    from datong.questions.findings import decided, the_finding

    if chain.branch_name is not None:
        raise Refused(message("branch.not_given_out", branch=chain.branch_name))
    one = the_finding(market_findings(chain), name)
    moment = chain.clock()
    made = decided(one, state, moment, why, chain.by, change)
    rows = decision_rows([made])
    told = rows.append_column("known_at", pa.array([moment], pa.timestamp("us", tz="UTC")))
    chain.ledger.ingest("decisions", told, None, (), "findings", moment, by=chain.by)
    return replace(one, decision=made)


def effect_of_finding(chain: Chain, name: str, as_of: Moment | None = None) -> "EffectResult":
    """What came after a decision about a finding. Raises NotFound, and Refused where nothing was decided."""
    from datong.questions.effect import effect_of
    from datong.questions.findings import the_finding

    return effect_of(chain.state(as_of), the_finding(market_findings(chain, as_of), name))
