"""A source without plain customers: what stands between every file, table or quarantined row and the checks."""

from collections.abc import Iterator, Sequence

from datong.connectors.files.read import RawBatch, Source
from datong.ledger.customer_tokens import Customers, findings_without_texts, guarded, may_name, without_texts
from datong.model.findings import Finding
from datong.model.tables import Table


class Guarded(Source):
    """A source with tokens for customers. What of it could not be read is not kept where it may name one (`hides`)."""

    def __init__(self, table: Table, source: Source, customers: Customers, *, hides: bool = False) -> None:
        self.name, self.columns = source.name, source.columns
        self.commas_group, self.text_columns = source.commas_group, source.text_columns
        self._source, self._table, self._customers = source, table, customers
        self._hides = hides or may_name(table, source.columns)

    def batches(self) -> Iterator[RawBatch]:
        for batch in self._source.batches():
            rows = guarded(self._table, batch.rows, self._customers)
            hidden = self._hides and batch.rejected.num_rows
            yield RawBatch(rows, without_texts(batch.rejected) if hidden else batch.rejected)

    @property
    def findings(self) -> Sequence[Finding]:
        found = self._source.findings
        return findings_without_texts(found) if self._hides else found
