"""Questions about sales that somebody has in hand, a DataFrame or a file, without a folder: what `datong.forecast`,
`datong.replenish` and `datong.try_` do.

The sales are read as any export is, and the chain that they make has its ledger in memory; from there on the engine
is the same that `datong run`, `datong replenish` and `datong try` use.
"""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from datong.app.chain import Chain
from datong.app.clock import Moment
from datong.app.dataframes import arrow_of, kind_of, native_of
from datong.app.languages import chosen_language
from datong.connectors.exports.last_bucket import OfChain
from datong.connectors.exports.our_tables import APART, MARKETS
from datong.connectors.exports.price_units_amount import samples_of
from datong.connectors.exports.profiles import PROFILES_FOLDER
from datong.connectors.exports.questions import COLUMN_ARGUMENTS, Option, Question, asked, write_answers
from datong.connectors.exports.read_grids import Grids, grids_of_table, read_grids
from datong.connectors.exports.reading import read_from
from datong.connectors.exports.result import Reading
from datong.connectors.exports.spread_over_days import WEEK
from datong.connectors.files.customer_keys import KEYS_FOLDER, CustomerKeys
from datong.connectors.files.read import RawSource, Source
from datong.connectors.files.settings import settings_of
from datong.ledger.customer_tokens import guarded
from datong.ledger.row_checks import ROW, column_name
from datong.model.errors import BadInput, Refused
from datong.model.findings import Finding, has_errors
from datong.model.settings import ChainSettings
from datong.model.tables import tables
from datong.model.words import message, say
from datong.questions.plotted import of_one_series, plot_run
from datong.questions.result_table import Frame
from datong.questions.run_result import RunResult
from datong.shown.plots import new_axes, plot_forecast
from datong.shown.tables import html_table, text_table

if TYPE_CHECKING:
    from datong.questions.replenish import ReplenishResult
    from datong.shown.plots import Axes

NAME = "sales"
_FORECAST_SHOWN = ("product", "market", "bucket", "mean_units", "q10_units", "q50_units", "q90_units")
# The finding on a row whose product is not among those that are sold.
NOT_SOLD = "unknown_reference"


# From so many products on a chain is made with fewer possible futures: each takes its time for every product.
MANY_PRODUCTS, FEW_PATHS = 1000, 64


@dataclass(frozen=True, eq=False)
class InHand:
    """Sales that were read, and how the questions about them are answered. kind: the caller's library. notes: what was
    assumed beside what the reading says."""

    reading: Reading
    settings: ChainSettings
    kind: str
    language: str
    notes: tuple[str, ...] = ()

    @property
    def columns(self) -> list[dict[str, str]]:
        """What each field was taken from, how sure that is, and why."""
        return self.reading.records(self.language)

    @property
    def said(self) -> list[str]:
        """How the table was read, what was left out and why, and what was assumed."""
        read = [note.text(self.language) for note in self.reading.notes]
        found = [f.text(self.language) for f in self.reading.findings if f.severity != "note"]
        return [*read, *found, *self.notes, self.reading.last_line(self.language)]


