"""Long tables of the web page, which a small script lets a reader search, filter and sort: rows of plain texts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from datong.app.wording import figures
from datong.app.wording.columns import coded, title
from datong.app.wording.late import KINDS as LATE_KINDS
from datong.app.wording.product_by_week import LEVELS, Block
from datong.app.wording.view import RunView
from datong.app.wording.week import KINDS
from datong.model.fractional_units import PIECE
from datong.plan.reason import sentence
from datong.questions.tables_out import planned_orders

# Rows that stand in the page itself, without a script; and at most so many in all.
SHOWN_AT_FIRST, MOST_ROWS = 25, 50_000
# So many orders carry their reason, and so many products a block: more would make the page too heavy for a phone.
REASONS_SHOWN, BLOCKS_SHOWN = 3_000, 2_000


@dataclass(frozen=True)
class Head:
    """A column. style: 'n' for numbers, 'text' and 'name' for what may take several lines, 'bad' for what hurts, and
    'roomy' for what a phone does not show."""

    title: str
    style: str = ""


@dataclass(frozen=True)
class Listing:
    """rows: a text for each column. tags: words by which a row is chosen, as `choices` (tag, its words) offers them.
    details: what a row opens to. sortable: else rows of one product stand together. left_out: rows not in the page.
    """

    name: str
    heads: Sequence[Head]
    rows: Sequence[Sequence[str]]
    tags: Sequence[str] = ()
    details: Sequence[str] = ()
    choices: Sequence[tuple[str, str]] = ()
    sortable: bool = True
    left_out: int = 0

    @property
    def first(self) -> Sequence[Sequence[str]]:
        """The rows that stand in the page itself; no block is cut."""
        count = min(SHOWN_AT_FIRST, len(self.rows))
        while not self.sortable and 0 < count < len(self.rows) and self.rows[count][0] == self.rows[count - 1][0]:
            count += 1
        return self.rows[:count]

    @property
    def data(self) -> dict[str, Any]:
        """For the script."""
        return {
            "styles": [head.style for head in self.heads],
            "rows": self.rows,
            "tags": self.tags,
            "details": self.details,
            "sortable": self.sortable,
        }


def orders_listing(view: RunView) -> Listing:
    """All orders by start. Chosen by kind, by this week, and by whether a customer is served late."""
    rows, after = view.orders, view.inputs.after_this_week
    some_hurt = any(r["hurts"] for r in rows)
    heads = [
        Head(_title(view, "order")),
        Head(_title(view, "kind"), "roomy"),
        Head(_title(view, "product"), "name"),
        Head(_title(view, "units"), "n"),
        Head(_title(view, "start")),
        *(Head(_title(view, c), "roomy") for c in ("due", "needed_by")),
        Head(view.say("orders.where"), "roomy"),
        *([Head(_title(view, "hurts"), "bad text")] if some_hurt else []),
        Head(_title(view, "cost"), "n roomy"),
    ]
    lines = [
        (
            r["order"],
            str(coded("kind", r["kind"], view.language)),
            view.names.beside(r["product"]),
            view.amount(r["units"], r["product"]),
            *(r[day].isoformat() for day in ("start", "due", "needed_by")),
            _where(view, r),
            *([", ".join(r["hurts"] or ())] if some_hurt else []),
            figures.number(r["cost"]),
        )
        for r in rows
    ]
    tags = [
        " ".join([r["kind"], *(["week"] if r["start"] < after else ()), *(["late"] if r["late"] else ())]) for r in rows
    ]
    choices = [("week", view.say("orders.this_week")), ("late", view.say("orders.late"))]
    choices += [(k, str(coded("kind", k, view.language))) for k in KINDS if any(r["kind"] == k for r in rows)]
    reasons = _reasons(view, {r["order"] for r in rows[:REASONS_SHOWN]})
    details = [reasons.get(r["order"]) or view.say("orders.ask_why", order=r["order"]) for r in rows]
    return _listing("orders", heads, lines, tags=tags, details=details, choices=choices)


def _where(view: RunView, row: Mapping[str, Any]) -> str:
    """Line, offer or lane of an order."""
    if row["line"] or row["offer"]:
        return str(row["line"]) if row["line"] else str(coded("offer", row["offer"], view.language))
    return view.say("orders.from_to", first=row["from_site"] or "–", second=row["site"] or "–")


def _reasons(view: RunView, wanted: set[str]) -> dict[str, str]:
    return {o.order: sentence(o, view.language) for o in planned_orders(view.inputs.tables, wanted)}


def _title(view: RunView, column: str) -> str:
    return title(column, view.language)


def _listing(name: str, heads: list[Head], rows: Sequence[tuple[str, ...]], **of_rows: Any) -> Listing:
    """With at most MOST_ROWS rows."""
    left_out = max(0, len(rows) - MOST_ROWS)
    for key in ("tags", "details"):
        if key in of_rows:
            of_rows[key] = of_rows[key][:MOST_ROWS]
    return Listing(name, heads, rows[:MOST_ROWS], left_out=left_out, **of_rows)


def late_listing(view: RunView) -> Listing:
    """What is late and for whom."""
    heads = [
        Head(_title(view, "due")),
        Head(view.say("late.whom")),
        Head(_title(view, "product"), "name"),
        Head(_title(view, "units"), "n"),
        Head(_title(view, "service"), "bad"),
        Head(_title(view, "served_in")),
        Head(_title(view, "binding"), "roomy"),
    ]
    lines = []
    for r in view.late:
        day = r["due"] or r["due_in"]
        lines.append(
            (
                day.isoformat() if day else "",
                _whom(view, r),
                view.names.beside(r["product"]) if r["product"] else "",
                view.amount(r["units"], r["product"]),
                str(coded("service", r["service"], view.language)),
                r["served_in"].isoformat() if r["served_in"] else "",
                view.cause(r),
            )
        )
    kinds = [k for k in LATE_KINDS if any(r["service"] == k for r in view.late)]
    choices = [(k, str(coded("service", k, view.language))) for k in kinds]
    return _listing("late", heads, lines, tags=[r["service"] for r in view.late], choices=choices)


def _whom(view: RunView, row: dict[str, Any]) -> str:
    """The request, or that it is expected demand; and the market where there are several."""
    if row["product"] is None:
        return view.say("late.small")
    whom = row["demand"] or view.say("late.expected")
    return whom if row["market"] in (None, "", "all") else f"{whom} · {row['market']}"


def grid_listing(view: RunView) -> Listing:
    """Product by bucket: demand, what is made or received, closing stock; products that fall short first."""
    short = {r["product"] for r in view.late if r["product"]}
    blocks = sorted(view.blocks, key=lambda b: b.product not in short)
    heads = [Head(_title(view, "product"), "name"), Head(_title(view, "row"))]
    heads += [Head(figures.short_day(start, view.language), "n") for start in view.inputs.starts]
    heads.append(Head(view.say("sheet.total"), "n"))
    lines = [line for block in blocks[:BLOCKS_SHOWN] for line in _block(view, block)]
    left_out = sum(len(b.rows) for b in blocks[BLOCKS_SHOWN:])
    return Listing("grid", heads, lines, sortable=False, left_out=left_out)


def _block(view: RunView, block: Block) -> list[tuple[str, ...]]:
    unit = view.names.unit(block.product)
    name = view.names.beside(block.product) + ("" if unit == PIECE else f" ({unit})")
    return [
        (
            name,
            str(coded("row", what, view.language)),
            *(figures.fitting(v) for v in values.tolist()),
            "" if what in LEVELS else figures.fitting(float(values.sum())),
        )
        for what, values in block.rows.items()
    ]


def since_listing(view: RunView) -> Listing | None:
    """What came and changed since the last plan, and what to do about it; None where the run does not say."""
    if view.since is None:
        return None
    rows = [r for r in view.since if r["part"] != "before"]
    heads = [Head(_title(view, "part"), "roomy"), Head(_title(view, "text"), "text")]
    heads += [Head(_title(view, "product"), "name roomy")]
    heads += [Head(_title(view, c), "n roomy") for c in ("units_before", "units_after")]
    lines = [
        (
            str(coded("part", r["part"], view.language)),
            r["text"],
            view.names.beside(r["product"]) if r["product"] else "",
            *("" if r[c] is None else figures.fitting(r[c]) for c in ("units_before", "units_after")),
        )
        for r in rows
    ]
    parts = dict.fromkeys(r["part"] for r in rows)
    choices = [(part, str(coded("part", part, view.language))) for part in parts]
    return _listing("since", heads, lines, tags=[r["part"] for r in rows], choices=choices)
