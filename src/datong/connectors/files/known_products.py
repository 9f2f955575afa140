"""A source whose codes of products are those of the chain, wherever another list's name for one of them stands."""

from collections.abc import Iterator, Mapping, Sequence

from datong.connectors.files.read import RawBatch, Source
from datong.ledger.product_aliases import columns_of_products, with_products
from datong.ledger.row_checks import column_name
from datong.model.findings import Finding
from datong.model.tables import Table


class KnownProducts(Source):
    """by_alias: the product of each alias (`product_aliases`)."""

    def __init__(self, table: Table, source: Source, by_alias: Mapping[str, str]) -> None:
        self.name, self.columns = source.name, source.columns
        self.commas_group, self.text_columns = source.commas_group, source.text_columns
        wanted = columns_of_products(table) if by_alias else ()
        self._at = [name for name in source.columns if column_name(table, name) in wanted]
        self._source, self._by_alias = source, by_alias

    def batches(self) -> Iterator[RawBatch]:
        for batch in self._source.batches():
            rows = batch.rows
            for name in self._at:
                codes = with_products(rows[name], self._by_alias)
                rows = rows.set_column(rows.column_names.index(name), name, codes)
            yield RawBatch(rows, batch.rejected)

    @property
    def findings(self) -> Sequence[Finding]:
        return self._source.findings
