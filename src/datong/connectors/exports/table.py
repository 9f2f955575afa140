"""A table of a file: its columns by header, and what the steps before said of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from datong.connectors.exports.cells import Cells
from datong.connectors.exports.numbers import DecimalSign
from datong.model.words import Message

PERIOD_COLUMN, UNITS_COLUMN, PRODUCT_COLUMN = "(date)", "(units)", "(product)"
MARKET_COLUMN, AMOUNT_COLUMN, PRICE_COLUMN = "(market)", "(amount)", "(price)"


@dataclass(frozen=True, eq=False)
class Table:
    """A table of a file. columns: by header, in the order of the file. numbers: (row,) int64, the row number a person
    sees. wide: it had a column for each period, now in PERIOD_COLUMN and UNITS_COLUMN. repeated: rows left out because
    they are the header again. separator: between the fields of a text file. above: what stands above it. decimal: the
    decimal sign by which its columns of sums are sums, None where they tell none. of_rows:
    how many rows of the file it is made of, where each makes one for every market; 0: each makes one. money: what over
    or beside the figures of a column for each period says that they are money, '' for nothing."""

    name: str
    columns: Mapping[str, Cells]
    numbers: np.ndarray
    wide: bool = False
    repeated: int = 0
    notes: tuple[Message, ...] = field(default_factory=tuple)
    separator: str = ""
    above: str = ""
    decimal: DecimalSign | None = None
    of_rows: int = 0
    money: str = ""

    @property
    def height(self) -> int:
        return len(self.numbers)

    @property
    def read_rows(self) -> int:
        return self.of_rows or self.height

    def keep(self, rows: np.ndarray) -> "Table":
        """The rows for which a mask holds."""
        at = np.flatnonzero(rows)
        columns = {name: cells.take(at) for name, cells in self.columns.items()}
        return replace(self, columns=columns, numbers=self.numbers[at])
