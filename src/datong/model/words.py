"""Every text that a user reads, in English and Chinese, from one catalogue: the TOML files in words/."""

import math
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from importlib.resources import files
from string import Formatter
from typing import Any

LANGUAGES = ("en", "zh")
# Below this, a difference of numbers that are shown is rounding.
ROUNDING = 1e-6


class Catalogue(Mapping[str, Mapping[str, str]]):
    """Texts by dotted key ('finding.line') and language.

    The first word of a key is its area. A file holds one area or several, and an area is in one file, which is parsed
    when the first of its texts is asked for: a command shows texts of few areas, and to parse all files takes longer
    than many a command."""

    def __init__(self, files_by_name: Mapping[str, str]) -> None:
        """files_by_name: what each file holds."""
        self._texts: dict[str, Mapping[str, str]] = {}  # of the files that were parsed
        self._unparsed = dict(files_by_name)
        self._file_of: dict[str, str] = {}  # by area
        for name, text in files_by_name.items():
            for area in set(_AREAS.findall(text)):
                if area in self._file_of:
                    raise ValueError(f"words/{name}: area {area} is already in {self._file_of[area]}")
                self._file_of[area] = name

    def __getitem__(self, key: str) -> Mapping[str, str]:
        if key not in self._texts:
            self._parse(self._file_of.get(key.partition(".")[0], ""))
        return self._texts[key]

    def __iter__(self) -> Iterator[str]:
        for name in list(self._unparsed):
            self._parse(name)
        return iter(self._texts)

    def __len__(self) -> int:
        return len(list(iter(self)))

    def _parse(self, name: str) -> None:
        text = self._unparsed.get(name)
        if text is None:
            return
        # Texts first: another thread that finds the file parsed must find its texts.
        self._texts |= dict(_flatten("", tomllib.loads(text)))
        self._unparsed.pop(name, None)


# Headers of tables in a file of texts.
_AREAS = re.compile(r"^\[(\w+)", re.MULTILINE)


@cache
def catalogue() -> Catalogue:
    """All texts that a user reads."""
    folder = files("datong.model").joinpath("words")
    named = sorted((f for f in folder.iterdir() if f.name.endswith(".toml")), key=lambda f: f.name)
    return Catalogue({f.name: f.read_text(encoding="utf-8") for f in named})


def _flatten(prefix: str, tree: dict[str, Any]) -> list[tuple[str, dict[str, str]]]:
    if set(tree) == set(LANGUAGES) and all(isinstance(v, str) for v in tree.values()):
        return [(prefix, tree)]
    pairs: list[tuple[str, dict[str, str]]] = []
    for name, branch in tree.items():
        if not isinstance(branch, dict):
            raise ValueError(f"words: {prefix}.{name} needs a text in each of {LANGUAGES}")
        pairs += _flatten(f"{prefix}.{name}" if prefix else name, branch)
    return pairs


def say(key: str, language: str, /, **params: Any) -> str:
    """The text under `key` with its {places} filled. A Message among the params is put in the same language."""
    filled = {k: v.text(language) if isinstance(v, Message) else v for k, v in params.items()}
    text = catalogue()[key][language if language in LANGUAGES else "en"]
    places = Places(filled)
    told = visible(_PLURALS.vformat(text, (), places) if ":plural}" in text else text.format_map(places))
    return told if language == "zh" else _IN_A_DAY.sub("on ", told)


# Where a bucket is a day: something happens in a week, but on a day.
_IN_A_DAY = re.compile(r"\bin (?=\d{4}-\d\d-\d\d\b)")


class Places(dict[str, Any]):
    """What fills the places of a text. One that nobody fills stays open, '{file}': a person who reads of a fault is not
    to meet another one there. In the tests it is an error."""

    def __missing__(self, name: str) -> "OpenPlace":
        return OpenPlace(name)


@dataclass(frozen=True)
class OpenPlace:
    """Stands for what fills no place, in any format."""

    name: str

    def __getattr__(self, name: str) -> "OpenPlace":
        return OpenPlace(f"{self.name}.{name}")

    def __format__(self, format_spec: str) -> str:
        return f"{{{self.name}}}"


# A pattern of characters that nobody sees, and that a terminal obeys: C0 but for tab and line ends, DEL and C1.
CONTROLS = r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]"
_CONTROLS = re.compile(CONTROLS)


def visible(text: str) -> str:
    """A text in which each control character is shown as one that stands for what cannot be shown."""
    return _CONTROLS.sub("\ufffd", text)


# Of one, and of none or several: the end of a noun, of a verb, and verbs.
_OF_NUMBERS = {
    "plural": ("", "s"),
    "third": ("s", ""),
    "are": ("is", "are"),
    "were": ("was", "were"),
    "have": ("has", "have"),
}


class _Plurals(Formatter):
    """Fills places, of which '{days} day{days:plural} {days:are} left' is '1 day is left' or '2 days are left', and
    'day{days:plural} count{days:third}' 'day counts' or 'days count'."""

    def format_field(self, value: Any, format_spec: str) -> str:
        if format_spec in _OF_NUMBERS:
            return _OF_NUMBERS[format_spec][str(value) not in ("1", "1.0")]
        return str(super().format_field(value, format_spec))


_PLURALS = _Plurals()


@dataclass(frozen=True, slots=True)
class Message:
    """A text not yet put in a language. A plan has many of them: those of one kind share their names."""

    # Key in the catalogue.
    key: str
    # Names of its places, in order.
    names: tuple[str, ...] = ()
    # What fills each of them.
    values: tuple[Any, ...] = ()

    @property
    def params(self) -> tuple[tuple[str, Any], ...]:
        """(name, value) of each place."""
        return tuple(zip(self.names, self.values, strict=True))

    def text(self, language: str = "en") -> str:
        return say(self.key, language, **dict(self.params))


def message_as_json(said: Message) -> list[Any]:
    """A Message in lists, texts and numbers, to be kept; `message_from_json` gives it back."""

    def kept(value: Any) -> Any:
        if isinstance(value, Message):
            return {"m": message_as_json(value)}
        return str(value) if isinstance(value, date) else value

    return [said.key, [[name, kept(value)] for name, value in said.params]]


def message_from_json(kept: list[Any]) -> Message:
    key, params = kept
    return message(key, **{name: message_from_json(v["m"]) if isinstance(v, dict) else v for name, v in params})


def message(key: str, /, **params: Any) -> Message:
    """A Message; `message('order.due', due=date)`."""
    return Message(key, _shared(tuple(params)), tuple(params.values()))


@cache
def _shared(names: tuple[str, ...]) -> tuple[str, ...]:
    """The first tuple of these names."""
    return names


def shown(value: float) -> float:
    """A number as a person reads it, with `digits_of` it."""
    return round(float(value), digits_of(value)) + 0.0


def amount(value: float) -> str:
    """A number in a sentence: as a person reads it, its digits in groups of three."""
    return f"{shown(value):,.10g}"


def digits_of(value: float) -> int:
    """Digits after the point that a number asks for: none from 100 on, one from 10 on, else two, and of whole numbers
    none; whole tenths and quarters, as parts of units mostly are, have theirs whatever their size."""
    size = abs(value)
    if not math.isfinite(size) or _is_whole(size):
        return 0
    if size < 10:
        return 2
    if _is_whole(size * 10):
        return 1
    return 2 if _is_whole(size * 4) else 1 if size < 100 else 0


def _is_whole(size: float) -> bool:
    return abs(size - round(size)) <= ROUNDING
