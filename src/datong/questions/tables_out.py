"""A cycle's result as plain Arrow tables."""

import json
import math
from collections.abc import Collection, Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from datong.forecast.quantile_table import QUANTILES, quantile_table
from datong.ledger.state import State
from datong.model.findings import Finding, finding_as_json, finding_from_json
from datong.model.flow import (
    ON_SALE,
    STOCKED_OUT,
    STOCKED_OUT_INFERRED,
    Adjustment,
    AttributeOutlook,
    Cause,
    FloatArray,
    Forecast,
    OrderMessage,
    Plan,
    PlannedOrder,
    SeriesSet,
    Signal,
)
from datong.model.words import Message, message

if TYPE_CHECKING:  # importing the cycle imports every stage, which a reader of tables does not need
    from datong.cycle import CycleResult, Head

AVAILABILITY = {ON_SALE: "on_sale", STOCKED_OUT: "stocked_out", STOCKED_OUT_INFERRED: "stocked_out_inferred"}


ORDERS_SCHEMA = pa.schema(
    [
        ("order", pa.string()),
        ("kind", pa.string()),
        ("product", pa.string()),
        ("recipe", pa.string()),
        ("offer", pa.string()),
        ("line", pa.string()),
        ("units", pa.float64()),
        ("start", pa.date32()),
        ("due", pa.date32()),
        ("needed_by", pa.date32()),
        ("locked", pa.bool_()),
        ("cost", pa.float64()),
        ("value", pa.float64()),
        ("lane", pa.string()),
        ("from_site", pa.string()),
        ("site", pa.string()),
        ("late", pa.bool_()),
        ("hurts", pa.list_(pa.string())),
        ("behind", pa.float64()),
    ]
)
# Columns of orders that are not fields of a PlannedOrder.
_OF_TABLE = frozenset({"locked", "late"})

REASONS_SCHEMA = pa.schema(
    [
        ("order", pa.string()),
        ("rank", pa.int64()),
        ("stage", pa.string()),
        ("text_key", pa.string()),
        ("text_params", pa.string()),
        ("evidence_table", pa.string()),
        ("evidence", pa.list_(pa.string())),
    ]
)

SIGNALS_SCHEMA = pa.schema(
    [
        ("signal", pa.string()),
        ("kind", pa.string()),
        ("subject_kind", pa.string()),
        ("subject_name", pa.string()),
        ("product", pa.string()),
        ("market", pa.string()),
        ("first", pa.date32()),
        ("last", pa.date32()),
        ("since", pa.date32()),
        ("strength", pa.float64()),
        ("effect_share", pa.float64()),
        ("effect_units", pa.float64()),
        ("p_value", pa.float64()),
        ("q_value", pa.float64()),
        ("text_key", pa.string()),
        ("text_params", pa.string()),
        ("evidence_table", pa.string()),
        ("evidence", pa.list_(pa.string())),
        ("decision", pa.string()),
    ]
)

# By item, open bucket and signal: what a signal does to the forecast. The two units are the bucket's expected demand
# without any adjustment, and with all of them.
ADJUSTMENTS_SCHEMA = pa.schema(
    [
        ("product", pa.string()),
        ("market", pa.string()),
        ("bucket", pa.date32()),
        ("signal", pa.string()),
        ("factor", pa.float64()),
        ("low_factor", pa.float64()),
        ("high_factor", pa.float64()),
        ("unadjusted_units", pa.float64()),
        ("adjusted_units", pa.float64()),
    ]
)

# By value of an attribute, those first that will gain most units: model/flow.py, AttributeOutlook.
ATTRIBUTES_SCHEMA = pa.schema(
    [
        ("attribute", pa.string()),
        ("value", pa.string()),
        ("products", pa.list_(pa.string())),
        *((name, pa.float64()) for name in ("before_share", "late_share", "expected_share", "low_share", "high_share")),
        *((name, pa.float64()) for name in ("gain_share", "gain_low_share", "gain_high_share", "gain_units")),
        ("lead", pa.string()),
        ("read_names", pa.int64()),
    ]
)

# Orders whose reasons are made into columns together.
ORDERS_AT_ONCE = 2_000
MESSAGES_SCHEMA = pa.schema([("key", pa.string()), ("counterparty", pa.string()), ("order", pa.string())])


def product_names(state: State) -> pa.Table:
    """What people call the products, and in what they count them: product, name, base_unit, kind."""
    return state.table("products").select(["product", "name", "base_unit", "kind"])


