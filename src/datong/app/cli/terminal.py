"""What commands show in a terminal: progress by stage, findings, and a run's closing words."""

import math
import re
import sys
from collections import Counter
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TextIO

import pyarrow as pa
import pyarrow.compute as pc
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.padding import Padding
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from datong.app.wording import figures
from datong.app.wording.certainty import certainty_lines
from datong.app.wording.columns import coded, evidence_words, rounded, shown_value, title
from datong.app.wording.counted_on import counted_on_lines
from datong.app.wording.late import both_words
from datong.app.wording.names import Names
from datong.app.wording.replay_verdict import (
    MEASURES,
    difference_rows,
    limit_words,
    policy_name,
    scenario_name,
    totals,
    verdict,
    verdict_words,
)
from datong.app.wording.report_inputs import PLAN, ReportInputs, resting_on
from datong.app.wording.view import RunView
from datong.app.wording.waits_longer import later_line
from datong.app.wording.week import behind_the_days
from datong.ledger.protocol import TRUNK
from datong.model.findings import Finding
from datong.model.late_causes import no_time_words, short_together
from datong.model.settings import ChainSettings
from datong.model.words import say
from datong.questions.compare import ADDED, BOTH, DUE_MOVED, MOVED, REMOVED, RESIZED, SAME, Comparison
from datong.questions.demand_totals import ANY_SHORT, by_cause, gap_sum, shortest
from datong.questions.tables_out import kept_findings, most_valuable, planned_orders, rendered

if TYPE_CHECKING:  # they import every stage, which other commands do without
    from datong.balance.solution import OnProgress
    from datong.questions.clear_market import BalanceResult

# What a replay took otherwise than it is recorded stands under its figures.
NOTES_SHOWN = frozenset(
    f"replay.note_{note}" for note in ("opening", "no_company", "no_transfers", "no_site", "no_purchases", "short")
)
PRODUCTS_SHOWN, SIGNALS_SHOWN, ORDERS_SHOWN = 10, 8, 10
# Money below this rounds to nothing in a table of whole money.
LEAST_MONEY_SHOWN = 0.5
# An earlier balance of whose scarce things the chain has a smaller share is told to be of another chain.
FEW_KNOWN = 0.5
SCARCE_SHOWN = 8
# Gaps of fewer units are not told; of the rest the largest, and what it would take to serve them.
NEEDS_SHOWN, NEEDS_LOOKED_AT = 5, 1000
# Width of what goes into a file or a pipe, where no window sets it.
PIPE_WIDTH = 120

STYLES = {"error": "bold red", "warning": "yellow", "note": "cyan"}


def make_console(file: TextIO | None = None, *, stderr: bool = False) -> Console:
    """A console that colours only a terminal, and none where NO_COLOR is set."""
    console = Console(file=file, stderr=stderr, highlight=False)
    if not console.is_terminal:
        console.width = PIPE_WIDTH
    return console


# lines -------------------------------------------------------------------------------------------


def data(text: str) -> None:
    """Text for a program or a file: as it is."""
    sys.stdout.write(text if text.endswith("\n") else text + "\n")


def line(text: str) -> None:
    """A line for a person. It is not cut, so that a path in it can be copied."""
    make_console().print(Text(text), soft_wrap=True)


def warning(text: str) -> None:
    """A line beside the result, which does not get into a pipe."""
    make_console(stderr=True).print(Text(text, style="yellow"), soft_wrap=True)


@contextmanager
def reading(text: str, language: str, console: Console | None = None) -> Generator[Callable[[str, int], None]]:
    """Shows that tables are read, and how far: gives a callback that takes a table and how many of its rows have come.

    Quiet where nobody watches.
    """
    console = console or make_console(stderr=True)
    if not console.is_terminal:
        yield lambda _table, _rows: None
        return
    with console.status(Text(text)) as status:
        yield lambda table, rows: status.update(
            Text(say("terminal.reading", language, text=text, table=table, rows=figures.number(rows)))
        )


# progress ----------------------------------------------------------------------------------------


@contextmanager
def stage_progress(language: str, console: Console | None = None) -> Generator[Callable[[str], None]]:
    """Gives the `on_stage` of a cycle: a bar for each stage as it starts. Quiet where nobody watches."""
    with _progress(console) as progress:
        running: list[TaskID] = []

        def finish() -> None:
            if running:
                task = running.pop()
                progress.update(task, total=1, completed=1)

        def on_stage(stage: str) -> None:
            finish()
            running.append(progress.add_task(str(coded("stage", stage, language)), total=None))

        yield on_stage
        finish()


