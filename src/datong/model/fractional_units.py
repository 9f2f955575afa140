"""Units of measure: what can be had in any fraction. Everything else comes in whole units."""

import re
import unicodedata

from datong.model.words import Message, message

# Weights, lengths, areas, volumes, energy and time, as tables write them in English and Chinese.
_WORDS = (
    "mg g gram grams kg kilo kilos kilogram kilograms t ton tons tonne tonnes lb lbs pound pounds oz ounce ounces",
    "毫克 克 公斤 千克 斤 市斤 两 吨 公吨",
    "mm cm dm m metre metres meter meters km in inch inches ft foot feet yd yard yards",
    "毫米 厘米 分米 米 千米 公里 码 英寸 英尺",
    "cm2 m2 sqm sqft ha 平方米 平方厘米 平方英尺 公顷 亩",
    "ml cl dl l liter liters litre litres hl m3 cbm gal gallon gallons 毫升 升 立方米 立方 方 加仑",
    "kwh mwh mj gj 度 千瓦时 h hour hours min minute minutes 小时 分钟",
)
_MEASURES = frozenset(word for words in _WORDS for word in words.split())
# What holds several pieces, so that a number of them is none of pieces.
_HOLDERS = (
    "箱 盒 包 袋 托 托盘 栈板 板 捆 扎 打 卷 筐 桶 罐 瓶",
    "box boxes carton cartons ctn ctns case cases pack packs package packages bag bags pallet pallets crate crates",
    "dozen dozens bundle bundles roll rolls",
)
_CONTAINERS = frozenset(word for words in _HOLDERS for word in words.split())
_WORD_BEHIND = re.compile(r"\s*[+-]?\d[\d.,'\s]*([^\d\s.,'(（/]+)")
_ANY_WORD_BEHIND = re.compile(r"\d ?([a-z]+|[\u4e00-\u9fff]{1,2})")

# What a product is counted in where nobody says.
PIECE = "piece"


def unit_word(unit: str) -> Message | str:
    """A unit in a person's words: `piece` in its language, any other as the tables write it."""
    return message("code.base_unit_piece") if unit == PIECE else unit


def is_measure(unit: str) -> bool:
    """Whether a base unit measures rather than counts: kilograms, metres, litres."""
    return unit.strip().lower().rstrip(".").replace("²", "2").replace("³", "3") in _MEASURES


def other_unit(text: str, unit: str) -> str | None:
    """The word behind the number of a text where that is another unit than the product's own: 12箱 of what is counted
    in pieces. unit: the product's own, as its table or a person writes it, PIECE or '' where it is counted."""
    match = _WORD_BEHIND.match(unicodedata.normalize("NFKC", text).casefold())
    word = "" if match is None else match[1].strip()
    if word == unit.strip().casefold() or (word not in _CONTAINERS and not is_measure(word)):
        return None
    return word if word in _CONTAINERS or not is_measure(unit) else None


def other_container(text: str, unit: str) -> str | None:
    """The word for what holds several pieces that stands behind a number anywhere in a text, where it is not the
    product's own unit: 只能做5箱."""
    found = _ANY_WORD_BEHIND.findall(unicodedata.normalize("NFKC", text).casefold())
    words = {part for word in found for part in (word, word[:1] if not word.isascii() else word)}
    return next((word for word in sorted(words & _CONTAINERS) if word != unit.strip().casefold()), None)
