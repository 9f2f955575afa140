"""What each command of `datong` does. What takes long shows its progress; what is printed has two languages."""

import argparse
import json
import shlex
import shutil
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.compute as pc

from datong.app import clock
from datong.app.branch_changes import parse_change, parse_row
from datong.app.chain import Chain
from datong.app.check_folder import check_chain
from datong.app.cli import (
    ledger_commands,
    market_findings,
    privacy,
    server_commands,
    terminal,
    try_questions,
    twin_demo,
    twin_game,
)
from datong.app.cli.open_chain import opened
from datong.app.clock import parse_moment
from datong.app.result_folder import refuse_foreign, write_tables
from datong.app.stores import LEDGER_FILE
from datong.app.take_in_beside_folder import Taken, not_asked
from datong.app.wiring import DEMO_MARK, Opened, utc_now, wire
from datong.app.wording.columns import coded
from datong.app.write_report import report_inputs, write_report, write_run
from datong.connectors.exports.profiles import built_in, text_of
from datong.connectors.exports.questions import read_answers
from datong.connectors.files.starter import write_starter
from datong.connectors.files.tables_document import schema_markdown, schema_records
from datong.ledger.counter_offer import told_offer
from datong.ledger.protocol import TRUNK, Branch, IngestReport, branch_name, written_at
from datong.ledger.row_ids import SINCE_EVER
from datong.ledger.standings import READ_FOR_STANDINGS, order_standings
from datong.model.errors import Asked, DatongError, NotFound, Refused
from datong.model.findings import Finding, has_errors
from datong.model.flow import party
from datong.model.tables import tables
from datong.model.words import Message, message, say
from datong.plan.order_words import MOST_ROWS
from datong.questions.run_result import RunResult
from datong.questions.tables_out import message_of
from datong.replay.scenario import STATED, Scenario, sweep

EVIDENCE_SHOWN = 5
# Writes whose source is a reason.
WITH_A_REASON = ("person", "forget")
# What of a folder is not read; so many of these findings are shown in full before a plan.
NOT_READ = frozenset({"reserved_table", "unknown_table", "unknown_column", "unknown_columns", "not_read", "no_rows"})
UNREAD_SHOWN = 5


def answer_init(options: argparse.Namespace, language: str) -> int:
    files = write_starter(options.folder, language)
    names = ", ".join(f.name for f in files)
    terminal.line(say("app.starter_written", language, files=names, folder=options.folder))
    return 0


def answer_check(options: argparse.Namespace, language: str) -> int:
    with terminal.reading(say("app.opening", language, folder=options.folder), language) as on_rows:
        result = check_chain(options.folder, on_rows=on_rows)
    findings = result.findings
    if options.format == "json":
        terminal.data(json.dumps([f.as_record(language) for f in findings], ensure_ascii=False, indent=1))
    else:
        print_findings(findings, language)
        counts = {s: sum(f.severity == s for f in findings) for s in ("error", "warning", "note")}
        rows = sum(result.rows.values())
        key = "app.check_summary" if findings else "app.check_clean"
        terminal.line(
            say(
                key,
                language,
                folder=options.folder,
                errors=counts["error"],
                warnings=counts["warning"],
                notes=counts["note"],
                rows=f"{rows:,}",
                tables=len(result.rows),
            )
        )
    return 1 if has_errors(findings) else 0


def print_findings(findings: Sequence[Finding], language: str) -> None:
    if findings:
        terminal.findings(findings, language)


def print_failure(error: Message, findings: Sequence[Finding], language: str) -> None:
    """Why a command that was asked for JSON did not do it, as JSON."""
    told = {"error": error.text(language), "findings": [f.as_record(language) for f in findings]}
    terminal.data(json.dumps(told, ensure_ascii=False, indent=1))


def answer_schema(options: argparse.Namespace, language: str) -> int:
    records = [r for r in schema_records(language) if options.table in (None, r["table"])]
    if not records:
        raise NotFound(message("app.unknown_table", table=options.table, tables=", ".join(_table_names(language))))
    if options.format == "json":
        terminal.data(json.dumps(records, ensure_ascii=False, indent=1))
    elif options.format == "markdown":
        terminal.data(schema_markdown(language))
    else:
        _print_schema(records, language)
    return 0


def _print_schema(records: Sequence[Mapping[str, Any]], language: str) -> None:
    for table in dict.fromkeys(r["table"] for r in records):
        own = [r for r in records if r["table"] == table]
        terminal.line("")
        meaning = tables()[table].zh if language == "zh" else tables()[table].en
        terminal.line(f"{table}: {meaning}")
        titles = {name: say(f"schema.{name}", language) for name in own[0] if name != "table"}
        terminal.records([{title: r[name] for name, title in titles.items()} for r in own], language)


