"""Rows of the table `since`, and what is needed to put a row into words."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cached_property, reduce
from typing import Any, Literal

import pyarrow as pa
import pyarrow.compute as pc

from datong.ledger.protocol import FEWER_SOLD_SCHEMA
from datong.ledger.standings import READ_FOR_STANDINGS
from datong.ledger.state import State
from datong.model.words import Message, message, shown
from datong.questions.tables_out import params_json

# What a row tells of: the plan before, what came back, what is closed by refusals, what orders taught, what is asked
# for, whose promise changed, what became of the orders of the plan before, what that costs, and what to do this week.
PARTS = ("before", "came_back", "closed", "learnt", "demand", "promises", "orders", "cost", "to_do")
Part = Literal["before", "came_back", "closed", "learnt", "demand", "promises", "orders", "cost", "to_do"]

SINCE_SCHEMA = pa.schema(
    [
        *((name, pa.string()) for name in ("part", "kind", "subject", "product", "name")),
        *((f"units_{side}", pa.float64()) for side in ("before", "after")),
        *((f"day_{side}", pa.date32()) for side in ("before", "after")),
        *((f"money_{side}", pa.float64()) for side in ("before", "after")),
        ("text_key", pa.string()),
        ("text_params", pa.string()),
    ]
)

# Units and money below this are nothing.
NOTHING = 1e-6
# The unit that goes without saying.
PIECE = "piece"
# Most orders that one sentence names.
MOST_NAMED = 3


@dataclass(frozen=True)
class Row:
    """One thing that changed, or is to be done. subject: the order, request or run that it is about.

    kind: what happened to it. units, day, money: at the last plan and now, None where they do not apply. day: on which
    an order that is out or a request is due, or a planned order starts.
    """

    part: Part
    kind: str
    text: Message
    subject: str | None = None
    product: str | None = None
    units: tuple[float | None, float | None] = (None, None)
    day: tuple[date | None, date | None] = (None, None)
    money: tuple[float | None, float | None] = (None, None)


# What is read of the world that the plan before saw.
READ_BEFORE = ("demand", "stock", "returns", *READ_FOR_STANDINGS)
# What is read of a run from which something went out.
SOURCE_TABLES = ("orders", "ways")


@dataclass(frozen=True, eq=False)
class PlanBefore:
    """A run that was kept before what is new came in: the world that it saw (of it the tables `READ_BEFORE`), and its
    tables. fewer_sold: what of the sales that it counted holds no longer, or for less, in FEWER_SOLD_SCHEMA. sources:
    of each run from which something went out since or ended, the tables `SOURCE_TABLES`, by run."""

    run: str
    as_of: datetime
    state: State
    tables: Mapping[str, pa.Table]
    fewer_sold: pa.Table = field(default_factory=FEWER_SOLD_SCHEMA.empty_table)
    sources: Mapping[str, Mapping[str, pa.Table]] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Naming:
    """Names and units of products, as they are put into words."""

    state: State

    @cached_property
    def _products(self) -> Mapping[str, tuple[str | None, str | None]]:
        rows = self.state.table("products").select(["product", "name", "base_unit"]).to_pylist()
        return {row["product"]: (row["name"], row["base_unit"]) for row in rows}

    def name(self, product: str | None) -> str | None:
        return self._products.get(product or "", (None, None))[0]

    def called(self, product: str) -> str:
        """A product by its name and code."""
        name = self.name(product)
        return product if not name or name == product else f"{name} ({product})"

    def amount(self, units: float, product: str) -> Message:
        unit = self._products.get(product, (None, None))[1] or PIECE
        if unit == PIECE:
            return message("plan.pieces", units=shown(units))
        return message("plan.amount", units=shown(units), unit=unit)

    def when(self, bucket: date) -> Message:
        return message("plan.week" if self.state.settings.bucket == "week" else "plan.day", day=bucket)

    def span(self, buckets: int) -> Message:
        return message("plan.weeks" if self.state.settings.bucket == "week" else "plan.days", count=buckets)


def listed(parts: Sequence[Message | str]) -> Message | str:
    """The first few, and how many more there are."""
    some = list(parts[:MOST_NAMED])
    if len(parts) > len(some):
        some.append(message("plan.more", count=len(parts) - len(some)))
    return reduce(lambda before, following: message("plan.list", before=before, following=following), some)


def new_rows(before: State, now: State, name: str) -> pa.Table:
    """Rows of a table that were not there before."""
    rows, old = now.table(name), before.table(name)
    if not old.num_rows or not rows.num_rows:
        return rows
    return rows.filter(pc.invert(pc.is_in(rows["row_id"], old["row_id"].combine_chunks())))


def table_of(rows: Sequence[Row], naming: Naming) -> pa.Table:
    """The rows in `SINCE_SCHEMA`."""
    columns: dict[str, Any] = {
        "part": [row.part for row in rows],
        "kind": [row.kind for row in rows],
        "subject": [row.subject for row in rows],
        "product": [row.product for row in rows],
        "name": [naming.name(row.product) for row in rows],
        "text_key": [row.text.key for row in rows],
        "text_params": [params_json(row.text) for row in rows],
    }
    for at, side in enumerate(("before", "after")):
        columns |= {
            f"units_{side}": [row.units[at] for row in rows],
            f"day_{side}": [row.day[at] for row in rows],
            f"money_{side}": [row.money[at] for row in rows],
        }
    return pa.table(columns, schema=SINCE_SCHEMA)
