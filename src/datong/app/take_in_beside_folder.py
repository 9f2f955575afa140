"""Rows that come in beside the folder: a file, a quarantined row that is tried again, a row that does not hold."""

import json
from collections.abc import Callable, Collection, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import datetime
from difflib import get_close_matches
from pathlib import Path
from shutil import copy2, copytree
from tempfile import TemporaryDirectory

import pyarrow as pa
import pyarrow.compute as pc

from datong.app.clock import clock, clock_findings, default_as_of, today
from datong.app.receipts_of_orders import receipts_against_orders
from datong.app.vanished_order_lines import since_then, told_of_vanished
from datong.app.wiring import Opened
from datong.connectors.exports.as_news import INTEREST_AGAIN, LINE_KEYS, REFUSE, coming_in, whose_interest
from datong.connectors.exports.count_sheet import read_counts
from datong.connectors.exports.last_bucket import sales_of_chain
from datong.connectors.exports.matching.by_known_lines import told_by_lines, with_aliases
from datong.connectors.exports.matching.decide import ALL as SAME_ALL
from datong.connectors.exports.matching.decide import KEY as SAME_KEY
from datong.connectors.exports.matching.decide import decide
from datong.connectors.exports.number_columns import BY_SIGN
from datong.connectors.exports.order_line_keys import KEY, LINES, ORDERS, ROWS
from datong.connectors.exports.our_tables import APART, MARKETS
from datong.connectors.exports.own_order_numbers import KIND, RECEIPTS, is_of_receipts
from datong.connectors.exports.price_units_amount import share_a_sign
from datong.connectors.exports.profiles import PROFILES_FOLDER, Profile, profiles_of
from datong.connectors.exports.questions import ANSWERS_FILE, asked, read_answers, refuse_unasked, write_answers
from datong.connectors.exports.read_grids import Grids
from datong.connectors.exports.reading import read_from
from datong.connectors.exports.result import Reading
from datong.connectors.exports.zones import ZONE
from datong.connectors.files.customer_keys import CustomerKeys
from datong.connectors.files.folder import STEPS, SourceRows
from datong.connectors.files.known_products import KnownProducts
from datong.connectors.files.mapping import apply_mapping, read_mapping
from datong.connectors.files.read import (
    WORKBOOK_SUFFIXES,
    RawSource,
    Source,
    UnreadableError,
    open_sources,
    whole_source,
)
from datong.connectors.files.slash_dates import SlashDates
from datong.connectors.files.without_plain_customers import Guarded
from datong.ledger.customer_tokens import may_name
from datong.ledger.product_aliases import ALIASES, products_by_alias
from datong.ledger.protocol import END_OF_TIME, IngestReport
from datong.ledger.row_checks import ROW, Checked, column_name, gathered, last_recorded_day
from datong.ledger.units import UNITS, Conversions
from datong.ledger.verdicts import BY_HAND
from datong.model.calendar import zone_word
from datong.model.errors import BadInput, NotFound
from datong.model.findings import Finding, finding, has_errors
from datong.model.settings import ChainSettings
from datong.model.tables import ACTED_AT, Table, tables
from datong.model.words import Message, message

# Rows of the quarantine that are tried again in one go.
RETRIED_AT_ONCE = 50_000

# Tables of which an export of orders has rows.
_OF_ORDERS = ("sales", "returns")
# Tables whose names shops give to their exports, too.
OF_SHOPS = ("orders", "sales", "returns", "reviews", "interest", "promotions", "prices")
# Most lines that a note names.
MOST_NAMED = 3
# How like the name of a table the name of a file is that is taken for a slip.
MISTYPED = 0.85


@dataclass(frozen=True)
class Taken:
    """What became of a file: a report for each table it fed, and every finding. reading: of a sales export."""

    reports: tuple[IngestReport, ...]
    findings: tuple[Finding, ...]
    reading: Reading | None = None


