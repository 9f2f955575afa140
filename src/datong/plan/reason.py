"""Why an order: its causes with numbers and the rows behind them, and all of it as one sentence."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from datong.ledger.facts import ChainFacts
from datong.ledger.state import State
from datong.model.flow import (
    UNTESTED_METHODS,
    Cause,
    Clearing,
    Forecast,
    Item,
    PlannedOrder,
    Sensed,
    Signal,
    method_message,
)
from datong.model.words import Message, message, say
from datong.plan.lots import Lot

# Most rows of evidence that one cause shows, and most signals that one order tells of.
MOST_ROWS = 20
MOST_SIGNALS = 2
# Below this share of its hours left, a line is full.
FULL_SHARE = 0.005
# Prices below this are no price.
NOTHING = 1e-6


@dataclass(frozen=True)
class Served:
    """What an order is for. Units expected and at the 90% point are cumulative, by the end of `last_bucket`.

    parents: (order, product) that a component goes into; empty for what is sold.
    """

    needed_by: date
    last_bucket: date
    expected_units: float
    high_units: float
    stock_units: float
    coming_units: float
    planned_units: float
    parents: tuple[tuple[str, str], ...]


class Reasons:
    """Finds the causes of orders in one cycle's results."""

    def __init__(self, state: State, sensed: Sensed, demand: Forecast, clearing: Clearing, facts: ChainFacts) -> None:
        self.product_of = facts.product_of
        self.currency = state.settings.currency
        self.weeks = state.settings.calendar.unit == "week"
        self.lines = {(r["name"], r["bucket"]): r for r in clearing.prices.to_pylist() if r["what"] == "line"}
        self.starts = demand.bucket_starts
        self.binding = {
            (facts.label_of(Item(r["product"], r["market"])), r["bucket"]): (r["binding"], r["binding_price"])
            for r in clearing.gaps.to_pylist()
            if r["binding"]
        }
        self.signals: dict[str, list[Signal]] = defaultdict(list)
        for signal in sorted(sensed.signals, key=lambda s: (-abs(s.strength), s.signal)):
            self.signals[signal.product].append(signal)
        self.items: dict[str, list[int]] = defaultdict(list)
        for i, item in enumerate(demand.items):
            self.items[facts.label_of(item)].append(i)
        self.demand = demand
        self.mean_units = demand.paths.mean(axis=(1, 2))
        self.stock_rows = _last_counts(state)
        self.given_rows: dict[str, list[tuple[date, str]]] = defaultdict(list)
        for r in state.table("demand").select(["row_id", "product", "due"]).to_pylist():
            self.given_rows[r["product"]].append((r["due"], r["row_id"]))

    def of(self, lot: Lot, served: Served, alternatives: Sequence[tuple[str, str | None, float]]) -> tuple[Cause, ...]:
        """Causes of one lot, from the nearest to the deepest."""
        causes = [self._for_orders(lot, served) if served.parents else self._for_demand(lot, served)]
        causes += self._lot_causes(lot)
        causes += self._line_causes(lot, served)
        causes += self._alternative_causes(alternatives)
        if not served.parents:
            causes += self._forecast_causes(lot)
        causes += [
            Cause("sense", s.text, s.evidence_table, s.evidence[:MOST_ROWS])
            for s in self.signals[self.product_of(lot.way.product)][:MOST_SIGNALS]
        ]
        return tuple(causes)

    def when(self, bucket: date) -> Message:
        return message("plan.week" if self.weeks else "plan.day", day=bucket)

    def _for_demand(self, lot: Lot, served: Served) -> Cause:
        product = self.product_of(lot.way.product)
        given = sorted(r for r in self.given_rows[product] if r[0] >= served.needed_by)[:MOST_ROWS]
        rows = tuple(row for _, row in given) or self.stock_rows.get(product, ())[:MOST_ROWS]
        table = "demand" if given else "stock"
        sure = served.high_units - served.expected_units < 0.5
        text = message(
            "plan.cause.sure_demand" if sure else "plan.cause.demand",
            product=product,
            expected=shown(served.expected_units),
            high=shown(served.high_units),
            when=self.when(served.last_bucket),
            stock=shown(served.stock_units),
            coming=shown(served.coming_units + served.planned_units),
        )
        return Cause("plan", text, table if rows else "", rows)

    def _for_orders(self, lot: Lot, served: Served) -> Cause:
        order, parent = served.parents[0]
        rows = self.stock_rows.get(self.product_of(lot.way.product), ())[:MOST_ROWS]
        key = "plan.cause.component" if len(served.parents) == 1 else "plan.cause.components"
        text = message(
            key,
            product=lot.way.product,
            order=order,
            parent=parent,
            others=len(served.parents) - 1,
            when=self.when(served.needed_by),
            stock=shown(served.stock_units),
        )
        return Cause("plan", text, "stock" if rows else "", rows)

    def _lot_causes(self, lot: Lot) -> list[Cause]:
        causes = []
        more = lot.units - lot.wanted_units
        if more > 0.5 and lot.way.min_units > lot.wanted_units:
            text = message("plan.cause.smallest", smallest=shown(lot.way.min_units), more=shown(more))
            causes.append(Cause("plan", text))
        elif more >= 1 and lot.way.multiple_units > 1:
            text = message("plan.cause.multiple", multiple=shown(lot.way.multiple_units), more=shown(more))
            causes.append(Cause("plan", text))
        if lot.merged > 1 and (lot.way.setup_cost > 0 or lot.way.setup_hours > 0 or lot.way.min_units > 0):
            causes.append(Cause("plan", message("plan.cause.merged", count=lot.merged)))
        return causes

    def _line_causes(self, lot: Lot, served: Served) -> list[Cause]:
        """Why this line in this bucket: what an hour is worth there, and in the bucket that needs the units."""
        scarce, worth = self.binding.get((lot.way.product, served.needed_by), ("", 0.0))
        if served.needed_by < self.starts[lot.arrive] and scarce and scarce != lot.way.line:
            text = message(
                "plan.cause.scarce",
                name=scarce,
                needed=self.when(served.needed_by),
                price=shown(worth),
                currency=self.currency,
            )
            return [Cause("balance", text, "prices", (f"{scarce}|{served.needed_by}",))]
        if lot.way.line is None:
            return []
        line, start = lot.way.line, self.starts[lot.start]
        row = self.lines.get((line, start))
        if row is None:
            return []
        evidence = (f"{line}|{start}",)
        needed = next((t for t, s in enumerate(self.starts) if s == served.needed_by), lot.arrive)
        late = lot.arrive > needed
        early = lot.arrive < needed
        latest = self.starts[max(needed - (lot.arrive - lot.start), 0)]
        then = self.lines.get((line, latest))
        if early and then is not None and then["price"] > row["price"] + NOTHING:
            text = message(
                "plan.cause.early",
                line=line,
                then=self.when(latest),
                then_price=shown(then["price"]),
                price=shown(row["price"]),
                currency=self.currency,
            )
            return [Cause("balance", text, "prices", evidence)]
        if row["price"] > NOTHING:
            key = "plan.cause.full_late" if late else "plan.cause.full"
            text = message(
                key,
                line=line,
                when=self.when(start),
                price=shown(row["price"]),
                currency=self.currency,
                needed=self.when(served.needed_by),
            )
            return [Cause("balance", text, "prices", evidence)]
        spare = row["available"] - row["used"]
        if spare > FULL_SHARE * max(row["available"], NOTHING):
            text = message("plan.cause.spare", line=line, when=self.when(start), hours=shown(spare))
            return [Cause("balance", text, "prices", evidence)]
        return []

    def _alternative_causes(self, alternatives: Sequence[tuple[str, str | None, float]]) -> list[Cause]:
        dearer = [(name, line, more) for name, line, more in alternatives if more > NOTHING]
        if not dearer:
            return []
        name, line, more = dearer[0]
        key = "plan.cause.dearer" if line is None else "plan.cause.dearer_line"
        text = message(key, way=name, line=line or "", more=shown(more), currency=self.currency)
        return [Cause("balance", text, "recipes", (f"recipes:{name}",)) if line else Cause("balance", text)]

    def _forecast_causes(self, lot: Lot) -> list[Cause]:
        items = self.items[lot.way.product]
        if not items:
            return []
        first = max(items, key=lambda i: (float(self.mean_units[i]), -i))
        method = self.demand.method[first]
        words = method_message(method)
        if method in UNTESTED_METHODS:
            return [Cause("forecast", message("plan.cause.forecast", method=words))]
        windows = int(self.demand.backtest_windows[first])
        return [Cause("forecast", message("plan.cause.backtest", method=words, windows=windows))]


