"""Orders of which one cell lists the products with their counts, as '2× Mug, 1× Tray', as a row for each product: where
another column has the sum of the counts, so that no name only looks like a list."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pyarrow as pa

from datong.connectors.exports.cells import Cells
from datong.connectors.exports.columns import header_score
from datong.connectors.exports.numbers import read_numbers
from datong.connectors.exports.table import Table
from datong.connectors.exports.vocabulary import is_total
from datong.model.words import message

_COUNT_FIRST = re.compile(
    r"(?:^|[,;+|、，；]\s*)(\d{1,4})\s*[×x*]\s+?(?=\S)|(?:^|[,;+|、，；]\s*)(\d{1,4})\s*×\s*(?=\S)"
)
_COUNT_LAST = re.compile(r"\s*(?:[×x*]\s*(\d{1,4})|\((?:[×x]\s*)?(\d{1,4})\))\s*(?:[,;+|、，；]\s*|$)")
_NEARLY_ALL = 0.95  # of the rows, whose counts another column adds up
_LEAST_ROWS = 3
_SAMPLE, _MOST_OF_SAMPLE = 200, 0.8

Part = tuple[int, str]


def products_of_cells(table: Table) -> Table:
    """A table with a row for each product of such cells; any other as it is."""
    for name, cells in table.columns.items():
        first = cells.text.slice(0, _SAMPLE).drop_null().to_pylist()
        if sum(bool(parts_of(text)) for text in first) < _MOST_OF_SAMPLE * len(first) or not first:
            continue
        texts = cells.text.unique().drop_null().to_pylist()
        parts = {text: found for text in texts if (found := parts_of(text))}
        listed = [text for text in texts if not is_total(text)]
        if not parts or len(parts) < _NEARLY_ALL * len(listed):
            continue
        units = _added_up_in(table, name, parts)
        if units is not None:
            return _a_row_each(table, name, units, parts)
    return table


def parts_of(text: str) -> Sequence[Part]:
    """The counts and names that a cell lists; none where it is no list."""
    starts = list(_COUNT_FIRST.finditer(text))
    if starts and starts[0].start() == 0:
        ends = [found.start() for found in starts[1:]] + [len(text)]
        return [(int(s[1] or s[2]), text[s.end() : end].strip()) for s, end in zip(starts, ends, strict=True)]
    found = list(_COUNT_LAST.finditer(text))
    if not found or found[-1].end() != len(text):
        return []
    begins = [0] + [part.end() for part in found[:-1]]
    parts = [(int(f[1] or f[2]), text[at : f.start()].strip()) for f, at in zip(found, begins, strict=True)]
    return parts if all(name for _, name in parts) else []


def _added_up_in(table: Table, name: str, parts: Mapping[str, Sequence[Part]]) -> str | None:
    """The column whose numbers are the sums of the counts."""
    texts = table.columns[name].text.to_pylist()
    sums = np.array([sum(n for n, _ in parts[t]) if t in parts else np.nan for t in texts])
    there = ~np.isnan(sums)
    for other, cells in table.columns.items():
        if other == name or there.sum() < _LEAST_ROWS or (sums[there] <= 1).all():
            continue
        column = read_numbers(cells)
        if not column.unread[there].any() and (column.values(".")[there] == sums[there]).mean() >= _NEARLY_ALL:
            return other
    return None


def _a_row_each(table: Table, name: str, units: str, parts: Mapping[str, Sequence[Part]]) -> Table:
    """Money that is of the whole order stands in none of several rows."""
    texts = table.columns[name].text.to_pylist()
    own = table.columns[units].text.to_pylist()
    of_row = [parts.get(t) or [(None, t)] for t in texts]
    at = np.repeat(np.arange(table.height), [len(found) for found in of_row])
    several = np.array([len(of_row[i]) > 1 for i in at.tolist()], bool)
    columns = {}
    for column, cells in table.columns.items():
        taken = cells.take(at)
        money = max(header_score(field, column) for field in ("amount", "price")) >= 0.5
        columns[column] = (
            Cells(pa.array(np.where(several, None, taken.text.to_pylist()), pa.string())) if money else taken
        )
    flat = [part for found in of_row for part in found]
    columns[name] = Cells(pa.array([text for _, text in flat], pa.string()))
    counts = [own[i] if count is None else str(count) for i, (count, _) in zip(at.tolist(), flat, strict=True)]
    columns[units] = Cells(pa.array(counts, pa.string()))
    note = message("export.products_in_cells", column=name, units=units, count=f"{len(flat):,}")
    notes = (*table.notes, note)
    return replace(table, columns=columns, numbers=table.numbers[at], of_rows=table.read_rows, notes=notes)
