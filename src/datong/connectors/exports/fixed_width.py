"""Printed lists in a text file, whose columns stand at fixed places with blanks between them, as rows of cells."""

import re
from collections.abc import Sequence

import numpy as np

from datong.connectors.exports.date_texts import parse
from datong.connectors.exports.numbers import written

_RULE = re.compile(r"[-=_+*\s]{5,}")
_PARTED_RULE = re.compile(r"\s*(?:[-=_]{2,}\s+)+[-=_]{2,}\s*")
_LEAST_LINES, _LEAST_COLUMNS = 5, 3
_LEAST_GAP = 2  # blanks between two columns: one may stand within a name
_NEARLY_ALL, _MOST = 0.98, 0.9
_SAMPLE_LINES = 2000


def cells_at_fixed_places(lines: Sequence[str]) -> list[list[str]] | None:
    """The cells of each line; None where the lines are none of a printed list. A line whose words cross the places, as
    a title does, is one cell; one of dashes has none."""
    lines = [line.replace("\f", "").rstrip() for line in lines]
    body = _body(lines[:_SAMPLE_LINES])
    if len(body) < _LEAST_LINES:
        return None
    header = _header(lines, body[0])
    for cuts in (_cuts_of_blanks([lines[i] for i in body], header), _cuts_of_rule(lines)):
        if len(cuts) + 1 < _LEAST_COLUMNS or (header and len(_cells(header, cuts)) == 1):
            continue
        rows = [_cells(line, cuts) for line in lines]
        whole = [row for i in body if len(row := rows[i]) == len(cuts) + 1]
        if len(whole) >= _MOST * len(body) and _have_figures(whole):
            return [row + [""] * (len(cuts) + 1 - len(row)) for row in rows]
    return None


def _body(lines: Sequence[str]) -> list[int]:
    """The places of the lines that look like most others with figures in them: about as long, with gaps."""
    inner = [i for i, line in enumerate(lines) if re.search(r"\d", line) and re.search(r"\S {2,}\S", line)]
    if not inner:
        return []
    usual = float(np.median([len(lines[i]) for i in inner]))
    return [i for i in inner if len(lines[i]) >= 0.7 * usual and len(lines[i].split()) >= _LEAST_COLUMNS]


def _header(lines: Sequence[str], first: int) -> str:
    """The last line with words above the first row."""
    return next((line for line in reversed(lines[:first]) if line.strip() and not _RULE.fullmatch(line)), "")


def _cuts_of_rule(lines: Sequence[str]) -> list[int]:
    """Where the columns are parted by a rule of dashes with gaps; none without one."""
    rule = next((line for line in lines[:50] if _PARTED_RULE.fullmatch(line)), "")
    ends = [found.end() for found in re.finditer(r"[-=_]+", rule)]
    starts = [found.start() for found in re.finditer(r"[-=_]+", rule)]
    return [(end + start) // 2 for end, start in zip(ends, starts[1:], strict=False)]


def _cuts_of_blanks(body: Sequence[str], header: str) -> list[int]:
    """Where nearly all rows have blanks, two of them side by side at least; there, in the widest gap of the header."""
    width = max(map(len, body))
    blank = np.array([[c == " " for c in line.ljust(width)] for line in body]).mean(axis=0) >= _NEARLY_ALL
    above = np.array([c == " " for c in header.ljust(width)[:width]])
    return [cut for first, last in _runs(blank) if last - first >= _LEAST_GAP and first > 0 and last < width
            and (cut := _within(above, first, last)) is not None]  # fmt: skip


def _within(above: np.ndarray, first: int, last: int) -> int | None:
    """The middle of the widest gap of the header between two places; None where it has none."""
    gaps = _runs(above[first:last])
    widest = max(gaps, key=lambda gap: gap[1] - gap[0], default=None)
    return None if widest is None else first + sum(widest) // 2


def _runs(there: np.ndarray) -> list[tuple[int, int]]:
    """The first place of each run of True, and the one past its last."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], there, [False]]).astype(np.int8)))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))


def _cells(line: str, cuts: Sequence[int]) -> list[str]:
    if _RULE.fullmatch(line):
        return []
    if any(0 < cut < len(line) and line[cut - 1] != " " and line[cut] != " " for cut in cuts):
        return [line.strip()]
    ends = [*cuts, len(line)]
    return [line[start:end].strip() for start, end in zip([0, *cuts], ends, strict=True)]


def _have_figures(rows: Sequence[Sequence[str]]) -> bool:
    """Whether some column holds numbers, and another one numbers or dates, in nearly all rows."""
    numbers = dates = 0
    for column in zip(*rows, strict=True):
        filled = [cell for cell in column if cell]
        if len(filled) >= _MOST * len(column):
            is_date = sum(parse(cell) is not None for cell in filled) >= _MOST * len(filled)
            dates += is_date
            numbers += not is_date and sum(written(cell) is not None for cell in filled) >= _MOST * len(filled)
    return numbers > 0 and numbers + dates > 1
