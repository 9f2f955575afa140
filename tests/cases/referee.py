"""A referee that adds a plan up by hand: the tables of a chain and its orders in, what they do out.

It is written from the rules alone (docs/tables.md, docs/balance.md) and knows nothing of the product. It walks bucket
by bucket: receive, make, move, serve, count.

    receive   what was ordered is there
    make      a work order takes its components, and hours of its line, when it starts; its good units, and what its
              recipe yields besides, are there lead_days later (0: in the same bucket)
    move      a transfer takes its units at one site; they are at the other lead_days later
    serve     what nothing else will need goes to demand: to whom, the deliveries say, or the dearest and oldest first
    count     what is left is held, what waits is late

Given demand only (rows of `demand`): one future. Not here: forecasts, substitutes, shelf life, firm shares.
"""

import csv
import math
import tomllib
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

Row = dict[str, Any]
# A place where units lie: product and site; '' where sites are one pool or none is named.
Place = tuple[str, str]
# Money for a good unit, by place, of what comes besides that into which it goes.
Known = Mapping[Place, float]

# Less than this is rounding: as a share of the amount, or of one.
NOTHING = 1e-6
LAST_MOMENT = timedelta(days=1, microseconds=-1)
MEASURES = frozenset(
    {
        "kg",
        "g",
        "t",
        "tonne",
        "l",
        "litre",
        "ml",
        "m",
        "metre",
        "m2",
        "m3",
        "hour",
        "公斤",
        "千克",
        "克",
        "吨",
        "升",
        "米",
    }
)

SETTINGS = {
    "time_zone": "UTC",
    "bucket": "week",
    "start": None,
    "horizon_buckets": 13,
    "frozen_buckets": 0,
    "max_late_days": 28,
}
NETTING = {"orders": "consume", "back_days": 0, "forward_days": 0}
# Setting -> what it lets be planned, beside what is open.
STATUSES = {"plan_quotes": "quote", "plan_inquiries": "inquiry"}
SHARES = {
    "price": 1.0,
    "cost_share": 0.7,
    "holding_share_per_week": 0.004,
    "late_share_per_week": 0.02,
    "late_horizon_factor": 1.0,
    "lost_sale_share": 1.0,
    "offer_lead_days": 7.0,
    "priority_factor": 2.0,
    "firm_factor": 1.25,
}
# What an empty cell means, where it means anything.
EMPTY = {
    "products": {"kind": "finished", "base_unit": "piece", "release_fence_days": 0, "safety_lead_days": 0.0},
    "recipes": {
        "hours_per_unit": 0.0,
        "cost_per_unit": 0.0,
        "setup_hours": 0.0,
        "setup_cost": 0.0,
        "min_lot_units": 0.0,
        "lot_multiple_units": 0.0,
        "lead_days": 0.0,
        "yield_share": 1.0,
        "setup_scrap_units": 0.0,
        "order_every_days": 0,
    },
    "recipe_steps": {
        "hours_per_unit": 0.0,
        "cost_per_unit": 0.0,
        "setup_hours": 0.0,
        "setup_cost": 0.0,
        "setup_scrap_units": 0.0,
        "lead_days": 0.0,
    },
    "recipe_lines": {"share": 1.0, "hours_per_unit": None, "setup_hours": None},
    "components": {
        "scrap_share": 0.0,
        "units_per_lot": 0.0,
        "alternate_group": None,
        "alternate_cost_per_unit": 0.0,
    },
    "offers": {
        "lead_days": 0.0,
        "min_order_units": 0.0,
        "lot_multiple_units": 0.0,
        "cost_per_order": 0.0,
        "order_every_days": 0,
    },
    "offer_price_breaks": {"applies_to": "all"},
    "lanes": {
        "lead_days": 0.0,
        "cost_per_unit": 0.0,
        "cost_per_order": 0.0,
        "min_order_units": 0.0,
        "lot_multiple_units": 0.0,
        "order_every_days": 0,
    },
    "sites": {"holding_factor": 1.0},
    "line_calendar": {"overtime_hours": 0.0, "overtime_cost_per_hour": 0.0},
    "demand": {"market": "all", "firm": True, "priority": 0, "status": "open", "max_late_days": None},
    "sales": {"market": "all", "state": "ordered"},
    "orders": {"kind": "make", "locked": False},
    "production": {"good_units": 0.0, "scrap_units": 0.0},
}
UNKNOWN_TABLES = ("substitutes", "firm_shares")


# what goes in -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Chain:
    """A chain as known on `today`. first: first day of the first bucket; days: days in a bucket; tables: rows by name.

    shares: the factors and shares of [defaults]. netting: the section [netting]. planned: statuses of what is planned.
    in_pieces: what is counted in pieces is delivered in whole ones. picks: recipe or step, group of alternatives and
    bucket -> component -> units made with it: the orders of a plan do not say it of themselves.
    """

    today: date
    first: date
    buckets: int
    days: int
    frozen: int
    max_late_days: int
    shares: Mapping[str, float]
    tables: Mapping[str, Sequence[Row]]
    in_pieces: bool = True
    netting: Mapping[str, Any] = field(default_factory=lambda: NETTING)
    planned: Collection[str] = ("open",)
    picks: Mapping[tuple[str, str, int], Mapping[str, float]] = field(default_factory=dict)

    def rows(self, table: str) -> Sequence[Row]:
        return self.tables.get(table, ())

    def bucket(self, day: date) -> int:
        """The bucket that holds a day; below 0 before the first."""
        return (day - self.first).days // self.days

    def starts(self, bucket: int) -> date:
        return self.first + timedelta(days=bucket * self.days)

    def lead(self, lead_days: float) -> int:
        """A lead time in whole buckets, rounded up."""
        return math.ceil(lead_days / self.days - 1e-9)

    @property
    def has_lanes(self) -> bool:
        return bool(self.rows("lanes"))

    @cached_property
    def circles(self) -> frozenset[tuple[str, str]]:
        return goes_round(self)

    @cached_property
    def costs_found(self) -> dict[tuple[date, tuple[str, ...]], dict[Place, float]]:
        """What `costs_of_circles` has found so far."""
        return {}

    def holding_factor(self, site: str | None) -> float:
        """How many times the holding of its product a unit costs at a site."""
        own = [r["holding_factor"] for r in self.rows("sites") if r["site"] == site]
        return own[0] if own and self.has_lanes else 1.0

    def on_the_way(self, product: str, lane: Row) -> float:
        """Holding of a unit on a lane: at the cheaper end's."""
        factor = min(self.holding_factor(lane[end]) for end in ("from_site", "to_site"))
        return holding_of(self, product) * factor * self.lead(lane.get("lead_days") or 0.0)

    def site(self, named: str | None) -> str:
        """Without lanes the sites of a chain are one pool."""
        return (named or "") if self.has_lanes else ""


def chain_of_folder(folder: Path, today: date, put_aside: Sequence[str] = ()) -> Chain:
    """The chain of a folder of CSV and Parquet files, or sheets of a workbook, and its chain.toml.

    put_aside: orders that are out and are left out here, as they cannot run.
    """
    with (folder / "chain.toml").open("rb") as file:
        settings = tomllib.load(file)
    tables: dict[str, list[Row]] = {}
    for path in sorted(folder.iterdir()):
        if path.suffix == ".csv":
            with path.open(encoding="utf-8-sig", newline="") as lines:
                tables[path.stem] = [dict(row) for row in csv.DictReader(lines)]
        elif path.suffix == ".parquet":
            import pyarrow.parquet as pq

            tables[path.stem] = pq.read_table(path).to_pylist()
        elif path.suffix == ".xlsx":
            from python_calamine import CalamineWorkbook

            book = CalamineWorkbook.from_path(path)
            for name in book.sheet_names:
                head, *rest = book.get_sheet_by_name(name).to_python() or [[]]
                tables[name] = [dict(zip(map(str, head), row, strict=True)) for row in rest]
    tables["orders"] = [r for r in tables.get("orders", []) if r["order"] not in put_aside]
    stated = settings.get("defaults", {})
    flat = {"late_horizon_factor": 0.0} if "late_share_per_week" in stated else {}
    made = _chain(SETTINGS | settings, SHARES | flat | stated, today, tables)
    also = [status for name, status in STATUSES.items() if settings.get(name)]
    return replace(made, netting=NETTING | settings.get("netting", {}), planned=("open", *also))


def chain_of_state(settings: Any, today: date, tables: Mapping[str, Sequence[Row]]) -> Chain:
    """The chain of rows by table (those of a State, say) and of settings that have the names of chain.toml."""
    named = {name: getattr(settings, name) for name in SETTINGS}
    shares = {name: getattr(settings.defaults, name) for name in SHARES}
    made = _chain(named, shares, today, tables)
    also = [status for name, status in STATUSES.items() if getattr(settings, name)]
    netting = {name: getattr(settings.netting, name) for name in NETTING}
    return replace(made, netting=netting, planned=("open", *also))


def _chain(
    settings: Mapping[str, Any], shares: Mapping[str, float], today: date, tables: Mapping[str, Sequence[Row]]
) -> Chain:
    known = [name for name in UNKNOWN_TABLES if tables.get(name)]
    if known:
        raise NotImplementedError(f"the referee does not know {known}")
    day = max(today, settings["start"] or today)
    days = 7 if settings["bucket"] == "week" else 1
    first = day - timedelta(days=day.weekday()) if days == 7 else day
    read = {name: [r for r in (_row(name, row) for row in rows) if _known(r, today)] for name, rows in tables.items()}
    return Chain(
        max(today, first),
        first,
        settings["horizon_buckets"],
        days,
        settings["frozen_buckets"],
        settings["max_late_days"],
        shares,
        read,
    )


def _row(table: str, row: Row) -> Row:
    cells = {name: _cell(name, value) for name, value in row.items()}
    return cells | {name: value for name, value in EMPTY.get(table, {}).items() if cells.get(name) is None}


DAYS = frozenset(
    {"expires_on", "due", "start", "from", "to", "valid_from", "valid_to", "happened_at", "known_at", "needed_by"}
)
CODES = frozenset(
    {"product", "component", "recipe", "offer", "line", "lane", "order", "demand", "market", "lot", "name"}
)


