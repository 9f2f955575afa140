"""Cleaning: what a reader sees stays, marks and markup go."""

import time

from hypothesis import given
from hypothesis import strategies as st

from datong.sense.voice.text import clean


def test_markup_entities_and_unseen_marks_go() -> None:
    assert clean("<p>Good&nbsp;&amp; <b>soft</b></p>\u200b<script>x=1</script>\ufeff") == "Good & soft"
    assert clean("a < b and c > d") == "a < b and c > d"


def test_letters_have_one_form() -> None:
    assert clean("這個質量很好，ＡＢＣ１２３") == "这个质量很好,ABC123"
    assert clean("好好好好好好好!!!!!") == "好好好!!!"
    assert clean("13888888888") == "13888888888", "digits are never shortened"


def test_line_ends_that_an_export_wrote_out_are_line_ends() -> None:
    assert clean("good\\n\\n  bad \t ugly") == "good\nbad ugly"


@given(st.text(max_size=200))
def test_any_text_is_cleaned(text: str) -> None:
    cleaned = clean(text)
    assert "\ufeff" not in cleaned and "\u200b" not in cleaned and "\0" not in cleaned
    assert cleaned == cleaned.strip()


def test_a_text_that_is_all_openings_takes_no_longer_than_its_length() -> None:
    for part in ("<", "<!--", "<script", "&amp;", "&#", "<a ", " \n", "\\n"):
        small, large = part * (20_000 // len(part)), part * (100_000 // len(part))
        start = time.process_time()
        clean(small)
        middle = time.process_time()
        clean(large)
        end = time.process_time()
        assert end - middle < max(0.5, 20 * (middle - start)), part