def ingest(
    at: Opened,
    file: Path,
    table: str | None,
    mapping: Path | None,
    on_rows: Callable[[str, int], None],
    told: Collection[Finding],
) -> Taken:
    """See `Chain.ingest`. told: findings of the clock that were told when the chain was opened."""
    sources, findings = open_sources(file)
    parts: list[tuple[str, Source]] = []
    if mapping is None:
        parts = [(table or Path(source.name).stem, source) for source in sources]
    else:
        rules, problems = read_mapping(mapping)
        findings = [*findings, *problems]
        for source in sources:
            try:
                mapped, problems = apply_mapping(rules, whole_source(source))
            except UnreadableError as unreadable:
                findings.append(unreadable.found)
                continue
            findings = [*findings, *source.findings, *problems]
            parts += [(name, Source(part)) for name, part in mapped]
    if not parts:
        raise BadInput(message("app.cannot_ingest", file=str(file)), findings)
    unknown = [name for name, _ in parts if name not in tables()]
    if unknown:
        raise BadInput(message("app.unknown_table", table=", ".join(unknown), tables=", ".join(tables())), findings)
    return _take_in(at, file, parts, findings, on_rows, told, hides=mapping is not None)


def ingest_export(
    at: Opened,
    file: Path,
    grids: Grids,
    answers: Mapping[str, str],
    on_rows: Callable[[str, int], None],
    told: Collection[Finding],
    to_ask: Collection[str] = (),
) -> Taken:
    """Take an export in: its sales and returns with those of its products that are new, or its reviews or interest; its
    products as those of the chain, where they are such. Answers are kept. grids: what is in the file. to_ask:
    questions that are answered, which it must ask. A file of goods that arrived for the chain's own orders is one of
    receipts."""
    orders = at.ledger.state(END_OF_TIME, ("orders",)).table("orders")["order"].to_pylist()
    is_receipts, open_ = is_of_receipts(grids, file.name, orders, answers)
    if open_:
        raise asked(open_)
    if is_receipts:
        return ingest(at, file, RECEIPTS, None, on_rows, told)
    answers = {key: name for key, name in answers.items() if key != KIND or not orders}
    to_ask = [key for key in to_ask if key in answers]
    return _ingest_sales(at, file, grids, answers, on_rows, told, to_ask)


