"""A chain of many factories of any size, with its demand: what the benchmarks of the balance run on.

N finished products, each with recipes on lines of three different factories that differ in speed and cost; two
components each, shared between products; two materials per component from suppliers with lead times of 1 to 6 weeks;
seasonal weekly demand that is overdispersed (negative binomial); each line has a maintenance week at half its hours.
Lines of finished products are 91% loaded over the horizon, so that in season work must move to other weeks and lines.
With `lots` recipes and offers also have smallest orders, multiples, set-up hours and set-up cost.
"""

import json
import tomllib
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from datong.ledger.state import State, in_state_schema, state_of_tables
from datong.model.flow import Forecast, Item
from datong.model.settings import ChainSettings
from datong.model.tables import tables

WEEKS, START = 26, date(2026, 1, 5)
RECIPES, FINISHED_LOAD, COMPONENT_LOAD, HOLDING_SHARE = 3, 0.91, 0.88, 0.004


@dataclass(frozen=True, eq=False)
class Chain:
    """A state, its demand, and `base`: money that no plan avoids, each unit made by its cheapest recipe.

    optimum: of the linear programme where it is known, else NaN. folder: where the tables lie, if they do.
    """

    name: str
    state: State
    demand: Forecast
    base: float
    optimum: float = float("nan")
    folder: Path | None = None


def generated(products: int, seed: int, lots: bool = False) -> Chain:
    """The chain of this size and seed; the same each time."""
    random = np.random.default_rng([seed, products])
    given, units = _tables(products, random, lots)
    settings = ChainSettings("network", bucket="week", start=START, horizon_buckets=WEEKS, max_late_days=70)
    state = state_of_tables(settings, datetime(START.year, START.month, START.day, tzinfo=UTC), given)
    name = f"{products:,} products{', lots' if lots else ''}, seed {seed}"
    return Chain(name, state, forecast_of(state, units), unavoidable_cost(given))


