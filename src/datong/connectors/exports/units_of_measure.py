"""Quantities of one list in several units of measure: those of one kind are converted, as g and kg; how many pieces are
in a carton is told by the prices, and asked."""

import re
from collections.abc import Mapping, Sequence

import numpy as np

from datong.connectors.exports.export import Export
from datong.connectors.exports.numbers import NumberColumn, written
from datong.connectors.exports.price_units_amount import codes_of
from datong.connectors.exports.questions import Option, Question
from datong.connectors.exports.vocabulary import plain, units_of_measure
from datong.ledger.row_checks import shown
from datong.model.errors import Refused
from datong.model.fractional_units import is_measure
from datong.model.words import message

MIXED, BY_PRICE, AS_ONE = "mixed_units", "by_price", "as_one"
_CLOSE = 0.02  # of a whole number of pieces, for prices that are rounded or a little lower by the carton
_ALIKE = 0.3  # of the logarithm of how many times larger a price is
_QUANTITIES = ("units", "cancelled_units", "returned_units", "shipped_units")
_MOST_PIECES = 10_000
# Units that say how many pieces one holds.
_HOLDS = re.compile(
    r"(?:box|boxes|pack|packs|packet|case|cases|carton|cartons|ctn|bag|bags|set|sets|bundle|tray|roll|pallet|karton"
    r"|packung|beutel|boite|caja|paquete|scatola|箱|盒|包|袋|组|套|捆|托)"
    r" ?[(（\[]?(?:of |a |à |de |da |von |mit |with |x ?|× ?|/|= ?)?([1-9]\d{0,3})"
    r"(?: ?(?:pcs|pc|pieces|stk|stuck|ea|[件个只支片瓶包袋盒]))?\.?[)）\]]?"
    r"|([1-9]\d{0,3})[- ]?(?:pack|er pack|er-pack|pk|pcs/box|pcs/ctn|pcs/carton|[件个只支片瓶盒袋包]/[箱盒包袋])"
)