@dataclass(frozen=True, eq=False)
class _OfSales:
    """What every result says of the sales that it comes of."""

    in_hand: InHand

    @property
    def columns(self) -> list[dict[str, str]]:
        """What each field was taken from, how sure that is, and why."""
        return self.in_hand.columns

    @property
    def notes(self) -> list[str]:
        """How the sales were read, what was left out and why, and what was assumed."""
        return self.in_hand.said

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What is odd about the sales."""
        return self.in_hand.reading.findings


@dataclass(frozen=True, eq=False)
class ForecastResult(_OfSales):
    """Demand to come of each product (and market), week by week or day by day.

    table: a row for each series and bucket ahead: product, market, bucket (its first day), horizon (buckets from 0),
    mean_units, quantiles q05_units to q95_units, method, prior (whether it rests on similar products). history: demand
    so far: product, market, bucket, units (unknown: null), availability and more. Both are of the caller's kind.
    columns, notes, findings: how the sales were read, and what is odd about them.
    """

    as_of: datetime
    settings: ChainSettings
    tables: Mapping[str, pa.Table]

    @property
    def table(self) -> Any:
        """What is expected, as the caller's kind of table."""
        return native_of(self.tables["forecast"], self.in_hand.kind)

    @property
    def history(self) -> Any:
        """Demand so far, as the caller's kind of table."""
        return native_of(self.tables["series"], self.in_hand.kind)

    def __len__(self) -> int:
        return self.tables["forecast"].num_rows

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self.tables["forecast"].__arrow_c_stream__(requested_schema)

    def plot(self, product: str | None = None, market: str | None = None, axes: "Axes | None" = None) -> "Axes":
        """Draws history and forecast of one series. product, market: None: those with the most expected demand. Gives
        matplotlib's axes; raises NotFound where it is not installed, or there is no such series."""
        if product is None or market is None:
            return plot_run(self.tables, "forecast", self.settings.name, product, self.in_hand.language, axes)
        past, ahead = of_one_series(self.tables, product, market)
        return plot_forecast(past, ahead, f"{product} · {market}", "", self.in_hand.language, new_axes(axes))

    def __repr__(self) -> str:
        return "\n".join([self._title(), text_table(self._rows(), self.in_hand.language), self.notes[-1]])

    def _repr_html_(self) -> str:
        return html_table(self._title(), self._rows(), self.in_hand.language, self.notes)

    def _rows(self) -> list[dict[str, Any]]:
        return self.tables["forecast"].select(_FORECAST_SHOWN).to_pylist()

    def _title(self) -> str:
        rows, language = self.tables["forecast"], self.in_hand.language
        starts = pc.unique(rows["bucket"]).to_pylist()
        local = self.as_of.astimezone(self.settings.calendar.zone)
        unit = say("shown.weeks" if self.settings.bucket == "week" else "shown.days", language)
        series = rows.num_rows // max(len(starts), 1)
        words = {"as_of": f"{local:%Y-%m-%d %H:%M}", "first": min(starts, default=""), "buckets": len(starts)}
        return say("shown.forecast", language, series=series, unit=unit, **words)


@dataclass(frozen=True, eq=False)
class OrdersResult(_OfSales):
    """What to order now of each product, and why. found: the answer with its Arrow tables, as `chain.replenish` gives.

    orders: a row for each product that is sold, by value; without_way: what is asked for and nothing brings. Both are
    of the caller's kind. columns, notes, findings: as in ForecastResult.
    """

    found: "ReplenishResult"

    @property
    def orders(self) -> Any:
        """What to order, as the caller's kind of table: columns as in `chain.replenish().orders`."""
        return native_of(self.found.tables["orders"], self.in_hand.kind)

    @property
    def without_way(self) -> Any:
        return native_of(self.found.tables["without_way"], self.in_hand.kind)

    def plot(self, product: str | None = None, axes: "Axes | None" = None) -> "Axes":
        """As `chain.replenish().plot`."""
        return self.found.plot(product, axes)

    def __repr__(self) -> str:
        return "\n".join([repr(self.found), *self.notes])

    def _repr_html_(self) -> str:
        notes = html_table("", [], self.in_hand.language, self.notes)
        return f"<div>{self.found._repr_html_()}{notes}</div>"


@dataclass(frozen=True, eq=False)
class Trial(_OfSales):
    """A stranger's sales as a chain, and its first run. run: as `chain.run` gives; columns, notes, findings: how the
    sales were read; forecast, orders: of the caller's kind (of a file: Frames)."""

    run: RunResult

    @property
    def forecast(self) -> Any:
        """What is expected of each product and market."""
        return self._native("forecast")

    @property
    def orders(self) -> Any:
        """What the run proposes."""
        return self._native("orders")

    def _native(self, name: str) -> Any:
        table, kind = self.run.tables[name], self.in_hand.kind
        return native_of(table, kind) if kind else Frame(name, table, self.in_hand.language)

    def plot(self, what: str = "forecast", product: str | None = None, axes: "Axes | None" = None) -> "Axes":
        """As `chain.run().plot`."""
        return self.run.plot(what, product, axes)

    def __repr__(self) -> str:
        return "\n".join([repr(self.run), *self.notes])

    def _repr_html_(self) -> str:
        notes = html_table("", [], self.in_hand.language, self.notes)
        return f"<div>{self.run._repr_html_()}{notes}</div>"


# --- the three questions -----------------------------------------------------------------------------------------


def forecast(sales: InHand, seed: int, as_of: Moment | None) -> ForecastResult:
    from datong.cycle import head  # imports every stage
    from datong.questions.tables_out import forecast_tables

    with chain_of(sales) as chain:
        state = chain.state(as_of)
        chain.can_plan(state)
        begun = head(state, chain.learnt(state.as_of), chain.seed_of(seed))
        found = forecast_tables(begun)
    return ForecastResult(sales, state.as_of, sales.settings, found)


