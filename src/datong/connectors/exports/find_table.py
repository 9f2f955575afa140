"""Where the table stands in a grid, and its header of one or two rows."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from datong.connectors.exports.cells import Cells
from datong.connectors.exports.columns import header_score, named_fields
from datong.connectors.exports.date_texts import parse
from datong.connectors.exports.numbers import written
from datong.connectors.exports.periods_across import (
    LEAST_PERIODS,
    are_days_of_month,
    bare_month,
    period_of,
    periods_down,
    with_days_of_month,
    with_years,
)
from datong.connectors.exports.periods_of_markets import periods_of_markets_down
from datong.connectors.exports.read_grids import Grid
from datong.connectors.exports.table import PERIOD_COLUMN, Table
from datong.connectors.exports.vocabulary import is_total, kind_named, plain
from datong.model.words import message

_HEAD_ROWS = 60
_ROWS_ALIKE = 3  # below the first one, so that it is one of them
_WHOLE_DATES = frozenset({"day", "numeric"})
# Headers of a year, a month and a day that stand in columns of their own.
_DATE_PARTS = (
    frozenset({"year", "yr", "年", "年份", "年度", "jahr", "annee", "ano", "anno", "jaar", "rok", "ar", "aar", "yil",
               "год", "연도", "년도"}),
    frozenset({"month", "mon", "月", "月份", "monat", "mois", "mes", "mese", "maand", "miesiac", "manad", "maned",
               "mesic", "ay", "месяц", "월"}),
    frozenset({"day", "day of month", "日", "tag", "jour", "dia", "giorno", "dag", "dzien", "den", "gun", "день",
               "일"}),
)  # fmt: skip


KIND_OF_TITLE = "type (title)"  # of documents, by the titles above parts of the list
_WEEKS = frozenset(
    {"kw", "cw", "week", "week no", "week number", "week no.", "iso week", "calendar week", "wk", "woche",
     "kalenderwoche", "semaine", "semana", "settimana", "tydzien", "weeknummer", "vecka",
     "veckonummer", "uge", "uke", "tyden", "hafta", "неделя", "周", "周次", "周数", "第几周", "週"}
)  # fmt: skip
_LEAST_OF_BLOCK = 2  # columns of a list beside another
_WEEK_OF_YEAR = re.compile(
    r"(?P<year>20\d{2})\s?[-/.]\s?(?P<week>0?[1-9]|[1-4]\d|5[0-3])"
    r"|(?P<week_first>0?[1-9]|[1-4]\d|5[0-3])\s?[-/.]\s?(?P<year_last>20\d{2})"
)


def find_table(grid: Grid, hints: Sequence[str] = ()) -> Table:
    """The table of a grid. hints: texts that may name the year of months without one, after what stands above it."""
    if grid.header is not None:
        columns = dict(zip(_unique(grid.header), grid.columns, strict=True))
        return _as_rows(Table(grid.name, columns, grid.numbers), hints)
    head = grid.head(_HEAD_ROWS)
    top, names, last = _header(head, grid.merged)
    if _has_no_header(head, names):
        named = {f"(column {i + 1})": cells for i, cells in enumerate(grid.columns)}
        return _as_rows(Table(grid.name, named, grid.numbers, notes=(message("export.no_header"),)), hints)
    above = " ".join(cell for row in head[:top] for cell in row)
    notes = [message("export.header_row", row=int(grid.numbers[top]))] if top else []
    if last > top:
        notes.append(message("export.header_rows"))
    body = np.arange(last + 1, len(grid.numbers))
    blocks = _blocks(names)
    if blocks:
        notes.append(message("export.side_by_side", count=len(blocks)))
        grid, body = _below_one_another(grid, body, blocks)
        names = [names[place] for place in blocks[0]]
        head = [[row[place] for place in blocks[0]] for row in head]
    columns = {}
    for name, cells in zip(_unique(names), grid.columns, strict=True):
        part = cells.take(body)
        if name or part.text.null_count < len(part):
            columns[name or f"#{len(columns) + 1}"] = part
    table = Table(grid.name, columns, grid.numbers[body], notes=tuple(notes), above=above)
    again = _header_again(table, dict(zip(_unique(names), head[last] if head else [], strict=True)))
    repeated = int(again.sum())
    if repeated:
        table = _of_titles(table, again)
    table = replace(table, repeated=repeated)
    return _as_rows(table, (above, *hints))


def _blocks(names: Sequence[str]) -> list[list[int]]:
    """The places of the columns of each of several lists that stand side by side, with the same names in each; none
    where there is one list. A column without a name may stand between two."""
    there = [place for place, name in enumerate(names) if name]
    for size in range(_LEAST_OF_BLOCK, len(there) // 2 + 1):
        blocks = [there[at : at + size] for at in range(0, len(there), size)]
        first = [names[place] for place in blocks[0]]
        alike = len(set(first)) == size and all([names[place] for place in block] == first for block in blocks)
        if alike and {"date", "units"} <= named_fields(first):
            return blocks
    return []


def _below_one_another(grid: Grid, body: np.ndarray, blocks: Sequence[Sequence[int]]) -> tuple[Grid, np.ndarray]:
    """The lists of a grid one below the other, as the columns of the first; and the rows that have cells. body: rows of
    the grid below its header."""
    columns = []
    for places in zip(*blocks, strict=True):
        parts = [grid.columns[place].take(body) for place in places]
        kinds = [np.zeros(len(c), np.uint8) if c.kind is None else c.kind for c in parts]
        kind = None if all(c.kind is None for c in parts) else np.concatenate(kinds)
        columns.append(Cells(pa.concat_arrays([c.text for c in parts]), kind))
    numbers = np.tile(grid.numbers[body], len(blocks))
    filled = np.any([cells.filled for cells in columns], axis=0)
    return replace(grid, columns=tuple(columns), numbers=numbers), np.flatnonzero(filled)


def _as_rows(table: Table, hints: Sequence[str]) -> Table:
    """A table with one column of dates, whatever the file has."""
    dated = with_years(with_days_of_month(_of_weeks(_with_date(table)), hints), hints)
    down = periods_down(dated, hints)
    return periods_of_markets_down(dated, hints) if down is dated else down


def _with_date(table: Table) -> Table:
    """A table with columns for the year, and the month and perhaps the day or the week, with a column of dates made of
    them."""
    of_weeks = _with_weeks(table)
    if of_weeks is not None:
        return of_weeks
    parts = []
    for wanted in _DATE_PARTS:
        found = [name for name in table.columns if plain(name) in wanted]
        parts.append(found[0] if len(found) == 1 else None)
    year, month, day = parts
    if year is None or month is None or any(header_score("date", n) >= 0.5 for n in table.columns if n not in parts):
        return table
    texts = [table.columns[name].text for name in (year, month, day) if name is not None]
    if not pc.all(pc.match_substring_regex(texts[0], r"^(19|20)\d\d$")).as_py():
        return table
    made = Cells(pc.binary_join_element_wise(*texts, "-" if _are_numbers(texts[1]) else " "))
    columns = {name: cells for name, cells in table.columns.items() if name not in parts}
    note = message("export.date_parts", columns=", ".join(name for name in parts if name is not None))
    return replace(table, columns={PERIOD_COLUMN: made, **columns}, notes=(*table.notes, note))


def _with_weeks(table: Table) -> Table | None:
    """A table with a column for the year and one for the number of the week, with a column of weeks made of them; None
    for any other."""
    names = [[n for n in table.columns if plain(n) in wanted] for wanted in (_DATE_PARTS[0], _WEEKS)]
    if any(len(found) != 1 for found in names):
        return None
    (year,), (week,) = names
    others = [n for n in table.columns if n not in (year, week) and header_score("date", n) >= 0.5]
    texts = [table.columns[name].text for name in (year, week)]
    fitting = (r"^(19|20)\d\d$", r"^(0?[1-9]|[1-4]\d|5[0-3])$")
    if others or not all(pc.all(pc.match_substring_regex(t, p)).as_py() for t, p in zip(texts, fitting, strict=True)):
        return None
    made = Cells(pc.binary_join_element_wise(texts[0], pc.utf8_lpad(texts[1], 2, "0"), "-W"))
    columns = {name: cells for name, cells in table.columns.items() if name not in (year, week)}
    note = message("export.date_parts", columns=f"{year}, {week}")
    return replace(table, columns={PERIOD_COLUMN: made, **columns}, notes=(*table.notes, note))


def _of_weeks(table: Table) -> Table:
    """A table in which 6/2026 and 2026-06 are weeks, in a column whose name says that it holds weeks."""
    for name, cells in table.columns.items():
        texts = cells.text.unique().drop_null().to_pylist() if plain(name) in _WEEKS else []
        found = {text: week for text in texts if (week := _WEEK_OF_YEAR.fullmatch(text)) is not None}
        if not found or not all(text in found or is_total(text) for text in texts):
            continue
        weeks = {t: f"{w['year'] or w['year_last']}-W{int(w['week'] or w['week_first']):02}" for t, w in found.items()}
        encoded = cells.text.dictionary_encode()
        made = pa.array([weeks.get(text, text) for text in encoded.dictionary.to_pylist()], pa.string())
        return replace(table, columns={**table.columns, name: Cells(made.take(encoded.indices))})
    return table


def _are_numbers(text: pa.Array) -> bool:
    return bool(pc.all(pc.match_substring_regex(text, r"^\d{1,2}$")).as_py())


def _unique(names: Sequence[str]) -> list[str]:
    result: list[str] = []
    for name in names:
        name = " ".join(name.split())
        number, wanted = 2, name
        while name and name in result:
            name, number = f"{wanted} ({number})", number + 1
        result.append(name)
    return result


def _header_again(table: Table, header: Mapping[str, str]) -> np.ndarray:
    """Rows that are the header once more, as at the top of each printed page."""
    again = np.ones(table.height, dtype=bool)
    told = [(name, text) for name, text in header.items() if text and name in table.columns]
    for name, text in told:
        same = pc.fill_null(pc.equal(table.columns[name].text, text), False)
        again &= same.to_numpy(zero_copy_only=False)
        if not again.any():
            break
    return again & bool(told)


def _of_titles(table: Table, again: np.ndarray) -> Table:
    """A table without the rows that are its header again; where a title above one says that what follows came back,
    with a column that says so. again: (row,) bool."""
    filled = np.sum([cells.filled for cells in table.columns.values()], axis=0)
    back, titles = np.zeros(table.height, bool), np.zeros(table.height, bool)
    for at in np.flatnonzero(again).tolist():
        above = at - 1
        is_title = above >= 0 and filled[above] == 1 and not again[above]
        text = next((t for c in table.columns.values() if (t := c.text[above].as_py())), "") if is_title else ""
        kind = kind_named(text)
        titles[above] |= bool(kind)
        back[at:] = kind == "return" or (not is_title and back[at])
    kept = table.keep(~again & ~titles)
    if not back.any():
        return kept
    kinds = pa.array(np.where(back[~again & ~titles], "return", "sale"), pa.string())
    return replace(kept, columns={**kept.columns, KIND_OF_TITLE: Cells(kinds)})


# --- the header --------------------------------------------------------------------------------------------------


def _header(head: Sequence[Sequence[str]], merged: Sequence[tuple[int, int, int, int]]) -> tuple[int, list[str], int]:
    """The header's first row, its names, and its last row, all counted from 0 in the grid."""
    if not head:
        return 0, [], 0
    scores = [_header_likeness(row) for row in head]
    best = max(range(len(head)), key=lambda i: (scores[i], -i))
    across = {(top, left): right for top, left, bottom, right in merged if right > left}
    for first in (best, best - 1):
        if 0 <= first < len(head) - 1 and _is_title_beside(head[first], head[first + 1], first, merged):
            return first, _merged_down(head, first + 1, merged), first + 1
    if best + 1 < len(head) and _goes_on(head[best], head[best + 1]):
        top = _spread(head[best], best, across, head[best + 1])
        return best, _joined(top, head[best + 1]), best + 1
    if best and _groups(head[best - 1], head[best], best - 1, across):
        top = _spread(head[best - 1], best - 1, across, head[best])
        return best - 1, _joined(top, head[best]), best
    return best, _merged_down(head, best, merged), best