def _ingest_sales(
    at: Opened,
    file: Path,
    grids: Grids,
    answers: Mapping[str, str],
    on_rows: Callable[[str, int], None],
    told: Collection[Finding],
    to_ask: Collection[str],
) -> Taken:
    """See `ingest_export`: of what is sold, or heard of it."""
    sales = at.ledger.state(END_OF_TIME, ("sales",)).table("sales")
    kept = _as_the_chain(read_answers(at.folder), sales, answers)
    profiles = own_profiles(at.folder)
    calendar = at.settings.calendar
    reading = read_from(
        grids, file.name, {**kept, **answers}, at.settings.country, profiles=profiles,
        today=today(at.now, at.settings), chain=sales_of_chain(sales, calendar.zone.key, calendar.bucket_days),
    )  # fmt: skip
    reading = _in_the_chains_money(reading, at.settings.currency)
    reading = replace(reading, notes=tuple(_by_the_chains_clock(note, at.settings) for note in reading.notes))
    if reading.missing:
        key = "app.cannot_tell_columns" if reading.columns else "app.cannot_ingest"
        raise BadInput(message(key, file=str(file)), reading.findings)
    held = at.ledger.state(END_OF_TIME, ("products", *LINE_KEYS))
    before = (held.table(name) for name in ("sales", "products", ALIASES))
    told_so = told_by_lines(reading, *before, {**kept, **answers})
    reading = told_so.reading
    decided = decide(reading, held.table("products"), held.table(ALIASES), answers, kept)
    decided = replace(
        decided,
        aliases=with_aliases(decided.aliases, told_so, file.name),
        questions=(*told_so.questions, *decided.questions),
    )
    again = whose_interest(reading, held, answers)
    left = not_asked({key: answers[key] for key in to_ask}, kept, reading.used)
    refuse_unasked(to_ask, set(to_ask) - {*left}, (*reading.questions, *decided.questions, *again))
    if reading.questions or decided.questions or again:
        raise asked((*reading.questions, *decided.questions, *again))
    if answers.get(INTEREST_AGAIN) == REFUSE:
        raise BadInput(message("app.cannot_ingest", file=str(file)), reading.findings)
    if decided.refused:
        raise BadInput(message("matching.refused", codes=", ".join(decided.refused)), reading.findings)
    if decided.moved and reading.part("sales") is not None and reading.lines.keys is None:
        pairs = ", ".join(f"{code} ({product})" for code, product in decided.moved.items())
        raise BadInput(message("matching.cannot_move", codes=pairs), reading.findings)
    now = clock(at)
    coming = coming_in(reading, decided, held, now, at.now())
    others_codes = any(code != product for code, product in decided.by_alias.items())
    since = since_then(at, held.table("sales"), reading, others_codes)
    no_more = _without_what_came_back(since.no_more, held.table("returns"))
    findings = [
        *coming.reading.findings,
        *decided.findings,
        *_told_of_lines(file.name, coming.known, no_more),
        *_told_of_corrections(file.name, coming.corrected),
        *told_of_vanished(at, file.name, since),
    ]
    if reading.currency not in (None, at.settings.currency):
        findings.append(
            finding("warning", "export.other_currency", file.name, theirs=reading.currency, ours=at.settings.currency)
        )
    if not coming.parts and not any(coming.known.values()):
        raise BadInput(message("app.cannot_ingest", file=str(file)), reading.findings)
    parts = [(name, Source(source)) for name, source in coming.parts]
    taken = Taken((), tuple(findings))
    if parts:
        taken = _take_in(at, file, parts, findings, on_rows, told, moves=True, hides=True)
    taken = replace(taken, reports=tuple(_with_known(one, coming.known.get(one.table, 0)) for one in taken.reports))
    if no_more:
        at.ledger.withdraw("sales", [f"sales:{key}" for key in no_more], now, by=at.by)
    others = {key: value for key, value in kept.items() if not key.startswith(SAME_KEY)}
    write_answers(at.folder, {**others, **reading.kept, **decided.kept})
    return replace(taken, reading=coming.reading)


def _without_what_came_back(no_more: Sequence[str], returns: pa.Table) -> list[str]:
    """Lines that a file has as no sale any more, without those that came back, as the chain knows: they were sold."""
    back = {key for column in ("return", "sale") for key in returns[column].to_pylist()}
    return [key for key in no_more if key not in back]


def not_asked(given: Mapping[str, str], kept: Mapping[str, str], met: Collection[str]) -> list[str]:
    """Answers to questions that no file asked, by key. kept: what is answered already. met: questions that files did
    ask. Those of what the chain holds, which product a code is and whose interest is counted, may always be answered.
    """
    beside = (SAME_ALL, INTEREST_AGAIN)
    return [
        key for key, name in given.items()
        if key not in met and kept.get(key) != name and key not in beside and not key.startswith(SAME_KEY)
    ]  # fmt: skip


def _as_the_chain(kept: dict[str, str], sales: pa.Table, given: Mapping[str, str]) -> dict[str, str]:
    """Answers, with those that the sales of the chain give where nobody says otherwise: markets apart where they are by
    market; lines known by their order, or by their content, where they are."""
    said = {**kept, **given}
    if {MARKETS, LINES} <= said.keys() or not sales.num_rows:
        return kept
    if MARKETS not in said and pc.any(pc.not_equal(sales["market"], "all")).as_py():
        kept = {**kept, MARKETS: APART}
    if LINES not in said:
        by_order = pc.any(pc.match_substring_regex(sales["sale"], f"^[^/].*{KEY.pattern}")).as_py()
        by_day = pc.any(pc.match_substring_regex(sales["sale"], f"^{KEY.pattern}")).as_py()
        kept = kept if by_day and not by_order else {**kept, LINES: ORDERS if by_order else ROWS}
    return kept


def own_profiles(folder: Path | None) -> tuple[Profile, ...]:
    """The profiles that exports are read by in a chain folder, its own first. Raises BadInput with all that is wrong
    with its own."""
    profiles, wrong = profiles_of(folder)
    if wrong:
        raise BadInput(message("app.bad_profiles"), wrong)
    return profiles


