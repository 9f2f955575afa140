"""Customers in a ledger: which there are, plain ones made tokens, all that is held about one, and what forgetting
takes.

A customer stands in a column of some chain tables and of the branches' (`Column.personal`), in raw rows of the
quarantine, and, by words that are quoted, in tables of kept runs. Forgetting goes through every version of a row.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import pyarrow as pa

from datong.ledger.customer_tokens import FORGOTTEN, MARK, replaced, with_findings_of, without_unknown
from datong.model.tables import Table, tables
from datong.store.line_keys import CELLS, own_keys, rename_keys, sql_tables
from datong.store.migrations import branch_table, chain_table
from datong.store.take_in_sql import moment_sql
from datong.store.written_anew import Hands, change_run_tables, quoted

# Tables of a kept run in which texts of findings stand.
_QUOTING = ("signals", "reasons", "notices", "left_out", "since")
# Just above MARK: texts from MARK to here begin with it, and a block of tokens alone is passed over.
_AFTER_MARK = chr(ord(MARK) + 1)


class _Place(NamedTuple):
    """A column of customers: of which table, its SQL table and its name."""

    table: Table
    name: str
    column: str


def places(hands: Hands, *, trunk_only: bool = False) -> list[_Place]:
    """Where customers stand, in the tables of the chain and those that branches changed."""
    found = hands.rows("SELECT schema_name, table_name FROM duckdb_tables() WHERE schema_name IN ('chain', 'branch')")
    there = set(found)
    result = []
    for table in tables().values():
        for column in table.personal_columns("customer"):
            for schema, name in (("chain", chain_table(table)), ("branch", branch_table(table))):
                if (schema, table.name) in there and not (trunk_only and schema == "branch"):
                    result.append(_Place(table, name, column))
    return result


def plain_customers(hands: Hands) -> list[str]:
    """Customers that no token stands for, of rows and of rows in quarantine."""
    found: set[str] = set()
    for place in places(hands):
        column = quoted(place.column)
        found |= {
            text
            for (text,) in hands.rows(
                f"SELECT DISTINCT {column} FROM {place.name} WHERE {column} < ? OR {column} >= ?", [MARK, _AFTER_MARK]
            )
        }
    for _, _, raw, _ in _waiting(hands, _PLAIN):
        found |= {text for text in _named(raw).values() if not text.startswith(MARK)}
    return sorted(found)


def held_tokens(hands: Hands) -> set[str]:
    """Every token in rows and in quarantine."""
    found: set[str] = set()
    for place in places(hands):
        column = quoted(place.column)
        sql = f"SELECT DISTINCT {column} FROM {place.name} WHERE {column} >= ? AND {column} < ?"
        found |= {text for (text,) in hands.rows(sql, [MARK, _AFTER_MARK])}
    for _, _, raw, _ in _waiting(hands, _TOKEN):
        found |= {text for text in _named(raw).values() if text.startswith(MARK)}
    return found


def tokens_since(hands: Hands, first: datetime) -> set[str]:
    """Tokens of rows of a moment or later, but those whose last version was withdrawn, and of rows that came into
    quarantine then."""
    found: set[str] = set()
    for place in places(hands):
        column, of = quoted(place.column), "_branch, row_id" if place.name.startswith("branch.") else "row_id"
        sql = (
            f"SELECT DISTINCT token FROM (SELECT {column} AS token, happened_at, _withdrawn FROM {place.name}"
            f" QUALIFY row_number() OVER (PARTITION BY {of} ORDER BY known_at DESC, _version DESC) = 1)"
            f" WHERE NOT _withdrawn AND happened_at >= {moment_sql(first)} AND token >= ? AND token < ?"
        )
        found |= {token for (token,) in hands.rows(sql, [MARK, _AFTER_MARK])}
    for _, _, raw, _ in _waiting(hands, _TOKEN, f"arrived_at >= {moment_sql(first)}"):
        found |= {text for text in _named(raw).values() if text.startswith(MARK)}
    return found


def hash_customers(hands: Hands, tokens: Mapping[str, str], keys: Mapping[str, str]) -> int:
    """Put tokens in place of customers, and order lines' keys in place of others. What was noted of files goes: it may
    quote a customer. Returns how many rows named one."""
    count = _count_named(hands, tokens, keys)
    names = pa.table({"plain": pa.array(list(tokens), pa.string()), "token": pa.array(list(tokens.values()))})
    for place in places(hands):
        column = quoted(place.column)
        with hands.registered("tokens_arrow", names):
            hands.run(f"UPDATE {place.name} SET {column} = t.token FROM tokens_arrow AS t WHERE {column} = t.plain")
    rename_keys(hands, keys)
    for where, place, raw, findings in list(_waiting(hands)):
        table, row = tables()[place[0]], json.loads(raw)
        own = {text: tokens[text] for text in _named(raw).values() if text in tokens}
        lines = own_keys(table, row, keys)
        if row.keys() == {"text"}:  # a record that could not be cut into cells
            row, told = without_unknown(table, row, json.loads(findings))
        elif own or lines:
            told = json.loads(findings)
            for words, cells in ((own, table.personal_columns("customer")), (lines, CELLS.get(table.name, ()))):
                row = {name: words.get(text, text) if name in cells else text for name, text in row.items()}
                told = with_findings_of(told, words, cells)
        else:
            continue
        _rewrite_waiting(hands, where, place, row, told)
        count += 1
    hands.run("DELETE FROM intakes")
    return count


def _count_named(hands: Hands, tokens: Mapping[str, str], keys: Mapping[str, str]) -> int:
    """How many rows, every version counted, hold one of the customers or of the keys."""
    count = 0
    for table in tables().values():
        held = {column: list(tokens) for column in table.personal_columns("customer")}
        held |= {column: list(keys) for column in CELLS.get(table.name, ())}
        where = " OR ".join(f"{quoted(column)} IN (SELECT unnest(?::VARCHAR[]))" for column in held)
        for name in sql_tables(hands, table) if held else ():
            ((own,),) = hands.rows(f"SELECT count(*) FROM {name} WHERE {where}", list(held.values()))
            count += own
    return count


def _row_ids(hands: Hands, found: Sequence[_Place], tokens: Sequence[str]) -> dict[str, pa.Table]:
    """Ids of rows of which any version, on the trunk or a branch, holds one of the tokens, by table."""
    ids: dict[str, set[str]] = {}
    for place in found:
        sql = f"SELECT DISTINCT row_id FROM {place.name} WHERE {quoted(place.column)} IN (SELECT unnest(?))"
        ids.setdefault(place.table.name, set()).update(one for (one,) in hands.rows(sql, [list(tokens)]))
    return {name: pa.table({"row_id": pa.array(sorted(some), pa.string())}) for name, some in ids.items()}


def of_person(hands: Hands, tokens: Sequence[str]) -> dict[str, pa.Table]:
    """Every version of every row that holds one of the tokens, by table, and their rows in quarantine; of versions, on
    a branch too, that name nobody, as well, but of none that names somebody else."""
    found: dict[str, pa.Table] = {}
    held = places(hands)
    ids = _row_ids(hands, held, tokens)
    for place in held:
        on_branch = "NULL::VARCHAR AS branch"
        source = place.name
        if place.name.startswith("branch."):
            on_branch = "b.name AS branch"
            source = f"{place.name} JOIN branches AS b ON b.branch = _branch"
        own = ", ".join(quoted(name) for name in place.table.columns)
        with hands.registered("ids_arrow", ids[place.table.name]):
            rows = hands.arrow(
                f"SELECT row_id, _version AS version, _withdrawn AS withdrawn, {on_branch}, {own} FROM {source}"
                " WHERE row_id IN (SELECT row_id FROM ids_arrow)"
                f" AND ({quoted(place.column)} IS NULL OR {quoted(place.column)} IN (SELECT unnest(?)))"
                " ORDER BY row_id, version",
                [list(tokens)],
            )
        before = found.get(place.table.name)
        found[place.table.name] = rows if before is None else pa.concat_tables([before, rows])
    waiting = [
        {"table": table, "raw": raw}
        for _, (table, _), raw, _ in _waiting(hands)
        if set(_named(raw).values()) & set(tokens)
    ]
    found["quarantine"] = pa.Table.from_pylist(waiting, pa.schema([("table", pa.string()), ("raw", pa.string())]))
    return {name: rows for name, rows in found.items() if rows.num_rows}


def forget(hands: Hands, tokens: Sequence[str], quotes: Sequence[str]) -> dict[str, int]:
    """Empty the customer and the words of every version of the rows that hold one of the tokens, in the quarantine too;
    take quotes out of kept runs. Returns how many rows, by table, and how many tables of runs
    (`run_tables`)."""
    counts: dict[str, int] = {}
    found = places(hands)
    ids = _row_ids(hands, found, tokens)
    _forget_worked_out(hands, found, ids)
    for place in found:
        emptied = [place.column, *place.table.personal_columns("words")]
        sets = ", ".join(f"{quoted(name)} = NULL" for name in emptied)
        filled = " OR ".join(f"{quoted(name)} IS NOT NULL" for name in emptied)
        with hands.registered("ids_arrow", ids[place.table.name]):
            ((count,),) = hands.rows(
                f"UPDATE {place.name} SET {sets} WHERE row_id IN (SELECT row_id FROM ids_arrow) AND ({filled})"
            )
        counts[place.table.name] = counts.get(place.table.name, 0) + count
    for where, place, raw, findings in list(_waiting(hands)):
        if not set(_named(raw).values()) & set(tokens):
            continue
        table = tables()[place[0]]
        gone = {*table.personal_columns("customer"), *table.personal_columns("words")}
        kept = {name: None if name in gone else text for name, text in json.loads(raw).items()}
        words = {str(json.loads(raw)[name]): FORGOTTEN for name in gone if json.loads(raw).get(name)}
        said = with_findings_of(json.loads(findings), words, gone)
        _rewrite_waiting(hands, where, place, kept, said)
        counts["quarantine"] = counts.get("quarantine", 0) + 1
    for token in tokens:
        hands.run("UPDATE intakes SET kept = replace(kept, ?, ?) WHERE contains(kept, ?)", [token, FORGOTTEN, token])
    counts["run_tables"] = _unquote_runs(hands, quotes)
    return {name: count for name, count in counts.items() if count}


def _forget_worked_out(hands: Hands, found: Sequence[_Place], ids: Mapping[str, pa.Table]) -> None:
    """Take out what was worked out of the days on which rows happened, or the days beside them: a local day begins
    before or after it does elsewhere."""
    for place in found:
        if "happened_at" not in place.table.columns or not place.table.personal_columns("words"):
            continue
        with hands.registered("ids_arrow", ids[place.table.name]):
            days = hands.arrow(
                f"SELECT DISTINCT epoch_us(happened_at) // 86400000000 + near AS day FROM {place.name},"
                " (VALUES (-1), (0), (1)) AS days(near) WHERE row_id IN (SELECT row_id FROM ids_arrow)"
            )
        with hands.registered("days_arrow", days):
            hands.run("DELETE FROM worked_out WHERE local_day IN (SELECT day FROM days_arrow)")


# rows in quarantine ------------------------------------------------------------------------------------------------


# Raw rows in which a customer stands plainly, and as a token: after the name of the column.
_PLAIN, _TOKEN = f'": ("[^{MARK}]|[0-9])', f'": "{MARK}'


def _waiting(
    hands: Hands, holding: str = "", where_else: str = "true"
) -> Iterator[tuple[str, tuple[str, str], str, str]]:
    """Rows in quarantine, of every table: in which quarantine, (table, id), raw and findings. holding: only those in
    which this stands after the name of a customer's column, as a regular expression. where_else: SQL."""
    columns = "|".join(sorted({name for t in tables().values() for name in t.personal_columns("customer")}))
    pattern = f'"({columns}){holding}' if holding else ""
    for where in ("quarantine", "branch_quarantine"):
        found = hands.rows(
            f"SELECT table_name, quarantine_id, raw, findings FROM {where}"
            f" WHERE regexp_matches(raw, ?) AND {where_else} ORDER BY quarantine_id",
            [pattern],
        )
        for table, one, raw, findings in found:
            yield where, (table, one), raw, findings


