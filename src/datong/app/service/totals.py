"""What a platform sees: totals over firms by category and week or day, and of no firm its own figures.

A total stands alone only where it tells nobody's own figures (Hundepool et al. 2012, Statistical Disclosure Control):
at least LEAST_FIRMS firms are in it (minimum frequency), none has more than MOST_SHARE of it (dominance), and all but
the two largest have together at least LEAST_REST of what the largest has, so that the second cannot tell the largest by
taking its own off (p % rule). Only firms that the table sites names count: a site without one, an implied supplier or a
slip in a file is no firm, and hides nothing.
Categories of which that does not hold are told as one, and where not even they together may be told, the smallest of
the others goes with them: what is told of a week adds up to all of it or to nothing, so nothing comes out by
subtraction either. Of each product demand counts for the firms that can make it, in equal parts, else for those that
offer it; hours count for the firm of their line, and a line for the category of most products that it can make. A
bucket of which nothing may be told has a row that says so: firms 0, without figures.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date

import pyarrow as pa
import pyarrow.compute as pc

from datong.app.chain import Chain
from datong.app.service.grid_as_workbook import SheetGrid, workbook
from datong.app.service.grids import Piece, Wanted, piece
from datong.app.service.last_run import LastRun, last_run, read_last_run
from datong.app.service.roles_and_permissions import Permission, Who
from datong.app.service.served_chain import Served
from datong.ledger.state import State
from datong.model.fractional_units import PIECE

LEAST_FIRMS, MOST_SHARE, LEAST_REST = 3, 0.75, 0.1
_READ, _STATE = ("gaps", "hours"), ("products", "recipes", "recipe_steps", "recipe_lines", "lines", "sites", "offers")
# In place of a firm, where the chain names none.
_NO_FIRM = ""
_TEXT, _UNITS = pa.string(), pa.float64()
# A row for each bucket, unit and category. total: names it. category: null: all of them that are not told alone; '':
# of products without one. firms: how many are in it; 0: nothing may be told of the bucket.
_HEAD = (("bucket", pa.date32()), ("category", _TEXT))
DEMAND = pa.schema(
    [
        ("total", _TEXT),
        *_HEAD,
        ("base_unit", _TEXT),
        ("firms", pa.int64()),
        *((name, _UNITS) for name in ("demand_units", "on_time_units", "late_units", "lost_units", "on_time_share")),
    ]
)
HOURS = pa.schema(
    [
        ("total", _TEXT),
        *_HEAD,
        ("firms", pa.int64()),
        *((name, _UNITS) for name in ("available_hours", "used_hours", "free_hours", "used_share")),
    ]
)


@dataclass(frozen=True)
class Told:
    """One total. category: None of several together. parts: the categories in it. firms: how many are in it."""

    category: str | None
    parts: tuple[str, ...]
    firms: int


# In place of a total, where none of a bucket may be told.
NOT_TOLD = Told(None, (), 0)


def demand(served: Served, who: Who, wanted: Wanted = Wanted()) -> Piece:  # noqa: B008 - a frozen value
    """Demand of the last plan, and what of it is on time, in DEMAND. Raises NotFound where there is no plan."""
    who.require(Permission.SEE_TOTALS)
    return piece(served.chain_thread.kept("totals.demand", _demand), "total", wanted)


def hours(served: Served, who: Who, wanted: Wanted = Wanted()) -> Piece:  # noqa: B008 - a frozen value
    """Hours of the last plan, in HOURS. Raises NotFound where there is no plan."""
    who.require(Permission.SEE_TOTALS)
    return piece(served.chain_thread.kept("totals.hours", _hours), "total", wanted)


def of_plan(served: Served, who: Who) -> LastRun:
    """The last plan, without its tables. Raises NotFound where there is none."""
    who.require(Permission.SEE_TOTALS)
    return last_run(served, ())


def demand_sheet(served: Served, who: Who, wanted: Wanted, language: str) -> bytes:
    """`demand` as a workbook."""
    rows = demand(served, who, replace(wanted, is_whole=True)).rows
    return workbook(SheetGrid("totals_demand", served.chain_thread.settings.name, "total", (), rows), language)


def hours_sheet(served: Served, who: Who, wanted: Wanted, language: str) -> bytes:
    """`hours` as a workbook."""
    rows = hours(served, who, replace(wanted, is_whole=True)).rows
    return workbook(SheetGrid("totals_hours", served.chain_thread.settings.name, "total", (), rows), language)


def told_safely(parts: Mapping[str, Mapping[str, float]]) -> tuple[Told, ...]:
    """Which totals may be told, the largest first; none, where not even all together may. parts: by category, what each
    firm has of it, not below 0."""
    size = {category: sum(of.values()) for category, of in parts.items()}
    order = sorted(parts, key=lambda one: (-size[one], one))
    alone = [one for one in order if _is_safe(parts, (one,))]
    rest = [one for one in order if one not in alone]
    while rest and not _is_safe(parts, rest):
        if not alone:
            return ()
        rest.append(alone.pop())
    told = [Told(one, (one,), len(_by_firm(parts, (one,)))) for one in alone]
    if rest:
        told.append(Told(None, tuple(sorted(rest)), len(_by_firm(parts, rest))))
    return tuple(told)


def _is_safe(parts: Mapping[str, Mapping[str, float]], categories: Collection[str]) -> bool:
    """Whether a total over these categories tells no firm's own figures."""
    own = sorted(_by_firm(parts, categories).values(), reverse=True)
    if len(own) < LEAST_FIRMS or own[0] > MOST_SHARE * sum(own):
        return False
    return sum(own[2:]) >= LEAST_REST * own[0]


