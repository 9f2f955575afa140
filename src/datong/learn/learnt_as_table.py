"""What was learnt, as one table, so that a run can be kept and the next one can take it up."""

from collections.abc import Sequence

import pyarrow as pa

from datong.ledger.protocol import RunRecord
from datong.model.flow import SCORES_SCHEMA, Item, Learnt, nothing_learnt

LEARNT_SCHEMA = pa.schema(
    [
        ("what", pa.string()),
        ("product", pa.string()),
        ("market", pa.string()),
        ("source", pa.string()),
        ("horizon", pa.int64()),
        ("value", pa.float64()),
    ]
)


def learnt_table(learnt: Learnt) -> pa.Table:
    """One row per number learnt: what (forecast_ratio, spread_ratio, lead_days, yield_share, yield_records), of what,
    value."""
    rows: list[dict[str, object]] = []
    for item in sorted(learnt.forecast_ratio):
        value = learnt.forecast_ratio[item]
        rows.append({"what": "forecast_ratio", "product": item.product, "market": item.market, "value": value})
    for horizon in sorted(learnt.spread_ratio):
        rows.append({"what": "spread_ratio", "horizon": horizon, "value": learnt.spread_ratio[horizon]})
    for source in sorted(learnt.lead_days):
        rows += [{"what": "lead_days", "source": source, "value": days} for days in learnt.lead_days[source]]
    for source in sorted(learnt.yield_share):
        rows.append({"what": "yield_share", "source": source, "value": learnt.yield_share[source]})
    for source in sorted(learnt.yield_records):
        rows.append({"what": "yield_records", "source": source, "value": float(learnt.yield_records[source])})
    return pa.Table.from_pylist(rows, schema=LEARNT_SCHEMA)


def learnt_from_table(table: pa.Table) -> Learnt:
    """The inverse of learnt_table, without the scores."""
    ratio: dict[Item, float] = {}
    spread: dict[int, float] = {}
    lead: dict[str, list[float]] = {}
    share: dict[str, float] = {}
    records: dict[str, int] = {}
    for row in table.to_pylist():
        match row["what"]:
            case "forecast_ratio":
                ratio[Item(row["product"], row["market"])] = row["value"]
            case "spread_ratio":
                spread[row["horizon"]] = row["value"]
            case "lead_days":
                lead.setdefault(row["source"], []).append(row["value"])
            case "yield_share":
                share[row["source"]] = row["value"]
            case "yield_records":
                records[row["source"]] = int(row["value"])
            case other:
                raise ValueError(f"unknown kind of learnt number: {other}")
    return Learnt(ratio, spread, {s: tuple(d) for s, d in lead.items()}, share, SCORES_SCHEMA.empty_table(), records)


def learnt_by(past_runs: Sequence[RunRecord]) -> Learnt:
    """What the last of the runs taught; nothing where there is none."""
    return learnt_from_table(past_runs[-1].tables["learnt"]) if past_runs else nothing_learnt()
