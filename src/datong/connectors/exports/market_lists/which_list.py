"""Whether a file is a list of reviews, interest, promotions or prices, rather than of sales: by its platform, its
headers and its cells; where it may be both, a question."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa

from datong.connectors.exports.alike_sheets import one_table, sales_likeness
from datong.connectors.exports.columns import Choice, facts_of, header_score
from datong.connectors.exports.find_table import find_table
from datong.connectors.exports.market_lists.columns import (
    COUNTS,
    INTEREST,
    PLANNED,
    PRICES,
    PROMOTIONS,
    REVIEWS,
    choose,
    named,
)
from datong.connectors.exports.price_units_amount import samples_of, sum_text
from datong.connectors.exports.profiles import Profile, recognised
from datong.connectors.exports.questions import Asking, Option, Question
from datong.connectors.exports.read_grids import Grid
from datong.connectors.exports.table import Table
from datong.connectors.exports.vocabulary import MARKET_LISTS, market_list_cells, plain
from datong.ledger.row_checks import shown
from datong.model.words import Message, message

_HEAD_ROWS, _LONGEST_HEADER = 60, 60
# What a header of a review says, whatever else it says.
_OF_REVIEWS = ("review", "评价", "评论", "rezension", "bewertung", "レビュー", "отзыв")
_LEAST_NUMBERS = 0.8
# What tells a promotion beside its first day.
_OF_PROMOTIONS = ("discount", "price", "promotion")
_OF_SALES = 3  # date, units and product: a sheet of sales


@dataclass(frozen=True, eq=False)
class MarketList:
    """kind: REVIEWS, INTEREST, PROMOTIONS or PRICES. table, rejected, notes: of the file, as `one_table` gives them.
    choice: which column is which. profile: of the platform, where one is recognised."""

    kind: str
    table: Table
    rejected: pa.Table
    notes: tuple[Message, ...]
    choice: Choice
    profile: Profile | None


def market_list(grids: Sequence[Grid], name: str, asking: Asking, profiles: Sequence[Profile]) -> MarketList | None:
    """The list of reviews, interest, promotions or prices that a file holds; None for one of anything else."""
    heads = [_headers(grid) for grid in grids]
    says_prices = _says_prices(name)
    if not any(_may_be_of_market_list(cell) for cells in heads for cell in cells) and not any(
        _may_be_planned(cells, says_prices) for cells in heads
    ):
        return None
    profile = next((p for cells in heads if (p := recognised(profiles, cells)) is not None), None)
    if profile is not None and profile.holds not in MARKET_LISTS:
        return None
    table, rejected, notes = one_table(grids, name, asking, _likeness)
    for kind in MARKET_LISTS if profile is None else (profile.holds,):
        choice = choose(kind, table.columns, {} if profile is None else profile.fixed(table.columns))
        found = MarketList(kind, table, rejected, (*notes, *table.notes), choice, profile)
        if profile is not None or _is_one(found, says_prices):
            first = _is_market_list_first(found, asking) and _before_sheets_of_sales(found, grids, name, asking)
            return found if first else None
    return None


def _headers(grid: Grid) -> list[str]:
    """What may be a header of a grid."""
    cells = list(grid.header) if grid.header is not None else [c for row in grid.head(_HEAD_ROWS) for c in row]
    return [cell for cell in cells if 0 < len(cell) <= _LONGEST_HEADER]


def _may_be_of_market_list(cell: str) -> bool:
    return any(named(REVIEWS, f, cell) for f in ("text", "rating")) or any(named(INTEREST, f, cell) for f in COUNTS)


def _may_be_planned(cells: Sequence[str], says_prices: bool) -> bool:
    """Whether headers may be those of promotions, with their first and last day, or of prices, with the day from which
    they hold, or without any where the name of the file says that it lists prices."""

    def any_named(kind: str, field: str) -> bool:
        return any(named(kind, field, cell) for cell in cells)

    promotions = any_named(PROMOTIONS, "date") and any(any_named(PROMOTIONS, f) for f in _OF_PROMOTIONS)
    return promotions or (any_named(PRICES, "price") and (says_prices or any_named(PRICES, "date")))


def _says_prices(name: str) -> bool:
    """Whether the name of a file says that it lists prices."""
    stem = plain(name.rpartition(".")[0] or name)
    return any(word in stem for word in market_list_cells("price_lists"))


def _likeness(table: Table) -> int:
    """How much a table is like one of these lists."""
    found = {
        field
        for header in table.columns
        for kind, fields in (
            (REVIEWS, ("text", "rating")),
            (INTEREST, COUNTS),
            (PROMOTIONS, ("date", *_OF_PROMOTIONS)),
            (PRICES, ("date", "price")),
        )
        for field in fields
        if named(kind, field, header)
    }
    return min(len(found), 2)


def _is_one(found: MarketList, says_prices: bool) -> bool:
    """Whether the columns that were found make a list of the kind. says_prices: the name of the file does."""
    columns = {guess.field: guess.column for guess in found.choice.columns}
    if found.kind in PLANNED:
        return "product" in columns and _is_planned(found, columns, says_prices)
    if found.kind == INTEREST:
        return bool(set(COUNTS) & set(columns)) and bool({"product", "term"} & set(columns))
    of_reviews = any(word in plain(header) for header in found.table.columns for word in _OF_REVIEWS)
    return "text" in columns and ("rating" in columns or of_reviews)


def _is_planned(found: MarketList, columns: Mapping[str, str], says_prices: bool) -> bool:
    """Whether columns make a list of promotions, or of prices: the headers of its days must be those of one. A list
    that has other dates and quantities is one of sales."""
    kind, start = found.kind, columns.get("date")
    if _has_other_dates(found) and _units(found):
        return False
    dated = start is not None and named(kind, "date", start)
    if kind == PROMOTIONS:
        return dated and bool({"end", "promotion"} & set(columns)) and any(f in columns for f in _OF_PROMOTIONS)
    return "price" in columns and (dated or (says_prices and start is None))


def _before_sheets_of_sales(found: MarketList, grids: Sequence[Grid], name: str, asking: Asking) -> bool:
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


def _units(found: MarketList) -> list[str]:
    """Columns of quantities that no field took."""
    taken = {guess.column for guess in found.choice.columns}
    return [
        header
        for header, cells in found.table.columns.items()
        if header not in taken
        and header_score("units", header) >= _LEAST_NUMBERS / 2
        and facts_of(header, cells).numbers >= _LEAST_NUMBERS
    ]


def _has_other_dates(found: MarketList) -> bool:
    """Whether a column that no field took holds dates."""
    taken = {guess.column for guess in found.choice.columns}
    return any(facts_of(n, c).dates >= _LEAST_NUMBERS for n, c in found.table.columns.items() if n not in taken)


def _is_market_list_first(found: MarketList, asking: Asking) -> bool:
    """Whether a list that has quantities, too, is read as what it is: somebody says."""
    table, choice = found.table, found.choice
    units = _units(found)
    if not units or found.kind in PLANNED:  # of these `_is_planned` decides
        return True
    best = max(units, key=lambda header: header_score("units", header))
    of = next(g.column for g in choice.columns if g.field in (*COUNTS, "text"))
    counted = sum_text(table.columns[of]) if found.kind == INTEREST else f"{table.height:,}"
    options = (
        Option(found.kind, message(f"heard.reading.{found.kind}", column=of, count=counted)),
        Option("sales", message("heard.reading.sales", column=best, units=sum_text(table.columns[best]))),
    )
    asks = message(f"heard.asks.list_{found.kind}", column=of, units=best)
    samples = samples_of(table.columns[best])
    question = Question(f"list:{shown(plain(of))}", asks, (of, best), samples, options)
    return asking.ask(question) == found.kind
