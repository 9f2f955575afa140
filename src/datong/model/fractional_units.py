"""Units of measure: what can be had in any fraction. Everything else comes in whole units."""

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


# What a product is counted in where nobody says.
PIECE = "piece"


def unit_word(unit: str) -> Message | str:
    """A unit in a person's words: `piece` in its language, any other as the tables write it."""
    return message("code.base_unit_piece") if unit == PIECE else unit


def is_measure(unit: str) -> bool:
    """Whether a base unit measures rather than counts: kilograms, metres, litres."""
    return unit.strip().lower().rstrip(".").replace("²", "2").replace("³", "3") in _MEASURES
