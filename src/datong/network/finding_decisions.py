"""What people decided about findings of the market, as the ledger holds it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime

import pyarrow as pa

from datong.ledger.state import State
from datong.model.flow import Signal, Subject
from datong.model.tables import ACTED_AT

_DAY = re.compile(r"-\d{4}-\d{2}-\d{2}$")


@dataclass(frozen=True)
class Change:
    """A change of demand that was taken with a finding. first, after: days, the last not included. share, low, high:
    shares of usual demand, the middle and the ends of nine cases in ten."""

    first: date
    after: date
    share: float
    low: float
    high: float


@dataclass(frozen=True)
class Decision:
    """What somebody decided about a finding.

    finding: its id on that day; the id begins anew where its days move, so kind, subject and days say what it was.
    state: TAKEN or DISMISSED. first, last: first days of its first and last bucket. evidence: ids of the rows of
    evidence_table that showed it. reason, decided_by: '' where nothing is told.
    """

    finding: str
    state: str
    kind: str
    subject: Subject
    first: date
    last: date
    decided_at: datetime
    change: Change | None = None
    evidence_table: str = ""
    evidence: tuple[str, ...] = ()
    reason: str = ""
    decided_by: str = ""
    # When it was made, by the clock of the world; None: not noted. decided_at is by the chain's own.
    acted_at: datetime | None = None
    # Id of the row that tells it; '' where it is not in the ledger.
    row_id: str = field(default="", compare=False)

    @property
    def made_at(self) -> datetime:
        """When somebody made it, as people tell it."""
        return self.acted_at or self.decided_at

    def is_about(self, signal: Signal) -> bool:
        """Whether a signal is the finding: by its id, or by what its id says but for the day, in days that overlap."""
        if self.finding == signal.signal:
            return True
        same = (self.kind, self.subject, stem(self.finding)) == (signal.kind, signal.subject, stem(signal.signal))
        return same and self.first <= signal.last and signal.first <= self.last


def stem(finding: str) -> str:
    """What the id of a finding says, without the day on which it begins."""
    return _DAY.sub("", finding)


def decisions(state: State) -> tuple[Decision, ...]:
    """Every decision that stands, by the moment at which it was made: of one finding the last."""
    found: dict[str, Decision] = {}
    rows = state.table("decisions").to_pylist()
    for row in sorted(rows, key=lambda r: (r["happened_at"], r["known_at"], r["row_id"])):
        change = None
        if row["change_share"] is not None and row["from"] is not None and row["to"] is not None:
            share = row["change_share"]
            low, high = (share if row[name] is None else row[name] for name in ("low_share", "high_share"))
            change = Change(row["from"], row["to"], share, low, high)
        found.pop(row["finding"], None)
        found[row["finding"]] = Decision(
            row["finding"],
            row["state"],
            row["kind"],
            Subject(row["subject_kind"], row["subject_name"] or "", row["market"]),
            row["first"],
            row["last"],
            row["happened_at"],
            change,
            row["evidence_table"] or "",
            tuple((row["evidence"] or "").split()),
            row["reason"] or "",
            row["decided_by"] or "",
            row[ACTED_AT],
            row["row_id"],
        )
    return tuple(found.values())


def decision_about(signal: Signal, made: Sequence[Decision]) -> Decision | None:
    """The last decision about a signal; None where there is none."""
    return next((one for one in reversed(made) if one.is_about(signal)), None)


def decision_rows(made: Sequence[Decision]) -> pa.Table:
    """Decisions as rows of `decisions` that a ledger takes in."""

    def of(name: str, values: Sequence[object], kind: pa.DataType) -> tuple[str, pa.Array]:
        return name, pa.array([None if value == "" else value for value in values], kind)

    text, number, day = pa.string(), pa.float64(), pa.date32()
    changes = [one.change for one in made]
    columns = [
        of("happened_at", [one.decided_at for one in made], pa.timestamp("us", tz="UTC")),
        of("decision", [None] * len(made), text),
        of("finding", [one.finding for one in made], text),
        of("state", [one.state for one in made], text),
        of("kind", [one.kind for one in made], text),
        of("subject_kind", [one.subject.kind for one in made], text),
        of("subject_name", [one.subject.name for one in made], text),
        of("market", [one.subject.market for one in made], text),
        of("first", [one.first for one in made], day),
        of("last", [one.last for one in made], day),
        of("change_share", [None if c is None else c.share for c in changes], number),
        of("low_share", [None if c is None else c.low for c in changes], number),
        of("high_share", [None if c is None else c.high for c in changes], number),
        of("from", [None if c is None else c.first for c in changes], day),
        of("to", [None if c is None else c.after for c in changes], day),
        of("evidence_table", [one.evidence_table for one in made], text),
        of("evidence", [" ".join(one.evidence) for one in made], text),
        of("reason", [one.reason for one in made], text),
        of("decided_by", [one.decided_by for one in made], text),
        of(ACTED_AT, [one.acted_at for one in made], pa.timestamp("us", tz="UTC")),
        of("assumed", [None] * len(made), text),
        of("__row__", list(range(1, len(made) + 1)), pa.int64()),
        of("__date_only__", [False] * len(made), pa.bool_()),
    ]
    return pa.table(dict(columns))