def _table_names(language: str) -> list[str]:
    return list(dict.fromkeys(str(r["table"]) for r in schema_records(language)))


def answer_ingest(options: argparse.Namespace, language: str) -> int:
    failed = False
    given = try_questions.parse_answers(options.answer)
    answers, met = dict(given), set[str]()
    with opened(options.chain, language, options.branch) as chain:
        for file in options.files:
            to_ask = list(given) if len(options.files) == 1 else ()
            taken = ingested(
                chain, file, answers, language, table=options.table, mapping=options.mapping, to_ask=to_ask
            )
            if taken.reading is not None:
                met |= taken.reading.used.keys()
                try_questions.show_reading(taken.reading, language)
            print_findings(taken.findings, language)
            for report in taken.reports:
                print_ingested(report, language)
            if taken.reading is not None:
                terminal.line(taken.reading.last_line(language))
            failed |= has_errors(taken.findings)
        waiting = chain.ledger.waiting().num_rows
        if waiting:
            terminal.line(_quarantine_hint(waiting, chain.branch_name, language))
        unasked = not_asked(given, read_answers(chain.folder), met)
    if unasked:
        print(say("export.not_asked_of_files", language, given=", ".join(unasked)), file=sys.stderr)  # noqa: T201
        return 2
    return 1 if failed else 0


def ingested(
    chain: Chain,
    file: Path,
    answers: dict[str, str],
    language: str,
    *,
    table: str | None = None,
    mapping: Path | None = None,
    to_ask: Sequence[str] = (),
    ask: bool = True,
) -> Taken:
    """Take one file in. A sales export that is not sure is asked about at the terminal, and what is said is kept; where
    nobody is there, or is to be asked, it stops. to_ask: questions that are answered, which it must ask."""
    while True:
        try:
            with terminal.reading(file.name, language) as on_rows:
                return chain.ingest(file, table, mapping, on_rows, answers, to_ask)
        except Asked as open_:
            try_questions.show_questions(open_.questions, language)
            if not ask or not sys.stdin.isatty():
                raise
            answers |= try_questions.answers_to(open_.questions, language)


def _quarantine_hint(count: int, branch: str | None, language: str) -> str:
    if branch is None:
        return say("app.quarantine_hint", language, count=count)
    return say("branch.quarantine_hint", language, count=count, branch=branch, quoted=shlex.quote(branch))


def print_ingested(report: IngestReport, language: str) -> None:
    terminal.line(
        say(
            "app.ingested",
            language,
            source=report.source,
            table=report.table,
            rows=f"{report.rows:,}",
            added=f"{report.added:,}",
            superseded=f"{report.superseded:,}",
            known=f"{report.known:,}",
            quarantined=f"{report.quarantined:,}",
        )
    )


def answer_quarantine(options: argparse.Namespace, language: str) -> int:
    with opened(options.chain, language, options.branch) as chain:
        if options.retry:
            for report in chain.retry_quarantine():
                print_ingested(report, language)
        if options.discard:
            terminal.line(say("app.discarded", language, count=chain.discard_quarantine(options.discard)))
        rows = chain.ledger.quarantined().to_pylist()
    if options.format == "json":
        terminal.data(json.dumps(rows, ensure_ascii=False, indent=1, default=str))
        return 0
    if not rows:
        terminal.line(say("app.nothing_quarantined", language))
        return 0
    for row in rows:
        terminal.line(
            say("app.quarantined", language, **{k: row[k] for k in ("quarantine_id", "table", "source", "row", "raw")})
        )
        for finding in json.loads(row["findings"]):
            terminal.line("    " + terminal.finding_record(finding, language))
    terminal.line(_quarantine_hint(len(rows), chain.branch_name, language))
    return 0


def answer_writes(options: argparse.Namespace, language: str) -> int:
    """Every write to the chain and its branches, oldest first."""
    with opened(options.chain, language) as chain:
        rows, zone = chain.ledger.writes().to_pylist(), chain.settings.calendar.zone
    if options.format == "json":
        terminal.data(json.dumps(rows, ensure_ascii=False, indent=1, default=str))
        return 0
    if not rows:
        terminal.line(say("app.no_writes", language))
    for row in rows:
        words = {name: row[name] for name in ("by", "subject", "source")} | {"count": f"{row['how_many']:,}"}
        text = say(
            f"app.write.{row['what']}", language, at=f"{written_at(row).astimezone(zone):%Y-%m-%d %H:%M}", **words
        )
        if row["what"] in WITH_A_REASON and row["source"]:
            text = say("app.write.because", language, text=text, why=row["source"])
        on_branch = row["branch"] is not None
        terminal.line(say("app.write.on_branch", language, text=text, branch=row["branch"]) if on_branch else text)
    return 0


