"""A sales export as products, sales and returns: its table, columns, numbers, dates, codes and states, one after the
other, each by the evidence of the whole file. What is not sure is a question; what is left out is counted. A list of
reviews or of interest goes its own way (market_lists/reading.py)."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from types import MappingProxyType

import pyarrow as pa

from datong.connectors.exports.alike_sheets import one_table
from datong.connectors.exports.bundles import leave_bundles_out
from datong.connectors.exports.cells import Cells, without_errors
from datong.connectors.exports.columns import (
    REQUIRED,
    Choice,
    choose_columns,
    header_score,
    with_order_amounts,
    with_true_reasons,
    without_amount,
)
from datong.connectors.exports.date_column import ask_for_date, read_moments
from datong.connectors.exports.day_of_list import day_of_list
from datong.connectors.exports.export import Export
from datong.connectors.exports.figures_down import figures_down
from datong.connectors.exports.filled_down import carry, date_by_profile, is_of_order, told_of_rows
from datong.connectors.exports.group_heads import groups_down
from datong.connectors.exports.is_list_of_sales import ask_for_file, is_no_list_of_sales
from datong.connectors.exports.last_bucket import OfChain, with_last_bucket
from datong.connectors.exports.left_out import leave_extra_cells_out, leave_out
from datong.connectors.exports.left_out_counts import Rows
from datong.connectors.exports.market_lists.reading import read_market_list
from datong.connectors.exports.market_lists.which_list import market_list
from datong.connectors.exports.markets_across import markets_down
from datong.connectors.exports.number_columns import read_figures, sold_by_measure
from datong.connectors.exports.order_line_keys import lines_of
from datong.connectors.exports.other_units import ask_for_other_units
from datong.connectors.exports.our_tables import our_tables
from datong.connectors.exports.personal import names_people
from datong.connectors.exports.price_units_amount import quoted_of
from datong.connectors.exports.product_column import (
    ask_for_product,
    names_orders,
    product_codes,
    without_empty_codes,
)
from datong.connectors.exports.products_across import products_down
from datong.connectors.exports.products_in_cells import products_of_cells
from datong.connectors.exports.profiles import Profile, as_profiled, built_in, present, recognised
from datong.connectors.exports.questions import Asking
from datong.connectors.exports.read_grids import Grids, read_grids
from datong.connectors.exports.result import Reading, Totals
from datong.connectors.exports.reversals import leave_reversed_out
from datong.connectors.exports.running_totals import without_running_totals
from datong.connectors.exports.spoiled_order_numbers import leave_numbers_out, part_spoiled_numbers
from datong.connectors.exports.spread_over_days import WEEK, spread_lines, stretches_of, told_of_spread
from datong.connectors.exports.stages_of_sales import leave_stages_out
from datong.connectors.exports.states_of_lines import leave_earlier_states_out
from datong.connectors.exports.sums_of_markets import leave_sums_of_markets_out
from datong.connectors.exports.table import (
    AMOUNT_COLUMN,
    MARKET_COLUMN,
    PERIOD_COLUMN,
    PRICE_COLUMN,
    PRODUCT_COLUMN,
    UNITS_COLUMN,
    Table,
)
from datong.connectors.exports.units_column import units_column
from datong.connectors.exports.units_of_returns import with_units_of_returns
from datong.connectors.exports.units_sold import units_sold
from datong.connectors.exports.variants import name_rounded_codes, name_variants, tell_variants_apart
from datong.connectors.exports.year_of_list import year_of_list
from datong.connectors.files.read import RawSource
from datong.ledger.customer_tokens import findings_without_texts
from datong.ledger.row_checks import REJECTED_SCHEMA, shown
from datong.model.findings import Finding, finding
from datong.model.words import message

_NAMED = 0.5  # of a header's score, so that it names a quantity
_NAMED_DATE = 0.6  # of a header's score, so that its cells should be dates
# Columns that were made of the table's shape.
_MADE = {
    "date": PERIOD_COLUMN, "units": UNITS_COLUMN, "product": PRODUCT_COLUMN, "market": MARKET_COLUMN,
    "amount": AMOUNT_COLUMN, "price": PRICE_COLUMN,
}  # fmt: skip


def read_export(
    path: Path,
    answers: Mapping[str, str] = MappingProxyType({}),
    country: str = "",
    known: Mapping[str, str] = MappingProxyType({}),
    profiles: Sequence[Profile] | None = None,
    today: date | None = None,
    bucket_days: int = WEEK,
) -> Reading:
    """Read a file as sales, or as reviews or interest. Never raises for what is in it; Refused for an answer that is
    none of the readings.

    answers: readings by the key of their question. country: ISO code, for the zone of moments with an offset. known:
    the header of each field whose column is known already. profiles: of platforms that may be recognised; None: those
    that come with Datong. today: what a list without any date may be of, and what no sale is later than; None
    where it is not known. bucket_days: in which the chain plans.
    """
    return read_from(read_grids(path), path.name, answers, country, known, profiles, today, OfChain(bucket_days))


def read_from(
    grids: Grids,
    name: str,
    answers: Mapping[str, str] = MappingProxyType({}),
    country: str = "",
    known: Mapping[str, str] = MappingProxyType({}),
    profiles: Sequence[Profile] | None = None,
    today: date | None = None,
    chain: OfChain | None = None,
) -> Reading:
    """The same, of a file whose grids are there, and for a chain that has sales."""
    asking = Asking(answers)
    if not grids.grids:
        return Reading(name, (), REQUIRED, findings=grids.findings, notes=grids.notes)
    profiles = built_in() if profiles is None else profiles
    found = None if known else market_list(grids.grids, name, asking, profiles)
    if found is not None:
        reading = read_market_list(found, name, asking, country, grids.from_1904, today)
        return replace(reading, findings=(*grids.findings, *reading.findings), notes=(*grids.notes, *reading.notes))
    table, rejected, more = one_table(grids.grids, name, asking)
    table = products_of_cells(year_of_list(groups_down(table, asking), today, asking))
    profile = recognised(profiles, list(table.columns))
    if profile is None:
        ask_for_file(name, asking)
    else:
        asking.settled = profile.answers
    known = {wanted: column for wanted, column in known.items() if column in table.columns}
    notes = [*grids.notes, *more, *table.notes]
    figures = figures_down(table, asking) if profile is None and "units" not in known else None
    if figures is not None:
        notes += figures[0].notes[len(table.notes) :]
        table, known = figures[0], {**known, "units": figures[1]}
    columns, placeholders = without_empty_codes(without_errors(table.columns), profile)
    errors = {name: int(cells.errors.sum()) for name, cells in table.columns.items()}
    if any(errors.values()):
        named = shown(", ".join(name for name, count in errors.items() if count))
        notes.append(message("export.errors_empty", count=f"{sum(errors.values()):,}", columns=named))
    across = products_down(table, _chosen(table, columns, profile, known), asking)
    if across is not None:
        notes += across.notes[len(table.notes) :]
        table = across
        columns = without_errors(table.columns)
    choice = _chosen(table, columns, profile, known)
    if choice.column("date") is None and (dates := day_of_list(table, choice, name, today, asking)) is not None:
        columns = {PERIOD_COLUMN: dates, **columns}
        choice = _chosen(table, columns, profile, known)
        notes.append(message("export.day_of_list", day=dates.text[0]))
    if "units" not in known and (profile is None or "units" not in profile.fixed(columns)):
        of_markets = markets_down(replace(table, columns=columns), choice, asking)
        if of_markets is not None:
            notes += of_markets[0].notes[len(table.notes) :]
            table, known = of_markets[0], {**known, "units": of_markets[1]}
            columns = without_errors(table.columns)
            choice = _chosen(table, columns, profile, known)
    export = Export(
        name, table, columns, choice, Rows(table), asking, profile, known, country,
        grids.from_1904, today, [*notes, *placeholders],
    )  # fmt: skip
    missing = _missing(export)
    if missing:
        return Reading(
            name, export.choice.columns, missing, findings=_said(export, grids.findings),
            notes=tuple(export.notes), names=tuple(columns), profile=profile,
        )  # fmt: skip
    return _read(export, grids.findings, rejected, chain or OfChain())


def _chosen(table: Table, columns: Mapping[str, Cells], profile: Profile | None, known: Mapping[str, str]) -> Choice:
    """Which column is which: as the platform, somebody or the shape of the table says, else by words and cells. What
    stands on the first line of each order only is an amount of the order, and the next best is that of the row; what
    names each order by another number is none of a product, where another column may be."""
    of_order: list[str] = []
    others: list[str] = []
    while True:
        left = {n: c for n, c in columns.items() if n not in of_order and n not in others}
        choice = _chosen_of(table, left, profile, known)
        amount, order, product = (choice.column(f) for f in ("amount", "order", "product"))
        if profile is None and "product" not in known and order is not None and product is not None:
            rest = [n for n in left if n not in (product, order) and header_score("product", n) >= _NAMED]
            if rest and names_orders(columns[product], columns[order]):
                others.append(product)
                continue
        if amount is None or order is None or not is_of_order(columns[amount], columns[order]):
            return with_order_amounts(choice, {name: columns[name] for name in of_order})
        of_order.append(amount)


def _chosen_of(table: Table, columns: Mapping[str, Cells], profile: Profile | None, known: Mapping[str, str]) -> Choice:
    fixed = {} if profile is None else profile.fixed(columns)
    fixed |= known
    fixed |= {wanted: made for wanted, made in _MADE.items() if made in columns}
    hidden = set() if profile is None else {*present(profile.ignored, columns)} - {*fixed.values()}
    choice = choose_columns({n: c for n, c in columns.items() if n not in hidden}, fixed)
    if profile is not None:
        choice = as_profiled(choice, profile, columns)
    return without_amount(choice) if table.wide else choice


def _missing(export: Export) -> tuple[str, ...]:
    """Fields without which nothing can be read, and that no column fits; "sales" for a list of something else."""
    missing = tuple(f for f in REQUIRED if export.choice.column(f) is None)
    if not missing and (all_errors := _quantities_of_errors(export)) is not None:
        export.findings.append(all_errors)
        return ("units",)
    columns = shown(", ".join(export.columns))
    unread = _unread_dates(export) if "date" in missing else None
    export.findings += [] if unread is None else [unread]
    missing_of = [f for f in missing if f != "date" or unread is None]
    export.findings += [finding("error", f"export.no_{f}", export.name, columns=columns) for f in missing_of]
    return missing or (("sales",) if is_no_list_of_sales(export) else ())


def _quantities_of_errors(export: Export) -> Finding | None:
    """What is said of a column that is named as one of quantities, where no other one is and all its cells are errors
    of a spreadsheet."""
    for name, cells in export.table.columns.items() if export.choice.column("units") is None else ():
        errors = int(cells.errors.sum())
        if errors and errors == cells.filled.sum() and header_score("units", name) >= _NAMED:
            return finding(
                "error", "export.error_cells_cell", export.name, column=name, rows_affected=errors,
                count=f"{errors:,}", units="0",
            )  # fmt: skip
    return None


def _unread_dates(export: Export) -> Finding | None:
    """What is said of a column that is named as one of dates, and whose cells are none that can be read."""
    for name, cells in export.columns.items():
        if header_score("date", name) >= _NAMED_DATE and cells.filled.any():
            cell = quoted_of(cells, cells.filled, names_people(export.columns))[0]
            return finding("error", "export.unread_dates", export.name, column=name, header=name, value=cell)
    return None


def _said(export: Export, findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """What is said of the file, without what it quotes of rows that could not be read where it names customers."""
    found = (*findings, *export.findings)
    return findings_without_texts(found) if export.choice.column("customer") is not None else found


def _read(export: Export, findings: Sequence[Finding], rejected: pa.Table, chain: OfChain) -> Reading:
    """Step by step: columns, gaps, numbers, dates, rows that are left out, codes, what was sold, our tables."""
    ask_for_date(export)
    ask_for_product(export)
    name_variants(export)
    leave_extra_cells_out(export)
    told = told_of_rows(export)
    spoiled = part_spoiled_numbers(export)
    carry(export)
    leave_numbers_out(export, spoiled)
    date_by_profile(export, told)
    units = units_column(export)
    ask_for_other_units(export, units)
    numbers = read_figures(export, units)
    when = read_moments(export, numbers.comma_decimals)
    numbers = with_units_of_returns(export, numbers)
    numbers = without_running_totals(export, numbers, when)
    numbers = leave_out(export, numbers, when, told)
    leave_bundles_out(export, numbers)
    leave_sums_of_markets_out(export, numbers, when)
    leave_stages_out(export, numbers, when)
    leave_reversed_out(export, numbers, when)
    name_rounded_codes(export)
    tell_variants_apart(export, numbers)
    product = product_codes(export)
    earlier = leave_earlier_states_out(export, numbers, when)
    lines = lines_of(export, numbers, when, product, earlier)
    sold, returned = units_sold(export, numbers, product, lines)
    stretches = stretches_of(export, when, product, sold + returned, chain.bucket_days)
    tables = our_tables(export, numbers, when, product, lines.keys, sold, returned, stretches)
    spread = None
    if stretches is not None:
        lines, spread = spread_lines(lines, stretches), told_of_spread(stretches, sold + returned)
    else:
        tables["sales"], still_open = with_last_bucket(tables["sales"], when.zone, export.today, chain)
        export.notes += [] if still_open is None else [still_open]
    nothing = REJECTED_SCHEMA.empty_table()
    parts = tuple((n, RawSource(export.name, t, rejected if n == "sales" else nothing)) for n, t in tables.items())
    guesses = with_true_reasons(export.choice.columns, export.asking.used, export.known)
    return Reading(
        export.name, guesses, (), parts, tuple(export.asking.open), dict(export.asking.used),
        _said(export, findings), tuple(export.notes), export.rows.left(rejected.num_rows),
        Totals(export.table.read_rows, round(float(sold.sum()), 9), round(float(returned.sum()), 9), spread=spread,
               by_measure=sold_by_measure(numbers.measures, sold)),
        when.zone,
        lines, tuple(export.columns), export.profile,
        numbers.currency,
    )  # fmt: skip
