"""Tables of markup in a file called .xls, as many programs write one: HTML, or the XML of older spreadsheets."""

import re
from html.parser import HTMLParser
from typing import NamedTuple

_ENCODING = re.compile(rb"(?:charset|encoding)\s*=\s*[\"']?\s*([\w-]+)", re.IGNORECASE)
_MOST_SPAN = 1000
# The elements of a table, a row and a cell: of HTML, and of the XML of spreadsheets; and what it says of a place.
_TABLES, _ROWS, _CELLS = frozenset({"table", "ss:table"}), frozenset({"tr", "row", "ss:row"}), frozenset(
    {"td", "th", "cell", "ss:cell"}
)  # fmt: skip
_DATA = frozenset({"data", "ss:data"})
_UNSEEN = frozenset({"style", "script", "title", "comment", "ss:comment"})


class MarkupCell(NamedTuple):
    """text: without blanks around it. is_number: the file says that it is one, with a decimal point."""

    text: str
    is_number: bool = False


_EMPTY = MarkupCell("")


def tables_in_markup(content: bytes) -> list[list[list[MarkupCell]]]:
    """The rows of cells of each table, as many in each. A cell over several columns or rows stands in the first of
    them; a table within a cell is one of its own."""
    found = _ENCODING.search(content[:2000])
    encoding = found[1].decode("ascii") if found else "utf-8"
    try:
        text = content.decode(encoding)
    except (LookupError, UnicodeDecodeError):
        text = content.decode("gb18030", errors="replace")
    reader = _Reader()
    reader.feed(text.removeprefix("\ufeff"))
    reader.close()
    return [_filled(rows) for rows in reader.tables if any(cell.text for row in rows for cell in row)]


def _filled(rows: list[list[MarkupCell]]) -> list[list[MarkupCell]]:
    width = max(map(len, rows))
    return [row + [_EMPTY] * (width - len(row)) for row in rows]


class _Reader(HTMLParser):
    """tables: rows of cells of each table that is closed. A table within a cell parts the one around it."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.tables: list[list[list[MarkupCell]]] = []
        self._rows: list[list[MarkupCell]] = []
        self._cell: list[str] | None = None
        self._below: dict[int, int] = {}  # column: rows yet that a cell from above takes
        self._span = (1, 1)
        self._type = ""
        self._unseen = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said = dict(attrs)
        if tag in _UNSEEN:
            self._unseen += 1
        elif tag in _TABLES:
            self._close_table()
        elif tag in _ROWS:
            self._close_cell()
            skipped = int(said.get("ss:index") or 0) - len(self._rows) - 1
            self._rows += [[] for _ in range(min(max(skipped, 0), _MOST_SPAN))]
            self._rows.append([])
        elif tag in _CELLS and self._rows:
            self._close_cell()
            self._cell, self._type = [], ""
            self._span = (_number(said.get("colspan")) or 1 + _number(said.get("ss:mergeacross")),
                          _number(said.get("rowspan")) or 1 + _number(said.get("ss:mergedown")))  # fmt: skip
            row = self._rows[-1]
            self._pass_cells_from_above(row)
            row += [_EMPTY] * min(max(_number(said.get("ss:index")) - 1 - len(row), 0), _MOST_SPAN)
        elif tag in _DATA:
            self._type = said.get("ss:type") or said.get("type") or ""
        elif tag == "br" and self._cell is not None:
            self._cell.append(" ")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in _UNSEEN:
            self._unseen = max(0, self._unseen - 1)
        elif tag in _CELLS or tag in _ROWS:
            self._close_cell()
        elif tag in _TABLES:
            self._close_table()

    def handle_data(self, data: str) -> None:
        if self._cell is not None and not self._unseen:
            self._cell.append(data)

    def _close_cell(self) -> None:
        if self._cell is None:
            return
        row, (across, down) = self._rows[-1], self._span
        place = len(row)
        text = " ".join("".join(self._cell).split())
        if self._type == "DateTime":
            text = text.removesuffix(".000").replace("T00:00:00", "").replace("T", " ")
        row += [MarkupCell(text, self._type == "Number"), *[_EMPTY] * (min(across, _MOST_SPAN) - 1)]
        for column in range(place, len(row)) if down > 1 else ():
            self._below[column] = down - 1
        self._cell = None

    def _pass_cells_from_above(self, row: list[MarkupCell]) -> None:
        while self._below.get(len(row), 0) > 0:
            self._below[len(row)] -= 1
            row.append(_EMPTY)

    def _close_table(self) -> None:
        self._close_cell()
        if self._rows:
            self.tables.append(self._rows)
        self._rows, self._below = [], {}


def _number(text: str | None) -> int:
    return int(text) if text and text.isdigit() else 0
