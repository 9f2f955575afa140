"""Years of other calendars: Japanese eras, the Republic of China."""

import re

from datong.connectors.exports.vocabulary import plain

# By the name of an era, the year before its first.
_ERAS = {"令和": 2018, "平成": 1988, "昭和": 1925, "R": 2018, "H": 1988, "民國": 1911, "民国": 1911}
_ERA = re.compile(
    r"^(?:中[華华])?(令和|平成|昭和|民[國国])\s*(元|\d{1,3})\s*(?=[年/.-])"
    r"|^([RH])(\d{1,2})(?=([./-])\d{1,2}\5\d{1,2}$)"
)


def western(text: str) -> str:
    """A text whose year is one of an era, with the same year as all the world counts it."""
    found = _ERA.match(text)
    if found is None:
        return text
    era, number = (found[1], found[2]) if found[1] else (found[3], found[4])
    return f"{_ERAS[era] + (1 if number == '元' else int(number))}{text[found.end() :]}"


def says_republic(text: str) -> bool:
    """Whether a text says that years are those of the Republic of China: 113 is 2024."""
    return re.search(r"民[國国]|\broc\b", plain(text)) is not None
