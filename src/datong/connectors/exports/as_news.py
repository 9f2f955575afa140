"""What of an export is news to a chain: rows that it holds as they are stay out, and those that it holds with other
figures are news of now."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from datong.connectors.exports.identities import CODES
from datong.connectors.exports.left_out_counts import LeftOut
from datong.connectors.exports.market_lists.columns import PLANNED
from datong.connectors.exports.market_lists.reviews_known_again import known_again
from datong.connectors.exports.matching.decide import Decided
from datong.connectors.exports.questions import Asking, Option, Question
from datong.connectors.exports.result import Reading
from datong.connectors.files.read import RawSource
from datong.ledger.product_aliases import ALIASES, with_products
from datong.ledger.row_checks import REJECTED_SCHEMA, ROW, shown
from datong.ledger.state import State
from datong.model.findings import finding
from datong.model.settings import ChainSettings
from datong.model.words import message

# The column that holds the key of a row, by table.
LINE_KEYS = {"sales": "sale", "returns": "return", "reviews": "review", "interest": "interest", ALIASES: "alias"}
# What makes a row another one, and which of it are figures.
_COMPARED = ("product", "units", "price", "market", "rating", "title", "text", "count", "name")
_FIGURES = ("units", "price", "rating", "count")
# Whether counts of interest that an earlier list had otherwise correct it.
INTEREST_AGAIN, CORRECTS, REFUSE = "interest_again", "corrects", "refuse"
_MOMENT = pa.timestamp("us", tz="UTC")
# Last days of a list that are still counted; fewest rows that two lists must share, and the share of them that differ,
# from which on it is asked.
_STILL_COUNTED, _LEAST_SHARED, _MOSTLY = 3, 10, 0.5
_MOST_NAMED = 5  # products in a finding


@dataclass(frozen=True, eq=False)
class Coming:
    """parts: rows of our tables that are to be taken in, by name. known: how many the chain has as they are, by table.
    corrected: lines of orders that it holds with other units, each with those before and now. reading: the reading,
    with what waits for a product to be known."""

    parts: tuple[tuple[str, RawSource], ...]
    known: Mapping[str, int]
    reading: Reading
    corrected: tuple[tuple[str, float, float], ...] = ()


def coming_in(reading: Reading, decided: Decided, held: State, now: datetime, world: datetime) -> Coming:
    """What of a reading is to be taken in. decided: what its products are. held: all that the chain holds. now: by the
    chain's clock, which in declared history stands still; world: by that of the world."""
    parts: list[tuple[str, RawSource]] = []
    waiting: pa.Table | None = None
    known_lines: dict[str, int] = {}
    corrected: list[tuple[str, float, float]] = []
    products = held.table("products")["product"].combine_chunks()
    for name, source in _with_aliases(reading, decided):
        rows = source.rows
        if name == "products":
            rows = _new_products(rows, products, decided.by_alias) if reading.holds == "sales" else rows.slice(0, 0)
        elif name in LINE_KEYS:
            if name == "reviews":
                rows = rows.set_column(rows.column_names.index("review"), "review", known_again(held.table(name), rows))
            if name != ALIASES:
                rows = _of_products(rows, decided.by_alias)
            rows = _since_when_known(rows, held.settings)
            if LINE_KEYS[name] in rows.column_names:
                corrected += (
                    _corrections(held.table(name), LINE_KEYS[name], rows) if "units" in rows.column_names else []
                )
                rows, same = as_news(held.table(name), LINE_KEYS[name], rows, now, world)
                if name != ALIASES:
                    known_lines[name] = same
            if reading.holds != "sales" and name == reading.holds:
                waiting = _of_unknown(rows, products)
        elif name in PLANNED:  # a ledger tells their rows apart by itself
            rows = _of_products(rows, decided.by_alias)
            waiting = _of_unknown(rows, products)
        if rows.num_rows or source.rejected.num_rows:
            parts.append((name, RawSource(reading.name, rows, source.rejected)))
    reading = reading if waiting is None or not waiting.num_rows else _without(reading, waiting)
    return Coming(tuple(parts), known_lines, reading, tuple(corrected))


