"""Demand added up: units that are on time, late and lost, by product or bucket, and what stands in their way."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from datong.model.errors import Refused
from datong.model.late_causes import LOST, lacks
from datong.model.words import message

Row = dict[str, Any]

GAP_UNITS = ("demand_units", "on_time_units", "late_units", "lost_units", "waiting_units")
# Fewer units than these are no gap: of expected demand, of which each product and time has a little; and in all.
LEAST_SHORT, ANY_SHORT = 0.5, 0.005
# Units below this are rounding.
LEAST_APART = 1e-6
# What parts names in one text.
BETWEEN = "\0"


def gap_totals(gaps: pa.Table, key: str) -> list[Row]:
    """Sums of the table `gaps` by product or by bucket, in order: demand = on time + late + lost.

    Raises Refused for a run that an earlier version kept.
    """
    if not {*GAP_UNITS, "kept_for"} <= set(gaps.column_names):
        raise Refused(message("report.earlier_version"))
    # One thread: sums of several come in another order each time, and differ in their last digit.
    sums = gaps.group_by(key, use_threads=False).aggregate([(name, "sum") for name in GAP_UNITS])
    rows = []
    for r in sums.sort_by(key).to_pylist():
        row = {key: r[key]} | {name: r[f"{name}_sum"] or 0.0 for name in GAP_UNITS}
        row["short_units"] = row["late_units"] + row["lost_units"]
        row["on_time_share"] = _share(row)
        rows.append(row)
    return rows


def product_totals(tables: Mapping[str, pa.Table]) -> list[Row]:
    """`gap_totals` by product, with `lacks`: the product that is held back and for want of which it runs short, or
    None; and `by_day_units`: those on time that are there by the day that was named too (`after_due`)."""
    rows = tables["held"].to_pylist() if "held" in tables else []
    held = {r["product"]: r["lacks"] for r in rows}
    totals = gap_totals(tables["gaps"], "product")
    bound = {r["product"] for r in binding_units(tables["gaps"], ["product"])}
    after_day = _units_by_product(tables.get("after_due"))
    for row in totals:
        row["by_day_units"] = max(row["on_time_units"] - after_day.get(row["product"], 0.0), 0.0)
        row["lacks"] = lacks(row["product"], held, bound)
    return totals


def _units_by_product(after_due: pa.Table | None) -> dict[str, float]:
    """Of what counts as on time. after_due: of a run, which may be an earlier version's."""
    units: dict[str, float] = {}
    for row in [] if after_due is None else after_due.to_pylist():
        if row.get("what", "on_time") != "on_time":
            continue
        units[row["product"]] = units.get(row["product"], 0.0) + row["units"]
    return units


def lacking(totals: Sequence[Row]) -> dict[str, str]:
    """By product that runs short: the one that is held back and for want of which it does. totals: of
    `product_totals`."""
    return {row["product"]: row["lacks"] for row in totals if row["lacks"] is not None}


def lacking_of_run(tables: Mapping[str, pa.Table]) -> dict[str, str]:
    """`lacking` of a run, without adding up the demand of products that lack nothing."""
    held, gaps = tables.get("held"), tables["gaps"]
    if held is None:
        return {}
    return lacking(
        product_totals({**tables, "gaps": gaps.filter(pc.is_in(gaps["product"], held["product"].combine_chunks()))})
    )


def by_cause(gaps: pa.Table) -> pa.Table:
    """The table `gaps` with a row of its own for what is lost where that has another cause than what is late
    (`lost_binding` ...), without the columns of that; and one for what was due before the plan begins and is served at
    once, beside anything else. An earlier version did not tell these apart."""
    if f"{LOST}binding" not in gaps.column_names:
        return gaps
    gaps = _was_due_apart(gaps)
    apart = pc.and_(pc.is_valid(gaps[f"{LOST}binding"]), pc.greater(gaps["late_units"], 0.0))
    both = gaps.filter(apart)
    whole = gaps.select([name for name in gaps.column_names if not name.startswith(LOST) or name == "lost_units"])
    if not both.num_rows:
        return whole
    nothing = pa.repeat(pa.scalar(0.0), both.num_rows)
    late = _with(both.select(whole.column_names), {"lost_units": nothing, "refused_units": nothing})
    lost = _with(
        both.select(whole.column_names),
        dict.fromkeys(("demand_units", "on_time_units", "late_units", *_HAPPENS), nothing) | causes_of_lost(both),
    )
    return pa.concat_tables([whole.filter(pc.invert(apart)), late, lost])


