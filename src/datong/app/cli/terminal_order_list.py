"""The order list in a terminal, and where the files are that go with it."""

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from datong.app.cli import terminal
from datong.app.wording import figures
from datong.app.wording.order_list import OrderList
from datong.model.words import say

ROWS_SHOWN = 25


def show_order_list(listed: OrderList, console: Console | None = None) -> None:
    """The most urgent products, and what the list rests on."""
    console = console or terminal.make_console()
    console.print()
    console.print(Text(listed.title(), style="bold"))
    shown = Table(box=SIMPLE_HEAD, pad_edge=False, header_style="dim", show_edge=False)
    for name, numbers in listed.heads():
        shown.add_column(name, justify="right" if numbers else "left", overflow="fold")
    rows = listed.rows
    for row in rows[:ROWS_SHOWN]:
        shown.add_row(*map(Text, listed.texts(row)))
    console.print(shown)
    if len(rows) > ROWS_SHOWN:
        more = figures.number(len(rows) - ROWS_SHOWN)
        console.print(Text(say("order_list.more", listed.language, count=more), style="dim"))
    for note in listed.notes():
        console.print(Text(note, style="dim"))
    for note in listed.apart_notes():
        console.print(Text(note), soft_wrap=True)