def answer_withdraw(options: argparse.Namespace, language: str) -> int:
    if options.all == bool(options.rows):
        raise Refused(message("app.withdraw_what"))
    with opened(options.chain, language, options.branch) as chain:
        rows = chain.ledger.came_from(options.table, options.table) if options.all else options.rows
        count = chain.withdraw(options.table, rows)
    if chain.branch_name is None:
        terminal.line(say("app.withdrawn", language, count=count, table=options.table))
    else:
        terminal.line(say("branch.withdrawn", language, count=count, table=options.table, branch=chain.branch_name))
    return 0


def answer_run(options: argparse.Namespace, language: str) -> int:
    from datong.app.cli.terminal_since import show_since

    if options.out is not None:
        refuse_foreign(options.out)
    with opened(options.chain, language, options.branch) as chain:
        moment = None if options.as_of is None else parse_moment(options.as_of, chain.settings)
        warn_of_findings(chain, language, moment)
        result = run_with_progress(chain, moment, options.seed, language)
        inputs = report_inputs(chain, result, {}, language, with_market=options.out is not None)
        if options.out is not None:  # first of all: who reads along may stop reading
            write_run(inputs, options.out, language)
        show_header(result, language)
        if chain.branch_name is not None:
            terminal.line(say("branch.header", language, branch=chain.branch_name))
        book = None if options.out is None else options.out / "datong.xlsx"
        show_since(result.tables["since"], chain.settings, language, book=book)
        terminal.show_results(inputs, language)
        if options.out is not None:
            terminal.line(say("app.written", language, path=options.out))
    return 0


def answer_balance(options: argparse.Namespace, language: str) -> int:
    """What is cleared stands by itself: nothing of it is kept in the ledger."""
    from datong.app.cli.interrupt import asked_to_stop
    from datong.questions.clear_market import CERTIFICATE

    if options.out is not None:
        refuse_foreign(options.out)
    began = time.monotonic()
    with opened(options.chain, language, options.branch) as chain:
        opening = time.monotonic() - began
        moment = None if options.as_of is None else parse_moment(options.as_of, chain.settings)
        warn_of_findings(chain, language, moment)
        with (
            terminal.balance_progress(language, chain.settings.currency) as (on_stage, on_progress),
            asked_to_stop(lambda: terminal.warning(say("balance.stopping", language))) as is_asked,
        ):
            result = chain.balance(
                moment,
                options.seed,
                door=options.door,
                gap=options.gap,
                time_limit_s=options.time_limit,
                warm=options.warm,
                whole=options.whole,
                on_stage=on_stage,
                on_progress=lambda *so_far: on_progress(*so_far) and not is_asked(),
            )
    seconds = {"open": round(opening, 3), **result.certificate["seconds"]}
    certificate = {**result.certificate, "seconds": seconds}
    told = json.dumps(certificate, ensure_ascii=False, indent=1, allow_nan=False) + "\n"
    if options.out is not None:
        write_tables(result.tables, options.out, {CERTIFICATE: told.encode("utf-8")})
    if options.format == "json":
        terminal.data(told)
        return 0
    terminal.show_balance(result, certificate, language)
    if options.out is not None:
        terminal.line(say("app.written", language, path=options.out))
    return 0


def answer_quote(options: argparse.Namespace, language: str) -> int:
    """The price of an order more: nothing of it is kept in the ledger."""
    from datong.app.cli.interrupt import asked_to_stop
    from datong.app.cli.terminal_quote import show_quote

    with opened(options.chain, language, options.branch) as chain:
        moment = None if options.as_of is None else parse_moment(options.as_of, chain.settings)
        warn_of_findings(chain, language, moment)
        with asked_to_stop(lambda: terminal.warning(say("balance.stopping", language))) as is_asked:
            result = chain.quote(
                options.product,
                options.due,
                options.units,
                market=options.market,
                earlier=options.earlier,
                exact=options.exact,
                as_of=moment,
                seed=options.seed,
                door=options.door,
                gap=options.gap,
                time_limit_s=options.time_limit,
                on_progress=lambda *_so_far: not is_asked(),
            )
    if options.format == "json":
        told = dict(result.summary) | {name: rows.to_pylist() for name, rows in result.tables.items()}
        terminal.data(json.dumps(told, ensure_ascii=False, indent=1, default=str, allow_nan=False))
    else:
        show_quote(result, language)
    return 0