def run_tables(result: "CycleResult") -> dict[str, pa.Table]:
    """Every stage's result as tables, by name, in the order of the loop.

    Texts stay as a catalogue key and its parameters (columns text_key and text_params, JSON), so that they can be
    put into any language later: see `rendered`. Unknown is null, never 0.
    """
    clearing = result.clearing
    return {
        "series": _series(result.sensed.series),
        "holidays": _holidays(result.sensed.series),
        "signals": _signals(result.sensed.signals),
        "adjustments": _adjustments(result.sensed.adjustments, result.forecast),
        "attributes": attributes_as_table(result.sensed.attributes),
        "forecast": quantile_table(result.forecast),
        "forecast_total": _forecast_total(result.forecast),
        "demand": _demand(result.sensed.series),
        "netting": result.forecast.netting,
        "clearing": clearing.quantities,
        "prices": clearing.prices,
        "gaps": result.plan.gaps,
        "taken": result.plan.taken,
        "besides": result.plan.besides,
        "used_for": result.plan.used_for,
        "order_hours": result.plan.order_hours,
        "deliveries": clearing.deliveries,
        "flow": clearing.flow,
        "stock_limits": clearing.stock_limits,
        "hours": clearing.hours,
        "money": clearing.money,
        "futures": result.futures,
        "cost": pa.table(
            {
                "term": pa.array(list(clearing.cost), pa.string()),
                "money": pa.array([float(v) for v in clearing.cost.values()], pa.float64()),
            }
        ),
        "certificate": pa.table(
            {
                "total_cost": [float(clearing.total_cost)],
                "lower_bound": [float(clearing.lower_bound)],
                "gap_share": [float(clearing.gap_share)],
                "market_bound": [float(result.decision.given_out.market_bound)],
                "futures": [int(result.forecast.paths.shape[1])],
                "in_lots": [result.decision.given_out.lots is not None],
                "door": [clearing.door],
                "iterations": [int(clearing.iterations)],
            }
        ),
        "orders": _orders(result.plan),
        "reasons": _reasons(result.plan),
        "kept": result.plan.kept,
        "after_due": result.plan.after_due,
        "findings": findings_table(result.decision.findings),
        "messages": _messages(result.messages),
        "scores": result.learnt.scores,
    }


def forecast_tables(begun: "Head") -> dict[str, pa.Table]:
    """Of what every question begins with: series, forecast and products, as a run has them."""
    return {
        "series": _series(begun.sensed.series),
        "forecast": quantile_table(begun.demand),
        "products": product_names(begun.state),
    }


def findings_table(found: Sequence[Finding]) -> pa.Table:
    """What a plan wants a person to know, each as JSON that `kept_findings` reads back."""
    texts = [json.dumps(finding_as_json(f), ensure_ascii=False) for f in found]
    return pa.table({"code": pa.array([f.code for f in found], pa.string()), "finding": pa.array(texts, pa.string())})


def kept_findings(tables: Mapping[str, pa.Table], name: str = "findings") -> tuple[Finding, ...]:
    """The findings of a run, or (`left_out`) on rows that it was made without; of one that an earlier version kept,
    none."""
    if name not in tables:
        return ()
    return tuple(finding_from_json(json.loads(text)) for text in tables[name]["finding"].to_pylist())


def _long(names: Sequence[tuple[str, str]], starts: Sequence[date]) -> dict[str, pa.Array]:
    """Key columns of a table with a row for each item and bucket, item by item."""
    item, bucket = np.indices((len(names), len(starts))).reshape(2, -1)
    return {
        "product": pa.array([p for p, _ in names], pa.string()).take(pa.array(item)),
        "market": pa.array([m for _, m in names], pa.string()).take(pa.array(item)),
        "bucket": pa.array(list(starts), pa.date32()).take(pa.array(bucket)),
    }


def _numbers(values: FloatArray) -> pa.Array:
    return pa.array(np.ascontiguousarray(values, dtype=np.float64).ravel(), from_pandas=True)


def _series(series: SeriesSet) -> pa.Table:
    words = pa.array([AVAILABILITY[kind] for kind in range(len(AVAILABILITY))], pa.string())
    return pa.table(
        {
            **_long(series.items, series.bucket_starts),
            "units": _numbers(series.units),
            "sold_units": _numbers(series.sold_units),
            "availability": words.take(pa.array(series.availability.ravel())),
        }
    )


def _holidays(series: SeriesSet) -> pa.Table:
    return pa.table(
        {
            "bucket": pa.array([h.bucket for h in series.holidays], pa.date32()),
            "holiday": pa.array([h.holiday for h in series.holidays], pa.string()),
            "holiday_zh": pa.array([h.holiday_zh or h.holiday for h in series.holidays], pa.string()),
            "days": pa.array([h.days for h in series.holidays], pa.int64()),
        }
    )


