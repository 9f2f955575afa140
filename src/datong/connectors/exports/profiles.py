"""Platforms whose exports are always alike: what each column of theirs is, and what the words of their states mean.

A profile is one small TOML file, in `profiles/` here or in the folder `profiles` of a chain, where it comes first.
It is recognised by the headers that its platform writes, never by the name of a file.
"""

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from datong.connectors.exports.cells import Cells
from datong.connectors.exports.columns import FIELDS, Choice, ColumnGuess, examples_of
from datong.connectors.exports.market_lists.columns import FIELDS as MARKET_LIST_FIELDS
from datong.connectors.exports.market_lists.columns import INTEREST, PRICES, PROMOTIONS, REVIEWS
from datong.connectors.exports.order_state_words import MARKS
from datong.connectors.exports.vocabulary import MARKET_LISTS, plain
from datong.ledger.row_checks import shown
from datong.model.findings import Finding, finding
from datong.model.words import LANGUAGES, message, say

PROFILES_FOLDER = "profiles"
HOLDS = ("sales", "returns", "purchases", "either", *MARKET_LISTS)
_KEYS = frozenset(
    {
        "name",
        "list",
        "holds",
        "source",
        "signs",
        "share",
        "columns",
        "states",
        "kinds",
        "ignored",
        "variant",
        "listings",
        "answers",
    }
)
_NEEDED = ("name", "list", "holds", "source", "signs", "share", "columns")
# Fields that a profile has to name: of lists that are none of sales, and of all others.
_NEEDED_FIELDS = {
    REVIEWS: ("date", "product"),
    INTEREST: ("product",),
    PROMOTIONS: ("date", "product"),
    PRICES: ("product", "price"),
}
_NEEDED_OF_SALES = ("date", "product", "units")
_LISTS = ("source", "signs", "kinds", "ignored", "variant", "listings")
_LEAST_SIGNS = 2
_MOSTLY_FILLED = 0.5


@dataclass(frozen=True)
class Profile:
    """key: the name of its file. name: of the platform; what: which of its exports, by language. holds: one of HOLDS.
    source: public texts that its headers come from. signs: headers by which it is known; share: of them, that must be
    there (0..1). columns: for each field the headers that it may stand under, best first. states: columns of states,
    each with the marks of its own words (plain); kinds: columns of kinds of documents. ignored: columns that are none
    of these, whatever they look like. variant: columns whose text is a part of the product's name; listings: columns of
    numbers that all variants of a product share. answers: to
    questions that the platform itself settles."""

    key: str
    name: str
    what: Mapping[str, str]
    holds: str
    source: tuple[str, ...]
    signs: tuple[str, ...]
    share: float
    columns: Mapping[str, tuple[str, ...]]
    states: Mapping[str, Mapping[str, frozenset[str]]] = field(default_factory=dict)
    kinds: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()
    variant: tuple[str, ...] = ()
    listings: tuple[str, ...] = ()
    answers: Mapping[str, str] = field(default_factory=dict)

    def called(self, language: str) -> str:
        """Its name for a person: Shopify (orders)."""
        return say("export.profile_name", language, name=self.name, list=self.what[language])

    def fixed(self, columns: Mapping[str, Cells]) -> dict[str, str]:
        """The column of each field that is there: the first of its headers that is mostly filled, else the first that
        holds anything."""
        found: dict[str, str] = {}
        for wanted, headers in self.columns.items():
            there = [name for name in present(headers, columns) if name not in found.values()]
            filled = [name for name in there if columns[name].filled.mean() >= _MOSTLY_FILLED]
            some = [name for name in there if columns[name].filled.any()]
            if best := (filled or some or there)[:1]:
                found[wanted] = best[0]
        return found


def present(headers: Sequence[str], columns: Mapping[str, Cells]) -> list[str]:
    """The columns that have one of these headers, in the order of the headers."""
    by_plain = {plain(name): name for name in reversed(list(columns))}
    return [by_plain[plain(header)] for header in headers if plain(header) in by_plain]


