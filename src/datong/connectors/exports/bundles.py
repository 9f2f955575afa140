"""Sets that are sold, and below each the goods that are in it at no price: one of both is counted."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from datong.connectors.exports.export import Export
from datong.connectors.exports.number_columns import Numbers
from datong.connectors.exports.price_units_amount import codes_of, texts_of
from datong.connectors.exports.questions import Option, Question
from datong.connectors.exports.vocabulary import plain, words
from datong.ledger.row_checks import shown
from datong.model.words import message

BUNDLES = "bundles"
_MOST_TYPES = 8
_LEAST_BUNDLES = 3


def leave_bundles_out(export: Export, numbers: Numbers) -> None:
    """Of a set and its parts one is kept, after a question: where a column tells lines of sets from lines of parts, all
    parts have no price and stand below their set, and each set has parts."""
    order = export.cells("order")
    price = numbers.by_field.get("price", numbers.by_field.get("amount"))
    if order is None or price is None:
        return
    rows = np.flatnonzero(export.rows.inside)
    of = codes_of(order)[rows]
    is_free = np.nan_to_num(price[rows]) == 0
    taken = {c.column for c in export.choice.columns if c.field not in ("kind", "state")}
    for name, cells in export.columns.items():
        values = cells.text.unique().drop_null().to_pylist()
        if name in taken or not 1 < len(values) <= _MOST_TYPES:
            continue
        at = pc.index_in(cells.text, pa.array(values)).fill_null(-1).to_numpy(zero_copy_only=False)[rows]
        for part, word in enumerate(values):
            bundle = _bundle_of(at, part, of, is_free) if _names_part(word) else None
            if bundle is not None:
                _ask(export, numbers, name, (values[bundle], rows[at == bundle]), (word, rows[at == part]))
                return


def _names_part(word: str) -> bool:
    """Whether a type of lines has a word for a set or what is in it: gifts may stand at no price, too."""
    said = plain(word)
    return any(known in said for known in words("lists", "parts_of_sets"))


def _bundle_of(at: np.ndarray, part: int, of: np.ndarray, is_free: np.ndarray) -> int | None:
    """The type of lines below which all lines of a type stand, each of which has one; None where there is none. at:
    (row,) type; of: (row,) order."""
    is_part = at == part
    if not is_part.any() or not is_free[is_part].all():
        return None
    begins = np.flatnonzero(is_part & ~np.concatenate([[False], is_part[:-1] & (of[1:] == of[:-1])]))
    if begins[0] == 0 or (of[begins - 1] != of[begins]).any():
        return None
    above = np.unique(at[begins - 1])
    if len(above) != 1 or above[0] < 0 or len(begins) < _LEAST_BUNDLES or (at == above[0]).sum() != len(begins):
        return None
    return int(above[0])


def _ask(
    export: Export, numbers: Numbers, name: str, bundle: tuple[str, np.ndarray], part: tuple[str, np.ndarray]
) -> None:
    units = [float(np.nansum(np.abs(numbers.units[rows]))) for _, rows in (bundle, part)]
    of = {"parts": f"{units[1]:,.10g}", "bundles": f"{units[0]:,.10g}", "both": f"{sum(units):,.10g}"}
    options = tuple(Option(n, message(f"export.reading.bundles_{n}", units=u)) for n, u in of.items())
    asks = message("export.asks.bundles", column=name, bundle=shown(bundle[0]), part=shown(part[0]))
    product = export.columns[export.choice.column("product") or ""]
    masks = [np.isin(np.arange(export.table.height), rows) for _, rows in (bundle, part)]
    chosen = export.asking.ask(Question(BUNDLES, asks, (name,), texts_of(product, masks[0]), options))
    for left, mask, (word, _) in zip(("parts", "bundles"), masks, (bundle, part), strict=True):
        if chosen == left:
            export.rows.drop("bundle", mask, numbers.units, f"{shown(name)}: {shown(word)}")
