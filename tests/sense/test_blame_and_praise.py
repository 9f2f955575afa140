"""Reviews are read a day at a time; what a day says is kept, and gives the answers that reading it again would."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest
from tests.sense.test_complaints import BAD, BLEEDS, GOOD, MONDAY, WEEKS, late_on_a, shop

from datong.ledger.columns import day_number, local_days
from datong.ledger.kept_results import WorkedOut
from datong.ledger.state import State, state_of_tables
from datong.model.settings import ChainSettings
from datong.sense import blame_and_praise, review_reader
from datong.sense.blame_and_praise import ReadReviews, read_reviews, said_of
from datong.sense.review_reader import Reader, reader_of
from datong.sense.signals import sense
from datong.sense.voice.aspects import general
from datong.sense.voice.kept_opinions import parted, read_back, written
from datong.sense.voice.language import languages_of
from datong.sense.voice.shipped import LANGUAGES, shipped

END = day_number(MONDAY.date() + timedelta(weeks=WEEKS))
TEXTS = [*GOOD, *BAD, *BLEEDS, "", "😀😀", "Lovely, but the fabric bled. 面料起球严重", "面料起球严重，太差。"]


def heard(state: State) -> ReadReviews:
    found = read_reviews(state, END)
    assert found is not None
    return found


def same(one: ReadReviews, other: ReadReviews) -> bool:
    arrays = ("blamed", "praised", "pairs", "letters")
    return np.array_equal(one.weight, other.weight) and all(
        np.array_equal(getattr(one.opinions, name), getattr(other.opinions, name)) for name in arrays
    )


def counted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many reviews are read at each call."""
    calls: list[int] = []

    def spied(texts: Sequence[str], *rest: object) -> object:
        calls.append(len(texts))
        return said_of(texts, *rest)  # ty: ignore[invalid-argument-type]

    monkeypatch.setattr(blame_and_praise, "said_of", spied)
    return calls


def test_what_was_kept_gives_the_same_answers_and_only_new_days_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = shop(late_on_a, stars=False)
    reviews = whole.table("reviews")
    day = local_days(reviews, whole)
    last = int(day.max())
    before = whole.with_tables(reviews=reviews.filter(pa.array(day < last)))
    calls = counted(monkeypatch)
    first = heard(replace(before, worked_out=(kept := WorkedOut())))
    assert sum(calls) == len(first.row)
    calls.clear()
    after = heard(replace(whole, worked_out=(again := WorkedOut(dict(kept.used)))))
    assert calls == [int((day == last).sum())]
    assert len(again.used) == len(kept.used) + 1
    assert same(after, heard(replace(whole, worked_out=WorkedOut())))
    assert [s.text for s in sense(replace(whole, worked_out=again)).signals] == [s.text for s in sense(whole).signals]


@pytest.mark.parametrize("stars", [True, False])
def test_how_many_are_read_at_once_changes_nothing(monkeypatch: pytest.MonkeyPatch, stars: bool) -> None:
    state = shop(late_on_a, stars)
    once = heard(replace(state, worked_out=WorkedOut()))
    monkeypatch.setattr(blame_and_praise, "AT_ONCE", 7)
    assert same(once, heard(replace(state, worked_out=WorkedOut())))
    assert once.by_shipped != stars


def test_a_changed_review_or_star_or_reader_is_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    state = shop(late_on_a, stars=False)
    heard(replace(state, worked_out=(kept := WorkedOut())))
    calls = counted(monkeypatch)
    for column, value in (("text", "洗一次就掉色"), ("rating", 1.0)):
        rows = state.table("reviews").to_pylist()
        rows[0][column] = value
        changed = pa.Table.from_pylist(rows, schema=state.table("reviews").schema)
        calls.clear()
        heard(replace(state.with_tables(reviews=changed), worked_out=WorkedOut(dict(kept.used))))
        assert len(calls) == 1 and 0 < calls[0] < 30
    monkeypatch.setattr(review_reader, "rules_digest", lambda: "others")
    calls.clear()
    found = heard(replace(state, worked_out=WorkedOut(dict(kept.used))))
    assert sum(calls) == len(found.row)


def test_how_a_table_lies_in_memory_changes_no_digest() -> None:
    state = shop(late_on_a, stars=False)
    reviews = state.table("reviews")
    pieces = pa.concat_tables([reviews.slice(0, 100), reviews.slice(100, 1), reviews.slice(101)])
    used = []
    for table in (reviews, pieces):
        heard(replace(state.with_tables(reviews=table), worked_out=(kept := WorkedOut())))
        used.append(set(kept.used))
    assert used[0] == used[1] and len(used[0]) > 100