def ingest_counts(
    at: Opened, file: Path, on_rows: Callable[[str, int], None], told: Collection[Finding]
) -> tuple[Taken, int, int]:
    """Take a count sheet in: what became of it, how many products it counts, and how many rows are not filled in. A
    count without a day is of the last day of what is known. Raises BadInput with all that is wrong with it."""
    products = at.ledger.state(END_OF_TIME, ("products",)).table("products")
    units = dict(zip(products["product"].to_pylist(), products["base_unit"].to_pylist(), strict=True))
    day = default_as_of(at).astimezone(at.settings.calendar.zone).date()
    rows, count, empty = read_counts(file, frozenset(units), day, units)
    taken = _take_in(at, file, [("stock", rows)], [], on_rows, told) if count else Taken((), ())
    return taken, count, empty


def _told_of_corrections(source: str, lines: Sequence[tuple[str, float, float]]) -> Iterator[Finding]:
    if lines:
        some = [f"{key} ({before:,.10g} → {now:,.10g})" for key, before, now in lines[:MOST_NAMED]]
        text = ", ".join(some) + (" …" if len(lines) > MOST_NAMED else "")
        yield finding("note", "export.corrected", source, count=len(lines), lines=text)


def _with_known(report: IngestReport, known: int) -> IngestReport:
    """What became of all rows of a table: those too that did not go in, since the ledger holds them as they are."""
    return replace(report, rows=report.rows + known, known=report.known + known)


def _told_of_lines(source: str, known: Mapping[str, int], no_more: Sequence[str]) -> Iterator[Finding]:
    for table, count in known.items():
        if count and table in _OF_ORDERS:
            what = message(f"export.lines_of.{table}", count=count)
            yield finding("note", "export.known", source, what=what)
        elif count:
            yield finding("note", "heard.known", source, count=count)
    if no_more:
        yield finding("note", "export.no_more", source, count=len(no_more), line=no_more[0])


def take_in_parts(at: Opened, name: Path, parts: Sequence[tuple[str, Source]]) -> Taken:
    """Take tables in hand in, by name. Raises BadInput where none of them can be used."""
    return _take_in(at, name, parts, (), lambda _table, _rows: None, ())


def of_tables(file: Path) -> tuple[bool, str | None]:
    """Whether a file is of tables of ours, by its name or columns; of which one, where only its columns say so."""
    sources, _ = open_sources(file)
    if _is_called_like_tables(file, sources):
        return True, None
    table = table_by_columns(sources)
    return table is not None, table


def _is_called_like_tables(file: Path, sources: Sequence[Source]) -> bool:
    """Whether a file, or a sheet of it, is called like a table, or like one that is mistyped; a name with a number in
    it, orders-2, is one that a shop gives, and so is orders or sales without the columns of that table."""
    names = [file.stem]
    if file.suffix.lower() in WORKBOOK_SUFFIXES:
        names += [source.name.rpartition("/")[2] for source in sources]
    elif sources and (of_shops := _nearest(file.stem, OF_SHOPS)) and not _has_columns_of(of_shops, sources[0]):
        return False
    typed = [name for name in names if name.replace("_", "").isalpha()]
    return any(name in tables() for name in names) or any(_nearest(name, tables()) is not None for name in typed)


def table_by_columns(sources: Sequence[Source]) -> str | None:
    """The table whose columns a file of another name has, and no others; None where that is not sure. sources: of it.

    All of its columns are columns of one table alone, all that the table needs are there, and one of them is a name
    that only our tables have (happened_at), so that no shop's list with product and price is taken for ours.
    """
    if len(sources) != 1:
        return None
    headers = sources[0].columns
    found = [table.name for table in tables().values() if _is_all_of(table, headers)]
    return found[0] if len(found) == 1 and any("_" in header.strip() for header in headers) else None


def _is_all_of(table: Table, headers: Sequence[str]) -> bool:
    there = [column_name(table, header) for header in headers]
    return set(there) <= set(table.columns) and set(table.required_columns) <= set(there)


