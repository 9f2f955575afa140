"""The tables of a chain folder, read from tables.toml: one source for reader, checks, starter folder and docs."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any, Literal, get_args

ColumnType = Literal["text", "number", "integer", "boolean", "date", "moment"]
TableKind = Literal["master", "event"]
# A buyer; what somebody wrote; how a firm, which may be one person, is reached; who of the chain's own people said it.
Personal = Literal["", "customer", "words", "contact", "staff"]

# Names that the format keeps for tables that this version does not read yet.
RESERVED = frozenset(
    {"channels", "customers"} | {"changeovers", "fx_rates"} | {"consumption", "inspections", "downtime", "sale_lots"}
)

# Most that a number of a unit may be: what is more is a slip of the pen, or a code or a date in the wrong column, and
# would swamp every other number in one sum with it. 100 years; a thousand million units; a million million of money.
LARGEST = {
    "days": 36_500.0,
    "hours": 1e6,
    "hours per unit": 1e6,
    "hours per week": 1e6,
    "units": 1e9,
    "units per unit": 1e6,
    "units per week": 1e9,
    "base units per unit": 1e9,
    "money": 1e12,
    "money per hour": 1e12,
    "money per unit": 1e12,
    "money per unit made": 1e12,
    "money per unit and week": 1e12,
}
# Least that a number that must be above 0 may be: less is 0 to every sum that it is in.
SMALLEST = 1e-6


@dataclass(frozen=True)
class Column:
    """One column. `minimum` and `maximum` include their value; `above` and `below` exclude it. unit_of: it names the
    unit in which the row counts the product in that column. masked: personal data in its text are masked before it is
    kept (ledger/masking.py). personal: about whom or from whom it is ('customer', 'words', 'contact', 'staff'), ''
    where it is about no person; a customer is kept as a keyed hash alone (ledger/customer_tokens.py).

    also: other headers by which files know it, where the file has no column of its own name.

    largest: the most that a number of its unit may be (`LARGEST`), None where `maximum` or `below` says less.
    """

    name: str
    type: ColumnType
    en: str
    zh: str
    unit: str = ""
    required: bool = False
    default: Any = None
    default_text_en: str = ""
    default_text_zh: str = ""
    minimum: float | None = None
    maximum: float | None = None
    above: float | None = None
    below: float | None = None
    choices: tuple[str, ...] = ()
    refers_to: str | None = None
    unit_of: str | None = None
    masked: bool = False
    personal: Personal = ""
    also: tuple[str, ...] = ()

    @property
    def largest(self) -> float | None:
        return LARGEST.get(self.unit) if self.maximum is None and self.below is None else None


@dataclass(frozen=True)
class Table:
    """One table. `key` names the columns that identify a row; where they are all empty, its content does. `finer`:
    columns that tell rows of one key apart where they are filled."""

    name: str
    kind: TableKind
    key: tuple[str, ...]
    columns: Mapping[str, Column]
    en: str
    zh: str
    finer: tuple[str, ...] = ()

    @property
    def required_columns(self) -> tuple[str, ...]:
        return tuple(c.name for c in self.columns.values() if c.required)

    def personal_columns(self, kind: Personal) -> tuple[str, ...]:
        return tuple(c.name for c in self.columns.values() if c.personal == kind)


_VALID_FROM = Column(
    "valid_from", "date", "First day this version holds; empty: always.", "本版本生效日；空表示一直有效。"
)
_HAPPENED_AT = Column(
    "happened_at",
    "moment",
    "When it was true. A date alone means that whole day.",
    "发生时间；只写日期表示当天全天。",
    required=True,
)
_KNOWN_AT = Column(
    "known_at",
    "moment",
    "When we learnt it.",
    "得知时间。",
    default_text_en="happened_at for a declared history load (a date alone: the end of that day), "
    "else the moment of arrival",
    default_text_zh="声明为历史导入时取发生时间（只有日期则为当天结束），否则取到达时间",
)
_ASSUMED = Column(
    "assumed",
    "text",
    "Columns of this row that are assumed, not measured, separated by commas.",
    "本行中属于假设（非实测）的列，用逗号分隔。",
)


# When a row was said, by the clock of the world. Columns that tell about a row, and are no part of what it says.
ACTED_AT = "acted_at"
BESIDE = ("known_at", ACTED_AT, "assumed")


@cache
def tables() -> Mapping[str, Table]:
    """All tables by name, in the order of tables.toml."""
    text = files("datong.model").joinpath("tables.toml").read_text(encoding="utf-8")
    result: dict[str, Table] = {}
    for name, spec in tomllib.loads(text).items():
        own = [_column(n, c) for n, c in spec["columns"].items()]
        first, last = ([_HAPPENED_AT], []) if spec["kind"] == "event" else ([], [_VALID_FROM])
        every = [*first, *own, *last, _KNOWN_AT, _ASSUMED]
        columns = MappingProxyType({c.name: c for c in every})
        result[name] = Table(
            name, spec["kind"], tuple(spec["key"]), columns, spec["en"], spec["zh"], tuple(spec.get("finer", ()))
        )
    return MappingProxyType(result)


def _column(name: str, spec: dict[str, Any]) -> Column:
    if spec["type"] not in get_args(ColumnType):
        raise ValueError(f"tables.toml: column {name} has unknown type {spec['type']}")
    spec = dict(spec)
    for several in ("choices", "also"):
        spec[several] = tuple(spec.get(several, ()))
    return Column(name=name, **spec)