def in_one_measure(
    export: Export, column: NumberColumn | None, name: str, by_field: Mapping[str, np.ndarray]
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Quantities and prices of one unit of measure, by their fields; and (row,) the unit that they are in then, None
    where it is none that is known, or pieces. column, name: of the units."""
    result = dict(by_field)
    of_row, names, where = _measures(export, column, name)
    product = codes_of(export.columns[export.choice.column("product") or ""])
    pairs = np.unique(np.stack([product, of_row])[:, (product > 0) & (of_row < len(names))], axis=1)[0]
    nothing = np.full(export.table.height, None, object)
    own = np.array([*(name if is_measure(name) else None for name in names), None], object)[of_row]
    if len(names) < 2 or len(np.unique(pairs)) == len(pairs):  # each product has one unit of its own
        return result, own
    known = _known_factors(names)
    if known is not None:
        if len(set(known)) > 1:
            largest = max(known)
            known = known if 1.0 in known else [factor / largest for factor in known]
            factors = np.array([*known, 1.0])[of_row]
            told = ", ".join(f"1 {shown(n)} = {f:.10g}" for n, f in zip(names, known, strict=True))
            export.notes.append(
                message("export.converted", column=where, factors=told, unit=shown(_base(names, known)))
            )
            base = _base(names, known)
            there = np.array([*([base if is_measure(base) else None] * len(names)), None], object)[of_row]
            return _converted(result, factors, product, of_row), there
        return result, own
    given = _given_factors(export, names)
    if given is not None:
        told = ", ".join(f"1 {shown(n)} = {f:.10g}" for n, f in zip(names, given, strict=True))
        export.notes.append(message("export.pieces_in", column=where, factors=told))
        return _converted(result, np.array([*given, 1.0])[of_row], product, of_row), nothing
    quantity = np.abs(np.nan_to_num(result["units"]))
    found = _factors_by_price(export, of_row, len(names), result)
    units = shown(", ".join(names))
    options = [Option(AS_ONE, message("export.reading.as_one", units=units, count=f"{quantity.sum():,.10g}"))]
    if found is not None:
        told = ", ".join(_said_factor(n, found[of_row == i]) for i, n in enumerate(names))
        count = f"{(quantity * found).sum():,.10g}"
        options.insert(0, Option(BY_PRICE, message("export.reading.by_price", factors=told, count=count)))
    asks = message("export.asks.mixed_units", column=where, units=units, example=_example(names))
    chosen = export.asking.ask(Question(MIXED, asks, (where,), tuple(names), tuple(options), _example(names)))
    by_price = found is not None and chosen == BY_PRICE
    return (_converted(result, found, product, of_row) if by_price else result), nothing


def _measures(export: Export, column: NumberColumn | None, name: str) -> tuple[np.ndarray, Sequence[str], str]:
    """(row,) place of the unit of measure of each row, one past the last for none; their names; and the column that
    tells them: one of its own, or that of the units."""
    nothing = np.zeros(export.table.height, np.int64)
    measure = export.choice.counted_in
    if measure is not None:
        encoded = export.columns[measure].text.dictionary_encode()
        texts = encoded.dictionary.to_pylist()
        of_text, where = [plain(text).rstrip(".") for text in texts], measure
    elif column is not None and len(column.units) > 1:
        encoded = export.columns[name].text.dictionary_encode()
        read = [written(text) for text in encoded.dictionary.to_pylist()]
        of_text, where = ["" if w is None else w.unit for w in read], name
        texts = of_text
    else:
        return nothing, (), ""
    names: dict[str, str] = {}
    for unit, text in zip(of_text, texts, strict=True):
        if unit:
            names.setdefault(unit, text)
    order = sorted(names)
    place = {unit: i for i, unit in enumerate(order)}
    at = np.array([place.get(unit, len(order)) for unit in of_text] + [len(order)])
    rows = encoded.indices.fill_null(len(of_text)).to_numpy(zero_copy_only=False)
    return at[rows], [names[unit] for unit in order], where


def _given_factors(export: Export, names: Sequence[str]) -> list[float] | None:
    """How many pieces are in one of each unit of measure, as somebody answered: 箱:12,盒:6, the others one. Raises
    Refused for an answer that names another unit, or no number."""
    given = export.asking.answers.get(MIXED, "")
    if not given or given in (BY_PRICE, AS_ONE):
        return None
    found = {plain(name): _pieces_in_name(name) or 1.0 for name in names}
    for part in re.split(r"[,，;；]", given):
        unit, _, number = part.replace("：", ":").rpartition(":")
        read = written(number.strip())
        value = None if read is None else read.point
        if plain(unit) not in found or value is None or value <= 0:
            said = {"given": given, "example": _example(names), "units": ", ".join(names)}
            raise Refused(message("export.reading.bad_factors", **said))
        found[plain(unit)] = value
    export.asking.used[MIXED] = given
    return list(found.values())


def _example(names: Sequence[str]) -> str:
    """How the pieces in a unit are answered, by the unit that is most likely to hold several."""
    pieces = units_of_measure()["count"]
    name = next((n for n in names if plain(n).rstrip(".") not in pieces), names[-1])
    return f"{name}:12"


def _pieces_in_name(name: str) -> float | None:
    """How many pieces a unit says that one of it holds: box of 100, 12-pack, 箱/24件; None where it says none."""
    found = _HOLDS.fullmatch(plain(name))
    return None if found is None else float(next(filter(None, found.groups())))


def _known_factors(names: Sequence[str]) -> list[float] | None:
    """How much one of each is, where all are of one kind: mass, volume, length, or a count; None where they are not."""
    for kind, factors in units_of_measure().items():
        found = [
            factors.get(plain(name).rstrip(".")) or (_pieces_in_name(name) if kind == "count" else None)
            for name in names
        ]
        if all(found):
            return [float(f) for f in found if f is not None]
    return None


def _base(names: Sequence[str], factors: Sequence[float]) -> str:
    """The unit of measure that the others are converted to."""
    return next(n for n, f in zip(names, factors, strict=True) if f == 1)


def _factors_by_price(
    export: Export, of_row: np.ndarray, count: int, by_field: Mapping[str, np.ndarray]
) -> np.ndarray | None:
    """(row,) pieces in one of each row's unit; None where the prices do not tell. Each product tells it of its own;
    one that does not is as all others are."""
    product = codes_of(export.columns[export.choice.column("product") or ""])
    units, amount, price = (by_field.get(f) for f in ("units", "amount", "price"))
    if units is None or (amount is None and price is None):
        return None
    with np.errstate(divide="ignore", invalid="ignore"):
        cost = price if amount is None else np.abs(amount / units)
    assert cost is not None
    usual = _usual(product, of_row, count, cost)
    several = usual[(~np.isnan(usual)).sum(axis=1) > 1]
    if not len(several):
        return None
    relative = several / np.nanmin(several, axis=1, keepdims=True)
    base = min(range(count), key=lambda i: float(np.median([r for r in relative[:, i] if r == r] or [np.inf])))
    ratio = usual / usual[:, [base]]
    factors = np.ones((len(usual), count + 1))
    for measure in range(count):
        told = ratio[~np.isnan(ratio[:, measure]), measure]
        whole = np.round(told)
        if not len(told) or (np.abs(told - whole) > _CLOSE * whole).any() or not 1 <= whole.min() <= _MOST_PIECES:
            return None
        rest = whole[0] if len(set(whole.tolist())) == 1 else np.nan
        own = np.round(ratio[:, measure])
        factors[:, measure] = np.where(np.isnan(own), rest, own)
    of = factors[product, of_row]
    return None if np.isnan(of).any() or (of == 1).all() else of


def _usual(product: np.ndarray, of_row: np.ndarray, count: int, cost: np.ndarray) -> np.ndarray:
    """(product, unit of measure) the middle one of what one costs, NaN where it is not sold so."""
    result = np.full((int(product.max()) + 1, count), np.nan)
    there = np.isfinite(cost) & (cost > 0) & (of_row < count)
    for key in np.unique(product[there] * count + of_row[there]).tolist():
        at, measure = divmod(key, count)
        result[at, measure] = np.median(cost[there & (product == at) & (of_row == measure)])
    return result


def _said_factor(name: str, factors: np.ndarray) -> str:
    """How many pieces are in one, of all products."""
    low, high = int(factors.min()), int(factors.max())
    return f"1 {shown(name)} = {low}" if low == high else f"1 {shown(name)} = {low}-{high}"


def _converted(
    by_field: Mapping[str, np.ndarray], factors: np.ndarray, product: np.ndarray, of_row: np.ndarray
) -> dict[str, np.ndarray]:
    """Quantities times their factors; prices of one unit divided by theirs, where they are as much larger: else they
    are of the same unit in all rows already, or of the row. (row,) each."""
    result = dict(by_field)
    for wanted in _QUANTITIES:
        if wanted in result:
            result[wanted] = result[wanted] * factors
    if "price" not in result:
        return result
    count = int(of_row.max()) + 1
    size = [float(np.median(factors[of_row == i])) if (of_row == i).any() else np.nan for i in range(count)]
    base = int(np.nanargmin(np.abs(np.log(size))))
    usual = _usual(product, of_row, count, result["price"])
    for measure in range(count):
        ratio = usual[:, measure] / usual[:, base]
        ratio = ratio[~np.isnan(ratio)]
        if len(ratio) and abs(np.log(np.median(ratio) * size[base] / size[measure])) < _ALIKE:
            rows = of_row == measure
            result["price"] = np.where(rows, result["price"] / factors, result["price"])
    return result