def _named(raw: str) -> dict[str, str]:
    """Customers that a raw row names, by column."""
    names = {name for table in tables().values() for name in table.personal_columns("customer")}
    return {k: str(v) for k, v in json.loads(raw).items() if k in names and v is not None}


def _rewrite_waiting(hands: Hands, where: str, place: tuple[str, str], raw: Any, findings: Any) -> None:
    texts = [json.dumps(value, ensure_ascii=False) for value in (raw, findings)]
    hands.run(f"UPDATE {where} SET raw = ?, findings = ? WHERE table_name = ? AND quarantine_id = ?", [*texts, *place])


# what is quoted ----------------------------------------------------------------------------------------------------


def _unquote_runs(hands: Hands, quotes: Sequence[str]) -> int:
    if not quotes:
        return 0
    words = _spelled(quotes)
    return change_run_tables(hands, lambda value: replaced(value, words), tuple(_QUOTING))


def _spelled(quotes: Sequence[str]) -> dict[str, str]:
    """Quotes as they stand in texts and in JSON."""
    spellings = (f"“{q}”" for quote in quotes for q in (quote, json.dumps(quote, ensure_ascii=False)[1:-1]))
    plain = dict.fromkeys(spellings, FORGOTTEN)
    return plain | {json.dumps(text)[1:-1]: FORGOTTEN for text in plain}
