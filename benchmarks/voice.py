"""What Datong hears in reviews, on public sets: whether a review is good or bad, of which aspects it speaks, how fast.

    python benchmarks/voice.py [--short] [--open] [--rows polarity,left_out,waimai,whole_review,few_stars,...]

One JSON object a line. Each labelled set is split once: duplicates out (texts with two labels: all of them), a random
fifth kept for the test, the seed fixed (`SPLIT_SEED`; `DIGESTS` holds the splits to what they were). As it stands a row
is measured inside the training part, where everything was chosen: on a fifth of it, learnt from the rest. `--open`
learns from the whole training part and measures on the test part. `--short` learns from few rows and takes a minute.

Beside Datong stands, on the same rows, the linear support vector machine of scikit-learn on TF-IDF of 1 to 3 characters
(`pip install 'datong[bench]'`), and for aspects the lexicon in `voice_asap.toml`. Differences are paired: by text, with
their standard error; of aspects with a 90% interval of 2,000 bootstraps over reviews.

The data lie in ../shared/data beside the checkout: reviews_zh (no licence stated: read here, never shipped); where they
are absent a row says so and is skipped.
"""

import argparse
import importlib.util
import json
import sys
import time
import tomllib
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from fakes.made_up import DEVELOPED, HELD_OUT, KINDS, OPENED, Generators, Real, planted, shop

from datong.sense.review_reader import MODEL
from datong.sense.voice import aspects as voice_aspects
from datong.sense.voice import reading
from datong.sense.voice.clauses import clauses
from datong.sense.voice.fakes import doubts
from datong.sense.voice.polarity_model import NEW, Polarity, Settings, adapted, decided, learnt, probabilities, scores
from datong.sense.voice.reading import tone_words
from datong.sense.voice.repeats import copies
from datong.sense.voice.shipped import shipped
from datong.sense.voice.taught import judged, taught
from datong.sense.voice.text import clean

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT.parent / "shared" / "data" / "reviews_zh"
ASAP_SEEDS = ROOT / "benchmarks" / "voice_asap.toml"
SPLIT_SEED, FIT_SEED = 20261129, 16
TEST_SHARE = 5
TEN, ENGLISH = "online_shopping_10_cats.parquet", "../reviews_en_clothing/reviews.parquet"
# A verdict of less chance than this is none.
LEAST_SURE = 0.8
UNHELD = Settings(held_out_share=0, steps=30)
# Chosen in three folds of the training part, as the other settings were.
WAIMAI = Settings(penalty=0.3, ratio_penalty=0.4)
SHORT_ROWS = 1500
BOOTSTRAPS = 2000
SPEED_ROWS, CHUNK = 20_000, 1000
SENT, COPIES, EDITS = 20, 25, 0.05
# Reviews with stars that a chain has.
FEW = (300, 1000, 3000)
PRODUCTS_EACH, FEW_FALSE = 30, 0.01
# Digests of the rows that are kept for the test, so that nobody moves them.
DIGESTS = {"ten": "adaa7cf186b68735", "waimai": "bb003aed6577e821", "english": "5cc59f6d60d5d71e"}
# What is asked of a row: of which figure, at least, and as an aim.
BARS = {
    "polarity": ("datong", 0.940, 0.945),
    "left_out": ("datong", 0.890, 0.905),
    "waimai": ("datong", 0.905, 0.915),
    "shipped": ("least_gain", 0.02, 0.05),
    "aspects": ("datong_less_lexicon", 0.10, 0.20),
    "speed": ("reviews_a_second", 800, 2500),
    "repeats": ("flagged", 0.80, 0.95),
    "fakes": ("flagged_if_few_false", 0.80, 0.95),
}


@dataclass(frozen=True, eq=False)
class Part:
    """Texts with whether each is positive, and the group (category) of each."""

    texts: list[str]
    positive: np.ndarray
    groups: list[str]

    def at(self, rows: np.ndarray) -> "Part":
        return Part([self.texts[i] for i in rows], self.positive[rows], [self.groups[i] for i in rows])

    def __len__(self) -> int:
        return len(self.texts)


