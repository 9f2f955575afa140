"""What a clause speaks about: aspects on one tree, known by seed words (`aspects.toml`) that anybody may edit."""

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np

from datong.model.errors import BadInput
from datong.model.findings import finding
from datong.model.flow import IntArray
from datong.model.words import message
from datong.sense.voice.ngrams import Tokens, grams, tokens
from datong.sense.voice.text import clean

LANGUAGES = ("en", "zh")
LONGEST_SEED = 8


@dataclass(frozen=True)
class Aspect:
    """path: its place on the tree, 'product.fit'. names: by language. seeds: words that speak of it."""

    path: str
    names: dict[str, str]
    seeds: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Lexicon:
    """aspects: in the order of the file. hashes: (words) of the seeds, ascending. aspect_of: (words) position of the
    aspect. sizes: (words) tokens of each."""

    aspects: tuple[Aspect, ...]
    hashes: np.ndarray
    aspect_of: IntArray
    sizes: IntArray

    @property
    def paths(self) -> tuple[str, ...]:
        return tuple(aspect.path for aspect in self.aspects)


@dataclass(frozen=True, eq=False)
class Mentions:
    """Seeds found in texts. text_of: (mentions) the text. aspect_of: (mentions) the aspect. first, last: (mentions)
    the tokens that it takes: first included, last not."""

    text_of: IntArray
    aspect_of: IntArray
    first: IntArray
    last: IntArray


@cache
def general() -> Lexicon:
    """The tree that comes with Datong, in Chinese and English."""
    return lexicon(files("datong.sense.voice").joinpath("aspects.toml").read_text(encoding="utf-8"), "aspects.toml")


def lexicon(text: str, source: str) -> Lexicon:
    """A tree of aspects from the text of a TOML file like `aspects.toml`; BadInput names what of it cannot be used."""
    try:
        tree = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise _unusable(source, [str(error)]) from error
    wrong: list[str] = []
    aspects = [_aspect(f"{part}.{name}", node, wrong) for part, name, node in _nodes(tree, wrong)]
    if not wrong and not aspects:
        wrong.append("[part.aspect]")
    if wrong:
        raise _unusable(source, wrong)
    return of_aspects(aspects)


def of_aspects(aspects: Sequence[Aspect]) -> Lexicon:
    """The seeds of aspects, ready to be found."""
    seeds = [(seed, at) for at, aspect in enumerate(aspects) for seed in dict.fromkeys(aspect.seeds)]
    found = tokens([seed for seed, _ in seeds])
    sizes = np.bincount(found.text_of, minlength=len(seeds))
    hashes = np.zeros(len(seeds), np.uint64)
    for size in range(1, LONGEST_SEED + 1):
        here, at, _ = grams(found, size)
        of_seed = found.text_of[at]
        whole = sizes[of_seed] == size
        hashes[of_seed[whole]] = here[whole]
    order = np.lexsort((np.arange(len(seeds)), hashes))
    aspect_of = np.array([at for _, at in seeds], np.int64)
    return Lexicon(tuple(aspects), hashes[order], aspect_of[order], sizes[order])


def mentions(found: Tokens, words: Lexicon) -> Mentions:
    """Where seeds stand in texts: of two that overlap in one aspect both, of one aspect's own in a longer seed of any
    aspect only the longer: "手感" speaks of material, and "口感" in it of nothing."""
    text_of, aspect_of, first, last = [], [], [], []
    running = None
    for size in range(1, int(words.sizes.max(initial=0)) + 1):
        here, at, running = grams(found, size, running)
        low, high = np.searchsorted(words.hashes, here, "left"), np.searchsorted(words.hashes, here, "right")
        hit = np.flatnonzero(high > low)
        many = (high - low)[hit]
        entry = np.repeat(low[hit], many) + np.arange(many.sum()) - np.repeat(np.cumsum(many) - many, many)
        begin = np.repeat(at[hit], many)
        right = words.sizes[entry] == size
        text_of.append(found.text_of[begin[right]])
        aspect_of.append(words.aspect_of[entry[right]])
        first.append(begin[right])
        last.append(begin[right] + size)
    parts = [np.concatenate(p) if p else np.zeros(0, np.int64) for p in (text_of, aspect_of, first, last)]
    order = np.lexsort((parts[1], -parts[3], parts[2]))
    texts, aspects, begins, ends = (p[order] for p in parts)
    # Sorted by begin, longest first: one that ends no later than an earlier, longer one lies within it.
    reach = np.maximum.accumulate(ends) if len(ends) else ends
    before = np.append(-1, reach[:-1])
    length = ends - begins
    same = np.append(False, (begins[1:] == begins[:-1]) & (ends[1:] == ends[:-1])) if len(ends) else np.zeros(0, bool)
    # Seeds of the same letters under several aspects all stay where the first of them does.
    inside = (ends <= before) & ~same & (length > 0)
    first_of_run = np.maximum.accumulate(np.where(same, 0, np.arange(len(ends)))) if len(ends) else np.zeros(0, int)
    kept = ~inside[first_of_run]
    return Mentions(texts[kept], aspects[kept], begins[kept], ends[kept])


def _nodes(tree: dict, wrong: list[str]) -> list[tuple[str, str, dict]]:
    found = []
    for part, nodes in tree.items():
        if not isinstance(nodes, dict):
            wrong.append(part)
            continue
        for name, node in nodes.items():
            if isinstance(node, dict):
                found.append((part, name, node))
            else:
                wrong.append(f"{part}.{name}")
    return found


def _aspect(path: str, node: dict, wrong: list[str]) -> Aspect:
    names = {language: node.get(language, path) for language in LANGUAGES}
    seeds = [seed for language in LANGUAGES for seed in _listed(path, f"words_{language}", node, wrong)]
    wrong += [f"{path}.{key}" for key in node if key not in (*LANGUAGES, *(f"words_{one}" for one in LANGUAGES))]
    wrong += [f"{path}.{language}" for language, name in names.items() if not isinstance(name, str)]
    if not seeds:
        wrong.append(f"{path}.words_zh, {path}.words_en")
    return Aspect(path, names, tuple(seeds))


def _listed(path: str, key: str, node: dict, wrong: list[str]) -> list[str]:
    listed = node.get(key, [])
    if not isinstance(listed, list) or not all(isinstance(seed, str) for seed in listed):
        wrong.append(f"{path}.{key}")
        return []
    long = tokens(listed)
    sizes = np.bincount(long.text_of, minlength=len(listed))
    wrong += [f"{path}.{key}: {s!r}" for s, n in zip(listed, sizes, strict=True) if not 1 <= n <= LONGEST_SEED]
    return [clean(seed) for seed in listed]


def _unusable(source: str, wrong: Sequence[str]) -> BadInput:
    findings = [finding("error", "voice.aspects", source, what=what) for what in wrong]
    return BadInput(message("voice.unusable"), findings)