def _nearest(name: str, known: Collection[str]) -> str | None:
    """The name that one is, or is mistyped of; None where it is far from all."""
    return next(iter(get_close_matches(name, known, 1, MISTYPED)), None)


def _has_columns_of(name: str, source: Source) -> bool:
    """Whether at least half of the columns that a table needs are there."""
    table = tables()[name]
    there = {column_name(table, header) for header in source.columns}
    needed = [column.name for column in table.columns.values() if column.required]
    return 2 * sum(column in there for column in needed) >= len(needed)


def _in_the_chains_money(reading: Reading, ours: str) -> Reading:
    """A reading of which a bare sign tells the currency, in that of the chain where it has the same sign."""
    notes = tuple(note for note in reading.notes if note.key != BY_SIGN)
    if len(notes) == len(reading.notes) or not share_a_sign(reading.currency or "", ours):
        return reading
    return replace(reading, currency=ours, notes=notes)


def _by_the_chains_clock(note: Message, settings: ChainSettings) -> Message:
    """What is said of a file's offsets, of a chain that has its time zone already."""
    if note.key != ZONE:
        return note
    return message("export.zone_kept", zone=zone_word(settings.time_zone), offsets=dict(note.params)["offsets"])


def _take_in(
    at: Opened,
    file: Path,
    parts: Sequence[tuple[str, Source]],
    findings: Sequence[Finding],
    on_rows: Callable[[str, int], None],
    told: Collection[Finding],
    *,
    moves: bool = False,
    hides: bool = False,
) -> Taken:
    """Check the tables of a file and take them in, those first that others refer to. moves: rows that came in under a
    code go along, where that is an alias now. hides: the file has other columns than these tables: what of it could not
    be read may name a customer."""
    findings = list(findings)
    arrived_at = clock(at)
    order = list(tables())
    reports = []
    of_receipts = ("orders", RECEIPTS) if any(name == RECEIPTS for name, _ in parts) else ()
    before = at.ledger.state(END_OF_TIME, of_receipts) if of_receipts else None
    hides = hides or any(may_name(tables()[name], source.columns) for name, source in parts)
    for name, source in sorted(parts, key=lambda part: order.index(part[0])):
        is_settled = moves and name == ALIASES
        rows = checked(
            at, name, source, lambda count, name=name: on_rows(name, count), hides=hides, is_settled=is_settled
        )
        try:
            reports.append(at.ledger.take_in(name, rows, file.name, arrived_at, by=at.by))
        except UnreadableError as unreadable:
            findings.append(unreadable.found)
    if not reports:
        raise BadInput(message("app.cannot_ingest", file=str(file)), findings)
    if before is not None:
        findings += receipts_against_orders(before, at.ledger.state(END_OF_TIME, of_receipts), file.name)
    ahead = [f for f in clock_findings(at) if f not in told]
    findings = [*findings, *(f for report in reports for f in report.findings), *ahead]
    return Taken(tuple(reports), tuple(findings))


def checked(
    at: Opened,
    name: str,
    source: Source,
    on_rows: Callable[[int], None] = lambda _rows: None,
    *,
    hides: bool = False,
    is_settled: bool = False,
) -> SourceRows:
    """Rows against the rules of their table, and against what the ledger knows of the things they point to. hides: what
    of the source could not be read may name a customer, also where this part of it has none. is_settled: what the rows
    point to was looked up before."""
    targets = {c.refers_to for c in tables()[name].columns.values() if c.refers_to is not None}
    everything = at.ledger.state(END_OF_TIME, {"products", "unit_conversions", ALIASES, STEPS, *targets})
    known = {"products": everything.table("products")["product"].combine_chunks()}
    for target in targets:
        if everything.table(target).num_rows:
            known[target] = everything.table(target)[tables()[target].key[0]].combine_chunks()
    if "recipes" in known and name != STEPS:
        steps = everything.table(STEPS)["step"].combine_chunks()
        known["recipes"] = pa.concat_arrays([known["recipes"], steps])
    conversions = everything.versions("unit_conversions")
    known[UNITS] = Conversions.of(everything.table("products"), conversions).as_array()
    last_day = last_recorded_day(today(at.now, at.settings), at.settings)
    known = {} if is_settled else known
    ours = KnownProducts(tables()[name], source, products_by_alias(everything.table(ALIASES)))
    dated = Guarded(tables()[name], SlashDates(tables()[name], ours), at.customers, hides=hides)
    return SourceRows(tables()[name], dated, at.settings, known, on_rows=on_rows, last_day=last_day)