def _has_no_header(head: Sequence[Sequence[str]], names: Sequence[str]) -> bool:
    """Whether the first row of a grid is one like those below it: each cell a date, a number or a text as theirs are,
    at least one of each, and no name of a field. names: of what would be the header."""
    if named_fields([name for name in names if name]) or len(head) <= _ROWS_ALIKE:
        return False
    kinds = [_kind(cell) for cell in head[0]]
    alike = all(
        kind == _kind(row[i]) or not row[i] for row in head[1 : _ROWS_ALIKE + 1] for i, kind in enumerate(kinds) if kind
    )
    return alike and {"date", "number", "text"} <= set(kinds)


def _kind(cell: str) -> str:
    """What a cell is: a date, a number, a text, '' for nothing."""
    found = parse(cell) if cell else None
    if found is not None and found.kind in _WHOLE_DATES:
        return "date"
    return ("number" if written(cell) is not None else "text") if cell else ""


def _is_title_beside(
    row: Sequence[str], below: Sequence[str], at: int, merged: Sequence[tuple[int, int, int, int]]
) -> bool:
    """Whether a row holds one title over several columns and, beside it, only names that are merged over the row below,
    too: then the title tells no column from another, where one of those names quantities by itself."""
    filled = {i for i, cell in enumerate(row) if cell}
    titles = {left for top, left, _, right in merged if top == at and right > left}
    down = {left for top, left, bottom, right in merged if top == at and left == right and bottom > at}
    names = [cell for cell in below if cell]
    is_one = len(titles) == 1 and bool(down) and filled == titles | down
    is_one = is_one and "units" in named_fields(names)
    return is_one and len(names) > 1 and len(set(names)) == len(names) and all(written(name) is None for name in names)