@dataclass(frozen=True, eq=False)
class Split:
    """train: what is learnt from. test: what is measured on."""

    train: Part
    test: Part


def read(name: str, file: str) -> tuple[Part, Part]:
    """The training and the test part of a labelled set, as it is split once and for all."""
    table = pd.read_parquet(DATA / file)
    if name == "english":
        table = table[(table["rating"] != 3) & table["review_text"].notna()]
        columns = {"review_text": "review", "row_no": "review_no", "department": "category"}
        table = table.rename(columns=columns).assign(label=(table["rating"] > 3).astype(int))
        table["category"] = table["category"].fillna("")
    table["review"] = table["review"].fillna("").str.replace("\ufeff", "").str.strip()
    table = table[table["review"] != ""]
    labels = table.groupby("review")["label"].nunique()
    table = table[table["review"].map(labels) == 1].drop_duplicates("review").sort_values("review_no")
    groups = table["category"].tolist() if "category" in table else [""] * len(table)
    whole = Part(table["review"].tolist(), (table["label"] == 1).to_numpy(), groups)
    train, test = cut(len(whole), SPLIT_SEED)
    digest = sha256(",".join(map(str, table["review_no"].to_numpy()[test])).encode()).hexdigest()[:16]
    if digest != DIGESTS[name]:
        raise ValueError(f"the test part of {name} is another one: {digest}")
    return whole.at(train), whole.at(test)


