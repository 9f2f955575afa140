"""In which encoding a text is that does not say so: UTF-16 without its mark, and the old ones of one or two bytes."""

import codecs
import re
from collections.abc import Sequence
from pathlib import Path

from datong.connectors.exports.vocabulary import header_words, months, plain, vocabulary, words
from datong.connectors.files.encodings_and_lines import TextFacts

_ENCODINGS = (
    "cp1252", "cp1250", "cp1251", "cp1254", "cp1253", "cp1255", "cp1256", "cp874", "big5", "shift_jis", "euc_kr",
    "mac_roman", "cp850", "cp852", "cp866", "mac_latin2", "mac_cyrillic", "mac_turkish",
)  # fmt: skip


def without_mark(path: Path) -> TextFacts | None:
    """Text in UTF-16 that does not begin with its mark: every second byte of plain letters is 0."""
    with path.open("rb") as file:
        start = file.read(4096)
    even, odd = start[::2].count(0), start[1::2].count(0)
    if max(even, odd) * 10 < len(start) * 3 or min(even, odd) * 20 > len(start):
        return None
    encoding = "utf-16-le" if odd > even else "utf-16-be"
    try:
        text = path.read_bytes().decode(encoding)
    except UnicodeDecodeError:
        return None
    return TextFacts(encoding, False, text.count('"'), nul="\0" in text)


def one_byte_encoding(path: Path) -> str:
    """Of the encodings that do not name themselves: the one in which most words of the file's start are of exports."""
    return _best(path, _ENCODINGS)


def chinese_encoding(path: Path) -> str:
    """The encoding of simplified Chinese; that of traditional, or another one, where the file's start has more words of
    exports in it: two letters of Turkish or Greek side by side may be a Chinese character, too."""
    return _best(path, ("gb18030", "big5", *_ENCODINGS))


def _best(path: Path, encodings: Sequence[str]) -> str:
    """The encoding in which most words of the file's start are of exports; of equal ones the first."""
    with path.open("rb") as file:
        start = file.read(65_536)
    known = {plain(w) for some in header_words().values() for w in some} | set(months())
    known |= {
        word for area in ("states", "kinds", "totals") for name in vocabulary()[area] for word in words(area, name)
    }
    known |= {part for word in known for part in word.split()}

    def hits(encoding: str) -> int:
        text = codecs.decode(start, encoding, "replace")
        return sum(plain(word) in known for word in {*re.split(r'[;,|\t\s"]+', text)} if word and not word.isascii())

    return max(encodings, key=hits)