def _demand(series: SeriesSet) -> pa.Table:
    """What is already known of the open buckets."""
    return pa.table(
        {
            **_long(series.items, series.horizon_starts),
            "known_ahead_units": _numbers(series.known_ahead_units),
            "given_units": _numbers(series.given_units),
        }
    )


def _signals(signals: Sequence[Signal]) -> pa.Table:
    rows = [
        {name: getattr(s, name) for name in SIGNALS_SCHEMA.names if hasattr(s, name)}
        | {"subject_kind": s.subject.kind, "subject_name": s.subject.name, "market": s.subject.market}
        | {"product": s.product or None}
        | _text(s.text)
        | {"evidence": list(s.evidence), "decision": s.decision or None}
        for s in signals
    ]
    return pa.Table.from_pylist(rows, schema=SIGNALS_SCHEMA)


def attributes_as_table(outlooks: Sequence[AttributeOutlook]) -> pa.Table:
    """A row a value of an attribute. lead: null where nothing ran ahead of sales."""
    rows = [vars(one) | {"products": list(one.products), "lead": one.lead or None} for one in outlooks]
    return pa.Table.from_pylist(rows, schema=ATTRIBUTES_SCHEMA)


def _adjustments(adjustments: Sequence[Adjustment], forecast: Forecast) -> pa.Table:
    if not adjustments:
        return ADJUSTMENTS_SCHEMA.empty_table()
    at = {item: i for i, item in enumerate(forecast.items)}
    buckets = {start: t for t, start in enumerate(forecast.bucket_starts)}
    rows = [
        {
            "product": a.item.product,
            "market": a.item.market,
            "bucket": a.bucket,
            "signal": a.signal,
            "factor": a.factor,
            "low_factor": a.low,
            "high_factor": a.high,
            "unadjusted_units": float(forecast.unadjusted[a.item][buckets[a.bucket]]),
            "adjusted_units": float(forecast.paths[at[a.item], :, buckets[a.bucket]].mean()),
        }
        for a in adjustments
    ]
    return pa.Table.from_pylist(rows, schema=ADJUSTMENTS_SCHEMA)


def _forecast_total(forecast: Forecast) -> pa.Table:
    """Demand of all items together: quantiles of the sum over items within each path, not sums of quantiles."""
    total = np.asarray(forecast.paths, dtype=np.float64).sum(axis=0)  # (path, bucket)
    return pa.table(
        {
            "bucket": pa.array(list(forecast.bucket_starts), pa.date32()),
            "mean_units": _numbers(total.mean(axis=0)),
            **{name: _numbers(np.quantile(total, q, axis=0, method="inverted_cdf")) for name, q in QUANTILES.items()},
        }
    )


def _orders(plan: Plan) -> pa.Table:
    """Column by column, as `_reasons`: a row at a time takes several times their memory."""
    columns = {name: [getattr(o, name) for o in plan.orders] for name in ORDERS_SCHEMA.names if name not in _OF_TABLE}
    columns |= {"locked": [False] * len(plan.orders), "late": [bool(o.hurts) for o in plan.orders]}
    return pa.table(columns, schema=ORDERS_SCHEMA)


def _reasons(plan: Plan) -> pa.Table:
    """Some orders at a time: as Python's own, the texts of a million causes take several times their memory."""
    pieces = [plan.orders[i : i + ORDERS_AT_ONCE] for i in range(0, len(plan.orders), ORDERS_AT_ONCE)]
    return pa.concat_tables([REASONS_SCHEMA.empty_table(), *map(_reasons_of, pieces)])


def _reasons_of(orders: Sequence[PlannedOrder]) -> pa.Table:
    causes = [cause for o in orders for cause in o.causes]
    columns = {
        "order": [o.order for o in orders for _ in o.causes],
        "rank": [rank for o in orders for rank in range(1, len(o.causes) + 1)],
        "stage": [cause.stage for cause in causes],
        "text_key": [cause.text.key for cause in causes],
        "text_params": pa.array((params_json(cause.text) for cause in causes), pa.string()),
        "evidence_table": [cause.evidence_table for cause in causes],
        "evidence": [cause.evidence for cause in causes],
    }
    return pa.table(columns, schema=REASONS_SCHEMA)


def _messages(messages: Sequence[OrderMessage]) -> pa.Table:
    rows = [{"key": m.key, "counterparty": m.counterparty, "order": m.order.order} for m in messages]
    return pa.Table.from_pylist(rows, schema=MESSAGES_SCHEMA)


# texts as columns --------------------------------------------------------------------------------


def _text(text: Message) -> dict[str, str]:
    return {"text_key": text.key, "text_params": params_json(text)}


# Made once: a plan of a large chain has a million texts.
_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False)
_AS_THEY_ARE = frozenset({str, int, bool, type(None)})


