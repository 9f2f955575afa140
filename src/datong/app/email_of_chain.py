"""E-mail as a chain has it: who is written to, from the table firms and the section [email] of its settings."""

import os
from collections.abc import Collection, Mapping
from functools import partial

from datong.app.chain import Chain
from datong.app.exchange_one_way import known
from datong.app.wiring import EMAIL_FOLDER
from datong.connectors.email.hand_over_mail import read_password
from datong.connectors.email.journal import Journal
from datong.connectors.email.post import EmailPost
from datong.connectors.email.send_sheets import AddressBook, Firm
from datong.connectors.files.settings import ADDRESS, read_email
from datong.connectors.inlet_and_outlet import chain_tag
from datong.model import errors
from datong.model.findings import Finding, finding
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
