"""Customers -> tokens, before a row is checked, kept or shown.

A token is a keyed hash (HMAC; RFC 2104, here the keyed mode of BLAKE2, RFC 7693) with a key of that customer's own, so
that whoever destroys the key makes the person unlinkable, in old copies of the ledger too. Tokens remain personal data
as long as the key is there. Who keeps the keys is a matter of the store (`Customers`); what a token looks like and
where rows hold customers stands here.
"""

import json
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from hashlib import blake2b
from typing import Any, Protocol
from zoneinfo import ZoneInfo

import pyarrow as pa

from datong.ledger.cells import BLANKS, typed
from datong.ledger.row_checks import ROW, SHOWN_CHARACTERS, column_name, shown
from datong.model.findings import Finding
from datong.model.tables import Table
from datong.model.words import Message

MARK = "~"
TOKEN = re.compile(r"~[a-v0-9]{24}")
# What stands in place of text that could not be read, and may name anybody.
NOT_KEPT, FORGOTTEN = "[not kept]", "[forgotten]"
# Texts have none.
_ANY_ZONE = ZoneInfo("UTC")
_DIGITS = "0123456789abcdefghijklmnopqrstuv"


class Customers(Protocol):
    """Who keeps a key for each customer."""

    def tokens(self, customers: Sequence[str]) -> Sequence[str]:
        """The token of each; a customer who has no key gets one, which is kept before this returns. A token of a key
        that is there stays as it is."""
        ...


class Numbered:
    """Customers by number, in the order in which they come: for rows that are looked at and not kept."""

    def __init__(self) -> None:
        self._numbers: dict[str, str] = {}

    def tokens(self, customers: Sequence[str]) -> Sequence[str]:
        return [self._numbers.setdefault(customer, f"{MARK}{len(self._numbers) + 1}") for customer in customers]


@cache
def _three_digits() -> Sequence[str]:
    """Three digits in base 32 by their number: a chain can have millions of customers."""
    return [a + b + c for a in _DIGITS for b in _DIGITS for c in _DIGITS]


def token_of(key: bytes) -> str:
    """The token that a customer's key gives: 120 bits in base 32."""
    number = int.from_bytes(blake2b(b"datong customer", key=key, digest_size=15).digest())
    three = _three_digits()
    return MARK + "".join([three[number >> place & 32767] for place in range(105, -1, -15)])


def plain_customer(text: str) -> str:
    """A customer as it is looked up, however it was typed."""
    return text.strip(BLANKS)


def customer_headers(table: Table, headers: Iterable[str]) -> dict[str, str]:
    """Columns of the table that hold customers, by the header that a source has for each."""
    found = {header: column_name(table, header) for header in headers}
    wanted = table.personal_columns("customer")
    return {header: name for header, name in found.items() if name in wanted}


def guarded(table: Table, rows: pa.Table, customers: Customers) -> pa.Table:
    """Rows of a source with tokens for customers. Columns that the table does not know go, of every table: nobody reads
    them, and a rejected row would keep what they say of a person."""
    held = customer_headers(table, rows.column_names)
    for header, name in held.items():
        texts = typed(table, {name: rows[header]}, _ANY_ZONE)[name].values
        at = rows.column_names.index(header)
        rows = rows.set_column(at, header, tokens_column(texts, customers))
    return rows.select([h for h in rows.column_names if h == ROW or column_name(table, h) in table.columns])


def may_name(table: Table, headers: Iterable[str]) -> bool:
    """Whether a record of a source that could not be cut into cells may name a customer: the source has a column of
    customers, or one that the table does not know, or none where the table, whose texts nobody masks, has one."""
    names = [name for name in headers if name != ROW]
    if customer_headers(table, names) or any(column_name(table, name) not in table.columns for name in names):
        return True
    return bool(table.personal_columns("customer")) and not table.personal_columns("words")


def tokens_column(texts: pa.ChunkedArray, customers: Customers) -> pa.ChunkedArray:
    """A column of customers as tokens; each is looked up once."""
    coded = texts.combine_chunks().dictionary_encode()
    if isinstance(coded, pa.ChunkedArray):
        coded = coded.combine_chunks()
    tokens = customers.tokens([plain_customer(text) for text in coded.dictionary.to_pylist()])
    return pa.chunked_array([pa.array(tokens, pa.string()).take(coded.indices)])