def answer_replenish(options: argparse.Namespace, language: str) -> int:
    """What to order now, product by product: nothing of it is kept in the ledger."""
    from datong.app.cli.terminal_replenish import show_replenishment

    if options.out is not None:
        refuse_foreign(options.out)
    with opened(options.chain, language, options.branch) as chain:
        moment = None if options.as_of is None else parse_moment(options.as_of, chain.settings)
        warn_of_findings(chain, language, moment)
        with terminal.reading(say("replenish.working", language), language):
            result = chain.replenish(moment, options.seed, options.review)
    if options.out is not None:
        write_tables(result.tables, options.out, {})
    if options.format == "json":
        told = {"as_of": result.as_of} | {name: result.tables[name].to_pylist() for name in ("orders", "without_way")}
        terminal.data(json.dumps(told, ensure_ascii=False, indent=1, default=str, allow_nan=False))
        return 0
    show_replenishment(result, language)
    if options.out is not None:
        terminal.line(say("app.written", language, path=options.out))
    return 0


def run_with_progress(
    chain: Chain, as_of: datetime | None, seed: int | None, language: str, *, listed: bool = False
) -> RunResult:
    with terminal.stage_progress(language) as on_stage:
        return chain.run(as_of, seed, on_stage, listed=listed)


def show_header(result: RunResult, language: str) -> None:
    local = result.as_of.astimezone(result.settings.calendar.zone)
    name = result.settings.name
    terminal.line(say("app.run_header", language, run=result.run, name=name, as_of=f"{local:%Y-%m-%d %H:%M}"))


def warn_of_findings(chain: Chain, language: str, as_of: datetime | None = None) -> None:
    """How many findings the folder has; in full those that `datong check`, which opens no ledger, cannot see, what is
    not read, and what the plan will not be. as_of: the moment that was asked for."""
    own = [f for f in chain.findings if f not in chain.unheeded]
    errors = sum(f.severity == "error" for f in own)
    warnings = sum(f.severity == "warning" for f in own)
    if errors or warnings:
        terminal.warning(say("app.folder_findings", language, errors=errors, warnings=warnings, folder=chain.folder))
    unread = [f for f in own if f.code in NOT_READ][:UNREAD_SHOWN]
    doubts = [f for f in chain.review(as_of) if f.severity != "note"]
    told = (*chain.unheeded_edits, *chain.clock_findings(as_of), *chain.notices(as_of), *doubts, *unread)
    terminal.findings(told, language, terminal.make_console(stderr=True))


def answer_branch(options: argparse.Namespace, language: str) -> int:
    """List the branches; or make one, look at it, change, rename or delete it."""
    alone = bool(options.changes or options.added or options.as_of or options.parent or options.note is not None)
    if (options.delete or options.rename) and (alone or (options.delete and options.rename)):
        raise Refused(message("branch.one_thing"))
    if options.name is None and (alone or options.delete or options.rename):
        raise Refused(message("branch.needs_name"))
    with opened(options.chain, language) as chain:
        if options.delete:
            chain.drop_branch(options.name)
            terminal.line(say("branch.deleted", language, name=options.name))
        elif options.rename:
            chain.rename_branch(options.name, options.rename)
            terminal.line(say("branch.renamed", language, name=options.name, new_name=options.rename))
        elif options.name is None:
            _show_branches(chain.branches(), chain, options, language)
        else:
            _make_or_change(chain, options, language)
    return 0


def _make_or_change(chain: Chain, options: argparse.Namespace, language: str) -> None:
    """Typing the same command twice makes one branch and says the second time what is there."""
    name = branch_name(options.name)
    there = next((branch for branch in chain.branches() if branch.name == name), None)
    changes = [*map(parse_change, options.changes), *map(parse_row, options.added)]
    if there is None:
        moment = None if options.as_of is None else parse_moment(options.as_of, chain.settings)
        made = chain.branch(options.name, moment, options.parent, options.note or "")
        try:
            taken = made.change(*changes)
        except DatongError:
            chain.drop_branch(options.name)
            raise
    elif _says_otherwise(there, chain, options):
        raise Refused(message("branch.exists", name=there.name))
    else:
        taken = chain.on(options.name).change(*changes)
    print_findings(taken.findings, language)
    (now,) = (branch for branch in chain.branches() if branch.name == name)
    if options.format == "json" or (there is not None and not changes):
        _show_branches([now], chain, options, language)
        return
    if there is None:
        local = now.moment.astimezone(chain.settings.calendar.zone)
        parent, moment_text = now.parent or TRUNK, f"{local:%Y-%m-%d %H:%M}"
        words = {"name": now.name, "parent": parent, "moment": moment_text, "quoted": shlex.quote(now.name)}
        terminal.line(say("branch.made", language, folder=options.chain, **words))
    for report in taken.reports:
        count = report.added + report.superseded
        terminal.line(say("branch.changed", language, count=count, table=report.table, name=now.name))


