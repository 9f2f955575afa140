"""Datong 打通: sales, returns, reviews and searches in; better work orders with their reasons out.

import datong

with datong.open("my-chain") as chain:
    result = chain.run()
    result.orders.to_pandas()

datong.forecast(sales)  # a DataFrame of pandas or polars, or an Arrow table, without a folder
"""

from collections.abc import Mapping
from importlib import import_module
from os import PathLike
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import datong.forecast  # noqa: F401 - the empty package of the stage, before the function below takes its name
from datong.model.errors import Asked, BadInput, LedgerBusy, LedgerDamaged, NoPlan, NotFound, Refused
from datong.model.errors import DatongError as Error

if TYPE_CHECKING:
    from datong.app.chain_for_python import Chain
    from datong.app.check_folder import CheckResult
    from datong.app.clock import Moment
    from datong.app.sales_without_folder import ForecastResult, OrdersResult, Trial

__version__ = "0.1.0"
__all__ = [
    "Asked",
    "BadInput",
    "Chain",
    "Error",
    "ForecastResult",
    "LedgerBusy",
    "LedgerDamaged",
    "NoPlan",
    "NotFound",
    "OrdersResult",
    "Refused",
    "Trial",
    "check",
    "forecast",
    "init",
    "open",
    "replenish",
    "try_",
]

_NOTHING: Mapping[str, str] = MappingProxyType({})


def open(
    folder: str | PathLike[str], branch: str | None = None, by: str | None = None, language: str | None = None
) -> "Chain":
    """Open the chain in `folder`: check its tables, bring its ledger up to date, and be ready to run.

    branch: the what-if that is meant; None: the trunk. by: who writes; None: the user of this machine. language: 'en'
    or 'zh', in which results show themselves; None: DATONG_LANG, else the locale. Raises BadInput with all findings
    where the folder cannot be used, LedgerBusy where another process, or this one, has it open, NotFound where there is
    no such branch.
    """
    from datong.app.chain_for_python import Chain

    chain = Chain(Path(folder), by=by, language=language)
    try:
        return chain.on(branch)
    except BaseException:
        chain.close()
        raise


def init(folder: str | PathLike[str], language: str = "en") -> list[Path]:
    """Write a commented starter folder of plain tables, as `datong init`; gives its files. Raises Refused where the
    folder holds files already."""
    from datong.connectors.files.starter import write_starter

    return list(write_starter(Path(folder), language))


def check(folder: str | PathLike[str]) -> "CheckResult":
    """Everything that is wrong with a folder's tables, and with a plan made of them, at once, as `datong check`.

    Its `findings` have what was found, what was expected and what to do about it: `finding.text("en")`. Nothing is
    taken in, and the chain may be open elsewhere.
    """
    from datong.app.check_folder import check_chain

    return check_chain(Path(folder))


def forecast(
    sales: Any,
    horizon: int = 13,
    *,
    date: str | None = None,
    product: str | None = None,
    units: str | None = None,
    market: str | None = None,
    price: str | None = None,
    answers: Mapping[str, str] = _NOTHING,
    country: str = "",
    time_zone: str | None = None,
    bucket: str = "week",
    seed: int = 0,
    as_of: "Moment | None" = None,
    language: str | None = None,
) -> "ForecastResult":
    """Demand to come of each product in `sales`: the forecast that `datong run` plans with.

    sales: a DataFrame of pandas or polars, an Arrow table, or the path of a file; a row for each sale, or a column for
    each day, week or month. Its columns are found by their names and values, as those of an export are; date, product,
    units, market, price: the names of columns that are known. What is not sure is asked: Asked is raised with each
    question, its readings and the argument that answers it (answers={question: reading}).

    horizon: buckets ahead. bucket: 'week' or 'day'. country: ISO code, for public holidays. time_zone: IANA name, for
    moments without one (UTC). as_of: only what was known by then. The same sales and seed give the same forecast.

    Raises Asked, BadInput where nothing can be used, Refused for what is no table or no moment.

    >>> import datong
    >>> days = [f"2024-{month:02}-{day:02}" for month in range(1, 7) for day in (1, 8, 15, 22)]
    >>> sold = datong.forecast({"date": days, "sku": ["A"] * 24, "qty": [3, 4, 5, 4] * 6}, horizon=2)
    >>> [(str(row["bucket"]), row["q50_units"]) for row in sold.table.to_pylist()]
    [('2024-06-24', 4.0), ('2024-07-01', 4.0)]
    """
    from datong.app import sales_without_folder

    columns = {"date": date, "product": product, "units": units, "market": market, "price": price}
    settings = {"horizon_buckets": horizon, "bucket": bucket, "country": country, "time_zone": time_zone}
    return sales_without_folder.forecast(
        sales_without_folder.read_sales(sales, columns, answers, settings, language), seed, as_of
    )