@contextmanager
def balance_progress(
    language: str, currency: str, console: Console | None = None
) -> Generator[tuple[Callable[[str], None], "OnProgress"]]:
    """Gives the `on_stage` and the `on_progress` of a balance: the bar of a stage tells its step, gap and bound."""
    with _progress(console) as progress:
        running: list[tuple[TaskID, str]] = []

        def finish() -> None:
            if running:
                task, _ = running.pop()
                progress.update(task, total=1, completed=1)

        def on_stage(stage: str) -> None:
            finish()
            words = str(coded("stage", stage, language))
            running.append((progress.add_task(words, total=None), words))

        def on_progress(_seconds: float, iteration: int, cost: float | None, bound: float) -> bool:
            if running and not progress.disable:
                task, stage = running[-1]
                words = say("balance.solving", language, stage=stage, iteration=figures.number(iteration))
                if math.isfinite(bound):
                    gap = None if not cost else max(cost - bound, 0.0) / abs(cost)
                    words = say(
                        "balance.solving_bound",
                        language,
                        stage=stage,
                        iteration=figures.number(iteration),
                        gap=figures.share_at_most(gap),
                        bound=figures.money(bound, currency, language),
                    )
                progress.update(task, description=words)
            return True

        yield on_stage, on_progress
        finish()


@contextmanager
def step_progress(text: str, steps: int, console: Console | None = None) -> Generator[Callable[[int], None]]:
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


# findings and tables -----------------------------------------------------------------------------


def findings(found: Sequence[Finding], language: str, console: Console | None = None) -> None:
    """Every finding: severity, where, the rule; then what was found, what was expected and what to do. What stands on
    lines of its own below a text is a command: it is not cut, so that it can be copied."""
    console = console or make_console()
    for finding in found:
        record = finding.as_record(language)
        where = _where(record, language)
        if finding.rows_affected > 1:
            where += " " + say("terminal.affected", language, count=figures.number(finding.rows_affected))
        head = Text(say(f"finding.{finding.severity}", language), style=STYLES[finding.severity])
        console.print(head + Text(f"  {where}  [{finding.code}]", style="bold"))
        body = Table.grid(padding=(0, 1))
        body.add_column()
        body.add_column(overflow="fold")  # lines with wide characters can be too long by one, and would be cut
        below: dict[str, list[str]] = {}
        for name in ("found", "expected", "remedy"):
            told, *below[name] = str(record[name]).split("\n")
            body.add_row(Text(say(f"terminal.{name}", language), style="dim"), Text(told))
        console.print(Padding(body, (0, 0, 0, 4)))
        for command in (text for texts in below.values() for text in texts):
            console.print(Text(command), soft_wrap=True)


def finding_record(record: Mapping[str, Any], language: str) -> str:
    """A finding that was kept as a record (English, with Chinese texts under 'zh') in one line."""
    texts = record.get(language, record)
    return say(
        "finding.line",
        language,
        severity=say(f"finding.{record['severity']}", language),
        where=_where(record, language),
        **{part: texts[part] for part in ("found", "expected", "remedy")},
    )


def _where(record: Mapping[str, Any], language: str) -> str:
    where = str(record["source"])
    if record["row"] is not None:
        where += say("finding.at_row", language, row=record["row"])
    if record.get("subject") is not None:
        where += say("finding.of", language, subject=record["subject"])
    if record["column"] is not None:
        where += say("finding.at_column", language, column=record["column"])
    return where


def table(rows: pa.Table, language: str, console: Console | None = None) -> None:
    """Rows of any table, all of its columns that hold anything."""
    used = [c for c in rows.column_names if rows[c].null_count < rows.num_rows]
    shown = _table(*((title(c, language), _is_number(rows.schema.field(c).type)) for c in used))
    for column, name in zip(shown.columns, used, strict=True):
        column.no_wrap = bool(_DAY.match(str(rows[name].drop_null()[0])))  # a day cut in two cannot be read
    for row in rows.select(used).to_pylist():
        shown.add_row(*(Text(shown_value(c, row[c], language)) for c in used))
    (console or make_console()).print(shown)


def records(rows: Sequence[Mapping[str, object]], language: str, console: Console | None = None) -> None:
    """Flat records with the same keys, such as those of the tables' schema."""
    if not rows:
        return
    shown = _table(*((title(c, language), False) for c in rows[0]))
    for row in rows:
        shown.add_row(*(Text(shown_value(c, v, language)) for c, v in row.items()))
    (console or make_console()).print(shown)


_DAY = re.compile(r"\d{4}-\d\d-\d\d")


def _is_number(kind: pa.DataType) -> bool:
    return pa.types.is_floating(kind) or pa.types.is_integer(kind)


