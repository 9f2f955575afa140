"""What other shops and lists call a product, and the product that it is."""

from collections.abc import Mapping

import pyarrow as pa
import pyarrow.compute as pc

from datong.model.tables import Table

ALIASES = "product_aliases"
# Tables whose own codes are no aliases.
_NOT_IN = ("products", ALIASES)


def products_by_alias(rows: pa.Table) -> dict[str, str]:
    """The product of each alias. rows: of product_aliases, one for each."""
    return dict(zip(rows["alias"].to_pylist(), rows["product"].to_pylist(), strict=True))


def columns_of_products(table: Table) -> tuple[str, ...]:
    """Columns of a table in which an alias may stand."""
    if table.name in _NOT_IN:
        return ()
    return tuple(column.name for column in table.columns.values() if column.refers_to == "products")


def with_products(codes: pa.ChunkedArray, by_alias: Mapping[str, str]) -> pa.ChunkedArray:
    """Codes with the product in place of each alias; what is no text stays."""
    if not by_alias or not (pa.types.is_string(codes.type) or pa.types.is_large_string(codes.type)):
        return codes
    aliases = pa.array(list(by_alias), codes.type)
    products = pa.array(list(by_alias.values()), codes.type)
    place = pc.index_in(pc.utf8_trim_whitespace(codes), value_set=aliases)
    found = products.take(place.combine_chunks() if isinstance(place, pa.ChunkedArray) else place)
    return pa.chunked_array([pc.coalesce(found, codes.combine_chunks())])
