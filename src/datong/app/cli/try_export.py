"""`datong try`: an export becomes a chain, or goes into one, and comes back as an order list."""

import argparse
import os
import shlex
import sys
import tempfile
import webbrowser
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from datong.app.chain import Chain
from datong.app.cli import commands, terminal, try_questions
from datong.app.cli.terminal_order_list import show_order_list
from datong.app.cli.terminal_since import show_changes
from datong.app.sales_without_folder import currency_assumed, few_paths, is_taken, only_sales, write_chain
from datong.app.take_in_beside_folder import own_profiles
from datong.app.wording.order_list import GOODS, OrderList
from datong.app.write_report import report_inputs, write_report
from datong.connectors.exports.count_sheet import is_filled
from datong.connectors.exports.our_tables import APART, MARKETS
from datong.connectors.exports.questions import asked, read_answers, refuse_unasked, write_answers
from datong.connectors.exports.read_grids import read_grids
from datong.connectors.exports.reading import read_from
from datong.connectors.exports.result import Reading
from datong.connectors.files.write_whole import write_whole
from datong.model.errors import BadInput, Refused
from datong.model.words import message, say
from datong.questions.order_list import last_counted
from datong.questions.since.this_week import without_apart

SETTINGS_FILE, RESULTS_FOLDER = "chain.toml", "results"
REPORT, ORDER_LIST, COUNT_SHEET = "report.html", "order-list.xlsx", "count-sheet.xlsx"
COUNTED_SHEET = "count-sheet-taken-in.xlsx"


def answer_try(options: argparse.Namespace, language: str) -> int:
    """A stranger's sales export: read it, ask about it, make it a chain, and say what to order. The next one goes into
    the same chain."""
    folder: Path | None = options.into
    if folder is not None and (folder / SETTINGS_FILE).is_file():
        return _next_export(folder, options, language)
    if folder is not None and is_taken(folder):
        raise Refused(message("app.no_chain", folder=folder))
    reading = _read(options, language)
    if not options.yes and not _consent(language):
        terminal.line(say("app.guess_refused", language))
        return 2
    into = folder or Path(tempfile.mkdtemp(prefix="datong-"))
    name = options.file.stem if folder is None else folder.resolve().name
    write_chain(into, name, options.country, reading)
    with commands.opened(into, language) as chain:
        for told in (
            *few_paths(reading, chain.settings, language),
            *currency_assumed(reading, chain.settings, into, language),
        ):
            terminal.line(told)
        _take_stock(chain, options, language)
        _plan(chain, options, language, reading, first=True)
    if folder is None:
        terminal.line(say("order_list.not_kept", language, folder=into))
    terminal.line(reading.last_line(language))
    return 0


def _read(options: argparse.Namespace, language: str) -> Reading:
    """The export as it is read, without a question left. Raises BadInput where it cannot be."""
    profiles = own_profiles(options.into)
    today = datetime.now().astimezone().date()
    with terminal.reading(options.file.name, language):
        grids = read_grids(options.file)

    def read(answers: Mapping[str, str]) -> Reading:
        return read_from(grids, options.file.name, answers, options.country, profiles=profiles, today=today)

    given = _given(options)
    reading = read(given)
    only_sales(reading)
    if not reading.columns:
        raise BadInput(message("app.cannot_ingest", file=options.file), reading.findings)
    terminal.line(say("app.guess_title", language, file=options.file.name))
    try_questions.show_reading(reading, language)
    if reading.missing:
        raise BadInput(message("app.cannot_tell_columns", file=options.file), reading.findings)
    commands.print_findings(reading.findings, language)
    return _answered(reading, read, given, options, language)


def _given(options: argparse.Namespace) -> dict[str, str]:
    """Answers of the command line."""
    return try_questions.parse_answers(options.answer) | ({MARKETS: APART} if options.by_market else {})


def _answered(
    reading: Reading,
    read: Callable[[Mapping[str, str]], Reading],
    given: Mapping[str, str],
    options: argparse.Namespace,
    language: str,
) -> Reading:
    """The reading without a question left. With --yes, or where nobody is there, a question stops the command; so does
    an answer to none of its questions."""
    if options.yes:
        try_questions.show_questions(reading.questions, language)
    else:
        reading = try_questions.ask_until_sure(reading, read, given, language)
    refuse_unasked(_answered_of_file(options), reading.used, reading.questions)
    if reading.questions:
        raise asked(reading.questions)
    return reading


def _answered_of_file(options: argparse.Namespace) -> list[str]:
    """The questions that the command line answers, without those about the order list."""
    return [key for key in try_questions.parse_answers(options.answer) if not key.startswith(GOODS)]


def _consent(language: str) -> bool:
    if not sys.stdin.isatty():
        raise Refused(message("app.guess_no_terminal"))
    return try_questions.agreed(say("app.guess_consent", language), language, if_empty=True)