def _says_otherwise(there: Branch, chain: Chain, options: argparse.Namespace) -> bool:
    """Whether the options give a branch that is there another parent, moment or note."""
    return (
        (options.parent is not None and branch_name(options.parent) != there.parent)
        or (options.as_of is not None and parse_moment(options.as_of, chain.settings) != there.moment)
        or (options.note is not None and options.note != there.note)
    )


def _show_branches(branches: Sequence[Branch], chain: Chain, options: argparse.Namespace, language: str) -> None:
    if options.format == "json":
        terminal.data(json.dumps([asdict(branch) for branch in branches], ensure_ascii=False, indent=1, default=str))
        return
    if not branches:
        terminal.line(say("branch.none", language, folder=options.chain))
    terminal.records(
        [
            {
                "branch": branch.name,
                "parent": branch.parent or TRUNK,
                "as_of": f"{branch.moment.astimezone(chain.settings.calendar.zone):%Y-%m-%d %H:%M}",
                "changed": ", ".join(f"{table} {count}" for table, count in branch.changed.items()),
                "last_run": branch.last_run,
                "note": branch.note,
            }
            for branch in branches
        ],
        language,
    )


def answer_compare(options: argparse.Namespace, language: str) -> int:
    if options.out is not None:
        refuse_foreign(options.out)
    with opened(options.chain, language) as chain:
        with terminal.stage_progress(language) as on_stage:
            comparison = chain.compare(options.a, options.b, on_stage)
        if options.out is not None:
            from datong.app.report.run_workbook import comparison_bytes

            write_tables(comparison.tables, options.out, {"compare.xlsx": comparison_bytes(comparison, language)})
        if options.format == "json":
            records = {name: table.to_pylist() for name, table in comparison.tables.items()}
            terminal.data(json.dumps(records, ensure_ascii=False, indent=1, default=str, allow_nan=False))
            return 0
        terminal.show_comparison(comparison, language)
        if options.out is not None:
            terminal.line(say("app.written", language, path=options.out))
    return 0


def answer_why(options: argparse.Namespace, language: str) -> int:
    with opened(options.chain, language, options.branch) as chain:
        try:
            run, order, reasons = chain.why(options.order)
        except NotFound:
            told = chain.recorded(options.order)
            if told is None:
                raise
            terminal.line(told.text(language))
            _show_offer_of(chain, options.order, language)
            return 0
        terminal.line(say("app.why_order", language, run=run, **{k: order[k] for k in _ORDER_FIELDS}))
        _show_as_it_stands(chain, order, language)
        for reason in reasons:
            stage = coded("stage", reason["stage"], language)
            terminal.line(f"  {reason['rank']}. [{stage}] {reason_text(reason, language)}")
            if reason["evidence"]:
                rows = chain.evidence(run, reason["evidence_table"], reason["evidence"])
                shown = min(EVIDENCE_SHOWN, rows.num_rows)
                table = reason["evidence_table"]
                count = len(reason["evidence"])
                key = (
                    "app.evidence_rows_or_more" if count >= MOST_ROWS else "app.evidence_rows"
                )  # a reason keeps so many
                terminal.line("     " + say(key, language, count=count, table=table, shown=shown))
                terminal.table(_in_zone(rows.slice(0, shown), chain.settings.time_zone), language)
        _show_offer_of(chain, options.order, language)
    return 0


def _show_as_it_stands(chain: Chain, order: Mapping[str, Any], language: str) -> None:
    """An order as it is now, where that is otherwise than the run proposed: an offer was taken, or somebody changed
    it."""
    orders = chain.state(names=("orders",)).table("orders")
    rows = orders.filter(pc.equal(orders["order"], order["order"])).to_pylist()
    told = chain.recorded(order["order"]) if rows else None
    if told is not None and any(rows[0][name] != order[name] for name in ("units", "start", "due")):
        terminal.line(say("app.why_now", language, now=told.text(language)))


