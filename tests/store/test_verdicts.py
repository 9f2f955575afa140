"""Every store judges rows as the table of cases says."""

from collections import Counter
from contextlib import closing
from datetime import UTC, datetime

import pyarrow as pa
import pytest

from datong.ledger.verdicts import ARRIVED, BY_HAND, CASES, Case, Coming
from datong.model.settings import ChainSettings
from stores import Store

HAPPENED = datetime(2026, 1, 1, tzinfo=UTC)
MOMENT = pa.timestamp("us", tz="UTC")


def as_table(rows: list[Coming], kind: str) -> tuple[str, pa.Table]:
    """Lines or sales of one key that say different things."""
    numbers = list(range(2, 2 + len(rows)))
    known = pa.array([None if row.assumed else row.known for row in rows], MOMENT)
    told = [float(ord(row.says)) for row in rows]
    if kind == "master":
        columns = {"line": ["L"] * len(rows), "hours_per_week": told, "known_at": known, "__row__": numbers}
        return "lines", pa.table(columns)
    columns = {"sale": ["s"] * len(rows), "product": ["P"] * len(rows), "units": told}
    happened = pa.array([HAPPENED] * len(rows), MOMENT)
    return "sales", pa.table({**columns, "happened_at": happened, "known_at": known, "__row__": numbers})


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.why)
def test_cases(store: Store, case: Case) -> None:
    with closing(store.open(ChainSettings("x", history=case.history))) as ledger:
        for version in case.held:
            name, rows = as_table([Coming(version.known, version.says)], case.kind)
            if version.withdrawn:
                ledger.withdraw(name, [f"{name}:{'L' if name == 'lines' else 's'}"], version.known, by="test")
            else:
                source = BY_HAND if version.by_hand else "now" if version.own else "before"
                ledger.ingest(name, rows, None, (), source, ARRIVED, by="test")
        name, rows = as_table(list(case.rows), case.kind)
        report = ledger.ingest(name, rows, None, (), "now", ARRIVED, by="test")
        found = {
            "new": report.added,
            "superseding": report.superseded,
            "known": report.known,
            "conflicting": report.quarantined,
        }
        assert Counter(found) == Counter(case.verdicts)
        waiting = [row - 2 for row in ledger.waiting()["row"].to_pylist()]
        assert waiting == [n for n, verdict in enumerate(case.verdicts) if verdict == "conflicting"]
