"""A list of reviews, interest, promotions or prices as rows of our tables, each with a key by which the next export
knows it again.

A row is known by the list that it is of, its day and its product as the list writes them: what the chain calls the
product may change (`product_aliases`), and takes the row along."""

from collections.abc import Sequence
from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from datong.connectors.exports.cells import Cells
from datong.connectors.exports.date_column import Moments, read_moments
from datong.connectors.exports.day_month_order import not_a_day
from datong.connectors.exports.day_of_list import day_of_list
from datong.connectors.exports.export import Export
from datong.connectors.exports.identities import products_of, told_of_products
from datong.connectors.exports.left_out_counts import Rows
from datong.connectors.exports.market_lists.columns import INTEREST, PLANNED, PRICES, PROMOTIONS, REVIEWS, columns_named
from datong.connectors.exports.market_lists.interest import Stretch, interest_rows, stretch_of
from datong.connectors.exports.market_lists.promotions_and_prices import price_rows, promotion_rows
from datong.connectors.exports.market_lists.reviews import reviews_rows
from datong.connectors.exports.market_lists.rows_taken import Taken
from datong.connectors.exports.market_lists.which_list import MarketList
from datong.connectors.exports.personal import names_people
from datong.connectors.exports.price_units_amount import quoted_of
from datong.connectors.exports.product_column import product_codes, without_empty_codes
from datong.connectors.exports.questions import Asking
from datong.connectors.exports.result import Reading, Totals
from datong.connectors.exports.table import PERIOD_COLUMN
from datong.connectors.exports.variants import name_variants
from datong.connectors.files.read import RawSource
from datong.ledger.row_checks import REJECTED_SCHEMA, shown
from datong.model.findings import Finding, finding
from datong.model.words import message


def read_market_list(
    found: MarketList, name: str, asking: Asking, country: str, from_1904: bool, today: date | None
) -> Reading:
    """What a list says. today: after which nothing can have been written or counted; promotions and prices can."""
    columns, placeholders = without_empty_codes(found.table.columns, found.profile)
    export = Export(
        name, found.table, columns, found.choice, Rows(found.table), asking, found.profile, {}, country, from_1904,
        today, [*found.notes, *placeholders],
    )  # fmt: skip
    stretch = _day_of_all(export, found, today)
    missing = [f for f in ("date", "product") if export.choice.column(f) is None]
    if missing:
        return _unread(export, found, missing)
    name_variants(export)
    when = read_moments(export, False)
    product = _with_variants(export, product_codes(export))
    _leave_out(export, when, product, None if found.kind in PLANNED else today)
    told = told_of_products(export, product, columns_named(found.kind, "product", export.columns))
    taken = _taken(found.kind, export, when, product, stretch)
    # What could not be cut into cells may hold a name: of reviews it is counted, and let go.
    rejected = found.rejected if found.kind != REVIEWS else REJECTED_SCHEMA.empty_table()
    nothing = REJECTED_SCHEMA.empty_table()
    tables = {"products": products_of(told, pa.array(taken.used)), found.kind: taken.rows}
    parts = tuple((n, RawSource(name, t, rejected if n == found.kind else nothing)) for n, t in tables.items())
    return Reading(
        name, export.choice.columns, (), parts, tuple(asking.open), dict(asking.used), tuple(export.findings),
        tuple(export.notes), export.rows.left(found.rejected.num_rows),
        Totals(found.table.height, holds=found.kind, taken=taken.counts), when.zone, names=tuple(columns),
        profile=found.profile,
    )  # fmt: skip


def _taken(kind: str, export: Export, when: Moments, product: pa.Array, stretch: Stretch | None) -> Taken:
    if kind == INTEREST:
        return interest_rows(export, when, product, stretch)
    of_kind = {PROMOTIONS: promotion_rows, PRICES: price_rows, REVIEWS: reviews_rows}
    return of_kind[kind](export, when, product)