def as_profiled(choice: Choice, profile: Profile, columns: Mapping[str, Cells]) -> Choice:
    """A choice of columns with the states and kinds that a profile names, and with it as the reason of its columns."""
    by = message("export.by_profile", name=profile.name)
    own = profile.fixed(columns)
    fields = tuple(
        replace(guess, reason=by, confidence=1.0, others=()) if own.get(guess.field) == guess.column else guess
        for guess in choice.columns
        if guess.field not in ("state", "kind")
    )
    taken = {guess.column for guess in fields}
    named = {"state": [n for n in present(tuple(profile.states), columns) if n not in taken],
             "kind": [n for n in present(profile.kinds, columns) if n not in taken]}  # fmt: skip
    mine = {name for some in named.values() for name in some}
    states = (*named["state"], *(n for n in choice.states if n not in mine))
    kinds = (*named["kind"], *(n for n in choice.kinds if n not in mine))
    flags = {name: mark for name, mark in choice.flags.items() if name not in mine}
    told = tuple(
        ColumnGuess(field, name, 1.0, by, (), examples_of(columns[name]))
        for field, some in named.items()
        for name in some
    )
    rest = tuple(g for g in choice.columns if g.field in ("state", "kind") and g.column not in mine)
    remarks = tuple(name for name in choice.remarks if name not in mine)
    return replace(choice, columns=(*fields, *told, *rest), states=states, kinds=kinds, flags=flags, remarks=remarks)


def recognised(profiles: Sequence[Profile], headers: Sequence[str]) -> Profile | None:
    """The profile whose signs are there: of several the one with the largest share, then with the most headers; of
    equal ones the first, which is the chain's own."""
    there = {plain(header) for header in headers}
    best: tuple[tuple[float, int], Profile] | None = None
    for profile in profiles:
        found = sum(plain(sign) in there for sign in profile.signs)
        share = found / len(profile.signs)
        if found >= _LEAST_SIGNS and share >= profile.share and (best is None or (share, found) > best[0]):
            best = (share, found), profile
    return None if best is None else best[1]


@cache
def built_in() -> tuple[Profile, ...]:
    """The profiles that come with Datong, by name."""
    folder = files("datong.connectors.exports").joinpath(PROFILES_FOLDER)
    found = sorted((f.name, f.read_text(encoding="utf-8")) for f in folder.iterdir() if f.name.endswith(".toml"))
    return tuple(made for name, text in found for made in [_made(name.removesuffix(".toml"), tomllib.loads(text))])


def text_of(key: str) -> str | None:
    """The file of a profile that comes with Datong, to copy; None where there is none of this name."""
    path = files("datong.connectors.exports").joinpath(PROFILES_FOLDER, f"{key}.toml")
    known = {profile.key for profile in built_in()}
    return path.read_text(encoding="utf-8") if key in known else None


def profiles_of(folder: Path | None) -> tuple[tuple[Profile, ...], list[Finding]]:
    """A chain's own profiles, then those of Datong that none of them takes the place of; and all that is wrong with the
    chain's own, which are then not used."""
    own: list[Profile] = []
    findings: list[Finding] = []
    paths = [] if folder is None else sorted((folder / PROFILES_FOLDER).glob("*.toml"))
    for path in paths:
        source = f"{PROFILES_FOLDER}/{path.name}"
        try:
            tree = tomllib.loads(path.read_text(encoding="utf-8"))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
            findings.append(finding("error", "export.profile_unreadable", source, reason=str(error)))
            continue
        wrong = list(_faults(source, tree))
        findings += wrong
        if not wrong:
            own.append(_made(path.stem, tree))
    replaced = {profile.key for profile in own}
    return (*own, *(profile for profile in built_in() if profile.key not in replaced)), findings


