"""Of which language a text is, by its script and its commonest words."""

import re
from collections.abc import Sequence

HAN = re.compile("[\u3400-\u9fff\uf900-\ufaff]")
# Kana and Hangul: Japanese and Korean write some words in Chinese characters, too.
OTHER_EAST_ASIAN = re.compile("[\u3040-\u30ff\uac00-\ud7af\u1100-\u11ff]")
LETTER = re.compile(r"[^\W\d_]")
WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?")
COMMON = """
the and is it its it's i you he she they we my your this that these those was were are be been have has had not for
with on in of to at from but so very too just really would will can could don't didn't doesn't isn't wasn't if or as
by than then when because all any some more most than only also after before again never always out up good great
nice bad poor love loved like liked hate perfect excellent terrible awful cheap fast slow small large big quality
size fit price delivery product item ok okay well work works recommend happy disappointed buy bought wear dress
shirt beautiful cute soft comfortable
"""
COMMON_ENGLISH = frozenset(COMMON.split())
# Words that other languages of Latin script have as well weigh too little to show English alone.
LEAST_SHARE_COMMON = 0.2
LEAST_WORDS_MIXED = 3
LEAST_SHARE_MIXED = 0.15


def language(text: str) -> str:
    """'zh', 'en', 'mixed' (a Chinese text with English of some length, or the reverse), or 'other' (also: no words)."""
    han = len(HAN.findall(text))
    if len(OTHER_EAST_ASIAN.findall(text)) * 4 > han:
        return "zh" if not OTHER_EAST_ASIAN.search(text) and han else "other"
    words = [] if han and text.isascii() else [w for w in WORD.findall(HAN.sub(" ", text)) if len(w) > 1 or not han]
    if not han:
        common = sum(w.lower() in COMMON_ENGLISH for w in words)
        return "en" if words and common >= LEAST_SHARE_COMMON * len(words) else "other"
    # Two Chinese characters say about as much as one English word.
    share = len(words) / (len(words) + han / 2)
    if len(words) < LEAST_WORDS_MIXED or share < LEAST_SHARE_MIXED:
        return "zh"
    common = sum(w.lower() in COMMON_ENGLISH for w in words)
    return "mixed" if common >= LEAST_SHARE_COMMON * len(words) else "zh"


def languages_of(texts: Sequence[str]) -> list[str]:
    """(texts) which of the models that come with Datong reads each: the English one where no Chinese stands in it."""
    return ["zh" if language(text) in ("zh", "mixed") else "en" for text in texts]
