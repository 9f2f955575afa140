from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from datong.sense.voice.clauses import clauses


def texts(review: str) -> list[str]:
    return [clause.text for clause in clauses(review)]


def test_stops_and_words_that_turn_part_clauses() -> None:
    assert texts("面料很好,做工也不错!就是尺码偏大 但是客服好") == [
        "面料很好",
        "做工也不错",
        "就是尺码偏大",
        "但是客服好",
    ]
    assert texts("Soft fabric but it runs small. However I kept it") == [
        "Soft fabric",
        "but it runs small",
        "However I kept it",
    ]


def test_a_number_is_not_parted_nor_a_word_that_only_looks_like_a_turn() -> None:
    assert texts("花了1,299.50元") == ["花了1,299.50元"]
    assert texts("不但好看而且便宜") == ["不但好看而且便宜"]
    assert texts("a button came off") == ["a button came off"]


def test_a_clause_says_whether_it_turns() -> None:
    assert [c.turns for c in clauses("很好,不过贵")] == [False, True]


@given(st.text(alphabet="好但是不过but ,.!。1 \n…a", max_size=40))
def test_clauses_are_parts_of_the_review_and_nothing_said_is_lost(review: str) -> None:
    found = clauses(review)
    assert all(review[c.first : c.last] == c.text for c in found)
    assert all(a.last <= b.first for a, b in pairwise(found))
    said = [c for c in review if c.isalnum()]
    assert [c for clause in found for c in clause.text if c.isalnum()] == said
