"""Words found without a dictionary, in clauses of own making."""

import numpy as np
import pytest

from datong.sense.voice.aspects import lexicon
from datong.sense.voice.new_words import widened, words_of

SIGNS = "甲乙丙丁戊己庚辛壬癸子丑寅卯辰巳午未申酉戌亥"


def clauses_with(words: list[str], many: int, seed: int) -> list[str]:
    """Random signs, with one of the words somewhere in each clause."""
    random = np.random.default_rng(seed)
    found = []
    for _ in range(many):
        signs = "".join(random.choice(list(SIGNS), 20))
        cut = int(random.integers(21))
        found.append(signs[:cut] + words[random.integers(len(words))] + signs[cut:])
    return found


def test_a_word_is_what_stands_together_among_many_neighbours() -> None:
    found = {word.text: word for word in words_of(clauses_with(["云锦缎", "松烟"], 2000, 1))}
    assert found.keys() == {"云锦缎", "松烟"}, "no part of a word, and no chance pair"
    assert found["松烟"].count == pytest.approx(1000, abs=100)
    assert found["松烟"].cohesion > 2.5 and found["松烟"].freedom > 2


def test_words_of_users_are_never_cut() -> None:
    """ "十一" stands by itself as well, so that a corpus alone cuts "双十一" there."""
    texts = clauses_with(["双十一", "十一"], 1000, 2)
    assert "十一" in {word.text for word in words_of(texts, ())}
    kept = {word.text: word.count for word in words_of(texts, ("双十一",))}
    assert kept["双十一"] > 400 and "双十" not in kept
    only = clauses_with(["双十一"], 1000, 2)
    assert {word.text for word in words_of(only, ("双十一",))} == {"双十一"}


def test_a_rare_word_of_a_user_needs_as_many_places_as_any_other() -> None:
    texts = clauses_with(["松烟"], 200, 3)
    assert "甲甲" not in {word.text for word in words_of([*texts, "甲甲"], ("甲甲",))}


def test_company_of_seeds_is_proposed_under_its_aspect() -> None:
    """Cloth stands with two words, the way of delivery with one other; a fourth word stands with both alike."""
    random = np.random.default_rng(4)
    texts = []
    for seed, words in (("面料", ["云锦", "松烟", "竹影"]), ("快递", ["飞马", "竹影"])):
        for word in words:
            for _ in range(150):
                signs = ["".join(random.choice(list(SIGNS), 6)) for _ in range(3)]
                texts.append(f"{signs[0]}{seed}{signs[1]}{word}{signs[2]}")
    texts += clauses_with([""], 2000, 5)
    lists = lexicon('[a.cloth]\nwords_zh = ["面料"]\n[b.way]\nwords_zh = ["快递"]', "own.toml")
    found = {one.word: one for one in widened(texts, lists)}
    assert {word: one.aspect for word, one in found.items() if word != "竹影"} == {
        "云锦": "a.cloth",
        "松烟": "a.cloth",
        "飞马": "b.way",
    }
    assert found["飞马"].company > found["竹影"].company
    assert not any("面料" in word or "快递" in word for word in found), "a seed is proposed to nobody"


def test_nothing_is_found_in_nothing() -> None:
    words = lexicon('[a.b]\nwords_zh = ["面料"]', "own.toml")
    for texts in ([], [""], ["😀"], ["好"]):
        assert words_of(texts) == ()
        assert widened(texts, words) == ()