def _made(key: str, tree: Mapping[str, Any]) -> Profile:
    """A profile of a tree without faults."""
    lists = {name: tuple(tree.get(name, ())) for name in _LISTS}
    states = {
        column: {plain(text): frozenset().union(*(MARKS[m] for m in _several(marks))) for text, marks in words.items()}
        for column, words in tree.get("states", {}).items()
    }
    columns = {wanted: tuple(headers) for wanted, headers in tree["columns"].items()}
    return Profile(
        key, tree["name"], tree["list"], tree["holds"], lists["source"], lists["signs"], float(tree["share"]), columns,
        states, lists["kinds"], lists["ignored"], lists["variant"], lists["listings"],
        dict(tree.get("answers", {})),
    )  # fmt: skip


def _several(marks: str | Sequence[str]) -> Sequence[str]:
    return (marks,) if isinstance(marks, str) else marks


def _faults(source: str, tree: Mapping[str, Any]) -> Iterator[Finding]:
    """All that is wrong with a profile."""

    def wrong(key: str, found: object, expected: str) -> Finding:
        return finding("error", "export.profile_wrong", source, key=key, value=shown(str(found)), wanted=expected)

    for key in sorted(set(tree) - _KEYS):
        yield wrong(key, key, ", ".join(sorted(_KEYS)))
    for key in _NEEDED:
        if key not in tree:
            yield finding("error", "export.profile_lacks", source, key=key)
    if "name" in tree and not (isinstance(tree["name"], str) and tree["name"]):
        yield wrong("name", tree["name"], '"..."')
    if "list" in tree and not _is_texts(tree["list"], LANGUAGES):
        yield wrong("list", tree["list"], '{ en = "...", zh = "..." }')
    if "holds" in tree and tree["holds"] not in HOLDS:
        yield wrong("holds", tree["holds"], ", ".join(HOLDS))
    if "share" in tree and not (isinstance(tree["share"], int | float) and 0 < tree["share"] <= 1):
        yield wrong("share", tree["share"], "0 < share <= 1")
    for key in _LISTS:
        if key in tree and not (_is_list(tree[key]) and (tree[key] or key not in _NEEDED)):
            yield wrong(key, tree[key], '["...", "..."]')
    if _is_list(tree.get("signs")) and 0 < len(tree["signs"]) < _LEAST_SIGNS:
        yield wrong("signs", tree["signs"], f">= {_LEAST_SIGNS}")
    yield from _faults_of_tables(source, tree, wrong)


def _faults_of_tables(source: str, tree: Mapping[str, Any], wrong: Any) -> Iterator[Finding]:
    """What is wrong with the columns, states and answers of a profile."""
    columns, holds = tree.get("columns", {}), tree.get("holds")
    known = MARKET_LIST_FIELDS[holds] if holds in MARKET_LISTS else FIELDS
    if not isinstance(columns, dict):
        yield wrong("columns", columns, "[columns]")
        columns = {}
    for wanted, headers in columns.items():
        if wanted not in known:
            yield wrong(f"columns.{wanted}", wanted, ", ".join(known))
        elif not (_is_list(headers) and headers):
            yield wrong(f"columns.{wanted}", headers, '["...", "..."]')
    if "columns" in tree:
        for wanted in _NEEDED_FIELDS.get(str(holds), _NEEDED_OF_SALES):
            if wanted not in columns:
                yield finding("error", "export.profile_lacks", source, key=f"columns.{wanted}")
    states = tree.get("states", {})
    if not isinstance(states, dict) or not all(isinstance(words, dict) for words in states.values()):
        yield wrong("states", states, '[states."..."]')
        states = {}
    for column, words in states.items():
        for text, marks in words.items():
            unknown = [m for m in _several(marks) if m not in MARKS] if isinstance(marks, str | list) else [marks]
            if unknown:
                yield wrong(f"states.{column}.{text}", ", ".join(map(str, unknown)), ", ".join(MARKS))
    if not _is_texts(tree.get("answers", {}), ()):
        yield wrong("answers", tree["answers"], '[answers] ... = "..."')


def _is_list(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(text, str) and text for text in value)


def _is_texts(value: object, needed: Sequence[str]) -> bool:
    """Whether a value is a table of texts that has all the needed keys."""
    return isinstance(value, dict) and all(isinstance(v, str) for v in value.values()) and set(needed) <= set(value)
