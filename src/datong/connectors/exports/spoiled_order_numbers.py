"""Numbers of orders and lines that a spreadsheet has rounded: no two rows are known by such a number to be of one
order, nor the next export's row by it to be the same."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from datong.connectors.exports.cells import Cells
from datong.connectors.exports.columns import is_destroyed, with_column
from datong.connectors.exports.export import Export
from datong.connectors.exports.profiles import present
from datong.ledger.row_checks import shown
from datong.model.findings import Finding, finding

# A spreadsheet keeps so many digits of a number.
_DIGITS_KEPT = 15
# Zeros behind these, in all long numbers of a column together, that are no chance; and the share of such numbers.
_LEAST_ZEROS, _NEARLY_ALL = 6, 0.9
_MOSTLY = 0.5


def part_spoiled_numbers(export: Export) -> np.ndarray:
    """(row,) bool: rows of which the number of the order is spoiled, each of them an order of its own for now. Where
    most are, another column that the platform knows the order by is taken, or none."""
    name = export.choice.column("order")
    nothing = np.zeros(export.table.height, bool)
    if name is None:
        return nothing
    rows = _spoiled(export.columns[name])
    if not rows.any():
        return rows
    cells = export.columns[name]
    export.findings.append(_told(export, name, rows))
    if rows.sum() <= _MOSTLY * cells.filled.sum():
        numbers = pa.array(np.arange(len(rows))).cast(pa.string())
        apart = pc.binary_join_element_wise(cells.text, numbers, " / ")
        export.columns[name] = Cells(pc.if_else(pa.array(rows), apart, cells.text), cells.kind)
        return rows
    others = () if export.profile is None else present(export.profile.columns.get("order", ()), export.columns)
    whole = [other for other in others if other != name and not _spoiled(export.columns[other]).any()]
    if whole:
        export.choice = with_column(export.choice, "order", whole[0])
    else:
        kept = tuple(guess for guess in export.choice.columns if guess.field != "order")
        export.choice = replace(export.choice, columns=kept)
    return nothing


def leave_numbers_out(export: Export, rows: np.ndarray) -> None:
    """No number for the rows of which `part_spoiled_numbers` told that it is spoiled."""
    name = export.choice.column("order")
    if name is not None and rows.any():
        cells = export.columns[name]
        export.columns[name] = Cells(pc.if_else(pa.array(rows), pa.scalar(None, pa.string()), cells.text), cells.kind)


def _spoiled(cells: Cells) -> np.ndarray:
    """(row,) bool: the number is written with an exponent, or as all long ones has nothing but zeros in the end."""
    encoded = cells.text.dictionary_encode()
    known = encoded.dictionary.to_pylist()
    long = [t for text in known if len(t := text.removesuffix(".0")) > _DIGITS_KEPT and t.isdigit() and t.isascii()]
    rounded = {text for text in long if not text[_DIGITS_KEPT:].strip("0")}
    zeros = sum(len(text) - _DIGITS_KEPT for text in rounded)
    if zeros < _LEAST_ZEROS or len(rounded) < _NEARLY_ALL * len(long):
        rounded = set()
    lost = np.array([*(is_destroyed(text) or text.removesuffix(".0") in rounded for text in known), False])
    return lost[encoded.indices.fill_null(len(known)).to_numpy(zero_copy_only=False)]


def _told(export: Export, name: str, rows: np.ndarray) -> Finding:
    texts = export.columns[name].text.filter(pa.array(rows)).unique()
    count = int(rows.sum())
    return finding(
        "warning", "export.destroyed_orders", export.name, row=int(export.table.numbers[np.flatnonzero(rows)[0]]),
        column=name, rows_affected=count, value=shown(texts[0].as_py()), count=f"{count:,}", codes=f"{len(texts):,}",
    )  # fmt: skip