def _merged_down(head: Sequence[Sequence[str]], at: int, merged: Sequence[tuple[int, int, int, int]]) -> list[str]:
    """The names of a header, those too of columns whose name is merged over it from a row above."""
    names = list(head[at])
    for top, left, bottom, right in merged:
        if left == right and top < at <= bottom and not names[left]:
            names[left] = head[top][left]
    return names


def _header_likeness(row: Sequence[str]) -> float:
    """How much a row is like a header: names of columns count, known ones more, and numbers and dates against it."""
    filled = [cell for cell in row if cell]
    if len(filled) < 2:
        return -1.0 if len(row) > 1 else float(bool(filled and named_fields(filled)))
    labels = periods = numbers = 0
    for cell in filled:
        if period_of(cell) is not None:
            periods += 1
        elif written(cell) is not None:
            numbers += 1
        elif any(c.isalpha() for c in cell) and len(cell) < 80:
            labels += 1
    if are_days_of_month(filled):
        periods, numbers = periods + numbers, 0
    several = periods if periods >= LEAST_PERIODS else -periods
    return 2 * len(named_fields(filled)) + labels + 0.5 * several - 2 * numbers


def _goes_on(row: Sequence[str], below: Sequence[str]) -> bool:
    """Whether the row below belongs to the header: only names, some of them under gaps of the row."""
    filled = [cell for cell in below if cell]
    if len(filled) < 2 or any(written(c) is not None for c in filled):
        return False
    if any(parse(c) is not None and not bare_month(c) for c in filled) and any(
        row[i] for i, c in enumerate(below) if c and parse(c)
    ):
        return False
    return any(c and not row[i] for i, c in enumerate(below)) and any(row[i] and not c for i, c in enumerate(below))