def replenish(
    sales: InHand, more: Mapping[str, Any], review_buckets: int, seed: int, as_of: Moment | None
) -> OrdersResult:
    """more: tables beside the sales by name (stock, offers ...), of any kind; stock also as units by product. Rows of
    products that were never sold are left out, and told in the notes; anything else that is wrong is refused."""
    last = _last_day(sales.reading)
    parts, notes = [], []
    for name, given in more.items():
        if given is None:
            continue
        if name == "stock" and isinstance(given, Mapping):
            given = {"product": [str(p) for p in given], "units": _numbers(list(given.values()))}
        source, assumed = _table_source(name, given, last)
        parts.append((name, source))
        notes += [say("shown.stock_assumed", sales.language, day=last)] if assumed else []
    with chain_of(sales, parts) as chain:
        wrong = [finding for finding in chain.findings if finding.severity == "error"]
        if any(finding.code != NOT_SOLD for finding in wrong):
            raise BadInput(message("shown.wrong_tables", names=", ".join(name for name, _ in parts)), wrong)
        notes += [finding.text(sales.language) for finding in wrong]
        found = chain.replenish(as_of, seed, review_buckets)
    return OrdersResult(replace(sales, notes=(*sales.notes, *notes)), found)


def try_(sales: InHand, keep: Path | None, seed: int, as_of: Moment | None) -> Trial:
    """keep: a new or empty folder that becomes the chain's; None: it is in memory, and goes."""
    if keep is not None:
        write_chain(keep, sales.settings.name, sales.settings.country, sales.reading)
    with chain_of(sales) if keep is None else Chain(keep, language=sales.language) as chain:
        result = chain.run(as_of, seed)
    return Trial(sales, result)


# --- sales, and the chain that they make -------------------------------------------------------------------------


def read_sales(
    data: Any,
    columns: Mapping[str, str | None],
    answers: Mapping[str, str],
    settings: Mapping[str, Any],
    language: str | None,
) -> InHand:
    """Sales of a table or a file, read as any export. columns: of fields that the caller names, None: to be found.

    Raises Asked with every question that is open; BadInput where nothing can be used; Refused for a table that is none,
    or a column that it has not.
    """
    if isinstance(data, str | os.PathLike):
        path, kind = Path(data), ""
        name, grids = path.name, read_grids(path)
    else:
        name, kind = NAME, kind_of(data)
        grids = grids_of_table(arrow_of(data), NAME)
    known = {wanted: str(column) for wanted, column in columns.items() if column is not None}
    known |= {wanted: answers[wanted] for wanted in COLUMN_ARGUMENTS if wanted in answers}
    if "market" in known:  # who names the column wants a series for each
        answers = {MARKETS: APART, **answers}
    bucket_days = 1 if settings.get("bucket") == "day" else WEEK
    reading = read_from(grids, name, answers, str(settings.get("country", "")), known, chain=OfChain(bucket_days))
    only_sales(reading)
    absent = sorted({column for column in known.values() if column not in reading.names})
    if absent and reading.names:
        raise Refused(message("shown.no_such_column", columns=", ".join(absent), names=", ".join(reading.names)))
    if reading.names and not any(len(grid.numbers) for grid in grids.grids):
        raise Refused(message("shown.empty_table"))
    if reading.missing and reading.names:
        raise asked([which_column(wanted, reading.names, grids) for wanted in reading.missing])
    if reading.missing:
        raise BadInput(message("app.cannot_ingest", file=name), reading.findings)
    if reading.questions:
        raise asked(reading.questions)
    given = _first_settings(Path(name).stem, str(settings.get("country", "")), reading)
    given |= {key: value for key, value in settings.items() if value is not None}
    made, wrong = settings_of({key: value for key, value in given.items() if value is not None})
    if has_errors(wrong):
        raise BadInput(message("app.wrong_settings", folder=name), wrong)
    spoken = chosen_language(language, os.environ)
    return InHand(reading, made, kind, spoken, tuple(few_paths(reading, made, spoken)))


def only_sales(reading: Reading) -> None:
    """Raises Refused for a list of reviews or of interest, where only sales can be used."""
    if reading.holds != "sales":
        raise Refused(message("heard.not_sales", file=reading.name, kind=message(f"heard.kind_{reading.holds}")))


def few_paths(reading: Reading, settings: ChainSettings, language: str) -> Iterator[str]:
    """That there are fewer possible futures than usual, where it is so."""
    products = reading.part("products")
    if products is not None and settings.path_count == FEW_PATHS:
        words = {"count": f"{products.num_rows:,}", "paths": FEW_PATHS, "usual": ChainSettings.path_count}
        yield say("app.few_paths", language, **words)


