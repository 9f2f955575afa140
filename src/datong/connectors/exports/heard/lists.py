"""Whether a file is a list of reviews or of interest, rather than of sales: by its platform, its headers and its cells;
where it may be both, a question."""

from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa

from datong.connectors.exports.columns import Choice, facts_of, header_score
from datong.connectors.exports.evidence import samples_of, sum_text
from datong.connectors.exports.grid import Grid
from datong.connectors.exports.heard.columns import COUNTS, INTEREST, REVIEWS, choose, named
from datong.connectors.exports.profiles import Profile, recognised
from datong.connectors.exports.questions import Asking, Option, Question
from datong.connectors.exports.shape import find_table
from datong.connectors.exports.sheets import one_table, sales_likeness
from datong.connectors.exports.table import Table
from datong.connectors.exports.vocabulary import HEARD_LISTS, plain
from datong.ledger.row_checks import shown
from datong.model.words import Message, message

_HEAD_ROWS, _LONGEST_HEADER = 60, 60
# What a header of a review says, whatever else it says.
_OF_REVIEWS = ("review", "评价", "评论", "rezension", "bewertung", "レビュー", "отзыв")
_LEAST_NUMBERS = 0.8
_OF_SALES = 3  # date, units and product: a sheet of sales


@dataclass(frozen=True, eq=False)
class HeardList:
    """kind: REVIEWS or INTEREST. table, rejected, notes: of the file, as `one_table` gives them. choice: which column
    is which. profile: of the platform, where one is recognised."""

    kind: str
    table: Table
    rejected: pa.Table
    notes: tuple[Message, ...]
    choice: Choice
    profile: Profile | None


def heard_list(grids: Sequence[Grid], name: str, asking: Asking, profiles: Sequence[Profile]) -> HeardList | None:
    """The list of reviews or of interest that a file holds; None for a list of sales, or anything else."""
    heads = [_headers(grid) for grid in grids]
    if not any(_may_be_heard(cell) for cells in heads for cell in cells):
        return None
    profile = next((p for cells in heads if (p := recognised(profiles, cells)) is not None), None)
    if profile is not None and profile.holds not in HEARD_LISTS:
        return None
    table, rejected, notes = one_table(grids, name, asking, _likeness)
    for kind in HEARD_LISTS if profile is None else (profile.holds,):
        choice = choose(kind, table.columns, {} if profile is None else profile.fixed(table.columns))
        found = HeardList(kind, table, rejected, (*notes, *table.notes), choice, profile)
        if profile is not None or _is_one(found):
            first = _is_heard_first(found, asking) and _before_sheets_of_sales(found, grids, name, asking)
            return found if first else None
    return None


def _headers(grid: Grid) -> list[str]:
    """What may be a header of a grid."""
    cells = list(grid.header) if grid.header is not None else [c for row in grid.head(_HEAD_ROWS) for c in row]
    return [cell for cell in cells if 0 < len(cell) <= _LONGEST_HEADER]


def _may_be_heard(cell: str) -> bool:
    return any(named(REVIEWS, f, cell) for f in ("text", "rating")) or any(named(INTEREST, f, cell) for f in COUNTS)


def _likeness(table: Table) -> int:
    """How much a table is like a list of reviews or of interest."""
    found = {
        field
        for header in table.columns
        for kind, fields in ((REVIEWS, ("text", "rating")), (INTEREST, COUNTS))
        for field in fields
        if named(kind, field, header)
    }
    return min(len(found), 2)


def _is_one(found: HeardList) -> bool:
    """Whether the columns that were found make a list of reviews, or of interest."""
    columns = {guess.field: guess.column for guess in found.choice.columns}
    if found.kind == INTEREST:
        return bool(set(COUNTS) & set(columns)) and bool({"product", "term"} & set(columns))
    of_reviews = any(word in plain(header) for header in found.table.columns for word in _OF_REVIEWS)
    return "text" in columns and ("rating" in columns or of_reviews)


def _before_sheets_of_sales(found: HeardList, grids: Sequence[Grid], name: str, asking: Asking) -> bool:
    """Whether a workbook that has sheets of sales, too, is read as what else it holds: somebody says."""
    others = [grid for grid in grids if grid.name != found.table.name and len(grids) > 1]
    sales = [
        t for grid in others if sales_likeness(t := find_table(grid, (grid.sheet, name))) >= _OF_SALES and t.height
    ]
    if not sales:
        return True
    sheet, of = found.table.name.partition("/")[2], sales[0].name.partition("/")[2]
    words = {"sheet": shown(sheet), "other": shown(of)}
    options = (
        Option("sales", message("heard.reading.sheet_sales", count=f"{sales[0].height:,}", **words)),
        Option(found.kind, message(f"heard.reading.sheet_{found.kind}", count=f"{found.table.height:,}", **words)),
    )
    asks = message("heard.asks.sheets", **words)
    return asking.ask(Question(f"list:{shown(plain(sheet))}", asks, (), (), options)) == found.kind


def _is_heard_first(found: HeardList, asking: Asking) -> bool:
    """Whether a list that has quantities, too, is read as what it is: somebody says."""
    table, choice = found.table, found.choice
    taken = {guess.column for guess in choice.columns}
    units = [
        header
        for header, cells in table.columns.items()
        if header not in taken
        and header_score("units", header) >= _LEAST_NUMBERS / 2
        and facts_of(header, cells).numbers >= _LEAST_NUMBERS
    ]
    if not units:
        return True
    best = max(units, key=lambda header: header_score("units", header))
    of = next(g.column for g in choice.columns if g.field in (*COUNTS, "text"))
    counted = f"{table.height:,}" if found.kind == REVIEWS else sum_text(table.columns[of])
    options = (
        Option(found.kind, message(f"heard.reading.{found.kind}", column=of, count=counted)),
        Option("sales", message("heard.reading.sales", column=best, units=sum_text(table.columns[best]))),
    )
    asks = message(f"heard.asks.list_{found.kind}", column=of, units=best)
    samples = samples_of(table.columns[best])
    question = Question(f"list:{shown(plain(of))}", asks, (of, best), samples, options)
    return asking.ask(question) == found.kind
