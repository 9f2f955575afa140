"""What is to be noted in the database (server_database.py), as a value."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Note:
    """One change of a table of the database. values: by column, as SQLite keeps them. where: the rows that get them, by
    column; None: a new row."""

    table: str
    values: Mapping[str, Any]
    where: Mapping[str, Any] | None = None