def replenish(
    sales: Any,
    *,
    stock: Any = None,
    offers: Any = None,
    lead_days: float | None = None,
    review: int = 1,
    date: str | None = None,
    product: str | None = None,
    units: str | None = None,
    market: str | None = None,
    price: str | None = None,
    answers: Mapping[str, str] = _NOTHING,
    country: str = "",
    time_zone: str | None = None,
    bucket: str = "week",
    seed: int = 0,
    as_of: "Moment | None" = None,
    language: str | None = None,
) -> "OrdersResult":
    """What to order now of each product in `sales`, and why, as `datong replenish`.

    sales and its columns: as in `forecast`. stock: what is there, as units by product, {"A": 12}, or as a table with
    product, units and happened_at (without it: at the end of the last day of sales); without stock it is taken as 0.
    offers: where products come from, a table with the columns of `offers` (docs/tables.md); without one each product is
    bought within lead_days (7) at a share of its price. review: buckets until orders can be placed again.

    Raises as `forecast`.

    >>> import datong
    >>> days = [f"2024-{month:02}-{day:02}" for month in range(1, 7) for day in (1, 8, 15, 22)]
    >>> sold = {"date": days, "sku": ["A"] * 24, "qty": [3, 4, 5, 4] * 6, "price": [9.0] * 24}
    >>> datong.replenish(sold, stock={"A": 40}).orders["units"].to_pylist()
    [0.0]
    """
    from datong.app import sales_without_folder

    columns = {"date": date, "product": product, "units": units, "market": market, "price": price}
    defaults = {} if lead_days is None else {"defaults": {"offer_lead_days": lead_days}}
    settings = {"bucket": bucket, "country": country, "time_zone": time_zone, **defaults}
    read = sales_without_folder.read_sales(sales, columns, answers, settings, language)
    return sales_without_folder.replenish(read, {"stock": stock, "offers": offers}, review, seed, as_of)


def try_(
    sales: Any,
    *,
    date: str | None = None,
    product: str | None = None,
    units: str | None = None,
    market: str | None = None,
    price: str | None = None,
    answers: Mapping[str, str] = _NOTHING,
    country: str = "",
    keep: str | PathLike[str] | None = None,
    seed: int = 0,
    as_of: "Moment | None" = None,
    language: str | None = None,
) -> "Trial":
    """A stranger's sales export as a chain, and its first run, as `datong try`.

    sales: the path of a file, or a table; its columns: as in `forecast`. keep: a new or empty folder that becomes the
    chain's.

    Raises as `forecast`, and Refused where `keep` holds files already.
    """
    from datong.app import sales_without_folder

    columns = {"date": date, "product": product, "units": units, "market": market, "price": price}
    read = sales_without_folder.read_sales(sales, columns, answers, {"country": country}, language)
    return sales_without_folder.try_(read, None if keep is None else Path(keep), seed, as_of)


# Types of what is given back: they take a second to import, and are loaded where they are asked for.
_TYPES = {
    "Chain": "datong.app.chain_for_python",
    "ForecastResult": "datong.app.sales_without_folder",
    "OrdersResult": "datong.app.sales_without_folder",
    "Trial": "datong.app.sales_without_folder",
}


def __getattr__(name: str) -> Any:
    if name in _TYPES:
        return getattr(import_module(_TYPES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
