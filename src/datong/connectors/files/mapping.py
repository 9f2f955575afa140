"""Mapping files: how the columns of a foreign export become ours, as SQL expressions over theirs.

    [[into]]
    table = "sales"
    where = 'quantity > 0'
    [into.columns]
    product = 'upper(stock_code)'
    happened_at = 'invoice_ts'
    units = 'quantity'

Expressions are DuckDB's SQL; a column with an odd name goes in double quotes. `number(x)` reads '1,234.5' as a number.
They run in a database of their own that can reach no file, no network and no setting.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from datong.connectors.files.changed_while_read import no_file
from datong.connectors.files.read import RawSource
from datong.connectors.files.settings import toml_finding
from datong.ledger.cells import MarkEvidence, mark_evidence
from datong.ledger.row_checks import REJECTED_SCHEMA, ROW, nearest_hint, shown
from datong.model.findings import Finding, finding
from datong.model.tables import tables

_BLOCK_KEYS = ("table", "where", "once_per", "columns")
# What people do to numbers written as text: grouping, blanks, a currency sign. What could be read both ways is read by
# the numbers of all columns together; what cannot be a number, such as 0,750 where commas group, is none.
_BARE_MACRO = r"CREATE MACRO bare_number(x) AS regexp_replace(x::VARCHAR, '[\s¥￥$€£]', '', 'g')"
_NUMBER_MACRO = r"""CREATE MACRO number(x) AS
    CASE WHEN typeof(x) <> 'VARCHAR' THEN TRY_CAST(x::VARCHAR AS DOUBLE)
         WHEN regexp_full_match(bare_number(x), '{plain}')
         THEN TRY_CAST(replace(bare_number(x), '{mark}', '.') AS DOUBLE)
         WHEN regexp_full_match(bare_number(x), '{grouped}')
         THEN TRY_CAST(replace(replace(bare_number(x), '{group}', ''), '{mark}', '.') AS DOUBLE) END"""
_PLAIN_NUMBER = r"[+-]?([0-9]+\{mark}?[0-9]*|\{mark}[0-9]+)([eE][+-]?[0-9]+)?"
_GROUPED_NUMBER = r"[+-]?[1-9][0-9]{{0,2}}(\{group}[0-9]{{3}})+(\{mark}[0-9]*)?"
_LIKE_NUMBERS = r"^[-+(]?[¥￥$€£ ]*[0-9][0-9., ]*[)¥￥$€£ -]*$"
_MOSTLY = 0.8


@dataclass(frozen=True)
class Into:
    """One block: rows of the source for which `where` holds become rows of `table`; columns: ours to an expression.

    once_per: a column of ours; only the first row of each of its values is kept (to make products of sales).
    """

    table: str
    columns: Mapping[str, str]
    where: str | None = None
    once_per: str | None = None


@dataclass(frozen=True)
class Mapping_:  # noqa: N801 - `Mapping` is the standard library's
    """A whole mapping. name: the file it is from, for findings."""

    name: str
    blocks: tuple[Into, ...]


def read_mapping(path: Path) -> tuple[Mapping_, list[Finding]]:
    """A mapping file. Blocks that are wrong are left out, each with its findings."""
    nothing = Mapping_(path.name, ())
    refused = no_file(path)
    if refused is not None:
        return nothing, [refused]
    try:
        text = path.read_bytes().decode("utf-8-sig").replace("\r\n", "\n")
    except OSError as error:
        reason = error.strerror or str(error)
        return nothing, [finding("error", "check.unreadable_file", path.name, reason=reason)]
    except UnicodeDecodeError as error:
        row = error.object[: error.start].count(b"\n") + 1
        return nothing, [finding("error", "check.settings_encoding", path.name, row=row)]
    try:
        tree = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        return nothing, [toml_finding(path.name, str(error), text)]
    findings = [
        finding("warning", "check.unknown_mapping_key", path.name, key=shown(key), block=0, hint="")
        for key in tree
        if key != "into"
    ]
    raw = tree.get("into")
    if not isinstance(raw, list) or not raw or not all(isinstance(block, dict) for block in raw):
        return nothing, [*findings, finding("error", "check.no_blocks", path.name)]
    blocks = []
    for number, block in enumerate(raw, start=1):
        into, more = _block(block, number, path.name)
        findings += more
        if into is not None:
            blocks.append(into)
    return Mapping_(path.name, tuple(blocks)), findings


def _block(block: Mapping[str, Any], number: int, source: str) -> tuple[Into | None, list[Finding]]:
    findings = [
        finding(
            "warning",
            "check.unknown_mapping_key",
            source,
            key=shown(key),
            block=number,
            hint=nearest_hint(key, _BLOCK_KEYS),
        )
        for key in block
        if key not in _BLOCK_KEYS
    ]
    name, columns = block.get("table"), block.get("columns")
    if not isinstance(name, str) or name not in tables():
        hint = nearest_hint(str(name), tables())
        return None, [
            *findings,
            finding("error", "check.mapping_table", source, block=number, value=shown(name), hint=hint),
        ]
    wrong = [key for key in ("where", "once_per") if not isinstance(block.get(key, ""), str)]
    if not isinstance(columns, dict) or not columns or not all(isinstance(v, str) for v in columns.values()):
        wrong.append("columns")
    for key in wrong:
        findings.append(finding("error", "check.mapping_shape", source, column=key, block=number, key=key))
    if wrong or not isinstance(columns, dict):
        return None, findings
    known = {column: sql for column, sql in columns.items() if column in tables()[name].columns}
    for column in columns:
        if column not in known:
            hint = nearest_hint(column, tables()[name].columns)
            key = "check.mapping_column"
            findings.append(finding("error", key, source, column=column, block=number, table=name, hint=hint))
    once_per = block.get("once_per")
    if once_per is not None and once_per not in known:
        value = shown(once_per)
        findings.append(
            finding("error", "check.mapping_once_per", source, column="once_per", block=number, value=value)
        )
        return None, findings
    return Into(name, known, block.get("where"), once_per), findings


def apply_mapping(mapping: Mapping_, source: RawSource) -> tuple[list[tuple[str, RawSource]], list[Finding]]:
    """Rows of the source as rows of our tables, by name, `__row__` kept. An expression that fails is a finding, and its
    block is left out. Rows that could not be read stay rejected, with the first block."""
    parts: list[tuple[str, RawSource]] = []
    findings: list[Finding] = []
    with duckdb.connect(":memory:") as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute("SET python_enable_replacements = false")
        connection.execute("SET enable_progress_bar = false")
        connection.execute(_BARE_MACRO)
        connection.execute(_number_macro(source.rows))
        connection.register("source", source.rows)
        connection.execute("SET enable_external_access = false")
        connection.execute("SET lock_configuration = true")
        for number, block in enumerate(mapping.blocks, start=1):
            rows, more = _run_block(connection, block, number, mapping.name)
            findings += more
            if rows is not None:
                parts.append((block.table, RawSource(source.name, rows, REJECTED_SCHEMA.empty_table())))
    if parts and source.rejected.num_rows:
        name, first = parts[0]
        parts[0] = (name, replace(first, rejected=source.rejected))
    return parts, findings


def _number_macro(rows: pa.Table) -> str:
    """`number(x)` with the decimal sign of the source's numbers, by all columns of numbers together."""
    evidence = MarkEvidence()
    for name in rows.column_names:
        cells = rows[name]
        if pa.types.is_string(cells.type) and cells.null_count < len(cells):
            bare = pc.replace_substring_regex(cells, r"[\s¥￥$€£]", "")
            like = pc.match_substring_regex(bare.filter(pc.not_equal(bare, "")), _LIKE_NUMBERS)
            if len(like) and pc.mean(pc.cast(like, pa.float64())).as_py() >= _MOSTLY:
                evidence |= mark_evidence(bare)
    mark, group = (",", ".") if evidence.mark(commas_group=True) == "," else (".", ",")
    plain, grouped = (text.format(mark=mark, group=group) for text in (_PLAIN_NUMBER, _GROUPED_NUMBER))
    return _NUMBER_MACRO.format(plain=plain, grouped=grouped, mark=mark, group=group)


