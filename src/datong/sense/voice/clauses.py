"""A review in clauses: what lies between stops, commas and words that turn ("but", "不过")."""

import re
from dataclasses import dataclass

# A comma or point between two digits belongs to a number.
STOPS = r"[。!?;\n~…|]+|(?<!\d)[,.]+|[,.]+(?!\d)|(?<=[\u3400-\u9fff]) +(?=[\u3400-\u9fff])"
TURNS_ZH = r"(?=但是|可是|不过|然而|只不过|就是(?:有|太|不|没)|只是|除了|唯一|(?<![不非])但(?!是|愿))"
TURNS_EN = r"\b(?=(?:but|however|although|though|except|yet|unfortunately)\b)"
CUT = re.compile(f"{STOPS}|{TURNS_ZH}|{TURNS_EN}", re.I)
TURN = re.compile(
    r"(?:但是|可是|不过|然而|只不过|就是|只是|除了|唯一|但)|(?:but|however|although|though|except|yet|unfortunately)\b",
    re.I,
)
SAYS = re.compile(r"[^\W_]")


@dataclass(frozen=True)
class Clause:
    """text: its words. first, last: the letters of the review which it takes: first included, last not. turns: whether
    it begins with a word that turns."""

    text: str
    first: int
    last: int
    turns: bool


def clauses(text: str) -> tuple[Clause, ...]:
    """The clauses of a cleaned review in their order; those without a letter or digit are left out."""
    found: list[Clause] = []
    at = 0
    for cut in CUT.finditer(text):
        _add(found, text, at, cut.start())
        at = cut.end()
    _add(found, text, at, len(text))
    return tuple(found)


def _add(found: list[Clause], text: str, first: int, last: int) -> None:
    part = text[first:last]
    words = part.strip()
    if words and SAYS.search(words):
        first += len(part) - len(part.lstrip())
        found.append(Clause(words, first, first + len(words), bool(TURN.match(words))))
