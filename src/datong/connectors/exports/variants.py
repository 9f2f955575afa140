"""Variants of products: told apart where the codes of products do not do so, or summed under the product's name."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from datong.connectors.exports.cells import Cells
from datong.connectors.exports.columns import is_destroyed
from datong.connectors.exports.export import Export
from datong.connectors.exports.left_out_counts import rows_where
from datong.connectors.exports.number_columns import Numbers
from datong.connectors.exports.price_units_amount import codes_of
from datong.connectors.exports.profiles import present
from datong.connectors.exports.questions import Option, Question
from datong.connectors.exports.vocabulary import plain, words
from datong.ledger.row_checks import shown
from datong.model.words import message

VARIANTS, APART, TOGETHER = "variants", "apart", "together"
# What may be said of codes that a spreadsheet has rounded: what has several names goes by these, or by the code.
ROUNDED_CODES, BY_NAME, BY_CODE = "rounded_codes", "by_name", "by_code"
_BETWEEN = ", "  # a product and its variant
_SHOWN = 3


def name_variants(export: Export) -> None:
    """Names of products with their variant, and numbers that a platform gives to all variants of a product, where it
    keeps the variant in a column of its own."""
    profile = export.profile
    if profile is None:
        return
    of_names = present((*profile.columns.get("name", ()), *profile.listings), export.columns)
    named = {n for f in ("name", "product") if (n := export.choice.column(f)) in of_names and n is not None}
    for name in named:
        variants = [v for v in present(profile.variant, export.columns) if export.columns[v].filled.any()]
        for variant in variants:
            export.columns[name] = _joined(export.columns[name], export.columns[variant])
        if variants and name == export.choice.column("product"):
            export.notes.append(message("export.variants_told", column=name, variants=", ".join(variants)))


def tell_variants_apart(export: Export, numbers: Numbers) -> None:
    """Products of which a column names several variants: each variant by itself, or all together, as somebody says.
    What holds several variants goes by the name of the product alone."""
    product = export.choice.column("product") or ""
    columns, variant = _variants(export, export.columns[product])
    told_before = bool(columns) and VARIANTS in export.asking.answers
    several = told_before or _several(export, export.columns[product], variant).any()
    chosen = _ask(export, numbers, columns, variant) if several else ""
    if chosen == TOGETHER:
        count = pc.count_distinct(variant.text.filter(pa.array(export.rows.inside))).as_py()
        export.notes.append(message("export.variants_summed", column=", ".join(columns), count=count))
    if chosen == APART:
        variant = _of_names_alone(export, variant)
        export.columns[product] = _joined(export.columns[product], variant)
        name = export.choice.column("name")
        if name is not None and name not in columns and not _is_joined(export, name):
            export.columns[name] = _joined(export.columns[name], variant)
    _name_without_variant(export)


def name_rounded_codes(export: Export) -> None:
    """Codes that a spreadsheet has rounded may be of several products: where rows with one of them have several names,
    the products with such codes go by their names, here and in the lists that come after this one."""
    product, name = export.choice.column("product") or "", export.cells("name")
    if name is None or export.asking.said(ROUNDED_CODES, (BY_NAME, BY_CODE)) == BY_CODE:
        return
    cells = export.columns[product]
    rounded = rows_where(cells, is_destroyed) & name.filled
    if ROUNDED_CODES not in export.asking.answers and not (rounded & _several(export, cells, name)).any():
        return
    if rounded.any():
        export.columns[product] = Cells(pc.if_else(pa.array(rounded), name.text, cells.text), cells.kind)
        export.asking.used[ROUNDED_CODES] = BY_NAME
        export.notes.append(message("export.rounded_codes", column=product, count=f"{int(rounded.sum()):,}"))


def _variants(export: Export, product: Cells) -> tuple[list[str], Cells]:
    """(row,) the variant, and the columns that tell it: each one that says more than those before it."""
    chosen: list[str] = []
    variant = Cells(pa.nulls(export.table.height, pa.string()))
    for name in _columns_of_variants(export):
        said = _texts(export.columns[name])
        if _several(export, _joined(product, variant), said).any() or not (variant.filled & said.filled).any():
            variant = Cells(pc.coalesce(_joined(variant, said).text, said.text))
            chosen += [name] if said.filled.any() else []
    return chosen, variant


def _of_names_alone(export: Export, variant: Cells) -> Cells:
    """The variant, where some products go by their name and the codes of all others tell variants apart: of those that
    go by their name alone."""
    product = export.choice.column("product") or ""
    coded = export.table.columns.get(product, export.columns[product]).filled
    if coded.all() or (_several(export, export.columns[product], variant) & coded).any():
        return variant
    return Cells(pc.if_else(pa.array(coded), pa.scalar(None, pa.string()), variant.text))


def _columns_of_variants(export: Export) -> list[str]:
    """Columns that name variants by their headers, and that no other field takes."""
    own = () if export.profile is None else present(export.profile.variant, export.columns)
    taken = {guess.column for guess in export.choice.columns if guess.field != "name"}
    hidden = () if export.profile is None else present(export.profile.ignored, export.columns)
    headed = [n for n in export.columns if n in own or plain(n) in words("variants", "headers")]
    name = export.choice.column("name")
    return [n for n in headed if n not in taken and n not in hidden and (n != name or n not in own)]


def _several(export: Export, product: Cells, variant: Cells) -> np.ndarray:
    """(row,) bool: of a product of which rows that count name several variants."""
    codes, said = codes_of(product), codes_of(variant)
    inside = export.rows.inside & (codes > 0) & (said > 0)
    pairs = np.unique(np.stack([codes, said])[:, inside], axis=1)[0]
    return np.bincount(pairs, minlength=int(codes.max(initial=0)) + 1)[codes] > 1


def _ask(export: Export, numbers: Numbers, columns: list[str], variant: Cells) -> str:
    """Whether each variant is a product of its own, with what the one of most units comes to by each reading."""
    product = export.choice.column("product") or ""
    cells = export.columns[product]
    units = np.where(export.rows.inside, np.abs(np.nan_to_num(numbers.units)), 0.0)
    rows = _several(export, cells, variant)
    apart = _joined(cells, variant)
    together, each = _sums(cells, units, rows), _sums(apart, units, rows)
    first = next(iter(together), "")
    of_first = [(n, u) for n, u in each.items() if n == first or n.startswith(f"{first}{_BETWEEN}")]
    options = (
        Option(APART, message("export.reading.variants_apart", products=_count(export, apart),
                              units=_said(of_first))),
        Option(TOGETHER, message("export.reading.variants_together", products=_count(export, cells),
                                 units=_said([(first, together.get(first, 0.0))]))),
    )  # fmt: skip
    named = ", ".join(columns)
    asks = message("export.asks.variants", column=shown(named), product=product, count=len(together))
    samples = tuple(map(shown, variant.text.filter(pa.array(rows)).drop_null().unique().slice(0, _SHOWN).to_pylist()))
    return export.asking.ask(Question(VARIANTS, asks, tuple(columns), samples, options))


def _count(export: Export, cells: Cells) -> int:
    return pc.count_distinct(cells.text.filter(pa.array(export.rows.inside))).as_py()


def _sums(cells: Cells, units: np.ndarray, rows: np.ndarray) -> dict[str, float]:
    """The units of each text of a column over some of its rows, most first."""
    table = pa.table({"text": cells.text, "units": units}).filter(pa.array(rows & cells.filled))
    sums = table.group_by("text", use_threads=False).aggregate([("units", "sum")])
    found = zip(sums["text"].to_pylist(), sums["units_sum"].to_pylist(), strict=True)
    return dict(sorted(found, key=lambda pair: (-pair[1], pair[0])))


def _said(sums: list[tuple[str, float]]) -> str:
    more = "; ..." if len(sums) > _SHOWN else ""
    return "; ".join(f"{shown(text)}: {units:,.10g}" for text, units in sums[:_SHOWN]) + more


def _is_joined(export: Export, name: str) -> bool:
    """Whether the platform's variant is a part of the names of a column already."""
    profile = export.profile
    return (
        profile is not None
        and name in present(profile.columns.get("name", ()), export.columns)
        and bool(present(profile.variant, export.columns))
    )


def _name_without_variant(export: Export) -> None:
    """Products whose rows have several names by their variants alone: each goes by the name without the variant."""
    name, product = export.choice.column("name"), export.choice.column("product") or ""
    if name is None or name == product or not _is_joined(export, name):
        return
    rows = _several(export, export.columns[product], export.columns[name])
    bare = export.table.columns[name].text
    kept = pc.if_else(pa.array(rows), bare, export.columns[name].text)
    export.columns[name] = Cells(kept, export.columns[name].kind)


def _texts(variant: Cells) -> Cells:
    """What a column of variants says; null where that is nothing: default, 无规格."""
    said = variant.text.dictionary_encode()
    nothing = [plain(text) in words("variants", "none") for text in said.dictionary.to_pylist()]
    bare = pa.array([None if none else text for none, text in zip(nothing, said.dictionary.to_pylist(), strict=True)])
    return Cells(bare.cast(pa.string()).take(said.indices))


def _joined(cells: Cells, variant: Cells) -> Cells:
    """Texts with their variant, where it says something; of two variants the one that is there."""
    text = _texts(variant).text
    both = pc.binary_join_element_wise(cells.text, text, _BETWEEN, null_handling="emit_null")
    return Cells(pc.coalesce(both, cells.text), cells.kind)