def test_what_is_kept_is_read_back_and_holds_no_words() -> None:
    texts, day = TEXTS * 3, np.arange(3 * len(TEXTS)) % 4
    models = {name: shipped(name) for name in LANGUAGES}
    said = said_of(texts, day, np.zeros(len(texts), np.int64), models)
    order = np.argsort(day, kind="stable")
    sorted_ = said_of([texts[i] for i in order], day[order], np.zeros(len(texts), np.int64), models)
    ends = np.searchsorted(day[order], np.arange(1, 5)).tolist()
    begin = 0
    for end, part in zip(ends, parted(sorted_, ends), strict=True):
        own = order[begin:end]
        alone = said_of([texts[i] for i in own], day[own], np.zeros(len(own), np.int64), models)
        for one in (part, read_back(written(part))):
            for name in ("blamed", "praised", "letters", "alike"):
                assert np.array_equal(getattr(one, name), getattr(alone, name)), name
        begin = end
    assert said.blamed.sum() == len(said.letters) > 0 and len(written(said)) < 200


def test_the_clause_that_blames_is_found_by_its_letters() -> None:
    state = shop(late_on_a, stars=False)
    found = heard(state)
    material = general().paths.index("product.material")
    said = {found.blaming(i, material) for i in np.flatnonzero(found.opinions.blamed[:, material]).tolist()}
    assert said and said <= {"洗一次就掉色", "别的衣服都染了", "The fabric bled in the wash", "面料起球严重"}
    assert found.blaming(int(np.flatnonzero(~found.opinions.blamed[:, material])[0]), material) == ""


def rated(many: int, gone: Sequence[int] = ()) -> pa.Table:
    """So many reviews with stars, one an hour; of those that are gone stars alone are left."""
    begin = datetime(2024, 1, 1, tzinfo=UTC)
    rows = [
        {
            "product": "A",
            "happened_at": begin + timedelta(hours=i),
            "known_at": begin + timedelta(hours=i),
            "text": None if i in gone else f"text {i}",
            "rating": (1.0, 5.0)[i % 2],
        }
        for i in range(many)
    ]
    state = state_of_tables(ChainSettings("x"), begin, {"reviews": pa.Table.from_pylist(rows)})
    return state.table("reviews")


def reader(reviews: pa.Table) -> Reader:
    every = np.arange(reviews.num_rows)
    return reader_of(reviews, every, every)


def test_a_large_chain_learns_anew_when_it_has_twice_as_many_stars(monkeypatch: pytest.MonkeyPatch) -> None:
    """With at most 500: of 300 all; of 501 to 599 the first 300; of 600 and of 1,199 the last 500 of the first 600."""
    monkeypatch.setattr(review_reader, "LEARNT_MAX", 500)
    assert len(reader(rated(300)).texts) == 300 and len(reader(rated(500)).texts) == 500
    assert reader(rated(501)).texts == tuple(f"text {i}" for i in range(300))
    assert reader(rated(599)).digest == reader(rated(501)).digest
    twice = reader(rated(600))
    assert twice.texts == tuple(f"text {i}" for i in range(100, 600))
    assert twice.digest == reader(rated(1_199)).digest != reader(rated(1_200)).digest
    # Whoever is forgotten is no more learnt from; the reader stays where nothing was.
    assert reader(rated(700, gone=[650, 3])).digest == twice.digest
    assert reader(rated(700, gone=[400])).texts == tuple(f"text {i}" for i in range(100, 600) if i != 400)


def test_few_stars_are_read_by_the_models_that_come_with_datong() -> None:
    assert reader(rated(299)).texts == () and set(reader(rated(299)).models()) == set(LANGUAGES)
    assert languages_of(["Great fit", "质量很好", "质量很好 ok", ""]) == ["en", "zh", "zh", "en"]


def test_the_models_that_come_with_datong_judge_along_where_there_are_stars() -> None:
    own = reader(rated(300)).models()["zh"]
    assert own.others is not None and {name: own.others.models[name] for name in LANGUAGES} == {
        name: shipped(name) for name in LANGUAGES
    }


def test_who_says_so_is_said_where_it_is_the_shipped_model() -> None:
    said = "comes with Datong"
    for stars in (True, False):
        texts = [s.text.text("en") for s in sense(shop(late_on_a, stars)).signals if s.kind == "complaint"]
        assert texts and all((said in text) != stars for text in texts)