def _run_block(
    connection: duckdb.DuckDBPyConnection, block: Into, number: int, name: str
) -> tuple[pa.Table | None, list[Finding]]:
    findings = []
    for column, sql in [*block.columns.items(), *([("where", block.where)] if block.where else [])]:
        reason = _failure(connection, f"SELECT {_in_brackets(sql)} FROM source LIMIT 0", sql)
        if reason is not None:
            findings.append(_bad_expression(name, number, column, sql, reason))
    if findings:
        return None, findings
    items = ", ".join(f"{_in_brackets(sql)} AS {_quoted(column)}" for column, sql in block.columns.items())
    query = f"SELECT {items}, {ROW} FROM source"
    if block.where:
        query += f" WHERE {_in_brackets(block.where)}"
    if block.once_per:
        key = _quoted(block.once_per)
        first = f"row_number() OVER (PARTITION BY {key} ORDER BY {ROW}) = 1"
        query = f"SELECT * FROM ({query}) WHERE {key} IS NOT NULL QUALIFY {first}"
    try:
        return connection.sql(f"{query} ORDER BY {ROW}").to_arrow_table(), []
    except duckdb.Error as error:
        return None, _culprits(connection, block, number, name, str(error))


def _culprits(connection: duckdb.DuckDBPyConnection, block: Into, number: int, name: str, reason: str) -> list[Finding]:
    """Which expressions fail on some row; the whole block where each alone does well."""
    findings = []
    where = f" WHERE {_in_brackets(block.where)}" if block.where else ""
    if block.where:
        failure = _failure(connection, f"SELECT count(*) FROM source{where}", block.where)
        if failure is not None:
            return [_bad_expression(name, number, "where", block.where, failure)]
    for column, sql in block.columns.items():
        failure = _failure(connection, f"SELECT count({_in_brackets(sql)}) FROM source{where}", sql)
        if failure is not None:
            findings.append(_bad_expression(name, number, column, sql, failure))
    return findings or [_bad_expression(name, number, "where", block.where or "", reason)]


def _failure(connection: duckdb.DuckDBPyConnection, query: str, sql: str) -> str | None:
    """Why a query with an expression fails, None where it does not."""
    try:
        if len(duckdb.extract_statements(query)) != 1 or len(duckdb.extract_statements(f"SELECT {sql}")) != 1:
            return "one expression only"
        connection.sql(query).fetchall()
    except duckdb.Error as error:
        return str(error).partition("\n")[0]
    return None


def _in_brackets(sql: str) -> str:
    return f"({sql}\n)"  # the line break ends a comment


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _bad_expression(name: str, number: int, column: str, sql: str, reason: str) -> Finding:
    return finding(
        "error",
        "check.mapping_expression",
        name,
        column=column,
        block=number,
        sql=shown(sql),
        reason=reason[:200],
    )
