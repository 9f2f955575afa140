import pytest

from datong.model.errors import BadInput
from datong.sense.voice.aspects import general, lexicon, mentions
from datong.sense.voice.ngrams import tokens
from datong.sense.voice.tones import tone_words


def found(text: str, words) -> list[tuple[str, str]]:
    """The aspects that a text mentions, each with the words."""
    parts = tokens([text])
    hits = mentions(parts, words)
    return [
        (words.paths[a], text[parts.first[f] : parts.last[b - 1]])
        for a, f, b in zip(hits.aspect_of, hits.first, hits.last, strict=True)
    ]


def test_seeds_are_found_in_both_languages() -> None:
    assert found("面料柔软", general()) == [("product.material", "面料"), ("product.material", "柔软")]
    assert ("product.fit", "runs small") in found("it runs small", general())
    assert found("Shipping was LATE", general()) == [("order.delivery", "Shipping"), ("order.delivery", "LATE")]
    assert found("a fitness app", general()) == [], "a seed is whole words"


WORDS = """
[a.size]
words_zh = ["大小", "大"]
[a.taste]
words_zh = ["大枣"]
words_en = ["big bite"]
[a.both]
words_zh = ["大小"]
"""


def test_within_a_longer_seed_a_shorter_one_says_nothing() -> None:
    words = lexicon(WORDS, "own.toml")
    assert found("大小大", words) == [("a.size", "大小"), ("a.both", "大小"), ("a.size", "大")]
    assert found("大枣", words) == [("a.taste", "大枣")]


def test_a_list_that_cannot_be_used_says_all_that_is_wrong_with_it() -> None:
    broken = 'x = 1\n[a]\nb = 2\n[a.c]\nwords_zh = "好"\n[a.d]\nwords_en = ["", 3]\n[a.e]\nword = ["x"]\nzh = 4\n'
    with pytest.raises(BadInput) as error:
        lexicon(broken, "own.toml")
    said = str(error.value)
    for part in ("x", "a.b", "a.c.words_zh", "a.d.words_en", "a.e.word", "a.e.zh"):
        assert f"found {part}" in said
    for text in ("", "[", "[a.b]\nwords_zh = ['一二三四五六七八九']"):
        with pytest.raises(BadInput):
            lexicon(text, "own.toml")


def test_the_lists_that_come_with_datong_have_names_and_seeds_in_both_languages() -> None:
    for words in (general(), tone_words()):
        for aspect in words.aspects:
            assert all(aspect.names[language] != aspect.path for language in ("en", "zh"))
            assert any(s.isascii() for s in aspect.seeds) and any(not s.isascii() for s in aspect.seeds)
            assert len(set(aspect.seeds)) == len(aspect.seeds)
