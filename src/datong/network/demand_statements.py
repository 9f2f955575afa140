"""What people say will change demand: planned promotions, a planner's own adjustments, and what was taken with a
finding."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta

from datong.ledger.state import State
from datong.model.flow import TAKEN
from datong.network.finding_decisions import decisions

# Tables of statements, with the name of their key, which is the kind of signal that their rows are.
STATEMENTS: Mapping[str, str] = {"promotions": "promotion", "demand_adjustments": "adjustment"}


@dataclass(frozen=True)
class Statement:
    """One row. kind: of its signal. market: None for every market. first, after: days, the last not included. change,
    low, high: shares of usual demand by which it changes, the middle and the ends of nine cases in ten. why: who says
    so and why, if told. evidence: ids of the rows of evidence_table that show it: of a taken finding, its own.
    """

    kind: str
    table: str
    key: str
    row_id: str
    product: str
    market: str | None
    first: date
    after: date
    change: float
    low: float
    high: float
    why: str
    evidence_table: str
    evidence: tuple[str, ...]

    @property
    def signal(self) -> str:
        """Id of the signal that it is."""
        return f"{self.kind}-{self.key}" + ("" if self.kind == "taken" else f"-{self.product}-{self.market or 'all'}")

    @property
    def last(self) -> date:
        """Its last day."""
        return self.after - timedelta(days=1)


def statements(state: State) -> tuple[Statement, ...]:
    """Every statement of the chain that says how much, by table, first day and key."""
    found = _taken(state)
    for table, key in STATEMENTS.items():
        for row in state.table(table).to_pylist():
            change = row["change_share"]
            if change is None:  # what it does is estimated (sense/prices_ahead.py)
                continue
            told = [row[name] for name in ("stated_by", "reason") if row.get(name)]
            found.append(
                Statement(
                    key,
                    table,
                    row[key],
                    row["row_id"],
                    row["product"],
                    row["market"],
                    row["from"],
                    row["to"],
                    change,
                    change if row["low_share"] is None else row["low_share"],
                    change if row["high_share"] is None else row["high_share"],
                    ": ".join(told),
                    table,
                    (row["row_id"],),
                )
            )
    return tuple(sorted(found, key=lambda s: (s.table, s.first, s.key, s.product, s.market or "")))


def _taken(state: State) -> list[Statement]:
    """Changes of demand that were taken with findings about products."""
    found = []
    for one in decisions(state):
        change = one.change
        if change is None or one.state != TAKEN or one.subject.kind != "product":
            continue
        market = None if one.subject.market == "all" else one.subject.market
        days = (change.first, change.after)
        told = ": ".join(text for text in (one.decided_by, one.reason) if text)
        table, evidence = (one.evidence_table, one.evidence) if one.evidence else ("decisions", (one.row_id,))
        shares = (change.share, change.low, change.high)
        name = one.subject.name
        found.append(
            Statement(
                "taken", "decisions", one.finding, one.row_id, name, market, *days, *shares, told, table, evidence
            )
        )
    return found