# Most rows that a plan was made without which are shown in full.
LEFT_OUT_SHOWN = 3


# results -----------------------------------------------------------------------------------------


def show_results(
    inputs: ReportInputs, language: str, orders: int = ORDERS_SHOWN, console: Console | None = None
) -> None:
    """The gap table, the signals found, the orders that matter most with their reasons, and the certificate."""
    console = console or make_console()
    _print_gap(console, inputs, language)
    findings(kept_findings(inputs.tables), language, console)
    left_out = kept_findings(inputs.tables, "left_out")
    findings(left_out[:LEFT_OUT_SHOWN], language, console)
    if len(left_out) > LEFT_OUT_SHOWN:
        console.print(Text(say("terminal.more_left_out", language, count=len(left_out) - LEFT_OUT_SHOWN), style="dim"))
    _print_signals(console, inputs, language)
    _print_orders(console, inputs, language, orders)
    certificate = inputs.tables["certificate"].to_pylist()[0]
    console.print()
    for text in certainty_lines(certificate, inputs.settings, language, inputs.tables.get("kept")):
        console.print(Text(text))
    rests = resting_on(inputs, PLAN)
    if rests:
        console.print(Text(say("terminal.assumed", language, columns=", ".join(rests)), style="yellow"))


def show_balance(
    result: "BalanceResult", certificate: Mapping[str, Any], language: str, console: Console | None = None
) -> None:
    """What the plan costs, how far it is from the best, what is scarce, and what changed since an earlier balance."""
    console = console or make_console()
    settings = result.settings
    local = result.as_of.astimezone(settings.calendar.zone)
    count = figures.number(certificate["orders"])
    as_of = f"{local:%Y-%m-%d %H:%M}"
    console.print(Text(say("balance.header", language, name=settings.name, as_of=as_of, orders=count), style="bold"))

    _print_gaps_total(console, result.tables["gaps"], language)
    if not certificate["whole"]:
        console.print(Text(say("balance.fractions", language)))
    names = Names(result.tables)
    for text in needs(result.tables["gaps"], names, settings, language, held=certificate["held_back"]):
        console.print(Text("  " + text))
    findings(result.findings, language, console)
    _print_terms(console, certificate, language)
    for text in certainty_lines(certificate, settings, language):
        console.print(Text(text))
    if certificate["stopped"] in ("time", "asked", "lots", "end"):
        console.print(Text(say(f"balance.stopped_{certificate['stopped']}", language), style="yellow"))
    short = pc.add(result.tables["gaps"]["late_units"], result.tables["gaps"]["lost_units"])
    is_short = (pc.sum(short).as_py() or 0.0) >= ANY_SHORT
    _print_scarce(console, result.tables["prices"], names, is_short, language)
    if "changes" in certificate:
        _print_changes(console, certificate, settings, language)
    console.print(
        Text(
            say(
                "balance.worked",
                language,
                door=coded("door", certificate["door"], language),
                iterations=figures.number(certificate["iterations"]),
                seconds=figures.number(sum(certificate["seconds"].values()), 1),
                memory=figures.number(certificate["peak_memory_mb"]),
            ),
            style="dim",
        )
    )


def _print_gaps_total(console: Console, gaps: pa.Table, language: str) -> None:
    names = ("demand", "on_time", "late", "lost")
    units = {name: figures.fitting(pc.sum(gaps[f"{name}_units"]).as_py() or 0.0) for name in names}
    console.print(Text(say("balance.short", language, **units)))


def needs(
    gaps: pa.Table,
    names: Names,
    settings: ChainSettings,
    language: str,
    count: int = NEEDS_SHOWN,
    held: Mapping[str, str] = MappingProxyType({}),
) -> list[str]:
    """What it would take to serve the largest gaps, each product and market at its worst bucket: lost before late.

    held: products that run short because one is held back, and which. Where nothing is scarce and a way would be in
    time, going without costs less than having it: nothing to tell.
    """
    gaps = by_cause(gaps)
    short = pc.greater_equal(pc.max_element_wise(gaps["lost_units"], gaps["late_units"]), ANY_SHORT)
    named = pc.not_equal(pc.fill_null(gaps["binding"], ""), "")
    told = pc.and_(
        pc.or_(named, pc.is_null(gaps["binding_bucket"])), pc.not_equal(pc.fill_null(gaps["needed_days"], -1), 0)
    )
    order = [("lost_units", "descending"), ("late_units", "descending")]
    order += [(name, "ascending") for name in ("product", "market", "bucket")]
    rows = gaps.filter(pc.and_(short, told)).sort_by(order)
    first: dict[tuple[str, str], dict[str, Any]] = {}
    for row in rows.slice(0, NEEDS_LOOKED_AT).to_pylist():
        first.setdefault((row["product"], row["market"]), row)
    told_rows = list(first.values())[:count]
    lines = [need_words(row, names, settings, language, held) for row in told_rows]
    rest = {name: _rest(gaps, told_rows, f"{name}_units") for name in ("late", "lost")}
    if lines and max(rest.values()) >= ANY_SHORT:
        lines.append(say("balance.need_others", language, **{n: figures.fitting(u) for n, u in rest.items()}))
    return lines