def params_json(text: Message) -> str:
    """A message's parameters as JSON that `message_of` reads back with their types."""
    values = zip(text.names, text.values, strict=True)
    return _ENCODER.encode({k: v if type(v) in _AS_THEY_ARE else _plain(v) for k, v in values})


def message_of(key: str, params: str) -> Message:
    """The message that `params_json` took apart."""
    return message(key, **{k: _typed(v) for k, v in json.loads(params).items()})


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, Message):
        return {"message": value.key, "params": {k: _plain(v) for k, v in value.params}}
    if isinstance(value, date):
        return {"date": value.isoformat()}
    if isinstance(value, float) and not math.isfinite(value):
        return {"number": str(value)}
    if isinstance(value, (tuple, list)):
        return [_plain(v) for v in value]
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise TypeError(f"a message's parameter cannot be a {type(value).__name__}")


def _typed(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(_typed(v) for v in value)
    if not isinstance(value, dict):
        return value
    if "date" in value:
        return date.fromisoformat(value["date"])
    if "number" in value:
        return float(value["number"])
    return message(value["message"], **{k: _typed(v) for k, v in value["params"].items()})


def rendered(tables: Mapping[str, pa.Table], language: str) -> dict[str, pa.Table]:
    """The same tables with a column `text` in the language in place of text_key and text_params."""
    result = {}
    for name, table in tables.items():
        if "text_key" in table.column_names:
            keys, params = table["text_key"].to_pylist(), table["text_params"].to_pylist()
            texts = [_in_words(k, p, language) for k, p in zip(keys, params, strict=True)]
            at = table.column_names.index("text_key")
            table = table.drop_columns(["text_key", "text_params"])
            table = table.add_column(at, "text", pa.array(texts, pa.string()))
        result[name] = table
    return result


def _in_words(key: str, params: str, language: str) -> str:
    """The text; of a run that an earlier version kept, whose words have changed since, the key and what filled it."""
    try:
        return message_of(key, params).text(language)
    except (KeyError, IndexError):
        return f"{key} {params}"


def planned_orders(tables: Mapping[str, pa.Table], only: Collection[str] | None = None) -> tuple[PlannedOrder, ...]:
    """The orders with their causes, read back from the tables `orders` and `reasons`. only: the numbers of those that
    are wanted; None: all. There may be tens of thousands, of which a page shows ten."""
    orders, reasons = tables["orders"], tables["reasons"]
    if only is not None:
        orders, reasons = of_orders(orders, only), of_orders(reasons, only)
    causes: dict[str, list[Cause]] = {}
    for r in reasons.sort_by([("order", "ascending"), ("rank", "ascending")]).to_pylist():
        text = message_of(r["text_key"], r["text_params"])
        cause = Cause(r["stage"], text, r["evidence_table"] or "", tuple(r["evidence"] or ()))
        causes.setdefault(r["order"], []).append(cause)
    fields = [name for name in ORDERS_SCHEMA.names if name not in {*_OF_TABLE, "hurts"}]
    return tuple(
        PlannedOrder(
            **{name: r.get(name) for name in fields},
            causes=tuple(causes.get(r["order"], ())),
            hurts=tuple(r.get("hurts") or ()),
        )
        for r in orders.to_pylist()
    )


def of_orders(table: pa.Table, only: Collection[str]) -> pa.Table:
    """The rows that are of some orders."""
    return table.filter(pc.is_in(table["order"], pa.array(sorted(only), pa.string())))


def most_valuable_of(tables: Mapping[str, pa.Table], count: int) -> tuple[PlannedOrder, ...]:
    """See `most_valuable`: the same of a run's tables, without reading the others."""
    orders = tables["orders"]
    worth = pc.coalesce(orders["value"], orders["behind"]) if "behind" in orders.column_names else orders["value"]
    names = orders["order"].to_pylist()
    rows = zip(names, worth.to_pylist(), orders["value"].is_null().to_pylist(), strict=True)
    ranked = sorted(rows, key=lambda o: (o[1] is None, -(o[1] or 0.0), o[2], o[0]))
    return most_valuable(planned_orders(tables, {number for number, *_ in ranked[:count]}), count)


def most_valuable(orders: Sequence[PlannedOrder], count: int) -> tuple[PlannedOrder, ...]:
    """The orders that save the most, or of what goes into other orders or sites, on which the most hangs; of equal ones
    first what saves itself, then by order number."""

    def rank(order: PlannedOrder) -> tuple[bool, float, bool, str]:
        worth = order.behind if order.value is None else order.value
        return worth is None, -(worth or 0.0), order.value is None, order.order

    return tuple(sorted(orders, key=rank)[:count])