def read(folder: Path) -> Chain:
    """A chain folder of Parquet tables, with its known optimum where `lp.json` gives it."""
    settings = ChainSettings(**tomllib.loads((folder / "chain.toml").read_text(encoding="utf-8")))
    given = {f.stem: pq.read_table(f) for f in sorted(folder.glob("*.parquet")) if f.stem in tables()}
    stock = given["stock"]
    moments = stock["happened_at"].cast(pa.timestamp("us")).cast(pa.timestamp("us", tz="UTC"))
    given["stock"] = stock.set_column(0, "happened_at", moments)
    assert settings.start is not None
    first = datetime(settings.start.year, settings.start.month, settings.start.day, tzinfo=UTC)
    state = state_of_tables(settings, first, given)
    known = folder / "lp.json"
    optimum = json.loads(known.read_text(encoding="utf-8"))["optimum"] if known.exists() else float("nan")
    finished = [p for p, kind in _columns(given["products"], "product", "kind") if kind == "finished"]
    units = np.zeros((len(finished), settings.horizon_buckets))
    at = {p: i for i, p in enumerate(finished)}
    for product, due, asked in _columns(given["demand"], "product", "due", "units"):
        units[at[product], (due - settings.start).days // 7] += asked
    return Chain(folder.name, state, forecast_of(state, units), unavoidable_cost(given), optimum, folder)


def forecast_of(state: State, units: np.ndarray) -> Forecast:
    """units: (finished product, week), in the order of the products table; the one path that is given."""
    names = [p for p, kind in _columns(state.table("products"), "product", "kind") if kind == "finished"]
    starts = state.settings.calendar.starts(START, units.shape[1])
    none = np.zeros(len(names))
    items = tuple(Item(p, "all") for p in names)
    paths = units[:, None, :].astype(np.float64)
    return Forecast(items, starts, paths, ("given",) * len(names), none.astype(np.int64), none.astype(bool))


def _tables(products: int, random: np.random.Generator, lots: bool) -> tuple[dict[str, pa.Table], np.ndarray]:
    components, materials = max(20, products // 5), max(20, products // 10)
    lines, suppliers = max(6, products // 20), max(3, products // 200)
    factories, component_lines = max(3, lines // 4), max(3, components // 10)
    weeks = np.arange(WEEKS)

    level = np.clip(random.lognormal(np.log(30), 0.7, products), 5, 400)[:, None]
    season = 1 + random.uniform(0.15, 0.45, (products, 1)) * np.cos(
        2 * np.pi * (weeks - random.normal(WEEKS / 2, 3, (products, 1))) / WEEKS
    )
    asked = random.negative_binomial(10.0, 10.0 / (10.0 + level * season))

    # Line l stands in factory l mod factories, so a place in a factory is a line.
    hops = 1 + random.integers(0, max(factories // RECIPES, 1), (products, RECIPES))
    factory = np.cumsum(hops, axis=1) % factories
    lines_there = (lines - 1 - factory) // factories + 1
    line_of = factory + factories * (random.random((products, RECIPES)) * lines_there).astype(np.int64)
    spread = random.uniform(0.88, 1.14, (products, RECIPES)) * random.uniform(0.9, 1.12, lines)[line_of]
    hours = np.round(random.uniform(0.05, 0.25, (products, 1)) * spread, 4)
    dearness = random.uniform(0.9, 1.15, (products, RECIPES)) * random.uniform(0.9, 1.15, lines)[line_of]
    cost = np.round(random.uniform(8, 40, (products, 1)) * dearness, 3)

    parts, part_units = _two_of(components, products, random), random.integers(1, 3, (products, 2))
    stuff, stuff_units = _two_of(materials, components, random), random.integers(1, 4, (components, 2))
    material_price = np.round(random.uniform(1, 12, materials), 2)
    material_weeks = random.integers(1, 7, materials)
    component_cost = np.round(random.uniform(2, 10, components), 2)
    component_hours = np.round(random.uniform(0.02, 0.08, components), 4)
    component_line = np.arange(components) % component_lines
    component_worth = component_cost + (material_price[stuff] * stuff_units).sum(axis=1)
    worth = (component_worth[parts] * part_units).sum(axis=1) + cost.mean(axis=1)
    margin = np.round(worth * random.uniform(0.2, 0.6, products), 2)
    price = np.round(worth + margin, 2)

    parts_used = _used(asked, parts, part_units, components)
    stuff_used = _used(parts_used, stuff, stuff_units, materials)
    finished_stock = np.where(random.random(products) < 0.3, asked[:, 0], 0)
    component_stock = np.round(parts_used[:, :2].mean(axis=1) * random.uniform(1.3, 2.2, components))
    # Opening material lasts until the first delivery; of one material in twenty it does not.
    cover = np.where(random.random(materials) < 0.05, 0.8, random.uniform(1.05, 1.4, materials))
    until = weeks <= material_weeks[:, None]
    material_stock = np.round((stuff_used * until).sum(axis=1) * cover)

    load = np.bincount(line_of.ravel(), (hours * asked.sum(axis=1, keepdims=True) / RECIPES).ravel(), lines)
    line_hours = np.round(load / WEEKS / FINISHED_LOAD, 1)
    load = np.bincount(component_line, component_hours * parts_used.sum(axis=1), component_lines)
    component_line_hours = np.round(load / WEEKS / COMPONENT_LOAD, 1)
    maintenance = random.integers(0, WEEKS, lines)

    finished = _names("F", products)
    component, material = _names("S", components), _names("M", materials)
    line, component_line_name = _names("L", lines), _names("C", component_lines)
    starts = [START + timedelta(days=7 * i) for i in range(WEEKS + 1)]
    every = finished + component + material
    recipe = [f"{p}/{k + 1}" for p in finished for k in range(RECIPES)] + [f"{c}/1" for c in component]
    recipes = {
        "recipe": recipe,
        "product": [p for p in finished for _ in range(RECIPES)] + component,
        "line": [line[i] for i in line_of.ravel()] + [component_line_name[i] for i in component_line],
        "hours_per_unit": np.concatenate([hours.ravel(), component_hours]),
        "cost_per_unit": np.concatenate([cost.ravel(), component_cost]),
        "lead_days": np.concatenate([np.zeros(products * RECIPES), np.full(components, 7.0)]),
    }
    offers = {
        "offer": [f"{m}/V" for m in material],
        "product": material,
        "site": [f"V{i % suppliers:03d}" for i in range(materials)],
        "price": material_price,
        "lead_days": 7.0 * material_weeks,
    }
    if lots:
        _with_lots(recipes, offers, hours, cost, asked, stuff_used, random)
    i, t = np.nonzero(asked)
    return {
        "products": pa.table(
            {
                "product": every,
                "kind": ["finished"] * products + ["component"] * components + ["material"] * materials,
                "price": pa.array([*price, *[None] * (components + materials)], pa.float64()),
            }
        ),
        "economics": pa.table(
            {
                "product": every,
                "holding_cost_per_unit_week": np.round(
                    np.concatenate([worth, component_worth, material_price]) * HOLDING_SHARE, 6
                ),
                "late_cost_per_unit_week": pa.array(
                    [*np.round(0.1 * margin, 4), *[None] * (components + materials)], pa.float64()
                ),
                "lost_sale_cost_per_unit": pa.array([*price, *[None] * (components + materials)], pa.float64()),
            }
        ),
        "sites": pa.table(
            {
                "site": [f"FAC{i:03d}" for i in range(factories)] + [f"V{i:03d}" for i in range(suppliers)],
                "kind": ["factory"] * factories + ["supplier"] * suppliers,
            }
        ),
        "lines": pa.table(
            {
                "line": line + component_line_name,
                "site": [f"FAC{i % factories:03d}" for i in [*range(lines), *range(component_lines)]],
                "hours_per_week": np.concatenate([line_hours, component_line_hours]),
            }
        ),
        "line_calendar": pa.table(
            {
                "line": line,
                "from": [starts[w] for w in maintenance],
                "to": [starts[w + 1] for w in maintenance],
                "hours": np.round(line_hours / 2, 2),
            }
        ),
        "recipes": pa.table(recipes),
        "components": pa.table(
            {
                "product": [p for p in finished + component for _ in range(2)],
                "component": [component[c] for c in parts.ravel()] + [material[m] for m in stuff.ravel()],
                "units_per_unit": np.concatenate([part_units.ravel(), stuff_units.ravel()]).astype(np.float64),
            }
        ),
        "offers": pa.table(offers),
        "stock": pa.table(
            {
                "happened_at": pa.array(
                    [datetime(START.year, START.month, START.day, tzinfo=UTC)] * len(every),
                    pa.timestamp("us", tz="UTC"),
                ),
                "product": every,
                "units": np.concatenate([finished_stock, component_stock, material_stock]).astype(np.float64),
            }
        ),
        "demand": pa.table(
            {
                "demand": [f"D{a:06d}-{b:02d}" for a, b in zip(i, t, strict=True)],
                "product": [finished[a] for a in i],
                "due": [starts[b + 1] - timedelta(days=1) for b in t],
                "units": asked[i, t].astype(np.float64),
            }
        ),
    }, asked


def _with_lots(recipes, offers, hours, cost, asked, stuff_used, random) -> None:
    """Smallest lots of half a week's demand or more, in boxes; set-ups of 1% to 4% of a week; MOQ of 1 to 3 weeks."""
    products, count = len(asked), len(recipes["recipe"])
    week = np.maximum(asked.mean(axis=1), 1.0)
    smallest, multiple = np.zeros(count), np.zeros(count)
    setup_hours, setup_cost = np.zeros(count), np.zeros(count)
    own = slice(0, products * RECIPES)
    smallest[own] = np.repeat(np.ceil(week * random.uniform(0.5, 1.0, products)), RECIPES)
    multiple[own] = np.repeat(random.choice([1.0, 2.0, 5.0], products), RECIPES)
    setup_hours[own] = np.round(hours.ravel() * np.repeat(week, RECIPES) * random.uniform(0.01, 0.04), 3)
    setup_cost[own] = np.round(cost.ravel() * np.repeat(week, RECIPES) * random.uniform(0.01, 0.04), 2)
    recipes |= {
        "setup_hours": setup_hours,
        "setup_cost": setup_cost,
        "min_lot_units": smallest,
        "lot_multiple_units": multiple,
    }
    materials = len(stuff_used)
    offers["min_order_units"] = np.ceil(stuff_used.mean(axis=1) * random.uniform(1.0, 3.0, materials))
    offers["lot_multiple_units"] = random.choice([1.0, 10.0, 50.0], materials)


def unavoidable_cost(given: dict[str, pa.Table]) -> float:
    """Money for all that is asked for, net of stock, each unit by its cheapest recipe or offer.

    Opening stock of every level counts as free; nothing is held, late or lost.
    """
    need, stock = _summed(given["demand"], "product", "units"), _summed(given["stock"], "product", "units")
    least = _least(given["recipes"], "cost_per_unit") | _least(given["offers"], "price")
    parts: dict[str, list[tuple[str, float]]] = {}
    for product, component, units in _columns(given["components"], "product", "component", "units_per_unit"):
        parts.setdefault(product, []).append((component, units))
    total = 0.0
    for kind in ("finished", "component", "material"):
        for product, of_kind in _columns(given["products"], "product", "kind"):
            if of_kind != kind:
                continue
            units = max(need.get(product, 0.0) - stock.get(product, 0.0), 0.0)
            total += units * least[product]
            for component, each in parts.get(product, []):
                need[component] = need.get(component, 0.0) + units * each
    return total


def _two_of(count: int, rows: int, random: np.random.Generator) -> np.ndarray:
    """(row, 2) two different numbers below count."""
    first = random.integers(0, count, rows)
    return np.column_stack([first, (first + random.integers(1, count, rows)) % count])


def _used(units: np.ndarray, parts: np.ndarray, each: np.ndarray, count: int) -> np.ndarray:
    """(part, week) units that are used where units (product, week) are made at once."""
    used = np.zeros((count, units.shape[1]))
    for k in range(parts.shape[1]):
        np.add.at(used, parts[:, k], units * each[:, [k]])
    return used


def _names(letter: str, count: int) -> list[str]:
    return [f"{letter}{i:06d}" for i in range(count)]


def _columns(table: pa.Table, *names: str):
    return zip(*(table[n].to_pylist() for n in names), strict=True)


def _summed(table: pa.Table, key: str, value: str) -> dict[str, float]:
    found: dict[str, float] = {}
    for k, v in _columns(table, key, value):
        found[k] = found.get(k, 0.0) + v
    return found


def _least(table: pa.Table, value: str) -> dict[str, float]:
    found: dict[str, float] = {}
    for k, v in _columns(table, "product", value):
        found[k] = min(found.get(k, np.inf), v)
    return found


CHANGES = ("surge", "line down", "late material", "rush order")


def changed(chain: Chain, change: str, seed: int) -> Chain:
    """The chain after one change that a morning can bring. `base` and `optimum` are those of before.

    surge: 1% of the products, half as much again in every week. line down: no hours in the fourth or fifth week.
    late material: one offer two weeks slower. rush order: three weeks' demand of one product more in the third week.
    """
    random = np.random.default_rng([seed, CHANGES.index(change)])
    state, demand = chain.state, chain.demand
    count = len(demand.items)
    if change in ("surge", "rush order"):
        paths = demand.paths.copy()
        if change == "surge":
            paths[random.choice(count, max(count // 100, 1), replace=False)] *= 1.5
        else:
            product = int(random.integers(0, count))
            paths[product, :, 2] += np.round(3 * paths[product].mean())
        return replace(chain, demand=replace(demand, paths=paths))
    if change == "line down":
        calendar = state.table("line_calendar")
        line = str(random.choice(state.table("lines")["line"].to_pylist()))
        taken = {first for name, first in _columns(calendar, "line", "from") if name == line}
        first = next(d for d in (START + timedelta(days=7 * w) for w in (4, 5)) if d not in taken)
        row = {"line": [line], "from": [first], "to": [first + timedelta(days=7)], "hours": [0.0]}
        added = in_state_schema("line_calendar", pa.table(row))
        return replace(chain, state=state.with_tables(line_calendar=pa.concat_tables([calendar, added])))
    offers = state.table("offers")
    days = np.array(offers["lead_days"].to_pylist(), dtype=np.float64)
    days[random.integers(0, len(days))] += 14
    place = offers.schema.get_field_index("lead_days")
    column = pa.array(days, offers.schema.field(place).type)
    return replace(chain, state=state.with_tables(offers=offers.set_column(place, "lead_days", column)))
