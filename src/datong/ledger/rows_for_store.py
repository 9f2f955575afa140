"""Checked rows as a store takes them in: with the moment at which each was known, its id and a hash of its content."""

from datetime import datetime

import numpy as np
import pyarrow as pa

from datong.ledger.row_checks import DATE_ONLY, ROW
from datong.ledger.row_ids import event_known_at, identities
from datong.ledger.state import arrow_type
from datong.model.settings import ChainSettings
from datong.model.tables import Table


def incoming_rows(
    table: Table,
    rows: pa.Table,
    first: int,
    settings: ChainSettings,
    arrived_at: datetime,
    now: datetime | None = None,
) -> pa.RecordBatch:
    """The columns of the table that the rows have, `known_at`, and of each row: `_n` (its place in the source, counted
    from `first`), `_source_row`, `_known_at_assumed`, `_date_only` (happened_at was a date alone), and its identity:
    the columns of ledger.row_ids.identities.

    known_at is filled for events; for master rows it needs the ledger and stays null where it is missing. now: by the
    clock of the world; None: not asked.
    """
    columns = {}
    for column in table.columns.values():
        if column.name in rows.column_names:
            columns[column.name] = rows[column.name].cast(arrow_type(column))
    moment = arrow_type(table.columns["known_at"])
    known_at = columns.get("known_at", pa.chunked_array([pa.nulls(rows.num_rows, moment)]))
    assumed = known_at.is_null()
    date_only = np.zeros(rows.num_rows, dtype=bool)
    if table.kind == "event":
        if DATE_ONLY in rows.column_names:
            date_only = rows[DATE_ONLY].fill_null(False).to_numpy()
        happened_at = columns.setdefault("happened_at", pa.chunked_array([pa.nulls(rows.num_rows, moment)]))
        # Stock counted on the day that planning starts is what it starts with.
        opening = settings.start if table.name == "stock" else None
        known_at = event_known_at(happened_at, known_at, date_only, settings, arrived_at, opening, now)
    columns["known_at"] = known_at
    columns["_n"] = pa.array(np.arange(first, first + rows.num_rows))
    columns["_source_row"] = rows[ROW].cast(pa.int64())
    columns["_known_at_assumed"] = assumed
    columns["_date_only"] = pa.array(date_only)
    named = identities(table, pa.table(columns))
    whole = pa.table({**columns, **{name: named[name] for name in named.column_names}}).combine_chunks()
    return pa.RecordBatch.from_arrays(
        [column.chunk(0) if column.num_chunks else pa.array([], column.type) for column in whole.columns],
        schema=whole.schema,
    )
