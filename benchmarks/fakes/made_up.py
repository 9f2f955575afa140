"""Reviews that are made up, of five kinds, and the shop of real ones into which they are planted.

Real texts come with their own stars; when they were written and by whom is drawn here: each product has a rate of its
own that dies away, the shop has busy weeks, some products have days of a sale on which honest buyers write a lot, some
buyers come again. Fakes of a kind come in campaigns, each on one product.

There are three sets of generators, with frames, words, lengths of bursts and edits of their own. Everything was chosen
by DEVELOPED. OPENED was held out first, and opened once (0.797 flagged); since then it counts as seen. HELD_OUT was
written after it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from datong.model.flow import FloatArray, IntArray
from datong.sense.voice.fakes import Reviews

DAYS = 400
KINDS = ("repeats", "frame", "burst", "buyer", "against")


@dataclass(frozen=True, eq=False)
class Real:
    """Real reviews. texts: cleaned and masked. stars: (review) 1 to 5. product: (review) number."""

    texts: list[str]
    stars: FloatArray
    product: IntArray


@dataclass(frozen=True, eq=False)
class Fake:
    """One review that is made up. buyer: -1 for one of its own."""

    text: str
    stars: float
    product: int
    day: int
    buyer: int = -1


@dataclass(frozen=True)
class Generators:
    """What makes fakes. frames: by language, texts with places in braces. words: by language, what fills each place.
    burst_days: days over which a burst is spread. campaign: fakes of one. edits: share of letters that are edited in a
    copy. shuffles: whether a copy has its clauses in another order. per_day: reviews of one buyer on a day."""

    frames: dict[str, tuple[str, ...]]
    words: dict[str, dict[str, tuple[str, ...]]]
    burst_days: int
    campaign: int
    edits: float
    shuffles: bool
    per_day: int


DEVELOPED = Generators(
    frames={
        "en": (
            "I bought this {thing} for my {person} and the {part} is {good}. Delivery took {few} days, the {part} "
            "feels {good} and I would recommend this {thing} to every {person} who wants something {good}.",
            "What a {good} {thing}! The {part} is just {good}, the price is {good} too, and my {person} asked me at "
            "once where I found such a {good} {thing}.",
        ),
        "zh": (
            "给{person}买的{thing},{part}{good},收到的时候包装完好,{person}说{part}也{good},下次还会来这家店买{thing}的。",
            "这款{thing}真的{good},{part}没得说,客服态度也{good},身边的{person}看到都问我在哪里买的{thing}。",
        ),
    },
    words={
        "en": {
            "thing": ("dress", "sweater", "blouse", "coat", "skirt", "top"),
            "person": ("mother", "sister", "friend", "daughter", "colleague", "neighbour"),
            "part": ("fabric", "colour", "cut", "collar", "lining", "stitching"),
            "good": ("great", "lovely", "perfect", "superb", "gorgeous", "fantastic"),
            "few": ("two", "three", "four"),
        },
        "zh": {
            "thing": ("衣服", "手机", "水果", "电脑", "洗发水", "热水器"),
            "person": ("妈妈", "朋友", "同事", "孩子", "老公", "邻居"),
            "part": ("颜色", "质量", "手感", "做工", "味道", "性能"),
            "good": ("很好", "不错", "非常棒", "很满意", "特别好", "超级赞"),
            "few": ("两", "三"),
        },
    },
    burst_days=2,
    campaign=25,
    edits=0.05,
    shuffles=False,
    per_day=8,
)
OPENED = Generators(
    frames={
        "en": (
            "Honestly I was not sure about the {part} when I ordered, but this {thing} turned out {good}: the "
            "{part} fits, the {part} looks {good}, and even my {person} says it is the most {good} {thing} of "
            "the whole season.",
            "Five stars from me. The {thing} arrived early, the {part} looks {good} in daylight, it is {good} to wear "
            "all day long, and for that money no other shop has a {thing} that is so {good}.",
            "My {person} has the same {thing} and now I know why: {good} {part}, {good} {part}, nothing to complain "
            "about, so I ordered a second {thing} for my {person} right away.",
        ),
        "zh": (
            "用了几天才来评价,{thing}整体{good},尤其是{part},比我想象的{good},{person}用过以后也觉得{part}比别家的{good}。",
            "双十一囤的{thing},价格划算,{part}{good},物流第二天就到了,已经推荐给{person},{person}也下单了两件{thing}。",
            "第三次回购这家的{thing}了,每次{part}都{good},老板还送了小礼物,{person}特别喜欢,祝生意兴隆,{thing}越做越{good}。",
        ),
    },
    words={
        "en": {
            "thing": ("cardigan", "jacket", "tunic", "pair of jeans", "shirt", "gown"),
            "person": ("aunt", "roommate", "boss", "cousin", "wife", "teacher"),
            "part": ("fit", "sleeve", "pattern", "zipper", "length", "texture"),
            "good": ("amazing", "flattering", "stunning", "comfortable", "wonderful", "excellent"),
        },
        "zh": {
            "thing": ("裤子", "平板", "苹果", "键盘", "牛奶", "酒店用品"),
            "person": ("婆婆", "室友", "老师", "表姐", "闺蜜", "客户"),
            "part": ("款式", "细节", "口感", "尺寸", "外观", "速度"),
            "good": ("让人惊喜", "很到位", "没话说", "超出预期", "很舒服", "相当可以"),
        },
    },
    burst_days=4,
    campaign=18,
    edits=0.08,
    shuffles=True,
    per_day=6,
)

HELD_OUT = Generators(
    frames={
        "en": (
            "To whoever is still thinking about it: take the {thing}. I have washed mine {few} times, the {part} "
            "stays {good}, and at the wedding of my {person} everybody wanted to know the name of the shop.",
            "Never had a {thing} before that made me feel so {good}. {part} {good}, {part} {good}, and the box it came "
            "in was {good} too, a present that any {person} will love.",
        ),
        "zh": (
            "说实话之前没抱太大希望,没想到{thing}这么{good},打开包装{part}一点瑕疵都没有,拿给{person}看,{person}也夸{part}{good}。",
            "对比了好几家才选的这款{thing},果然没选错,{part}{good},试用了一周{part}还是{good},{person}催着我再买一份送人。",
            "客服小姐姐很耐心,问了半天{part}的问题都一一回答,收到{thing}以后{part}确实{good},给{person}的那份{thing}也满意。",
        ),
    },
    words={
        "en": {
            "thing": ("romper", "vest", "poncho", "tee", "maxi", "blazer"),
            "person": ("niece", "brother", "mum", "best friend", "godmother", "coach"),
            "part": ("hemline", "neckline", "print", "drape", "button row", "waistband"),
            "good": ("impeccable", "dreamy", "spot on", "charming", "elegant", "first class"),
            "few": ("five", "six", "ten"),
        },
        "zh": {
            "thing": ("书包", "耳机", "香蕉", "路由器", "酸奶", "沐浴露"),
            "person": ("爷爷", "儿子", "学姐", "领导", "嫂子", "老同学"),
            "part": ("气味", "按键", "材质", "分量", "屏幕", "做法"),
            "good": ("真心可以", "无可挑剔", "很有质感", "挺讲究", "值得夸", "特别靠谱"),
        },
    },
    burst_days=3,
    campaign=15,
    edits=0.07,
    shuffles=True,
    per_day=5,
)


def shop(real: Real, fakes: Sequence[Fake], random: np.random.Generator) -> Reviews:
    """Real reviews with days and buyers, and the fakes after them."""
    product = np.concatenate([real.product, np.array([f.product for f in fakes], np.int64)])
    day = np.concatenate([days_of(real.product, random), np.array([f.day for f in fakes], np.int64)])
    buyer = np.arange(len(product)) + 1
    again = np.flatnonzero(random.random(len(real.texts)) < 0.05)
    buyer[again] = random.integers(1, len(real.texts), len(again))
    own = np.array([f.buyer for f in fakes], np.int64)
    buyer[len(real.texts) :][own >= 0] = own[own >= 0] + 10 * len(product)
    stars = np.concatenate([real.stars, np.array([f.stars for f in fakes])])
    texts = [*real.texts, *(f.text for f in fakes)]
    return Reviews(texts, product, day, stars, buyer, np.zeros(len(product), bool))


def days_of(product: IntArray, random: np.random.Generator) -> IntArray:
    """(review) the day of each: its product's launch and a rate that dies away, busy weeks, single products' sales."""
    names = np.unique(product)
    launch = dict(zip(names.tolist(), random.integers(-60, 200, len(names)).tolist(), strict=True))
    life = dict(zip(names.tolist(), random.uniform(60, 400, len(names)).tolist(), strict=True))
    starts = np.array([launch[p] for p in product.tolist()])
    lives = np.array([life[p] for p in product.tolist()])
    day = starts + random.exponential(lives)
    day = np.where((day < 0) | (day >= DAYS), random.integers(0, DAYS, len(day)), day).astype(np.int64)
    for busy in (150, 318, 360):  # the whole shop
        moved = random.random(len(day)) < 0.03
        day[moved] = busy + random.integers(0, 7, moved.sum())
    for name in random.choice(names, max(len(names) // 8, 1), replace=False):  # a sale of one product
        own = np.flatnonzero(product == name)
        moved = own[random.random(len(own)) < 0.12]
        day[moved] = random.integers(20, DAYS - 10) + random.integers(0, 5, len(moved))
    return day


def planted(kind: str, made: Generators, real: Real, language: str, random: np.random.Generator) -> list[Fake]:
    """Campaigns of one kind, on ten products or as many as there are."""
    names, many = np.unique(real.product, return_counts=True)
    chosen = random.permutation(names[many >= 10])[:10]
    return [fake for product in chosen.tolist() for fake in _OF[kind](made, real, language, product, random)]


def _repeats(made: Generators, real: Real, _language: str, product: int, random: np.random.Generator) -> list[Fake]:
    """One text, sent again and again with edits, over three weeks."""
    long = [i for i, text in enumerate(real.texts) if 30 <= len(text) <= 200]
    text = real.texts[int(random.choice(long))]
    days = random.integers(0, DAYS - 21) + random.integers(0, 21, made.campaign)
    return [Fake(_edited(text, made, random), 5.0, product, int(day)) for day in days]


def _edited(text: str, made: Generators, random: np.random.Generator) -> str:
    if made.shuffles:
        parts = [part for part in text.replace("。", ",").replace(".", ",").split(",") if part.strip()]
        at = int(random.integers(len(parts)))
        text = ", ".join([*parts[at:], *parts[:at]])
    letters = list(text)
    for at in np.flatnonzero(random.random(len(letters)) < made.edits):
        other = text[random.integers(len(text))]
        letters[at] = ("", other, letters[at] + other)[random.integers(3)]
    return "".join(letters)


def _frame(made: Generators, _real: Real, language: str, product: int, random: np.random.Generator) -> list[Fake]:
    """One frame, its places filled anew each time, over two months."""
    frame = str(random.choice(made.frames[language]))
    days = random.integers(0, DAYS - 60) + random.integers(0, 60, made.campaign)
    return [Fake(_filled(frame, made.words[language], random), 5.0, product, int(day)) for day in days]


def _filled(frame: str, words: dict[str, tuple[str, ...]], random: np.random.Generator) -> str:
    parts = []
    for piece in frame.split("{"):
        name, closed, rest = piece.partition("}")
        parts.append(str(random.choice(words[name])) + rest if closed else piece)
    return "".join(parts)


def _burst(made: Generators, real: Real, _language: str, product: int, random: np.random.Generator) -> list[Fake]:
    """Texts that are written one by one, all of one side, within days: real ones of other products."""
    star = 5.0 if random.random() < 0.5 else 1.0
    texts = np.flatnonzero((real.stars == star) & (real.product != product))
    start = int(random.integers(0, DAYS - 10))
    chosen = random.choice(texts, made.campaign, replace=False)
    days = start + random.integers(0, made.burst_days, made.campaign)
    return [
        Fake(_reworded(real.texts[i], real, random), star, product, int(d)) for i, d in zip(chosen, days, strict=True)
    ]


def _reworded(text: str, real: Real, random: np.random.Generator) -> str:
    """Half of one text and half of another, so that it repeats neither."""
    other = _any_text(real, random)
    return text[: len(text) // 3] + " " + other[: len(other) // 3]


def _buyer(made: Generators, real: Real, _language: str, product: int, random: np.random.Generator) -> list[Fake]:
    """One buyer who writes on a great many products within days, and some of them twice."""
    names = np.unique(real.product)
    start, one = int(random.integers(0, DAYS - 10)), int(random.integers(1 << 30))
    products = [product, *random.choice(names, made.campaign - 1).tolist()]
    return [
        Fake(_reworded(_any_text(real, random), real, random), 5.0, p, start + n // made.per_day, one)
        for n, p in enumerate(products)
    ]


def _any_text(real: Real, random: np.random.Generator) -> str:
    return real.texts[int(random.integers(len(real.texts)))]


def _against(made: Generators, real: Real, _language: str, product: int, random: np.random.Generator) -> list[Fake]:
    """The stars of one end with a text of the other, as somebody does who is paid by the star; over a year."""
    star, other = (5.0, 1.0) if random.random() < 0.5 else (1.0, 5.0)
    texts = np.flatnonzero((real.stars == other) & (real.product != product))
    chosen = random.choice(texts, made.campaign, replace=False)
    days = random.integers(0, DAYS, made.campaign)
    return [Fake(_reworded_same(real.texts[i]), star, product, int(d)) for i, d in zip(chosen, days, strict=True)]


def _reworded_same(text: str) -> str:
    """The text without its last words, so that it is no copy of a short one."""
    return text[: max(len(text) * 9 // 10, 20)]


_OF: dict[str, Callable[[Generators, Real, str, int, np.random.Generator], list[Fake]]] = {
    "repeats": _repeats,
    "frame": _frame,
    "burst": _burst,
    "buyer": _buyer,
    "against": _against,
}
