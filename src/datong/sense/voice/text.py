"""A review as it came -> plain text: no markup, one width of letters, simplified characters, no endless repeats."""

import html
import re
import unicodedata
from functools import cache
from importlib.resources import files

# Bounded, so that many openings without an end take no longer than their length.
TAG = re.compile(r"<(?:/?[a-zA-Z][^<>]*|!--.{0,1000}?--)>", re.S)
HIDDEN = re.compile(r"<(script|style)\b.{0,1000}?</\1\s*>", re.S | re.I)
ESCAPED_AGAIN = re.compile(r"&(?:amp;)+")
# Marks that no reader sees: zero width, direction, byte order, variation selectors, controls but tab and line end.
UNSEEN = re.compile("[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufe00-\ufe0f\ufeff\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
BLANKS = re.compile(r"[^\S\n]+")
LINES = re.compile(r"\s*\n\s*")
# A sign that stands more often in a row counts as this often: it is emphasis, and no more of it.
MOST_REPEATS = 3
REPEATED = re.compile(rf"(\D)\1{{{MOST_REPEATS},}}", re.S)


@cache
def _simplified() -> dict[int, str]:
    text = files("datong.sense.voice").joinpath("traditional.txt").read_text(encoding="utf-8")
    return {ord(pair[0]): pair[1] for pair in text.split()}


def clean(text: str) -> str:
    """The words of a review: tags and unseen marks out, entities and full-width letters in their plain form (NFKC,
    Unicode Standard Annex 15), traditional characters simplified where `traditional.txt` knows them, blanks as one,
    more than three of the same sign as three. Takes time in proportion to the text."""
    if "&" in text:
        text = html.unescape(ESCAPED_AGAIN.sub("&", text))
    if "\\" in text:
        text = text.replace("\\n", "\n").replace("\\", " ")  # line ends that an export wrote out
    text = unicodedata.normalize("NFKC", text)
    if "<" in text:
        text = TAG.sub(" ", HIDDEN.sub(" ", text))
    text = BLANKS.sub(" ", UNSEEN.sub("", text.translate(_simplified())))
    text = LINES.sub("\n", text).strip()
    return REPEATED.sub(lambda found: found.group(1) * MOST_REPEATS, text)
