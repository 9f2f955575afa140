"""What a file tells of each of its products, by which it may be known as one of a chain's: name, barcode, codes."""

import pyarrow as pa
import pyarrow.compute as pc

from datong.connectors.exports.cells import Cells
from datong.connectors.exports.export import Export
from datong.connectors.exports.vocabulary import plain, words
from datong.ledger.row_checks import ROW

# Further codes of a product, one after the other; kept out of our tables.
CODES, BETWEEN_CODES = "__codes", "\x1f"


def products_of(base: pa.Table, used: pa.Array) -> pa.Table:
    """One row for each product that some used row has: the first of what is told of it. base: (row,) product, ROW and
    what else is told."""
    rows = base.filter(used).filter(pc.is_valid(base["product"].filter(used)))
    wanted = [c for c in rows.column_names if c != "product"]
    options = pc.ScalarAggregateOptions(skip_nulls=True, min_count=0)
    grouped = rows.group_by("product", use_threads=False).aggregate([(c, "first", options) for c in wanted])
    return grouped.rename_columns([n.removesuffix("_first") for n in grouped.column_names]).select(rows.column_names)


def told_of_products(export: Export, product: pa.Array, other_codes: list[str]) -> pa.Table:
    """(row,) product, ROW, and where the file has them name, gtin and further codes. other_codes: columns that may hold
    codes; one counts where each product has one code in it at most."""
    told = pa.table({"product": product, ROW: pa.array(export.table.numbers, pa.int64())})
    if (name := export.cells("name")) is not None:
        told = told.append_column("name", name.text)
    chosen = export.choice.column("product")
    gtins = [n for n in export.columns if plain(n) in words("codes", "gtin")]
    if gtins and _follows(export.columns[gtins[0]], product):
        told = told.append_column("gtin", _as_written(export, gtins[0]))
    taken = {guess.column for guess in export.choice.columns if guess.field != "product"}
    more = [n for n in other_codes if n not in (chosen, *gtins[:1]) and n not in taken]
    more = [n for n in more if _follows(export.columns[n], product)]
    if more:
        texts = [pc.fill_null(export.columns[n].text, "") for n in more]
        told = told.append_column(CODES, pc.binary_join_element_wise(*texts, BETWEEN_CODES))
    return told


def _as_written(export: Export, column: str) -> pa.Array:
    """(row,) the cells of a column that are still what the file holds; null for those that a name took the place of."""
    text, raw = export.columns[column].text, export.table.columns.get(column)
    return text if raw is None else pc.if_else(pc.equal(text, raw.text), text, pa.scalar(None, pa.string()))


def _follows(cells: Cells, product: pa.Array) -> bool:
    """Whether each product has one text of a column at most."""
    pairs = pa.table({"product": product, "code": cells.text})
    pairs = pairs.filter(pc.and_(pc.is_valid(pairs["product"]), pc.is_valid(pairs["code"])))
    if not pairs.num_rows:
        return False
    distinct = pairs.group_by(["product", "code"]).aggregate([]).num_rows
    return distinct == pc.count_distinct(pairs["product"]).as_py()
