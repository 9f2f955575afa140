"""Documents of several stages of the same sales, as an order, its delivery note and its invoice: which of them count is
a question."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from datong.connectors.exports.cells import Cells
from datong.connectors.exports.columns import header_score
from datong.connectors.exports.date_column import Moments
from datong.connectors.exports.export import Export
from datong.connectors.exports.number_columns import Numbers
from datong.connectors.exports.price_units_amount import codes_of
from datong.connectors.exports.questions import Option, Question
from datong.connectors.exports.vocabulary import plain, words
from datong.ledger.row_checks import shown
from datong.model.words import message

STAGES, ALL = "stages", "all"
_MOST_KINDS = 8
_LEAST_ROWS = 8  # of a kind: fewer may be alike by chance
_ALIKE = 0.95  # share of the rows of the larger kind that have their like in the other
_MOST_DAYS = 45  # from one stage of a sale to the next


def leave_stages_out(export: Export, numbers: Numbers, when: Moments) -> None:
    """Of kinds of documents that repeat the same goods one is kept, after a question."""
    for name in _columns_of_kinds(export):
        kinds, at = _kinds_of_sales(export.columns[name], export.rows.inside)
        if len(kinds) < 2:
            continue
        key = codes_of(export.columns[export.choice.column("product") or ""])
        units = np.unique(np.round(np.nan_to_num(numbers.units), 6), return_inverse=True)[1]
        goods = key * (int(units.max()) + 1) + units
        repeated = _repeating([(goods[rows], when.days[rows]) for rows in at])
        if len(repeated) > 1:
            _ask(export, numbers, name, [kinds[i] for i in repeated], [at[i] for i in repeated])
            return


def _ask(export: Export, numbers: Numbers, name: str, kinds: Sequence[str], rows: Sequence[np.ndarray]) -> None:
    sums = [float(np.nansum(np.abs(numbers.units[r]))) for r in rows]
    options = [Option(k, message("export.reading.stage", units=f"{u:,.10g}")) for k, u in zip(kinds, sums, strict=True)]
    options.append(Option(ALL, message("export.reading.all_stages", units=f"{sum(sums):,.10g}")))
    asks = message("export.asks.stages", column=name, kinds=", ".join(map(shown, kinds)))
    chosen = export.asking.ask(Question(STAGES, asks, (name,), tuple(map(shown, kinds)), tuple(options)))
    for kind, of_kind in zip(kinds, rows, strict=True):
        if chosen not in (ALL, kind):
            mask = np.zeros(export.table.height, bool)
            mask[of_kind] = True
            export.rows.drop("stage", mask, numbers.units, f"{shown(name)}: {shown(kind)}")


def _columns_of_kinds(export: Export) -> list[str]:
    """Columns that name kinds of documents: by their header, or by their words."""
    taken = {c.column for c in export.choice.columns if c.field not in ("kind", "state", "market")}
    known = words("kinds", "sale") | words("kinds", "return") | words("kinds", "nothing")
    found = []
    for name, cells in export.columns.items():
        if name in taken or name in export.choice.states:
            continue
        values = cells.text.unique().drop_null()
        if 1 < len(values) <= _MOST_KINDS and (
            header_score("kind", name) >= 0.4 or {plain(v) for v in values.to_pylist()} <= known
        ):
            found.append(name)
    return found


def _kinds_of_sales(cells: Cells, inside: np.ndarray) -> tuple[list[str], list[np.ndarray]]:
    """The values of a column that are none of a return or of no sale, and the rows of each."""
    no_sale = words("kinds", "return") | words("kinds", "nothing")
    kinds, rows = [], []
    for value in cells.text.unique().drop_null().to_pylist():
        there = pc.fill_null(pc.equal(cells.text, pa.scalar(value)), False).to_numpy(zero_copy_only=False) & inside
        if plain(value) not in no_sale and there.sum() >= _LEAST_ROWS:
            kinds.append(value)
            rows.append(np.flatnonzero(there))
    return kinds, rows


def _repeating(kinds: Sequence[tuple[np.ndarray, np.ndarray]]) -> list[int]:
    """Places of the kinds that repeat the goods of one of them: that of the most others. kinds: (row,) goods and (row,)
    day of each."""
    best: list[int] = []
    for one in range(len(kinds)):
        group = [two for two in range(len(kinds)) if two == one or _are_alike(kinds[one], kinds[two])]
        best = group if len(group) > len(best) else best
    return best


def _are_alike(one: tuple[np.ndarray, np.ndarray], two: tuple[np.ndarray, np.ndarray]) -> bool:
    """Whether two kinds hold the same goods: each row of nearly all has its like in the other, in the order of their
    days, and all of these of one kind on the same day as the other's or soon after."""
    largest = max(len(one[0]), len(two[0]))
    (goods, days), (other_goods, other_days) = (_in_order(*kind) for kind in (one, two))
    turn, other_turn = _turns(goods), _turns(other_goods)
    base = int(max(goods.max(), other_goods.max())) + 1
    _, at, other_at = np.intersect1d(turn * base + goods, other_turn * base + other_goods, return_indices=True)
    if len(at) < _ALIKE * largest:
        return False
    lag = other_days[other_at] - days[at]
    return any(((way >= 0) & (way <= _MOST_DAYS)).mean() >= _ALIKE for way in (lag, -lag))


def _in_order(goods: np.ndarray, days: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    order = np.argsort(days, kind="stable")
    return goods[order], days[order]


def _turns(goods: np.ndarray) -> np.ndarray:
    """(row,) how many rows of the same goods stand before it."""
    order = np.argsort(goods, kind="stable")
    ordered = goods[order]
    first = np.searchsorted(ordered, ordered, side="left")
    result = np.empty(len(goods), np.int64)
    result[order] = np.arange(len(goods)) - first
    return result
