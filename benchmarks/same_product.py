"""Two shops' catalogues of the same goods: how many products are known as the same, how many are asked about, how many
are taken for another one's.

Run: .venv/bin/python benchmarks/same_product.py [--short] [--held-out]     (about 1 minute; --short: one seed)

A made maker has families of goods, each with variants by colour, size, volume, pieces or model. Shop A sells 70% of
them under its own codes and names. Shop B sells 65% of what A sells, and all that A does not, under other codes and
names: words in another order, abbreviations, other units (0.5 l for 500 ml), Chinese for English, words of advertising,
the brand left out, an attribute left out, a slip of the pen; 25% with the barcode, 5% of the shared ones with A's code
beside their own. Brands, lines, and 16 of the 30 kinds of goods are in no list of the matcher. Product by product of B:

    merged     taken for a product of A without a question; precision: the share that are it
    found      of B's products that A sells, the share that are merged rightly
    asked      the share of all that are asked about
    reached    of B's products that A sells, merged rightly or asked about with the right candidate
    unlike     merged with one that differs in colour, size, volume, pieces or model: none may be

Real names: the products of Online Retail (../shared/data, left out where it is not there), half of them at A, all at B
with their words in another order and no code; a code that differs in case alone is the same one.

Beside it the usual short way: names alike to 0.9 by the ratio of matching characters of their sorted words (difflib).
Thresholds were chosen on the seeds 1 to 4; --held-out opens the seeds 101 to 106. One JSON line a figure. Exits 1 where
a bar is missed: unlike 0, precision 0.995, reached 0.9, no real name merged wrongly.
"""

import argparse
import json
import re
import sys
import time
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from datong.connectors.exports.matching.gtin import check_digit
from datong.connectors.exports.matching.match import DOUBT, SAME, Item, catalogue_of, match

DEVELOPMENT, HELD_OUT = (1, 2, 3, 4), (101, 102, 103, 104, 105, 106)
FAMILIES = 120
LEAST_PRECISION, LEAST_REACHED = 0.995, 0.9
ALIKE = 0.9
ONLINE_RETAIL = Path(__file__).resolve().parents[2] / "shared" / "data" / "online_retail" / "transactions.parquet"
REAL_SEED = 7

WORDS = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))
GOODS, LINES, LINES_ZH, BRANDS = (WORDS[name] for name in ("goods", "lines", "lines_zh", "brands"))
FILLER, FILLER_ZH, ABBREVIATED = (WORDS[name] for name in ("filler", "filler_zh", "abbreviated"))
KINDS: Mapping[str, Sequence[Sequence[Sequence[str]]]] = WORDS["attributes"]


@dataclass(frozen=True)
class Thing:
    """A product as it really is. family: place of its good, line and brand. attributes: by kind, place in its list."""

    family: tuple[int, int, int]
    attributes: tuple[tuple[str, int], ...]


def things_of(rng: np.random.Generator) -> list[Thing]:
    """All that the maker makes: families with two or three attributes, each in several variants."""
    things = []
    seen: set[tuple[int, int, int]] = set()
    while len(seen) < FAMILIES:
        family = (int(rng.integers(len(GOODS))), int(rng.integers(len(LINES))), int(rng.integers(len(BRANDS))))
        if family in seen:
            continue
        seen.add(family)
        kinds = sorted(rng.choice(list(KINDS), int(rng.integers(1, 4)), replace=False).tolist())
        variants = {
            tuple((kind, int(rng.integers(len(KINDS[kind])))) for kind in kinds) for _ in range(int(rng.integers(3, 8)))
        }
        things += [Thing(family, variant) for variant in sorted(variants)]
    return things


def named_by_a(thing: Thing, rng: np.random.Generator) -> str:
    """Shop A: brand, line, good, then what tells it apart, in English."""
    good, line, brand = thing.family
    told = (_said(part, rng, False) for part in thing.attributes)
    return " ".join([BRANDS[brand], LINES[line], GOODS[good][0].title(), *told])


def named_by_b(thing: Thing, rng: np.random.Generator) -> str:
    """Shop B: as it comes, in English or Chinese, with what its shop adds and leaves out."""
    good, line, brand = thing.family
    chinese = bool(rng.random() < 0.35)
    words = [GOODS[good][chinese], (LINES_ZH if chinese else LINES)[line]]
    if chinese and rng.random() < 0.5:
        words[1] = LINES[line]  # names of lines are often left as they are
    words += [BRANDS[brand]] if rng.random() < 0.85 else []
    attributes = list(thing.attributes)
    if rng.random() < 0.1:
        attributes.pop(int(rng.integers(len(attributes))))
    words += [_said(p, rng, chinese) for p in attributes]
    words += [str(rng.choice(FILLER_ZH if chinese else FILLER))] if rng.random() < 0.4 else []
    order = rng.permutation(len(words))
    text = " ".join(words[i] for i in order.tolist())
    if chinese and rng.random() < 0.3:  # without blanks, but between two words of letters
        text = re.sub(r"(?<=[一-鿿]) | (?=[一-鿿])", "", text)
    if not chinese and rng.random() < 0.2:
        for word, short in ABBREVIATED.items():
            text = text.replace(word, short)
    if not chinese and rng.random() < 0.05 and len(text) > 8:
        at = int(rng.integers(3, len(text) - 3))
        text = text[:at] + text[at + 1 :] if text[at].isalpha() else text
    return text.lower() if rng.random() < 0.3 else text


def _said(part: tuple[str, int], rng: np.random.Generator, chinese: bool) -> str:
    kind, place = part
    forms = KINDS[kind][place][chinese]
    return str(forms[int(rng.integers(len(forms)))])


