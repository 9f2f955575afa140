"""Days, weeks or months that stand as columns, several of them for each period: one for each market."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from datong.connectors.exports.cells import Cells, woven
from datong.connectors.exports.periods_across import (
    LEAST_PERIODS,
    bare_month,
    mostly_numbers,
    period_of,
    periods_of,
    written_period,
)
from datong.connectors.exports.table import PERIOD_COLUMN, Table
from datong.connectors.exports.vocabulary import is_total, names_total
from datong.model.words import message

_MOST_WORDS = 3  # of a period within a name
_LEAST_MARKETS = 2


def periods_of_markets_down(table: Table, hints: Sequence[str]) -> Table:
    """A table with columns such as '2026-01 North', '2026-01 South' as rows of a date with a column North and a column
    South; any other as it is. Empty cells of all markets make no row; columns of sums are left out."""
    within = {name: found for name in table.columns if (found := _parted(name)) is not None}
    by_rest: dict[str, dict[str, str]] = {}
    for name, (text, rest) in within.items():
        if mostly_numbers(table.columns[name]):
            by_rest.setdefault(rest, {}).setdefault(text, name)
    texts = list(dict.fromkeys(text for of in by_rest.values() for text in of))
    periods = periods_of(texts, hints)
    sides = {rest: of for rest, of in by_rest.items() if len(of.keys() & periods.keys()) >= LEAST_PERIODS}
    if len(sides) < _LEAST_MARKETS or any(rest in table.columns or bare_month(rest) for rest in sides):
        return table
    sums = [n for n in table.columns if n not in within and (is_total(n) or names_total(n))]
    ids = [n for n in table.columns if n not in within and n not in sums]
    rows, places = np.divmod(np.arange(table.height * len(periods)), len(periods))
    nothing = Cells(pa.nulls(table.height, pa.string()))
    parts = {
        rest: woven([table.columns[of[text]] if text in of else nothing for text in periods])
        for rest, of in sides.items()
    }
    columns = {n: table.columns[n].take(rows) for n in ids}
    written = [written_period(*found) for found in periods.values()]
    columns[PERIOD_COLUMN] = Cells(pa.array(written, pa.string()).take(pa.array(places)))
    columns |= parts
    days = [day for _, day in periods.values()]
    notes = [message("export.wide", count=len(periods), first=str(min(days)), last=str(max(days)))]
    if sums:
        notes.append(message("export.sum_columns", columns=", ".join(sums)))
    told = (*table.notes, *notes)
    made = Table(table.name, columns, table.numbers[rows], True, table.repeated, told, above=table.above)
    return made.keep(np.any([cells.filled for cells in parts.values()], axis=0))


def _parted(name: str) -> tuple[str, str] | None:
    """The period at either end of a name, and the words beside it; None where there are not both."""
    words = name.split()
    if period_of(name) is not None:
        return None
    for size in range(min(_MOST_WORDS, len(words) - 1), 0, -1):
        for text, rest in ((words[:size], words[size:]), (words[-size:], words[:-size])):
            found = period_of(" ".join(text))
            if found is not None and not found.measure:
                return " ".join(text), " ".join(rest)
    return None