def _was_due_apart(gaps: pa.Table) -> pa.Table:
    was_due = gaps["was_due_units"]
    rest = pc.subtract(pc.add(gaps["late_units"], gaps["lost_units"]), was_due)
    apart = pc.and_(pc.greater(was_due, 0.0), pc.greater(rest, LEAST_APART))
    both = gaps.filter(apart)
    if not both.num_rows:
        return gaps
    nothing = pa.repeat(pa.scalar(0.0), both.num_rows)
    others = _with(
        both, {"late_units": pc.subtract(both["late_units"], both["was_due_units"]), "was_due_units": nothing}
    )
    why = causes_of_lost(both).keys() - {"binding_price"}
    empty = [name for name in both.column_names if name.removeprefix(LOST) in why]
    none = {name: pa.nulls(both.num_rows, both[name].type) for name in empty}
    none |= {"binding": pa.repeat(pa.scalar(""), both.num_rows), "needed_days": pa.repeat(pa.scalar(0), both.num_rows)}
    units = ("demand_units", "on_time_units", "lost_units", "refused_units", *_HAPPENS)
    own = _with(both, none | dict.fromkeys(units, nothing) | {"late_units": both["was_due_units"]})
    return pa.concat_tables([gaps.filter(pc.invert(apart)), others, own])


# Of a row of gaps: what happens in its bucket, whenever it was due.
_HAPPENS = ("served_units", "waiting_units")


def causes_of_lost(gaps: pa.Table) -> dict[str, pa.ChunkedArray]:
    """By column that tells a cause, that of what is lost. gaps: rows in which it is another one."""
    names = [name for name in gaps.column_names if name.startswith(LOST) and name != "lost_units"]
    return {name.removeprefix(LOST): gaps[name] for name in names}


def _with(rows: pa.Table, columns: Mapping[str, Any]) -> pa.Table:
    return pa.table({name: columns.get(name, rows[name]) for name in rows.column_names}, schema=rows.schema)


def binding_units(gaps: pa.Table, keys: Sequence[str] = ()) -> list[Row]:
    """Late and lost units by `keys` and by what stands in their way (`binding`, with its unit and highest price, and
    what is short beside it), the most first; those that nothing scarce stands in the way of are not counted. `kept_for`
    of the most units, where it is that what lies there is kept for others."""
    gaps = by_cause(gaps)
    short = pc.add(gaps["late_units"], gaps["lost_units"])
    told = pc.and_(pc.greater(short, 0.0), pc.not_equal(pc.fill_null(gaps["binding"], ""), ""))
    rows = gaps.append_column("short", short).append_column("kept", pc.is_valid(gaps["kept_for"]))
    rows = rows.append_column("together", together(gaps)).filter(told)
    rows = rows.sort_by([("short", "descending"), ("bucket", "ascending"), ("kept_for", "ascending")])
    names = [*keys, "binding", "together", "kept"]
    by = rows.group_by(names, use_threads=False).aggregate(
        [("short", "sum"), ("binding_price", "max"), ("needed_unit", "max"), ("kept_for", "first")]
    )
    found = [
        {name: r[name] for name in names if name != "together"}
        | {"beside": tuple(r["together"].split(BETWEEN)) if r["together"] else ()}
        | {"units": r["short_sum"], "price": r["binding_price_max"], "unit": r["needed_unit_max"]}
        | {"kept_for": r["kept_for_first"]}
        for r in by.to_pylist()
    ]
    return sorted(found, key=lambda r: (*(r[k] for k in keys), -r["units"], r["binding"], r["kept"], r["beside"]))


def together(gaps: pa.Table) -> pa.Array | pa.ChunkedArray:
    """(row) what is short beside the scarce thing, as one text, '' where nothing is; an earlier version did not keep
    it."""
    if "short_too" not in gaps.column_names:
        return pa.repeat(pa.scalar(""), gaps.num_rows)
    return pc.fill_null(pc.binary_join(gaps["short_too"], BETWEEN), "")