def _groups(above: Sequence[str], row: Sequence[str], at: int, across: Mapping[tuple[int, int], int]) -> bool:
    """Whether a row above the header names groups of its columns: merged cells, or years over months, or names that
    are only together one column's own. One merged cell that begins over the first column is a title, however far it
    goes."""
    filled = [i for i, cell in enumerate(above) if cell]
    if not filled:
        return False
    spans = [across[at, i] - i + 1 for i in filled if (at, i) in across]
    names = [cell for cell in row if cell]
    repeated = len(set(names)) < len(names)
    if spans:
        is_title = len(filled) == 1 and not any(row[: filled[0]]) and not repeated
        return not is_title and max(spans) < max(len(names), 2)
    return len(filled) >= 2 and (repeated or sum(bare_month(c) for c in names) >= LEAST_PERIODS)


def _spread(row: Sequence[str], at: int, across: Mapping[tuple[int, int], int], below: Sequence[str]) -> list[str]:
    """The names of groups over all columns of their group: over merged cells, else over the gaps that follow them."""
    result = list(row)
    merged = any((at, i) in across for i in range(len(row)))
    last = ""
    until = -1
    for i, cell in enumerate(row):
        if cell:
            last, until = cell, across.get((at, i), len(row) if not merged else i)
        elif last and i <= until and below[i]:
            result[i] = last
    return result


def _joined(top: Sequence[str], below: Sequence[str]) -> list[str]:
    return [" ".join(part for part in (a, b) if part) if a != b else a for a, b in zip(top, below, strict=True)]
