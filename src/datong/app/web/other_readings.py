"""Other readings of a file, which texts name as arguments of a command: on a page they are chosen by a control."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from datong.model.words import say

# As texts for a terminal name an answer, and rows that are tried again.
_ANSWER = re.compile(r"--answer ([^\s=]+)=([^\s()（），。；,;.]+)")
_RETRY = re.compile(r"datong quarantine \S+ --retry")
# The answer that says which product of the chain a code is; its reading may be any product, or `own`.
SAME = "same:"


@dataclass(frozen=True)
class Reading:
    """An answer that a text names. key: of the question. reading: as the text names it; of SAME an example."""

    key: str
    reading: str

    @property
    def is_open(self) -> bool:
        """Whether it takes what is typed."""
        return self.key.startswith(SAME)


def on_page(text: str, language: str) -> str:
    """A text without what is typed at a terminal."""
    text = _ANSWER.sub(lambda m: say("web_data.reading_below", language, name=m[1], reading=m[2]), text)
    return _RETRY.sub(say("web_data.retry_here", language), text)


def readings_of(texts: Sequence[str], answered: Sequence[str] = ()) -> tuple[Reading, ...]:
    """The answers that texts name, each question once. answered: questions that have an answer already."""
    found: dict[str, Reading] = {}
    for text in texts:
        for key, reading in _ANSWER.findall(text):
            if key not in answered and any(sign.isalnum() for sign in key.removeprefix(SAME)):
                found.setdefault(key, Reading(key, reading))
    return tuple(found.values())