def write_rows(at: Opened, table: str, rows: Sequence[Mapping[str, str]], source: str) -> Taken:
    """See `Chain.write_rows`. A file of the folder that says again what it said before does not take it back."""
    source = f"{BY_HAND} {source}".strip()
    moment = clock(at)
    found = _by_hand(at, table, rows, source, moment)
    if has_errors(found.findings):
        raise BadInput(message("app.rows_rejected", table=table), found.findings)
    report = at.ledger.ingest(table, found.rows, found.rejected, found.findings, source, moment, by=at.by)
    return Taken((report,), (*found.findings, *report.findings))


def check_rows(at: Opened, table: str, rows: Sequence[Mapping[str, str]]) -> tuple[Finding, ...]:
    """See `Chain.check_rows`."""
    return tuple(_by_hand(at, table, rows, BY_HAND, clock(at)).findings)


def _by_hand(at: Opened, table: str, rows: Sequence[Mapping[str, str]], source: str, moment: datetime) -> Checked:
    """Rows that somebody writes by hand, just now, against the rules of their table."""
    when = {"known_at": moment.isoformat()}
    if ACTED_AT in tables()[table].columns:
        when[ACTED_AT] = at.now().isoformat()
    told = [{**row, **when} for row in rows]
    names = list(dict.fromkeys(name for row in told for name in row))
    columns = {name: pa.array([row.get(name) or None for row in told], pa.string()) for name in names}
    raw = RawSource(source, pa.table({ROW: pa.array(range(1, len(told) + 1), pa.int64()), **columns}))
    return gathered(checked(at, table, Source(raw, commas_group=False)))


def withdraw(at: Opened, table: str, row_ids: Sequence[str]) -> int:
    """Say that rows of the ledger do not hold, from now on. Earlier moments still see them. Returns how many.

    row_ids: 'lines:L' with all its versions, or 'lines:L (2026-02-02)' the one that holds from that day on.

    Raises NotFound for ids that the table does not hold.
    """
    if table not in tables():
        raise NotFound(message("app.unknown_table", table=table, tables=", ".join(tables())))
    held = at.ledger.state(END_OF_TIME, (table,)).versions(table)
    days = held["valid_from"].to_pylist() if "valid_from" in held.column_names else [None] * held.num_rows
    ids = held["row_id"].to_pylist()
    known = {*ids, *(f"{row_id} ({day})" for row_id, day in zip(ids, days, strict=True))}
    unknown = [row_id for row_id in row_ids if row_id not in known]
    if unknown:
        raise NotFound(message("app.no_row", table=table, rows=", ".join(unknown)))
    return at.ledger.withdraw(table, row_ids, clock(at), by=at.by)


def retry_quarantine(at: Opened) -> tuple[IngestReport, ...]:
    """Try quarantined rows again, as they were; what is now right leaves the quarantine in the same transaction.

    One report for each table and source; of many rows so many at a time, each lot in a transaction of its own.
    """
    arrived_at = clock(at)
    reports: dict[tuple[str, str], IngestReport] = {}
    for (table, source), ids in _lots(at.ledger.waiting()):
        held = at.ledger.quarantined(ids).sort_by("row").to_pylist()
        raw = [json.loads(row["raw"]) for row in held]
        names = list(dict.fromkeys(name for row in raw for name in row))
        columns = {name: pa.array([_as_text(row.get(name)) for row in raw], pa.string()) for name in names}
        numbers = pa.array([row["row"] for row in held], pa.int64())
        rows = RawSource(source, pa.table({ROW: numbers, **columns}))
        found = gathered(checked(at, table, Source(rows, commas_group=False)))
        report = at.ledger.ingest(
            table, found.rows, found.rejected, found.findings, source, arrived_at, retried=ids, by=at.by
        )
        before = reports.get((table, source))
        reports[table, source] = report if before is None else _both(before, report)
    return tuple(reports.values())


