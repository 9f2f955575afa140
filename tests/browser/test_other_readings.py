"""Readings of a file that texts name for a terminal are chosen on the page; no text of the page speaks of a command."""

import re

import pytest

from datong.app.web.other_readings import Reading, on_page, readings_of
from datong.model.words import catalogue

# Of the terminal alone: what `datong try` prints, and what is not told on a page.
OF_TERMINAL = ("export.asked", "order_list.apart_row")
ANSWERS = [
    text[lang]
    for key, text in catalogue().items()
    for lang in ("en", "zh")
    if "--answer" in text[lang] and key not in OF_TERMINAL
]


@pytest.mark.parametrize("language", ["en", "zh"])
def test_an_argument_becomes_a_control(language: str) -> None:
    texts = [catalogue()[key][language] for key in ("export.markets_summed", "export.unpaid_shipped")]
    assert readings_of(texts) == (Reading("markets", "apart"), Reading("unpaid_shipped", "not_sold"))
    assert readings_of(texts, ["markets"]) == (Reading("unpaid_shipped", "not_sold"),)
    (one,) = readings_of(["是另一家店铺的：不读取；请加上店铺列（--answer markets=apart）"])
    assert one == Reading("markets", "apart") and not one.is_open
    same = "with --answer same:LAMP-2=own (your own code in its place)"
    assert readings_of([same]) == (Reading("same:LAMP-2", "own"),) and readings_of([same])[0].is_open


def test_no_text_that_comes_with_a_file_speaks_of_an_argument() -> None:
    assert len(ANSWERS) > 8
    for language in ("en", "zh"):
        told = [on_page(text, language) for text in ANSWERS]
        assert [text for text in told if re.search("--answer|datong quarantine", text)] == []