def _rest(gaps: pa.Table, told: Sequence[Mapping[str, Any]], column: str) -> float:
    """Units of a column of the gaps beyond those of the rows that are told, which tell lost before late."""
    said = sum(r[column] for r in told if column == "lost_units" or r["lost_units"] < ANY_SHORT)
    return (pc.sum(gaps[column]).as_py() or 0.0) - said


def need_words(
    row: Mapping[str, Any],
    names: Names,
    settings: ChainSettings,
    language: str,
    held: Mapping[str, str] = MappingProxyType({}),
) -> str:
    """One gap in words: how much, what is in the way, and what would serve it: more of that, or days more."""

    def when(bucket: date) -> str:
        return say("plan.week" if settings.bucket == "week" else "plan.day", language, day=bucket)

    is_lost = row["lost_units"] >= ANY_SHORT
    units = figures.fitting(row["lost_units" if is_lost else "late_units"])
    what = {"units": units, "product": names.called(row["product"]), "when": when(row["bucket"])}
    said = say("balance.need_lost" if is_lost else "balance.need_late", language, **what)
    scarce = names.thing(row["binding"], row["needed_unit"]) if row["binding"] else ""
    days = None if row["needed_days"] is None else figures.number(row["needed_days"])
    if row["needed_amount"] is None and row["product"] in held:
        return said + say("balance.need_held", language, name=names.called(held[row["product"]]))
    if row["needed_amount"] is None and row["binding"]:
        where = {"name": scarce, "then": when(row["binding_bucket"])}
        if beside := short_together(row):
            called = both_words([names.called(one) for one in beside], language)
            return said + say("balance.need_both", language, beside=called, **where)
        return said + say("balance.need_more", language, **where)
    if row["needed_amount"] is None and row["kept_for"]:
        key = "balance.need_sent" if days is None else "balance.need_sent_or_days"
        return said + say(key, language, days=days or "", who=row["kept_for"])
    if row["needed_amount"] is None and row.get("fenced_until") is not None:
        key = "balance.need_fenced" if days is None else "balance.need_fenced_or_days"
        return said + say(key, language, days=days or "", why=no_time_words(row, settings.calendar.unit).text(language))
    if row["needed_amount"] is None:
        key = "balance.need_time" if days is None else "balance.need_days"
        return said + say(key, language, days=days or "", rounded=rounded(settings, language))
    words = {
        "name": scarce,
        "amount": figures.fitting(row["needed_amount"]),
        "then": when(row["binding_bucket"]),
        "days": days or "",
    }
    if row["kept_for"]:
        return said + say("balance.need_kept", language, who=row["kept_for"], **words)
    or_days = "" if days is None else "_or_days"
    return said + say(f"balance.need_{row['needed_unit']}{or_days}", language, **words)


def _print_terms(console: Console, certificate: Mapping[str, Any], language: str) -> None:
    shown = _table((title("term", language), False), (title("cost", language), True))
    for term, amount in certificate["cost"].items():
        if abs(amount) >= LEAST_MONEY_SHOWN:
            shown.add_row(str(coded("term", term, language)), figures.number(amount))
    shown.add_row(str(coded("term", "total", language)), figures.number(certificate["total_cost"]))
    console.print(shown)


def _print_scarce(console: Console, prices: pa.Table, names: Names, is_short: bool, language: str) -> None:
    """Each scarce thing in its dearest bucket: lines and offers, of which one can get more, before stocks; first what
    is worth most in all its buckets, price times amount. is_short: something is late or not served.
    """
    rows = prices.filter(pc.and_(pc.greater(prices["price"], 0.0), pc.not_equal(prices["what"], "component")))
    rows = rows.append_column("worth", pc.multiply(rows["price"], rows["available"]))
    rows = rows.append_column("is_stock", pc.equal(rows["what"], "stock"))
    keys = ["is_stock", "what", "name"]
    things = rows.group_by(keys).aggregate([("worth", "sum"), ("price", "max")])
    order = [("is_stock", "ascending"), ("worth_sum", "descending"), ("name", "ascending")]
    things = things.sort_by(order).slice(0, SCARCE_SHOWN).to_pylist()
    if not things:
        key = "balance.nothing_priced" if is_short else "balance.nothing_scarce"
        console.print(Text(say(key, language)))
        _print_unknown(console, prices, language)
        return
    console.print(Text(say("balance.scarce", language)))
    columns = ("what", "name", "bucket", "price", "unit", "used", "available")
    shown = _table(*((title(c, language), c in ("price", "used", "available")) for c in columns))
    for thing in things:
        is_it = (pc.field("what") == thing["what"]) & (pc.field("name") == thing["name"])
        row = (
            rows.filter(is_it & (pc.field("price") == thing["price_max"])).sort_by("bucket").slice(0, 1).to_pylist()[0]
        )
        row["name"] = names.beside(row["name"]) if row["what"] in ("stock", "component") else row["name"]
        shown.add_row(*(Text(shown_value(c, row[c], language)) for c in columns))
    console.print(shown)
    _print_unknown(console, prices, language)