def _cell(name: str, value: Any) -> Any:
    """A cell as a number, a day, a moment, yes or no, or text; None where it is empty or not a number."""
    if isinstance(value, float) and math.isnan(value):
        return None
    if isinstance(value, str):
        text = value.strip()
        if text == "":
            return None
        if name in DAYS:
            moment = datetime.fromisoformat(text)
            return moment.date() if len(text) == 10 else moment
        if name in CODES or name.endswith("site"):
            return text
        if text.lower() in ("yes", "true", "no", "false"):
            return text.lower() in ("yes", "true")
        try:
            return float(text)
        except ValueError:
            return text
    if isinstance(value, datetime) and name in DAYS and name not in ("happened_at", "known_at"):
        return value.date()
    return value


def _moment(when: Any) -> datetime:
    """A moment to compare by, without its zone; a day alone is over at its end."""
    if isinstance(when, datetime):
        return when.astimezone(UTC).replace(tzinfo=None) if when.tzinfo else when
    return datetime.combine(when, datetime.min.time()) + LAST_MOMENT


def _known(row: Row, today: date) -> bool:
    """Known, and of the past, when the plan is made."""
    dates = [row.get(name) for name in ("known_at", "happened_at")]
    return all(when is None or _moment(when).date() <= today for when in dates)


def in_force(rows: Iterable[Row], day: date) -> Row | None:
    """Of versions of one row the one that holds on a day: begun last, not over."""
    found = [r for r in rows if (r.get("valid_from") or date.min) <= day < (r.get("valid_to") or date.max)]
    return max(found, key=lambda r: r.get("valid_from") or date.min, default=None)


def ways(chain: Chain, table: str, name: str | None) -> list[Row]:
    """Versions of a recipe, an offer or a lane."""
    key = {"recipes": "recipe", "offers": "offer", "lanes": "lane"}[table]
    return [r for r in chain.rows(table) if r[key] == name]


@dataclass(frozen=True)
class Use:
    """Units of a component that one unit started takes, scrap included, and that each order takes whatever its size.
    group: of alternatives, their group; member: the one that it stands for; cost: money per unit started where it is
    taken."""

    component: str
    units: float
    per_lot: float = 0.0
    group: str | None = None
    member: str | None = None
    cost: float = 0.0

    def per_order(self, scrap: float) -> float:
        """scrap: units that the set-up scraps, which take it too."""
        return (0.0 if self.group else self.per_lot) + scrap * self.units


def bill(chain: Chain, product: str, recipe: str | None, day: date) -> dict[str, float]:
    """Units of each component that one unit started on a day takes, scrap included; of alternatives the one that adds
    least cost. Of a recipe with steps, all that goes into any of them."""
    units: dict[str, float] = defaultdict(float)
    for use in first_of_groups(uses_of(chain, product, recipe, day)):
        units[use.component] += use.units
    return dict(units)


def first_of_groups(uses: Sequence[Use]) -> list[Use]:
    """Of each group of alternatives the one that adds least cost, then by code."""
    first: dict[str | None, tuple[float, str | None]] = {}
    for use in uses:
        if use.group:
            first[use.group] = min(first.get(use.group, (use.cost, use.member)), (use.cost, use.member))
    return [use for use in uses if not use.group or first[use.group] == (use.cost, use.member)]


def steps_of(chain: Chain, recipe: str | None) -> list[Row]:
    """The routing steps of a recipe, in their order."""
    return sorted((r for r in chain.rows("recipe_steps") if r["recipe"] == recipe), key=lambda r: r["sequence"])


def step_of(chain: Chain, code: str | None) -> Row | None:
    return next((r for r in chain.rows("recipe_steps") if r["step"] == code), None)


def brings(chain: Chain, product: str, code: str | None) -> str:
    """What an order of a recipe or step brings: of a step that is not the last what waits for the next one, which goes
    by its code."""
    step = step_of(chain, code)
    return product if step is None or steps_of(chain, step["recipe"])[-1] is step else step["step"]


def becomes(chain: Chain, product: str) -> str:
    """The product; of what waits between steps the one that it becomes."""
    step = step_of(chain, product)
    made = {r["recipe"]: r["product"] for r in chain.rows("recipes")}
    return product if step is None else made[step["recipe"]]


def uses_of(chain: Chain, product: str, code: str | None, day: date) -> list[Use]:
    """What a unit started by a recipe or a step takes on a day: a step what the one before it brings, and what names
    it; the first step what names no step. Of a whole recipe, all that goes into any of its steps."""
    step = step_of(chain, code)
    if step is None:
        uses = _said(chain, product, code, day)
        return uses + [u for s in steps_of(chain, code) for u in _own(chain, product, s["step"], day)]
    steps = steps_of(chain, step["recipe"])
    place = steps.index(step)
    before = _said(chain, product, step["recipe"], day) if place == 0 else [Use(steps[place - 1]["step"], 1.0)]
    return before + _own(chain, product, step["step"], day)


def outputs_of(chain: Chain, product: str, code: str | None, day: date) -> dict[str, float]:
    """Units of each product that an order of one unit started brings besides its own; of the rows of a recipe with
    steps its last step."""
    step = step_of(chain, code)
    codes = {code}
    if step is not None and steps_of(chain, step["recipe"])[-1] is step:
        codes.add(step["recipe"])
    units: dict[str, float] = defaultdict(float)
    for key in sorted({(r["recipe"], r["product"]) for r in chain.rows("recipe_outputs") if r["recipe"] in codes}):
        rows = [r for r in chain.rows("recipe_outputs") if (r["recipe"], r["product"]) == key]
        row = in_force(rows, day)
        if row is not None and row["product"] != product:
            units[row["product"]] += row["units_per_unit"]
    return dict(units)


def _own(chain: Chain, product: str, code: str | None, day: date) -> list[Use]:
    """What the rows of a recipe or step alone say."""
    rows = [r for r in chain.rows("components") if (r["product"], r.get("recipe")) == (product, code)]
    return _rows_in_force(chain, rows, day)


def _said(chain: Chain, product: str, recipe: str | None, day: date) -> list[Use]:
    """Rows of the recipe itself stand in place of those for all recipes, component by component."""
    rows = [r for r in chain.rows("components") if r["product"] == product and r.get("recipe") in (None, recipe)]
    own = {r["component"] for r in rows if r.get("recipe") is not None}
    return _rows_in_force(chain, [r for r in rows if r.get("recipe") is not None or r["component"] not in own], day)


def _rows_in_force(chain: Chain, rows: Sequence[Row], day: date) -> list[Use]:
    """Of rows of one component those that began last and hold: what is listed twice is used twice. In place of a
    phantom stands what it takes."""
    found: list[Use] = []
    for component in sorted({r["component"] for r in rows}):
        own = [r for r in rows if r["component"] == component]
        held = [r for r in own if (r.get("valid_from") or date.min) <= day < (r.get("valid_to") or date.max)]
        last = max((r.get("valid_from") or date.min for r in held), default=None)
        for r in held:
            if (r.get("valid_from") or date.min) != last:
                continue
            good = 1 - r["scrap_share"]
            use = Use(component, r["units_per_unit"] / good, r["units_per_lot"] / good)
            if r["alternate_group"]:
                group = {"group": r["alternate_group"], "member": component, "cost": r["alternate_cost_per_unit"]}
                use = replace(use, **group)
            found += _through(chain, use, day) if _is_phantom(chain, component) else [use]
    return found


def _is_phantom(chain: Chain, product: str) -> bool:
    return any(r["product"] == product and r.get("kind") == "phantom" for r in chain.rows("products"))


def _through(chain: Chain, phantom: Use, day: date) -> list[Use]:
    """What is taken in place of a phantom: all of its parts where it is one of alternatives."""
    found = []
    for part in _said(chain, phantom.component, None, day):
        per_lot = phantom.per_lot * part.units + part.per_lot
        use = replace(part, units=phantom.units * part.units, per_lot=per_lot, cost=phantom.units * part.cost)
        if phantom.group:
            use = replace(use, group=phantom.group, member=phantom.member, cost=phantom.cost)
        elif part.group:
            use = replace(use, group=f"{phantom.component}/{part.group}")
        found.append(use)
    return found


def made_of(chain: Chain, product: str, row: Row, day: date, cost_of: Callable[[str], float]) -> float:
    """Money for a good unit by a recipe on a day, with its steps; of alternatives by the cheapest. cost_of: of a
    component."""
    groups: dict[str | None, dict[str | None, float]] = defaultdict(lambda: defaultdict(float))
    cost = row["cost_per_unit"] + sum(step["cost_per_unit"] for step in steps_of(chain, row["recipe"]))
    for use in uses_of(chain, product, row["recipe"], day):
        money = use.units * cost_of(use.component)
        if use.group:
            own = groups[use.group]
            own[use.member] = own.get(use.member, use.cost) + money
        else:
            cost += money
    start = cost + sum(min(own.values()) for own in groups.values())
    return start * borne(chain, product, row, day)[product] / row["yield_share"]


def _last_step(chain: Chain, recipe: str) -> str:
    """The last step of a recipe; itself where it has none."""
    steps = steps_of(chain, recipe)
    return steps[-1]["step"] if steps else recipe


def borne(chain: Chain, product: str, row: Row, day: date) -> dict[str, float]:
    """The part of what a start of a recipe costs that its product bears, and each that comes besides: that of their
    value."""
    besides = outputs_of(chain, product, _last_step(chain, row["recipe"]), day)
    told = {r["product"]: r["price"] for r in chain.rows("products")}
    price = {p: chain.shares["price"] if told.get(p) is None else told[p] for p in (product, *besides)}
    value = {product: row["yield_share"] * price[product]} | {p: each * price[p] for p, each in besides.items()}
    return {p: worth / sum(value.values()) for p, worth in value.items()}


def made_besides(
    chain: Chain, product: str, day: date, cost_of: Callable[[str], float], circles: bool = False
) -> Iterable[tuple[Row, float]]:
    """Recipes that bring a product besides their own on a day, and money for a unit of it. cost_of: of a component;
    circles: whether of those that take what it goes into, or of the others."""
    for name in sorted({r["recipe"] for r in chain.rows("recipes")}):
        row = in_force(ways(chain, "recipes", name), day)
        if row is None or row["product"] == product or ((name, product) in chain.circles) is not circles:
            continue
        each = outputs_of(chain, row["product"], _last_step(chain, name), day).get(product)
        if each:
            own = borne(chain, row["product"], row, day)
            good = made_of(chain, row["product"], row, day, cost_of)
            yield row, good * row["yield_share"] / own[row["product"]] * own[product] / each


