"""Tables of callers, of pandas, polars or Arrow, as Arrow, and results as tables of the caller's own kind."""

from collections.abc import Mapping
from importlib import import_module
from typing import Any

import pyarrow as pa

from datong.model.errors import Refused
from datong.model.words import message


def kind_of(table: Any) -> str:
    """The library that a table is of: 'pandas', 'polars', or 'pyarrow' for anything else."""
    library = type(table).__module__.partition(".")[0]
    return library if library in ("pandas", "polars") else "pyarrow"


def arrow_of(table: Any) -> pa.Table:
    """A caller's table as Arrow; a pandas index that says something stands first. Raises Refused for what is none."""
    if kind_of(table) == "pandas":
        return _of_pandas(table)
    try:
        if not isinstance(table, Mapping) and not hasattr(table, "__arrow_c_stream__"):
            raise TypeError
        arrow = _named_once(pa.table(table))
    except (TypeError, ValueError, pa.ArrowInvalid) as error:
        raise Refused(message("shown.no_table", kind=f"{type(table).__module__}.{type(table).__name__}")) from error
    for place, field in enumerate(arrow.schema):
        if pa.types.is_dictionary(field.type):
            arrow = arrow.set_column(place, field.name, pa.chunked_array(map(_spelled_out, arrow.column(place).chunks)))
    return arrow


def _spelled_out(categories: pa.DictionaryArray) -> pa.Array:
    """Categories as the texts or numbers that they stand for; Arrow cannot take polars' kind of texts as they are."""
    known = categories.dictionary
    return (known.cast(pa.string()) if pa.types.is_string_view(known.type) else known).take(categories.indices)


def native_of(table: pa.Table, kind: str) -> Any:
    """A table of results as one of the caller's kind. Days: datetime64 in pandas, Date in polars."""
    if kind == "pandas":
        return table.to_pandas(date_as_object=False)
    if kind == "polars":
        return import_module("polars").from_arrow(table)
    return table


def _of_pandas(frame: Any) -> pa.Table:
    """Cells of several types in one column become texts."""
    if not hasattr(frame, "columns"):  # a Series
        frame = frame.to_frame()
    if frame.index.nlevels > 1 or frame.index.name is not None or frame.index.dtype.kind == "M":
        frame = frame.reset_index()
    names, columns = [_name(column) for column in frame.columns], []
    for place in range(len(names)):
        values = frame.iloc[:, place]
        try:
            column = pa.Array.from_pandas(values)
        except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError):
            column = _as_text(values)
        if isinstance(column.type, pa.BaseExtensionType):  # periods, intervals
            column = _as_text(values)
        columns.append(column)
    return _named_once(pa.Table.from_arrays(columns, names))


def _as_text(values: Any) -> pa.Array:
    cells = zip(values, values.isna(), strict=True)
    return pa.array([None if missing else str(value) for value, missing in cells], pa.string())


def _name(column: object) -> str:
    """The name of a column, of several levels in one line."""
    return " ".join(str(part) for part in column if str(part)) if isinstance(column, tuple) else str(column)


def _named_once(table: pa.Table) -> pa.Table:
    twice = sorted({name for name in table.column_names if table.column_names.count(name) > 1})
    if twice:
        raise Refused(message("shown.twice", columns=", ".join(twice)))
    return table