def _print_unknown(console: Console, prices: pa.Table, language: str) -> None:
    """The lines that are shut or full in a bucket in which nothing is set up on them: what an hour more would save is
    not known."""
    rows = prices.filter(pc.and_(pc.is_null(prices["price"]), pc.equal(prices["what"], "line")))
    if not rows.num_rows:
        return
    parts = [
        say("balance.unknown_hour", language, line=row["name"], bucket=row["bucket"])
        for row in rows.sort_by([("bucket", "ascending"), ("name", "ascending")]).slice(0, SCARCE_SHOWN).to_pylist()
    ]
    if rows.num_rows > len(parts):
        parts.append(say("report.week.short_more", language, count=rows.num_rows - len(parts)))
    console.print(Text(say("balance.unknown_hours", language, lines=say("report.week.next", language).join(parts))))


def _print_changes(console: Console, certificate: Mapping[str, Any], settings: ChainSettings, language: str) -> None:
    known = certificate["earlier_known_share"]
    if known < FEW_KNOWN:
        console.print(Text(say("balance.other_chain", language, share=figures.share(known, 0))))
    parts = {}
    for word, change in certificate["changes"].items():
        parts |= {word: figures.number(change["orders"]), f"{word}_units": figures.fitting(change["units"])}
    console.print(Text(say("balance.changes", language, **parts)))
    more = certificate["cost_change"]
    if more is not None:
        key = "balance.price_of_change" if more >= 0 else "balance.less_than_before"
        console.print(Text(say(key, language, money=figures.money(abs(more), settings.currency, language))))


def show_replay(
    replayed: Mapping[str, pa.Table], settings: ChainSettings, language: str, console: Console | None = None
) -> None:
    """Cost, service, stock and calm of each policy, and plainly which was better."""
    console = console or make_console()
    starts = sorted(set(replayed["by_bucket"]["bucket"].to_pylist()))
    unit = bucket_unit(starts, settings, language)
    _head(console, say("terminal.replay_title", language, buckets=len(starts), unit=unit))
    shown = _table(
        (say("terminal.policy", language), False),
        (say("terminal.cost", language, currency=settings.currency), True),
        (say("terminal.avoidable", language), True),
        (say("terminal.fill", language), True),
        (say("terminal.stock", language), True),
        (say("report.replay.change", language), True),
    )
    for p in totals(replayed["summary"]):
        shown.add_row(
            policy_name(p["policy"], language),
            figures.number(p["cost"]),
            figures.number(p["avoidable_cost"]),
            figures.share(p["fill_on_time_share"]),
            figures.number(p["mean_stock_units"]),
            figures.share(p["production_change_share"]),
        )
    console.print(shown)
    found = verdict(replayed)
    if found is not None:
        said = figures.one_after_another(verdict_words(found, settings.currency, language), language)
        console.print(Text(said, style="bold"))
    _print_differences(console, difference_rows(replayed["differences"], settings.currency, language), language)
    for note in replayed["notes"].to_pylist() if "notes" in replayed else ():
        if note["key"] in NOTES_SHOWN:
            console.print(Text(note[language], style="yellow"))
    limit = limit_words(replayed["summary"], settings.currency, language)
    proof = say("report.replay.proof", language)
    console.print(Text(figures.one_after_another([proof, limit] if limit else [proof], language), style="dim"))


def bucket_unit(starts: Sequence[date], settings: ChainSettings, language: str) -> str:
    """'weeks' or 'days', of the buckets that were re-lived: they may be other ones than the chain plans in."""
    daily = (starts[1] - starts[0]).days == 1 if len(starts) > 1 else settings.bucket == "day"
    return say("report.days" if daily else "report.weeks", language)


