"""What is late and for whom: each request that is not served on time, and expected demand that is not."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from functools import reduce
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from datong.app.wording.names import Names
from datong.app.wording.report_inputs import ReportInputs
from datong.model.late_causes import LOST, LateCause, cause_of, no_time_words, short_together
from datong.model.settings import ChainSettings
from datong.model.words import say
from datong.questions.demand_totals import LEAST_SHORT, causes_of_lost

Row = dict[str, Any]

# Of a request: late (served in a later bucket), refused, or never (not served before the plan ends).
KINDS = ("late", "refused", "never")
# Of a request that is on time by its bucket: it is there after its day.
BY_DAY = "by_day"
# Units below this are rounding.
NOTHING = 1e-6
_CAUSE = (
    "binding",
    "binding_bucket",
    "needed_amount",
    "needed_unit",
    "needed_days",
    "kept_for",
    "soonest_start",
    "soonest_days",
    "soonest_through",
    "short_too",
    "fenced_until",
)

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
        ("soonest_start", pa.date32()),
        ("soonest_days", pa.int64()),
        ("soonest_through", pa.string()),
        ("short_too", pa.list_(pa.string())),
        ("fenced_until", pa.date32()),
    ]
)


def late_rows(inputs: ReportInputs) -> pa.Table:
    """In LATE_SCHEMA, by the day on which they are due, the most important first; their units add up to the late and
    lost units of `gaps`, and so does how much more of what is scarce they would take.

    A request that is known has a row for what becomes of it. Other demand has one for each product, market and bucket,
    without `demand` and `due`; what is less than half a unit each stands last, in one row without a product for each
    kind.
    """
    gaps = inputs.tables["gaps"]
    short = gaps.filter(pc.greater(pc.add(gaps["late_units"], gaps["lost_units"]), 0.0))
    cells = _cells(short["product"], short["market"], short["bucket"])
    asked = _of_requests(inputs)
    cell_of_asked = pc.index_in(_cells(asked["product"], asked["market"], asked["due_in"]), cells)
    others, small = _of_other_demand(short, asked, cell_of_asked)
    rows = pa.concat_tables([asked, others])
    at = pc.index_in(_cells(rows["product"], rows["market"], rows["due_in"]), cells)
    missing = [LATE_SCHEMA.field(name) for name in _CAUSE if name not in short.column_names]
    short = _with(short, {field.name: pa.nulls(short.num_rows, field.type) for field in missing})
    rows = _with(rows, {name: short[name].take(at) for name in _CAUSE} | {"product_name": _names(inputs, rows)})
    rows = _with(rows, {"of_units": _of_first_cause(short).take(at)})
    rows = _with_causes_of_lost(rows, short, at)
    rows = _with(
        rows, {"needed_amount": pc.multiply(rows["needed_amount"], pc.divide(rows["units"], rows["of_units"]))}
    )
    # Of what is served in a bucket the days are those until then; else of what is lost there, if anything is.
    days = pc.days_between(rows["due_in"], rows["served_in"])
    rows = _with(rows, {"needed_days": pc.coalesce(days, rows["needed_days"])}).select(LATE_SCHEMA.names)
    rows = _nothing_where_it_was_due(rows.cast(LATE_SCHEMA))
    rows = rows.take(_by_day(rows))
    none = dict.fromkeys(LATE_SCHEMA.names)
    rest = [none | {"units": units, "service": kind} for kind, units in small.items() if units > NOTHING]
    return pa.concat_tables([rows, pa.Table.from_pylist(rest, LATE_SCHEMA)]).combine_chunks()


def _nothing_where_it_was_due(rows: pa.Table) -> pa.Table:
    """The rows, in LATE_SCHEMA, without a scarce thing in the way of what was due before the plan begins and is served
    at once: it could not come sooner."""
    at_once = pc.fill_null(pc.equal(rows["needed_days"], 0), False)
    own = rows.filter(at_once)
    none = {name: pa.nulls(own.num_rows, own[name].type) for name in _CAUSE if name not in ("needed_days", "binding")}
    own = _with(own, none | {"binding": pa.repeat("", own.num_rows)}).select(LATE_SCHEMA.names).cast(LATE_SCHEMA)
    return pa.concat_tables([rows.filter(pc.invert(at_once)), own])


def _of_first_cause(short: pa.Table) -> pa.ChunkedArray:
    """(row) of `gaps`, the units of which its first cause tells: of what is late and was not due before the plan, and
    of what is lost, where that has no cause of its own."""
    units = short["late_units"]
    if "was_due_units" not in short.column_names:
        return pc.add(units, short["lost_units"])
    lost = pc.if_else(pc.is_valid(short[f"{LOST}binding"]), 0.0, short["lost_units"])
    return pc.add(pc.subtract(units, pc.fill_null(short["was_due_units"], 0.0)), lost)


def _with_causes_of_lost(rows: pa.Table, short: pa.Table, at: pa.Array) -> pa.Table:
    """The rows, what is lost with its own cause where it has one. at: the row of `short`, of `gaps`, of each."""
    own = {name: column.take(at) for name, column in causes_of_lost(short).items() if name in _CAUSE}
    if not own:
        return rows
    own["of_units"] = short["lost_units"].take(at)
    is_own = pc.and_(pc.not_equal(rows["service"], "late"), pc.is_valid(own["binding"]))
    lost = _with(rows.filter(is_own), {name: column.filter(is_own) for name, column in own.items()})
    return pa.concat_tables([rows.filter(pc.invert(is_own)), lost.select(rows.column_names)])


def by_day_rows(inputs: ReportInputs) -> pa.Table:
    """In LATE_SCHEMA, as `late_rows`: what is on time by its bucket and is there after its day, which is in
    `served_in`; of a run that an earlier version kept, none."""
    tables = inputs.tables
    if "after_due" not in tables or "what" not in tables["after_due"].column_names:
        return LATE_SCHEMA.empty_table()
    rows = tables["after_due"].filter(pc.equal(tables["after_due"]["what"], "on_time"))
    given = tables["deliveries"].filter(pc.is_in(tables["deliveries"]["demand"], rows["demand"].combine_chunks()))
    asked = {(r["demand"], r["product"], r["due"]): r for r in given.to_pylist()}
    none = dict.fromkeys(LATE_SCHEMA.names)
    own = [
        none
        | {name: asked[key][name] for name in ("market", "firm", "priority") if key in asked}
        | {name: r[name] for name in ("demand", "product", "due", "units")}
        | {"due_in": r["counted_in"], "service": BY_DAY, "served_in": r["there_on"]}
        for r in rows.to_pylist()
        for key in [(r["demand"], r["product"], r["due"])]
    ]
    found = pa.Table.from_pylist(own, LATE_SCHEMA)
    return _with(found, {"product_name": _names(inputs, found)}).select(LATE_SCHEMA.names).cast(LATE_SCHEMA)


def to_tell(inputs: ReportInputs) -> pa.Table:
    """Every part of a customer's order that is late, not served, or there after its day, the first due first: of those
    whom a sentence of what to do names the first."""
    late = late_rows(inputs)
    rows = pa.concat_tables([late.filter(pc.is_valid(late["demand"])), by_day_rows(inputs)])
    columns = ("demand", "product", "product_name", "market", "priority", "due", "units", "service", "served_in")
    keys = ("due", "demand", "product", "service", "served_in")
    return rows.select(columns).sort_by([(name, "ascending") for name in keys])


# Columns of rows before their causes and names are told.
_FIRST = [f for f in LATE_SCHEMA if f.name not in (*_CAUSE, "product_name")]


def _of_requests(inputs: ReportInputs) -> pa.Table:
    """A row for each part of a request that is not on time, in _FIRST."""
    rows = inputs.tables["deliveries"]
    rows = rows.filter(pc.not_equal(rows["what"], "on_time"))
    calendar, first = inputs.settings.calendar, min(inputs.starts, default=None)
    dues = pc.unique(rows["due"])
    starts = [max(calendar.bucket_start(due), due if first is None else first) for due in dues.to_pylist()]
    due_in = pa.array(starts, pa.date32()).take(pc.index_in(rows["due"], dues))
    own = {name: rows[name] for name in ("demand", "product", "market", "firm", "priority", "due", "units")}
    return (
        pa.table({**own, "due_in": due_in, "service": rows["what"], "served_in": rows["bucket"]})
        .select([f.name for f in _FIRST])
        .cast(pa.schema(_FIRST))
    )


def _of_other_demand(short: pa.Table, asked: pa.Table, cell_of_asked: pa.Array) -> tuple[pa.Table, dict[str, float]]:
    """A row for each kind of what is short in each cell beside known requests, in _FIRST; and by kind the units of all
    that is too little to be told. cell_of_asked: the row of `short` that has a request."""
    late, lost, refused = (short[name].to_numpy() for name in ("late_units", "lost_units", "refused_units"))
    parts, small = [], {}
    for kind, whole in zip(KINDS, (late, refused, lost - refused), strict=True):
        of_kind = pc.and_(pc.equal(asked["service"], kind), pc.is_valid(cell_of_asked))
        known = [column.filter(of_kind).to_numpy() for column in (pa.chunked_array([cell_of_asked]), asked["units"])]
        units = whole - np.bincount(known[0].astype(np.int64), known[1], len(whole))
        is_little = units < LEAST_SHORT
        small[kind] = float(np.cumsum(units[is_little])[-1]) if is_little.any() else 0.0
        own = short.filter(pa.array(~is_little))
        told = {"product": own["product"], "market": own["market"], "due_in": own["bucket"]}
        told |= {"units": pa.array(units[~is_little]), "service": pa.repeat(kind, own.num_rows)}
        none = {f.name: pa.nulls(own.num_rows, f.type) for f in _FIRST if f.name not in told}
        parts.append(pa.table({f.name: (told | none)[f.name] for f in _FIRST}).cast(pa.schema(_FIRST)))
    return pa.concat_tables(parts), small


def _cells(*columns: pa.ChunkedArray) -> pa.Array:
    """(row) a text that names its product, market and bucket."""
    texts = [column.cast(pa.string()) for column in columns]
    return pc.binary_join_element_wise(*texts, "\0", null_handling="replace").combine_chunks()


def _names(inputs: ReportInputs, rows: pa.Table) -> pa.Array:
    names, products = Names(inputs.tables), pc.unique(rows["product"])
    called = pa.array([names.name(product) or None for product in products.to_pylist()], pa.string())
    return called.take(pc.index_in(rows["product"], products))


def _with(rows: pa.Table, columns: Mapping[str, Any]) -> pa.Table:
    """The table with these columns, new or in place of those that it has."""
    others = {name: rows[name] for name in rows.column_names if name not in columns}
    return pa.table({**others, **columns})


def _by_day(rows: pa.Table) -> pa.Array:
    """Places of rows in the order of `late_rows`."""
    keys = {
        "due_in": rows["due_in"],
        **_rank(rows),
        "day": pc.coalesce(rows["due"], rows["due_in"]),
        "product": rows["product"],
        "demand": pc.fill_null(rows["demand"], ""),
        "market": rows["market"],
        "kind": pc.index_in(rows["service"], pa.array(KINDS)),
        "served": pc.coalesce(rows["served_in"], rows["due_in"]),
    }
    return pc.sort_indices(pa.table(keys), sort_keys=[(name, "ascending") for name in keys])


def _rank(rows: pa.Table) -> dict[str, pa.ChunkedArray]:
    """Firm orders first, then by priority."""
    is_loose = pc.invert(pc.fill_null(rows["firm"], False))
    return {"loose": is_loose, "priority": pc.negate(pc.fill_null(rows["priority"], 0))}


def most_important(rows: pa.Table, most: int, before: Mapping[str, pa.ChunkedArray]) -> list[Row]:
    """The first of late rows in their order of importance: firm orders first, then by priority, then by day, then by
    units. before: what counts more than that, the least first."""
    keys = {
        **before,
        **_rank(rows),
        "day": pc.coalesce(rows["due"], rows["due_in"]),
        "more": pc.negate(rows["units"]),
        "product": rows["product"],
    }
    places = pc.sort_indices(pa.table(keys), sort_keys=[(name, "ascending") for name in keys])
    return rows.take(places[:most]).to_pylist()


# causes ------------------------------------------------------------------------------------------


def main_causes(rows: Iterable[Row]) -> dict[str, Row]:
    """By product the late row that has its main cause: the one behind most of its late and unserved units. A product of
    which each row is less than half a unit has none."""
    units: dict[str, dict[tuple[LateCause, str, tuple[str, ...]], float]] = defaultdict(lambda: defaultdict(float))
    largest: dict[tuple[str, tuple[LateCause, str, tuple[str, ...]]], Row] = {}
    for row in rows:
        if row["product"] is None:
            continue
        cause = (*cause_of(row), short_together(row))
        units[row["product"]][cause] += row["units"]
        before = largest.setdefault((row["product"], cause), row)
        if row["units"] > before["units"]:
            largest[row["product"], cause] = row
    most = {product: min(own, key=lambda cause: (-own[cause], cause)) for product, own in units.items()}
    return {product: largest[product, cause] for product, cause in most.items()}


def scarce_words(name: str, unit: str | None, beside: Sequence[str], names: Names, language: str) -> str:
    """A scarce thing and what is short beside it. unit: in which the first is counted."""
    return both_words([names.thing(name, unit), *map(names.called, beside)], language)


def both_words(things: Sequence[str], language: str) -> str:
    return reduce(
        lambda before, following: say("report.gap.both", language, before=before, following=following), things
    )


def cause_words(row: Row, lacks: Mapping[str, str], names: Names, settings: ChainSettings, language: str) -> str:
    """What stands in the way of a late row. lacks: see `RunView.lacks`."""
    if row["product"] is None:
        return say("report.late.cause_small", language)
    if row.get("service") == BY_DAY:
        return say("report.late.cause_by_day", language, day=row["served_in"])
    if row["product"] in lacks:
        return say("report.gap.held", language, name=names.called(lacks[row["product"]]))
    cause, name = cause_of(row)
    if cause in ("kept", "sent"):
        return say(f"report.gap.{cause}", language, who=row["kept_for"])
    if cause == "scarce":
        until, thing = row.get("fenced_until"), names.thing(name, row["needed_unit"])
        if until is None:
            return scarce_words(name, row["needed_unit"], short_together(row), names, language)
        fenced = say("report.gap.fenced_part", language, name=thing, until=until)
        return both_words([fenced, *map(names.called, short_together(row))], language)
    if cause == "was_due":
        return say("report.late.cause_was_due", language)
    if cause == "no_time":
        return no_time_words(row, settings.calendar.unit).text(language)
    return say("report.gap.no_binding_expected" if row["due"] is None else "report.gap.no_binding", language)
