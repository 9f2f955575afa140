"""Rows that point to something that is not there."""

from collections.abc import Mapping

import pyarrow as pa
import pyarrow.compute as pc

from datong.ledger.validate import Trouble
from datong.model.tables import Table


def unknown_references(table: Table, rows: pa.Table, known: Mapping[str, pa.Array]) -> list[Trouble]:
    """Values that point to no row of the table they refer to. known: keys by table; others are not looked up."""
    troubles = []
    for column in table.columns.values():
        target = column.refers_to
        if target is None or target not in known or column.name not in rows.column_names:
            continue
        found = pc.is_in(rows[column.name], known[target])
        bad = pc.and_(pc.is_valid(rows[column.name]), pc.invert(found)).to_numpy()
        troubles.append(Trouble("check.unknown_reference", bad, column.name, params={"table": target}))
    return troubles
