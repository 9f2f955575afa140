"""Lines of orders that stand there once for every state or change that they went through: each counts once."""

import numpy as np

from datong.connectors.exports.columns import tokens
from datong.connectors.exports.date_column import Moments
from datong.connectors.exports.day_month_order import decide_order, not_a_day, read_dates
from datong.connectors.exports.export import Export
from datong.connectors.exports.left_out_counts import FEW
from datong.connectors.exports.number_columns import Numbers
from datong.connectors.exports.price_units_amount import codes_of, texts_of
from datong.connectors.exports.questions import Option, Question
from datong.connectors.exports.vocabulary import plain
from datong.model.words import message

LINE_STATES, LAST, FIRST, ALL = "line_states", "last", "first", "all"
# Of so many lines, and of this share of all that stand there again, no state is there twice: then it is no chance.
_LEAST_LINES = 3
_UNLIKE = 0.9
_CHANGED = frozenset({"update", "updated", "modified", "changed", "edited", "geandert", "aktualisiert", "modifie",
                      "actualizado", "modificado"})  # fmt: skip
_CHANGED_ZH = ("更新", "修改", "变更")


def leave_earlier_states_out(export: Export, numbers: Numbers, when: Moments) -> np.ndarray:
    """(row,) bool: rows of a line that stands there again in another state, or changed at another time, and alike in
    all else; all but one of each are left out, after a question where they are more than a few."""
    nothing = np.zeros(export.table.height, bool)
    changed = [n for n in export.columns if n != export.choice.column("date") and _tells_change(n)]
    telling = (*export.choice.states, *changed)
    if export.cells("order") is None or not telling or export.table.wide:
        return nothing
    rows = np.flatnonzero(export.rows.inside & export.columns[export.choice.column("order") or ""].filled)
    if not len(rows):
        return nothing
    line = _numbered(export, rows, [n for n in export.columns if n not in telling])
    row = _numbered(export, rows, list(export.columns))
    lines, states = np.bincount(line), np.bincount(line[np.unique(row, return_index=True)[1]], minlength=line.max() + 1)
    again = lines > 1
    unlike = again & (lines == states)
    if unlike.sum() < max(_LEAST_LINES, _UNLIKE * again.sum()):
        return nothing
    order = _in_time(export, changed, rows)
    superseded = {
        LAST: _all_but_last(line, order) & unlike[line],
        FIRST: _all_but_last(line, order[::-1]) & unlike[line],
    }
    readings = (LAST, FIRST) if changed or _goes_on(when.days[rows]) else (FIRST, LAST)
    masks = {reading: _mask(len(nothing), rows[superseded[reading]]) for reading in readings}
    chosen = _chosen(export, numbers, telling, masks, int(unlike.sum()))
    if chosen == ALL:
        return nothing
    export.rows.drop("earlier_state", masks[chosen], numbers.units)
    return masks[chosen]


def _chosen(
    export: Export, numbers: Numbers, telling: tuple[str, ...], masks: dict[str, np.ndarray], lines: int
) -> str:
    """Which row of each line counts."""
    out = next(iter(masks.values()))
    amount = np.abs(np.nan_to_num(numbers.units))
    units = f"{amount[out].sum():,.10g}"
    inside = export.rows.inside
    part = max(out.sum() / inside.sum(), amount[out].sum() / max(1e-9, amount[inside].sum()))
    if part <= FEW and LINE_STATES not in export.asking.answers:
        return next(iter(masks))
    kept = f"{amount[inside & ~out].sum():,.10g}"
    options = [Option(n, message(f"export.reading.line_states_{n}", units=units, kept=kept)) for n in masks]
    options.append(Option(ALL, message("export.reading.line_states_all", units=f"{amount[inside].sum():,.10g}")))
    column = ", ".join(telling)
    asks = message("export.asks.line_states", count=f"{lines:,}", column=column)
    samples = texts_of(export.columns[telling[0]], out) if export.choice.states else ()
    return export.asking.ask(Question(LINE_STATES, asks, telling, samples, tuple(options)))


def _tells_change(name: str) -> bool:
    """Whether a header says when a row was changed."""
    return bool(set(tokens(name)) & _CHANGED) or any(word in plain(name) for word in _CHANGED_ZH)


def _numbered(export: Export, rows: np.ndarray, names: list[str]) -> np.ndarray:
    """(row,) a number for all that is alike in some columns."""
    alike = np.zeros(len(rows), np.int64)
    for name in names:
        own = codes_of(export.columns[name].take(rows))
        alike = np.unique(alike * (int(own.max(initial=0)) + 1) + own, return_inverse=True)[1]
    return alike


def _in_time(export: Export, changed: list[str], rows: np.ndarray) -> np.ndarray:
    """Places of rows in the order in which they were changed, where it is told; else as they stand."""
    if not changed:
        return np.arange(len(rows))
    column = read_dates(export.columns[changed[0]].take(rows), False)
    order = decide_order(column, (), False).order
    days = column.days.get(order, next(iter(column.days.values())))
    return np.lexsort((np.arange(len(rows)), column.seconds, np.where(not_a_day(days), 0, days)))


def _all_but_last(line: np.ndarray, order: np.ndarray) -> np.ndarray:
    last = np.full(int(line.max(initial=0)) + 1, -1)
    last[line[order]] = order
    return last[line] != np.arange(len(line))


def _goes_on(days: np.ndarray) -> bool:
    """Whether a file begins with its earliest days."""
    there = days[~not_a_day(days)]
    return len(there) == 0 or bool(there[0] <= there[-1])


def _mask(size: int, rows: np.ndarray) -> np.ndarray:
    mask = np.zeros(size, bool)
    mask[rows] = True
    return mask
