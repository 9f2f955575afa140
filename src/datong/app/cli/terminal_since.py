"""What `datong run` opens with: what came and changed since the last plan, and what to do this week."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
from rich.console import Console
from rich.text import Text

from datong.app.cli import terminal
from datong.model.settings import ChainSettings
from datong.model.words import say
from datong.questions.since.rows import PARTS
from datong.questions.tables_out import rendered

# Most rows that are shown of one kind, and of one part; how many there are stands before them.
SHOWN_OF_KIND, SHOWN_OF_PART = 2, 6
# Parts that are told to be empty, and of whose rows each kind is counted.
_COUNTED = ("came_back", "demand", "promises", "orders")
# Kinds of which one row says how many there are.
_SUMS = ("shipped_unnamed", "returned", "counted_as_recorded", "same")


def show_changes(since: pa.Table, settings: ChainSettings, language: str, console: Console | None = None) -> None:
    """The table `since` of a run below something else: what changed in numbers, where all of it is, and what to do."""
    show_since(since, settings, language, console, rows=False)


def show_since(
    since: pa.Table,
    settings: ChainSettings,
    language: str,
    console: Console | None = None,
    *,
    rows: bool = True,
    book: Path | None = None,
) -> None:
    """The table `since` of a run: the first of each kind. rows: False gives how many there are of each kind alone.
    book: the workbook in which all of them are; None: none was written."""
    console = console or terminal.make_console()
    all_rows = rendered({"since": since}, language)["since"].to_pylist()
    parts = {part: [row for row in all_rows if row["part"] == part] for part in PARTS}
    (before,) = parts.pop("before")
    to_do = parts.pop("to_do")
    console.print()
    console.print(Text(before["text"], style="bold"))
    for part, own in parts.items():
        if not rows and part not in _COUNTED:
            continue
        if own or (part in _COUNTED and before["kind"] != "first"):
            left = _print_part(console, part, own, language, rows=rows)
            if left > 0:
                key = "since.more" if book is None else "since.more_written"
                console.print(Text("    " + say(key, language, count=left, file=book), style="dim"))
    if not rows:
        console.print(Text("  " + say("since.in_report", language), style="dim"))
    console.print()
    week = settings.bucket == "week"
    console.print(Text(say("since.to_do" if week else "since.to_do_day", language), style="bold"))
    for number, row in enumerate(to_do, start=1):
        console.print(Text(f"  {number}. {row['text']}"))


def _print_part(
    console: Console, part: str, own: Sequence[Mapping[str, Any]], language: str, *, rows: bool = True
) -> int:
    """How many rows of each kind a part has, and the first of them. Gives how many there are besides."""
    head = say(f"since.part.{part}", language)
    if not own:
        console.print(Text("  " + say("since.nothing", language, part=head), style="dim"))
        return 0
    told = [row for row in own if row["kind"] not in _SUMS]
    if part in _COUNTED:
        kinds = Counter(row["kind"] for row in told)
        counts = [
            say("since.count", language, count=count, kind=say(f"since.kind.{kind}", language))
            for kind, count in kinds.items()
        ]
        counts += [row["text"] for row in own if row["kind"] in _SUMS]
        head = say("since.counts", language, part=head, counts=("、" if language == "zh" else ", ").join(counts))
    console.print(Text(f"  {head}"))
    if not rows:
        return 0
    shown = told if part == "cost" else first_of(told)
    for row in shown:
        console.print(Text(f"    {row['text']}"))
    return len(told) - len(shown)


def first_of(rows: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The rows that are shown of a part: of each kind those in which most units changed. The largest of all is one of
    them."""
    kinds = list(dict.fromkeys(row["kind"] for row in rows))
    by_kind = [sorted((row for row in rows if row["kind"] == kind), key=_less)[:SHOWN_OF_KIND] for kind in kinds]
    shown = [row for own in by_kind for row in own][:SHOWN_OF_PART]
    largest = min(rows, key=_less, default=None)
    if largest is not None and largest not in shown:
        shown[-1] = largest
    return shown


def _less(row: Mapping[str, Any]) -> float:
    """Units that changed, the most first."""
    return -abs((row["units_after"] or 0.0) - (row["units_before"] or 0.0))
