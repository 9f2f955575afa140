"""What commands show in a terminal: progress by stage, findings, and a run's closing words."""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.padding import Padding
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from datong.app.report import figures
from datong.app.report.columns import coded, title
from datong.app.report.html import gap_totals, policy_name, sentence, shortest
from datong.app.report.inputs import PLAN, ReportInputs, resting_on
from datong.app.report.verdict import verdict, verdict_words
from datong.app.tables_out import most_valuable, planned_orders, rendered
from datong.model.findings import Finding
from datong.model.words import say

PRODUCTS_SHOWN, SIGNALS_SHOWN, ORDERS_SHOWN = 10, 8, 10
# Width of what goes into a file or a pipe, where no window sets it.
PIPE_WIDTH = 120

STYLES = {"error": "bold red", "warning": "yellow", "note": "cyan"}


def make_console(file: TextIO | None = None, *, stderr: bool = False) -> Console:
    """A console that colours only a terminal, and none where NO_COLOR is set."""
    console = Console(file=file, stderr=stderr, highlight=False)
    if not console.is_terminal:
        console.width = PIPE_WIDTH
    return console


@contextmanager
def stage_progress(language: str, console: Console | None = None) -> Iterator[Callable[[str], None]]:
    """Gives the `on_stage` of a cycle: a bar for each stage as it starts. Quiet where nobody watches."""
    with _progress(console) as progress:
        running: list = []

        def finish() -> None:
            if running:
                progress.update(running.pop(), total=1, completed=1)

        def on_stage(stage: str) -> None:
            finish()
            running.append(progress.add_task(str(coded("stage", stage, language)), total=None))

        yield on_stage
        finish()


@contextmanager
def step_progress(text: str, steps: int, console: Console | None = None) -> Iterator[Callable[[int], None]]:
    """Gives a callback that takes how many of `steps` are done."""
    with _progress(console) as progress:
        task = progress.add_task(text, total=steps)
        yield lambda done: progress.update(task, completed=done)


def _progress(console: Console | None) -> Progress:
    console = console or make_console(stderr=True)
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=30),
        TimeElapsedColumn(),
        console=console,
        disable=not console.is_terminal,
    )


def print_findings(findings: Sequence[Finding], language: str, console: Console | None = None) -> None:
    """Every finding: where, what was found, what was expected, what to do; then how many of each severity."""
    console = console or make_console()
    for finding in findings:
        record = finding.as_record(language)
        where = finding.source
        if finding.row is not None:
            where += say("finding.at_row", language, row=finding.row)
        if finding.column is not None:
            where += say("finding.at_column", language, column=finding.column)
        if finding.rows_affected > 1:
            where += " " + say("terminal.affected", language, count=figures.number(finding.rows_affected))
        head = Text(say(f"finding.{finding.severity}", language), style=STYLES[finding.severity])
        console.print(head + Text(f"  {where}  [{finding.code}]", style="bold"))
        body = Table.grid(padding=(0, 1))
        for name in ("found", "expected", "remedy"):
            body.add_row(Text(say(f"terminal.{name}", language), style="dim"), Text(str(record[name])))
        console.print(Padding(body, (0, 0, 0, 4)))
    if not findings:
        console.print(Text(say("terminal.no_findings", language)))
        return
    count = {s: sum(f.severity == s for f in findings) for s in STYLES}
    line = say("terminal.findings", language, errors=count["error"], warnings=count["warning"], notes=count["note"])
    console.print(Text(line, style="bold"))


def print_closing(
    inputs: ReportInputs, language: str, report: Path | None = None, console: Console | None = None
) -> None:
    """The gap table, the signals, the orders that matter most with their reasons, the replay, the report's path."""
    console = console or make_console()
    _print_gap(console, inputs, language)
    _print_signals(console, inputs, language)
    _print_orders(console, inputs, language)
    _print_replay(console, inputs, language)
    certificate = inputs.tables["certificate"].to_pylist()[0]
    total = figures.money(certificate["total_cost"], inputs.settings.currency, language)
    gap = figures.share(certificate["gap_share"], 2)
    console.print(Text(say("terminal.certificate", language, money=total, share=gap)))
    rests = resting_on(inputs, PLAN)
    if rests:
        console.print(Text(say("terminal.assumed", language, columns=", ".join(rests)), style="yellow"))
    if report is not None:
        console.print()
        # The path in one piece, so that it can be copied.
        console.print(Text(say("terminal.report", language, path=report), style="bold"), soft_wrap=True)


def _head(console: Console, text: str) -> None:
    console.print()
    console.print(Text(text, style="bold"))


