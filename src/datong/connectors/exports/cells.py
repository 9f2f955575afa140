"""A column of a file as it came: its texts, and of what type a workbook had its cells."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

BLANKS = " \t\r\n\u3000\u00a0\ufeff\u200b"
# What spreadsheets write into a cell whose formula has no value, in English and in German.
ERRORS = frozenset(
    {"#N/A", "#REF!", "#VALUE!", "#DIV/0!", "#NAME?", "#NUM!", "#NULL!", "#SPILL!", "#CALC!",
     "#NV", "#BEZUG!", "#WERT!", "#ZAHL!"}
)  # fmt: skip
ERROR_CELL = "#N/A"


@dataclass(frozen=True, eq=False)
class Cells:
    """text: (row,) string, without blanks around it, null where there is nothing. kind: (row,) uint8, TEXT, NUMBER or
    DAY; None where all are text. A NUMBER is written as 7 or 12.5, a DAY as 2024-01-05 or 2024-01-05 10:00:00."""

    text: pa.Array
    kind: np.ndarray | None = None

    TEXT: ClassVar[int] = 0
    NUMBER: ClassVar[int] = 1
    DAY: ClassVar[int] = 2

    def __len__(self) -> int:
        return len(self.text)

    def take(self, at: np.ndarray) -> "Cells":
        return Cells(self.text.take(pa.array(at)), None if self.kind is None else self.kind[at])

    @property
    def filled(self) -> np.ndarray:
        """(row,) bool."""
        return pc.is_valid(self.text).to_numpy(zero_copy_only=False)

    @property
    def errors(self) -> np.ndarray:
        """(row,) bool: a spreadsheet's error stands there, or stood for a formula without its value."""
        found = pc.is_in(self.text, pa.array(sorted(ERRORS)))
        return pc.fill_null(found, False).to_numpy(zero_copy_only=False)


def without_errors(columns: Mapping[str, Cells]) -> dict[str, Cells]:
    """Columns whose cells are empty where an error of a spreadsheet stands: it is no order, no state, no name."""
    result = dict(columns)
    for name, cells in columns.items():
        errors = cells.errors
        if errors.any():
            result[name] = Cells(pc.if_else(pa.array(errors), pa.scalar(None, pa.string()), cells.text), cells.kind)
    return result


def woven(parts: Sequence[Cells]) -> Cells:
    """Columns as one, the cells of one row after the other."""
    at = np.arange(len(parts) * len(parts[0])).reshape(len(parts), -1).T.ravel()
    typed = any(c.kind is not None for c in parts)
    kinds = [np.zeros(len(c), np.uint8) if c.kind is None else c.kind for c in parts]
    return Cells(pa.concat_arrays([c.text for c in parts]), np.concatenate(kinds) if typed else None).take(at)


def cells_of(values: pa.ChunkedArray | pa.Array) -> Cells:
    """An Arrow column, text or typed."""
    values = values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values
    kind = values.type
    if pa.types.is_dictionary(kind):
        return cells_of(values.cast(kind.value_type))
    if pa.types.is_temporal(kind) and not pa.types.is_duration(kind):
        return Cells(_moment_text(values), np.full(len(values), Cells.DAY, np.uint8))
    if pa.types.is_floating(kind) or pa.types.is_integer(kind) or pa.types.is_decimal(kind):
        return Cells(_number_text(values), np.full(len(values), Cells.NUMBER, np.uint8))
    return Cells(trimmed(values.cast(pa.string())))


def trimmed(text: pa.Array) -> pa.Array:
    """Texts without blanks around them and without what spreadsheets put around a text to keep it: ="001", '001."""
    text = pc.utf8_trim(text, characters=BLANKS)
    kept = pc.fill_null(pc.or_(pc.starts_with(text, '="'), pc.starts_with(text, "'")), False)
    if pc.any(kept).as_py():
        bare = pc.replace_substring_regex(text, r'^="(.*)"$', r"\1")
        bare = pc.utf8_trim(pc.replace_substring_regex(bare, r"^'(.+)$", r"\1"), characters=BLANKS)
        text = pc.if_else(kept, bare, text)
    return pc.if_else(pc.equal(pc.binary_length(text), 0), pa.scalar(None, pa.string()), text)


def _number_text(values: pa.Array) -> pa.Array:
    """Numbers without a '.0' that nobody wrote."""
    if pa.types.is_integer(values.type):
        return values.cast(pa.string())
    numbers = values.cast(pa.float64())
    numbers = pc.if_else(pc.is_nan(numbers), pa.scalar(None, pa.float64()), numbers)
    whole = pc.and_(pc.equal(pc.floor(numbers), numbers), pc.less(pc.abs(numbers), 2.0**53))
    whole = pc.fill_null(whole, False)
    integers = pc.if_else(whole, numbers, pa.scalar(None, pa.float64())).cast(pa.int64()).cast(pa.string())
    if pc.all(pc.or_(whole, pc.is_null(numbers))).as_py():
        return integers
    rest = pa.array([None if v is None else repr(v) for v in pc.if_else(whole, None, numbers).to_pylist()], pa.string())
    return pc.coalesce(integers, rest)


def _moment_text(values: pa.Array) -> pa.Array:
    if pa.types.is_date(values.type):
        return values.cast(pa.date32()).cast(pa.string())
    if pa.types.is_time(values.type):
        return values.cast(pa.string())
    zone = values.type.tz
    moments = values.cast(pa.timestamp("us", tz=zone), safe=False)
    if zone is not None:
        return pc.strftime(moments.cast(pa.timestamp("s", tz="UTC"), safe=False), format="%Y-%m-%d %H:%M:%S+00:00")
    text = pc.strftime(moments.cast(pa.timestamp("s"), safe=False), format="%Y-%m-%d %H:%M:%S")
    return pc.if_else(
        pc.fill_null(pc.all(pc.ends_with(text, " 00:00:00")), False), pc.utf8_slice_codeunits(text, 0, 10), text
    )
