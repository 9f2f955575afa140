"""Does the loop learn? What it believed in each cycle beside what came of it."""

from collections import defaultdict
from collections.abc import Mapping
from datetime import date

import pyarrow as pa
import pyarrow.compute as pc

from datong.network.ways import Way
from datong.replay.making import true_lead_days
from datong.replay.simulate import Simulation

LEARNING_SCHEMA = pa.schema(
    [
        ("bucket", pa.date32()),
        ("measure", pa.string()),
        ("value", pa.float64()),
        ("count", pa.int64()),
    ]
)

# The nominal coverage of the interval between the quantiles 10% and 90%.
TARGET_COVERAGE = 0.8
# Coverage is told over so many buckets up to each one: of a single one it says little.
COVERAGE_BUCKETS = 6


def learning(scores: pa.Table, course: Simulation, believed: Mapping[str, Way]) -> pa.Table:
    """By bucket, measure and value, with how many forecasts or orders it is the mean of (LEARNING_SCHEMA).

    covered_share: share of the 80% intervals for the next bucket that held what came, over the last COVERAGE_BUCKETS.
    calibration_error: its distance to 80%. lead_days_error, yield_error: mean distance of the lead time (days) and of
    the yield (share) that orders were planned with to what they turned out to have, in the bucket of their arrival;
    only where any order's lead time or yield was ever other than first believed.
    """
    rows = _calibration(scores)
    lead: dict[date, list[float]] = defaultdict(list)
    share: dict[date, list[float]] = defaultdict(list)
    for batch in course.arrived:
        way = believed.get(batch.order)
        if batch.planned is None or way is None or way.kind == "move":
            continue
        lead[batch.arrives].append(abs(way.lead_days - true_lead_days(course.scene, batch.planned)))
        started = batch.units + batch.scrap_units
        if way.kind == "make" and started > 0:
            share[batch.arrives].append(abs(way.yield_share - batch.units / started))
    for measure, errors in (("lead_days_error", lead), ("yield_error", share)):
        if any(max(values) > 1e-9 for values in errors.values()):
            rows += [_row(bucket, measure, values) for bucket, values in sorted(errors.items())]
    return pa.Table.from_pylist(rows, schema=LEARNING_SCHEMA)


def _calibration(scores: pa.Table) -> list[dict[str, object]]:
    near = scores.filter((pc.field("metric") == "covered") & (pc.field("horizon") == 0))
    held: dict[date, list[float]] = defaultdict(list)
    for row in near.select(["bucket", "value"]).to_pylist():
        held[row["bucket"]].append(row["value"])
    buckets = sorted(held)
    rows: list[dict[str, object]] = []
    for t, bucket in enumerate(buckets):
        values = [v for b in buckets[max(t + 1 - COVERAGE_BUCKETS, 0) : t + 1] for v in held[b]]
        rows.append(_row(bucket, "covered_share", values))
        error = abs(sum(values) / len(values) - TARGET_COVERAGE)
        rows.append({"bucket": bucket, "measure": "calibration_error", "value": error, "count": len(values)})
    return rows


def _row(bucket: date, measure: str, values: list[float]) -> dict[str, object]:
    return {"bucket": bucket, "measure": measure, "value": sum(values) / len(values), "count": len(values)}
