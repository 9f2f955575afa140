"""Rows of a list of reviews. Names, addresses and numbers of those who wrote them are left where they are; what is
personal within the texts is masked here already, so that no part of it gets further."""

import hashlib
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from datong.connectors.exports.cells import Cells
from datong.connectors.exports.date_column import Moments
from datong.connectors.exports.day_month_order import not_a_day
from datong.connectors.exports.export import Export
from datong.connectors.exports.market_lists.columns import REVIEWS, columns_named
from datong.connectors.exports.market_lists.rows_taken import Taken
from datong.connectors.exports.market_lists.star_ratings import MOST_STARS, read_stars
from datong.connectors.exports.order_line_keys import turns
from datong.connectors.exports.our_tables import APART, MARKETS, SUMMED, moments_of
from datong.connectors.exports.personal import names_people
from datong.connectors.exports.price_units_amount import quoted_of, texts_of
from datong.connectors.exports.questions import Option, Question
from datong.connectors.exports.vocabulary import market_list_cells, plain
from datong.ledger.masking import masked_column
from datong.ledger.row_checks import ROW, shown
from datong.model.findings import finding
from datong.model.words import message

# Ratings above 5 that are a scale of their own, rather than slips.
_OF_A_SCALE = 0.02
_SCALES = {"ten": 10.0, "hundred": 100.0}
_ALIKE = 3  # reviews alike in every word, from which on it is said


def reviews_rows(export: Export, when: Moments, product: pa.Array) -> Taken:
    """The reviews of a list; what is left out is in `export.rows`."""
    _leave_spam_out(export)
    text, title = _texts(export)
    rating, graded = _ratings(export)
    export.rows.drop("empty_review", (_nothing(text) & _nothing(title) & np.isnan(rating)), None)
    _say_who_is_left(export)
    inside = export.rows.inside
    columns: dict[str, pa.Array] = {
        "review": _keys(export, when, product, rating, title, text),
        "product": product,
        "happened_at": moments_of(when),
        "rating": pa.array(rating, pa.float64(), from_pandas=True),
        "title": title,
        "text": text,
    }
    if graded.any():
        columns["assumed"] = pc.if_else(pa.array(graded), pa.scalar("rating"), pa.scalar(None, pa.string()))
    if (market := export.cells("market")) is not None and export.asking.said(MARKETS, (SUMMED, APART)) == APART:
        columns["market"] = market.text
    columns[ROW] = pa.array(export.table.numbers, pa.int64())
    rows = pa.table(columns).filter(pa.array(inside))
    _say_of_equal(export, rows)
    return Taken(rows, inside, {REVIEWS: float(rows.num_rows)})


# --- texts -------------------------------------------------------------------------------------------------------


def _texts(export: Export) -> tuple[pa.Array, pa.Array]:
    """(row,) texts and titles, masked; null where the buyer wrote nothing. What was added later stands below."""
    text, more, title = (_written(export, field) for field in ("text", "more", "title"))
    both = pc.binary_join_element_wise(text, more, "\n", null_handling="emit_null")
    return _masked(pc.coalesce(both, text, more)), _masked(title)


def _written(export: Export, field: str) -> pa.Array:
    """(row,) what buyers wrote into a column, null where the platform says that they wrote nothing."""
    cells = export.cells(field)
    if cells is None:
        return pa.nulls(export.table.height, pa.string())
    short = pc.if_else(pc.less(pc.utf8_length(cells.text), 40), cells.text, None)
    known = [t for t in short.unique().drop_null().to_pylist() if plain(t) in market_list_cells("nothing")]
    if not known:
        return cells.text
    standing = pc.fill_null(pc.is_in(cells.text, pa.array(known, pa.string())), False)
    export.notes.append(
        message("heard.standing_texts", column=export.choice.column(field), count=f"{pc.sum(standing).as_py():,}",
                text=shown(known[0]))
    )  # fmt: skip
    return pc.if_else(standing, pa.scalar(None, pa.string()), cells.text)


def _masked(texts: pa.Array) -> pa.Array:
    return masked_column(pa.chunked_array([texts])).combine_chunks()


def _nothing(texts: pa.Array) -> np.ndarray:
    return pc.is_null(texts).to_numpy(zero_copy_only=False)


def _leave_spam_out(export: Export) -> None:
    for name in columns_named(REVIEWS, "shown", export.columns):
        texts = export.columns[name].text.unique().drop_null().to_pylist()
        words = [text for text in texts if plain(text) in market_list_cells("spam")]
        if words:
            rows = pc.fill_null(pc.is_in(export.columns[name].text, pa.array(words, pa.string())), False)
            export.rows.drop("state", rows.to_numpy(zero_copy_only=False), None, shown(words[0]))


