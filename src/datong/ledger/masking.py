"""Personal data in texts -> placeholders, before anything is stored or shown.

What is masked: e-mail addresses; telephone, identity card, bank card, order and parcel numbers, and any other run of
seven digits or more; accounts of messengers; addresses with a number; names where a word says that one follows. A name
or an address that stands in a sentence without such a sign is not found: masking lessens what is stored, and does not
make a text anonymous. Dates and prices stay.
"""

import json
import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import pyarrow as pa

from datong.model.findings import Finding
from datong.model.tables import Table
from datong.model.words import Message

PHONE, EMAIL, IDENTITY, CARD = "[phone]", "[email]", "[id]", "[card]"
ORDER, ACCOUNT, ADDRESS, NAME, NUMBER = "[order]", "[account]", "[address]", "[name]", "[number]"
PLACEHOLDERS = (PHONE, EMAIL, IDENTITY, CARD, ORDER, ACCOUNT, ADDRESS, NAME, NUMBER)
# From as many digits on a number may be of a person or an order.
LEAST_DIGITS = 7
# Measures that stand one after the other ("170 95 100") are no number, unless one is as long or all together are.
LEAST_IN_GROUP, LEAST_SPACED = 4, 10

HAN = "\u4e00-\u9fff"
TELLS = r"\s*(?:号码?|number|no\.?|id|#)?\s*(?:[:：=#]|是|为|is)?\s*"
LATIN, A_DIGIT = re.compile(r"[A-Za-z]"), re.compile(r"\d")
AT = re.compile(r"[\w.%+-]{1,64} ?[@＠] ?(?:[\w-]{1,63}\.){1,5}[^\W\d_]{2,24}")
ORDER_NUMBER = re.compile(
    rf"((?:订单|运单|快递单|物流单|单号|流水|退货单|\border|\btracking|\bparcel|\binvoice){TELLS})"
    r"((?=[A-Za-z\d-]*\d)[A-Za-z\d](?:[A-Za-z\d]|-(?=[A-Za-z\d])){5,39})(?![A-Za-z\d])",
    re.I,
)
MESSENGER = re.compile(
    rf"((?:微信|薇信|威信|weixin|wechat|\bvx|\bqq|扣扣|旺旺|whatsapp|telegram|skype){TELLS})([A-Za-z\d][\w.-]{{4,29}})",
    re.I,
)
DATE = re.compile(r"(?:19|20)\d\d([-./])(?:0?[1-9]|1[0-2])\1(?:0?[1-9]|[12]\d|3[01])(?!\d)")
# Digits with at most two marks between them, and letters before them as in parcel numbers.
DIGITS = re.compile(r"(?<![A-Za-z\d])[A-Za-z]{0,5}\+?[\d(](?:[\d]|[-.\s()·*]{1,2}(?=\d))*[\dXx]?")
SPOKEN = re.compile(r"[零〇一二三四五六七八九幺两](?:[- ]?[零〇一二三四五六七八九幺两]){6,}")
CUT = re.compile(r"[^\s,;]*\u2026")
MOBILE = re.compile(r"(?:00)?(?:86)?1[3-9]\d{9}")
PLACE = f"[{HAN}A-Za-z\\d-]"
ADDRESS_TOLD = re.compile(rf"((?:地址|住址|家住|\baddress){TELLS})([^\s,。;!?]{{4,60}})", re.I)
ADDRESS_ZH = re.compile(
    rf"(?:[{HAN}]{{2,4}}(?:省|市|区|县|镇|乡)){{0,3}}[{HAN}]{{1,4}}(?:路|街|大道|胡同|巷|弄|村|小区|花园|大厦)"
    rf"{PLACE}{{0,12}}?\d{{1,5}} ?(?:号|弄|栋|幢|楼|座|室|单元)"
    rf"(?:{PLACE}{{0,12}}?\d{{1,5}} ?(?:号|栋|幢|楼|座|室|单元|层)){{0,4}}"
)
ADDRESS_EN = re.compile(
    r"\b\d{1,6}[A-Za-z]? (?:[A-Z][\w.']{0,20} ){1,4}"
    r"(?:Street|St|Road|Rd|Avenue|Ave|Lane|Ln|Drive|Dr|Boulevard|Blvd|Court)\b\.?"
)
SURNAMES = (
    "王李张刘陈杨黄赵吴周徐孙马朱胡郭何高林罗郑梁谢宋唐许韩冯邓曹彭曾肖田董潘袁蔡蒋余杜叶程苏魏吕丁任沈姚卢姜崔钟谭陆"
    "汪范金石廖贾夏韦付方白邹孟熊秦邱江尹薛闫段雷侯龙史陶黎贺顾毛郝龚邵万钱严覃武戴莫孔向汤"
)
LONG_SURNAMES = "欧阳|司马|上官|诸葛|慕容|东方|皇甫|尉迟|公孙|令狐|夏侯|司徒|端木|南宫|独孤"
NAME_TOLD = re.compile(
    rf"((?:联系人|收货人|收件人|寄件人|发件人|签收人|姓名|名字叫|我叫)\s*(?:[:：=]|是|为)?\s*)(?![了过他她它你们])"
    rf"((?:{LONG_SURNAMES})[{HAN}]{{1,2}}|[{HAN}]{{2,3}}(?![{HAN}])|[{SURNAMES}][{HAN}]{{1,2}}"
    r"|[A-Za-z][A-Za-z'.-]{0,19}(?: [A-Z][A-Za-z'.-]{0,19}){0,2})"
)
# "I am Li Guoqiang": a surname, and nothing after the name.
NAME_SAID = re.compile(rf"(我是)((?:{LONG_SURNAMES}|[{SURNAMES}])[{HAN}]{{1,2}}(?![{HAN}]))")
FIRST_NAME, NEXT_NAME = r"[A-Z][a-z'.-]{0,18}[a-z']", r" [A-Z](?:[a-z'.-]{0,18}[a-z'])?"
NAME_TOLD_EN = re.compile(
    r"(\b(?i:my name is|name is|name|called|signed|call me|ask for|recipient|consignee|contact person|contact|attn)"
    rf"\s*[:=,]?\s+)({FIRST_NAME}(?:{NEXT_NAME}){{0,2}})"
)
# Two words with capitals, where one alone may begin a sentence or praise ("This is Perfect").
NAME_SAID_EN = re.compile(
    rf"(\b(?i:this is|i am|i'm|regards|yours|sincerely|thanks),?\s+)({FIRST_NAME}(?:{NEXT_NAME}){{1,2}})"
)
TITLED_ZH = re.compile(rf"[{SURNAMES}][{HAN}]{{0,2}}?(?=先生|女士|小姐|师傅|经理)")
TITLED_EN = re.compile(r"\b((?:Mr|Mrs|Ms|Miss|Dr)\.? )[A-Z][a-z'-]{1,19}(?: [A-Z][a-z'-]{1,19})?")