def goes_round(chain: Chain) -> frozenset[tuple[str, str]]:
    """Recipes and what comes besides their product that goes, at whatever level, into what they take."""
    made_from: dict[str, set[str]] = defaultdict(set)
    takes: dict[str, set[str]] = defaultdict(set)
    yields: set[tuple[str, str]] = set()
    for r in chain.rows("recipes"):
        for t in range(chain.buckets):
            day = chain.starts(t)
            parts = {use.component for use in uses_of(chain, r["product"], r["recipe"], day)}
            takes[r["recipe"]] |= parts
            made_from[r["product"]] |= parts
            for other in outputs_of(chain, r["product"], _last_step(chain, r["recipe"]), day):
                yields.add((r["recipe"], other))
                made_from[other] |= {r["product"], *parts}

    def all_in(parts: set[str]) -> set[str]:
        found: set[str] = set()
        while parts - found:
            found |= parts
            parts = {c for p in parts for c in made_from[p]}
        return found

    return frozenset((recipe, other) for recipe, other in yields if other in all_in(takes[recipe]))


# orders -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Order:
    """A work, purchase or transfer order. way: its recipe, offer or lane; units: those started, before yield.

    kept: it was out before the plan, and its cost is spent. takes_hours, takes: hours, and components, that it still
    takes: of one that began before, what was taken is taken. partly: units of it were reported.
    """

    name: str
    kind: str
    product: str
    way: str | None
    site: str | None
    from_site: str | None
    units: float
    start: date
    due: date
    kept: bool = False
    takes_hours: bool = True
    takes: Sequence[Use] | None = None
    partly: bool = False
    # The day whose rows say what comes besides; None: its start.
    agreed: date | None = None


def planned(rows: Iterable[Row]) -> list[Order]:
    """Orders of a plan: rows with kind, product, recipe, offer or lane, units, start, due, and sites with lanes."""
    found = []
    for r in rows:
        way = r[{"make": "recipe", "buy": "offer", "move": "lane"}[r["kind"]]]
        name = r.get("order") or f"{r['kind']} {r['product']} by {way} on {r['start']}"
        sites = r.get("site"), r.get("from_site")
        found.append(Order(name, r["kind"], r["product"], way, *sites, r["units"], r["start"], r["due"]))
    return found


def kept(chain: Chain) -> list[Order]:
    """Orders that are out and still bring units (released, accepted, begun, or without events): what is left."""
    found = []
    for r in chain.rows("orders"):
        events = [e for e in chain.rows("order_events") if e["order"] == r["order"]]
        events.sort(key=lambda e: _moment(e["happened_at"]))
        state = events[-1]["state"] if events else "released"
        if state not in ("released", "accepted", "started", "partly_done"):
            continue
        told = max((e.get("good_units") or 0.0 for e in events), default=0.0)
        told_scrap = max((e.get("scrap_units") or 0.0 for e in events), default=0.0)
        made = [m for m in chain.rows("production") if m.get("order") == r["order"]]
        came = [m for m in chain.rows("receipts") if m.get("order") == r["order"]]
        good = max(told, sum(m["good_units"] for m in made) + sum(m["units"] for m in came))
        left = r["units"] - good - max(told_scrap, sum(m["scrap_units"] for m in made))
        if left <= NOTHING:
            continue
        if r["kind"] == "move" and not chain.rows("lanes"):  # within the one pool
            continue
        if r["kind"] == "move" and r.get("lane") is None:
            ends = {lane["lane"] for lane in chain.rows("lanes") if _carries(lane, r)}
            r = r | {"lane": ends.pop() if len(ends) == 1 else None}
        began = [e for e in events if e["state"] in ("started", "partly_done")]
        takes, told = None, r.get("recipe")
        if r["kind"] == "make" and (steps := steps_of(chain, told)):  # of the whole: one of its last step
            r = r | {"recipe": steps[-1]["step"]}
        if r["kind"] == "make" and r.get("was_to_start"):  # put off: it keeps the bill of the day that was agreed
            takes = uses_of(chain, r["product"], r.get("recipe"), max(r["was_to_start"], chain.today))
        if began and r["kind"] == "make":
            start, day = _moment(began[0]["happened_at"]), max(r.get("was_to_start") or r["start"], chain.today)
            parts = uses_of(chain, r["product"], r.get("recipe"), day)
            taken = {u.component for u in parts if not step_of(chain, u.component)}
            taken = {c for c in taken if _counted_since(chain, c, start)}
            whole = {u.component for u in uses_of(chain, r["product"], told, day)}
            if told != r["recipe"] and all(_counted_since(chain, c, start) for c in whole):
                taken |= {u.component for u in parts}
            groups = {u.group for u in first_of_groups(parts) if u.component in taken}
            takes = [u for u in parts if (u.group not in groups if u.group else u.component not in taken)]
        spent = chain.bucket(r.get("was_to_start") or r["start"]) < 0 <= chain.bucket(r["due"]) and not any(
            e["state"] == "partly_done" for e in events
        )
        way = r.get({"make": "recipe", "buy": "offer", "move": "lane"}[r["kind"]])
        sites = r.get("site"), r.get("from_site")
        if r["kind"] == "move":
            lane = in_force(ways(chain, "lanes", way), max(r["start"], chain.today)) or {}
            sites = sites[0] or lane.get("to_site"), lane.get("from_site")
        found.append(
            Order(
                *(r[name] for name in ("order", "kind", "product")),
                *(way, *sites, left, r["start"], r["due"], True, not spent, takes, good > NOTHING),
                agreed=r.get("was_to_start"),
            )
        )
    return found


def _carries(lane: Row, order: Row) -> bool:
    return lane["to_site"] == order.get("site") and lane.get("product") in (None, order["product"])


def _counted_since(chain: Chain, component: str, start: datetime) -> bool:
    """The component was counted at the order's start or later: what it takes is out of the count. So it is where it was
    never counted: an order that began had its components."""
    counts = [_moment(r["happened_at"]) for r in chain.rows("stock") if r["product"] == component]
    return not counts or max(counts) >= start


def opening(chain: Chain) -> dict[Place, float]:
    """Stock when the plan begins: the last count of each place (of all that was counted there on its day, each lot's
    last), and what moved after it. What records leave below zero is nothing."""
    units: dict[Place, float] = defaultdict(float)
    counted: dict[Place, datetime] = {}
    by_place: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for r in chain.rows("stock"):
        if r.get("units") is not None:
            by_place[r["product"], r.get("site") or ""].append(r)
    for (product, site), rows in by_place.items():
        last_day = max(_moment(r["happened_at"]).date() for r in rows)
        today = [r for r in rows if _moment(r["happened_at"]).date() == last_day]
        place = (product, chain.site(site))
        for lot in {r.get("lot") for r in today}:
            own = [r for r in today if r.get("lot") == lot]
            last = max(_moment(r["happened_at"]) for r in own)
            gone = [r for r in own if r.get("expires_on") and r["expires_on"] < _last_day(chain, 0)]
            kept = [r for r in own if r not in gone]
            units[place] += max(sum(r["units"] for r in kept if _moment(r["happened_at"]) == last), 0.0)
        counted[place] = max(
            [_moment(r["happened_at"]) for r in today] + ([counted[place]] if place in counted else [])
        )

    def move(product: str, site: str | None, amount: float, when: Any) -> None:
        place = (product, chain.site(site))
        if place not in counted or _moment(when) > counted[place]:
            units[place] += amount

    recipe_of = {r["order"]: r.get("recipe") for r in chain.rows("orders")}
    for r in chain.rows("production"):
        move(r["product"], r.get("site"), r["good_units"], r["happened_at"])
        own = {x["recipe"] for x in chain.rows("recipes") if x["product"] == r["product"]}
        recipe = recipe_of.get(r.get("order")) or (next(iter(own)) if len(own) == 1 else None)
        for component, each in bill(chain, r["product"], recipe, _moment(r["happened_at"]).date()).items():
            move(component, r.get("site"), -each * (r["good_units"] + r["scrap_units"]), r["happened_at"])
        for other, each in outputs_of(chain, r["product"], recipe, _moment(r["happened_at"]).date()).items():
            move(other, r.get("site"), each * (r["good_units"] + r["scrap_units"]), r["happened_at"])
    for r in chain.rows("receipts"):
        move(r["product"], r.get("site"), r["units"], r["happened_at"])
    to_buyers = [r for r in chain.rows("shipments") if r.get("to_site") is None]
    for r in chain.rows("shipments"):
        move(r["product"], r.get("from_site"), -r["units"], r["happened_at"])
        if r.get("to_site") is not None:
            move(r["product"], r["to_site"], r["units"], r["happened_at"])
    if not to_buyers:  # a chain that tells no shipments has served what it sold
        for r in chain.rows("sales"):
            if r["state"] == "ordered":
                site = r["market"] if chain.has_lanes and _is_site(chain, r["market"]) else ""
                move(r["product"], site, -r["units"], r["happened_at"])
    return {place: max(units[place], 0.0) for place in sorted(units)}


def _last_day(chain: Chain, bucket: int) -> date:
    return chain.starts(bucket + 1) - timedelta(days=1)


def goes_bad(chain: Chain, place: Place) -> list[float]:
    """By bucket, units of the stock when the plan begins that cannot be used after it, so far: of what is counted with
    a day of expiry and has not moved since."""
    product, site = place
    rows = [r for r in chain.rows("stock") if (r["product"], chain.site(r.get("site"))) == (product, site)]
    dated = [r for r in rows if r.get("expires_on") and r["expires_on"] >= _last_day(chain, 0)]
    return [sum(r["units"] for r in dated if r["expires_on"] < _last_day(chain, t + 1)) for t in range(chain.buckets)]


# demand and money ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Want:
    """Units wanted. due: its bucket, below 0 where it was due before; bucket: from which it can be served; last: in
    which it can be served last; weight: its lateness and loss cost so many times as much."""

    name: str
    product: str
    market: str
    due: int
    bucket: int
    last: int
    units: float
    weight: float


def wants(chain: Chain) -> list[Want]:
    """Rows of `demand` that are still wanted: those due in the horizon, and firm ones that were due before and may
    still be served. Rows of a forecast that are past are past."""
    factor, firm_factor = chain.shares["priority_factor"], chain.shares["firm_factor"]
    rows = [r for r in _net(chain) if chain.bucket(r["due"]) < chain.buckets and r["units"] > 0]
    rows = [r for r in rows if r["status"] in chain.planned]
    rows = [
        r
        for r in rows
        if chain.bucket(r["due"]) >= 0
        or (r["firm"] and chain.bucket(r["due"]) + _most_late(chain, r) >= 0 and _may_wait(chain, r))
    ]
    guessed = {(r["product"], _asked_at(chain, r)) for r in rows if not r["firm"]}
    found = []
    for r in rows:
        due = chain.bucket(r["due"])
        firm = r["firm"] and (r["product"], _asked_at(chain, r)) in guessed
        weight = factor ** max(r["priority"], 0) * (firm_factor if firm else 1.0)
        bucket, last = max(due, 0), min(due + _most_late(chain, r), chain.buckets - 1)
        found.append(Want(r["demand"], r["product"], r["market"], due, bucket, last, r["units"], weight))
    return found