def _print_differences(console: Console, rows: Sequence[Mapping[str, str]], language: str) -> None:
    if not rows:
        return
    shown = _table(
        (say("report.replay.less", language), False),
        ("", False),
        (say("report.replay.difference", language), True),
        (title("interval", language), True),
        (title("finding", language), False),
    )
    before = ""
    for row in rows:
        than, before = row["than"] if row["than"] != before else "", row["than"]
        shown.add_row(Text(than), row["measure"], row["difference"], row["interval"], row["finding"])
    console.print(shown)


def show_sweep(differences: pa.Table, currency: str, language: str, console: Console | None = None) -> None:
    """Every scenario's differences in cost, service and stock beside the company and the baseline."""
    console = console or make_console()
    _head(console, say("terminal.sweep_title", language))
    shown = _table(
        (say("terminal.scenario", language), False),
        (say("report.replay.less", language), False),
        *((say(f"report.measure.{measure}", language), False) for measure in MEASURES),
    )
    for scenario in dict.fromkeys(differences["scenario"].to_pylist()):
        own = differences.filter(pc.field("scenario") == scenario)
        first = scenario_name(scenario, language)
        for than in ("company", "baseline"):
            rows = difference_rows(own, currency, language, (than,))
            if rows:
                cells = [f"{r['difference']} {r['finding']}" for r in rows]
                shown.add_row(Text(first), rows[0]["than"], *cells)
                first = ""
    console.print(shown)
    console.print(Text(say("report.replay.proof", language), style="dim"))


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
    if not gaps.num_rows:
        return
    view = RunView(inputs, language)
    every, named = view.products, view.names
    short = shortest(every)
    shown = short[:PRODUCTS_SHOWN]
    by_day = ("by_day_units",) if inputs.tables.get("after_due", gaps.slice(0, 0)).num_rows else ()
    names = ("demand_units", "on_time_units", *by_day, "late_units", "lost_units")
    rows = _table(
        (title("product", language), False),
        *((say(f"terminal.{n}", language), True) for n in names),
        ("%", True),
        (title("binding", language), False),
    )

    def row(name: str, of: Mapping[str, Any], binding: str = "", style: str = "") -> None:
        on_time = figures.share(of["on_time_share"])
        rows.add_row(Text(name), *(figures.fitting(of[n]) for n in names), on_time, Text(binding), style=style)

    for r in shown:
        row(named.beside(r["product"]), r, view.main_cause(r))
    others = [r for r in every if r["product"] not in {s["product"] for s in shown}]
    if shown and len(others) == 1:
        row(named.beside(others[0]["product"]), others[0])
    elif shown and others:
        row(say("terminal.others", language), gap_sum(others))
    row(say("report.gap.total", language), gap_sum(every), style="bold")
    buckets = gaps["bucket"].to_pylist()
    _head(console, say("terminal.gap", language, first=min(buckets), last=inputs.last_day))
    console.print(rows)
    if len(short) > len(shown):
        console.print(Text(say("terminal.gap_more", language, count=len(short) - len(shown)), style="dim"))
    for words in behind_the_days(view):
        console.print(Text(words))


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
        evidence = evidence_words(r["evidence"], r["evidence_table"], language)
        table.add_row(Text(str(coded("kind", r["kind"], language))), Text(r["text"]), Text(evidence))
    console.print(table)
    if len(rows) > SIGNALS_SHOWN:
        console.print(Text(say("terminal.signals_more", language, count=len(rows) - SIGNALS_SHOWN), style="dim"))


def _print_orders(console: Console, inputs: ReportInputs, language: str, count: int) -> None:
    from datong.plan.reason import feeds_others, sentence

    orders, named = planned_orders(inputs.tables), Names(inputs.tables)
    chosen = most_valuable(orders, count)
    if not chosen:
        _head(console, say("terminal.no_orders", language))
        return
    _head(console, say("terminal.orders", language, count=len(chosen), all=len(orders)))
    table = Table.grid(padding=(0, 1))
    table.add_column(justify="right")
    table.add_column(overflow="fold")
    for i, order in enumerate(chosen, start=1):
        kind = coded("kind", order.kind, language)
        money = order.behind if order.value is None else order.value
        served = "terminal.worth_behind" if feeds_others(order) else "terminal.worth_served"
        key = served if order.value is None else "terminal.worth"
        worth = say(key, language, money=figures.money(money, inputs.settings.currency, language))
        head = Text(order.order, style="bold")
        days = f"{order.start}" if order.due == order.start else f"{order.start} → {order.due}"
        head.append(f"  {kind} {named.beside(order.product)} × {figures.fitting(order.units)}  {days}  {worth}", "dim")
        table.add_row(f"{i}.", head)
        table.add_row("", Text(sentence(order, language)))
    console.print(table)


