"""Taking rows in, set by set: what each row is to the versions that the ledger has.

The rules are those of ledger/verdicts.py, by whose cases this is tested; here they are said for all rows at once.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal

from datong.ledger.row_checks import ROW
from datong.ledger.row_ids import SINCE_EVER
from datong.ledger.verdicts import BY_HAND
from datong.model.tables import Table
from datong.store.migrations import chain_table, quoted, sql_type

TEMPORARY = ("staged", "repeated", "equal_held", "equal_staged", "named", "contested", "stored", "verdicts")


def staging(table: Table, given: Sequence[str], known_left_out: bool) -> str:
    """Makes `staged` of `incoming_arrow` (see ledger/rows_for_store.py), with the columns `given`: with all columns
    and `_content`, its hash in one number.

    known_left_out: events with a key that say again what a stored version says, of the same moment or undated, are left
    out at once, so that a file taken in a second time costs little. Their content holds the key, so that equal content
    is an equal row.
    """
    rows = _whole(table, given)
    if known_left_out:
        rows = (
            f"SELECT * FROM ({rows}) AS i ANTI JOIN {chain_table(table)} AS s ON s._content = i._content"
            " AND (i._known_at_assumed OR i.known_at = s.known_at) AND i._keyed"
        )
    return f"CREATE OR REPLACE TEMP TABLE staged AS {rows}"


def _whole(table: Table, given: Sequence[str]) -> str:
    """The rows of `incoming_arrow`, which has the columns `given`, with all columns and `_content`."""
    missing = [c for c in table.columns.values() if c.name not in given]
    empty = "".join(f", NULL::{sql_type(column)} AS {quoted(column.name)}" for column in missing)
    content = "(_content_high::UHUGEINT << 64) + _content_low AS _content"
    return f"SELECT * EXCLUDE (_content_high, _content_low){empty}, {content} FROM incoming_arrow"


def taking_out() -> str:
    """Takes rows out of `staged` whose numbers are in `bad_arrow`."""
    return f"DELETE FROM staged WHERE _source_row IN (SELECT {ROW} FROM bad_arrow)"


def repeated() -> str:
    """Makes `repeated` of `staged`: which one of several equal rows each is. Few rows, so the window stays small."""
    return (
        "CREATE OR REPLACE TEMP TABLE repeated AS"
        " SELECT _n, row_number() OVER (PARTITION BY _content ORDER BY _n) AS occurrence FROM staged"
        " WHERE _content IN (SELECT _content FROM staged GROUP BY _content HAVING count(*) > 1)"
    )


def repeated_of_buyers(table: Table, held: str, customer: str) -> Sequence[str]:
    """Makes `repeated` of `staged` where rows without a key name customers: who bought is no part of the content, so
    that of equal rows the one of the same customer is the same fact. Next, a row that names nobody stands for any that
    is left, and one that is left and names nobody, a forgotten one, for any that comes; what remains is new.

    held: SQL of the rows that are there. customer: its column, quoted.
    """
    number = "split_part(row_id, '.', -1)::BIGINT"
    unkeyed = f"starts_with(row_id, '{table.name}:#')"
    one_each = "SELECT _content FROM staged WHERE NOT _keyed GROUP BY _content HAVING count(*) > 1"
    k = "row_number() OVER (PARTITION BY _content ORDER BY"
    left_i, left_h = "equal_staged ANTI JOIN {0} USING (_n)", "equal_held ANTI JOIN {0} USING (_content, number)"
    steps = [
        "CREATE OR REPLACE TEMP TABLE equal_held AS"
        f" SELECT _content, {number} AS number, arg_max({customer}, (known_at, _version)) AS who FROM {held} AS held"
        f" WHERE {unkeyed} AND _content IN (SELECT _content FROM staged WHERE NOT _keyed) GROUP BY ALL",
        f"CREATE OR REPLACE TEMP TABLE equal_staged AS SELECT _n, _content, {customer} AS who FROM staged"
        f" WHERE NOT _keyed AND (_content IN ({one_each}) OR _content IN (SELECT _content FROM equal_held))",
    ]
    query = (
        "CREATE OR REPLACE TEMP TABLE repeated AS WITH "
        f"same_buyer AS (WITH i AS (SELECT *, row_number() OVER (PARTITION BY _content, who ORDER BY _n) AS k"
        " FROM equal_staged), h AS (SELECT *, row_number() OVER (PARTITION BY _content, who ORDER BY number) AS k"
        f" FROM equal_held) SELECT i._n, i._content, h.number FROM i JOIN h ON h._content = i._content AND h.k = i.k"
        " AND h.who IS NOT DISTINCT FROM i.who), "
        f"of_any AS (WITH i AS (SELECT *, {k} _n) AS k FROM {left_i.format('same_buyer')} WHERE who IS NULL),"
        f" h AS (SELECT *, {k} number) AS k FROM {left_h.format('same_buyer')})"
        " SELECT i._n, i._content, h.number FROM i JOIN h ON h._content = i._content AND h.k = i.k), "
        f"first_two AS (SELECT * FROM same_buyer UNION ALL SELECT * FROM of_any), "
        f"for_any AS (WITH i AS (SELECT *, {k} _n) AS k FROM {left_i.format('first_two')}),"
        f" h AS (SELECT *, {k} number) AS k FROM {left_h.format('first_two')} WHERE who IS NULL)"
        " SELECT i._n, i._content, h.number FROM i JOIN h ON h._content = i._content AND h.k = i.k), "
        f"known AS (SELECT * FROM first_two UNION ALL SELECT * FROM for_any) "
        "SELECT _n, number AS occurrence FROM known UNION ALL"
        f" SELECT _n, coalesce(last, 0) + {k} _n) FROM {left_i.format('known')}"
        " LEFT JOIN (SELECT _content, max(number) AS last FROM equal_held GROUP BY _content) USING (_content)"
    )
    return [*steps, query]


def numbered(table: Table, some_without_key: bool, some_stored: bool) -> Sequence[str]:
    """Makes `incoming` of `staged` (and `repeated`): with `_from` (valid_from, or always), and with the number among
    equal rows in the id of a row without a key.

    Events without a key that say again what a stored version says are left out here, now that they have a name.
    """
    if not some_without_key:
        return [f"CREATE OR REPLACE TEMP VIEW incoming AS SELECT *, {valid_from(table)} AS _from FROM staged"]
    row_id = "CASE WHEN _keyed THEN row_id ELSE row_id || '.' || coalesce(occurrence, 1) END"
    rows = (
        f"SELECT staged.* REPLACE ({row_id} AS row_id), {valid_from(table)} AS _from"
        " FROM staged LEFT JOIN repeated USING (_n)"
    )
    if table.kind == "event" and some_stored:
        rows = (
            f"SELECT * FROM ({rows}) AS i ANTI JOIN {chain_table(table)} AS s ON s.row_id = i.row_id"
            " AND s._content = i._content AND (i._known_at_assumed OR i.known_at = s.known_at)"
        )
    return [
        f"CREATE OR REPLACE TEMP TABLE named AS {rows}",
        "CREATE OR REPLACE TEMP VIEW incoming AS SELECT * FROM named",
    ]


def lacks_key() -> str:
    """Whether any of `staged` has no key of its own."""
    return "SELECT coalesce(bool_or(NOT _keyed), false) FROM staged"


def counted(some_stored: bool) -> str:
    """How many rows `incoming` has, and whether any of them may be `contested`."""
    some_contested = "count(*) > 0" if some_stored else "count(DISTINCT hash(row_id)) < count(*)"
    return f"SELECT count(*), {some_contested} FROM incoming"


def contested(table: Table, some_stored: bool) -> str:
    """The incoming rows whose fact the ledger knows already, or that share it with another incoming row.

    Ids are compared by a hash, which takes a third of the time and memory; a row that comes in by an accident of hashes
    is judged like any other, as new.
    """
    known = f" OR hash(row_id) IN (SELECT hash(row_id) FROM {chain_table(table)})" if some_stored else ""
    return (
        "CREATE OR REPLACE TEMP TABLE contested AS"
        " SELECT _n, row_id, _from, _content, known_at, _known_at_assumed FROM incoming"
        " WHERE hash(row_id) IN (SELECT hash(row_id) AS h FROM incoming GROUP BY h HAVING count(*) > 1)" + known
    )


def stored(table: Table, source: str) -> str:
    """The versions that the ledger has of the contested facts. source: whose rows come in."""
    return (
        "CREATE OR REPLACE TEMP TABLE stored AS"
        f" SELECT row_id, {valid_from(table)} AS _from, _content, known_at, _version, _withdrawn,"
        f" coalesce(starts_with(_came_from, '{BY_HAND}'), false) AS _by_hand,"
        f" coalesce(_came_from = {text_sql(source)}, false) AS _own"
        f" FROM {chain_table(table)}"
        " LEFT JOIN (SELECT ingest AS _of_ingest, source AS _came_from FROM ingests) ON _of_ingest = _ingest"
        " WHERE row_id IN (SELECT row_id FROM contested)"
    )


def verdicts(table: Table, history: Literal["declared", "live"], arrived_at: datetime, whole: bool) -> str:
    """What each contested row is: 'new' (with its version number), 'known' or 'conflict'; 'overtaken' where it says
    again what its source said last, and another said otherwise since; 'agreed' where its source comes to say what
    another said, which is kept as a version of its own, at the other's moment, so that what the source says later is
    held against it. whole: also where the source never spoke of it.

    A master row without known_at: since ever where its key is new, or where the same source gives dated versions of
    it (it is the one before them); else it arrived now; it says nothing new by saying again what its source said
    last, or what files said before somebody wrote otherwise by hand. An event whose known_at is assumed says nothing
    new by saying again what any version said.
    """
    known_at, said_again, agrees = _rules(table, history, arrived_at, whole)
    return f"""
        CREATE OR REPLACE TEMP TABLE verdicts AS
        WITH latest AS (
            SELECT row_id, _from, known_at, _content, _withdrawn, _by_hand, _own,
                max(_version) OVER (PARTITION BY row_id, _from) AS _version
            FROM stored
            QUALIFY row_number() OVER (PARTITION BY row_id, _from ORDER BY known_at DESC, _version DESC) = 1
        ), dated AS (
            SELECT c.* EXCLUDE (known_at), {known_at} AS k, c.known_at IS NULL AS was_undated FROM contested c
        ), in_force AS (
            SELECT dated._n,
                coalesce(
                    arg_max(s._content, (s.known_at, s._version)) FILTER (s.known_at <= k),
                    arg_min(s._content, (s.known_at, s._version))
                ) AS _content,
                bool_or(s._content = dated._content) AS said,
                coalesce(
                    arg_max(s._content, (s.known_at, s._version)) FILTER (NOT s._by_hand) = any_value(dated._content),
                    false
                ) AS said_by_file,
                arg_max(s._content, (s.known_at, s._version)) FILTER (s._own) AS own_content
            FROM dated JOIN stored AS s ON s.row_id = dated.row_id AND s._from = dated._from
            GROUP BY dated._n
        ), judged AS (
            SELECT dated.*, coalesce(latest._version, 0) AS stored_version,
                CASE WHEN latest._withdrawn AND NOT _known_at_assumed THEN NULL ELSE latest._content END
                    AS stored_content,
                latest.known_at AS latest_known, own_content, coalesce(latest._own, true) AS latest_own,
                coalesce(latest._withdrawn, false) AS latest_withdrawn,
                CASE
                    WHEN latest.row_id IS NULL THEN 'open'
                    WHEN {said_again} THEN
                        CASE WHEN latest._withdrawn OR latest._content = dated._content OR {table.kind == "event"}
                            THEN 'known' ELSE 'overtaken' END
                    WHEN k > latest.known_at THEN 'open'
                    WHEN in_force._content = dated._content THEN 'known'
                    ELSE 'conflict'
                END AS verdict
            FROM dated
            LEFT JOIN latest ON latest.row_id = dated.row_id AND latest._from = dated._from
            LEFT JOIN in_force ON in_force._n = dated._n
        ), at_one_moment AS (
            SELECT *,
                row_number() OVER (PARTITION BY row_id, _from, k ORDER BY _n) AS place,
                first_value(_content) OVER (PARTITION BY row_id, _from, k ORDER BY _n) AS first_content
            FROM judged WHERE verdict = 'open'
        ), in_line AS (
            SELECT *, lag(_content, 1, stored_content) OVER (PARTITION BY row_id, _from ORDER BY k) AS before,
                row_number() OVER (PARTITION BY row_id, _from ORDER BY k) = 1 AS is_first
            FROM at_one_moment WHERE place = 1
        ), told AS (
            SELECT *, before IS DISTINCT FROM _content AS is_news, {agrees} AS agrees FROM in_line
        )
        SELECT _n, row_id, k, verdict, NULL::INTEGER AS version FROM judged WHERE verdict <> 'open'
        UNION ALL
        SELECT _n, row_id, k, CASE WHEN _content = first_content THEN 'known' ELSE 'conflict' END, NULL
        FROM at_one_moment WHERE place > 1
        UNION ALL
        SELECT _n, row_id, k, 'known', NULL FROM told WHERE NOT is_news AND NOT agrees
        UNION ALL
        SELECT _n, row_id, CASE WHEN is_news THEN k ELSE latest_known END,
            CASE WHEN is_news THEN 'new' ELSE 'agreed' END,
            stored_version + row_number() OVER (PARTITION BY row_id, _from ORDER BY k)
        FROM told WHERE is_news OR agrees
    """


def _rules(
    table: Table, history: Literal["declared", "live"], arrived_at: datetime, whole: bool
) -> tuple[str, str, str]:
    """SQL of what is another for events than for master rows: when a row of `contested` is known; whether it says again
    what was said; whether it comes to say what another source said."""
    if table.kind == "event":
        return "c.known_at", "_known_at_assumed AND said", "false"
    undated = moment_sql(arrived_at)
    if history == "declared":
        undated = (
            "CASE WHEN c.row_id NOT IN (SELECT row_id FROM stored)"
            " OR bool_or(c.known_at IS NOT NULL) OVER (PARTITION BY c.row_id, c._from)"
            f" THEN {moment_sql(SINCE_EVER)} ELSE {undated} END"
        )
    said_again = (
        "was_undated AND NOT latest._own AND coalesce(own_content = dated._content, latest._by_hand AND said_by_file)"
    )
    agrees = (
        "was_undated AND is_first AND before = _content AND NOT latest_own AND NOT latest_withdrawn"
        f" AND coalesce(own_content <> _content, {whole})"
    )
    return f"coalesce(c.known_at, {undated})", said_again, agrees


def overtaken(table: Table, most: int) -> str:
    """The first incoming rows whose source says again what it said last, while another said otherwise since: their
    columns, and under the same names with `since_` before those of the version that holds."""
    columns = [quoted(name) for name in table.columns if name != "known_at"]
    since = ", ".join(f"s.{quoted(name)} AS {quoted(f'since_{name}')}" for name in table.columns if name != "known_at")
    return (
        f"SELECT i._n, i._source_row, i.row_id, {', '.join(f'i.{name}' for name in columns)}, {since},"
        " s._came_from AS _since_source"
        " FROM (SELECT incoming.* FROM incoming JOIN verdicts USING (_n) WHERE verdict = 'overtaken'"
        f" ORDER BY _n LIMIT {most}) AS i"
        f" JOIN (SELECT *, {valid_from(table)} AS _held_from FROM {chain_table(table)}"
        "  LEFT JOIN (SELECT ingest AS _of_ingest, source AS _came_from FROM ingests) ON _of_ingest = _ingest"
        "  WHERE row_id IN (SELECT row_id FROM verdicts WHERE verdict = 'overtaken')"
        "  QUALIFY row_number() OVER (PARTITION BY row_id, _held_from ORDER BY known_at DESC, _version DESC) = 1"
        " ) AS s ON s.row_id = i.row_id AND s._held_from = i._from ORDER BY i._n"
    )


def insertion(
    table: Table, history: Literal["declared", "live"], arrived_at: datetime, ingest: int, judged: bool
) -> str:
    """Adds the incoming rows that are new facts, and, where some were `judged`, new versions and those that agree."""
    if not judged:
        return _insertion(table, history, arrived_at, ingest, "incoming")
    undated, own = _undated(history, arrived_at), _own(table)
    return _insertion_head(table) + (
        f"SELECT incoming.row_id, _content, coalesce(version, 1), _known_at_assumed, false, {ingest}, _source_row,"
        f" coalesce(k, known_at, {undated}), {own} FROM incoming LEFT JOIN verdicts USING (_n)"
        " WHERE verdict IS NULL OR verdict IN ('new', 'agreed')"
    )


def insertion_at_once(
    table: Table, given: Sequence[str], history: Literal["declared", "live"], arrived_at: datetime, ingest: int
) -> str:
    """Adds all rows of `incoming_arrow`, which has the columns `given`, as new facts."""
    return _insertion(table, history, arrived_at, ingest, f"({_whole(table, given)})")


def _insertion(table: Table, history: Literal["declared", "live"], arrived_at: datetime, ingest: int, rows: str) -> str:
    return _insertion_head(table) + (
        f"SELECT row_id, _content, 1, _known_at_assumed, false, {ingest}, _source_row,"
        f" coalesce(known_at, {_undated(history, arrived_at)}), {_own(table)} FROM {rows}"
    )


def _insertion_head(table: Table) -> str:
    return (
        f"INSERT INTO {chain_table(table)} (row_id, _content, _version, _known_at_assumed, _withdrawn, _ingest,"
        f" _source_row, known_at, {_own(table)}) "
    )


def _own(table: Table) -> str:
    return ", ".join(quoted(name) for name in table.columns if name != "known_at")


def _undated(history: Literal["declared", "live"], arrived_at: datetime) -> str:
    """When a new fact is known that does not say it."""
    return moment_sql(SINCE_EVER if history == "declared" else arrived_at)


def valid_from(table: Table) -> str:
    """SQL of the day from which a row's chain of versions holds."""
    return "coalesce(valid_from, '-infinity'::DATE)" if table.kind == "master" else "'-infinity'::DATE"