def masked(text: str) -> str:
    """A cleaned text with placeholders for personal data. Masking twice changes nothing; it takes time in proportion
    to the text."""
    latin, digits = LATIN.search(text) is not None, A_DIGIT.search(text) is not None
    if "@" in text or "＠" in text:
        text = AT.sub(EMAIL, text)
    if digits:
        text = ORDER_NUMBER.sub(_kept(ORDER), text)
    if digits or latin:
        text = MESSENGER.sub(_kept(ACCOUNT), text)
    text = ADDRESS_TOLD.sub(_kept(ADDRESS), text)
    if digits:
        text = ADDRESS_ZH.sub(ADDRESS, text)
        text = ADDRESS_EN.sub(ADDRESS, text) if latin else text
        text = DIGITS.sub(_number, text)
    text = SPOKEN.sub(PHONE, text)
    text = NAME_SAID.sub(_kept(NAME), NAME_TOLD.sub(_kept(NAME), text))
    text = TITLED_ZH.sub(NAME, text)
    if latin:
        text = NAME_SAID_EN.sub(_kept(NAME), NAME_TOLD_EN.sub(_kept(NAME), text))
        text = TITLED_EN.sub(_kept(NAME), text)
    return text


def masked_column(texts: pa.ChunkedArray) -> pa.ChunkedArray:
    """`masked` of a column of texts; other cells (numbers, nulls) stay."""
    if not pa.types.is_string(texts.type) and not pa.types.is_large_string(texts.type):
        return texts
    plain = [None if text is None else masked(text) for text in texts.to_pylist()]
    return pa.chunked_array([pa.array(plain, texts.type)])


def masked_short(text: str) -> str:
    """`masked` of a text that may have been cut off to be shown."""
    return masked(_whole_words(text))


def has_personal_data(table: Table) -> bool:
    """Whether it has a column of people's own words."""
    return any(column.masked for column in table.columns.values())


def masked_rejected(rejected: pa.Table) -> pa.Table:
    """Rows that could not be read (REJECTED_SCHEMA of row_checks.py), with placeholders in what is kept of them."""
    for name in ("raw", "findings"):
        plain = [json.dumps(_masked_json(json.loads(text)), ensure_ascii=False) for text in rejected[name].to_pylist()]
        column = pa.chunked_array([pa.array(plain, pa.string())])
        rejected = rejected.set_column(rejected.column_names.index(name), name, column)
    return rejected


def _masked_json(value: Any) -> Any:
    if isinstance(value, str):
        return masked_short(value)
    if isinstance(value, list):
        return [_masked_json(each) for each in value]
    return {k: _masked_json(v) for k, v in value.items()} if isinstance(value, dict) else value


def masked_findings(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """What is said of a source, with placeholders in what it quotes."""
    return tuple(
        replace(
            one,
            found=_masked_message(one.found),
            expected=_masked_message(one.expected),
            remedy=_masked_message(one.remedy),
        )
        for one in findings
    )


def _masked_message(said: Message) -> Message:
    def plain(value: Any) -> Any:
        if isinstance(value, Message):
            return _masked_message(value)
        return masked_short(value) if isinstance(value, str) else value

    return Message(said.key, said.names, tuple(plain(value) for value in said.values))


def _whole_words(text: str) -> str:
    """A text that was cut off, without the word that it was cut in: half an address is no address to the rules."""
    return CUT.sub("\u2026", text)


def _kept(placeholder: str) -> Callable[[re.Match[str]], str]:
    """What tells stays, what it tells goes; a placeholder that stands there already stays."""
    return lambda found: found.group(1) + placeholder


def _number(found: re.Match[str]) -> str:
    text = found.group()
    digits = "".join(c for c in text if c.isdigit())
    if len(digits) < LEAST_DIGITS or DATE.fullmatch(text.strip()):
        return text
    groups = [len(group) for group in re.findall(r"\d+", text)]
    if " " in text and max(groups) < LEAST_IN_GROUP and len(digits) < LEAST_SPACED:
        return text
    trailing = text[len(text.rstrip()) :]
    letters = sum(c.isalpha() for c in text)
    if MOBILE.fullmatch(digits) and not letters:
        return PHONE + trailing
    if len(digits) + (text[-1:] in "Xx") in (15, 18) and len(digits) >= 15 and not text[0].isalpha():
        return IDENTITY + trailing
    if len(digits) in (16, 19) and not letters:
        return CARD + trailing
    if digits.startswith(("0", "400", "800")) or text.startswith("+") or len(digits) <= 8:
        return (PHONE if not letters else NUMBER) + trailing
    return NUMBER + trailing