def _without(reading: Reading, waiting: pa.Table) -> Reading:
    """A reading of reviews or interest without the rows that wait for their product to be known: what they count is not
    in yet."""
    taken = dict(reading.totals.taken)
    for kind in taken:
        if kind == reading.holds:
            taken[kind] -= waiting.num_rows
        else:
            of_kind = waiting.filter(pc.equal(waiting["kind"], kind))
            taken[kind] -= pc.sum(of_kind["count"]).as_py() or 0.0
    count = pc.count_distinct(waiting[ROW]).as_py()
    codes = waiting["product"].unique().to_pylist()
    names = ", ".join(map(shown, codes[:_MOST_NAMED])) + (", …" if len(codes) > _MOST_NAMED else "")
    told = finding(
        "warning", "heard.unknown_products", reading.name, rows_affected=count, count=f"{len(codes):,}", codes=names,
        code=shown(codes[0]), kind=message(f"heard.kind_{reading.holds}"),
    )  # fmt: skip
    return replace(
        reading,
        left=(*reading.left, LeftOut("waits", count, None)),
        totals=replace(reading.totals, taken=taken),
        findings=(*reading.findings, told),
    )


def whose_interest(reading: Reading, held: State, answers: Mapping[str, str]) -> tuple[Question, ...]:
    """A question, where a list of interest has other counts than an earlier one for most of what both have: it may be
    of another shop, whose counts would take the place of those. The last days, which are still counted, do not count.
    """
    rows = reading.part("interest")
    if rows is None or not rows.num_rows:
        return ()
    before = held.table("interest")
    place = pc.index_in(rows["interest"], before["interest"].combine_chunks())
    both = rows.append_column("place", place).filter(pc.is_valid(place))
    if not both.num_rows:
        return ()
    days = both["happened_at"].cast(pa.date32())
    settled = pc.less(days, pc.max(days).as_py() - timedelta(days=_STILL_COUNTED))
    both = both.filter(settled)
    earlier = before["count"].take(both["place"].combine_chunks())
    other = int(pc.sum(pc.greater(pc.abs(pc.subtract(both["count"], earlier)), 1e-9)).as_py() or 0)
    if both.num_rows < _LEAST_SHARED or other <= _MOSTLY * both.num_rows:
        return ()
    words = {"count": f"{other:,}", "shared": f"{both.num_rows:,}"}
    changed = pc.greater(pc.abs(pc.subtract(both["count"], earlier)), 1e-9)
    was, now = (counts.filter(changed).slice(0, 3).to_pylist() for counts in (earlier, both["count"]))
    samples = tuple(f"{a:,.10g} / {b:,.10g}" for a, b in zip(was, now, strict=True))
    options = tuple(Option(n, message(f"heard.reading.again_{n}", **words)) for n in (CORRECTS, REFUSE))
    asking = Asking(answers)
    asking.ask(Question(INTEREST_AGAIN, message("heard.asks.again", **words), (), samples, options))
    return tuple(asking.open)


def _of_unknown(rows: pa.Table, products: pa.Array) -> pa.Table:
    """Rows of products that the chain does not have."""
    return rows.filter(pc.invert(pc.is_in(rows["product"], products)))


def _with_aliases(reading: Reading, decided: Decided) -> list[tuple[str, RawSource]]:
    parts = list(reading.parts)
    if decided.aliases is not None:
        numbers = pa.array(range(1, decided.aliases.num_rows + 1), pa.int64())
        rows = decided.aliases.append_column(ROW, numbers)
        parts.append((ALIASES, RawSource(reading.name, rows, REJECTED_SCHEMA.empty_table())))
    return parts