# comparing ---------------------------------------------------------------------------------------

# A comparison fits on one screen; --out has all of it.
DIFFERENCES_SHOWN = 5


def show_comparison(comparison: Comparison, language: str, console: Console | None = None) -> None:
    """What differs in what went into two runs, and in what came out of them; the most of each."""
    console = console or make_console()
    a, b = comparison.a, comparison.b
    for letter, side in (("A", a), ("B", b)):
        local = side.as_of.astimezone(comparison.settings.calendar.zone)
        name = side.run if side.name == side.run and side.branch is None else side.branch or TRUNK
        words = say("compare.side", language, name=name, run=side.run, as_of=f"{local:%Y-%m-%d %H:%M}", seed=side.seed)
        console.print(Text(f"{letter}  {words}"))
    if a.run == b.run:
        console.print(Text(say("compare.same_run", language), style="bold"))
        return
    if a.as_of != b.as_of:
        console.print(Text(say("compare.moments_differ", language), style="yellow"))
    if a.seed != b.seed:
        console.print(Text(say("compare.seeds_differ", language), style="yellow"))
    if comparison.learnt_differs:
        console.print(Text(say("compare.learnt_differs", language), style="yellow"))
    _print_inputs(console, comparison, language)
    _print_costs(console, comparison, language)
    _print_order_changes(console, comparison.tables["orders"].to_pylist(), language)
    _print_demand_changes(console, comparison.tables["demand"].to_pylist(), language)
    _print_later(console, comparison, language)
    _print_price_changes(console, comparison.tables["prices"].to_pylist(), language)
    expected = comparison.tables["forecast"]
    totals_of = (figures.fitting(math.fsum(expected[f"mean_units_{x}"].drop_null().to_pylist())) for x in "ab")
    console.print()
    console.print(
        Text(say("compare.forecast", language, **dict(zip("ab", totals_of, strict=True)), buckets=expected.num_rows))
    )


def _print_more(console: Console, count: int, language: str) -> None:
    if count > 0:
        console.print(Text("  " + say("compare.more", language, count=count), style="dim"))


def _print_inputs(console: Console, comparison: Comparison, language: str) -> None:
    _head(console, say("compare.went_in", language))
    lines = [
        say(
            "compare.rows_in",
            language,
            table=r["table"],
            **{name: figures.number(r[f"{name}_rows"]) for name in ("added", "removed", "changed")},
        )
        for r in comparison.tables["changed_tables"].to_pylist()
    ]
    none = say("compare.none", language)
    cells = comparison.tables["changed_rows"]
    shown = cells.filter(pc.equal(cells["change"], "changed")).slice(0, DIFFERENCES_SHOWN).to_pylist()
    values = [
        say(
            "compare.cell",
            language,
            row_id=r["row_id"],
            column=r["column"],
            a=none if r["text_a"] is None else r["text_a"],
            b=none if r["text_b"] is None else r["text_b"],
        )
        for r in shown
    ]
    settings = [
        say("compare.setting", language, setting=r["setting"], a=r["text_a"] or none, b=r["text_b"] or none)
        for r in comparison.tables["settings"].to_pylist()
    ]
    if None in (comparison.a.settings, comparison.b.settings):
        settings.append(say("compare.no_settings", language))
    if not lines and not settings:
        console.print(Text(say("compare.nothing_in", language)))
    for part in (lines, values, settings):
        for text in part[:DIFFERENCES_SHOWN]:
            console.print(Text("  " + text))
        _print_more(console, len(part) - DIFFERENCES_SHOWN, language)
    _print_more(console, pc.sum(pc.equal(cells["change"], "changed")).as_py() - len(shown) if shown else 0, language)


def _print_costs(console: Console, comparison: Comparison, language: str) -> None:
    _head(console, say("compare.cost", language, currency=comparison.settings.currency))
    shown = _table((title("term", language), False), ("A", True), ("B", True), (title("difference", language), True))
    for r in comparison.tables["cost"].to_pylist():
        money = (figures.number(r[name]) for name in ("money_a", "money_b"))
        style = "bold" if r["term"] == "total" else ""
        shown.add_row(str(coded("term", r["term"], language)), *money, figures.signed(r["difference"]), style=style)
    console.print(shown)
    told = counted_on_lines(comparison, "AB", language)
    for line in told[:DIFFERENCES_SHOWN]:
        console.print(Text("  " + line))
    _print_more(console, len(told) - DIFFERENCES_SHOWN, language)


