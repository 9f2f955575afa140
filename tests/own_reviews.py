"""Reviews made of own sentences, to learn from in tests."""

import numpy as np

THINGS = {
    "clothes": ["面料", "做工", "版型", "颜色", "袖子", "领口"],
    "laptops": ["屏幕", "键盘", "电池", "风扇", "外壳", "系统"],
    "fruit": ["果肉", "外皮", "个头", "水分", "口感", "果核"],
}
GOOD = ["很好", "很满意", "不错", "真棒", "让人喜欢", "没得挑"]
BAD = ["很差", "让人失望", "太糟", "不行", "有毛病", "没法用"]
# What one category praises and another one blames.
OWN = {
    "clothes": (["摸着厚实", "穿着显瘦"], ["穿着扎人", "洗后缩水"]),
    "laptops": (["轻得很", "跑得飞快"], ["厚实得搬不动", "烫手"]),
    "fruit": (["脆生生", "汁多味甜"], ["轻得很", "干巴巴"]),
}


def reviews(
    many: int, seed: int, categories: tuple[str, ...] = tuple(THINGS)
) -> tuple[list[str], np.ndarray, list[str]]:
    """Texts, whether each is positive, the category of each."""
    random = np.random.default_rng(seed)
    texts, positive, groups = [], [], []
    for _ in range(many):
        group = categories[random.integers(len(categories))]
        good = bool(random.integers(2))
        words = GOOD if good else BAD
        first, second = random.choice(THINGS[group], 2, replace=False)
        own = OWN[group][0 if good else 1]
        texts.append(f"{first}{random.choice(words)},{second}{random.choice(own)}")
        positive.append(good)
        groups.append(group)
    return texts, np.array(positive), groups