def _last_counts(state: State) -> dict[str, tuple[str, ...]]:
    """Rows of the last count of each product."""
    last: dict[str, tuple[object, list[str]]] = {}
    columns = ["row_id", "product", "happened_at", "units"]
    for r in sorted(state.table("stock").select(columns).to_pylist(), key=lambda r: (r["happened_at"], r["row_id"])):
        if r["units"] is None:
            continue
        if r["product"] in last and last[r["product"]][0] == r["happened_at"]:
            last[r["product"]][1].append(r["row_id"])
        else:
            last[r["product"]] = (r["happened_at"], [r["row_id"]])
    return {product: tuple(rows) for product, (_, rows) in last.items()}


def shown(value: float) -> float:
    """A number as a person reads it: whole from 100 on, one decimal from 10 on, else two."""
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2
    return round(float(value), digits) + 0.0


def sentence(order: PlannedOrder, language: str) -> str:
    """The causes of an order as one sentence; how the forecast was made is left to `datong why`."""
    told = [cause for cause in order.causes if cause.stage != "forecast"]
    clauses = [cause.text.text(language).strip().rstrip(".。;；") for cause in told]
    if not clauses:
        return ""
    joined = say("plan.and", language).join(c for c in clauses if c)
    return say("plan.sentence", language, causes=joined[:1].upper() + joined[1:])