def _show_offer_of(chain: Chain, order: str, language: str) -> None:
    """What is offered instead of an order, where an offer stands, and what it would cost to take it."""
    from datong.app import counter_offers
    from datong.app.cli.terminal_counter_offers import show_offers

    stand = order_standings(chain.state(names=READ_FOR_STANDINGS)).get(order)
    if stand is not None and stand.offer is not None:
        show_offers(counter_offers.open_offers(chain, order), chain.state(names=("products", "firms")), language)


_ORDER_FIELDS = ("order", "product", "units", "start", "due")


def _in_zone(rows: pa.Table, time_zone: str) -> pa.Table:
    """Moments as people read them on the chain's own clock: a day, with the time where there is one; nothing where a
    row was known from the beginning."""
    zone = ZoneInfo(time_zone)

    def told(moment: datetime | None) -> str | None:
        if moment is None or moment == SINCE_EVER:
            return None
        local = moment.astimezone(zone)
        return f"{local:%Y-%m-%d}" if local.time() == datetime.min.time() else f"{local:%Y-%m-%d %H:%M}"

    for i, field in enumerate(rows.schema):
        if pa.types.is_timestamp(field.type):
            texts = pa.array([told(moment) for moment in rows[field.name].to_pylist()], pa.string())
            rows = rows.set_column(i, field.name, texts)
    return rows


def reason_text(reason: Mapping[str, Any], language: str) -> str:
    return message_of(reason["text_key"], reason["text_params"]).text(language)


def answer_replay(options: argparse.Namespace, language: str) -> int:
    if options.out is not None:
        refuse_foreign(options.out)
    with opened(options.chain, language) as chain:
        warn_of_findings(chain, language)
        scenario = Scenario(
            bucket=options.bucket, promise_days=options.promise_days, opening_stock_factor=options.opening_stock
        )
        tables = replay_with_progress(chain, options.buckets, options.seed, language, scenario)
        terminal.show_replay(tables, chain.settings, language)
        if options.sweep:
            tables = {**tables, **sweep_with_progress(chain, options.buckets, options.seed, language)}
            terminal.show_sweep(tables["sweep_differences"], chain.settings.currency, language)
        if options.out is not None:
            write_tables(tables, options.out)
            terminal.line(say("app.written", language, path=options.out))
    return 0


def replay_with_progress(
    chain: Chain, buckets: int | None, seed: int | None, language: str, scenario: Scenario = STATED
) -> Mapping[str, pa.Table]:
    # Three policies are followed; the last two take much less than the first.
    steps = chain.replay_length(buckets, scenario)
    with terminal.step_progress(say("app.replaying", language), steps) as on_step:
        return chain.replay(buckets, seed, on_step, scenario).tables()


def sweep_with_progress(chain: Chain, buckets: int | None, seed: int | None, language: str) -> Mapping[str, pa.Table]:
    with terminal.step_progress(say("app.sweeping", language), len(sweep(chain.settings))) as on_scenario:
        return chain.replay_sweep(buckets, seed, on_scenario).tables()


def answer_report(options: argparse.Namespace, language: str) -> int:
    with opened(options.chain, language, options.branch) as chain:
        result = chain.kept_run(options.run)
        replayed = replay_with_progress(chain, options.buckets, None, language) if options.buckets else {}
        write_report(report_inputs(chain, result, replayed, language), options.out, language)
    terminal.line(say("app.report_written", language, path=options.out.resolve()))
    return 0


def answer_demo(options: argparse.Namespace, language: str) -> int:
    """The loop on the example: a run, its orders, a replay beside the company, and the report. Or the whole circle on
    a market twin."""
    if options.twin:
        return twin_demo.answer(options.seed, language)
    folder = prepare_demo(options.out)
    with opened(folder, language) as chain:
        # As of the start of the week that the records end in, so that the plan has whole weeks.
        as_of = chain.settings.calendar.midnight(chain.state(names=()).first_open_bucket)
        result = run_with_progress(chain, as_of, None, language)
        replayed = replay_with_progress(chain, options.buckets, None, language)
        inputs = report_inputs(chain, result, replayed, language)
        write_run(inputs, options.out / "tables", language)
        write_report(inputs, options.out / "report.html", language)
        show_header(result, language)
        terminal.show_results(inputs, language)
        terminal.show_replay(replayed, chain.settings, language)
        terminal.line(say("app.report_written", language, path=(options.out / "report.html").resolve()))
        terminal.line(say("serving.demo", language, folder=folder, address=options.address))
    return 0