def _by_firm(parts: Mapping[str, Mapping[str, float]], categories: Collection[str]) -> dict[str, float]:
    """What each firm that is named has of these categories, without those that have nothing."""
    found: dict[str, float] = defaultdict(float)
    for category in categories:
        for firm, amount in parts[category].items():
            if amount > 0 and firm != _NO_FIRM:
                found[firm] += amount
    return found


# demand ------------------------------------------------------------------------------------------


def _demand(chain: Chain) -> pa.Table:
    gaps, state = read_last_run(chain, _READ).tables["gaps"], chain.state(names=_STATE)
    firms, rows = _firms_of_products(state), []
    names = {row["product"]: row for row in state.table("products").to_pylist()}
    sums = ("demand_units", "late_units", "lost_units")
    found = gaps.group_by(["product", "bucket"], use_threads=False).aggregate([(name, "sum") for name in sums])
    cells: dict[tuple[date, str], dict[str, list[dict]]] = defaultdict(lambda: defaultdict(list))
    for row in found.to_pylist():
        product = row["product"] if row["product"] in names else row["product"].rpartition("@")[0]
        own = names.get(product) or {}
        unit, category = own.get("base_unit") or PIECE, own.get("category_a") or ""
        cells[row["bucket"], unit][category].append(row | {"firms": firms.get(product) or frozenset({_NO_FIRM})})
    for (bucket, unit), of in sorted(cells.items()):
        safe = told_safely({category: _of_firms(own) for category, own in of.items()})
        if not safe and any(row["demand_units_sum"] > 0 for own in of.values() for row in own):
            rows.append({"total": _named(bucket, NOT_TOLD, unit), "bucket": bucket, "base_unit": unit, "firms": 0})
        for told in safe:
            units = [sum(row[f"{name}_sum"] for part in told.parts for row in of[part]) for name in sums]
            rows.append(_demand_row(bucket, unit, told, *units))
    return pa.Table.from_pylist(rows, DEMAND)


def _of_firms(rows: list[dict]) -> dict[str, float]:
    found: dict[str, float] = defaultdict(float)
    for row in rows:
        for firm in row["firms"]:
            found[firm] += row["demand_units_sum"] / len(row["firms"])
    return found


def _demand_row(bucket: date, unit: str, told: Told, asked: float, late: float, lost: float) -> dict:
    on_time = max(asked - late - lost, 0.0)
    return {
        "total": _named(bucket, told, unit),
        "bucket": bucket,
        "category": told.category,
        "base_unit": unit,
        "firms": told.firms,
        "demand_units": asked,
        "on_time_units": on_time,
        "late_units": late,
        "lost_units": lost,
        "on_time_share": on_time / asked if asked > 0 else None,
    }


def _named(bucket: date, told: Told, unit: str) -> str:
    """By bucket first, and what stands for several categories last."""
    return "|".join((bucket.isoformat(), unit, "1" if told.category is None else "0", told.category or ""))


