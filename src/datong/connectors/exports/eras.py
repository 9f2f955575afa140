"""Years of other calendars: Japanese eras, the Republic of China."""

import re

from datong.connectors.exports.vocabulary import plain

# By the name of an era, the year before its first.
_ERAS = {"令和": 2018, "平成": 1988, "昭和": 1925, "R": 2018, "H": 1988, "民國": 1911, "民国": 1911}
_ERA = re.compile(
    r"^(?:中[華华])?(令和|平成|昭和|民[國国])\s*(元|\d{1,3})\s*(?=[年/.-])"
    r"|^([RH])(\d{1,2})(?=([./-])\d{1,2}\5\d{1,2}$)"
)


# Years of the Thai calendar, which counts from 543 years earlier: 2533 is 1990. A year of the same size is no other's.
_BUDDHIST = re.compile(r"(?<!\d)(?:253[3-9]|25[4-9]\d|26[0-3]\d|264[0-3])(?=$|[-/. 年]|\D)")
_PARTS_OF_DAYS = re.compile(r"\d{1,4}([-/. ])\d{1,2}\1\d{1,4}(?!\d).*|\d{1,2}\.? [^\W\d_]+\.? \d{4}.*")


def of_thai_years(text: str) -> str:
    """A day whose year is one of the Thai calendar, with the same year as all the world counts it."""
    if not _PARTS_OF_DAYS.fullmatch(text):
        return text
    return _BUDDHIST.sub(lambda year: str(int(year[0]) - 543), text, count=1)


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