def shops(seed: int) -> tuple[list[Item], list[Item], dict[str, Thing], dict[str, Thing]]:
    """The catalogues of both shops, and what the codes of each really are."""
    rng = np.random.default_rng(seed)
    things = things_of(rng)
    at_a = {thing for thing in things if rng.random() < 0.7}
    gtins = {thing: _gtin(i) for i, thing in enumerate(things)}
    a, b, of_a, of_b = [], [], {}, {}
    for i, thing in enumerate(t for t in things if t in at_a):
        code = f"HM-{i:04}"
        of_a[code] = thing
        a.append(Item(code, (named_by_a(thing, rng),), (gtins[thing],)))
    codes = {thing: code for code, thing in of_a.items()}
    for i, thing in enumerate(t for t in things if t not in at_a or rng.random() < 0.65):
        code = f"7{i:06}"
        of_b[code] = thing
        more = (gtins[thing],) if rng.random() < 0.25 else ()
        more += (codes[thing],) if thing in codes and rng.random() < 0.05 else ()
        b.append(Item(code, (named_by_b(thing, rng),), more))
    return a, b, of_a, of_b


def _gtin(number: int) -> str:
    body = f"69{number:010}"
    return body + check_digit(body)


def by_characters(a: Sequence[Item], b: Sequence[Item]) -> dict[str, str]:
    """The short way: the product with the most alike name, from ALIKE on."""
    names = [(item.code, " ".join(sorted(item.names[0].lower().split()))) for item in a]
    result = {}
    for item in b:
        mine = " ".join(sorted(item.names[0].lower().split()))
        best = max(((SequenceMatcher(None, mine, name).ratio(), code) for code, name in names), default=(0.0, ""))
        if best[0] >= ALIKE:
            result[item.code] = best[1]
    return result


def real_names() -> dict[str, float]:
    """Figures of real names, by name; none where the data are not there."""
    if not ONLINE_RETAIL.is_file():
        return {}
    rows = pq.read_table(ONLINE_RETAIL, columns=["stock_code", "description"]).to_pandas().dropna()
    names = rows.groupby("stock_code")["description"].agg(lambda told: told.mode().iloc[0])
    rng = np.random.default_rng(REAL_SEED)
    products = [(code, name.split()) for code, name in names.items() if len(name.split()) > 1]
    at_a = {code for code, _ in products if rng.random() < 0.5}
    a = [Item(code, (names[code],)) for code, _ in products if code in at_a]
    b = [Item(f"B {code}", (" ".join(rng.permutation(words).tolist()).lower(),)) for code, words in products]
    found = match(b, catalogue_of(a))
    merged = [m for m in found if m.outcome == SAME]
    asked = [m for m in found if m.outcome == DOUBT]
    wrong = sum(m.item.code.upper() != f"B {m.product}".upper() for m in merged)
    with_truth = sum(m.item.code in {f"B {product}" for product, _ in m.candidates} for m in asked)
    return {
        "real_products": len(b), "real_shared": len(a), "real_merged": len(merged), "real_wrong": wrong,
        "real_reached": (len(merged) - wrong + with_truth) / len(a), "real_asked": len(asked) / len(b),
    }  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--short", action="store_true")
    parser.add_argument("--held-out", action="store_true")
    options = parser.parse_args()
    seeds = HELD_OUT if options.held_out else DEVELOPMENT
    figures: list[dict[str, float]] = []
    for seed in seeds[: 1 if options.short else None]:
        a, b, of_a, of_b = shops(seed)
        start = time.process_time()
        found = match(b, catalogue_of(a))
        took = time.process_time() - start
        sold = set(of_a.values())
        shared = [m for m in found if of_b[m.item.code] in sold]
        merged = [m for m in found if m.outcome == SAME]
        right = [m for m in merged if of_a[m.product] == of_b[m.item.code]]
        asked = [m for m in found if m.outcome == DOUBT]
        with_truth = [m for m in asked if of_b[m.item.code] in {of_a[product] for product, _ in m.candidates}]
        wrong = [m for m in merged if m not in right]
        short = {} if options.short else by_characters(a, b)
        short_right = sum(of_a[product] == of_b[code] for code, product in short.items())
        figures.append({
            "products_a": len(a), "products_b": len(b), "shared": len(shared), "merged": len(merged),
            "right": len(right),
            "by_name": sum(m.how == "name" for m in merged), "asked": len(asked), "with_truth": len(with_truth),
            "unlike": sum(of_a[m.product].attributes != of_b[m.item.code].attributes for m in wrong),
            "seconds": took, "short_merged": len(short), "short_right": short_right,
        })  # fmt: skip
    total = {name: sum(f[name] for f in figures) for name in figures[0]}
    told = {
        "seeds": len(figures), "products_a": total["products_a"], "products_b": total["products_b"],
        "shared": total["shared"] / total["products_b"],
        "precision": total["right"] / max(total["merged"], 1), "merged": total["merged"], "by_name": total["by_name"],
        "found": total["right"] / total["shared"], "asked": total["asked"] / total["products_b"],
        "reached": (total["right"] + total["with_truth"]) / total["shared"], "unlike": total["unlike"],
        "seconds_a_thousand": 1000 * total["seconds"] / total["products_b"],
    }  # fmt: skip
    if not options.short:
        told["difflib_precision"] = total["short_right"] / max(total["short_merged"], 1)
        told["difflib_found"] = total["short_right"] / total["shared"]
        told |= real_names()
    for name, value in told.items():
        told_of = {"benchmark": "same_product", "figure": name, "value": round(value, 4)}
        sys.stdout.write(json.dumps(told_of) + "\n")
    missed = (
        told["unlike"] > 0
        or told.get("real_wrong", 0) > 0
        or told["precision"] < LEAST_PRECISION
        or told["reached"] < LEAST_REACHED
    )
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
