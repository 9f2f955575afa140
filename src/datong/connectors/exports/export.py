"""An export on its way to sales: its table, what its columns are, which rows are still in, and what is to be said."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

from datong.connectors.exports.cells import Cells
from datong.connectors.exports.columns import Choice
from datong.connectors.exports.left_out_counts import Rows
from datong.connectors.exports.profiles import Profile
from datong.connectors.exports.questions import Asking
from datong.connectors.exports.table import Table
from datong.model.findings import Finding
from datong.model.words import Message


@dataclass(eq=False)
class Export:
    """What the steps of `reading` hand on, one to the next: each changes some of it, and says what it did in `notes`,
    `findings` or a question.

    name: of the file. columns: by header, as far as they are read. known: the column of fields that somebody named.
    country: ISO code, '' for none. from_1904: a workbook that counts its days from 1904. settled: columns of which it
    was asked what becomes of their gaps. today: None where nobody says.
    """

    name: str
    table: Table
    columns: dict[str, Cells]
    choice: Choice
    rows: Rows
    asking: Asking
    profile: Profile | None
    known: Mapping[str, str]
    country: str = ""
    from_1904: bool = False
    today: date | None = None
    notes: list[Message] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    settled: set[str] = field(default_factory=set)

    def cells(self, wanted: str) -> Cells | None:
        """The column of a field, None where none is."""
        name = self.choice.column(wanted)
        return None if name is None else self.columns[name]