def _most_late(chain: Chain, row: Row) -> int:
    """Whole buckets after its own in which it can still be served."""
    return int(chain.max_late_days if row.get("max_late_days") is None else row["max_late_days"]) // chain.days


def _may_wait(chain: Chain, row: Row) -> bool:
    """Whether what was due before today is still waited for."""
    days = chain.max_late_days if row.get("max_late_days") is None else row["max_late_days"]
    return row["due"] + timedelta(days=int(days)) >= chain.today


def _net(chain: Chain) -> Sequence[Row]:
    """Rows of `demand`, forecasts without the units that firm orders are of them: by due day, each order looks at its
    own bucket, then at those before it, then at those after it, as far as the windows reach."""
    rows = [dict(r) for r in chain.rows("demand") if r["status"] in chain.planned or r["status"] == "closed"]
    if chain.netting["orders"] == "add":
        return rows
    by_day = sorted(rows, key=lambda r: (r["due"], r["demand"]))
    for order in by_day:
        rest = order["units"] if order["firm"] else 0.0
        own = chain.bucket(order["due"])
        earliest = chain.bucket(order["due"] - timedelta(days=chain.netting["back_days"]))
        latest = chain.bucket(order["due"] + timedelta(days=chain.netting["forward_days"]))
        for bucket in [*range(own, earliest - 1, -1), *range(own + 1, latest + 1)]:
            for r in by_day:
                alike = (r["product"], r["market"]) == (order["product"], _forecast_market(chain, order, rows))
                if alike and not r["firm"] and r["status"] != "closed" and chain.bucket(r["due"]) == bucket:
                    taken = min(rest, r["units"])
                    r["units"], rest = r["units"] - taken, rest - taken
    return rows


def _forecast_market(chain: Chain, order: Row, rows: Sequence[Row]) -> str:
    """The market whose forecast an order is part of: its own where somebody forecasts it ahead, else all together."""
    own = (r for r in chain.rows("demand") if (r["product"], r["market"]) == (order["product"], order["market"]))
    counts = {r["demand"] for r in rows if r["status"] != "closed"}
    if any(not r["firm"] and r["units"] > 0 and chain.bucket(r["due"]) >= 0 and r["demand"] in counts for r in own):
        return str(order["market"])
    return "all"


def _is_site(chain: Chain, market: str) -> bool:
    return market in {r["site"] for r in chain.rows("sites")}


def _asked_at(chain: Chain, row: Row) -> str:
    """The site at which it is wanted, '' where any end will do: demand of one place is one queue."""
    return row["market"] if chain.has_lanes and _is_site(chain, row["market"]) else ""


@dataclass(frozen=True)
class Money:
    """What a unit costs for a bucket in stock, or late, and never served; what one left at the end earns."""

    holding: float
    late: float
    lost: float
    salvage: float


def holding_of(chain: Chain, product: str) -> float:
    """Money for a unit that lies for a bucket, where its site says nothing."""
    own = in_force((r for r in chain.rows("economics") if r["product"] == product), chain.first) or {}
    price = next((r["price"] for r in chain.rows("products") if r["product"] == product), None)
    share = chain.shares["holding_share_per_week"] * (chain.shares["price"] if price is None else price)
    stated = own.get("holding_cost_per_unit_week")
    return (share if stated is None else stated) * chain.days / 7


def _dearest_site(chain: Chain, product: str) -> float:
    """The most times its holding that a unit costs at a site at which it comes about or to which lanes take it."""
    if not chain.has_lanes:
        return 1.0
    brings = {r["recipe"] for r in chain.rows("recipe_outputs") if r["product"] == product}
    recipes = [r for r in chain.rows("recipes") if product == r["product"] or r["recipe"] in brings]
    there = {r.get("site") or _line_site(chain, r) for r in recipes}
    there |= {r.get("to_site") for r in chain.rows("offers") if r["product"] == product}
    there |= {r.get("site") for r in chain.rows("stock") if r["product"] == product}
    for _ in chain.rows("lanes"):
        lanes = (r for r in chain.rows("lanes") if r.get("product") in (None, product))
        there |= {r["to_site"] for r in lanes if r["from_site"] in there}
    return max(map(chain.holding_factor, there), default=1.0)


