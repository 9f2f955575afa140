"""The first sheet of the workbook: what to do this week, and the totals, each with the sheet in which it adds up."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from xlsxwriter.worksheet import Worksheet

from datong.app.report.sheet_writer import LINE_HEIGHT, Placed, Writer, lines_of
from datong.app.wording.certainty import certainty_lines
from datong.app.wording.columns import coded, title
from datong.app.wording.figures import rounded_up
from datong.app.wording.report_inputs import PLAN, resting_on
from datong.app.wording.view import RunView
from datong.app.wording.week import KINDS, counted_on, this_week
from datong.model.calendar import zone_word

# Widths of the columns: what, how much, where it adds up, a note.
WIDTHS = (46, 20, 58, 46)


@dataclass(frozen=True)
class Figure:
    """One line of the first sheet. formula: adds the value up in other cells; None where none can. form: its format."""

    name: str
    value: float
    where: str
    formula: str | None = None
    form: str = "count"
    note: str = ""


def write_first_sheet(write: Writer, sheet: Worksheet, view: RunView, placed: Mapping[str, Placed]) -> None:
    """placed: where the tables orders, gaps and money lie."""
    for i, columns in enumerate(WIDTHS):
        sheet.set_column(i, i, columns)
    row = _heading(write, sheet, view)
    write.text(sheet, row, 0, view.say("headline.title"), "section")
    row = _paragraphs(write, sheet, row + 1, [*this_week(view), *counted_on(view)])
    row = _figures(write, sheet, row + 1, view, placed)
    certainty = certainty_lines(view.certificate, view.inputs.settings, view.language, view.inputs.tables.get("kept"))
    row = _paragraphs(write, sheet, row + 1, certainty)
    _assumptions(write, sheet, row + 1, view)


def _heading(write: Writer, sheet: Worksheet, view: RunView) -> int:
    inputs, settings = view.inputs, view.inputs.settings
    write.text(sheet, 0, 0, view.say("summary.what", name=settings.name), "title")
    local = inputs.as_of.astimezone(settings.calendar.zone)
    rows = [(view.say("summary.as_of"), f"{local:%Y-%m-%d %H:%M} {zone_word(settings.time_zone)}")]
    if inputs.starts:
        text = view.say("summary.horizon_text", first=inputs.starts[0], last=inputs.last_day)
        rows.append((view.say("summary.horizon"), text))
    rows.append((view.say("summary.currency"), settings.currency))
    if inputs.futures > 1:
        rows.append((view.say("summary.demand_is"), view.say("summary.expected", futures=inputs.futures)))
    for r, (name, value) in enumerate(rows, start=1):
        write.text(sheet, r, 0, name, "bold")
        write.text(sheet, r, 1, value)
    return len(rows) + 2


def _paragraphs(write: Writer, sheet: Worksheet, row: int, texts: list[str]) -> int:
    """One below the other over the whole width; gives the row after them."""
    for text in texts:
        sheet.merge_range(row, 0, row, len(WIDTHS) - 1, "", write.formats["wrap"])
        write.text(sheet, row, 0, text, "wrap")
        sheet.set_row(row, LINE_HEIGHT * lines_of(text, sum(WIDTHS)))
        row += 1
    return row


def _figures(write: Writer, sheet: Worksheet, row: int, view: RunView, placed: Mapping[str, Placed]) -> int:
    for i, head in enumerate(("figure", "value", "where", "note")):
        write.text(sheet, row, i, view.say(f"summary.{head}"), "head")
    rests = view.say("summary.assumed_in") if resting_on(view.inputs, PLAN) else ""
    figures = _demand(view, placed["gaps"], placed["after_due"]) + _orders(view, placed["orders"])
    figures += _costs(view, placed.get("money"), row + 1 + len(figures))
    for r, figure in enumerate(figures, start=row + 1):
        write.text(sheet, r, 0, figure.name, "bold")
        if math.isfinite(figure.value):
            write.number(sheet, r, 1, figure.value, figure.form, figure.formula)
        write.text(sheet, r, 2, figure.where)
        write.text(sheet, r, 3, "; ".join(filter(None, (figure.note, rests))), "note")
    return row + 1 + len(figures)


def _column(view: RunView, placed: Placed, column: str) -> str:
    return view.say("summary.in_column", sheet=placed.sheet, column=title(column, view.language))


def _sum(cells: str | None) -> str | None:
    return None if cells is None else f"=SUM({cells})"


def _demand(view: RunView, gaps: Placed, after_due: Placed) -> list[Figure]:
    units = sorted({view.names.unit(r["product"]) for r in view.products})
    note = view.say("summary.mixed", units=", ".join(units)) if len(units) > 1 else ""
    result = []
    for name in ("demand", "on_time", "late", "lost"):
        column = f"{name}_units"
        formula, where = _sum(gaps.cells(column)), _column(view, gaps, column)
        result.append(Figure(view.say(f"summary.{name}"), view.demand[column], where, formula, note=note))
        if name == "on_time" and after_due.rows:
            kind, units = after_due.cells("what"), after_due.cells("units")
            word = coded("what", "on_time", view.language)
            by_day = None if not (formula and kind and units) else f'{formula}-SUMIF({kind},"{word}",{units})'
            where = view.say("summary.less", of=where, sheet=after_due.sheet, what=word)
            result.append(Figure(view.say("summary.by_day"), view.demand["by_day_units"], where, by_day, note=note))
    return result


def _orders(view: RunView, placed: Placed) -> list[Figure]:
    """How many orders, and of which kind this week; what the orders cost by themselves."""
    rows, after = view.orders, view.inputs.after_this_week
    cells = {column: placed.cells(column) for column in ("start", "kind", "late", "cost")}
    there = cells["start"] is not None
    every = f"=COUNT({cells['start']})" if there else None
    result = [Figure(view.say("summary.orders"), len(rows), _column(view, placed, "order"), every)]
    where = view.say("summary.this_week", sheet=placed.sheet, day=after)
    before = f'"<"&DATE({after.year},{after.month},{after.day})'
    for kind in KINDS:
        word = coded("kind", kind, view.language)
        formula = f'=COUNTIFS({cells["start"]},{before},{cells["kind"]},"{word}")' if there else None
        count = sum(r["kind"] == kind for r in view.orders_now)
        result.append(Figure(view.say(f"summary.now_{kind}"), count, where, formula))
    formula = f"=COUNTIF({cells['late']},TRUE)" if there else None
    late = sum(bool(r["late"]) for r in rows)
    result.append(Figure(view.say("summary.orders_late"), late, _column(view, placed, "late"), formula))
    spent = view.say("summary.spent", currency=view.inputs.settings.currency)
    total = math.fsum(r["cost"] for r in rows)
    return [*result, Figure(spent, total, _column(view, placed, "cost"), _sum(cells["cost"]))]


def _costs(view: RunView, money: Placed | None, row: int) -> list[Figure]:
    """Money by term, each the sum of its rows of the sheet of money, and in all. row: of the first of them, from 0."""
    result = []
    for r in view.inputs.tables["cost"].to_pylist():
        word = str(coded("term", r["term"], view.language))
        formula, where = None, ""
        if money is not None:
            where = view.say("summary.in_term", sheet=money.sheet, term=word)
            cells = money.cells("term"), money.cells("money")
            formula = None if cells[0] is None else f'=SUMIF({cells[0]},"{word}",{cells[1]})'
        name = view.say("summary.cost", term=word, currency=view.inputs.settings.currency)
        result.append(Figure(name, r["money"], where, formula))
    certificate = view.certificate
    gap = rounded_up(certificate["gap_share"])
    total = f"=SUM(B{row + 1}:B{row + len(result)})" if result else None
    return [
        *result,
        Figure(view.say("certificate.total"), certificate["total_cost"], view.say("summary.terms"), total),
        Figure(view.say("certificate.bound"), certificate["lower_bound"], view.say("summary.proof")),
        Figure(view.say("certificate.gap"), gap, view.say("summary.gap_is"), form="gap"),
    ]


def _assumptions(write: Writer, sheet: Worksheet, row: int, view: RunView) -> None:
    write.text(sheet, row, 0, view.say("assumptions.title"), "section")
    if not view.inputs.assumed:
        write.text(sheet, row + 1, 0, view.say("assumptions.none"))
        return
    for c, name in enumerate(("column", "rows", "derivation")):
        write.text(sheet, row + 1, c, view.say(f"assumptions.{name}"), "head")
    for r, a in enumerate(sorted(view.inputs.assumed), start=row + 2):
        write.text(sheet, r, 0, f"{a.table}.{a.column}", "bold")
        sheet.write_number(r, 1, a.rows, write.formats["count"])
        text = a.derivation or view.say("assumptions.not_stated")
        sheet.merge_range(r, 2, r, 3, "", write.formats["wrap"])
        write.text(sheet, r, 2, text, "wrap")
        sheet.set_row(r, LINE_HEIGHT * lines_of(text, sum(WIDTHS[2:])))
