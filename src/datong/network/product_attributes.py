"""What buyers choose products by: attribute and value of each product, from three sources, the first that says so.

1. The table `product_attributes`. 2. The columns colour, size and brand of `products`. 3. What the product's name says
(ledger/product_names): this is read, not stated, and whoever shows it says so. One attribute under two names (颜色 and
colour), and one value in two spellings or languages (black and 黑色), is one; it is called as it is written most often.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from datong.ledger.product_names.attributes import attributes_of, meanings, word_in
from datong.ledger.product_names.comparable_words import plain
from datong.ledger.state import State

# What an attribute is called in a name, and in the tables, by what it is known as here.
IN_NAMES = {
    "colours": "colour",
    "sizes": "size",
    "measures": "measure",
    "counts": "pack",
    "materials": "material",
    "flavours": "flavour",
}
COLUMNS = ("colour", "size", "brand")
KNOWN_AS = {
    "colour": ("colour", "color", "颜色", "色"),
    "size": ("size", "尺码", "尺寸", "码数"),
    "brand": ("brand", "品牌"),
    "measure": ("measure", "规格", "容量"),
    "pack": ("pack", "件数", "包装数"),
    "material": ("material", "材质", "面料", "材料"),
    "flavour": ("flavour", "flavor", "口味", "味道", "香型"),
}
_CALLED = {plain(word): name for name, words in KNOWN_AS.items() for word in words}
# Stands between the values of a product that has several of one attribute.
AND = " + "


@dataclass(frozen=True)
class Attribute:
    """name: as known here, or as written in the table. values: by product, as it is written most often. from_names:
    products of which the value was read from their name."""

    name: str
    values: Mapping[str, str]
    from_names: frozenset[str]


def product_attributes(state: State) -> tuple[Attribute, ...]:
    """By name; what only one product has, or what all have the same of, is none to choose by and is left out."""
    stated: dict[str, dict[str, str]] = {}
    for row in state.table("product_attributes").select(["product", "attribute", "value"]).to_pylist():
        name = _CALLED.get(plain(row["attribute"]), row["attribute"].strip())
        stated.setdefault(name, {}).setdefault(row["product"], row["value"].strip())
    products = state.table("products").select(["product", "name", *COLUMNS]).to_pylist()
    for row in products:
        for name in COLUMNS:
            if row[name] and row[name].strip():
                stated.setdefault(name, {}).setdefault(row["product"], row[name].strip())
    read: dict[str, dict[str, str]] = {}
    for row in products:
        for kind, words in attributes_of(row["name"] or "").told().items():
            if words and kind in IN_NAMES:
                said = AND.join(word_in(row["name"], word) for word in sorted(words))
                read.setdefault(IN_NAMES[kind], {})[row["product"]] = said
    names = sorted({*stated, *read})
    found = (_attribute(name, stated.get(name, {}), read.get(name, {})) for name in names)
    return tuple(one for one in found if len(set(one.values.values())) > 1)


def _attribute(name: str, stated: Mapping[str, str], read: Mapping[str, str]) -> Attribute:
    written = {**read, **stated}
    spellings: dict[str, Counter[str]] = {}
    for value in written.values():
        spellings.setdefault(_meant(name, value), Counter())[value] += 1
    called = {key: min(words, key=lambda w: (-words[w], w)) for key, words in spellings.items()}
    values = {product: called[_meant(name, value)] for product, value in sorted(written.items())}
    return Attribute(name, values, frozenset(read) - frozenset(stated))


def _meant(name: str, value: str) -> str:
    """What a value means, however it is written."""
    kind = next((kind for kind, called in IN_NAMES.items() if called == name), "")
    known = [meanings().get(plain(part), ("", "")) for part in value.split(AND)]
    return AND.join(
        meaning if kind and found == kind else plain(part)
        for (found, meaning), part in zip(known, value.split(AND), strict=True)
    )