def named_by(table: Table, ids: Sequence[str]) -> tuple[str, list[list[str]]]:
    """SQL that holds for the rows of these ids, and its parameters. 'lines:L' is every version of a row,
    'lines:L (2026-02-02)' the one that holds from that day on."""
    own = "row_id IN (SELECT unnest(?))"
    if table.kind == "event":
        return own, [list(ids)]
    return f"({own} OR {_VERSION_NAME} IN (SELECT unnest(?)))", [list(ids), list(ids)]


# A version of a master row that has a first day, by its name.
_VERSION_NAME = "row_id || ' (' || valid_from || ')'"


def gone(held: str) -> str:
    """Which of the rows `held` (SQL of row_id and _from) `incoming` does not name: of a row that it does not name at
    all its id, else the versions that begin after the first one it names, and so hold in place of what it says."""
    return (
        "SELECT DISTINCT CASE WHEN i.earliest IS NULL THEN row_id ELSE row_id || ' (' || _from || ')' END AS name"
        f" FROM ({held} EXCEPT SELECT row_id, _from FROM incoming)"
        " LEFT JOIN (SELECT row_id, min(_from) AS earliest FROM incoming GROUP BY row_id) AS i USING (row_id)"
        " WHERE i.earliest IS NULL OR i.earliest < _from ORDER BY name"
    )


def text_sql(text: str) -> str:
    """A text as an SQL literal."""
    return "'" + text.replace("'", "''") + "'"


def moment_sql(moment: datetime) -> str:
    """A moment as an SQL literal."""
    return f"TIMESTAMPTZ '{moment.isoformat()}'"
