"""The state of the world as of a moment: every table as it was then known."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from functools import cache
from typing import Any, TypeVar

import pyarrow as pa

from datong.ledger.kept_results import WorkedOut
from datong.ledger.units import Conversions, has_units, in_base_units, is_told
from datong.ledger.versions import in_force, versions
from datong.model.settings import ChainSettings
from datong.model.tables import Column, Table, tables

# Beside the tables of a chain, a state holds under this name the rows that were refused of those that say how products
# are made and bought (`HOLDING` in ledger/products_held_back.py): what is planned without them would be a guess.
REFUSED = "refused"
# source, row: where the row stands for a person, as in its findings; raw: the row as it came, JSON; findings: JSON.
REFUSED_SCHEMA = pa.schema(
    [
        ("table", pa.string()),
        ("source", pa.string()),
        ("row", pa.int64()),
        ("raw", pa.string()),
        ("findings", pa.string()),
    ]
)

_ARROW_TYPES: Mapping[str, pa.DataType] = {
    "text": pa.string(),
    "number": pa.float64(),
    "integer": pa.int64(),
    "boolean": pa.bool_(),
    "date": pa.date32(),
    "moment": pa.timestamp("us", tz="UTC"),
}


Made = TypeVar("Made")

# Tables whose rows are no facts that hold for a while: of their versions the last one counts.
_LAST_COUNTS = frozenset({"demand", "orders"})


def arrow_type(column: Column) -> pa.DataType:
    return _ARROW_TYPES[column.type]


@cache
def schema_of(name: str) -> pa.Schema:
    """The schema of a table in a State, by name; also of `REFUSED`."""
    return REFUSED_SCHEMA if name == REFUSED else state_schema(tables()[name])


def state_schema(table: Table) -> pa.Schema:
    """Columns of a table in a State: `row_id` (the event's or fact's id in the ledger), then those of tables.toml."""
    fields = [pa.field("row_id", pa.string())]
    return pa.schema(fields + [pa.field(c.name, arrow_type(c)) for c in table.columns.values()])


def every_table() -> tuple[str, ...]:
    """Names of all tables that a State may hold."""
    return (*tables(), REFUSED)


@dataclass(frozen=True)
class Snapshot:
    """What a state was read from: the chain, the branch (None: the trunk), and the number of the last write to it that
    a state can show. A ledger gives the state again, whatever was written since."""

    chain: str
    branch: str | None
    write: int


@dataclass(frozen=True)
class State:
    """What was known at `as_of` (an aware moment, included): a value. It can be pickled, shared between threads and
    processes, and read after its ledger was closed.

    tables: by name, each in `schema_of` it, ordered by row_id and valid_from: of master rows every version, those that
    have ended and those to come too. All is counted in base units (ledger/units.py), defaults of tables.toml are filled
    in. A table without rows is there, too; one that the state was not made with is not, and reading it is an error.
    snapshot: None for tables in hand. worked_out: what was worked out of rows before, and is since: it makes answers
    quicker, and no other.
    """

    settings: ChainSettings
    as_of: datetime
    tables: Mapping[str, pa.Table]
    snapshot: Snapshot | None = None
    worked_out: WorkedOut = field(default_factory=WorkedOut, repr=False, compare=False)
    _made: dict[str, pa.Table] = field(default_factory=dict, init=False, repr=False, compare=False)
    _once: dict[str, Any] = field(default_factory=dict, init=False, repr=False, compare=False)

    def table(self, name: str) -> pa.Table:
        """Rows of one table, in `schema_of` it: of a master table one row of each key, the version that holds today
        (`in_force`); of wanted units and orders the last that is known of: what they are going to be."""
        if name == REFUSED or tables()[name].kind == "event":
            return self._read(name)
        if name not in self._made:
            day = date.max if name in _LAST_COUNTS else self.today
            self._made[name] = in_force(tables()[name], self._read(name), day)
        return self._made[name]

    def versions(self, name: str) -> pa.Table:
        """Every version of the rows of a master table, with the days on which each holds in valid_from and valid_to
        (`ledger/versions.py`), by key and day. Who plans or looks back reads these. Events have one version."""
        return versions(tables()[name], self._read(name))

    def _read(self, name: str) -> pa.Table:
        if name not in self.tables:
            raise KeyError(f"{name}: this state was made with {', '.join(self.tables) or 'no tables'} alone")
        return self.tables[name]

    def once(self, name: str, make: Callable[[], Made]) -> Made:
        """What is worked out of this state alone, the first time that it is asked for. name: of what it is."""
        if name not in self._once:
            self._once[name] = make()
        return self._once[name]

    def only(self, names: Collection[str]) -> "State":
        """The same state with these tables alone: for who says what it reads."""
        return replace(self, tables={name: self._read(name) for name in names})

    def with_tables(self, **others: pa.Table) -> "State":
        """The same state with some tables exchanged, as a replay does for what it simulates. Of a master table every
        version is given."""
        for name, table in others.items():
            if table.schema != schema_of(name):
                raise ValueError(f"{name}: not in the schema of a state: {table.schema}")
        return replace(self, tables={**self.tables, **others})

    @property
    def today(self) -> date:
        """The chain's calendar day at `as_of`."""
        return self.settings.calendar.local_date(self.as_of)

    @property
    def first_open_bucket(self) -> date:
        """Start of the bucket that planning starts in: the one that holds `as_of`, or the settings' start if later."""
        return self.settings.first_open_bucket(self.as_of)


def state_of_tables(settings: ChainSettings, as_of: datetime, given: Mapping[str, pa.Table]) -> State:
    """A State made of tables in hand; the others are empty. Rows may leave columns out (nulls, or the default).

    For tests, `datong try` and notebooks; a ledger gives states of its own.
    """

    made = {name: in_state_schema(name, given.get(name)) for name in every_table()}

    def counted(name: str) -> pa.Table:
        rows = made[name]
        if name == REFUSED or not is_told(rows) or not has_units(table := tables()[name]):
            return rows
        known = Conversions.of(made["products"], versions(tables()["unit_conversions"], made["unit_conversions"]))
        return in_base_units(table, rows, known, settings.calendar.zone, settings.calendar.local_date(as_of))

    return State(settings, as_of, {name: counted(name) for name in made})


@cache
def _no_rows(name: str) -> pa.Table:
    return schema_of(name).empty_table()


def in_state_schema(name: str, rows: pa.Table | None) -> pa.Table:
    """Rows of a table brought to `state_schema`: missing columns are null or the default, row_id counts up."""
    if rows is None:
        return _no_rows(name)
    schema = schema_of(name)
    if name == REFUSED:
        return rows.cast(schema)
    table = tables()[name]
    columns = []
    for wanted in schema:
        if wanted.name in rows.column_names:
            column = rows[wanted.name].cast(wanted.type)
        elif wanted.name == "row_id":
            column = pa.chunked_array([pa.array([f"{name}:{i}" for i in range(rows.num_rows)], pa.string())])
        else:
            column = pa.chunked_array([pa.nulls(rows.num_rows, wanted.type)])
        default = table.columns[wanted.name].default if wanted.name in table.columns else None
        if default is not None:
            column = column.fill_null(pa.scalar(default, wanted.type))
        columns.append(column)
    return pa.table(columns, schema=schema)