def example_folder() -> Path:
    """The example's tables: beside the package in a wheel, in examples/ of a checkout."""
    package = Path(__file__).resolve().parents[2]
    for folder in (package / "examples" / "fmcg", package.parents[1] / "examples" / "fmcg"):
        if (folder / "chain.toml").is_file():
            return folder
    raise NotFound(message("app.no_example", folder=package.parents[1] / "examples" / "fmcg"))


def prepare_demo(out: Path) -> Path:
    """A fresh copy of the example, so that a demo leaves the original alone and starts the same each time."""
    source = example_folder()
    if out.exists() and any(out.iterdir()) and not (out / DEMO_MARK).exists():
        raise Refused(message("app.not_a_demo", folder=out))
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    (out / DEMO_MARK).touch()
    shutil.copytree(source, out / "chain", ignore=shutil.ignore_patterns(LEDGER_FILE.parts[0], "build.py"))
    return out / "chain"


def answer_profiles(options: argparse.Namespace, language: str) -> int:
    """The platforms whose exports are known; or the file of one, to copy into a chain's folder and change."""
    if options.name is None:
        terminal.records(
            [{"profile": p.key, "platform": p.called(language), "source": " ".join(p.source)} for p in built_in()],
            language,
        )
        return 0
    text = text_of(options.name)
    if text is None:
        names = ", ".join(profile.key for profile in built_in())
        raise NotFound(message("app.no_profile", name=options.name, names=names))
    terminal.data(text)
    return 0


def answer_release(options: argparse.Namespace, language: str) -> int:
    from datong.app import release_orders  # what reads reports takes a second to import

    if options.without and not options.due:
        raise Refused(message("app.without_alone"))
    with opened(options.chain, language, options.branch) as chain:
        released = release_orders.release(chain, options.orders, options.due, options.run, options.without)
    if not released:
        asked = ", ".join(options.orders)
        raise Refused(message("app.out_already", order=asked) if asked else message("app.nothing_to_release"))
    terminal.line(say("app.released", language, count=len(released), orders=", ".join(released), folder=options.chain))
    return 0


def answer_exchange(options: argparse.Namespace, language: str) -> int:
    from datong.app import exchange_each_way, exchange_one_way

    drop = options.drop or options.chain / "exchange"
    found: list[Finding] = []
    undelivered = 0
    with opened(options.chain, language, options.branch) as chain:
        if options.dry_run:
            return _show_what_waits(chain, drop, options.again, language)
        names = exchange_one_way.firm_names(chain)
        for way in exchange_each_way.exchange_each_way(chain, drop, language, options.again):
            print_findings(way.findings, language)
            found += way.findings
            sent = exchange_one_way.delivered(way.outcomes)
            undelivered += len(way.outcomes) - len(sent)
            for one in sent if way.by_email else ():
                told = {"firm": party(one.counterparty, names), "count": len(one.keys), "place": one.place}
                terminal.line(say("app.went_out", language, **told))
            key = "app.mailed" if way.by_email else "app.exchanged"
            terminal.line(say(key, language, sent=len(sent), folder=drop, reports=way.reports))
            for file in way.files:
                rows = {"taken": file.taken, "held": file.held, "empty": file.empty}
                terminal.line(say("app.file_rows", language, file=file.source, **rows))
    if undelivered:
        return 2
    return 1 if has_errors(found) else 0


def answer_clock(options: argparse.Namespace, language: str) -> int:
    """Opens the ledger alone: a clock that is not believed opens no chain."""
    at, _ = wire(options.chain, utc_now, None)
    with closing(at.ledger):
        if options.repair:
            terminal.line(say("clock.repaired", language, count=clock.repair(at)))
        elif options.believe:
            at.ledger.believe_clock(at.now(), by=at.by)
            terminal.line(say("clock.believed", language))
        _show_clock(at, language)
    return 0


def _show_clock(at: Opened, language: str) -> None:
    seen = clock.look(at)

    def local(moment: datetime | None) -> str:
        return "-" if moment is None else f"{moment.astimezone(at.settings.calendar.zone):%Y-%m-%d %H:%M:%S}"

    moments = {"now": local(seen.now), "chain": local(seen.chain), "last": local(seen.last)}
    terminal.line(say("clock.stands", language, **moments))
    terminal.records(
        [
            {"table": a.table, "column": a.column, "rows": a.count, "first": local(a.first), "last": local(a.last)}
            for a in seen.ahead
        ],
        language,
    )
    count = sum(a.count for a in seen.ahead)
    if count:
        terminal.line(say("clock.ahead", language, count=count, folder=at.folder))
    if seen.repaired:
        terminal.line(say("clock.before", language, count=seen.repaired))


