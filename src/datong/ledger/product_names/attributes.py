"""What a product's name says of it, in English or Chinese: colour, size, measures, count, model, and other words."""

import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields
from functools import cache, lru_cache
from importlib.resources import files

from datong.ledger.product_names.comparable_words import plain

_NUMBER = r"\d+(?:[.,]\d+)?"
_COUNTED = "只|个|件|条|双|支|片|包|袋|盒|瓶|罐|块|张|卷|枚|把|套|对|根"
_SOME = r"(\d+|[一二两三四五六七八九十]+)"
_OF = re.compile(r"\b(?:pack|set|box|case|bundle|lot)s? of (\d+|two|three|four|five|six|twelve)\b")
_COUNTS = (
    re.compile(
        rf"(?<![\w.]){_SOME}\s*(?:{_COUNTED})\s*(?:装|套装|组|入)|(?<![a-z\d.]){_SOME}\s*(?:{_COUNTED})(?:装|套装)"
    ),
    re.compile(rf"(?<![a-z\d.]){_SOME}\s*(?:件套|支装|连包|联包)"),
    re.compile(rf"(?<![\d.a-z])(\d+)\s*(?:{_COUNTED})(?![\w])"),
    re.compile(r"(?<![\w.])(\d+)\s*(?:pcs?|pieces?|pk|packs?|count|ct|pairs?|sets?|rolls?|sheets?|pads?)\b"),
    re.compile(r"(?<!\w)[x×](\d{1,2})(?!\w)"),  # X100 is a model
    re.compile(r"(?<![\w.])(\d{1,2})[x×](?!\w)"),
)
_SIZED = re.compile(r"(?:size|eu|us|uk|尺码|码数)\s*[:：]?\s*(\d{1,3}(?:[.,]5)?)|(?<!\d)(\d{2}(?:[.,]5)?)\s*码")
_MODEL = re.compile(r"(?<![a-z0-9])(?=[a-z0-9-]*\d)(?=[a-z0-9-]*[a-z])[a-z0-9]+(?:-[a-z0-9]+)*(?![a-z0-9])")
_WORD = re.compile(r"[a-z]+|\d+(?:\.\d+)?|[一-鿿]+|[^\W\d_]+")
_YEAR = re.compile(r"20[123]\d")  # in which it was new
_ONES = {"一": 1, "二": 2, "两": 2, "三": 3, "四": 4, "五": 5, "六": 6, "七": 7, "八": 8, "九": 9, "十": 10}
_IN_WORDS = {"two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "twelve": 12}
_LONGEST = 8  # words or characters of one meaning


@dataclass(frozen=True)
class Attributes:
    """What a name says. measures: as '500 ml'. counts: pieces in one. models: numbers and words that tell one model
    from another. words: meanings of the goods and all other words."""

    colours: frozenset[str] = frozenset()
    sizes: frozenset[str] = frozenset()
    measures: frozenset[str] = frozenset()
    counts: frozenset[str] = frozenset()
    models: frozenset[str] = frozenset()
    materials: frozenset[str] = frozenset()
    flavours: frozenset[str] = frozenset()
    words: frozenset[str] = frozenset()

    def told(self) -> Mapping[str, frozenset[str]]:
        """What tells one product of a kind from another, by its name."""
        return {f.name: getattr(self, f.name) for f in fields(self) if f.name != "words"}


def conflict(one: Attributes, other: Attributes) -> str:
    """The first attribute in which two names say different things; '' where there is none."""
    theirs = other.told()
    return next((name for name, mine in one.told().items() if mine and theirs[name] and mine != theirs[name]), "")


def missing(one: Attributes, other: Attributes) -> str:
    """The first attribute that one of two names tells and the other does not; '' where there is none."""
    theirs = other.told()
    return next((name for name, mine in one.told().items() if bool(mine) != bool(theirs[name])), "")


@lru_cache(maxsize=200_000)
def attributes_of(name: str) -> Attributes:
    """What a name says of a product."""
    left = _spaced(name)
    found: dict[str, set[str]] = {f.name: set() for f in fields(Attributes)}
    across, measure = _measures()
    left = _taken(across, left, found["measures"], _dimensions)
    left = _taken(_OF, left, found["counts"], lambda m: _counted(m[1]))  # before "4 M", which may be metres
    left = _taken(measure, left, found["measures"], lambda m: _measured(m[1], m[2]))
    for rule in _COUNTS:
        left = _taken(rule, left, found["counts"], lambda m: _counted(m[m.lastindex or 1]))
    left = _taken(_SIZED, left, found["sizes"], lambda m: (m[1] or m[2]).replace(",", "."))
    left = _taken(_MODEL, left, found["models"], lambda m: m[0].replace("-", ""), kept=_is_size)
    for kind, meaning in _meanings(left):
        if kind == "words" and meaning.replace(".", "").isdigit():
            kind = "filler" if _YEAR.fullmatch(meaning) else "models"
        if kind != "filler":
            found["words" if kind == "goods" else kind].add(meaning)
    found["counts"].discard("1")
    return Attributes(**{name: frozenset(values) for name, values in found.items()})


@cache
def units() -> Mapping[str, tuple[str, float]]:
    """units.toml: of each unit what it is counted in, and how much of that it is."""
    text = files("datong.ledger.product_names").joinpath("units.toml").read_text(encoding="utf-8")
    return {word: (base, factor) for base, some in tomllib.loads(text).items() for word, factor in some.items()}


@cache
def _measures() -> tuple[re.Pattern[str], re.Pattern[str]]:
    """Sides of something (70 x 140 cm), and one measure."""
    longest_first = sorted(units(), key=len, reverse=True)
    latin, chinese = (
        "|".join(re.escape(u) for u in longest_first if u.isascii() is is_latin) for is_latin in (True, False)
    )
    unit = rf"((?:{latin})(?![a-z])|{chinese})"
    more = rf"\s*(?:{latin}|{chinese})?\s*[x×*]\s*({_NUMBER})"
    return (
        re.compile(rf"({_NUMBER}){more}(?:{more})?\s*{unit}"),
        re.compile(rf"(?<![\da-z.])({_NUMBER})\s*{unit}"),
    )


def _spaced(name: str) -> str:
    """A name as it is compared, marks other than those within numbers and models as blanks."""
    text = plain(name).replace("’", "'").replace("'s", "")
    text = re.sub(r"(?<=[a-z])'(?=[a-z])", "", text).replace("t恤", "tshirt ")
    text = re.sub(r"(?<=\d)[”\"]", " inch ", text)
    return re.sub(r"\s+", " ", re.sub(r"[^\w.,×*+\-]|(?<!\d)[.,]|[.,](?!\d)", " ", text)).strip()


def _taken(
    rule: re.Pattern[str],
    text: str,
    into: set[str],
    said: Callable[[re.Match[str]], str],
    kept: Callable[[str], bool] = lambda _text: False,
) -> str:
    """A text without what a rule finds in it, which goes `into` a set as `said` says it."""

    def note(found: re.Match[str]) -> str:
        if kept(found[0]):
            return found[0]
        into.add(said(found))
        return " "

    return rule.sub(note, text)


def _is_size(text: str) -> bool:
    return meanings().get(text, ("", ""))[0] == "sizes"


def _measured(number: str, unit: str) -> str:
    kind, factor = units()[unit]
    return f"{round(float(number.replace(',', '.')) * factor, 3):g} {kind}"


def _dimensions(found: re.Match[str]) -> str:
    return " x ".join(sorted(_measured(part, found[4]) for part in found.groups()[:3] if part))


def _counted(text: str) -> str:
    if text.isdigit():
        return str(int(text))
    if text in _IN_WORDS:
        return str(_IN_WORDS[text])
    tens, _, ones = text.rpartition("十")
    if "十" in text:
        return str((_ONES.get(tens, 1) if tens else 1) * 10 + _ONES.get(ones, 0))
    return str(_ONES.get(text[-1], 0))


# --- meanings ----------------------------------------------------------------------------------------------------


@cache
def meanings() -> Mapping[str, tuple[str, str]]:
    """The kind and the name of the meaning of each known word or words."""
    text = files("datong.ledger.product_names").joinpath("words.toml").read_text(encoding="utf-8")
    found: dict[str, tuple[str, str]] = {}
    for kind, lists in tomllib.loads(text).items():
        for words in lists["list"]:
            for word in words:
                meaning = plain(word) if kind == "filler" else plain(words[0])
                found.setdefault(plain(word), ("counts" if kind == "numerals" else kind, meaning))
    return found


@cache
def _words() -> Mapping[str, tuple[str, ...]]:
    """The known words of each meaning, the longest first."""
    found: dict[str, list[str]] = {}
    for word, (_, meaning) in meanings().items():
        found.setdefault(meaning, []).append(word)
    return {meaning: tuple(sorted(words, key=lambda w: (-len(w), w))) for meaning, words in found.items()}


def word_in(name: str, meaning: str) -> str:
    """The word of a meaning that stands in a name: '黑色' of black; the meaning itself where none does."""
    text = _spaced(name)
    letters = f" {re.sub(r'[^a-z0-9 ]', ' ', text)} "
    known = _words().get(meaning, ())
    return next((word for word in known if (f" {word} " in letters if word.isascii() else word in text)), meaning)


def _meanings(text: str) -> Iterator[tuple[str, str]]:
    """The meanings of the words of a text, the longest that are known first; Chinese that is not known in pairs of
    characters."""
    parts = _WORD.findall(text)
    at = 0
    while at < len(parts):
        part = parts[at]
        if "一" <= part[0] <= "鿿":
            yield from _chinese(part)
            at += 1
            continue
        for length in range(min(3, len(parts) - at), 0, -1):
            phrase = " ".join(parts[at : at + length])
            if (known := _known(phrase)) is not None:
                yield known
                break
        else:
            length = 1
            yield "words", _singular(part)
        at += length


def _known(phrase: str) -> tuple[str, str] | None:
    found = meanings().get(phrase) or meanings().get(_singular(phrase))
    return None if found is None or found[0] == "counts" else found


def _singular(word: str) -> str:
    if word.isascii() and word.endswith(("sses", "shes", "ches", "xes")):
        return word[:-2]
    if len(word) > 3 and word.isascii() and word.endswith("s") and not word.endswith("ss"):
        return word[:-1]
    return word


def _chinese(text: str) -> Iterator[tuple[str, str]]:
    at, unknown = 0, ""
    while at < len(text):
        for length in range(min(_LONGEST, len(text) - at), 0, -1):
            known = meanings().get(text[at : at + length])
            if known is not None and known[0] != "counts":
                yield from _pairs(unknown)
                yield known
                unknown, at = "", at + length
                break
        else:
            unknown += text[at]
            at += 1
    yield from _pairs(unknown)


def _pairs(text: str) -> Iterator[tuple[str, str]]:
    for place in range(max(len(text) - 1, 1) if text else 0):
        yield "words", text[place : place + 2]
