"""How tables print in a notebook."""

import pyarrow as pa
from markupsafe import Markup

from datong.app.report.columns import shown_value, title
from datong.model.words import say

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