def _next_export(folder: Path, options: argparse.Namespace, language: str) -> int:
    """The next export on a chain: what is new, corrected, withdrawn and gone; then the plan anew, and what changed."""
    with commands.opened(folder, language) as chain:
        given, to_ask = _given(options), _answered_of_file(options)
        taken = commands.ingested(chain, options.file, given, language, to_ask=to_ask, ask=not options.yes)
        if taken.reading is not None:
            try_questions.show_reading(taken.reading, language)
        later = {(f.source, f.code) for f in chain.clock_findings(None)}  # `_plan` tells these
        commands.print_findings([f for f in taken.findings if (f.source, f.code) not in later], language)
        for report in taken.reports:
            commands.print_ingested(report, language)
        _take_stock(chain, options, language)
        _plan(chain, options, language, taken.reading, first=False)
        if taken.reading is not None:
            terminal.line(taken.reading.last_line(language))
    return 0


def _take_stock(chain: Chain, options: argparse.Namespace, language: str) -> None:
    """What is in stock: from the sheet that is named, or the chain's own where it is filled in; where nothing is known,
    one question at a terminal. The chain's own is put aside once it is taken in, since a new one takes its place."""
    own = chain.folder / RESULTS_FOLDER / COUNT_SHEET
    file: Path | None = options.stock or (own if is_filled(own) else None)
    if file is None and not options.yes and sys.stdin.isatty() and not _is_counted(chain):
        said = input(say("order_list.ask_stock", language)).strip()
        file = Path(said).expanduser() if said else None
    if file is None:
        return
    taken, count, empty = chain.count_stock(file)
    commands.print_findings(taken.findings, language)
    terminal.line(say("count.read", language, count=count, empty=empty))
    if own.is_file() and file.resolve() == own.resolve():
        own.replace(own.with_name(COUNTED_SHEET))


def _is_counted(chain: Chain) -> bool:
    return chain.state(names=("stock",)).table("stock").num_rows > 0


def _plan(chain: Chain, options: argparse.Namespace, language: str, reading: Reading | None, *, first: bool) -> None:
    """Plan, show the order list, and write what goes with it beside the chain's tables."""
    from datong.app.report.count_sheet_workbook import count_sheet_bytes
    from datong.app.report.order_list_workbook import order_list_bytes

    commands.warn_of_findings(chain, language)
    goods = _goods(chain, options)
    result = commands.run_with_progress(chain, None, None, language, listed=True)
    inputs = report_inputs(chain, result, {}, language)
    back = chain.state(names=("returns",)).table("returns")
    back = back.filter(pc.invert(pc.fill_null(back["resaleable"], False)))
    listed = OrderList(
        inputs, language, goods, float(pc.sum(back["units"]).as_py() or 0),
        chain.settings.calendar.local_date(chain.world_clock()),
        "" if reading is None else reading.much_left_out(language),
    )  # fmt: skip
    if listed.apart:
        apart = frozenset(row["product"] for row in listed.apart)
        told = without_apart(result.tables, chain.state(result.as_of, names=("products",)), apart)
        inputs = replace(inputs, tables={**inputs.tables, "since": told})
    results = chain.folder / RESULTS_FOLDER
    results.mkdir(exist_ok=True)
    report, workbook, sheet = (results / name for name in (REPORT, ORDER_LIST, COUNT_SHEET))
    write_report(inputs, report, language)
    write_whole(workbook, order_list_bytes(listed))
    show_order_list(listed)
    if not first:
        show_changes(inputs.tables["since"], chain.settings, language)
        terminal.line("")
    terminal.line(say("order_list.workbook", language, path=workbook.resolve()))
    day = result.as_of.astimezone(chain.settings.calendar.zone).date()
    rows = sorted((row["product"], row["name"]) for row in listed.rows)
    write_whole(sheet, count_sheet_bytes(rows, last_counted(chain.state(names=("stock",))), day, language))
    into = f"--into {shlex.quote(str(chain.folder))}"
    words = {"path": shlex.quote(str(sheet.resolve())), "file": shlex.quote(str(options.file)), "into": into}
    terminal.line(say("order_list.count_sheet", language, **words))
    terminal.line(say("order_list.report", language, path=report.resolve()))
    folder = shlex.quote(str(chain.folder))
    if listed.wanted:
        which = shlex.join(["--due", *_without(result.tables["orders"], listed)])
        terminal.line(say("order_list.ordered", language, folder=folder, which=which))
    terminal.line(say("order_list.arrived", language, folder=folder))
    terminal.line(say("order_list.refresh", language, folder=folder))
    _open(report)


def _goods(chain: Chain, options: argparse.Namespace) -> frozenset[str]:
    """Products that are goods, as somebody has said: now, which is kept with the chain, or before."""
    answers = read_answers(chain.folder)
    said = {key: value for key, value in _given(options).items() if key.startswith(GOODS)}
    if said:
        write_answers(chain.folder, answers | said)
    return frozenset(key.removeprefix(GOODS) for key, value in (answers | said).items()
                     if key.startswith(GOODS) and value.lower() in ("yes", "y", "是"))  # fmt: skip


def _without(orders: pa.Table, listed: OrderList) -> list[str]:
    """Options that leave out the orders of what stands apart from the list."""
    apart = {row["product"] for row in listed.apart}
    return [word for name in sorted(apart & set(orders["product"].to_pylist())) for word in ("--without", name)]


def _open(report: Path) -> None:
    """Show the report where a desktop is there and somebody looks on."""
    desktop = sys.platform in ("win32", "darwin") or bool(
        os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    )
    if desktop and sys.stdout.isatty() and sys.stdin.isatty():
        webbrowser.open(report.resolve().as_uri())