def without_texts(rejected: pa.Table) -> pa.Table:
    """Rows that could not be cut into cells, without what stands in them: any part of it may be a customer."""
    for name in ("raw", "findings"):
        hidden = [json.dumps(_hidden_json(json.loads(text)), ensure_ascii=False) for text in rejected[name].to_pylist()]
        column = pa.chunked_array([pa.array(hidden, pa.string())])
        rejected = rejected.set_column(rejected.column_names.index(name), name, column)
    return rejected


def _hidden_json(value: Any) -> Any:
    """A raw row, or the findings on it."""
    if isinstance(value, list):
        return [{**each, "found": NOT_KEPT, "zh": {**each.get("zh", {}), "found": NOT_KEPT}} for each in value]
    return dict.fromkeys(value, NOT_KEPT)


def findings_without_texts(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """What is said of a source, without what it quotes of rows that could not be read."""
    return tuple(replace(one, found=_unquoted(one.found)) for one in findings)


def _unquoted(said: Message) -> Message:
    def plain(value: Any) -> Any:
        if not isinstance(value, Message):
            return value
        if value.key == "check.quoted":
            return Message(value.key, value.names, tuple(NOT_KEPT for _ in value.values))
        return _unquoted(value)

    return Message(said.key, said.names, tuple(plain(value) for value in said.values))


def without_unknown(
    table: Table, raw: Mapping[str, Any], findings: Sequence[Mapping[str, Any]]
) -> tuple[dict[str, Any], list[Any]]:
    """A raw row, and the findings on it, without what stands in columns that its table does not know. Nothing is left
    of a record that could not be cut into cells, which is kept under 'text' alone."""
    if raw.keys() == {"text"}:
        return {"text": NOT_KEPT}, _hidden_json(list(findings))
    gone = {str(text): NOT_KEPT for name, text in raw.items() if name not in table.columns and text not in (None, "")}
    kept = {name: text for name, text in raw.items() if name in table.columns}
    return kept, with_findings_of(findings, gone, ())


# The parts of a finding in which cells of a row are quoted, in English beside it and in Chinese under 'zh'.
_QUOTING = ("found", "expected", "remedy")
# What stands around a cell in the text of a finding: a whole row is quoted with commas between its cells, and cut where
# it is long.
_BEFORE, _AFTER = r"(?<=['‘“])|(?<=, )", r"(?=, |['’”…])"


def with_findings_of(
    findings: Sequence[Mapping[str, Any]], words: Mapping[str, str], columns: Collection[str]
) -> list[Any]:
    """Findings on a raw row, as they are kept, with other words in place of cells of some columns of the row. Only
    findings on these columns, or on whole rows, quote them, and only what is quoted is a cell."""
    cells = sorted((word for word in words if word), key=len, reverse=True)
    if not cells:
        return list(findings)
    alternatives = "|".join(re.escape(cell) for cell in dict.fromkeys((*cells, *map(shown, cells))))
    by_shown = {**{shown(cell): words[cell] for cell in cells}, **words}
    whole = re.compile(f"(?:{_BEFORE})(?:{alternatives}){_AFTER}")

    def other(text: Any) -> Any:
        return whole.sub(lambda at: by_shown[at.group()], _cut(text, words)) if isinstance(text, str) else text

    def told(parts: Mapping[str, Any]) -> dict[str, Any]:
        return {name: other(text) if name in _QUOTING else text for name, text in parts.items()}

    return [
        told(one) | ({"zh": told(one["zh"])} if "zh" in one else {})
        if one.get("column") in (None, *columns)
        else dict(one)
        for one in findings
    ]


def _cut(text: str, words: Mapping[str, str]) -> str:
    """A text with other words in place of those that are quoted as the last of a row, and cut."""
    for old, new in words.items() if "…" in text else ():
        for end in range(min(len(old), SHOWN_CHARACTERS), 0, -1):
            text = re.sub(f"(?:{_BEFORE}){re.escape(old[:end])}…", lambda _at, new=new: f"{new}…", text)
    return text


def replaced(value: Any, words: Mapping[str, str]) -> Any:
    """A text, or a list of texts, with texts put in place of others, wherever they stand in it."""
    if isinstance(value, str):
        for old, new in words.items():
            value = value.replace(old, new)
        return value
    return [replaced(each, words) for each in value] if isinstance(value, list) else value
