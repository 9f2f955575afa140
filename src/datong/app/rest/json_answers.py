"""Answers of the service as JSON has them, and their shapes for the description of the API."""

import math
from collections.abc import Collection, Mapping
from dataclasses import fields, is_dataclass
from datetime import date, datetime
from enum import Enum
from functools import cache
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import BaseModel, create_model

from datong.app.rest.problems import finding
from datong.model.findings import Finding
from datong.model.words import LANGUAGES, Message

# A text in each language.
Texts = dict[str, str]
# Rows of a table: a value by column.
Rows = list[dict[str, Any]]
_PLAIN = (str, int, bool, date, datetime, type(None))


def both(text: Message) -> Texts:
    """A text in each language."""
    return {language: text.text(language) for language in LANGUAGES}


def plain(value: Any, language: str = "en") -> Any:
    """A value of the service as JSON has it: tables as rows, texts in each language, numbers that are none as null.
    language: of findings about data."""
    if isinstance(value, Message):
        return both(value)
    if isinstance(value, Finding):
        return finding(value, language)
    if isinstance(value, pa.Table):
        return rows_of(value)
    if isinstance(value, np.ndarray | np.generic):
        return plain(value.tolist(), language)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, _PLAIN):
        return value
    if is_dataclass(value) and not isinstance(value, type):
        return {f.name: plain(getattr(value, f.name), language) for f in fields(value)}
    if isinstance(value, Mapping):
        return {str(name): plain(one, language) for name, one in value.items()}
    if isinstance(value, Collection):
        return [plain(one, language) for one in value]
    raise TypeError(f"{type(value)} has no form in JSON")


def rows_of(table: pa.Table) -> Rows:
    """A table as rows: numbers that are none as null, column by column, since pieces have thousands of cells."""
    columns = [
        pc.if_else(pc.is_finite(column), column, None) if pa.types.is_floating(column.type) else column
        for column in table.columns
    ]
    values = [column.to_pylist() for column in columns]
    names = table.column_names
    return [dict(zip(names, row, strict=True)) for row in zip(*values, strict=True)]


@cache
def shape(kind: type, **more: Any) -> Any:
    """The shape of what `plain` makes of a dataclass, with its docstring. more: further fields, by type."""
    hints = get_type_hints(kind)
    own = {f.name: _type(hints[f.name]) for f in fields(kind)} | more  # ty: ignore[invalid-argument-type]
    asked: dict[str, Any] = {name: (of, ...) for name, of in own.items()}
    return create_model(kind.__name__, __doc__=kind.__doc__, __module__=kind.__module__, **asked)


def many(kind: type) -> Any:
    """The shape of several of them. kind: a dataclass, or a shape."""
    one = shape(kind) if is_dataclass(kind) else kind
    return list[one]  # ty: ignore[invalid-type-form]


def _type(hint: Any) -> Any:
    """What `plain` makes of a value of a type."""
    of, arguments = get_origin(hint), get_args(hint)
    if of in (Union, UnionType):
        return Union[tuple(_type(one) for one in arguments)]  # noqa: UP007 - the parts are known when it runs
    if hint is pa.Table:
        return Rows
    if hint is Message:
        return Texts
    if hint is Finding:
        return dict[str, Any]
    if isinstance(hint, type) and is_dataclass(hint):
        return shape(hint)
    if isinstance(of, type) and issubclass(of, Mapping):
        return dict[str, _type(arguments[1])]  # ty: ignore[invalid-type-form]
    if of is tuple and not (len(arguments) == 2 and arguments[1] is Ellipsis):
        return list[Any]
    if isinstance(of, type) and issubclass(of, Collection) and of is not np.ndarray:
        return list[_type(arguments[0])]  # ty: ignore[invalid-type-form]
    if hint in (str, int, float, bool, date, datetime, type(None)):
        return float | None if hint is float else hint
    return Any


class Grid(BaseModel):
    """A piece of a table. columns: in order. cursor: asks for the rows after these; None: there are none. total: how
    many rows meet the conditions."""

    columns: list["GridColumn"]
    rows: Rows
    cursor: str | None
    total: int


class GridColumn(BaseModel):
    """title: in the language of the answer. type: text, number, day, moment, yes_no or list."""

    name: str
    title: str
    type: str