def _unread(export: Export, found: MarketList, missing: Sequence[str]) -> Reading:
    """A list without a column that it needs, and what to do. Where it may be another list, that comes first."""
    if export.asking.open:
        return Reading(
            export.name, export.choice.columns, questions=tuple(export.asking.open), names=tuple(export.columns),
            profile=export.profile,
        )  # fmt: skip
    names = shown(", ".join(export.columns))
    term = found.kind == INTEREST and export.choice.column("term") is not None and "product" in missing
    findings: list[Finding] = [
        finding("error", "heard.search_terms" if term else f"heard.no_{field}", export.name, columns=names)
        for field in missing
    ]
    return Reading(
        export.name, export.choice.columns, tuple(missing), findings=(*export.findings, *findings),
        notes=tuple(export.notes), totals=Totals(found.table.height, holds=found.kind), names=tuple(export.columns),
        profile=export.profile,
    )  # fmt: skip


def _day_of_all(export: Export, found: MarketList, today: date | None) -> Stretch | None:
    """Give a list of interest or of prices without dates the day, or the days, that it is of; the others need days of
    their own."""
    if export.choice.column("date") is not None or found.kind not in (INTEREST, PRICES):
        return None
    stretch = stretch_of(found.table, export.name, export.asking) if found.kind == INTEREST else None
    days: Cells | None
    if stretch is not None:
        days = Cells(pa.array([str(stretch.first)] * found.table.height, pa.string()))
    elif "stretch" in export.asking.used:
        return None  # refused
    else:
        days = day_of_list(found.table, export.choice, export.name, today, export.asking)
    if days is not None:
        export.columns = {PERIOD_COLUMN: days, **export.columns}
        export.choice = export.choice.with_guess("date", PERIOD_COLUMN)
        if stretch is None:
            export.notes.append(message("export.day_of_list", day=days.text[0]))
    return stretch


def _with_variants(export: Export, product: pa.Array) -> pa.Array:
    """(row,) codes of products, with their variant where one code stands for several."""
    variant = export.cells("variant")
    if variant is None:
        return product
    pairs = pa.table({"product": product, "variant": variant.text}).group_by(["product", "variant"]).aggregate([])
    told = pairs.filter(pc.is_valid(pairs["variant"]))
    if told.num_rows == pc.count_distinct(told["product"]).as_py():
        return product
    both = pc.binary_join_element_wise(product, variant.text, " / ", null_handling="emit_null")
    return pc.coalesce(both, product)


def _leave_out(export: Export, when: Moments, product: pa.Array, today: date | None) -> None:
    """Rows without a day or a product, sums, and rows of days to come."""
    codes = [cells for f in ("product", "name") if (cells := export.cells(f)) is not None]
    export.rows.drop("total", export.rows.totals(codes), None)
    there = ~not_a_day(when.days)
    dates = export.columns[export.choice.column("date") or ""]
    unread = ~there & dates.filled & export.rows.inside
    if unread.any():
        few = quoted_of(dates, unread, names_people(export.columns))
        export.findings.append(
            finding("warning", "heard.unread_date", export.name, column=export.choice.column("date"),
                    rows_affected=int(unread.sum()), count=f"{unread.sum():,}", value=", ".join(few))
        )  # fmt: skip
    export.rows.drop("unread_date", unread, None)
    export.rows.drop("no_date", ~there, None)
    export.rows.drop("no_product", pc.is_null(product).to_numpy(zero_copy_only=False), None)
    if today is None:
        return
    ahead = there & (when.days > (today - date(1970, 1, 1)).days + 1) & export.rows.inside  # a day: zones differ
    if ahead.any():
        last = np.datetime64(int(when.days[ahead].max()), "D")
        export.findings.append(
            finding("warning", "heard.to_come", export.name, column=export.choice.column("date"),
                    rows_affected=int(ahead.sum()), count=f"{ahead.sum():,}", value=str(last), today=str(today))
        )  # fmt: skip
    export.rows.drop("to_come", ahead, None)
