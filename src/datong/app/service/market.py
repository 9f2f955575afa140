"""The market in the chain: hours and what one more is worth, where demand is lost and what it would take, quotes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from datong.app.chain import Chain
from datong.app.service.grids import Piece, Wanted, piece
from datong.app.service.jobs import Job
from datong.app.service.last_run import read_last_run
from datong.app.service.roles_and_permissions import Permission, Who
from datong.app.service.served_chain import Served
from datong.ledger.row_checks import nearest_hint
from datong.model.errors import NotFound, Refused
from datong.model.late_causes import LOST
from datong.model.words import message
from datong.questions.demand_totals import ANY_SHORT, LEAST_SHORT, lacking_of_run, short_by_cause

READ = ("hours", "prices", "gaps", "products", "held", "certificate")
# Things of which one more is worth something, that a page names.
MOST_SCARCE = 50
_CAUSE = ("binding", "binding_price", "binding_bucket", "needed_amount", "needed_unit", "needed_days", "kept_for")
# Columns that an earlier version did not keep.
_SOONEST = ("soonest_start", "soonest_days", "soonest_through", "short_too", "fenced_until")


@dataclass(frozen=True, eq=False)
class Heat:
    """Hours by line and bucket of a run. lines: codes and names, the fullest first. buckets: their first days. cells:
    line, bucket, used_hours (run, set-up and under way), available_hours, overtime_hours, used_share (null: there are
    no hours), price (money for one more hour, null: not told). currency: of the prices."""

    run: str
    as_of: datetime
    lines: tuple[tuple[str, str], ...]
    buckets: tuple[date, ...]
    cells: pa.Table
    currency: str


@dataclass(frozen=True)
class Scarce:
    """Something of which one more would save money. what: line, stock, offer, component ... unit: it is counted in.
    highest: money for one more in the dearest bucket, which is `bucket`. buckets: in how many it is scarce."""

    what: str
    name: str
    unit: str
    highest: float
    bucket: date
    buckets: int


@dataclass(frozen=True)
class Lost:
    """How many units one thing keeps from being on time. cause: see `short_by_cause`. name: of the scarce thing, or of
    the product that is held back, of what was sent elsewhere what took it, else ''; beside: what is short as well;
    unit: it is counted in. units: late or lost because of it. price: the highest of one more, 0 where none is known.
    is_expected: demand is not given."""

    cause: str
    name: str
    beside: tuple[str, ...]
    unit: str
    units: float
    price: float
    is_expected: bool


def heat(served: Served, who: Who, branch: str | None = None) -> Heat:
    """Hours and their prices in the last run. Raises NotFound where there is none."""
    who.require(Permission.SEE_PLAN)
    return served.chain_thread.kept(("market.heat", branch), lambda chain: _heat(chain.on(branch)))


def _heat(chain: Chain) -> Heat:
    run = read_last_run(chain, READ)
    hours, prices = run.tables["hours"], run.tables["prices"]
    used = pc.add(pc.add(hours["run_hours"], hours["setup_hours"]), hours["under_way_hours"])
    share = pc.if_else(pc.greater(hours["available_hours"], 0.0), pc.divide(used, hours["available_hours"]), None)
    of_lines = prices.filter(pc.equal(prices["what"], "line")).select(["name", "bucket", "price"])
    price = {(r["name"], r["bucket"]): r["price"] for r in of_lines.to_pylist()}
    keys = zip(hours["line"].to_pylist(), hours["bucket"].to_pylist(), strict=True)
    cells = pa.table(
        {
            "line": hours["line"],
            "bucket": hours["bucket"],
            "used_hours": used,
            "available_hours": hours["available_hours"],
            "overtime_hours": hours["overtime_hours"],
            "used_share": share,
            "price": pa.array([price.get(key) for key in keys], pa.float64()),
        }
    )
    names = _line_names(chain)
    fullness = cells.group_by("line", use_threads=False).aggregate([("used_share", "mean"), ("price", "max")])
    ranked = sorted(
        fullness.to_pylist(), key=lambda r: (-(r["price_max"] or 0.0), -(r["used_share_mean"] or 0.0), r["line"])
    )
    return Heat(
        run.run,
        run.as_of,
        tuple((r["line"], names.get(r["line"], "")) for r in ranked),
        tuple(sorted(set(cells["bucket"].to_pylist()))),
        cells,
        chain.settings.currency,
    )


def _line_names(chain: Chain) -> Mapping[str, str]:
    rows = chain.state(names=("lines",)).table("lines").select(["line", "name"]).to_pylist()
    return {row["line"]: row["name"] or "" for row in rows}


def scarce(served: Served, who: Who) -> tuple[Scarce, ...]:
    """What one more of would save most, the dearest first, MOST_SCARCE at most. Raises NotFound where there is no
    run."""
    who.require(Permission.SEE_PLAN)
    return served.chain_thread.kept("market.scarce", lambda chain: _scarce(read_last_run(chain, READ).tables["prices"]))


def _scarce(prices: pa.Table) -> tuple[Scarce, ...]:
    own = prices.filter(pc.greater(pc.fill_null(prices["price"], 0.0), 0.0))
    own = own.sort_by([("price", "descending"), ("bucket", "ascending"), ("what", "ascending"), ("name", "ascending")])
    found: dict[tuple[str, str], Scarce] = {}
    for row in own.to_pylist():
        key = (row["what"], row["name"])
        if key not in found:
            found[key] = Scarce(*key, row["unit"] or "", row["price"], row["bucket"], 1)
        else:
            one = found[key]
            found[key] = Scarce(*key, one.unit, one.highest, one.bucket, one.buckets + 1)
    return tuple(found.values())[:MOST_SCARCE]


def lost(served: Served, who: Who, wanted: Wanted = Wanted()) -> Piece:  # noqa: B008 - a frozen value
    """Demand that is late or lost in the last run, a line for each product, market and bucket of at least half a unit:
    cell (the key), product, name, base_unit, market, bucket, demand_units, late_units, lost_units, and what stands in
    the way: binding, its price and bucket, how much more of it (needed_amount, in needed_unit) or how many days later;
    lost_binding ...: of what is lost where that has another cause; lacks: the product that is held back, where it waits
    for one. is_expected: demand is not given.

    Raises NotFound where there is no run.
    """
    who.require(Permission.SEE_PLAN)
    return piece(served.chain_thread.kept("market.lost", _lost), "cell", wanted)


def _lost(chain: Chain) -> pa.Table:
    run = read_last_run(chain, READ)
    gaps = run.tables["gaps"]
    rows = gaps.filter(pc.greater_equal(pc.add(gaps["late_units"], gaps["lost_units"]), LEAST_SHORT))
    products = pc.unique(rows["product"])
    names, lacks = _names(run.tables["products"], products.to_pylist()), lacking_of_run(run.tables)
    at = pc.index_in(rows["product"], products)
    named = {name: pa.array(column, pa.string()).take(at) for name, column in names.items()}
    lacked = pa.array([lacks.get(product) for product in products.to_pylist()], pa.string()).take(at)
    keys = [rows[name].cast(pa.string()) for name in ("product", "market", "bucket")]
    causes = [f"{of}{name}" for of in ("", LOST) for name in (*_CAUSE, *_SOONEST)]
    return pa.table(
        {
            "cell": pc.binary_join_element_wise(*keys, "|"),
            "product": rows["product"],
            **named,
            "market": rows["market"],
            "bucket": rows["bucket"],
            **{name: rows[name] for name in ("demand_units", "late_units", "lost_units")},
            **{name: rows[name] for name in causes if name in rows.column_names},
            "lacks": lacked,
            "is_expected": pa.repeat(pa.scalar(_is_expected(run.tables)), rows.num_rows),
        }
    )


def _names(products: pa.Table, asked: Sequence[str]) -> Mapping[str, list[str | None]]:
    """By column the name and the unit of each product that is asked for; of a stock point those of its product."""
    told = zip(*(products[name].to_pylist() for name in ("product", "name", "base_unit")), strict=True)
    own = {product: names for product, *names in told}
    found = [own.get(product) or own.get(product.rpartition("@")[0]) or (None, None) for product in asked]
    return {"name": [name for name, _ in found], "base_unit": [unit for _, unit in found]}


def _is_expected(tables: Mapping[str, pa.Table]) -> bool:
    """Whether figures of demand are expected ones, over several possible futures."""
    return (tables["certificate"].to_pylist()[0].get("futures") or 1) > 1


def in_the_way(served: Served, who: Who) -> tuple[Lost, ...]:
    """All units that are late or lost, by what stands in their way, the most first. Raises NotFound where there is no
    run."""
    who.require(Permission.SEE_PLAN)
    return served.chain_thread.kept("market.in_the_way", lambda chain: in_the_way_of(read_last_run(chain, READ).tables))


def in_the_way_of(tables: Mapping[str, pa.Table]) -> tuple[Lost, ...]:
    """`in_the_way` of the tables READ of a run."""
    rows = [row for row in short_by_cause(tables, lacking_of_run(tables)) if row["units"] >= ANY_SHORT]
    rows.sort(key=lambda row: -row["units"])
    expected = _is_expected(tables)
    return tuple(
        Lost(
            r["cause"],
            r["binding"] or r["kept_for"] or "",
            r.get("beside", ()),
            r["unit"] or "",
            r["units"],
            r["price"] or 0.0,
            expected,
        )
        for r in rows
    )


def start_quote(
    served: Served,
    who: Who,
    product: str,
    units: float,
    due: date,
    market: str | None = None,
    branch: str | None = None,
) -> Job:
    """Begin to work out what an order more would cost. The job's result has the summary of `questions.quote`, its
    cheapest ways and its price in later weeks. Raises NotFound for a product that is not there, Refused for units that
    are no number above 0."""
    who.require(Permission.QUOTE)
    if not np.isfinite(units) or units <= 0:
        raise Refused(message("served.market.wrong_units", units=str(units)))
    products = served.chain_thread.kept(
        "market.products", lambda chain: chain.state(names=("products",)).table("products")
    )
    known = products["product"].to_pylist()
    if product not in known:
        raise NotFound(message("served.market.no_product", product=product, hint=nearest_hint(product, known)))
    asked = {"product": product, "units": units, "due": due.isoformat(), "market": market, "branch": branch}
    return served.start_job(who, "quote", {name: value for name, value in asked.items() if value is not None})
