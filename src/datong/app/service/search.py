"""One search over everything that somebody may see: products, orders, findings, lines, firms and what-ifs."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from datong.app.chain import Chain
from datong.app.service import market_findings, orders_shown, what_if
from datong.app.service.roles_and_permissions import NotAllowed, Permission, Who
from datong.app.service.served_chain import Served
from datong.model.errors import NotFound
from datong.model.words import Message, message

# Hits of one kind, shortest text that is searched for, and longest.
MOST, SHORTEST, LONGEST = 20, 1, 100


@dataclass(frozen=True)
class Hit:
    """kind: product, order, finding, line, firm or what_if. key: its code. name: what people call it, '' where nothing.
    says: more of it, in words; '' where there is nothing."""

    kind: str
    key: str
    name: str
    says: Message | str = ""


@dataclass(frozen=True)
class Found:
    """hits: of each kind the best first, kinds in order. more: kinds of which there are more than MOST."""

    text: str
    hits: tuple[Hit, ...]
    more: tuple[str, ...]


def search(served: Served, who: Who, text: str) -> Found:
    """Everything whose code or name has the text in it, whatever its case: what begins with it comes first. Raises
    NotAllowed for somebody who may see none of it."""
    sources = [(kind, needs, look) for kind, needs, look in SOURCES if any(who.may(p) for p in needs)]
    if not sources:
        raise NotAllowed(message("service.not_allowed", what=message("service.permission.see_plan")))
    plain = text.strip()[:LONGEST]
    if len(plain) < SHORTEST:
        return Found(plain, (), ())
    hits: list[Hit] = []
    more = []
    for kind, _, look in sources:
        found = list(look(served, who, plain))
        more += [kind] if len(found) > MOST else []
        hits += found[:MOST]
    return Found(plain, tuple(hits), tuple(more))


def _rows(served: Served, table: str, columns: Sequence[str]) -> pa.Table:
    def read(chain: Chain) -> pa.Table:
        return chain.state(names=(table,)).table(table).select(list(columns))

    return served.chain_thread.kept(("search", table), read)


def _in_order(rows: pa.Table, columns: Sequence[str], text: str) -> list[dict[str, Any]]:
    """Rows with the text in one of the columns: equal ones first, then those that begin with it, then by the first
    column; MOST and one more at most."""
    if not rows.num_rows:
        return []
    has = [pc.fill_null(pc.match_substring(rows[c], text, ignore_case=True), False) for c in columns]
    any_of = has[0]
    for one in has[1:]:
        any_of = pc.or_(any_of, one)
    found = rows.filter(any_of)
    starts = [pc.fill_null(pc.starts_with(found[c], text, ignore_case=True), False) for c in columns]
    begins = starts[0]
    for one in starts[1:]:
        begins = pc.or_(begins, one)
    is_equal = pc.equal(pc.utf8_lower(found[columns[0]]), text.lower())
    rank = pc.add(pc.multiply(is_equal.cast(pa.int8()), 2), begins.cast(pa.int8()))
    ranked = found.append_column("_rank", rank)
    keys = [("_rank", "descending"), (columns[0], "ascending")]
    return ranked.take(pc.sort_indices(ranked, sort_keys=keys)[: MOST + 1]).to_pylist()


def _of_table(kind: str, table: str, key: str) -> Callable[[Served, Who, str], Iterable[Hit]]:
    def look(served: Served, _who: Who, text: str) -> Iterable[Hit]:
        rows = _in_order(_rows(served, table, (key, "name")), (key, "name"), text)
        return [Hit(kind, row[key], row["name"] or "") for row in rows]

    return look


def _orders(served: Served, _who: Who, text: str) -> Iterable[Hit]:
    rows = orders_shown.everything(served).rows
    found = _in_order(rows, ("order", "product", "name"), text)
    return [Hit("order", row["order"], row["name"] or row["product"], _order_words(row)) for row in found]


def _order_words(row: dict[str, Any]) -> Message:
    kind, state = (message(f"code.{name}_{row[name]}") for name in ("kind", "state"))
    return message("served.search.order", kind=kind, units=f"{row['units']:,.10g}", day=row["start"], state=state)


def _findings(served: Served, who: Who, text: str) -> Iterable[Hit]:
    try:
        market = market_findings.findings(served, who).market
    except NotFound:  # no plan has looked yet
        return []
    shown = [] if market is None else [one.finding for one in market.findings]
    said = [(one, one.text.text(who.language)) for one in shown]
    own = [(one, words) for one, words in said if text.lower() in f"{one.finding} {words}".lower()]
    return [Hit("finding", one.finding, one.subject.name, words) for one, words in own]


def _what_ifs(served: Served, who: Who, text: str) -> Iterable[Hit]:
    there = what_if.branches(served, who)
    return [Hit("what_if", one.name, one.note) for one in there if text.lower() in f"{one.name} {one.note}".lower()]


_PLAN = (Permission.SEE_PLAN,)
SOURCES: tuple[tuple[str, tuple[Permission, ...], Callable[[Served, Who, str], Iterable[Hit]]], ...] = (
    ("product", (Permission.SEE_DEMAND, Permission.SEE_PLAN), _of_table("product", "products", "product")),
    ("order", _PLAN, _orders),
    ("finding", (Permission.SEE_FINDINGS,), _findings),
    ("line", _PLAN, _of_table("line", "lines", "line")),
    ("firm", _PLAN, _of_table("firm", "firms", "firm")),
    ("what_if", _PLAN, _what_ifs),
)