def money(chain: Chain, product: str) -> Money:
    """From `economics`, or shares of the price. Demand that is given ends with the horizon: what is left is worth what
    the table says, or nothing. A bucket late costs the holding of the whole horizon, where nothing says another."""
    price = next((r["price"] for r in chain.rows("products") if r["product"] == product), None)
    price = chain.shares["price"] if price is None else price
    if step_of(chain, product):  # what waits between steps is held as what it becomes, and worth nothing at the end
        return Money(holding_of(chain, becomes(chain, product)), math.inf, math.inf, 0.0)
    own = in_force((r for r in chain.rows("economics") if r["product"] == product), chain.first) or {}

    def told(column: str, share: float) -> float:
        return share * price if own.get(column) is None else own[column]

    weeks = chain.days / 7
    holding = holding_of(chain, product)
    late = told("late_cost_per_unit_week", chain.shares["late_share_per_week"]) * weeks
    lost = told("lost_sale_cost_per_unit", chain.shares["lost_sale_share"])
    rows = [r for r in chain.rows("demand") if r["product"] == product]
    cost = min(_source_cost(chain, product, chain.starts(t)) for t in range(chain.buckets))
    if any(chain.bucket(r["due"]) < chain.buckets for r in rows) and cost < lost:
        waits = min(max([chain.max_late_days // chain.days, *(_most_late(chain, r) for r in rows)]), chain.buckets)
        most = holding * _dearest_site(chain, product) * chain.buckets
        more = max(chain.shares["late_horizon_factor"] * most - late, 0.0)
        if own.get("late_cost_per_unit_week") is not None:
            more = 0.0
        elif own.get("lost_sale_cost_per_unit") is not None:
            more = max(min(more, (lost - cost) / (waits + 1) - late), 0.0)
        else:
            lost += waits * more
        late += more
    return Money(holding, late, lost, own.get("salvage_per_unit") or 0.0)


def _source_cost(chain: Chain, product: str, day: date, known: Known | None = None) -> float:
    """Money for a good unit by its cheapest recipe or offer, wherever that is, or by the assumed offer of what has
    none. known: of what comes besides that into which it goes; None: as it is found."""
    if known is None:
        known = costs_of_circles(chain, day, [""], lambda place, given: _source_cost(chain, place[0], day, given))
    return _source_cost_above(chain, product, day, known, ())


def _source_cost_above(chain: Chain, product: str, day: date, known: Known, above: tuple[str, ...]) -> float:
    """above: what it goes into; a bill that goes round is no way."""
    found = [known.get((product, ""), math.inf)]
    if product in above:
        return math.inf
    if not _has_a_way(chain, product):
        price = next((r["price"] for r in chain.rows("products") if r["product"] == product), None)
        return chain.shares["cost_share"] * (chain.shares["price"] if price is None else price)
    for recipe in {r["recipe"] for r in chain.rows("recipes") if r["product"] == product}:
        row = in_force(ways(chain, "recipes", recipe), day)
        if row is not None and row["product"] == product:
            found.append(
                made_of(chain, product, row, day, lambda c: _source_cost_above(chain, c, day, known, (*above, product)))
            )
    for offer in {r["offer"] for r in chain.rows("offers") if r["product"] == product}:
        row = in_force(ways(chain, "offers", offer), day)
        if row is not None and row["product"] == product:
            found.append(least_price(chain, row, day))
    besides = made_besides(
        chain, product, day, lambda part: _source_cost_above(chain, part, day, known, (*above, product))
    )
    return min([*found, *(cost for _, cost in besides)])


def costs_of_circles(
    chain: Chain, day: date, sites: Sequence[str], cost_of: Callable[[Place, Known], float]
) -> dict[Place, float]:
    """What comes besides that into which it goes costs what its other ways do; where it has none, what it bears of the
    first start of which all that is taken has a cost. sites: [""] where all are one; cost_of: by other ways and what is
    known."""
    key = day, tuple(sites)
    if key in chain.costs_found:
        return chain.costs_found[key]
    known: dict[Place, float] = {}
    more: dict[Place, float] = {}
    while not known or more:
        more = {}
        for product in sorted({other for _, other in chain.circles}):
            for site in sites:
                if math.isfinite(cost_of((product, site), known)):
                    continue
                found = made_besides(
                    chain, product, day, lambda c, at=site, known=known: cost_of((c, at), known), circles=True
                )
                at_site = [cost for r, cost in found if site in ("", chain.site(r.get("site") or _line_site(chain, r)))]
                if math.isfinite(least := min(at_site, default=math.inf)):
                    more[product, site] = least
        if not more:
            break
        known |= more
    chain.costs_found[key] = known
    return known


@dataclass(frozen=True)
class StockRule:
    """What is to lie of a product, at one site or at all together, by bucket: units at its end at least and at most,
    and money for a unit below or above."""

    product: str
    site: str | None
    smallest: Sequence[float]
    largest: Sequence[float]
    below: Sequence[float]
    above: Sequence[float]

    def counts(self, place: Place) -> bool:
        return place[0] == self.product and self.site in (None, place[1])


def stock_rules(chain: Chain) -> list[StockRule]:
    """Rows of `stock_rules`, at most one a product, and safety lead times. Rows of what goes into something, or is
    moved on from their site, state their prices. A unit that lies for one at the end is worth what it costs, but a
    buyer is never refused to keep it."""
    found = []
    leads = {r["product"]: r["safety_lead_days"] for r in chain.rows("products") if r["safety_lead_days"] > 0}
    for product in sorted({r["product"] for r in chain.rows("stock_rules")} | set(leads)):
        rows = [r for r in chain.rows("stock_rules") if r["product"] == product]
        held = [in_force(rows, chain.starts(t)) or {} for t in range(chain.buckets)]
        weeks, each = chain.days / 7, money(chain, product)
        smallest = [r.get("smallest_units") or 0.0 for r in held]
        largest = [math.inf if r.get("largest_units") is None else r["largest_units"] for r in held]
        above = [(r.get("above_cost_per_unit_week") or 0.0) * weeks for r in held]
        site = rows[0].get("site") if chain.has_lanes and rows else None
        early = _needed_within(chain, product, leads.get(product, 0.0))
        if not rows:  # a safety lead time alone: of the one site at which it is wanted, at a price of its own
            site = next(iter(r["market"] for r in chain.rows("demand") if r["product"] == product), None)
            site = (site if _is_site(chain, site) else "W") if chain.has_lanes else None
        stated = [r.get("below_cost_per_unit_week") for r in held]
        usual = _prices_below(chain, product, site, smallest) if None in stated else []
        below = [usual[t] if each is None else each * weeks for t, each in enumerate(stated)]
        smallest = [s + e for s, e in zip(smallest, early, strict=True)]
        places = [(product, site)] if site else _places(chain, product)
        cost = min((_least_cost(chain, place) for place in places), default=math.inf)
        is_asked = any(r["product"] == product for r in _net(chain))
        cost = cost if math.isfinite(cost) else 0.0  # what nothing brings costs nobody knows what
        at_end = max((min(cost, each.lost) if is_asked else cost) - each.salvage, 0.0)
        below[-1] += min(at_end, max(_lost_by(chain, product) - each.salvage - sum(below), 0.0))
        found.append(
            StockRule(
                product, site, smallest, [max(m, s) for m, s in zip(largest, smallest, strict=True)], below, above
            )
        )
    return found


def _needed_within(chain: Chain, product: str, days: float) -> list[float]:
    """By bucket, units of a product that is asked for and goes into nothing which are due within so many days after its
    end, in whole units."""
    due = [0.0] * chain.buckets
    for w in wants(chain):
        if w.product == product:
            due[w.bucket] += w.units
    far, found = days / chain.days, []
    for t in range(chain.buckets):
        after = [*due[t + 1 :], *[0.0] * (math.ceil(far) + 1)]
        units = sum(after[: int(far)]) + (far - int(far)) * after[int(far)]
        whole = comes_whole(replace(chain, in_pieces=True), product)
        found.append(float(math.ceil(units - 1e-9)) if whole else units)
    return found


def _prices_below(chain: Chain, product: str, site: str | None, smallest: Sequence[float]) -> list[float]:
    """By bucket, money for a unit and bucket by which stock is below what is to lie, where no row says it: twice its
    holding or more, so much more where it lies for several buckets until it is used; of what is asked for alone."""
    each, places = money(chain, product), [(product, site)] if site else _places(chain, product)
    holding = each.holding * min((chain.holding_factor(at) for _, at in places), default=1.0)
    cost = min((_least_cost(chain, place) for place in places), default=math.inf)
    at_end = max((min(cost, each.lost) if math.isfinite(cost) else 0.0) - each.salvage, 0.0)
    spread = max(each.lost - each.salvage - at_end, 0.0) / chain.buckets
    usual = max(min(math.sqrt(holding * each.late), spread), 2.0 * holding)
    most = holding + 0.9 * each.late
    asked = [sum(w.units for w in wants(chain) if (w.product, w.bucket) == (product, t)) for t in range(chain.buckets)]
    found = []
    for t in range(chain.buckets):
        level = smallest[t]
        for lies in range(
            1, chain.buckets - t
        ):  # the stock of a later bucket, and what was used until then, is as much
            level -= asked[t + lies]
            if smallest[t + lies] >= level - 1e-9:
                break
        else:
            lies = max(chain.buckets - 1 - t, 1)
        found.append(min(max(usual, min((1 + lies) * holding, spread)), most))
    return found


@dataclass(frozen=True)
class Share:
    """The share of its product that a recipe or an offer is to bring, and money for a good unit that it is short."""

    chain: Chain
    kind: str
    code: str
    product: str
    share: float
    cost: float
    # Buckets in which orders start that count.
    first: int
    after: int

    def short(self, orders: Sequence["Order"]) -> float:
        """Good units short of the share, of the orders of a plan."""
        own = every = 0.0
        for o in orders:
            if o.product != self.product or o.kind not in ("make", "buy"):
                continue
            if not self.first <= max(self.chain.bucket(o.start), 0) < self.after:
                continue
            if o.kind == "make" and brings(self.chain, o.product, o.way) != o.product:  # a step that is not the last
                continue
            step = step_of(self.chain, o.way) if o.kind == "make" else None
            good = o.units * (_way(self.chain, o) or {}).get("yield_share", 1.0)
            every += good
            if (o.kind, o.way if step is None else step["recipe"]) == (self.kind, self.code):
                own += good
        return max(self.share * every - own, 0.0)


def sourcing_shares(chain: Chain) -> list[Share]:
    """Of each recipe and offer that has one, one for each part of the horizon in which no row of its product says
    another share than before."""
    found, told = [], []
    for kind, table, key in (("make", "recipes", "recipe"), ("buy", "offers", "offer")):
        for code in sorted({r[key] for r in chain.rows(table)}):
            rows = ways(chain, table, code)
            held = [(in_force(rows, chain.starts(t)) or {}).get("sourcing_share") or 0.0 for t in range(chain.buckets)]
            told.append((kind, code, rows, held))
    for kind, code, rows, held in told:
        product = rows[0]["product"]
        price = next((r["price"] for r in chain.rows("products") if r["product"] == product), None)
        price = chain.shares["price"] if price is None else price
        stated = [r.get("sourcing_share_cost_per_unit") for r in rows]
        stated = [money for money in stated if money is not None]
        of_product = [shares for _, _, others, shares in told if others[0]["product"] == product]
        changes = [t for t in range(1, chain.buckets) if any(shares[t] != shares[t - 1] for shares in of_product)]
        for first, after in zip([0, *changes], [*changes, chain.buckets], strict=True):
            if held[first]:
                share = held[first], max(stated, default=price), first, after
                found.append(Share(chain, kind, code, product, *share))
    return found


def _places(chain: Chain, product: str) -> list[Place]:
    sites = [r["site"] for r in chain.rows("sites")] if chain.has_lanes else [""]
    return [(product, site) for site in sites if math.isfinite(_least_cost(chain, (product, site)))]


def _least_cost(chain: Chain, place: Place) -> float:
    """Money for a good unit there by its cheapest way on the cheapest first day of a bucket."""
    return min(_cost_on(chain, place, chain.starts(t)) for t in range(chain.buckets))


def _cost_on(chain: Chain, place: Place, day: date, known: Known | None = None) -> float:
    """known: of what comes besides that into which it goes; None: as it is found."""
    if known is None:
        sites = sorted(r["site"] for r in chain.rows("sites")) if chain.has_lanes else [""]
        known = costs_of_circles(chain, day, sites, lambda there, given: _cost_on(chain, there, day, given))
    return _cost_above(chain, place, day, known, ())


def _cost_above(chain: Chain, place: Place, day: date, known: Known, above: tuple[str, ...]) -> float:
    """above: what it goes into; a bill that goes round is no way."""
    product, site = place
    found = [known.get(place, math.inf)]
    if product in above:
        return math.inf

    def held(table: str, key: str) -> list[Row]:
        names = sorted({r[key] for r in chain.rows(table)})
        rows = [in_force(ways(chain, table, name), day) for name in names]
        return [r for r in rows if r is not None and r.get("product") in (None, product)]

    for r in held("recipes", "recipe"):
        if chain.site(r.get("site") or _line_site(chain, r)) == site:
            found.append(
                made_of(chain, product, r, day, lambda c: _cost_above(chain, (c, site), day, known, (*above, product)))
            )
    for r, cost in made_besides(
        chain, product, day, lambda c: _cost_above(chain, (c, site), day, known, (*above, product))
    ):
        found += [cost] * (chain.site(r.get("site") or _line_site(chain, r)) == site)
    found += [least_price(chain, r, day) for r in held("offers", "offer") if chain.site(r.get("to_site")) == site]
    for r in held("lanes", "lane"):
        if r["to_site"] == site:
            there = _cost_above(chain, (product, r["from_site"]), day, known, above)
            found.append(r["cost_per_unit"] + chain.on_the_way(product, r) + there)
    return min(found)


def _lost_by(chain: Chain, product: str) -> float:
    """Money lost at least by a unit that is missing: by who asks for it, or by what it goes into."""
    found = [money(chain, product).lost] if any(r["product"] == product for r in _net(chain)) else []
    for r in chain.rows("recipes"):
        for t in range(chain.buckets):
            uses = uses_of(chain, r["product"], r["recipe"], chain.starts(t))
            for each in (u.units for u in uses if u.component == product):
                found.append(_lost_by(chain, r["product"]) * r["yield_share"] / each)
    return min(found, default=math.inf)


# lines --------------------------------------------------------------------------------------------


def hours_of(chain: Chain, line: str, bucket: int) -> tuple[float, float, float]:
    """Usual hours of a line in a bucket, day by day from today on; hours of overtime; money for one of those."""
    usual = overtime = cost = 0.0
    for n in range(chain.days):
        day = chain.starts(bucket) + timedelta(days=n)
        row = in_force((r for r in chain.rows("lines") if r["line"] == line), day)
        if day < chain.today or row is None:
            continue
        spans = [r for r in chain.rows("line_calendar") if r["line"] == line and r["from"] <= day < r["to"]]
        span = max(spans, key=lambda r: (r["from"], r["to"]), default=None)
        usual += on_day(row["hours_per_week"] if span is None else span["hours"], day, span)
        if span is not None:
            overtime += on_day(span["overtime_hours"], day, span)
            cost = span["overtime_cost_per_hour"]
    return usual, overtime, cost


def on_day(hours: float, day: date, span: Mapping[str, Any] | None) -> float:
    """A week's hours on one of its days: on Monday to Friday, and on Saturday and Sunday beyond 24 a day."""
    if (
        span is not None
        and span["from"].weekday() >= 5
        and (span["to"] - span["from"]).days <= 7 - span["from"].weekday()
    ):
        return hours / 7
    days = 5 if hours <= 120 else 6 if hours <= 144 else 7
    return hours / days if day.weekday() < days else 0.0


# the walk -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Delivery:
    """Units for a want, in a bucket, from a site; bucket None: refused as they were asked for."""

    want: Want
    bucket: int | None
    units: float
    site: str = ""


@dataclass
class Outcome:
    """What orders and deliveries do. Units; by product and bucket unless it says otherwise.

    asked, served, waiting (at the bucket's end), lost: by product and bucket in which it was asked, served, waited, or
    given up. on_time, late, short: by product, units served in the bucket in which they were due, later, and never.
    unit_days_late: by product, of what was served. hours: by line and bucket. stock: by place and bucket, at its end.
    cost: money by term. broken: rules that the orders break, in words.
    """

    chain: Chain
    deliveries: list[Delivery]
    asked: dict[tuple[str, int], float] = field(default_factory=lambda: defaultdict(float))
    served: dict[tuple[str, int], float] = field(default_factory=lambda: defaultdict(float))
    waiting: dict[tuple[str, int], float] = field(default_factory=lambda: defaultdict(float))
    lost: dict[tuple[str, int], float] = field(default_factory=lambda: defaultdict(float))
    on_time: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    late: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    short: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    unit_days_late: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    hours: dict[tuple[str, int], float] = field(default_factory=lambda: defaultdict(float))
    stock: dict[Place, list[float]] = field(default_factory=dict)
    cost: dict[str, float] = field(default_factory=lambda: dict.fromkeys(TERMS, 0.0))
    broken: list[str] = field(default_factory=list)

    @property
    def total_cost(self) -> float:
        return sum(self.cost.values())


TERMS = ("production", "setup", "purchase", "ordering", "transport", "overtime", "holding", "late", "lost", "salvage")


def walk(chain: Chain, orders: Sequence[Order], deliveries: Sequence[Delivery] | None = None) -> Outcome:
    """Orders of a plan, with those that are out, bucket by bucket. deliveries: who is served when, and who is refused;
    None: nobody is refused, the dearest and then the oldest are served first."""
    goods = _goods(chain, orders)
    told = served_in_turn(chain, goods.free(), {}) if deliveries is None else list(deliveries)
    out = Outcome(chain, told, hours=goods.hours, broken=list(goods.broken))
    out.cost |= goods.cost
    left: dict[Place, float] = defaultdict(float, opening(chain))
    places = sorted(set(goods.places) | {(d.want.product, d.site) for d in told if d.bucket is not None} | set(left))
    out.stock = {place: [] for place in places}
    bad = {place: goes_bad(chain, place) for place in places}
    gone, thrown = dict.fromkeys(places, 0.0), dict.fromkeys(places, 0.0)
    waits = dict.fromkeys(wants(chain), 0.0)
    each = {p: money(chain, p) for p in {p for p, _ in places} | {w.product for w in waits}}
    for t in range(chain.buckets):
        # receive, make, move: what comes and what is taken
        for place in places:
            left[place] += goods.into[place, t] - goods.out_of[place, t]
            gone[place] += goods.out_of[place, t]
        # serve
        for w in waits:
            if w.bucket == t:
                waits[w] += w.units
                out.asked[w.product, t] += w.units
        for d in told:
            if d.bucket is None and d.want.bucket == t:
                waits[d.want] -= d.units
                out.lost[d.want.product, t] += d.units
                out.short[d.want.product] += d.units
                out.cost["lost"] += d.units * each[d.want.product].lost * d.want.weight
            elif d.bucket == t:
                waits[d.want] -= d.units
                left[d.want.product, d.site] -= d.units
                gone[d.want.product, d.site] += d.units
                out.served[d.want.product, t] += d.units
                (out.on_time if t == d.want.due else out.late)[d.want.product] += d.units
                out.unit_days_late[d.want.product] += d.units * (t - d.want.due) * chain.days
                if not d.want.bucket <= t <= d.want.last:
                    out.broken.append(f"{d.want.name} is served in bucket {t}, out of its time")
        # count: what expires first went first, and what of it is left after its day is thrown away
        for place in places:
            more = max(bad[place][t] - gone[place] - thrown[place], 0.0)
            thrown[place] += more
            left[place] -= more
            if left[place] < -NOTHING * max(1.0, goods.most[place]):
                out.broken.append(f"{place[0]} {place[1]} is {-left[place]:g} short in the bucket of {chain.starts(t)}")
            out.stock[place].append(left[place])
            out.cost["holding"] += max(left[place], 0.0) * each[place[0]].holding * chain.holding_factor(place[1])
        for w, units in waits.items():
            if units < -NOTHING * max(1.0, w.units):
                out.broken.append(f"{w.name} is given {-units:g} more than it asked for")
            if w.bucket <= t and units > NOTHING * max(1.0, w.units):
                out.waiting[w.product, t] += units
                out.cost["late"] += units * each[w.product].late * w.weight
                if t == w.last:  # it waits no longer
                    waits[w] = 0.0
                    out.lost[w.product, t] += units
                    out.short[w.product] += units
                    out.cost["lost"] += units * each[w.product].lost * w.weight
    for place in places:
        out.cost["salvage"] -= max(left[place], 0.0) * each[place[0]].salvage
    for kept in stock_rules(chain):
        for t in range(chain.buckets):
            lies = sum(out.stock[place][t] for place in places if kept.counts(place))
            out.cost["safety_stock"] = out.cost.get("safety_stock", 0.0) + kept.below[t] * max(
                kept.smallest[t] - lies, 0.0
            )
            out.cost["largest_stock"] = out.cost.get("largest_stock", 0.0) + kept.above[t] * max(
                lies - kept.largest[t], 0.0
            )
    out.cost["sourcing_shares"] = sum(share.cost * share.short(orders) for share in sourcing_shares(chain))
    out.broken += conserved(out)
    return out


def conserved(out: Outcome) -> list[str]:
    """What does not add up of served, refused and asked: nothing, where the walk is right."""
    found = []
    for product in sorted({p for p, _ in out.asked}):
        asked = sum(units for (p, _), units in out.asked.items() if p == product)
        given = out.on_time[product] + out.late[product] + out.short[product]
        if abs(asked - given) > NOTHING * max(1.0, asked):
            found.append(f"{product}: {asked:g} asked, {given:g} served or refused")
    return found


@dataclass
class Goods:
    """What orders bring and take, by place and bucket, before anybody is served. most: by place, all that ever came."""

    chain: Chain
    into: dict[tuple[Place, int], float]
    out_of: dict[tuple[Place, int], float]
    hours: dict[tuple[str, int], float]
    cost: dict[str, float]
    broken: list[str]

    @property
    def places(self) -> set[Place]:
        return {place for place, _ in self.into} | {place for place, _ in self.out_of}

    @property
    def most(self) -> dict[Place, float]:
        sums: dict[Place, float] = defaultdict(float, opening(self.chain))
        for (place, _), units in self.into.items():
            sums[place] += units
        return sums

    def left(self) -> dict[Place, list[float]]:
        """Units by the end of each bucket where nobody is served."""
        stock = opening(self.chain)
        found = {}
        for place in self.places | set(stock):
            left, levels = stock.get(place, 0.0), []
            for t in range(self.chain.buckets):
                left += self.into.get((place, t), 0.0) - self.out_of.get((place, t), 0.0)
                levels.append(left)
            found[place] = levels
        return found

    def free(self) -> dict[Place, list[float]]:
        """Units that can have gone to demand by the end of each bucket: what nothing made or moved later needs; of what
        comes in pieces whole ones, for a yield leaves parts of one."""
        found = {}
        for place, levels in self.left().items():
            for t in reversed(range(self.chain.buckets - 1)):
                levels[t] = min(levels[t], levels[t + 1])
            pieces = comes_whole(self.chain, place[0])
            found[place] = [max(math.floor(units + NOTHING) if pieces else units, 0.0) for units in levels]
        return found


def _goods(chain: Chain, orders: Sequence[Order]) -> Goods:
    """What all orders bring, take and cost; and every rule that they break."""
    goods = Goods(chain, defaultdict(float), defaultdict(float), {}, dict.fromkeys(TERMS, 0.0), [])
    limited: dict[tuple[str, str, int], float] = defaultdict(float)
    work: dict[str, list[Work]] = defaultdict(list)
    picked: dict[tuple[str, str, int, str], tuple[float, dict[str, list[Use]]]] = {}
    everything = [*kept(chain), *orders]
    for o in everything:
        start = max(chain.bucket(o.start), 0)
        way = _way(chain, o)
        if not o.kept:
            goods.broken += _rules_broken(chain, o, way)
            _pay(chain, o, way or {}, goods.cost)
        if start >= chain.buckets:
            continue
        there = max(chain.bucket(o.due), 0)
        if not o.kept:
            there = max(start + chain.lead((way or {}).get("lead_days") or 0.0), there)
        if o.kind == "make":
            site = chain.site(o.site or (way or {}).get("site") or _line_site(chain, way))
        else:
            site = chain.site(o.site or (way or {}).get("to_site"))
        if o.kind == "move" and way is not None:
            limited["lanes", o.way or "", start] += o.units
            goods.out_of[(o.product, chain.site(o.from_site or way["from_site"])), start] += o.units
        if o.kind == "buy" and not o.kept:
            limited["offers", o.way or "", start] += o.units
        good = o.units
        if o.kind == "make":
            good *= (way or {}).get("yield_share", 1.0)
            day = max(o.start, chain.today)
            takes = uses_of(chain, o.product, o.way, day) if o.takes is None else o.takes
            scrap = 0.0 if o.partly else (way or {}).get("setup_scrap_units", 0.0)
            members: dict[str, dict[str, list[Use]]] = defaultdict(lambda: defaultdict(list))
            for use in takes:
                if use.group and use.units > 0:
                    members[use.group][use.member or ""].append(use)
                elif not use.group:
                    per_order = 0.0 if o.partly else use.per_order(scrap)
                    goods.out_of[(use.component, site), start] += o.units * use.units + per_order
            for group, own in members.items():
                key = o.way or "", group, start, site
                before = picked[key][0] if key in picked else 0.0
                picked[key] = before + o.units + scrap, picked[key][1] | own if key in picked else own
                if not o.kept and len(own) == 1:
                    goods.cost["production"] += (o.units + scrap) * next(iter(own.values()))[0].cost
            for line, each, setup in _lines(chain, way, start) if o.takes_hours else ():
                hours = setup + o.units * each
                if hours > 0:
                    work[line].append(Work(o.name, hours, start, max(there - 1, start)))
        if there < chain.buckets:
            made = brings(chain, o.product, o.way) if o.kind == "make" else o.product
            goods.into[(made, site), there] += good
            day = max(o.agreed or o.start, chain.today)
            for other, each in outputs_of(chain, o.product, o.way, day).items() if o.kind == "make" else ():
                goods.into[(other, site), there] += o.units * each
    goods.broken += _too_near(chain, everything)
    _pick(chain, picked, goods)
    for line in sorted({r["line"] for r in chain.rows("lines")} | set(work)):
        _work_on(chain, line, work[line], goods)
    for (table, name, t), units in sorted(limited.items()):
        row = in_force(ways(chain, table, name), chain.starts(t)) or {}
        most = row.get("units_per_week")
        if most is None:
            continue
        # Whole units are dealt out whole: a day may have the odd one, seven days in a row never more than a week.
        of_bucket = most * chain.days / 7
        of_bucket = math.ceil(of_bucket - NOTHING) if most % 1 == 0 else of_bucket
        week = [limited.get((table, name, s), 0.0) for s in range(t, min(t + max(7 // chain.days, 1), chain.buckets))]
        of_week = max(most, most * chain.days / 7)
        if units > of_bucket * (1 + NOTHING) + NOTHING or sum(week) > of_week * (1 + NOTHING) + NOTHING:
            goods.broken.append(f"{name} takes {units:g} in the bucket of {chain.starts(t)}, and can {most:g} a week")
    return goods


def _too_near(chain: Chain, orders: Sequence[Order]) -> list[str]:
    """New orders of one row and product that start in other buckets, nearer to one another than `order_every_days`, or
    so near to one that is out, in whatever bucket."""
    found = []
    new = [(o, _rhythm_row(chain, o)) for o in orders if not o.kept]
    others = [((o.kind, o.way, o.product), o.start, False) for o, _ in new]
    for r in chain.rows("orders"):  # done, or with units still to come
        states = [e for e in chain.rows("order_events") if e["order"] == r["order"]]
        state = max(states, key=lambda e: _moment(e["happened_at"]))["state"] if states else "released"
        if state not in ("refused", "cancelled") and (state != "proposed" or r["locked"]):
            way = r.get({"make": "recipe", "buy": "offer", "move": "lane"}[r["kind"]])
            others.append(((r["kind"], way, r["product"]), r.get("was_to_start") or r["start"], True))
    for o, (days, names) in new:
        for (kind, way, product), start, is_out in others:
            if (kind, product) != (o.kind, o.product) or way not in names or not days:
                continue
            apart = abs(chain.starts(chain.bucket(o.start)) - chain.starts(chain.bucket(start))).days
            if apart < days and (is_out or apart > 0):
                found.append(f"{o.name}: starts {apart} days from another of {way}, which comes every {days:g} days")
    return found


def _rhythm_row(chain: Chain, o: Order) -> tuple[float, set[str | None]]:
    """Days from one order to the next of its row, and the codes of its orders: of a recipe with steps of the first."""
    table, step = {"make": "recipes", "buy": "offers", "move": "lanes"}[o.kind], step_of(chain, o.way)
    code, names = o.way, {o.way}
    if o.kind == "make" and step is not None:
        if steps_of(chain, step["recipe"])[0] is not step:
            return 0.0, names
        code = step["recipe"]
    row = in_force(ways(chain, table, code), chain.starts(max(chain.bucket(o.start), 0))) or {}
    return row.get("order_every_days") or 0.0, names


def _pick(
    chain: Chain,
    picked: Mapping[tuple[str, str, int, str], tuple[float, Mapping[str, list[Use]]]],
    goods: Goods,
) -> None:
    """Takes what is picked of alternatives, and pays what that adds. picked: recipe or step, group, bucket and site ->
    units that orders need, and the alternatives."""
    for (code, group, t, site), (needed, own) in sorted(picked.items()):
        told = chain.picks.get((code, group, t), {}) if len(own) > 1 else {next(iter(own)): needed}
        if abs(sum(told.values()) - needed) > NOTHING * max(1.0, needed) or not set(told) <= set(own):
            goods.broken.append(f"{code} takes {needed:g} of {group} in bucket {t}, and {dict(told)} is picked")
        for member, units in told.items():
            for use in own.get(member, ()):
                goods.out_of[(use.component, site), t] += units * use.units
            if member in own and len(own) > 1:
                goods.cost["production"] += units * own[member][0].cost


def _lines(chain: Chain, way: Row | None, bucket: int) -> list[tuple[str, float, float]]:
    """Lines that a recipe or step holds at once, and hours of each for a unit and for an order, with what the set-up
    scraps."""
    if way is None:
        return []
    codes = (way.get("route"), way["recipe"])
    rows = [r for code in codes for r in chain.rows("recipe_lines") if code is not None and r["recipe"] == code]
    own = {name: way[name] for name in ("hours_per_unit", "setup_hours")}
    held = {} if way.get("line") is None else {way["line"]: own}
    for r in rows:
        held[r["line"]] = {name: r["share"] * own[name] if r[name] is None else r[name] for name in own}
    scrap = way["setup_scrap_units"]
    return [(line, h["hours_per_unit"], h["setup_hours"] + scrap * h["hours_per_unit"]) for line, h in held.items()]


def _step_as_recipe(chain: Chain, step: Row, day: date) -> Row | None:
    """A step as a row of recipes: the recipe's scrap counts at the first, its cost and yield at the last."""
    row = in_force(ways(chain, "recipes", step["recipe"]), day)
    if row is None:
        return None
    steps = steps_of(chain, step["recipe"])
    is_first, is_last = steps[0] is step, steps[-1] is step
    return row | {
        **{name: step.get(name) for name in ("line", "hours_per_unit", "setup_hours", "setup_cost", "lead_days")},
        "recipe": step["step"],
        "route": row["recipe"],
        "cost_per_unit": step["cost_per_unit"] + (row["cost_per_unit"] if is_last else 0.0),
        "yield_share": row["yield_share"] if is_last else 1.0,
        "setup_scrap_units": step["setup_scrap_units"] + (row["setup_scrap_units"] if is_first else 0.0),
    }


def _way(chain: Chain, o: Order) -> Row | None:
    """The row of the order's recipe, offer or lane that holds when it starts; of a kept one any, as it was."""
    if o.kind == "make" and (step := step_of(chain, o.way)):
        return _step_as_recipe(chain, step, max(o.start, chain.first))
    table = {"make": "recipes", "buy": "offers", "move": "lanes"}[o.kind]
    rows = ways(chain, table, o.way)
    row = in_force(rows, max(o.start, chain.first))
    if row is None and o.kept:
        row = rows[0] if rows else None
    if row is None and o.kind == "buy" and not _has_a_way(chain, o.product):
        # What no row says how to get can be bought of someone: an assumed offer.
        price = next((r["price"] for r in chain.rows("products") if r["product"] == o.product), None)
        price = chain.shares["price"] if price is None else price
        return _row(
            "offers", {"price": chain.shares["cost_share"] * price, "lead_days": chain.shares["offer_lead_days"]}
        )
    return row


def _has_a_way(chain: Chain, product: str) -> bool:
    tables = ("recipes", "offers", "recipe_outputs")
    return any(r["product"] == product for table in tables for r in chain.rows(table))


def _line_site(chain: Chain, way: Row | None) -> str | None:
    line = (way or {}).get("line")
    return next((r.get("site") for r in chain.rows("lines") if r["line"] == line), None) if line else None


def _rules_broken(chain: Chain, o: Order, way: Row | None) -> list[str]:
    """Rules that one order breaks by itself."""
    if way is None:
        return [f"{o.name}: {o.way} is no {o.kind} that holds on {o.start}"]
    found = []
    if way.get("product", o.product) not in (None, o.product):
        found.append(f"{o.name}: {o.way} does not bring {o.product}")
    if o.units <= 0:
        found.append(f"{o.name}: {o.units:g} units")
    if o.start < chain.today and chain.bucket(o.start) < 0:
        found.append(f"{o.name}: starts on {o.start}, before today")
    if chain.bucket(o.start) < chain.frozen:
        found.append(f"{o.name}: starts on {o.start}, in the frozen horizon")
    fence = next((r["release_fence_days"] for r in chain.rows("products") if r["product"] == o.product), None)
    if o.start < chain.today + timedelta(days=int(fence or 0)):
        found.append(f"{o.name}: starts on {o.start}, within the release fence of {fence:g} days")
    if o.due < o.start + timedelta(days=math.ceil((way.get("lead_days") or 0.0) - 1e-9)):
        found.append(f"{o.name}: due on {o.due}, sooner than its lead time after {o.start}")
    for line, each, setup in _lines(chain, way, chain.bucket(o.start)) if o.kind == "make" else ():
        if not each and not setup and sum(hours_of(chain, line, chain.bucket(o.start))[:2]) <= NOTHING:
            found.append(f"{o.name}: begins on {o.start}, when {line} is shut")
    least = way.get("min_lot_units") or way.get("min_order_units") or 0.0
    if o.units < least * (1 - NOTHING):
        found.append(f"{o.name}: {o.units:g} units, fewer than its smallest lot of {least:g}")
    most = way.get("max_lot_units") or math.inf
    if chain.in_pieces and o.units > most * (1 + NOTHING):
        found.append(f"{o.name}: {o.units:g} units, more than its largest lot of {most:g}")
    step = way.get("lot_multiple_units") or 0.0
    if step and abs(o.units / step - round(o.units / step)) > NOTHING * max(1.0, o.units / step):
        found.append(f"{o.name}: {o.units:g} units, no multiple of {step:g}")
    if o.kind == "make" and not uses_of(chain, o.product, o.way, o.start):
        parts = [r for r in chain.rows("components") if r["product"] == o.product and r.get("recipe") in (None, o.way)]
        if parts:
            found.append(f"{o.name}: made of nothing, as no component holds on {o.start}")
    return found


def comes_whole(chain: Chain, product: str) -> bool:
    """Whether a product is delivered in whole pieces: its unit is no measure, and no row counts parts of it."""
    if not chain.in_pieces:
        return False
    counted = [
        ("demand", "product", "units"),
        ("stock", "product", "units"),
        ("components", "component", "units_per_unit"),
    ]
    counted += [("recipes", "product", "lot_multiple_units"), ("offers", "product", "lot_multiple_units")]
    told = [r.get(units) or 0.0 for table, key, units in counted for r in chain.rows(table) if r.get(key) == product]
    unit = next((r.get("base_unit") for r in chain.rows("products") if r["product"] == product), None)
    return (unit or "piece") not in MEASURES and all(units == round(units) for units in told)


def in_parts(chain: Chain, orders: Sequence[Order]) -> list[str]:
    """Orders of part units of a product that is counted in pieces, where the lot multiple does not ask for them."""
    unit = {r["product"]: r["base_unit"] for r in chain.rows("products")}
    found = []
    for o in orders:
        step = (_way(chain, o) or {}).get("lot_multiple_units") or 0.0
        if (
            unit.get(o.product, "piece") not in MEASURES
            and step == round(step)
            and abs(o.units - round(o.units)) > 1e-9
        ):
            found.append(f"{o.name}: {o.units:g} units")
    return found


def _pay(chain: Chain, o: Order, way: Row, cost: dict[str, float]) -> None:
    """What an order costs. Goods on the way to another site are stock: they are held."""
    if o.kind == "make":
        cost["production"] += o.units * way.get("cost_per_unit", 0.0)
        scrap = way.get("setup_scrap_units", 0.0)
        cost["setup"] += way.get("setup_cost", 0.0) + scrap * way.get("cost_per_unit", 0.0)
    elif o.kind == "buy":
        cost["purchase"] += paid_for(chain, way, o.units, max(o.start, chain.first))
        cost["ordering"] += way.get("cost_per_order", 0.0)
    else:
        cost["transport"] += o.units * (way.get("cost_per_unit", 0.0) + chain.on_the_way(o.product, way))
        cost["ordering"] += way.get("cost_per_order", 0.0)


def price_breaks(chain: Chain, offer: Row, day: date) -> list[tuple[float, float, float]]:
    """The prices of an offer on a day: units of an order from which each counts, what the units before it cost more,
    and money for a unit. A break that is not below what holds before it is none."""
    found = [(0.0, 0.0, offer.get("price", 0.0))]
    breaks = [r for r in chain.rows("offer_price_breaks") if r["offer"] == offer.get("offer")]
    for units in sorted({r["min_units"] for r in breaks}):
        row = in_force([r for r in breaks if r["min_units"] == units], day)
        if row is not None and row["cost_per_unit"] < found[-1][2]:
            saved = found[-1][2] - row["cost_per_unit"]
            more = found[-1][1] + saved * units if row["applies_to"] == "above" else 0.0
            found.append((units, more, row["cost_per_unit"]))
    return found


def least_price(chain: Chain, offer: Row, day: date) -> float:
    return min(price for _, _, price in price_breaks(chain, offer, day))


def paid_for(chain: Chain, offer: Row, units: float, day: date) -> float:
    """Money for an order of so many units."""
    reached = [b for b in price_breaks(chain, offer, day) if b[0] <= units * (1 + NOTHING)]
    _, more, price = reached[-1]
    return more + units * price


@dataclass(frozen=True)
class Work:
    """Hours of an order on its line, and the first and the last bucket in which they can be worked."""

    name: str
    hours: float
    first: int
    last: int


def _work_on(chain: Chain, line: str, work: Sequence[Work], goods: Goods) -> None:
    """Works all orders of a line: in the bucket of their start, or, where one needs more hours than the line has then,
    from its start on until its units are there, as hours are left."""
    usual, overtime, cost = zip(*(hours_of(chain, line, t) for t in range(chain.buckets)), strict=True)
    room = [u + o for u, o in zip(usual, overtime, strict=True)]
    used = [0.0] * chain.buckets
    long = [w for w in work if w.hours > room[w.first] * (1 + NOTHING) + NOTHING and w.last > w.first]
    for w in work:
        if w not in long:
            used[w.first] += w.hours
    for w in sorted(long, key=lambda w: (w.last, w.first, w.name)):
        left = w.hours
        for t in range(w.first, min(w.last, chain.buckets - 1) + 1):
            now = min(left, max(room[t] - used[t], 0.0))
            used[t] += now
            left -= now
        used[w.first] += left
    for t in range(chain.buckets):
        goods.hours[line, t] = used[t]
        goods.cost["overtime"] += max(min(used[t], room[t]) - usual[t], 0.0) * cost[t]
        if used[t] > room[t] * (1 + NOTHING) + NOTHING:
            goods.broken.append(f"{line} works {used[t]:g} of {room[t]:g} hours in the bucket of {chain.starts(t)}")


# who is served ------------------------------------------------------------------------------------


def ends(chain: Chain, free: Mapping[Place, Sequence[float]], want: Want) -> list[Place]:
    """Places from which a want can be served: its site; of a market that is no site, where the product's lanes end."""
    there = sorted(place for place in free if place[0] == want.product)
    if not chain.has_lanes:
        return there
    if _is_site(chain, want.market):
        return [place for place in there if place[1] == want.market]
    lanes = [r for r in chain.rows("lanes") if r.get("product") in (None, want.product)]
    left = {r["from_site"] for r in lanes}
    at_ends = [place for place in there if place[1] not in left]
    is_circle = not {r["to_site"] for r in lanes} - left
    return at_ends or (there if is_circle else [])


def served_in_turn(
    chain: Chain, free: Mapping[Place, Sequence[float]], refused: Mapping[tuple[str, int], float]
) -> list[Delivery]:
    """Serves what is free, in each bucket the dearest wants first, of equal ones the oldest. refused: by product and
    bucket, units that are told no as they are asked for, of the least dear wants of that bucket."""
    found: list[Delivery] = []
    queue = wants(chain)
    open_units = {w: w.units for w in queue}
    given: dict[Place, float] = defaultdict(float)
    no = dict(refused)
    for w in sorted(queue, key=lambda w: (w.weight, w.due, w.name)):
        away = min(no.get((w.product, w.bucket), 0.0), open_units[w])
        if away > 0:
            found.append(Delivery(w, None, away))
            open_units[w] -= away
            no[w.product, w.bucket] -= away
    for t in range(chain.buckets):
        for w in sorted(queue, key=lambda w: (-w.weight, w.due, w.name)):
            for place in ends(chain, free, w) if w.bucket <= t <= w.last else ():
                units = min(free[place][t] - given[place], open_units[w])
                if units > NOTHING * 1e-3:
                    found.append(Delivery(w, t, units, place[1]))
                    given[place] += units
                    open_units[w] -= units
    return found


def cheapest_deliveries(chain: Chain, orders: Sequence[Order]) -> list[Delivery]:
    """The deliveries that cost least for these orders, holding, lateness and loss together.

    By product a transport problem: a unit of a want that is served in bucket t costs its waiting and is held no longer;
    one that is refused costs its loss, and so does stock below or above what is to lie. By the end of no bucket has
    more gone from a place than was free there.
    """
    from scipy.optimize import linprog
    from scipy.sparse import coo_array

    goods = _goods(chain, orders)
    free, left, rules = goods.free(), goods.left(), stock_rules(chain)
    found: list[Delivery] = []
    queue = wants(chain)
    for product in sorted({w.product for w in queue}):
        each = money(chain, product)
        own = [w for w in queue if w.product == product]
        columns: list[tuple[Want, Place | None, int | None]] = []
        cost = []
        for w in own:
            columns.append((w, None, None))
            cost.append(w.weight * each.lost)
            for place in ends(chain, free, w):
                for t in range(w.bucket, w.last + 1):
                    if t == w.bucket or free[place][t] > free[place][t - 1]:
                        held = each.holding * chain.holding_factor(place[1]) * (chain.buckets - t) - each.salvage
                        columns.append((w, place, t))
                        cost.append(w.weight * each.late * (t - w.bucket) - held)
        rows: list[tuple[int, int]] = []
        right: list[float] = []
        beside: list[tuple[int, int, float]] = []  # row, column and value of units below and above what is to lie
        count = len(columns)
        for rule in (rule for rule in rules if rule.product == product):
            for t in range(chain.buckets):
                own = [i for i, (_, p, u) in enumerate(columns) if p and rule.counts(p) and u is not None and u <= t]
                lies = sum(left[place][t] for place in left if rule.counts(place))
                for sign, limit, price in (
                    (1.0, rule.smallest[t], rule.below[t]),
                    (-1.0, rule.largest[t], rule.above[t]),
                ):
                    if math.isfinite(limit):  # sign (what lies - what is delivered) + beside >= sign limit
                        beside += [(len(right), i, sign) for i in own] + [(len(right), count, -1.0)]
                        right.append(sign * (lies - limit))
                        cost.append(price)
                        count += 1
        own = [w for w in queue if w.product == product]
        for place in sorted(p for p in free if p[0] == product):
            bad = goes_bad(chain, place)
            first = count
            for t in range(chain.buckets if any(bad) else 0):  # what is thrown away is held no longer
                held = each.holding * chain.holding_factor(place[1]) * (chain.buckets - t) - each.salvage
                cost.append(-held)
                count += 1
            for t in range(chain.buckets):
                inside = [i for i, (_, p, u) in enumerate(columns) if p == place and u is not None and u <= t]
                thrown = list(range(first, first + t + 1)) if any(bad) else []
                rows += [(len(right), i) for i in (*inside, *thrown)]
                right.append(free[place][t])
                if any(bad):
                    beside += [(len(right), i, -1.0) for i in (*inside, *thrown)]
                    right.append(-bad[t])
        entries = [*((r, i, 1.0) for r, i in rows), *beside]
        limits = {} if not entries else {"A_ub": _matrix(coo_array, entries, len(right), count), "b_ub": right}
        sums = [(own.index(w), i, 1.0) for i, (w, _, _) in enumerate(columns)]
        best = linprog(cost, A_eq=_matrix(coo_array, sums, len(own), count), b_eq=[w.units for w in own], **limits)
        assert best.status == 0, best.message
        for (w, place, t), units in zip(columns, best.x[: len(columns)], strict=True):
            if units > NOTHING * 1e-3:
                found.append(Delivery(w, t, float(units), "" if place is None else place[1]))
    return found


def _matrix(kind: Any, cells: Sequence[tuple[int, int, float]], rows: int, columns: int) -> Any:
    at = ([r for r, _, _ in cells], [c for _, c, _ in cells])
    return kind(([value for _, _, value in cells], at), shape=(rows, columns)).tocsr()


def at_best(chain: Chain, orders: Sequence[Order]) -> Outcome:
    """What orders do where those are served, and refused, for whom it costs least."""
    return walk(chain, orders, cheapest_deliveries(chain, orders))


def as_refused(chain: Chain, orders: Sequence[Order], refused: Mapping[tuple[str, int], float]) -> Outcome:
    """What orders do where so many are refused as they ask, by product and bucket, and the rest is served in turn."""
    return walk(chain, orders, served_in_turn(chain, _goods(chain, orders).free(), refused))
