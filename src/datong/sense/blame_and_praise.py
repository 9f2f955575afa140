"""The reviews of a year, each read for what it blames and praises, a day at a time.

What a day's reviews say is kept (ledger/kept_results.py), so that a run reads the days that are new or have changed
alone. A day is known by its texts, whether its stars are good or bad, and the reader: the rules, and what it learnt
from. Who reads is decided in review_reader.py, how much each review counts in which_reviews_count.py.

In a clause the model speaks first. Where it abstains a model that was plugged in speaks, if one was asked
(plugged_answers.py); then words of praise and blame decide, and where a clause has none of them, the stars of its
review. Where the model and those words disagree, nothing is sure.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from datong.ledger.kept_results import WorkedOut
from datong.ledger.large_tables import codes_at
from datong.ledger.masking import masked
from datong.ledger.state import State
from datong.model.flow import BoolArray, FloatArray, IntArray
from datong.sense.review_reader import Reader, reader_of, sides_by_stars
from datong.sense.review_texts import WORDS, texts_of, words_at
from datong.sense.voice.aspects import general
from datong.sense.voice.kept_opinions import Said, parted, read_back, written
from datong.sense.voice.language import languages_of
from datong.sense.voice.plugged_answers import Told, sides_of, told_on
from datong.sense.voice.polarity_model import Polarity
from datong.sense.voice.reading import split, spoken_of, verdicts
from datong.sense.voice.repeats import said_first
from datong.sense.voice.shipped import LANGUAGES
from datong.sense.voice.text import clean
from datong.sense.voice.tones import tone_words, toned
from datong.sense.which_reviews_count import local_day, rows_in_time, weighed

# Reviews that are read at once: memory stays within what these take, or those of one day.
AT_ONCE = 20_000


@dataclass(frozen=True, eq=False)
class Opinions:
    """What reviews blame and praise. blamed, praised: (review, aspect) whether it does. pairs: (blames) review x
    aspects + aspect of each that is blamed, ascending. letters: (blames) the letters of the cleaned and masked review
    that its first clause takes that blames it: first included, last not."""

    blamed: BoolArray
    praised: BoolArray
    pairs: IntArray
    letters: IntArray


@dataclass(frozen=True, eq=False)
class ReadReviews:
    """The reviews of the last WEEKS_MAX weeks, in the order of their table.

    words: the table's own title and text. row: (review) position in the table. day: (review) local day, in days since
    1970-01-01. of: (review) position of its product in `products`. weight: (review) how much it counts, 0 to 1: less
    than one where it says the same as another, or is likely made up (voice/fakes.py). sign: (review) place in SIGNS of
    why it counts less, -1 for none. by_shipped: whether the models that come with Datong have read them.
    """

    words: pa.Table
    row: IntArray
    day: IntArray
    of: IntArray
    products: tuple[str, ...]
    weight: FloatArray
    sign: IntArray
    opinions: Opinions
    by_shipped: bool

    def text(self, review: int) -> str:
        """A review, cleaned and masked."""
        return masked(clean(texts_of(self.words.slice(int(self.row[review]), 1))[0]))

    def blaming(self, review: int, aspect: int) -> str:
        """The first clause of a review that blames an aspect, '' where none does."""
        pair = review * self.opinions.blamed.shape[1] + aspect
        at = int(np.searchsorted(self.opinions.pairs, pair))
        if at == len(self.opinions.pairs) or self.opinions.pairs[at] != pair:
            return ""
        first, last = self.opinions.letters[at].tolist()
        return self.text(review)[first:last]


def read_reviews(state: State, end: int) -> ReadReviews | None:
    """end: the day after the last closed bucket, in days since 1970-01-01. None where no review has a text."""
    reviews = state.table("reviews")
    if not reviews.num_rows or not pc.any(pc.is_valid(reviews["text"])).as_py():
        return None
    day = local_day(reviews, state)
    inside = rows_in_time(day, end)
    if not len(inside):
        return None
    reader = reader_of(reviews, inside, np.flatnonzero(day < end))
    texts = _Texts(reviews.select(WORDS), inside)
    said = _said(state.worked_out, texts, day[inside], sides_by_stars(reviews)[inside], reader)
    of, names = codes_at(reviews["product"], inside)
    weight, sign = weighed(reviews, inside, day[inside], of, said.alike)
    pairs = np.flatnonzero(said.blamed)
    opinions = Opinions(said.blamed, said.praised, pairs, said.letters)
    words = reviews.select(WORDS)
    return ReadReviews(
        words, inside, day[inside], of, tuple(names.to_pylist()), weight, sign, opinions, not reader.texts
    )


@dataclass(frozen=True)
class Unsure:
    """A clause that speaks of an aspect, and of which Datong's model is not sure. day: of its review, local, in days
    since 1970-01-01. text: masked."""

    day: int
    text: str


def unsure(state: State, end: int) -> list[Unsure]:
    """Clauses of the last WEEKS_MAX weeks of which the model is not sure, each once a day, newest days first. end: as
    of `read_reviews`."""
    reviews = state.table("reviews")
    day = local_day(reviews, state)
    inside = rows_in_time(day, end)
    if not len(inside):
        return []
    models = reader_of(reviews, inside, np.flatnonzero(day < end)).models()
    found: dict[tuple[int, str], Unsure] = {}
    order = inside[np.argsort(-day[inside], kind="stable")]
    for begin in range(0, len(order), AT_ONCE):
        rows = order[begin : begin + AT_ONCE]
        texts = texts_of(words_at(reviews, rows))
        for name, at in _by_reader(texts, models).items():
            clauses = split([texts[i] for i in at])
            silent = verdicts(clauses, models[name]) == 0
            spoken = spoken_of(clauses.tokens, len(clauses.texts), general()).any(axis=1)
            for clause in np.flatnonzero(silent & spoken).tolist():
                one = Unsure(int(day[rows[at[clauses.review[clause]]]]), clauses.texts[clause])
                found.setdefault((one.day, one.text), one)
    return sorted(found.values(), key=lambda one: (-one.day, one.text))


def _by_reader(texts: Sequence[str], models: Mapping[str, Polarity]) -> dict[str, IntArray]:
    """Places of texts by the name of the model that reads them."""
    own = len({id(model) for model in models.values()}) == 1
    reads = np.array([LANGUAGES[0]] * len(texts) if own else languages_of(texts))
    return {name: at for name in LANGUAGES if len(at := np.flatnonzero(reads == name))}


def said_of(
    texts: Sequence[str], day: IntArray, side: IntArray, models: Mapping[str, Polarity], told: Told | None = None
) -> Said:
    """What reviews say, each by itself but for those that say the same on one day. side: (review) 1 for good stars, -1
    for bad ones, 0 for others or none. models: by language. told: what a plugged model said of clauses."""
    many, aspects = len(texts), len(general().aspects)
    blamed, praised = np.zeros((many, aspects), bool), np.zeros((many, aspects), bool)
    letters = np.zeros((many, aspects, 2), np.int64)
    for name, at in _by_reader(texts, models).items():
        blamed[at], praised[at], letters[at] = _judged([texts[i] for i in at], side[at], models[name], told or {})
    return Said(blamed, praised, letters[blamed], said_first(texts, day))


def _judged(texts: Sequence[str], side: IntArray, model: Polarity, told: Told) -> tuple[BoolArray, BoolArray, IntArray]:
    """(review, aspect) whether it blames it, and praises it, and the letters of its first clause that blames it."""
    parts = split(texts)
    many = len(parts.texts)
    tones = toned(parts.tokens, many, tone_words())
    tone = np.sign(tones.good - tones.bad)
    verdict = verdicts(parts, model)
    plugged = np.array(sides_of(parts.texts, told), np.int64)
    for next_best in (plugged, tone, side[parts.review]):  # where the one abstains, the next one speaks
        verdict = np.where(verdict == 0, next_best, verdict)
    spoken = spoken_of(parts.tokens, many, general()) > 0
    praised = np.zeros((len(texts), spoken.shape[1]), bool)
    clause, aspect = np.nonzero(spoken & ((verdict > 0) & (tone >= 0))[:, None])
    praised[parts.review[clause], aspect] = True
    blamed, letters = np.zeros_like(praised), np.zeros((*praised.shape, 2), np.int64)
    clause, aspect = np.nonzero(spoken & ((verdict < 0) & (tone <= 0))[:, None])
    review = parts.review[clause]
    blamed[review, aspect] = True
    first = np.unique(review * spoken.shape[1] + aspect, return_index=True)[1]
    said = clause[first]
    letters[review[first], aspect[first]] = np.stack([parts.first[said], parts.last[said]], 1)
    return blamed, praised, letters


@dataclass(frozen=True, eq=False)
class _Texts:
    """The titles and texts of reviews. words: of the table. row: (review) position in it."""

    words: pa.Table
    row: IntArray

    def take(self, reviews: IntArray) -> pa.Table:
        return words_at(self.words, self.row[reviews])


def _said(kept: WorkedOut, words: _Texts, day: IntArray, side: IntArray, reader: Reader) -> Said:
    """(review) what each says, found among what was kept or read now."""
    order = np.argsort(day, kind="stable")
    days, begin = np.unique(day[order], return_index=True)
    rows = np.split(order, begin[1:])
    told = [told_on(kept, int(one)) for one in days]
    digests = [
        _digest(reader, int(one), words.take(own), side[own], answers)
        for one, own, (answers, _) in zip(days, rows, told, strict=True)
    ]
    missing = [at for at, digest in enumerate(digests) if kept.found(digest) is None]
    models = reader.models() if missing else {}
    for some in _at_once(missing, [len(own) for own in rows]):
        own = np.concatenate([rows[at] for at in some])
        answers = {clause: side for at in some for clause, side in told[at][1].items()}
        said = said_of(texts_of(words.take(own)), day[own], side[own], models, answers)
        for at, part in zip(some, parted(said, np.cumsum([len(rows[at]) for at in some]).tolist()), strict=True):
            kept.keep(digests[at], int(days[at]), written(part))
    return _together((read_back(kept.used[digest].content) for digest in digests), rows)


def _together(parts: Iterable[Said], rows: Sequence[IntArray]) -> Said:
    """One of many, which come one at a time. rows: of each the places of its reviews in the whole, ascending."""
    many, aspects = sum(map(len, rows)), len(general().aspects)
    blamed, praised = np.zeros((many, aspects), bool), np.zeros((many, aspects), bool)
    alike = np.zeros(many, np.int64)
    pairs, letters = [], []
    for part, own in zip(parts, rows, strict=True):
        blamed[own], praised[own], alike[own] = part.blamed, part.praised, own[part.alike]
        review, aspect = np.nonzero(part.blamed)
        pairs.append(own[review] * aspects + aspect)
        letters.append(part.letters.astype(np.int32))
    return Said(blamed, praised, np.concatenate(letters)[np.argsort(np.concatenate(pairs))], alike)


def _at_once(missing: Sequence[int], sizes: Sequence[int]) -> Iterator[list[int]]:
    """Days that are read together, up to AT_ONCE reviews, or one day."""
    some: list[int] = []
    for at in missing:
        if some and sum(sizes[one] for one in some) + sizes[at] > AT_ONCE:
            yield some
            some = []
        some.append(at)
    if some:
        yield some


def _digest(reader: Reader, day: int, words: pa.Table, side: IntArray, told: bytes) -> str:
    """The day counts: what is worked out of one day is forgotten with it, and not with another of the same words. told:
    of a plugged model, of that day."""
    digest = blake2b(f"{reader.digest} {day} ".encode() + side.astype(np.int8).tobytes() + told, digest_size=16)
    for column in words.columns:
        lengths = pc.fill_null(pc.binary_length(column), -1).to_numpy()
        digest.update(lengths.astype("<i4").tobytes())
        for chunk in column.chunks:
            ends = np.frombuffer(chunk.buffers()[1], np.int64)[chunk.offset : chunk.offset + len(chunk) + 1]
            if len(chunk) and chunk.buffers()[2] is not None:
                digest.update(memoryview(chunk.buffers()[2])[ends[0] : ends[-1]])
    return digest.hexdigest()
