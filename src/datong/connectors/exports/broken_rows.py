"""Rows of a text file that broke: swallowed by a quote that is never closed, parted by a line break that stands in no
quotes, or cut where the file ends."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from datong.connectors.exports.vocabulary import is_total
from datong.connectors.files.encodings_and_lines import Damage
from datong.ledger.row_checks import ROW

_LEAST_WIDTH = 3  # of a table: a note of several lines may hold a separator or two
_SAMPLE_ROWS = 200
_LEAST_KEPT = 2  # letters that are left of a cell that was cut
_REPEATED = 0.5  # most share of a column's cells that differ, so that it repeats its words
_LEAST_FIGURES, _NEARLY_ALL = 20, 0.9  # numbers above the last one, and share of them that have more figures
_DIGITS, _LETTERS = re.compile(r"\d+"), re.compile(r"[^\W\d_]+")

# Cells of a record.
Row = Sequence[str]


@dataclass(frozen=True)
class Mended:
    """rows: by the number of a record the rows that it really is, none for one that belongs to the row before.
    unquoted, joined: how many rows stood in a quote that is never closed, and how many a line break parted."""

    rows: Mapping[int, tuple[Row, ...]]
    unquoted: int = 0
    joined: int = 0


def mended(table: pa.Table, damage: Sequence[Damage], delimiter: str, width: int, *, has_quotes: bool) -> Mended:
    """What the rows of a text file, and those that could not be cut into cells, really are. table: columns '0', '1',
    ... and `__row__`."""
    names = [str(i) for i in range(width)]
    lengths = Counter(len(d.cells) for d in damage if 0 < len(d.cells) <= width) + Counter({width: table.num_rows})
    usual = max(lengths, key=lambda length: (lengths[length], length), default=width)
    rows: dict[int, tuple[Row, ...]] = {}
    if has_quotes:
        rows |= {d.number: (row,) for d in damage if (row := unclosed_row(d, delimiter, usual))}
        suspected = {d.number: d.cells for d in damage if d.cells} | dict(_with_breaks(table, names))
        rows |= {n: more for n, cells in suspected.items() if (more := swallowed_rows(cells, delimiter, usual))}
    unquoted = sum(map(len, rows.values()))
    short = {d.number: d.cells for d in damage if 0 < len(d.cells) < usual and d.number not in rows}
    whole = _rows_of(table.slice(0, _SAMPLE_ROWS), names) if usual == width else [d.cells for d in damage]
    joined = joined_rows(short, [row for row in whole if len(row) == usual], usual) if len(short) > 1 else {}
    padded = {n: tuple((*row, *[""] * (width - usual)) for row in of) for n, of in (rows | joined).items()}
    return Mended(padded, unquoted, sum(map(len, joined.values())))


def _with_breaks(table: pa.Table, names: Sequence[str]) -> list[tuple[int, Row]]:
    """Rows of which a cell goes on over a line break, with their numbers."""
    broken = np.zeros(table.num_rows, bool)
    for name in names:
        broken |= pc.fill_null(pc.match_substring(table[name], "\n"), False).to_numpy()
    found = table.filter(pa.array(broken))
    return list(zip(found[ROW].to_pylist(), _rows_of(found, names), strict=True))


def _rows_of(table: pa.Table, names: Sequence[str]) -> list[Row]:
    return list(zip(*(table[name].to_pylist() for name in names), strict=True))


def swallowed_rows(cells: Sequence[str], delimiter: str, width: int) -> tuple[tuple[str, ...], ...]:
    """The rows of a record whose cell goes on over line breaks, where each of its lines is a row of the table; none
    where they are not."""
    if width < _LEAST_WIDTH or not any("\n" in cell for cell in cells):
        return ()
    rows = tuple(tuple(line.split(delimiter)) for line in delimiter.join(cells).split("\n") if line.strip())
    return tuple(map(_stripped, rows)) if len(rows) > 1 and all(len(row) == width for row in rows) else ()


def unclosed_row(damage: Damage, delimiter: str, width: int) -> tuple[str, ...]:
    """The cells of a line with a quote that is never closed, taken as it stands; none where their number is wrong."""
    cells = damage.text.split(delimiter)
    return _stripped(cells) if damage.key == "check.unclosed_quote" and len(cells) == width else ()


def _stripped(cells: Sequence[str]) -> tuple[str, ...]:
    return tuple(cell.strip("\r").removeprefix('"').removesuffix('"') for cell in cells)


def joined_rows(short: Mapping[int, Row], whole: Sequence[Row], width: int) -> dict[int, tuple[Row, ...]]:
    """Records with too few cells that follow each other and are one row together, each with that row or with none: the
    later ones begin as no row begins. whole: some of the rows that are whole."""
    result: dict[int, tuple[Row, ...]] = {}
    counted = Counter(_shape(row[0]) for row in whole)
    beginnings = {shape for shape, count in counted.items() if count > 1}  # the header begins otherwise
    held: list[int] = []
    cells: list[str] = []
    for number in sorted(short):
        more = list(short[number])
        if held and number == held[-1] + 1 and _shape(more[0]) not in beginnings:
            cells = [*cells[:-1], f"{cells[-1]} {more[0]}".strip(), *more[1:]]
            held.append(number)
        else:
            held, cells = [number], more
        if len(cells) == width and beginnings:
            result |= dict.fromkeys(held[1:], ()) | {held[0]: (tuple(cells),)}
            held, cells = [], []
    return result


def _shape(cell: str) -> str:
    """What a cell looks like: 2026-03-05 as 9-9-9, KT-101 as a-9."""
    return _LETTERS.sub("a", _DIGITS.sub("9", cell.strip()))


def is_cut(last: Row, short: int, width: int) -> bool:
    """Whether the last row of a text that no line end ends was cut: it has fewer cells than all others, which have as
    many as the header, and is no row of sums. short: how many rows have fewer cells."""
    return short == 1 and 1 < len(last) < width and not any(map(is_total, last))


def is_cut_within_cell(column: pa.ChunkedArray | pa.Array) -> bool:
    """Whether the last cell of a column that repeats its words ends within one of them, and stands there alone."""
    last = column[-1].as_py() or ""
    others = column.slice(0, len(column) - 1)
    if len(last) < _LEAST_KEPT or not any(c.isalpha() for c in last) or pc.any(pc.equal(others, last)).as_py():
        return False
    known = pc.unique(others)
    return len(known) < _REPEATED * len(others) and bool(pc.any(pc.starts_with(known, last)).as_py())


def has_fewer_figures(column: pa.ChunkedArray | pa.Array) -> bool:
    """Whether the last cell of a column is a number of fewer figures than nearly all of the others, which are some."""
    last = column[-1].as_py() or ""
    others = pc.drop_null(column.slice(0, len(column) - 1))
    if not last.isdigit() or len(others) < _LEAST_FIGURES:
        return False
    longer = pc.and_(pc.match_substring_regex(others, r"^\d+$"), pc.greater(pc.utf8_length(others), len(last)))
    return pc.sum(longer).as_py() >= _NEARLY_ALL * len(others)
