"""How much is to lie in stock, at least and at most, beside what lies there by the last plan and what the economics
alone would keep; and what that difference costs. What each figure is says balance/stock_limits.py."""

from dataclasses import replace

import pyarrow as pa
import pyarrow.compute as pc

from datong.app.chain import Chain
from datong.app.service.grid_as_workbook import SheetGrid, workbook
from datong.app.service.grids import Piece, Wanted, piece
from datong.app.service.last_run import read_last_run
from datong.app.service.roles_and_permissions import Permission, Who
from datong.app.service.served_chain import Served
from datong.model.errors import NotFound
from datong.model.flow import STOCK_LIMITS_SCHEMA
from datong.model.words import message

READ = ("stock_limits", "products")
DAYS_OF_WEEK = 7
_LAST, _TEXT, _UNITS = "stock_limits", pa.string(), pa.float64()
_OF_PRODUCT = (("product", _TEXT), ("name", _TEXT), ("base_unit", _TEXT), ("site", _TEXT))
_FIGURES = STOCK_LIMITS_SCHEMA.names[3:]
# A row for each place with a limit, and bucket. limit: names it.
LIMITS = pa.schema([("limit", _TEXT), *_OF_PRODUCT, ("bucket", pa.date32()), *((name, _UNITS) for name in _FIGURES)])
# A row for each place with a limit, over the horizon. place: names it. smallest_units, economic_units, largest_units:
# on average; difference_cost_per_week: money a week; missing_units, beyond_units: the most in one bucket;
# buckets_below, buckets_above: in how many it is missing, or beyond.
PLACES = pa.schema(
    [
        ("place", _TEXT),
        *_OF_PRODUCT,
        *((name, _UNITS) for name in ("smallest_units", "economic_units", "difference_cost_per_week", "missing_units")),
        ("buckets_below", pa.int64()),
        *((name, _UNITS) for name in ("largest_units", "beyond_units")),
        ("buckets_above", pa.int64()),
    ]
)
# A stock that is short, or beyond, by less than this is not.
LEAST = 0.5


def places(served: Served, who: Who, wanted: Wanted = Wanted()) -> Piece:  # noqa: B008 - a frozen value
    """Products and sites with a smallest or largest stock, in PLACES; empty where nobody said one. Raises NotFound
    where there is no run, or an earlier version kept it."""
    who.require(Permission.SEE_PLAN)
    return piece(served.chain_thread.kept("stock_limits.places", _places), "place", wanted)


def limits(served: Served, who: Who, wanted: Wanted = Wanted()) -> Piece:  # noqa: B008 - a frozen value
    """The same bucket by bucket, in LIMITS. Raises as `places`."""
    who.require(Permission.SEE_PLAN)
    return piece(served.chain_thread.kept(_LAST, _limits), "limit", wanted)


def places_sheet(served: Served, who: Who, wanted: Wanted, language: str) -> bytes:
    """`places` as a workbook."""
    rows = places(served, who, replace(wanted, is_whole=True)).rows
    return workbook(SheetGrid("stock_places", served.chain_thread.settings.name, "place", (), rows), language)


def limits_sheet(served: Served, who: Who, wanted: Wanted, language: str) -> bytes:
    """`limits` as a workbook."""
    rows = limits(served, who, replace(wanted, is_whole=True)).rows
    return workbook(SheetGrid(_LAST, served.chain_thread.settings.name, "limit", (), rows), language)


def _limits(chain: Chain) -> pa.Table:
    run = read_last_run(chain, READ)
    if "stock_limits" not in run.tables:
        raise NotFound(message("served.earlier_run"))
    rows, products = run.tables["stock_limits"], run.tables["products"]
    if not rows.num_rows:
        return LIMITS.empty_table()
    # A smallest and a largest stock of one place are two rows there.
    keys = ["product", "site", "bucket"]
    told = (
        rows.group_by(keys, use_threads=False)
        .aggregate([(name, "max") for name in _FIGURES])
        .sort_by([(name, "ascending") for name in keys])
    )
    at = pc.index_in(told["product"], products["product"].combine_chunks())
    columns = {
        "limit": pc.binary_join_element_wise(_place(told), told["bucket"].cast(_TEXT), "|"),
        **{name: products[name].take(at) for name in ("name", "base_unit")},
        **{name: told[name] for name in keys},
        **{name: told[f"{name}_max"] for name in _FIGURES},
    }
    return pa.table([columns[name] for name in LIMITS.names], LIMITS)


def _place(rows: pa.Table) -> pa.ChunkedArray:
    return pc.binary_join_element_wise(rows["product"], pc.fill_null(rows["site"], ""), "|")


def _places(chain: Chain) -> pa.Table:
    rows = _limits(chain)
    if not rows.num_rows:
        return PLACES.empty_table()
    per_week = DAYS_OF_WEEK / chain.settings.calendar.bucket_days
    rows = rows.append_column("place", _place(rows))
    for name, of in (("buckets_below", "missing_units"), ("buckets_above", "beyond_units")):
        rows = rows.append_column(name, pc.greater_equal(rows[of], LEAST).cast(pa.int64()))
    keys = ["place", *(name for name, _ in _OF_PRODUCT)]
    how = {"missing_units": "max", "beyond_units": "max", "buckets_below": "sum", "buckets_above": "sum"}
    asked = [(name, how.get(name, "mean")) for name in (*_FIGURES, "buckets_below", "buckets_above")]
    told = rows.group_by(keys, use_threads=False).aggregate(asked).sort_by("place")
    columns = {name: told[name] for name in keys} | {name: told[f"{name}_{of}"] for name, of in asked}
    columns["difference_cost_per_week"] = pc.multiply(columns["difference_cost"], per_week)
    return pa.table([columns[name] for name in PLACES.names], PLACES)
