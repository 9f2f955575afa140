"""What people say will change demand: planned promotions, and a planner's own adjustments."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from datong.ledger.state import State

# Tables of statements, with the name of their key, which is the kind of signal that their rows are.
STATEMENTS: Mapping[str, str] = {"promotions": "promotion", "demand_adjustments": "adjustment"}


@dataclass(frozen=True)
class Statement:
    """One row. market: None for every market. first, after: days, the last not included. change, low, high: shares of
    usual demand by which it changes, the middle and the ends of nine cases in ten. why: who says so and why, if told.
    """

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


def statements(state: State) -> tuple[Statement, ...]:
    """Every statement of the chain, by table, first day and key."""
    found = []
    for table, key in STATEMENTS.items():
        for row in state.table(table).to_pylist():
            change = row["change_share"]
            told = [row[name] for name in ("stated_by", "reason") if row.get(name)]
            found.append(
                Statement(
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
                )
            )
    return tuple(sorted(found, key=lambda s: (s.table, s.first, s.key, s.product, s.market or "")))
