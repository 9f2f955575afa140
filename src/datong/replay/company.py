"""What the company did, as it recorded it: what was made, came in and went from site to site, bucket by bucket.

Production takes its components by its bill, as the ledger reads it (network/stock_on_hand.py); receipts are purchases;
shipments to a site of the chain are transfers, there at once.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from datong.ledger.columns import as_day, day_number, local_days
from datong.ledger.standings import LEAST_UNITS, only_recipes
from datong.ledger.state import State
from datong.model.flow import Item
from datong.model.words import Message, message
from datong.network.facts import ChainFacts
from datong.network.places import ANYWHERE
from datong.network.stock_on_hand import told_themselves
from datong.network.ways import Way, of_units, way_on
from datong.replay.scene_and_batches import NOTHING, Batch
from datong.replay.unit_worth import cheapest_ways

# Products that a note names at most.
NAMED = 5


@dataclass(frozen=True)
class Flow:
    """Good units that were there on a day (days since 1970-01-01). label: None where the records do not say at which
    site. way: by which they came, where there is one; uses: units of components taken, by label (None: as above);
    besides: units of co-products that came with them, by label."""

    day: int
    kind: str
    label: str | None
    units: float
    scrap_units: float
    way: Way | None
    uses: tuple[tuple[str | None, float], ...] = ()
    besides: tuple[tuple[str, float], ...] = ()

    @property
    def is_placed(self) -> bool:
        return self.label is not None and all(label is not None for label, _ in self.uses)


@dataclass(frozen=True, eq=False)
class Company:
    """batches: by bucket, what came of what the company did. line_hours: by bucket, the hours its lines ran for it.
    least_opening: by product, the stock that it must have had as the replay began, where that is more than the records
    hold. left_out: why its course cannot be followed; None where it can."""

    batches: tuple[tuple[Batch, ...], ...]
    line_hours: tuple[Mapping[str, float], ...]
    least_opening: Mapping[str, float]
    left_out: Message | None


def company_of(
    actual: State,
    facts: ChainFacts,
    buckets: Sequence[date],
    unit_cost: Mapping[str, float],
    on_hand_units: Mapping[str, float],
) -> Company:
    """actual: all that is known by now; facts: of the buckets. on_hand_units: by label, as the replay begins."""
    flows = list(company_flows(actual, facts, buckets))
    least, unbought = least_opening_units(flows, _sent(actual, facts, buckets), on_hand_units)
    left_out = _left_out(flows, facts, unbought)
    if left_out is not None and left_out.key != "replay.note_no_purchases":
        least = {}  # what is not recorded, or not where, says nothing of what there was
    return Company(
        _batches(flows, buckets, actual, unit_cost, _purchase_cost(facts)),
        _line_hours(flows, buckets, actual),
        least,
        left_out,
    )


def _left_out(flows: Sequence[Flow], facts: ChainFacts, unbought: Sequence[str]) -> Message | None:
    if not flows:
        return message("replay.note_no_company")
    if facts.places is not None and not any(flow.kind == "move" for flow in flows):
        return message("replay.note_no_transfers")
    unplaced = sum(not flow.is_placed for flow in flows)
    if unplaced:
        return message("replay.note_no_site", rows=unplaced)
    if unbought:
        products = sorted({facts.product_of(label) for label in unbought})
        names = ", ".join(products[:NAMED]) + (", …" if len(products) > NAMED else "")
        return message("replay.note_no_purchases", products=len(products), names=names)
    return None


# what was recorded --------------------------------------------------------------------------------


def _parts(
    facts: ChainFacts, way: Way, cheapest: Mapping[str, Way], *, through_steps: bool
) -> tuple[tuple[str, float], ...]:
    """Components of a unit started: of alternatives the cheapest, as records do not tell which one was taken; of what
    comes of all steps at once, what goes into any of them."""
    found: list[tuple[str, float]] = []
    for use in way.uses:
        source = cheapest.get(use.component) if facts.product_of(use.component) in facts.between else None
        if source is not None and (source.picks is not None or through_steps):
            parts = _parts(facts, source, cheapest, through_steps=through_steps)
            found += [(component, use.units_per_unit * each) for component, each in parts]
        else:
            found.append((use.component, use.units_per_unit))
    return tuple(found)


def company_flows(actual: State, facts: ChainFacts, buckets: Sequence[date]) -> Iterator[Flow]:
    """Recorded production, receipts and transfers of the buckets, in the order of their rows."""
    orders = {row["order"]: row for row in actual.table("orders").select(["order", "recipe", "offer"]).to_pylist()}
    only, cheapest = only_recipes(actual), cheapest_ways(facts, buckets)
    makes = {way.product: way for way in cheapest.values() if way.kind == "make"}
    by_product = {facts.product_of(label): way for label, way in sorted(makes.items())}
    told = told_themselves(actual)

    def recipe_way(row: Mapping[str, Any], day: int) -> Way | None:
        recipe = orders.get(row["order"], {}).get("recipe") or only.get(row["product"], "")
        versions = facts.ways_of_row.get(("make", recipe), ())
        return way_on(versions, as_day(day)) if versions else by_product.get(row["product"])

    for day, row in _rows(actual, "production", buckets, "good_units", "scrap_units", "order", "site"):
        way = recipe_way(row, day)
        site = row["site"] or (way.site if way is not None else None)
        started = row["good_units"] + row["scrap_units"]
        is_step = way is not None and way.place is not None and row["order"] in orders
        parts = () if way is None else _parts(facts, way, cheapest, through_steps=not is_step)
        uses = tuple((_component_at(facts, component, site), started * each) for component, each in parts)
        made = way.product if way is not None and is_step else _label(facts, row["product"], site)
        outputs = () if way is None or way.product != made else way.outputs
        outputs = [output for output in outputs if facts.product_of(output.product) not in told]
        besides = tuple((output.product, started * output.units_per_unit) for output in outputs)
        yield Flow(day, "make", made, row["good_units"], row["scrap_units"], way, uses, besides)
    for day, row in _rows(actual, "receipts", buckets, "units", "order", "site"):
        offer = orders.get(row["order"], {}).get("offer") or ""
        ways = [w for w in facts.ways_of_row.get(("buy", offer), ()) if facts.product_of(w.product) == row["product"]]
        site = row["site"] or _only_site(facts, row["product"], ways)
        label = _label(facts, row["product"], site)
        own = of_units([w for w in ways if w.product == label], row["units"])
        yield Flow(day, "buy", label, row["units"], 0.0, way_on(own, as_day(day)) if own else None)
    if facts.places is None:
        return
    lanes = {(w.from_site, w.site, facts.product_of(w.product)): w for w in facts.ways if w.lane is not None}
    for day, row in _rows(actual, "shipments", buckets, "units", "from_site", "to_site"):
        if row["to_site"] is not None:
            way = lanes.get((row["from_site"], row["to_site"], row["product"]))
            left = _label(facts, row["product"], row["from_site"]) if row["from_site"] is not None else None
            to = _label(facts, row["product"], row["to_site"])
            yield Flow(day, "move", to, row["units"], 0.0, way, ((left, row["units"]),))


def _rows(
    actual: State, table: str, buckets: Sequence[date], units: str, *columns: str
) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """Day and row of those of a table that fall into the buckets and say of any units, by row_id."""
    rows, day = _within(actual, table, buckets)
    rows = rows.select(["row_id", "product", units, *columns])
    for at, row in sorted(zip(day.tolist(), rows.to_pylist(), strict=True), key=lambda pair: pair[1]["row_id"]):
        if row[units] > 0 or row.get("scrap_units", 0.0) > 0:
            yield at, row


def _within(actual: State, table: str, buckets: Sequence[date]) -> tuple[pa.Table, np.ndarray]:
    """Rows of a table that fall into the buckets, and the local day of each."""
    rows = actual.table(table)
    day = local_days(rows, actual)
    after = actual.settings.calendar.shift(buckets[-1], 1)
    inside = (day >= day_number(buckets[0])) & (day < day_number(after))
    return rows.filter(pa.array(inside)), day[inside]


def _label(facts: ChainFacts, product: str, site: str | None) -> str | None:
    if facts.places is None:
        return product
    return facts.places.label.get((product, site or ANYWHERE))


def _component_at(facts: ChainFacts, label: str, site: str | None) -> str | None:
    """Where production at a site takes a component: there where it can lie there, or else where its recipe does."""
    return label if facts.places is None else _label(facts, facts.product_of(label), site) or label


def _only_site(facts: ChainFacts, product: str, ways: Sequence[Way]) -> str | None:
    """The site at which a purchase arrives where only one can be meant."""
    fits = ways or [w for w in facts.ways if w.kind == "buy" and facts.product_of(w.product) == product]
    sites = {way.site for way in fits}
    return sites.pop() if len(sites) == 1 else None


def _sent(actual: State, facts: ChainFacts, buckets: Sequence[date]) -> dict[tuple[str, int], float]:
    """Units sent to buyers by label and day; those that one of several sites may have sent are left out."""
    shipments, day = _within(actual, "shipments", buckets)
    to_buyers = pc.is_null(shipments["to_site"])
    rows, day = shipments.filter(to_buyers), day[to_buyers.to_numpy(zero_copy_only=False)]
    served_by_others = set() if facts.places is None else {w.product for w in facts.ways if w.serves}
    sent: dict[tuple[str, int], float] = defaultdict(float)
    columns = [rows[name].to_pylist() for name in ("product", "market", "from_site", "units")]
    for at, product, market, site, units in zip(day.tolist(), *columns, strict=True):
        label: str | None = facts.label_of(Item(product, market))
        if site is not None and facts.places is not None:
            label = _label(facts, product, site)
        if label is not None and label not in served_by_others:
            sent[label, at] += units
    return sent


def least_opening_units(
    flows: Sequence[Flow], sent: Mapping[tuple[str, int], float], on_hand_units: Mapping[str, float]
) -> tuple[dict[str, float], list[str]]:
    """By label, the smallest opening stock that lets the company have sent and used what it did, where that is more
    than what is on record: max over days of (sent, used and moved out - made, received and moved in). And components
    that it used and never got: of these the records tell too little.

    It looks at what came later; every policy is given it. Nothing where what the company made or sent is not recorded.
    """
    out: dict[tuple[str, int], float] = defaultdict(float, sent)
    used, got = set[str](), set[str]()
    came: dict[tuple[str, int], float] = defaultdict(float)
    for flow in flows:
        if not flow.is_placed:
            continue
        came[flow.label or "", flow.day] += flow.units
        got.add(flow.label or "")
        for label, units in flow.besides:
            came[label, flow.day] += units
            got.add(label)
        for label, units in flow.uses:
            out[label or "", flow.day] += units
            used.add(label or "")
    if not out or not came:
        return {}, []
    needed: dict[str, float] = {}
    level: dict[str, float] = defaultdict(float)
    for label, day in sorted({*out, *came}, key=lambda key: (key[1], key[0])):
        level[label] += out.get((label, day), 0.0) - came.get((label, day), 0.0)
        needed[label] = max(needed.get(label, level[label]), level[label])
    least = {
        label: units
        for label, units in sorted(needed.items())
        if units > max(on_hand_units.get(label, 0.0), 0.0) + LEAST_UNITS
    }
    unbought = [label for label in least if label in used and label not in got]
    return {label: units for label, units in least.items() if label not in unbought}, unbought


# what came of it ----------------------------------------------------------------------------------


def _purchase_cost(facts: ChainFacts) -> dict[str, float]:
    """By label, money for a unit by its cheapest offer."""
    cost: dict[str, float] = {}
    for way in facts.ways:
        if way.kind == "buy":
            cost[way.product] = min(cost.get(way.product, way.cost_per_unit), way.cost_per_unit)
    return cost


def _batches(
    flows: Sequence[Flow],
    buckets: Sequence[date],
    actual: State,
    unit_cost: Mapping[str, float],
    purchase_cost: Mapping[str, float],
) -> tuple[tuple[Batch, ...], ...]:
    """The flows of each bucket and way together, at what a unit costs by its way; where none is known, at the cost of
    the cheapest."""
    calendar = actual.settings.calendar
    together: dict[tuple[int, str, str, str], list[Flow]] = defaultdict(list)
    for flow in flows:
        if flow.is_placed:
            t = calendar.index(as_day(flow.day), buckets[0])
            name = "" if flow.way is None else flow.way.name
            left = flow.uses[0][0] or "" if flow.kind == "move" else ""
            together[t, flow.label or "", f"{flow.kind}|{name}", left].append(flow)
    found: list[list[Batch]] = [[] for _ in buckets]
    for (t, label, kind_and_name, left), own in sorted(together.items()):
        kind, way = own[0].kind, own[0].way
        units = sum(flow.units for flow in own)
        if kind == "make" and way is not None:
            cost = units * way.cost_per_unit / way.yield_share
        elif kind == "move":
            cost = units * (0.0 if way is None else way.cost_per_unit)
        else:
            each = purchase_cost.get(label, unit_cost[label]) if kind == "buy" else unit_cost[label]
            cost = units * (each if way is None else way.cost_per_unit)
        uses, besides = defaultdict[str, float](float), defaultdict[str, float](float)
        for flow in own:
            for used, taken in flow.uses:
                uses[used or ""] += taken
            for other, came in flow.besides:
                besides[other] += came
        found[t].append(
            Batch(
                order=f"company|{buckets[t]}|{label}|{kind_and_name}|{left}",
                kind=kind,
                product=label,
                units=units,
                arrives=buckets[t],
                cost=cost,
                scrap_units=sum(flow.scrap_units for flow in own),
                uses=tuple((used, taken) for used, taken in sorted(uses.items()) if taken > NOTHING),
                besides=tuple(sorted(besides.items())),
            )
        )
    return tuple(tuple(batches) for batches in found)


def _line_hours(flows: Sequence[Flow], buckets: Sequence[date], actual: State) -> tuple[Mapping[str, float], ...]:
    """Hours that what was made took, by its recipe."""
    hours: list[dict[str, float]] = [defaultdict(float) for _ in buckets]
    for flow in flows:
        way = flow.way
        if flow.kind == "make" and way is not None:
            t = actual.settings.calendar.index(as_day(flow.day), buckets[0])
            for held in way.on_lines:
                hours[t][held.line] += flow.units / way.yield_share * held.hours_per_unit
    return tuple(hours)
