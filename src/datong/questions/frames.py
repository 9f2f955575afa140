"""A table of results that prints well and turns into whatever frame the reader uses."""

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from datong.model.errors import NotFound
from datong.model.words import message

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False)
class Frame:
    """A named Arrow table. `.arrow` is the table itself; libraries that know Arrow can also take the Frame as it is."""

    name: str
    arrow: pa.Table

    def __len__(self) -> int:
        return self.arrow.num_rows

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self.arrow.__arrow_c_stream__(requested_schema)

    def to_pandas(self) -> "pd.DataFrame":
        return self.arrow.to_pandas()

    def to_polars(self) -> Any:
        """A polars DataFrame. Raises NotFound where polars is not installed."""
        try:
            polars = import_module("polars")
        except ModuleNotFoundError as error:
            raise NotFound(message("app.no_polars")) from error
        return polars.from_arrow(self.arrow)

    def __repr__(self) -> str:
        return f"{self.name}: {self.arrow.num_rows} rows\n{self.arrow.slice(0, 20).to_pandas().to_string(index=False)}"

    def _repr_html_(self) -> str:
        return self.arrow.slice(0, 20).to_pandas().to_html(index=False) + f"<small>{self.arrow.num_rows} rows</small>"