def _show_what_waits(chain: Chain, drop: Path, again: Sequence[str], language: str) -> int:
    """What an exchange would send, by way and counterparty."""
    from datong.app import email_of_chain, exchange_each_way, exchange_one_way

    post, findings = email_of_chain.email_post(chain, language, again)
    print_findings(findings, language)
    files = exchange_one_way.file_drop(chain, drop, language)
    waits: dict[tuple[str, str], list[str]] = {}
    if post is not None:
        for one in exchange_one_way.waiting(chain, post, post.serves):
            waits.setdefault((post.address(one.counterparty), one.counterparty), []).append(one.order.order)
    for one in exchange_one_way.waiting(chain, files, exchange_each_way.all_but(post)):
        waits.setdefault((str(files.folder), one.counterparty), []).append(one.order.order)
    names = exchange_one_way.firm_names(chain)
    for (place, firm), orders in waits.items():
        told = {"firm": party(firm, names), "count": len(orders), "orders": ", ".join(orders), "place": place}
        terminal.line(say("app.would_go_out", language, **told))
    if not waits:
        terminal.line(say("app.nothing_would_go_out", language))
    return 0


def answer_offers(options: argparse.Namespace, language: str) -> int:
    from datong.app import counter_offers
    from datong.app.cli.terminal_counter_offers import show_offers
    from datong.questions.counter_offers import offers_table

    with opened(options.chain, language) as chain:
        with terminal.reading(say("offers.working", language), language):
            found = counter_offers.open_offers(chain)
        if options.format == "json":
            rows = offers_table(tuple(o for o, _ in found), tuple(cost for _, cost in found)).to_pylist()
            whys = [None if cost.why is None else cost.why.text(language) for _, cost in found]
            told = [row | {"why_not_told": why} for row, why in zip(rows, whys, strict=True)]
            terminal.data(json.dumps(told, ensure_ascii=False, indent=1, default=str, allow_nan=False))
        else:
            show_offers(found, chain.state(names=("products", "firms")), language)
    return 0


def answer_take(options: argparse.Namespace, language: str) -> int:
    """Takes the offer for an order, or a finding of the market where no order is called so."""
    with opened(options.chain, language, options.branch) as chain:
        is_order = options.order in set(chain.state(names=("orders",)).table("orders")["order"].to_pylist())
        if not is_order and options.branch is None:
            return market_findings.take(chain, options, language)
        if (options.change, options.low, options.high) != (None, None, None):
            raise Refused(message("findings.only_findings", order=options.order))
        return _decide(chain, options, language, take=True)


def answer_refuse(options: argparse.Namespace, language: str) -> int:
    with opened(options.chain, language, options.branch) as chain:
        return _decide(chain, options, language, take=False)


def _decide(chain: Chain, options: argparse.Namespace, language: str, take: bool) -> int:
    from datong.app import counter_offers, exchange_one_way

    offer = counter_offers.decide(chain, options.order, take, options.why)
    words = {
        "order": options.order,
        "offer": told_offer(offer.said.offer, chain.settings.currency),
        "who": party(offer.said.counterparty or "", exchange_one_way.firm_names(chain)),
    }
    terminal.line(message("offers.taken" if take else "offers.refused", **words).text(language))
    return 0


ANSWERS: Mapping[str, Callable[[argparse.Namespace, str], int]] = {
    "demo": answer_demo,
    "twin": twin_game.answer,
    "profiles": answer_profiles,
    "init": answer_init,
    "check": answer_check,
    "schema": answer_schema,
    "ingest": answer_ingest,
    "quarantine": answer_quarantine,
    "writes": answer_writes,
    "withdraw": answer_withdraw,
    "person": privacy.answer_person,
    "forget": privacy.answer_forget,
    "run": answer_run,
    "balance": answer_balance,
    "quote": answer_quote,
    "replenish": answer_replenish,
    "branch": answer_branch,
    "compare": answer_compare,
    "why": answer_why,
    "replay": answer_replay,
    "report": answer_report,
    "release": answer_release,
    "exchange": answer_exchange,
    "offers": answer_offers,
    "clock": answer_clock,
    "voice": market_findings.answer_voice,
    "findings": market_findings.answer_findings,
    "dismiss": market_findings.answer_dismiss,
    "effect": market_findings.answer_effect,
    "take": answer_take,
    "refuse": answer_refuse,
    "serve": server_commands.answer_serve,
    "people": server_commands.answer_people,
    "mcp": server_commands.answer_mcp,
    "database": ledger_commands.answer_database,
    "migrate": ledger_commands.answer_migrate,
    "backup": ledger_commands.answer_backup,
}