def correct_quarantined(at: Opened, quarantine_id: str, cells: Mapping[str, str]) -> IngestReport:
    """See `Chain.correct_quarantined`."""
    held = at.ledger.quarantined([quarantine_id]).to_pylist()
    if not held:
        raise NotFound(message("app.not_quarantined", ids=quarantine_id))
    table, source = held[0]["table"], held[0]["source"]
    raw = {**{name: _as_text(value) for name, value in json.loads(held[0]["raw"]).items()}, **cells}
    columns = {name: pa.array([value or None], pa.string()) for name, value in raw.items()}
    rows = RawSource(source, pa.table({ROW: pa.array([held[0]["row"]], pa.int64()), **columns}))
    found = gathered(checked(at, table, Source(rows, commas_group=False)))
    if has_errors(found.findings):
        raise BadInput(message("app.rows_rejected", table=table), found.findings)
    with at.ledger.together():
        report = at.ledger.ingest(
            table,
            found.rows,
            None,
            found.findings,
            f"{BY_HAND} {source}",
            clock(at),
            retried=[quarantine_id],
            by=at.by,
        )
        if report.quarantined:
            raise BadInput(message("app.rows_rejected", table=table), report.findings)
    return report


class _TakenBack(Exception):  # noqa: N818 - nothing is wrong
    """What was done is to be undone."""


@contextmanager
def taken_back(at: Opened) -> Generator[Opened]:
    """A chain on which all that is done within is undone at its end: rows in the ledger, answers, and keys of
    customers, which are made apart."""
    with TemporaryDirectory(prefix="datong-preview-") as name:
        folder = Path(name)
        if (at.folder / ANSWERS_FILE).is_file():
            copy2(at.folder / ANSWERS_FILE, folder / ANSWERS_FILE)
        if (at.folder / PROFILES_FOLDER).is_dir():
            copytree(at.folder / PROFILES_FOLDER, folder / PROFILES_FOLDER)
        with suppress(_TakenBack), at.ledger.together():
            yield replace(at, folder=folder, customers=CustomerKeys(None))
            raise _TakenBack


def discard_quarantine(at: Opened, ids: Sequence[str]) -> int:
    """Forget rows in quarantine: they hold nothing back any more, and are not tried again. Returns how many. One
    that still stands in a file of the folder comes back with it. Raises NotFound for ids that are not there."""
    unknown = sorted(set(ids) - set(at.ledger.quarantined(ids)["quarantine_id"].to_pylist()))
    if unknown:
        raise NotFound(message("app.not_quarantined", ids=", ".join(unknown)))
    return at.ledger.discard(ids, clock(at), by=at.by)


def _lots(waiting: pa.Table) -> Iterator[tuple[tuple[str, str], list[str]]]:
    """Ids of rows in quarantine by table and source, so many at a time that they fit in memory.

    A source may have been read with other rows under the same numbers; within a lot a number comes once.
    """
    sources: dict[tuple[str, str], list[tuple[int, str]]] = {}
    for row in waiting.to_pylist():
        sources.setdefault((row["table"], row["source"]), []).append((row["row"], row["quarantine_id"]))
    for place, rows in sources.items():
        left = rows
        while left:
            lot: dict[int, str] = {}
            later = []
            for number, quarantine_id in left:
                if number in lot or len(lot) == RETRIED_AT_ONCE:
                    later.append((number, quarantine_id))
                else:
                    lot[number] = quarantine_id
            yield place, list(lot.values())
            left = later


def _both(first: IngestReport, second: IngestReport) -> IngestReport:
    """Two reports on one source as one."""
    counts = ("rows", "added", "superseded", "known", "quarantined")
    sums = {name: getattr(first, name) + getattr(second, name) for name in counts}
    return IngestReport(first.source, first.table, **sums, findings=(*first.findings, *second.findings))


def _as_text(value: object) -> str | None:
    return value if value is None or isinstance(value, str) else json.dumps(value)
