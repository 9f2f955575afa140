"""The orders of a run as a planner reads them: with names, with what becomes of them, the most urgent first."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import date
from typing import Any

import pyarrow as pa

from datong.app.wording.names import Names
from datong.app.wording.report_inputs import ReportInputs
from datong.model.calendar import Calendar
from datong.questions.tables_out import ORDERS_SCHEMA

Row = dict[str, Any]

ORDER_ROWS_SCHEMA = pa.schema(
    [
        *(ORDERS_SCHEMA.field(name) for name in ("order", "kind", "product")),
        ("product_name", pa.string()),
        ORDERS_SCHEMA.field("units"),
        ("base_unit", pa.string()),
        *(
            ORDERS_SCHEMA.field(name)
            for name in ("line", "start", "due", "needed_by", "late", "hurts", "cost", "value", "behind")
        ),
        ("hours", pa.float64()),
        ("good_units", pa.float64()),
        ("counted_in", pa.date32()),
        *(ORDERS_SCHEMA.field(name) for name in ("from_site", "site", "recipe", "offer", "lane")),
    ]
)


def order_rows(inputs: ReportInputs) -> list[Row]:
    """Every proposed order, by start, then by the day on which it is needed: the columns of ORDER_ROWS_SCHEMA.

    hours: of its line, set-up included. good_units: what comes of it, counted in the bucket that starts on counted_in.
    The three are unknown where the run does not say by which way.
    """
    names, calendar = Names(inputs.tables), inputs.settings.calendar
    ways: dict[tuple[str, ...], list[Row]] = defaultdict(list)
    for way in inputs.tables["ways"].to_pylist() if "ways" in inputs.tables else ():
        ways[_way_key(way, way["way"])].append(way)
    rows = []
    for o in inputs.tables["orders"].to_pylist():
        row = o | {"product_name": names.name(o["product"]), "base_unit": names.unit(o["product"])}
        begun = calendar.bucket_start(o["start"])
        versions = ways[_way_key(o, o["recipe"] or o["offer"] or o["lane"])]
        way = next((w for w in versions if _holds(w, begun)), None)
        if way is not None:
            row |= {
                "hours": way["setup_hours"] + o["units"] * way["hours_per_unit"] if o["line"] else None,
                "good_units": o["units"] * way["yield_share"],
                "counted_in": calendar.shift(begun, way["lead_buckets"]),
            }
        rows.append({name: row.get(name) for name in ORDER_ROWS_SCHEMA.names})
    return sorted(rows, key=lambda r: (r["start"], r["needed_by"], r["order"]))


def order_row(row: Row) -> Row:
    """An order that was changed since the run, with the columns of ORDER_ROWS_SCHEMA that are known of it. row: with
    its product's `name`."""
    return {name: row.get(name) for name in ORDER_ROWS_SCHEMA.names} | {"product_name": row["name"] or ""}


def _way_key(row: Row, way: str | None) -> tuple[str, ...]:
    return (row["kind"], row["product"], way or "", row["from_site"] or "", row["site"] or "")


def buckets_late(row: Row, calendar: Calendar) -> int:
    """How many buckets after its need it is there; below nothing: before it."""
    return calendar.index(row["counted_in"] or row["due"], row["needed_by"])


def _holds(way: Row, day: date) -> bool:
    return (way["valid_from"] is None or way["valid_from"] <= day) and (
        way["valid_to"] is None or day < way["valid_to"]
    )


def of_this_week(rows: Sequence[Row], after: date, calendar: Calendar) -> list[Row]:
    """Those that start before the day `after`, the most urgent first: what is late for its need by most buckets, then
    what is needed first, then what saves most, or on which most hangs."""

    def urgency(row: Row) -> tuple[int, date, float, str]:
        worth = row["behind"] if row["value"] is None else row["value"]
        return -buckets_late(row, calendar), row["needed_by"], -(worth or 0.0), row["order"]

    return sorted((row for row in rows if row["start"] < after), key=urgency)