def _firms_of_products(state: State) -> Mapping[str, frozenset[str]]:
    """Whose products are: of the firms that can make each, else of those that offer it."""
    site_of, line_of = _firm_of_sites(state), _firm_of_lines(state)
    makers, offerers = (defaultdict(set) for _ in range(2))
    lines_of = _lines_of_recipes(state)
    for row in state.table("recipes").to_pylist():
        of_lines = {line_of.get(line, _NO_FIRM) for line in lines_of.get(row["recipe"], ())}
        makers[row["product"]] |= of_lines or {site_of.get(row["site"], _NO_FIRM)}
    for row in state.table("offers").to_pylist():
        offerers[row["product"]].add(site_of.get(row["site"], _NO_FIRM))
    return {product: frozenset(own) for product, own in (offerers | makers).items()}


def _lines_of_recipes(state: State) -> Mapping[str, frozenset[str]]:
    """The lines that a recipe works on: its own, those of its steps, and what it or a step of it holds besides. Rows
    that hold on other days than today count too: what was or will be a firm's is its own as well."""
    recipes, steps, beside = (state.versions(name) for name in ("recipes", "recipe_steps", "recipe_lines"))
    recipe_of = dict(zip(steps["step"].to_pylist(), steps["recipe"].to_pylist(), strict=True))
    found: dict[str, set[str]] = defaultdict(set)
    for rows in (recipes, steps, beside):
        for code, line in zip(rows["recipe"].to_pylist(), rows["line"].to_pylist(), strict=True):
            if line:
                found[recipe_of.get(code, code)].add(line)
    return {recipe: frozenset(lines) for recipe, lines in found.items()}


def _firm_of_sites(state: State) -> Mapping[str, str]:
    return {row["site"]: row["firm"] or _NO_FIRM for row in state.table("sites").to_pylist()}


def _firm_of_lines(state: State) -> Mapping[str, str]:
    site_of = _firm_of_sites(state)
    return {row["line"]: site_of.get(row["site"], _NO_FIRM) for row in state.table("lines").to_pylist()}


# hours -------------------------------------------------------------------------------------------


def _hours(chain: Chain) -> pa.Table:
    told, state = read_last_run(chain, _READ).tables["hours"], chain.state(names=_STATE)
    firm, category, rows = _firm_of_lines(state), _category_of_lines(state), []
    for bucket, of in _by_bucket(told):
        parts: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
        for row in of:
            parts[category.get(row["line"], "")][firm.get(row["line"], _NO_FIRM)] += row["available_hours"]
        safe = told_safely(parts)
        if not safe:
            rows.append({"total": _named(bucket, NOT_TOLD, ""), "bucket": bucket, "firms": 0})
        for one in safe:
            own = [row for row in of if category.get(row["line"], "") in one.parts]
            there, used, free = (sum(row[name] for row in own) for name in ("available_hours", "used", "free_hours"))
            rows.append(
                {
                    "total": _named(bucket, one, ""),
                    "bucket": bucket,
                    "category": one.category,
                    "firms": one.firms,
                    "available_hours": there,
                    "used_hours": used,
                    "free_hours": free,
                    "used_share": used / there if there > 0 else None,
                }
            )
    return pa.Table.from_pylist(rows, HOURS)


def _by_bucket(hours: pa.Table) -> Iterator[tuple[date, list[dict]]]:
    used = pc.add(pc.add(hours["run_hours"], hours["setup_hours"]), hours["under_way_hours"])
    shown = hours.select(["line", "bucket", "available_hours"]).append_column("used", used)
    shown = shown.append_column("free_hours", pc.max_element_wise(hours["free_hours"], 0.0))
    found: dict[date, list[dict]] = defaultdict(list)
    for row in shown.to_pylist():
        found[row["bucket"]].append(row)
    yield from sorted(found.items())


def _category_of_lines(state: State) -> Mapping[str, str]:
    """Of most products that each line can make; of equally many the first by name."""
    category = {row["product"]: row["category_a"] or "" for row in state.table("products").to_pylist()}
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    lines_of = _lines_of_recipes(state)
    recipes = state.table("recipes").to_pylist()
    for line, product in sorted({(line, r["product"]) for r in recipes for line in lines_of.get(r["recipe"], ())}):
        counts[line][category.get(product, "")] += 1
    return {line: min(of, key=lambda one: (-of[one], one)) for line, of in counts.items()}
