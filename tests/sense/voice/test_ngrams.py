"""Counts of n-grams against counting by hand."""

from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from datong.sense.voice.ngrams import counts, tokens

TEXTS = st.text(alphabet="好不错ab 1,İ😀\n", max_size=12)


def by_hand(text: str) -> list[str]:
    """Tokens of one text: a run of letters, a run of digits as '0', any other sign."""
    found: list[str] = []
    kind_before = ""
    for letter in text:
        lower = letter.lower() if len(letter.lower()) == 1 else letter
        kind = "letter" if letter in "abİ" else "digit" if letter.isdigit() else "blank" if letter.isspace() else "sign"
        if kind in ("letter", "digit") and kind == kind_before:
            found[-1] += lower if kind == "letter" else ""
        elif kind != "blank":
            found.append("0" if kind == "digit" else lower)
        kind_before = kind
    return found


@given(st.lists(TEXTS, max_size=5))
def test_each_text_has_the_counts_of_its_tokens(texts: list[str]) -> None:
    found = counts(texts, (1, 2, 3), 32)
    assert len(found) == len(texts)
    for i, text in enumerate(texts):
        words = by_hand(text)
        grams = Counter(tuple(words[k : k + n]) for n in (1, 2, 3) for k in range(len(words) - n + 1))
        values = found.values[found.starts[i] : found.starts[i + 1]]
        assert sorted(values.astype(int).tolist()) == sorted(grams.values())


@given(st.lists(TEXTS, min_size=1, max_size=4))
def test_a_text_counts_the_same_alone_and_among_others(texts: list[str]) -> None:
    together = counts(texts, (1, 2), 20)
    for i, text in enumerate(texts):
        alone = counts([text], (1, 2), 20)
        part = slice(together.starts[i], together.starts[i + 1])
        assert together.columns[part].tolist() == alone.columns.tolist()
        assert together.values[part].tolist() == alone.values.tolist()


@given(st.lists(TEXTS, max_size=4))
def test_tokens_say_where_they_stand(texts: list[str]) -> None:
    found = tokens(texts)
    for i, first, last in zip(found.text_of, found.first, found.last, strict=True):
        part = texts[i][first:last]
        assert part and part == part.strip()
    joined = [
        "".join(texts[i][a:b] for j, a, b in zip(found.text_of, found.first, found.last, strict=True) if j == i)
        for i in range(len(texts))
    ]
    assert joined == ["".join(text.split()) for text in texts]


def test_an_ngram_of_a_group_counts_beside_that_of_all() -> None:
    plain = counts(["很轻", "很轻"], (1,), 24)
    grouped = counts(["很轻", "很轻", "很轻"], (1,), 24, np.array([0, 1, -1]), (1,))
    assert np.diff(plain.starts).tolist() == [2, 2]
    assert np.diff(grouped.starts).tolist() == [4, 4, 2]
    first, second = (set(grouped.columns[grouped.starts[i] : grouped.starts[i + 1]]) for i in (0, 1))
    assert len(first & second) == 2, "what all share, and not what is of the group"
