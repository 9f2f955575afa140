"""How tables and runs print in a notebook and a console."""

import io
import math
from typing import TYPE_CHECKING

import pyarrow as pa
from markupsafe import Markup

from datong.app.report import figures
from datong.app.report.columns import shown_value, title
from datong.model.words import say

if TYPE_CHECKING:
    from datong.app.chain import RunResult
    from datong.app.compare import Comparison

_STYLE = "text-align:{};padding:2px 8px;white-space:nowrap"


def html_table(table: pa.Table, language: str, limit: int = 20) -> str:
    """The first `limit` rows as an HTML table, with a line that says how many there are in all."""
    shown = table.slice(0, limit)
    right = {f.name for f in table.schema if pa.types.is_floating(f.type) or pa.types.is_integer(f.type)}

    def cell(tag: str, name: str, text: object) -> Markup:
        style = _STYLE.format("right" if name in right else "left")
        return Markup('<{} style="{}">{}</{}>').format(Markup(tag), style, text, Markup(tag))

    heads = Markup("").join(cell("th", n, title(n, language)) for n in table.column_names)
    rows = Markup("").join(
        Markup("<tr>{}</tr>").format(
            Markup("").join(cell("td", n, shown_value(n, value, language)) for n, value in row.items())
        )
        for row in shown.to_pylist()
    )
    count = say("terminal.rows", language, shown=shown.num_rows, all=table.num_rows)
    return str(
        Markup("<div><table><thead><tr>{}</tr></thead><tbody>{}</tbody></table><small>{}</small></div>").format(
            heads, rows, count
        )
    )


def run_text(result: "RunResult", language: str) -> str:
    """A run in a few lines: which one, as of when, its orders, cost, gap, signals and tables."""
    pairs = _run_pairs(result, language)
    wide = max(len(name) for name, _ in pairs)
    return "\n".join([_run_title(result, language), *(f"  {name:<{wide}}  {value}" for name, value in pairs)])


def run_html(result: "RunResult", language: str) -> str:
    """The same as a small HTML table."""
    row = Markup('<tr><th style="text-align:left;padding:2px 8px">{}</th><td style="text-align:left">{}</td></tr>')
    rows = Markup("").join(row.format(name, value) for name, value in _run_pairs(result, language))
    return str(Markup("<div><b>{}</b><table>{}</table></div>").format(_run_title(result, language), rows))


def _run_title(result: "RunResult", language: str) -> str:
    moment = result.as_of.astimezone(result.settings.calendar.zone)
    name = result.settings.name
    return say("terminal.run_title", language, run=result.run, name=name, as_of=f"{moment:%Y-%m-%d %H:%M}")


def _run_pairs(result: "RunResult", language: str) -> list[tuple[str, str]]:
    orders, certificate = result.tables["orders"], result.tables["certificate"].to_pylist()[0]
    units = figures.number(math.fsum(orders["units"].to_pylist()))
    values = {
        "orders": say("terminal.run_orders_text", language, count=figures.number(orders.num_rows), units=units),
        "cost": figures.money(certificate["total_cost"], result.settings.currency, language),
        "gap": figures.share_at_most(certificate["gap_share"]),
        "signals": figures.number(result.tables["signals"].num_rows),
        "tables": ", ".join(result.tables),
    }
    return [(say(f"terminal.run_{name}", language), value) for name, value in values.items()]


def comparison_text(comparison: "Comparison", language: str) -> str:
    """What `datong compare` prints."""
    from datong.app import terminal

    sink = io.StringIO()
    terminal.show_comparison(comparison, language, terminal.make_console(sink))
    return sink.getvalue().rstrip()
