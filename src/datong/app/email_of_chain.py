"""E-mail as a chain has it: who is written to, from the table firms and the section [email] of its settings."""

import os
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from datong.app.chain import Chain
from datong.app.exchange import exchange, file_drop, known
from datong.app.wiring import EMAIL_FOLDER
from datong.connectors.email.due_mails import AddressBook, Firm
from datong.connectors.email.journal import Journal
from datong.connectors.email.post import EmailPost
from datong.connectors.email.servers import read_password
from datong.connectors.filedrop.inbox import RowCount, row_counts
from datong.connectors.files.settings import ADDRESS, read_email
from datong.connectors.protocol import Outcome, chain_tag
from datong.model import errors
from datong.model.findings import Finding, finding
from datong.model.flow import party
from datong.model.words import message


def email_post(
    chain: Chain,
    language: str,
    again: Collection[str] = (),
    environment: Mapping[str, str] = os.environ,
) -> tuple[EmailPost | None, tuple[Finding, ...]]:
    """E-mail as the chain's settings have it, and findings of what keeps it from being used. None where there is no
    section [email]. language: of firms that have none of their own. again: firms that get everything that is not
    answered once more. Raises NotFound for one of them without an address.
    """
    settings = read_email(chain.folder)
    rows = chain.state(names=("firms",)).table("firms").select(["firm", "name", "email", "language"]).to_pylist()
    addressed = {row["firm"]: row for row in rows if row["email"]}
    if settings is None:
        found = (finding("warning", "email.no_section", "firms", count=len(addressed)),) if addressed else ()
        return None, found
    right = {name: row for name, row in addressed.items() if ADDRESS.fullmatch(row["email"].strip())}
    wrong = tuple(
        finding("error", "email.bad_address", "firms", column="email", firm=name, address=row["email"])
        for name, row in sorted(addressed.items())
        if name not in right
    )
    firms = {
        name: Firm(row["email"].strip(), row["language"] or language, row["name"] or name)
        for name, row in right.items()
    }
    unknown = sorted(set(again) - set(firms))
    if unknown:
        raise errors.NotFound(message("app.no_such_address", firms=", ".join(unknown), there=", ".join(sorted(firms))))
    book = AddressBook(settings.sender, firms, known(chain), frozenset(again))
    journal = Journal(chain.folder / EMAIL_FOLDER)
    password = partial(read_password, settings, chain.folder, environment)
    return EmailPost(settings, book, journal, password, chain_tag(chain.settings.name)), wrong


@dataclass(frozen=True)
class OneWay:
    """What was exchanged by one way. outcomes: of each delivery. reports: rows that were taken in.
    files: what became of the rows of each file."""

    by_email: bool
    outcomes: tuple[Outcome, ...]
    reports: int
    findings: tuple[Finding, ...]
    files: tuple[RowCount, ...] = ()


def exchange_each_way(chain: Chain, drop: Path, language: str, again: Collection[str] = ()) -> Iterator[OneWay]:
    """Exchange by e-mail, where the chain has it, then by the drop folder: each as soon as it is done. Raises what
    `email_post` and `exchange` raise."""
    post, findings = email_post(chain, language, again)
    if post is not None:
        outcomes, reports, found = exchange(chain, post, post, post.serves)
        yield OneWay(True, outcomes, reports, (*findings, *found))
        findings = ()
    files = file_drop(chain, drop, language)
    counts: list[RowCount] = []
    outcomes, reports, found = exchange(
        chain, files, files, all_but(post), lambda collected, answers: counts.extend(row_counts(collected, answers))
    )
    unaddressed = () if post is None else without_address(outcomes)
    yield OneWay(False, outcomes, reports, (*findings, *unaddressed, *found), tuple(counts))


def all_but(post: EmailPost | None) -> Callable[[str], bool]:
    """Serves whom e-mail does not."""
    return lambda counterparty: post is None or not post.serves(counterparty)


def without_address(outcomes: Sequence[Outcome]) -> Iterator[Finding]:
    """A finding for each counterparty whose orders went to the drop folder, though the chain sends by e-mail. outcomes:
    of the drop folder."""
    counts: Counter[str] = Counter()
    for one in outcomes:
        counts[one.counterparty] += len(one.keys)
    for name, count in sorted(counts.items()):
        yield finding("warning", "email.no_address", "firms", column="email", firm=party(name), count=count)