def _say_who_is_left(export: Export) -> None:
    taken = {guess.column for guess in export.choice.columns}
    people = [name for name in columns_named(REVIEWS, "reviewer", export.columns) if name not in taken]
    if people:
        export.notes.append(message("heard.people_left", columns=", ".join(map(shown, people))))


# --- ratings -----------------------------------------------------------------------------------------------------


def _ratings(export: Export) -> tuple[np.ndarray, np.ndarray]:
    """(row,) stars from 1 to 5, NaN where there are none; bool, made of words. A rating outside them is left open, and
    said: the review stays."""
    cells = export.cells("rating")
    size = export.table.height
    if cells is None:
        return np.full(size, np.nan), np.zeros(size, bool)
    values, graded, unread = read_stars(cells)
    values = _scaled(export, cells, values)
    if graded.any():
        export.notes.append(message("heard.graded", column=export.choice.column("rating"), count=f"{graded.sum():,}"))
    outside = export.rows.inside & (unread | (values < 1) | (values > MOST_STARS))
    if outside.any():
        export.findings.append(
            finding("warning", "heard.rating_outside", export.name, column=export.choice.column("rating"),
                    rows_affected=int(outside.sum()), count=f"{outside.sum():,}",
                    value=", ".join(quoted_of(cells, outside, names_people(export.columns))))
        )  # fmt: skip
    return np.where(unread | (values < 1) | (values > MOST_STARS), np.nan, values), graded


def _scaled(export: Export, cells: Cells, values: np.ndarray) -> np.ndarray:
    """Ratings on a scale to 10 or to 100, as somebody says."""
    there = export.rows.inside & ~np.isnan(values)
    above = there & (values > MOST_STARS)
    if not above.any() or above.sum() < _OF_A_SCALE * there.sum() or values[there].max() > max(_SCALES.values()):
        return values
    name = "ten" if values[there].max() <= _SCALES["ten"] else "hundred"
    factor = MOST_STARS / _SCALES[name]
    mean = float(np.maximum(values[there] * factor, 1).mean())
    options = (
        Option(name, message(f"heard.reading.scale_{name}", mean=f"{mean:.2f}")),
        Option("stars", message("heard.reading.scale_stars", count=f"{above.sum():,}")),
    )
    asks = message("heard.asks.rating_scale", most=f"{values[there].max():g}")
    of = export.profile.key if export.profile is not None else plain(export.choice.column("rating") or "")
    question = Question(
        f"rating_scale:{of}", asks, (export.choice.column("rating") or "",), texts_of(cells, above), options
    )
    return np.maximum(values * factor, 1) if export.asking.ask(question) == name else values


# --- keys --------------------------------------------------------------------------------------------------------


def _keys(
    export: Export, when: Moments, product: pa.Array, rating: np.ndarray, title: pa.Array, text: pa.Array
) -> pa.Array:
    """(row,) key of a review: its number on the platform, or else its words, with its day and product; of equal ones
    without a number, its turn. The words are those that are kept, masked."""
    day = _days(when)
    code = pc.fill_null(product, "")
    number = export.cells("key")
    said = _digests(rating, title, text)
    own = pa.array(said, pa.string()) if number is None else pc.coalesce(number.text, pa.array(said, pa.string()))
    key = pc.binary_join_element_wise(own, day, code, "/")
    turn = turns(key)
    again = pc.binary_join_element_wise(key, pc.cast(pa.array(turn), pa.string()), "#")
    return pc.if_else(pa.array(turn > 1), again, key)


def _days(when: Moments) -> pa.Array:
    there = ~not_a_day(when.days)
    day = pa.array(np.where(there, when.days, 0).astype(np.int32), pa.int32(), mask=~there).cast(pa.date32())
    return pc.fill_null(pc.cast(day, pa.string()), "")


def _digests(rating: np.ndarray, *texts: pa.Array) -> list[str]:
    """16 hex digits of what is said in each row."""
    parts: Sequence[list[str | None]] = [part.to_pylist() for part in texts]
    rows = zip(rating.tolist(), *parts, strict=True)
    return [hashlib.sha256(repr(row).encode()).hexdigest()[:16] for row in rows]


def _say_of_equal(export: Export, rows: pa.Table) -> None:
    """That many reviews of a product are alike in every word."""
    told = rows.filter(pc.is_valid(rows["text"])).select(["product", "text"])
    groups = told.group_by(["product", "text"], use_threads=False).aggregate([([], "count_all")])
    many = groups.filter(pc.greater_equal(groups["count_all"], _ALIKE)).sort_by([("count_all", "descending")])
    if many.num_rows:
        first = many.slice(0, 1).to_pylist()[0]
        export.findings.append(
            finding("note", "heard.equal_reviews", export.name, rows_affected=pc.sum(many["count_all"]).as_py(),
                    count=f"{pc.sum(many['count_all']).as_py():,}", most=f"{first['count_all']:,}",
                    value=shown(first["text"]))
        )  # fmt: skip