def _since_when_known(rows: pa.Table, settings: ChainSettings) -> pa.Table:
    """Rows whose `known_at` is a day, with its end in its place; of a live chain they are known when they arrive."""
    if "known_at" not in rows.column_names:
        return rows
    known = rows["known_at"]
    rows = rows.drop_columns(["known_at"])
    if settings.history == "live":
        return rows
    days = known.unique().drop_null()
    midnights = pa.array([settings.calendar.midnight(day + timedelta(days=1)) for day in days.to_pylist()], _MOMENT)
    return rows.append_column("known_at", midnights.take(pc.index_in(known, days).combine_chunks()))


def _new_products(rows: pa.Table, products: pa.Array, by_alias: Mapping[str, str]) -> pa.Table:
    """Products that the chain does not have, and that stand for none of its own."""
    others = pa.array([alias for alias, product in by_alias.items() if alias != product], pa.string())
    rows = rows.drop_columns([CODES]) if CODES in rows.column_names else rows
    return rows.filter(pc.invert(pc.or_(pc.is_in(rows["product"], products), pc.is_in(rows["product"], others))))


def _of_products(rows: pa.Table, by_alias: Mapping[str, str]) -> pa.Table:
    place = rows.column_names.index("product")
    return rows.set_column(place, "product", with_products(rows["product"], by_alias))


def _corrections(held: pa.Table, key: str, rows: pa.Table) -> list[tuple[str, float, float]]:
    """Lines that the ledger holds with other units: each with its units before and now."""
    place = pc.index_in(rows[key], held[key].combine_chunks())
    there = pc.and_(pc.is_valid(place), pc.is_valid(rows[key]))
    ours = rows["units"].cast(pa.float64())
    before = held["units"].take(place.combine_chunks())
    other = pc.fill_null(pc.and_(there, pc.greater(pc.abs(pc.subtract(ours, before)), 1e-9)), False)
    columns = (values.filter(other).to_pylist() for values in (rows[key], before, ours))
    return list(zip(*columns, strict=True))


def as_news(held: pa.Table, key: str, rows: pa.Table, now: datetime, world: datetime) -> tuple[pa.Table, int]:
    """Rows without those that the ledger holds as they are, and how many these are. One that is there with other
    figures is news of now: before, the other was known. now, world: see `coming_in`."""
    compared = [c for c in _COMPARED if c in rows.column_names and c != key]
    place = pc.index_in(rows[key], held[key].combine_chunks())
    there = pc.and_(pc.is_valid(place), pc.is_valid(rows[key]))
    before = held.select(compared).take(place.combine_chunks())
    same = there
    for column in compared:
        ours, theirs = rows[column].cast(held.schema.field(column).type), before[column]
        if column == "market":  # where none is told, the default is
            ours = pc.coalesce(ours, pa.scalar("all"))
        if column in _FIGURES:
            equal = pc.less_equal(pc.abs(pc.subtract(ours, theirs)), 1e-9)
        else:
            equal = pc.equal(ours, theirs)
        both_null = pc.and_(pc.is_null(ours), pc.is_null(theirs))
        same = pc.and_(same, pc.or_(pc.fill_null(equal, False), both_null))
    news = pc.if_else(there, pa.scalar(now), pa.scalar(None, _MOMENT))
    if "known_at" in rows.column_names:  # what is new may say since when it is known, never later than now
        known, moment = _of_what_is_new(rows["known_at"], there), pa.scalar(max(now, world), _MOMENT)
        news = pc.coalesce(news, pc.if_else(pc.greater(known, moment), moment, known))
        rows = rows.drop_columns(["known_at"])
    rows = rows.append_column("known_at", news).filter(pc.invert(same))
    return rows, int(pc.sum(same).as_py() or 0)


def _of_what_is_new(known: pa.ChunkedArray, there: pa.ChunkedArray) -> pa.ChunkedArray:
    """Since when rows are known; what rows say that the ledger holds already, the last of the others says."""
    latest, new = pc.max(known), pc.invert(there).to_numpy()
    if latest.as_py() is None or not new.any() or pc.any(pc.is_valid(known.filter(pa.array(new)))).as_py():
        return known
    last = np.arange(len(new)) == np.flatnonzero(new)[-1]
    return pc.if_else(pa.array(last), latest, known)
