"""What is late and for whom: each request that is not served on time, and expected demand that is not."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any, Literal

import pyarrow as pa
import pyarrow.compute as pc

from datong.app.wording.columns import rounded
from datong.app.wording.names import Names
from datong.app.wording.report_inputs import ReportInputs
from datong.model.settings import ChainSettings
from datong.model.words import say
from datong.questions.demand_totals import LEAST_SHORT

Row = dict[str, Any]

# Of a request: late (served in a later bucket), refused, or never (not served before the plan ends).
KINDS = ("late", "refused", "never")
# Units below this are rounding.
NOTHING = 1e-6
_CAUSE = ("binding", "binding_bucket", "needed_amount", "needed_unit", "needed_days", "kept_for")

LATE_SCHEMA = pa.schema(
    [
        ("demand", pa.string()),
        ("product", pa.string()),
        ("product_name", pa.string()),
        ("market", pa.string()),
        ("firm", pa.bool_()),
        ("priority", pa.int64()),
        ("due", pa.date32()),
        ("due_in", pa.date32()),
        ("units", pa.float64()),
        ("service", pa.string()),
        ("served_in", pa.date32()),
        ("binding", pa.string()),
        ("binding_bucket", pa.date32()),
        ("needed_amount", pa.float64()),
        ("needed_unit", pa.string()),
        ("needed_days", pa.int64()),
        ("kept_for", pa.string()),
    ]
)


def late_rows(inputs: ReportInputs) -> list[Row]:
    """Rows of LATE_SCHEMA, by the day on which they are due, the most important first; their units add up to the late
    and lost units of `gaps`.

    A request that is known has a row for what becomes of it. Other demand has one for each product, market and bucket,
    without `demand` and `due`; what is less than half a unit each stands last, in one row without a product for each
    kind.
    """
    gaps = inputs.tables["gaps"]
    short = gaps.filter(pc.greater(pc.add(gaps["late_units"], gaps["lost_units"]), 0.0))
    requests = inputs.tables["deliveries"]
    names, starts = Names(inputs.tables), inputs.starts
    rows, small = [], dict.fromkeys(KINDS, 0.0)
    of_requests: dict[tuple[Any, ...], float] = defaultdict(float)
    for r in requests.filter(pc.not_equal(requests["what"], "on_time")).to_pylist():
        due_in = max(inputs.settings.calendar.bucket_start(r["due"]), min(starts, default=r["due"]))
        own = {name: r[name] for name in ("demand", "market", "firm", "priority", "due", "units")}
        rows.append(_row(r["product"], names, due_in=due_in, service=r["what"], served_in=r["bucket"], **own))
        of_requests[r["product"], r["market"], due_in, r["what"]] += r["units"]
    causes: dict[tuple[Any, ...], Row] = {}
    for gap in short.to_pylist():
        cell = (gap["product"], gap["market"], gap["bucket"])
        causes[cell] = {name: gap[name] for name in _CAUSE}
        parts = (gap["late_units"], gap["refused_units"], gap["lost_units"] - gap["refused_units"])
        for kind, whole in zip(KINDS, parts, strict=True):
            units = whole - of_requests.get((*cell, kind), 0.0)
            if units < LEAST_SHORT:
                small[kind] += units
                continue
            rows.append(
                _row(gap["product"], names, market=gap["market"], due_in=gap["bucket"], units=units, service=kind)
            )
    for row in rows:
        row |= causes.get((row["product"], row["market"], row["due_in"]), {})
        if row["served_in"] is not None:  # of a bucket the days are those of what is lost there, if anything is
            row["needed_days"] = (row["served_in"] - row["due_in"]).days
    rows.sort(key=_by_day)
    return rows + [_row(None, names, units=units, service=kind) for kind, units in small.items() if units > NOTHING]


def _row(product: str | None, names: Names, **own: Any) -> Row:
    return dict.fromkeys(LATE_SCHEMA.names) | {"product": product, "product_name": names.name(product) or None} | own


def _by_day(row: Row) -> tuple[Any, ...]:
    return (
        row["due_in"],
        *most_important(row)[:2],
        row["due"] or row["due_in"],
        row["product"],
        row["demand"] or "",
        row["market"],
        KINDS.index(row["service"]),
        row["served_in"] or row["due_in"],
    )


# causes ------------------------------------------------------------------------------------------

# What kind of thing stands in the way: it lies there for others, it is scarce, it was due before the plan begins, no
# start is left, or it costs more than it is worth.
Cause = Literal["kept", "scarce", "was_due", "no_time", "dearer"]


def cause_of(row: Row) -> tuple[Cause, str]:
    """What stands in the way of a late row that names a product, and the scarce thing, '' where it is none."""
    if row["kept_for"]:
        return "kept", row["binding"]
    if row["binding"]:
        return "scarce", row["binding"]
    if row["needed_days"] == 0:
        return "was_due", ""
    return ("no_time" if row["binding_bucket"] is None else "dearer"), ""


def main_causes(rows: Iterable[Row]) -> dict[str, Row]:
    """By product the late row that has its main cause: the one behind most of its late and unserved units. A product of
    which each row is less than half a unit has none."""
    units: dict[str, dict[tuple[Cause, str], float]] = defaultdict(lambda: defaultdict(float))
    largest: dict[tuple[str, tuple[Cause, str]], Row] = {}
    for row in rows:
        if row["product"] is None:
            continue
        cause = cause_of(row)
        units[row["product"]][cause] += row["units"]
        before = largest.setdefault((row["product"], cause), row)
        if row["units"] > before["units"]:
            largest[row["product"], cause] = row
    most = {product: min(own, key=lambda cause: (-own[cause], cause)) for product, own in units.items()}
    return {product: largest[product, cause] for product, cause in most.items()}


def cause_words(row: Row, lacks: Mapping[str, str], names: Names, settings: ChainSettings, language: str) -> str:
    """What stands in the way of a late row. lacks: see `RunView.lacks`."""
    if row["product"] is None:
        return say("report.late.cause_small", language)
    if row["product"] in lacks:
        return say("report.gap.held", language, name=names.called(lacks[row["product"]]))
    cause, name = cause_of(row)
    if cause == "kept":
        return say("report.gap.kept", language, who=row["kept_for"])
    if cause == "scarce":
        return names.thing(name, row["needed_unit"])
    if cause == "was_due":
        return say("report.late.cause_was_due", language)
    if cause == "no_time":
        return say("report.gap.no_time", language, rounded=rounded(settings, language))
    return say("report.gap.no_binding_expected" if row["due"] is None else "report.gap.no_binding", language)


def most_important(row: Row) -> tuple[Any, ...]:
    """Order of importance: firm orders first, then by priority, then by day, then by units."""
    return (not row["firm"], -(row["priority"] or 0), row["due"] or row["due_in"], -row["units"], row["product"])