def currency_assumed(reading: Reading, settings: ChainSettings, folder: Path, language: str) -> Iterator[str]:
    """That the currency of prices is assumed, where they tell none, and where to set it."""
    products = reading.part("products")
    several = "currencies" in reading.used
    if reading.currency is None and not several and products is not None and "price" in products.column_names:
        file = folder / "chain.toml"
        yield say("app.currency_assumed", language, currency=settings.currency, file=file)


def which_column(wanted: str, names: Sequence[str], grids: Grids) -> Question:
    """The question which column holds a field that none is known to hold, with samples of what is in each."""
    samples = {
        name: ", ".join(samples_of(cells))
        for grid in grids.grids
        for name, cells in zip(grid.header or (), grid.columns, strict=False)
    }
    options = tuple(
        Option(name, message("shown.is_column_of", samples=told) if told else message("shown.is_column"))
        for name, told in ((name, samples.get(name, "")) for name in names)
    )
    asks = message("shown.asks_column", field=message(f"export.field.{wanted}"))
    return Question(wanted, asks, tuple(names), (), options)


def chain_of(sales: InHand, more: Sequence[tuple[str, Source]] = ()) -> Chain:
    """The chain that sales make, with tables beside them; its ledger is in memory."""
    parts = [(name, Source(replace(source, rows=_ours(source.rows)))) for name, source in sales.reading.parts]
    return Chain.in_memory(sales.settings, [*parts, *more], language=sales.language)


def is_taken(folder: Path) -> bool:
    """Whether a folder holds anything else than profiles, so that no new chain can be made there."""
    return folder.exists() and any(path.name != PROFILES_FOLDER for path in folder.iterdir())


def write_chain(folder: Path, name: str, country: str, reading: Reading) -> int | None:
    """A chain folder of what was read, with the answers that it took. Gives the number of its possible futures, where
    it is not the usual one. Raises Refused where the folder is taken."""
    if is_taken(folder):
        raise Refused(message("app.not_empty", folder=folder))
    folder.mkdir(parents=True, exist_ok=True)
    settings = _first_settings(name, country, reading)
    text = "\n".join(f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in settings.items() if value)
    (folder / "chain.toml").write_text(text + "\n", encoding="utf-8")
    customers = CustomerKeys(folder / KEYS_FOLDER)
    for table, source in reading.parts:
        rows = guarded(tables()[table], source.rows, customers)
        rows = rows.drop_columns([ROW]) if ROW in rows.column_names else rows
        pq.write_table(rows, folder / f"{table}.parquet")
    write_answers(folder, reading.kept)
    return settings["path_count"]


def _ours(rows: pa.Table) -> pa.Table:
    """Rows without what is no column of our tables, but for the number of the row."""
    return rows.drop_columns([c for c in rows.column_names if c.startswith("__") and c != ROW])


def _first_settings(name: str, country: str, reading: Reading) -> dict[str, Any]:
    """Settings of a chain that is made of sales; None: the usual one. Many products have fewer possible futures."""
    products = reading.part("products")
    paths = FEW_PATHS if products is not None and products.num_rows >= MANY_PRODUCTS else None
    told = {"time_zone": reading.zone, "currency": reading.currency}
    return {"name": name, "country": country, **told, "history": "declared", "path_count": paths}


def _numbers(cells: list[Any]) -> list[Any]:
    """Cells as numbers, or all as texts where one is none: it is found, and told, with the rest of the table."""
    try:
        return [float(cell) for cell in cells]
    except (TypeError, ValueError):
        return [str(cell) for cell in cells]


def _last_day(reading: Reading) -> date:
    sales = reading.part("sales")
    last = None if sales is None or not sales.num_rows else pc.max(sales["happened_at"].cast(pa.date32())).as_py()
    if last is None:
        raise BadInput(message("app.cannot_ingest", file=reading.name), reading.findings)
    return last


def _table_source(name: str, given: Any, last: date) -> tuple[Source, bool]:
    """A table beside the sales, and whether its rows are dated by `last`, for want of a day of their own."""
    rows = arrow_of(given)
    named = {column_name(tables()[name], header) for header in rows.column_names}
    undated = name == "stock" and "happened_at" not in named
    if undated:
        rows = rows.append_column("happened_at", pa.array([last] * rows.num_rows, pa.date32()))
    rows = rows.append_column(ROW, pa.array(np.arange(rows.num_rows, dtype=np.int64) + 2))
    return Source(RawSource(name, rows)), undated
