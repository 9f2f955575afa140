"""Persons in a chain: plain customers of an earlier version made tokens, all that is held about one, forgetting.

Forgetting goes in steps that a kill may part: what is to go is noted beside the keys; the key is destroyed; rows are
emptied, in one transaction; the ledger's file is written anew; the note goes. Opening the chain ends what was begun.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

import pyarrow as pa
import pyarrow.compute as pc

from datong.app.clock import clock
from datong.app.wiring import Opened
from datong.connectors.exports.order_line_keys import LINES, keys_without_customers, names_customers, without_customers
from datong.connectors.exports.questions import read_answers, write_answers
from datong.connectors.files.folder import read_folder
from datong.connectors.files.read import UnreadableError
from datong.ledger.customer_tokens import customer_headers, plain_customer
from datong.ledger.masking import masked
from datong.ledger.protocol import END_OF_TIME
from datong.model.errors import NotFound, Refused
from datong.model.findings import Finding, finding
from datong.model.tables import tables
from datong.model.words import message

# Fewest letters of words that are looked for among quotes: shorter ones are anybody's.
_QUOTE_MIN = 2


@dataclass(frozen=True)
class Forgotten:
    """What forgetting did. keys: how many keys were destroyed. rows: how many were emptied, by table; `run_tables`:
    tables of kept runs. files: of the folder, that still name the customer."""

    keys: int
    rows: Mapping[str, int]
    files: tuple[str, ...]


def settle(at: Opened) -> tuple[Finding, ...]:
    """What an earlier version, or a kill, left: plain customers become tokens, and forgetting that was begun is ended.
    Says how many rows named somebody."""
    pending = at.customers.pending()
    if pending is not None:
        _forget(at, *pending)
    plain = at.ledger.plain_customers()
    try:
        answers = read_answers(at.folder)
    except Refused:  # damaged: said where they are needed
        if plain:
            raise
        answers = {}
    kind = answers.get(LINES, "")
    keys = keys_without_customers(at.ledger.line_keys(), kind) if names_customers(kind) else {}
    count = 0
    if plain or keys:
        tokens = at.customers.tokens([plain_customer(text) for text in plain])
        count = at.ledger.hash_customers(dict(zip(plain, tokens, strict=True)), keys, clock(at), by=at.by)
        at.ledger.rewrite()
    if names_customers(kind):  # after it: until then the answer is what tells which keys name customers
        write_answers(at.folder, {**answers, LINES: without_customers(kind)})
    return (finding("warning", "privacy.hashed", str(at.folder), count=count),) if count else ()


def person(at: Opened, customer: str, why: str = "") -> Mapping[str, pa.Table]:
    """All that is held about a customer, by table; that it was asked for is noted. Raises NotFound."""
    token = _token(at, customer)
    found = at.ledger.of_person([token])
    at.ledger.note_person(sum(rows.num_rows for rows in found.values()), clock(at), masked(why), by=at.by)
    return found


def rows_held(at: Opened, customer: str) -> int:
    """How many rows hold a customer. Raises NotFound."""
    return sum(rows.num_rows for rows in at.ledger.of_person([_token(at, customer)]).values())


def forget(at: Opened, customer: str, why: str = "") -> Forgotten:
    """Destroy a customer's key, and empty what hangs on it. Raises NotFound where there is no key, Refused on a
    branch."""
    token = _token(at, customer)
    done = _forget(at, [token], masked(why))
    return Forgotten(done.keys, done.rows, _files_that_name(at, customer))


def lost(at: Opened) -> tuple[str, ...]:
    """Tokens of the ledger whose key is gone."""
    held = at.ledger.customer_tokens()
    return tuple(sorted(set(held) - at.customers.live(held)))


def forget_lost(at: Opened, why: str = "") -> Forgotten:
    """Empty what hangs on keys that are gone."""
    return _forget(at, lost(at), masked(why))


def not_since(at: Opened, days: int) -> tuple[str, ...]:
    """Tokens of customers of whom no row is of the last so many days, by the chain's own time: none that holds, on a
    branch neither, and none that came into quarantine in that time, whatever day it says.
    Raises Refused on a branch."""
    _refuse_branch(at)
    first = clock(at) - timedelta(days=days)
    return tuple(sorted(set(at.ledger.customer_tokens()) - set(at.ledger.customer_tokens(first))))


def forget_not_since(at: Opened, days: int, why: str = "") -> Forgotten:
    """Forget those customers."""
    return _forget(at, not_since(at, days), masked(why))


def _token(at: Opened, customer: str) -> str:
    _refuse_branch(at)
    token = at.customers.known(plain_customer(customer))
    if token is None:
        raise NotFound(message("privacy.nobody"))
    return token


def _refuse_branch(at: Opened) -> None:
    if at.branch is not None:
        raise Refused(message("privacy.on_branch"))


def _forget(at: Opened, tokens: Sequence[str], why: str) -> Forgotten:
    at.customers.begin_forgetting(tokens, why)
    keys = at.customers.destroy(tokens)
    quotes = _words_of_nobody_else(at, tokens)
    rows = at.ledger.forget_person(tokens, quotes, clock(at), why, by=at.by)
    at.ledger.rewrite()
    at.customers.end_forgetting()
    return Forgotten(keys, rows, ())


def _words_of_nobody_else(at: Opened, tokens: Sequence[str]) -> list[str]:
    """Clauses of their reviews that no other review has: what a report may have quoted of them."""
    from datong.sense.voice.reading import split

    own = at.ledger.of_person(tokens).get("reviews")
    if own is None:
        return []
    ids = pa.array(sorted(set(own["row_id"].to_pylist())), pa.string())
    reviews = at.ledger.state(END_OF_TIME, ("reviews",)).table("reviews")
    others = reviews.filter(pc.invert(pc.is_in(reviews["row_id"], ids)))
    said = [text for name in ("title", "text") for text in own[name].to_pylist() if text]
    parts = {clause for clause in split(said).texts if len(clause) >= _QUOTE_MIN}
    theirs = pa.chunked_array([*others["title"].chunks, *others["text"].chunks], pa.string())
    return sorted(c for c in parts if not pc.any(pc.match_substring(theirs, c)).as_py())


def _files_that_name(at: Opened, customer: str) -> tuple[str, ...]:
    """Tables of the folder in which the customer stands as they are written."""
    found = []
    for part in read_folder(at.folder).parts:
        headers = customer_headers(tables()[part.table], part.source.columns)
        try:
            texts = {str(v).strip() for b in part.source.batches() for h in headers for v in b.rows[h].to_pylist()}
        except UnreadableError:
            continue
        if plain_customer(customer) in texts:
            found.append(part.source.name)
    return tuple(found)
