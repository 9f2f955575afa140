"""Of a file that somebody brought: its first rows, and the tables that its columns fit, before anything is taken in."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

from datong.app.service.data import upload_as_file
from datong.app.service.roles_and_permissions import Permission, Who
from datong.app.service.served_chain import Served
from datong.connectors.files.changed_while_read import UnreadableError
from datong.connectors.files.read import Source, open_sources
from datong.ledger.row_checks import ROW, column_name
from datong.model.tables import Table, tables

# First rows that are shown of a part, and parts (sheets) of a file.
ROWS_SHOWN, PARTS_SHOWN = 5, 10


@dataclass(frozen=True)
class Fit:
    """How a table fits columns. known: columns of the file that it has; missing: columns that it needs and the file has
    not."""

    table: str
    known: tuple[str, ...]
    missing: tuple[str, ...]


@dataclass(frozen=True)
class Part:
    """A sheet, or the file itself. name: of it. columns: as the file heads them. rows: the first ones, as texts. fits:
    tables of which it has columns, the best first."""

    name: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    fits: tuple[Fit, ...]


def file_parts(served: Served, who: Who, upload: str) -> tuple[Part, ...]:
    """What a file has, PARTS_SHOWN parts at most; nothing where it can be read as no table. Raises NotFound."""
    who.require(Permission.CHANGE_DATA)
    with upload_as_file(served, who, upload) as file:
        sources, _ = open_sources(file)
        return tuple(_part(source) for source in sources[:PARTS_SHOWN])


def _part(source: Source) -> Part:
    return Part(source.name, source.columns, _first_rows(source), table_fits(source.columns))


def _first_rows(source: Source) -> tuple[tuple[str, ...], ...]:
    rows: list[tuple[str, ...]] = []
    try:
        for batch in islice(source.batches(), 1):
            shown = batch.rows.slice(0, ROWS_SHOWN)
            names = [name for name in shown.column_names if name != ROW]
            rows += [tuple("" if row[n] is None else str(row[n]) for n in names) for row in shown.to_pylist()]
    except UnreadableError:  # taking it in says where and why
        return ()
    return tuple(rows)


def table_fits(headers: Sequence[str]) -> tuple[Fit, ...]:
    """Tables that have some of the columns: those whose needed columns are all there first, then by how many they know,
    then by how few of their columns are missing.

    Example: of happened_at, product and units, `sales` and `stock` need no other; both know three.
    """
    found = [fit for table in tables().values() if (fit := _fit(table, headers)).known]
    return tuple(sorted(found, key=lambda fit: (len(fit.missing) > 0, -len(fit.known), len(fit.missing), fit.table)))


def _fit(table: Table, headers: Sequence[str]) -> Fit:
    named = {column_name(table, header): header for header in reversed(headers)}
    known = tuple(named[name] for name in table.columns if name in named)
    return Fit(table.name, known, tuple(name for name in table.required_columns if name not in named))