def short_by_cause(tables: Mapping[str, pa.Table], lacks: Mapping[str, str]) -> list[Row]:
    """All late and lost units by what stands in their way: cause, binding, unit, units, price, kept_for. Their units
    add up to those of `gaps`. lacks: by product that runs short, the one that is held back and for want of which it
    does.

    cause: 'scarce' (of `binding` there is too little), 'kept' (what lies there of it is kept for others), 'held'
    (`binding` is held back), 'was_due' (due before the plan begins, and served at once), 'sent' (what lay there was
    sent elsewhere, as kept_for of the most units says), 'fenced' (a release fence closes the start that would be in
    time), 'no_time' (nothing ordered now would be there in time), 'dearer' (it would cost more than it is worth).
    """
    gaps = tables["gaps"]
    waits = pc.is_in(gaps["product"], pa.array(list(lacks), pa.string()))
    own = by_cause(gaps.filter(pc.invert(waits)))
    found = [row | {"cause": "kept" if row["kept"] else "scarce"} for row in binding_units(own)]
    short = pc.add(own["late_units"], own["lost_units"])
    unbound, no_way = pc.equal(pc.fill_null(own["binding"], ""), ""), pc.is_null(own["binding_bucket"])
    sooner = not_at_once(own)
    sent = pc.and_(unbound, pc.is_valid(own["kept_for"]))
    found.append(_sent(own.append_column("short", short).filter(pc.and_(sent, sooner))))
    no_start = pc.and_(sooner, pc.and_(no_way, pc.invert(sent)))
    fenced = pc.and_(no_start, _is_fenced(own))
    kinds = (
        ("was_due", pc.invert(sooner)),
        ("fenced", fenced),
        ("no_time", pc.and_(no_start, pc.invert(fenced))),
        ("dearer", pc.and_(sooner, pc.invert(no_way))),
    )
    for cause, told in kinds:
        found.append(_of_cause(cause, "", pc.sum(short.filter(pc.and_(unbound, told))).as_py() or 0.0))
    held: dict[str, float] = {}
    for row in gap_totals(gaps.filter(waits), "product"):
        held[lacks[row["product"]]] = held.get(lacks[row["product"]], 0.0) + row["short_units"]
    return found + [_of_cause("held", product, units) for product, units in held.items()]


def _is_fenced(gaps: pa.Table) -> pa.ChunkedArray | pa.Array:
    """(row,) whether a release fence closes the start; an earlier version did not keep it."""
    if "fenced_until" not in gaps.column_names:
        return pa.repeat(pa.scalar(False), gaps.num_rows)
    return pc.is_valid(gaps["fenced_until"])


def _sent(rows: pa.Table) -> Row:
    """What was sent elsewhere. rows: of `gaps`, with what is short."""
    most = rows.sort_by([("short", "descending"), ("bucket", "ascending")]).slice(0, 1)["kept_for"].to_pylist()
    return _of_cause("sent", "", pc.sum(rows["short"]).as_py() or 0.0) | {"kept_for": most[0] if most else None}


def _of_cause(cause: str, name: str, units: float) -> Row:
    return {"cause": cause, "binding": name, "unit": None, "units": units, "price": None, "kept_for": None}


def not_at_once(gaps: pa.Table) -> pa.ChunkedArray:
    """(row,) whether what is late there could have come sooner: it was not due before the plan and served at once."""
    return pc.not_equal(pc.fill_null(gaps["needed_days"], -1), 0)


def gap_sum(rows: Sequence[Row]) -> Row:
    """All rows of `product_totals` together."""
    total: Row = {name: math.fsum(r[name] for r in rows) for name in (*GAP_UNITS, "by_day_units")}
    return total | {"on_time_share": _share(total)}


def _share(row: Row) -> float | None:
    return row["on_time_units"] / row["demand_units"] if row["demand_units"] > 0 else None


def after_day_units(row: Row) -> float:
    """Of a row of `product_totals`: units that are on time by their bucket and there after their day."""
    return row["on_time_units"] - row["by_day_units"]


def shortest(totals: Sequence[Row]) -> list[Row]:
    """Of `product_totals`, those with units that are late or lost, or there after their day, the shortest first."""
    short = [(r["short_units"] + after_day_units(r), r) for r in totals]
    return [r for units, r in sorted(short, key=lambda one: (-one[0], one[1]["product"])) if units >= ANY_SHORT]
