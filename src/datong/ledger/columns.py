"""Columns of a state as arrays: codes of texts, moments and local days as numbers."""

from datetime import date, timedelta

import numpy as np
import pyarrow as pa

from datong.ledger.state import State
from datong.model.flow import IntArray


def codes(column: pa.ChunkedArray) -> tuple[IntArray, list[str]]:
    """(row) position of its text in the list of those there are."""
    encoded = column.combine_chunks().dictionary_encode()
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.combine_chunks()
    return encoded.indices.to_numpy().astype(np.int64), encoded.dictionary.to_pylist()


def microseconds(rows: pa.Table) -> IntArray:
    """(row) happened_at in microseconds since 1970."""
    return rows["happened_at"].cast(pa.int64()).to_numpy()


def local_days(rows: pa.Table, state: State) -> IntArray:
    """(row) the chain's calendar day of happened_at, in days since 1970-01-01."""
    local = rows["happened_at"].to_pandas().dt.tz_convert(state.settings.time_zone).dt.tz_localize(None)
    return local.to_numpy("datetime64[D]").astype(np.int64)


def day_number(day: date) -> int:
    """Days since 1970-01-01."""
    return (day - date(1970, 1, 1)).days


def as_day(number: int) -> date:
    """The day that is so many days after 1970-01-01."""
    return date(1970, 1, 1) + timedelta(days=int(number))