def _print_order_changes(console: Console, rows: Sequence[Mapping[str, Any]], language: str) -> None:
    counts = Counter(r["change"] for r in rows)
    in_both = sum(counts[change] for change in (SAME, MOVED, DUE_MOVED, RESIZED, BOTH))
    _head(
        console,
        say(
            "compare.orders",
            language,
            a=figures.number(in_both + counts[REMOVED]),
            b=figures.number(in_both + counts[ADDED]),
            same=figures.number(counts[SAME]),
            added=figures.number(counts[ADDED]),
            removed=figures.number(counts[REMOVED]),
            moved=figures.number(counts[MOVED]),
            due_moved=figures.number(counts[DUE_MOVED]),
            resized=figures.number(counts[RESIZED]),
            both=figures.number(counts[BOTH]),
        ),
    )
    changed = [r for r in rows if r["change"] != SAME]
    # The dearest changes first; a move alone costs little and comes after, the dearest order first.
    changed.sort(key=lambda r: (-abs((r["cost_b"] or 0.0) - (r["cost_a"] or 0.0)), -(r["cost_a"] or 0.0)))
    if not changed:
        return
    names = ("units", "start", "due")
    shown = _table(
        (title("change", language), False),
        (title("product", language), False),
        *((title(f"{name}_{side}", language), name == "units") for name in names for side in "ab"),
    )
    for r in changed[:DIFFERENCES_SHOWN]:
        shown.add_row(
            f"{coded('change', r['change'], language)} · {coded('kind', r['kind'], language)}",
            Text(r["product"]),
            *(shown_value(f"{name}_{side}", r[f"{name}_{side}"], language) for name in names for side in "ab"),
        )
    console.print(shown)


def _print_demand_changes(console: Console, rows: Sequence[Mapping[str, Any]], language: str) -> None:
    names = ("on_time_units", "late_units", "lost_units")

    def change(r: Mapping[str, Any]) -> float:
        return max(abs((r[f"{name}_b"] or 0.0) - (r[f"{name}_a"] or 0.0)) for name in names)

    changed = sorted((r for r in rows if change(r) >= 0.5), key=lambda r: (-change(r), r["product"]))
    if not changed:
        _head(console, say("compare.no_demand", language))
        return
    _head(console, say("compare.demand", language))
    shown = _table(
        (title("product", language), False),
        *((f"{side.upper()} · {say(f'terminal.{name}', language)}", True) for name in names for side in "ab"),
    )
    for r in changed[:DIFFERENCES_SHOWN]:
        shown.add_row(Text(r["product"]), *(figures.fitting(r[f"{name}_{side}"]) for name in names for side in "ab"))
    sums = (math.fsum(r[f"{name}_{side}"] or 0.0 for r in rows) for name in names for side in "ab")
    shown.add_row(say("compare.total", language), *map(figures.number, sums), style="bold")
    console.print(shown)
    _print_more(console, len(changed) - DIFFERENCES_SHOWN, language)


def _print_later(console: Console, comparison: Comparison, language: str) -> None:
    """Orders of customers that wait longer in B, those of the most units first."""
    rows = sorted(comparison.tables["later"].to_pylist(), key=lambda r: -r["units"])
    if not rows:
        return
    _head(console, say("compare.later", language))
    names = Names(comparison.b.tables)
    for row in rows[:DIFFERENCES_SHOWN]:
        console.print(Text("  " + later_line(row, comparison.settings, names, language)))
    _print_more(console, len(rows) - DIFFERENCES_SHOWN, language)


def _print_price_changes(console: Console, rows: Sequence[Mapping[str, Any]], language: str) -> None:
    def change(r: Mapping[str, Any]) -> float:
        return abs((r["highest_price_b"] or 0.0) - (r["highest_price_a"] or 0.0))

    def dearest(r: Mapping[str, Any]) -> float:
        return max(r["highest_price_b"] or 0.0, r["highest_price_a"] or 0.0)

    changed = sorted((r for r in rows if change(r) > 0.005 * dearest(r)), key=lambda r: (-change(r), r["name"]))
    if not changed:
        _head(console, say("compare.no_prices", language))
        return
    _head(console, say("compare.prices", language))
    shown = _table(
        (title("what", language), False),
        (title("name", language), False),
        ("A", True),
        ("B", True),
        *((title(f"scarce_buckets_{side}", language), True) for side in "ab"),
    )
    for r in changed[:DIFFERENCES_SHOWN]:
        prices = (figures.fitting(r[f"highest_price_{side}"]) for side in "ab")
        buckets = (figures.number(r[f"scarce_buckets_{side}"]) for side in "ab")
        shown.add_row(str(coded("what", r["what"], language)), Text(r["name"]), *prices, *buckets)
    console.print(shown)
    _print_more(console, len(changed) - DIFFERENCES_SHOWN, language)
