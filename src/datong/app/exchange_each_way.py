"""Which counterparty goes by which way: e-mail for whom it serves, the drop folder for all others; exchange by each.

How one way is gone: exchange_one_way.py. Who has an address: email_of_chain.py.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from datong.app.chain import Chain
from datong.app.email_of_chain import email_post
from datong.app.exchange_one_way import exchange, file_drop, forget_told
from datong.connectors.email.post import EmailPost
from datong.connectors.filedrop.inbox import CollectedFiles, RowCount, row_counts
from datong.connectors.inlet_and_outlet import Outcome
from datong.model.findings import Finding, finding
from datong.model.flow import party


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
    """Exchange by e-mail, where the chain has it, then by the drop folder: each as soon as it is done. What was found
    counts as told once the next is asked for, or the end. Raises what `email_post` and `exchange` raise."""
    post, findings = email_post(chain, language, again)
    if post is not None:
        outcomes, reports, found = exchange(chain, post, post, post.serves, told_later=True)
        yield OneWay(True, outcomes, reports, (*findings, *found))
        forget_told(chain, post.name, found=found)
        findings = ()
    files = file_drop(chain, drop, language)
    counts: list[RowCount] = []

    def count(collected: CollectedFiles, answers: Sequence[Finding]) -> None:
        counts.extend(row_counts(collected, answers))

    outcomes, reports, found = exchange(chain, files, files, all_but(post), count, told_later=True)
    unaddressed = () if post is None else without_address(outcomes)
    yield OneWay(False, outcomes, reports, (*findings, *unaddressed, *found), tuple(counts))
    forget_told(chain, files.name, found=found)


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
