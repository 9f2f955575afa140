"""A table of results that prints well and turns into whatever frame the reader uses."""

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from datong.model.errors import NotFound
from datong.model.words import message
from datong.shown.tables import ROWS_SHOWN, html_table, text_table

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False)
class Frame:
    """A named Arrow table. `.arrow` is the table itself; libraries that know Arrow can also take the Frame as it is.

    language: 'en' or 'zh', in which it shows itself.
    """

    name: str
    arrow: pa.Table
    language: str = "en"

    def __len__(self) -> int:
        return self.arrow.num_rows

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self.arrow.__arrow_c_stream__(requested_schema)

    def to_pandas(self) -> "pd.DataFrame":
        """A pandas DataFrame; days are datetime64."""
        return self.arrow.to_pandas(date_as_object=False)

    def to_polars(self) -> Any:
        """A polars DataFrame. Raises NotFound where polars is not installed."""
        try:
            polars = import_module("polars")
        except ModuleNotFoundError as error:
            raise NotFound(message("app.no_polars")) from error
        return polars.from_arrow(self.arrow)

    def __repr__(self) -> str:
        rows, count = self.arrow.slice(0, ROWS_SHOWN).to_pylist(), self.arrow.num_rows
        return f"{self.name}: {count} rows\n{text_table(rows, self.language, count)}"

    def _repr_html_(self) -> str:
        rows, count = self.arrow.slice(0, ROWS_SHOWN).to_pylist(), self.arrow.num_rows
        return html_table(self.name, rows, self.language, count=count)