def _table(*columns: tuple[str, bool]) -> Table:
    """columns: title, and whether it holds numbers."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False, header_style="dim", show_edge=False)
    for name, numbers in columns:
        table.add_column(name, justify="right" if numbers else "left", overflow="fold")
    return table


def _print_gap(console: Console, inputs: ReportInputs, language: str) -> None:
    gaps = inputs.tables["gaps"]
    weeks = gap_totals(gaps, "bucket")
    if not weeks:
        return
    short = shortest(gaps)
    shown = short[:PRODUCTS_SHOWN]
    names = ("demand_units", "served_units", "late_units", "lost_units")
    table = _table(
        (title("product", language), False),
        *((say(f"terminal.{n}", language), True) for n in names),
        (say("terminal.on_time", language), True),
        (title("binding", language), False),
    )
    total = {n: math.fsum(w[n] for w in weeks) for n in names}
    rest = {n: total[n] - math.fsum(r[n] for r in shown) for n in names}

    def row(name: str, of: dict, binding: str, style: str = "") -> None:
        lacking = of["late_units"] + of["lost_units"]
        on_time = figures.share(1 - lacking / of["demand_units"]) if of["demand_units"] > 0 else figures.NONE
        table.add_row(Text(name), *(figures.number(of[n]) for n in names), on_time, Text(binding), style=style)

    for r in shown:
        price = figures.money(r["binding_price"], inputs.settings.currency, language)
        row(
            r["product"], r, say("report.gap.binding", language, name=r["binding"], price=price) if r["binding"] else ""
        )
    if shown and rest["demand_units"] > 0:
        row(say("terminal.others", language), rest, "")
    row(say("report.gap.total", language), total, "", "bold")
    _head(console, say("terminal.gap", language, first=weeks[0]["bucket"], last=weeks[-1]["bucket"]))
    console.print(table)
    if len(short) > len(shown):
        console.print(Text(say("terminal.gap_more", language, count=len(short) - len(shown)), style="dim"))


def _print_signals(console: Console, inputs: ReportInputs, language: str) -> None:
    rows = rendered({"signals": inputs.tables["signals"]}, language)["signals"].to_pylist()
    rows.sort(key=lambda r: (-abs(r["strength"] or 0.0), r["signal"]))
    _head(console, say("terminal.signals", language, count=len(rows)))
    if not rows:
        return
    table = _table(
        (title("kind", language), False), (title("text", language), False), (title("evidence", language), True)
    )
    for r in rows[:SIGNALS_SHOWN]:
        evidence = f"{len(r['evidence'])} {r['evidence_table']}"
        table.add_row(Text(str(coded("kind", r["kind"], language))), Text(r["text"]), Text(evidence))
    console.print(table)
    if len(rows) > SIGNALS_SHOWN:
        console.print(Text(say("terminal.signals_more", language, count=len(rows) - SIGNALS_SHOWN), style="dim"))


def _print_orders(console: Console, inputs: ReportInputs, language: str) -> None:
    orders = planned_orders(inputs.tables)
    chosen = most_valuable(orders, ORDERS_SHOWN)
    if not chosen:
        _head(console, say("terminal.no_orders", language))
        return
    _head(console, say("terminal.orders", language, count=len(chosen), all=len(orders)))
    table = Table.grid(padding=(0, 1))
    table.add_column(justify="right")
    table.add_column(overflow="fold")
    for i, order in enumerate(chosen, start=1):
        kind = coded("kind", order.kind, language)
        worth = say("terminal.worth", language, money=figures.money(order.value, inputs.settings.currency, language))
        head = Text(order.order, style="bold")
        head.append(
            f"  {kind} {order.product} × {figures.fitting(order.units)}  {order.start} → {order.due}  {worth}", "dim"
        )
        table.add_row(f"{i}.", head)
        table.add_row("", Text(sentence(order, language)))
    console.print(table)


def _print_replay(console: Console, inputs: ReportInputs, language: str) -> None:
    found = verdict(inputs.replay["by_bucket"]) if "by_bucket" in inputs.replay else None
    if found is None:
        console.print()
        return
    unit = say("report.weeks" if inputs.settings.bucket == "week" else "report.days", language)
    _head(console, say("terminal.replay", language, buckets=found.buckets, unit=unit))
    table = _table(
        (say("terminal.policy", language), False),
        (say("terminal.cost", language, currency=inputs.settings.currency), True),
        (say("terminal.fill", language), True),
        (say("terminal.stock", language), True),
    )
    for p in found.totals.values():
        table.add_row(
            policy_name(p.policy, language),
            figures.number(p.cost),
            figures.share(p.fill_share),
            figures.number(p.mean_stock_units),
        )
    console.print(table)
    console.print(Text(" ".join(verdict_words(found, inputs.settings.currency, language)), style="bold"))
    console.print()
