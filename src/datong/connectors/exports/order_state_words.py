"""What a state of an order says, by the words in it: shipped, unpaid, cancelled, refunded, each a mark."""

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache

from datong.connectors.exports.vocabulary import plain, vocabulary, words

MARKS: Mapping[str, frozenset[str]] = {
    "sold": frozenset({"sold"}),
    "nothing": frozenset(),
    "shipped": frozenset({"shipped"}),
    "unshipped": frozenset({"unshipped"}),
    "unpaid": frozenset({"unpaid"}),
    "cancelled": frozenset({"cancelled"}),
    "refunded": frozenset({"refunded"}),
    "returned": frozenset({"refunded", "shipped"}),
    "partly": frozenset({"refunded", "partly"}),
    "returning": frozenset({"returning"}),
    "pending": frozenset({"pending"}),
}
# A mark of words alone: what they say of a row is asked, whatever else is known of it.
_UNCLEAR = frozenset({"unclear"})
_CLAUSES = re.compile(r"[,，;；/、|+&()（）:：]")
_NEGATION = re.compile(r"(?:^|\s)(?:not|no|non|never|un|nicht|kein|sin|pas)(?:\s|$)|[未无没不非待]")
# An undoing that was asked for and refused, or taken back: it is none.
_REFUSED = re.compile(
    r"\b(?:refund|return|cancellation|cancel|chargeback)s?(?: (?:request|claim))?(?: (?:was|is|has been))?"
    r" (?:declined|rejected|denied|refused|withdrawn|reversed|revoked)\b"
    r"|\b(?:refund|return|chargeback)(?: request)? cancell?ed\b"
)
_UNDOING_ZH = r"(?:退货退款|退款退货|退换货|退款|退货|售后)(?:申请|请求)?"
_REFUSED_ZH = re.compile(
    rf"^(?:买家|卖家|用户|客户)?(?:取消|撤销|撤回|拒绝|驳回|不同意){_UNDOING_ZH}$"
    rf"|{_UNDOING_ZH}(?:已|被)?(?:取消|撤销|撤回|拒绝|驳回|关闭|失败)$"
)
# Words that may stand beside an undoing and leave it what it is.
_BESIDE = frozenset(
    {"by", "the", "a", "an", "to", "in", "of", "on", "for", "via", "and", "from", "at", "has", "been", "was", "is",
     "order", "orders", "item", "items", "product", "goods", "payment", "customer", "customers", "buyer", "seller",
     "user", "admin", "merchant", "shop", "store", "system", "sender", "client", "fully", "full", "automatically",
     "auto", "manually", "after", "before", "already",
     "por", "el", "la", "del", "comprador", "compradora", "vendedor", "cliente", "par", "le", "acheteur", "vendeur",
     "durch", "den", "vom", "von", "kunde", "kunden", "kaufer", "verkaufer", "przez", "kupujacego", "sprzedajacego",
     "dal", "acquirente", "venditore", "oleh", "pembeli", "penjual", "pelo", "pela", "door", "klant", "verkoper"}
)  # fmt: skip
_BESIDE_ZH = re.compile(
    "系统|自动|手动|超时|买家|卖家|商家|用户|客户|顾客|平台|客服|主动|订单|交易|商品|宝贝|全部|整单|全额|原路|因|被|由|并|且|已|了|后|的|而"
)
# A day, with or without a time of it, as a state names one: by when something may still be asked for.
_DAY = re.compile(
    r"(?<![\d./-])(?:\d{4}([-/.])\d{1,2}\1\d{1,2}|\d{1,2}([-/.])\d{1,2}\2(?:\d{4}|\d{2})|\d{4}年\d{1,2}月\d{1,2}日)(?![\d./-])"
    r"(?:[ T]*\d{1,2}:\d{2}(?::\d{2})?)?"
)
_UNDONE = frozenset({"cancelled", "refunded"})


@lru_cache(maxsize=10_000)
def marks_of(text: str) -> frozenset[str] | None:
    """What a state says, None where some part of it is no word that is known."""
    marks: set[str] = set()
    for clause in _CLAUSES.split(plain(text)):
        if clause.strip():
            found = _clause(clause.strip(" .!#-"))
            if found is None:
                return None
            marks |= found
    return frozenset(marks)


@lru_cache(maxsize=10_000)
def without_days(text: str) -> str:
    """A state without the days that it names, so that it is the same tomorrow; one that is nothing else stays."""
    bare = " ".join(_DAY.sub(" ", text).split())
    return bare if any(c.isalpha() for c in bare) else text


def tells_of_undoing(text: str) -> bool:
    """Whether a text holds a word for a cancellation or a return, whatever stands beside it."""
    said = f" {_CLAUSES.sub(' ', plain(text))} "
    return any(
        some & _UNDONE and (f" {word} " in said if word.isascii() else word in said) for word, some in _known_states()
    )


def tells_of_try(text: str) -> bool:
    """Whether a remark begins or ends with a word for a try: 'TEST - please ignore', '测试单勿发'. Further inside, the
    word may be part of anything."""
    said = " ".join(re.findall(r"[^\W_]+", plain(text)))
    return any(
        said.startswith(word) or said.endswith(word)
        if any("\u3040" <= c <= "\u9fff" for c in word)
        else f"{said} ".startswith(f"{word} ") or f" {said}".endswith(f" {word}")
        for word in words("tries", "words")
    )


@lru_cache(maxsize=1)
def _known_states() -> Sequence[tuple[str, frozenset[str]]]:
    """All words for states, the longest first."""
    known = {word: MARKS.get(name, _UNCLEAR) for name in vocabulary()["states"] for word in words("states", name)}
    return sorted(known.items(), key=lambda pair: (-len(pair[0]), pair[0]))


def _clause(clause: str) -> frozenset[str] | None:
    """The marks of one clause; None where no word of it is known, or one is unclear or may turn what the others say."""
    marks: set[str] = set()
    bare = _REFUSED_ZH.sub(" ", _REFUSED.sub(" ", clause))
    rest, found = f" {bare} ", bare != clause
    for word, some in _known_states():
        if word.isascii():
            place = f" {word} "
            if place in rest:
                rest, found = rest.replace(place, "  "), True
                marks |= some
        elif word in rest:
            rest, found = rest.replace(word, " "), True
            marks |= some
    if not found or marks & _UNCLEAR or _NEGATION.search(rest):
        return None
    if not _is_beside(rest, clause) if marks & _UNDONE else _undoings().search(rest):
        return None
    return frozenset(marks)


@lru_cache(maxsize=1)
def _undoings() -> re.Pattern[str]:
    """A word for an undoing, in whatever form."""
    begun = "|".join(sorted(words("undoings", "stems"), key=lambda stem: (-len(stem), stem)))
    return re.compile(rf"(?<![^\W_])(?:{begun})|{'|'.join(sorted(words('undoings', 'within')))}")


def _is_beside(rest: str, clause: str) -> bool:
    """Whether what no word for a state explains leaves an undoing what it is. '取消退款' may be two things."""
    if re.search(r"取消退[款货]", clause):
        return False
    return all(word in _BESIDE or not any(c.isalpha() for c in word) for word in _BESIDE_ZH.sub(" ", rest).split())
