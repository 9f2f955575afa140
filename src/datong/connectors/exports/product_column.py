"""Which column the products are, and what is in it: codes, names with their variant, nothing."""

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from datong.connectors.exports.cells import Cells
from datong.connectors.exports.codes import read_codes, without_placeholders
from datong.connectors.exports.columns import header_score, with_column
from datong.connectors.exports.export import Export
from datong.connectors.exports.price_units_amount import (
    codes_of,
    samples_of,
)
from datong.connectors.exports.profiles import Profile, present
from datong.connectors.exports.questions import Option, Question
from datong.model.words import Message, message

_LEAST_ORDERS = 12  # which show that a column names each by itself
_SURE = 0.8  # of a guess, so that its column holds products whatever its cells look like
_DIGITS_OF_COUNTS = 2
_NAMED = 0.4  # of a header's score, so that it names a product


def without_empty_codes(
    columns: Mapping[str, Cells], profile: Profile | None
) -> tuple[dict[str, Cells], list[Message]]:
    """The columns, with codes and names empty that say that there is none, as null or 无; and how many these were."""
    own = () if profile is None else present(profile.columns.get("product", ()), columns)
    result, notes = dict(columns), []
    for name, cells in columns.items():
        if name in own or max(header_score(f, name) for f in ("product", "name")) >= _NAMED:
            result[name], count = without_placeholders(cells)
            if count:
                notes.append(message("export.placeholders", column=name, count=f"{count:,}"))
    return result, notes


def names_orders(product: Cells, order: Cells) -> bool:
    """Whether a column names orders: each of many orders has one value of its own, on all of its lines."""
    values, orders = codes_of(product), codes_of(order)
    there = (values > 0) & (orders > 0)
    pairs = np.unique(np.stack([values, orders])[:, there], axis=1)
    count = pairs.shape[1]
    return count >= _LEAST_ORDERS and count == len(np.unique(pairs[0])) == len(np.unique(pairs[1]))


def ask_for_product(export: Export) -> None:
    """Several columns of codes and none that is named: which one the products are is a question."""
    chosen = export.choice.column("product") or ""
    name = export.choice.column("name")
    if name is not None and _may_count(export, chosen):
        options = [Option(n, message("export.reading.product", count=pc.count_distinct(export.columns[n].text).as_py()))
                   for n in (name, chosen)]  # fmt: skip
        question = Question("product_column", message("export.asks.product_counts", column=chosen), (name, chosen),
                            samples_of(export.columns[chosen]), tuple(options))  # fmt: skip
        if export.asking.ask(question) == name:
            export.choice = with_column(export.choice, "product", name)
        return
    spare = [n for n in export.choice.spare_products if n == chosen or not _follows(export, n, chosen)]
    if len(spare) < 2:
        return
    counts = {n: pc.count_distinct(export.columns[n].text).as_py() for n in spare}
    options = [Option(n, message("export.reading.product", count=counts[n])) for n in spare]
    options.sort(key=lambda o: o.name != export.choice.column("product"))
    question = Question("product_column", message("export.asks.product_column"), tuple(spare), (), tuple(options))
    chosen = export.asking.ask(question)
    export.choice = with_column(export.choice, "product", chosen)


def _may_count(export: Export, product: str) -> bool:
    """Whether a column of products, named by a part of its header alone, holds nothing but small whole numbers, as one
    that counts something does."""
    guess = next(g for g in export.choice.columns if g.field == "product")
    if export.profile is not None or "product" in export.known or guess.confidence >= _SURE:
        return False
    texts = export.columns[product].text.drop_null().unique().to_pylist()
    return bool(texts) and all(text.isdecimal() and len(text) <= _DIGITS_OF_COUNTS and text[0] != "0" for text in texts)


def _follows(export: Export, name: str, product: str) -> bool:
    """Whether a column says nothing more than the product or the market: a group of either."""
    leading = [n for n in (product, export.choice.column("market")) if n is not None and n != name]
    own = codes_of(export.columns[name])
    for other in leading:
        codes = codes_of(export.columns[other])
        if len(np.unique(codes * (own.max() + 1) + own)) == len(np.unique(codes)):
            return True
    return False


def product_codes(export: Export) -> pa.Array:
    """(row,) codes of products, as they are written; null where there is none."""
    name = export.choice.column("product") or ""
    product, notes, findings = read_codes(export.columns[name], export.rows.inside, name, export.name)
    export.notes += notes
    export.findings += findings
    return product