def cut(rows: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows to learn from, and a random fifth to measure on."""
    order = np.random.default_rng(seed).permutation(rows)
    return np.sort(order[rows // TEST_SHARE :]), np.sort(order[: rows // TEST_SHARE])


def chosen(name: str, file: str, short: bool, opened: bool) -> Split:
    """What is learnt from and measured on: by default both inside the training part."""
    train, test = read(name, file)
    if opened:
        return Split(train, test)
    learn, measure = cut(len(train), SPLIT_SEED + 1)
    if short:
        learn, measure = (np.sort(np.random.default_rng(1).permutation(r)[:SHORT_ROWS]) for r in (learn, measure))
    return Split(train.at(learn), train.at(measure))


def cleaned(part: Part) -> list[str]:
    """Its texts as voice reads them."""
    return [clean(text) for text in part.texts]


def machine(train: Part, texts: Sequence[str]) -> np.ndarray:
    """(texts) scores of the linear support vector machine on TF-IDF of 1 to 3 characters."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.svm import LinearSVC

    words = TfidfVectorizer(analyzer="char", ngram_range=(1, 3), sublinear_tf=True, min_df=2, dtype=np.float32)
    model = LinearSVC(C=0.5, random_state=FIT_SEED).fit(words.fit_transform(train.texts), train.positive)
    return model.decision_function(words.transform(texts))


def row_of(name: str, where: Part, base: np.ndarray, **of_datong: np.ndarray) -> dict[str, Any]:
    """Accuracies, and how much better than the machine each is, in shares of texts, with the standard error."""
    right = (base > 0) == where.positive
    row: dict[str, Any] = {"row": name, "texts": len(where), "svm": round(float(right.mean()), 4)}
    row["svm_se"] = round(float(right.std() / len(right) ** 0.5), 4)
    for key, said in of_datong.items():
        better = ((said > 0) == where.positive).astype(float) - right
        row[key] = round(float(((said > 0) == where.positive).mean()), 4)
        row[f"{key}_less_svm"] = round(float(better.mean()), 4)
        row[f"{key}_less_svm_se"] = round(float(better.std() / len(better) ** 0.5), 4)
    return row


def polarity(short: bool, opened: bool) -> dict[str, Any]:
    """Ten categories of Chinese reviews. Datong reads the texts alone and guesses the category; then with it told."""
    split = chosen("ten", TEN, short, opened)
    model = learnt(cleaned(split.train), split.train.positive, FIT_SEED, split.train.groups)
    texts = cleaned(split.test)
    found, told = probabilities(model, texts), probabilities(model, texts, split.test.groups)
    base = machine(split.train, split.test.texts)
    row = row_of("polarity", split.test, base, datong=found - 0.5, category_told=told - 0.5)
    return {**row, **certainty(split.test.positive, found)}


def certainty(positive: np.ndarray, chances: np.ndarray) -> dict[str, float]:
    """How true the stated chances are, and what abstaining gives: the mean gap between the chance of the verdict and
    how often it is right, over ten classes of it; the share decided at LEAST_SURE and how much of it is right."""
    sure = np.maximum(chances, 1 - chances)
    right = (chances > 0.5) == positive
    classes = np.minimum(((sure - 0.5) * 20).astype(int), 9)
    gaps = [abs(sure[classes == c].mean() - right[classes == c].mean()) * (classes == c).mean() for c in set(classes)]
    taken = decided(chances, LEAST_SURE) != 0
    found = {"calibration_error": sum(gaps), "decided": taken.mean(), "decided_right": right[taken].mean()}
    return {name: round(float(value), 4) for name, value in found.items()}


def waimai(short: bool, opened: bool) -> dict[str, Any]:
    """Reviews of deliveries of food. Datong also learns from the training part of the ten categories."""
    split = chosen("waimai", "waimai_10k.parquet", short, opened)
    others = chosen("ten", TEN, short, opened).train
    texts = cleaned(split.train) + cleaned(others)
    positive = np.concatenate((split.train.positive, others.positive))
    groups = ["waimai"] * len(split.train) + [""] * len(others)
    model = learnt(texts, positive, FIT_SEED, groups, WAIMAI, meant="waimai")
    found = probabilities(model, cleaned(split.test), ["waimai"] * len(split.test))
    return row_of("waimai", split.test, machine(split.train, split.test.texts), datong=found - 0.5)


def whole_review(short: bool, opened: bool) -> dict[str, Any]:
    """How far reviews of deliveries can be told by linear models: in fifths of the training part, whatever is opened.

    `stacked` is a logistic regression on all that was tried and helped a little: the scores of Datong's model, of the
    machine and of the shipped model on the review; the lowest, highest, first, last and mean score of its clauses; its
    words of praise and blame, turns, clauses and length. Each is learnt without the fifth that it is measured on."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    part = read("waimai", "waimai_10k.parquet")[0]
    order = np.random.default_rng(SPLIT_SEED + 2).permutation(len(part))[: 2 * SHORT_ROWS if short else None]
    part = part.at(np.sort(order))
    texts = cleaned(part)
    found = reading.split(texts)
    pieces, of = list(found.texts), found.review
    fifth = np.random.default_rng(FIT_SEED).permutation(len(part)) % TEST_SHARE
    tones = reading.toned(found.tokens, len(pieces), tone_words())
    said = (tones.good, tones.bad, tones.flat, found.turns, np.ones(len(of)))
    plain = [np.bincount(of, one, len(part)) for one in said] + [np.log1p([len(text) for text in texts])]
    base, own = np.zeros(len(part)), np.zeros(len(part))
    own_pieces, strange = np.zeros(len(of)), shipped("zh")
    for fold in range(TEST_SHARE):
        away, here = np.flatnonzero(fifth != fold), np.flatnonzero(fifth == fold)
        there = np.flatnonzero(fifth[of] == fold)
        model = learnt([texts[i] for i in away], part.positive[away], FIT_SEED, settings=WAIMAI)
        base[here] = machine(part.at(away), part.at(here).texts)
        own[here] = scores(model, [texts[i] for i in here])
        own_pieces[there] = scores(model, [pieces[i] for i in there])
    facts = [base, own, scores(strange, texts), *plain]
    for score in (own_pieces, scores(strange, pieces)):
        facts += over_clauses(score, of, len(part))
    rows, chances = np.column_stack(facts), np.zeros(len(part))
    for fold in range(TEST_SHARE):
        stack = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=500))
        stack.fit(rows[fifth != fold], part.positive[fifth != fold])
        chances[fifth == fold] = stack.predict_proba(rows[fifth == fold])[:, 1]
    return row_of("whole_review", part, base, datong=own, stacked=chances - 0.5)


def over_clauses(score: np.ndarray, review: np.ndarray, many: int) -> list[np.ndarray]:
    """(reviews) lowest, highest, first, last and mean score of the clauses of each, 0 where it has none."""
    low, high = np.full(many, np.inf), np.full(many, -np.inf)
    np.minimum.at(low, review, score)
    np.maximum.at(high, review, score)
    first, last = np.zeros(many), np.zeros(many)
    first[review[::-1]], last[review] = score[::-1], score
    count = np.bincount(review, minlength=many)
    mean = np.bincount(review, score, many) / np.maximum(count, 1)
    return [np.where(count, low, 0.0), np.where(count, high, 0.0), first, last, mean]


def english(short: bool, opened: bool) -> dict[str, Any]:
    """English reviews of clothes (CC0): four or five stars against one or two; the shares of each side that are right,
    since nine of ten are positive."""
    split = chosen("english", ENGLISH, short, opened)
    model = learnt(cleaned(split.train), split.train.positive, FIT_SEED, split.train.groups)
    found = probabilities(model, cleaned(split.test), split.test.groups) - 0.5
    base = machine(split.train, split.test.texts)
    row = row_of("english", split.test, base, datong=found)
    for name, said in (("svm", base), ("datong", found)):
        sides = [((said > 0) == side)[split.test.positive == side].mean() for side in (True, False)]
        row[f"{name}_each_side"] = [round(float(side), 4) for side in sides]
    return row


def few_stars(short: bool, opened: bool) -> dict[str, Any]:
    """A chain with few stars, by the code that users run: learnt from so many reviews of one Chinese category (or of
    deliveries) alone, and with the model that comes with Datong judging along, which learnt from none of them. Mean
    accuracy over categories; the difference with its standard error over categories. Sets with fewer reviews are left
    out. English is not measured: the model that comes with Datong learnt from the one set there is."""
    every = {"waimai": chosen("waimai", "waimai_10k.parquet", False, opened)}
    ten = chosen("ten", TEN, False, opened)
    for name in sorted(set(ten.train.groups)):
        every[name] = Split(*(part.at(np.flatnonzero(np.array(part.groups) == name)) for part in (ten.train, ten.test)))
    random = np.random.default_rng(FIT_SEED)
    parts = [(split.train.at(random.permutation(len(split.train))), split.test) for split in every.values()]
    each: dict[str, dict[str, float]] = {}
    for many in FEW[:1] if short else FEW:
        better, own = [], []
        for train, test in parts:
            if len(train) < many:
                continue
            texts, truth = cleaned(test)[:SHORT_ROWS], test.positive[:SHORT_ROWS]
            learn = train.at(np.arange(many))
            alone, along = (
                learnt(cleaned(learn), learn.positive, FIT_SEED, settings=MODEL, others=others)
                for others in (None, {"zh": shipped("zh")})
            )
            right = [((probabilities(model, texts) > 0.5) == truth).mean() for model in (alone, along)]
            own.append(right[0])
            better.append(right[1] - right[0])
        error = np.std(better, ddof=1) / len(better) ** 0.5
        figures = {"own": np.mean(own), "gain": np.mean(better), "gain_se": error, "least_gain": min(better)}
        each[str(many)] = {"sets": len(own), **{key: round(float(value), 4) for key, value in figures.items()}}
    return {"row": "few_stars", "each": each}


def of_shipped(short: bool, opened: bool) -> dict[str, Any]:
    """The models that come with Datong, which learnt from none of the Chinese sets, beside the words of praise and
    blame that read alone before: on whole reviews, each set apart; `least_gain` is the smallest difference. A review in
    which as many words praise as blame, or none, is half right. The English model learnt from the training part of the
    English set: it is measured on the test part alone."""
    sets = {"ten": (TEN, "zh"), "waimai": ("waimai_10k.parquet", "zh")} | (
        {"english": (ENGLISH, "en")} if opened else {}
    )
    each: dict[str, dict[str, float]] = {}
    for name, (file, of) in sets.items():
        part = chosen(name, file, short, opened).test
        found = probabilities(shipped(of), cleaned(part))
        right = (found > 0.5) == part.positive
        said = by_words(part.texts)
        by_seeds = np.where(said == 0, 0.5, (said > 0) == part.positive)
        better = right - by_seeds
        figures = {
            "model": right.mean(),
            "model_each_side": [round(float(right[part.positive == side].mean()), 4) for side in (True, False)],
            "words": by_seeds.mean(),
            "words_silent": (said == 0).mean(),
            "gain": better.mean(),
            "gain_se": better.std() / len(better) ** 0.5,
        }
        figures = {key: value if isinstance(value, list) else round(float(value), 4) for key, value in figures.items()}
        each[name] = {"texts": len(part), **figures, **certainty(part.positive, found)}
    return {"row": "shipped", "least_gain": min(one["gain"] for one in each.values()), "each": each}


def by_words(texts: Sequence[str]) -> np.ndarray:
    """(texts) how many words praise, less those that blame."""
    parts = reading.split(texts)
    tones = reading.toned(parts.tokens, len(parts.texts), tone_words())
    return np.bincount(parts.review, tones.good - tones.bad, len(texts))


def left_out(short: bool, opened: bool) -> dict[str, Any]:
    """Each category in turn, learnt from the nine others and from texts of the tenth without their labels; the mean of
    the ten accuracies.

    Labels are those of the training part of the nine; texts those of the training part of the tenth. Measured on the
    test part of the tenth; not opened, on the labels of its training part, which the model does not see."""
    train, test = read("ten", TEN)
    test = test if opened else train
    names = sorted(set(train.groups))
    of_train, of_test = np.array(train.groups), np.array(test.groups)
    each: dict[str, dict[str, float]] = {}
    for name in names[:2] if short else names:
        learn, unlabelled, measure = (np.flatnonzero(w) for w in (of_train != name, of_train == name, of_test == name))
        if short:
            draws = [np.random.default_rng(1).permutation(r)[:SHORT_ROWS] for r in (learn, unlabelled, measure)]
            learn, unlabelled, measure = draws
        known, here = train.at(learn), test.at(measure)
        model = adapted(cleaned(known), known.positive, cleaned(train.at(unlabelled)), FIT_SEED, UNHELD)
        found = {"svm": machine(known, here.texts), "datong": scores(model, cleaned(here), [NEW] * len(here))}
        each[name] = {k: round(float(((s > 0) == here.positive).mean()), 4) for k, s in found.items()}
    better = np.array([one["datong"] - one["svm"] for one in each.values()])
    means = {k: round(float(np.mean([one[k] for one in each.values()])), 4) for k in ("svm", "datong")}
    gain = {"datong_less_svm": round(float(better.mean()), 4)}
    gain["datong_less_svm_se"] = round(float(better.std(ddof=1) / len(better) ** 0.5), 4)
    return {"row": "left_out", "categories": len(each), **means, **gain, "each": each}


Asap = tuple[list[str], np.ndarray]


def asap(part: str) -> Asap:
    """Reviews, and (reviews, 18) 1, 0 or -1, -2 where an aspect is not mentioned. part: 'train' (100), 'rest' (200)."""
    table = pd.read_parquet(DATA / "asap_sample.parquet")
    table = table[(table["source_split"] == "train") == (part == "train")]
    return table["review"].tolist(), table.iloc[:, 4:].to_numpy()


def of_lexicon(texts: Sequence[str]) -> np.ndarray:
    """(reviews, 18) as `asap` has it: an aspect is mentioned where one of its seeds stands; its polarity is the sign of
    words of praise less words of complaint in the clauses with its seeds, each turned round by a word of negation
    right before it, 0 where a middling word stands or nothing is said."""
    seeds, known = asap_seeds()
    good, bad, flat, turn = (known[k] for k in ("good", "bad", "flat", "turn"))
    found = np.full((len(texts), len(seeds.aspects)), -2)
    for i, text in enumerate(texts):
        parts = [c.text for c in clauses(clean(text))]
        said = np.array(
            [0 if any(w in p for w in flat) else counted(p, good, turn) - counted(p, bad, turn) for p in parts]
        )
        for a, aspect in enumerate(seeds.aspects):
            with_seed = [k for k, p in enumerate(parts) if any(s in p for s in aspect.seeds)]
            if with_seed:
                found[i, a] = np.sign(said[with_seed].sum())
    return found


def counted(text: str, words: Sequence[str], turn: Sequence[str]) -> int:
    """How often words stand in a text, those after a word of negation counted against."""
    total = 0
    for word in words:
        at = text.find(word)
        while at >= 0:
            total += -1 if any(text[:at].endswith(t) for t in turn) else 1
            at = text.find(word, at + 1)
    return total


def asap_seeds() -> tuple[voice_aspects.Lexicon, dict[str, list[str]]]:
    """The aspects of ASAP with their seeds, and the words of the lexicon."""
    text = ASAP_SEEDS.read_text(encoding="utf-8")
    head, _, _ = text.partition("# Words of the lexicon")
    return voice_aspects.lexicon(head, ASAP_SEEDS.name), tomllib.loads(text)["lexicon"]


def f1(found: np.ndarray, gold: np.ndarray, rows: np.ndarray | None = None) -> float:
    """F1 of pairs (aspect, polarity) pooled over reviews: a pair is right where the polarity is, too."""
    rows = np.arange(len(gold)) if rows is None else rows
    right = ((found == gold) & (gold > -2)).sum(1)[rows].sum()
    return float(2 * right / max((found > -2).sum(1)[rows].sum() + (gold > -2).sum(1)[rows].sum(), 1))


def aspects(short: bool, opened: bool) -> dict[str, Any]:
    """Aspects and their polarity in ASAP's restaurant reviews, taught by the 100 rows of its training sample; not
    opened, each tenth of them by the others. What is good or bad comes from the ten categories' training part."""
    texts, gold = asap("train")
    seeds, _ = asap_seeds()
    model = shop_model(short)

    def heard(known: np.ndarray, asked: Sequence[str]) -> np.ndarray:
        rows = [texts[i] for i in known]
        return judged(asked, taught(rows, gold[known], model, seeds, tone_words()), model)

    if opened:
        texts_there, there = asap("rest")
        found = heard(np.arange(len(texts)), texts_there)
    else:
        texts_there, there = texts, gold
        tenth = np.random.default_rng(FIT_SEED).integers(0, 3 if short else 10, len(texts))
        found = np.full(gold.shape, -2)
        for k in range(tenth.max() + 1):
            asked = [texts[i] for i in np.flatnonzero(tenth == k)]
            found[tenth == k] = heard(np.flatnonzero(tenth != k), asked)
    return compared({"lexicon": of_lexicon(texts_there), "datong": found}, there)


def compared(found: dict[str, np.ndarray], gold: np.ndarray) -> dict[str, Any]:
    """Pooled F1 of each, of the mentions alone, and the difference with its 90% interval over reviews."""
    row: dict[str, Any] = {"row": "aspects", "reviews": len(gold)}
    for name, one in found.items():
        row[name] = round(f1(one, gold), 4)
        row[f"{name}_mentions"] = round(f1(np.where(one > -2, 1, -2), np.where(gold > -2, 1, -2)), 4)
    random = np.random.default_rng(FIT_SEED)
    draws = random.integers(0, len(gold), (BOOTSTRAPS, len(gold)))
    better = [f1(found["datong"], gold, d) - f1(found["lexicon"], gold, d) for d in draws]
    row["datong_less_lexicon"] = round(row["datong"] - row["lexicon"], 4)
    row["interval_90"] = [round(float(q), 4) for q in np.quantile(better, (0.05, 0.95))]
    return row


@cache
def shop_model(short: bool) -> Polarity:
    """Learnt from the training part of the ten categories."""
    train, _ = read("ten", TEN)
    if short:
        train = train.at(np.sort(np.random.default_rng(1).permutation(len(train))[: 2 * SHORT_ROWS]))
    return learnt(cleaned(train), train.positive, FIT_SEED, train.groups)


def speed(short: bool, opened: bool) -> dict[str, Any]:
    """Reviews a second by two processes, from the text as it came to what each clause says: cleaned, masked, split,
    with its language, aspects, verdict and words. Counted once both have their model."""
    train, _ = read("ten", TEN)
    many = SHORT_ROWS if short else SPEED_ROWS
    texts = [train.texts[i] for i in np.random.default_rng(FIT_SEED).permutation(len(train))[:many]]
    parts = [texts[i : i + CHUNK] for i in range(0, many, CHUNK)]
    with ProcessPoolExecutor(2, initializer=take, initargs=(shop_model(short),)) as two:
        list(two.map(heard_clauses, [texts[:CHUNK]] * 4))
        start = time.perf_counter()
        found = sum(two.map(heard_clauses, parts))
        seconds = time.perf_counter() - start
    take(shop_model(short))
    start = time.process_time()
    for part in parts[:5]:
        heard_clauses(part)
    of_one = sum(map(len, parts[:5])) / (time.process_time() - start)
    row = {"row": "speed", "reviews": many, "clauses": found, "processes": 2}
    return {**row, "reviews_a_second": round(many / seconds), "a_second_of_one_processor": round(of_one)}


def repeats(short: bool, opened: bool) -> dict[str, Any]:
    """Copies planted among real reviews: SENT texts, each sent COPIES times, a share of EDITS of its letters changed,
    put in or left out. Flagged is whatever repeats another text; false, a real review that is flagged. It says nothing
    of fakes that are written one by one. Reviews of fewer than 20 letters cannot be told apart and are not sent."""
    train, _ = read("ten", TEN)
    random = np.random.default_rng(FIT_SEED)
    real = [clean(train.texts[i]) for i in random.permutation(len(train))[: SHORT_ROWS if short else SPEED_ROWS]]
    sent = [text for text in real if len(text) >= 20][:SENT]
    fakes = [edited(text, random) for text in sent for _ in range(COPIES)]
    first = copies([*real, *fakes])
    repeated = np.bincount(first, minlength=len(first))[first] > 1
    own = np.array([text not in set(sent) for text in real])
    flagged, false = repeated[len(real) :].mean(), repeated[: len(real)][own].mean()
    row = {"row": "repeats", "reviews": len(real), "copies": len(fakes)}
    return {**row, "flagged": round(float(flagged), 4), "false": round(float(false), 4)}


def fakes(short: bool, opened: bool) -> dict[str, Any]:
    """Fakes of five kinds planted among real reviews (`fakes/made_up.py`), as many of each; flagged is whatever counts
    less than one. Not opened: the generators that were seen while all was chosen, in the training part; opened: those
    that were not, with another seed, in the test part. `flagged_if_few_false` is the mean over kinds, languages and
    generators where at most FEW_FALSE of the real reviews are flagged, else 0. The sets tell neither days nor buyers:
    both are drawn."""
    sets = {"held_out": HELD_OUT} if opened else {"developed": DEVELOPED, "opened": OPENED}
    seed = SPLIT_SEED + 3 if opened else FIT_SEED
    pairs = [(language, name) for language in ("en", "zh") for name in sets]
    each = {
        f"{language}, {name}": _fakes_in(of_shop(language, short, opened, seed), language, sets[name], seed)
        for language, name in pairs
    }
    flagged = round(float(np.mean([one[kind] for one in each.values() for kind in KINDS])), 4)
    false = max(one["false"] for one in each.values())
    row = {"row": "fakes", "flagged": flagged, "false": false, "each": each}
    return {**row, "flagged_if_few_false": flagged if false <= FEW_FALSE else 0.0}


def _fakes_in(real: Real, language: str, made: Generators, seed: int) -> dict[str, float]:
    """The share of each kind that is flagged, and of the real reviews."""
    random = np.random.default_rng(seed)
    by_kind = {kind: planted(kind, made, real, language, random) for kind in KINDS}
    every = [fake for kind in KINDS for fake in by_kind[kind]]
    less = doubts(shop(real, every, random)).weight < 1
    of = np.repeat(np.arange(len(KINDS)), [len(by_kind[kind]) for kind in KINDS])
    mine = less[len(real.texts) :]
    shares = {kind: round(float(mine[of == k].mean()), 4) for k, kind in enumerate(KINDS)}
    false = round(float(less[: len(real.texts)].mean()), 4)
    return {**shares, "real": len(real.texts), "planted": len(every), "false": false}


def of_shop(language: str, short: bool, opened: bool, seed: int) -> Real:
    """Real reviews with stars and products. Chinese ones have a label and a category: stars of an end, and one of
    PRODUCTS_EACH products of the category."""
    random = np.random.default_rng(seed)
    if language == "en":
        table = pd.read_parquet(DATA / ENGLISH)
        table = table[table["review_text"].notna()].sort_values("row_no")
        train, test = cut(len(table), SPLIT_SEED)
        table = table.iloc[test if opened else train]
        texts, stars = table["review_text"].tolist(), table["rating"].to_numpy(np.float64)
        product = table["clothing_id"].to_numpy(np.int64)
    else:
        part = read("ten", TEN)[1 if opened else 0]
        groups = np.unique(part.groups, return_inverse=True)[1]
        texts, stars = part.texts, np.where(part.positive, 5.0, 1.0)
        product = groups * PRODUCTS_EACH + random.integers(0, PRODUCTS_EACH, len(texts)) ** 2 // PRODUCTS_EACH
    rows = np.sort(random.permutation(len(texts))[: (2 if short else 10) * SHORT_ROWS])
    return Real([clean(texts[i]) for i in rows], stars[rows], product[rows])


def edited(text: str, random: np.random.Generator) -> str:
    """The text with a share of EDITS of its letters changed, put in or left out."""
    letters = list(text)
    for at in np.flatnonzero(random.random(len(letters)) < EDITS):
        other = text[random.integers(len(text))]
        letters[at] = ("", other, letters[at] + other)[random.integers(3)]
    return "".join(letters)


TAKEN: list[Polarity] = []


def take(model: Polarity) -> None:
    """The model of a process."""
    TAKEN[:] = [model]


def heard_clauses(texts: Sequence[str]) -> int:
    """How many clauses the reviews have, all of them read."""
    return len(reading.read(texts, TAKEN[0]).words)


ROWS: dict[str, Callable[[bool, bool], dict[str, Any]]] = {
    "polarity": polarity,
    "left_out": left_out,
    "waimai": waimai,
    "whole_review": whole_review,
    "english": english,
    "few_stars": few_stars,
    "shipped": of_shipped,
    "aspects": aspects,
    "speed": speed,
    "repeats": repeats,
    "fakes": fakes,
}


# Rows that are measured inside the training part whatever is opened.
ALWAYS_TRAINING = frozenset({"whole_review"})
# Rows that stand beside the machine of scikit-learn.
BESIDE_THE_MACHINE = frozenset({"polarity", "left_out", "waimai", "whole_review", "english"})


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--short", action="store_true", help="few rows, a minute")
    parser.add_argument("--open", action="store_true", help="measure on the test part")
    parser.add_argument("--rows", default=",".join(ROWS), help="which rows of the table")
    given = parser.parse_args(arguments)
    if not DATA.is_dir():
        sys.stdout.write(json.dumps({"skipped": "../shared/data/reviews_zh is not beside this checkout"}) + "\n")
        return 0
    missed = []
    for name in given.rows.split(","):
        if name in BESIDE_THE_MACHINE and importlib.util.find_spec("sklearn") is None:
            skipped = {"row": name, "skipped": "scikit-learn is not installed (pip install 'datong[bench]')"}
            sys.stdout.write(json.dumps(skipped) + "\n")
            continue
        row = ROWS[name](given.short, given.open)
        where = "test" if given.open and name not in ALWAYS_TRAINING else "training"
        if name in BARS:
            figure, least, aim = BARS[name]
            row |= {"asked_of": figure, "least": least, "aim": aim, "reached": bool(row[figure] >= least)}
            missed += [] if row["reached"] or given.short else [name]
        sys.stdout.write(json.dumps({**row, "part": where, "short": given.short}, ensure_ascii=False) + "\n")
        sys.stdout.flush()
    return int(bool(missed))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
