"""Two local servers for the tests of e-mail."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from datong.connectors.email.post import EmailPost
from datong.connectors.email.send_sheets import Firm
from mail_servers import Handler, ImapServer, a_post, lets_in, smtp_server


@pytest.fixture(scope="module")
def one_mailbox() -> Iterator[ImapServer]:
    server = ImapServer()
    yield server
    server.stop()


@pytest.fixture
def mailbox(one_mailbox: ImapServer) -> ImapServer:
    return one_mailbox.emptied()


@pytest.fixture
def handler() -> Handler:
    return Handler()


@pytest.fixture
def smtp_port(handler: Handler) -> Iterator[int]:
    with smtp_server(handler, authenticator=lets_in, auth_require_tls=False) as port:
        yield port


FIRMS = {"Mill": Firm("mill@firm.example", "en", "Mill"), "南厂": Firm("nan@firm.example", "zh", "南厂")}


@pytest.fixture
def new_post(tmp_path: Path, smtp_port: int, mailbox: ImapServer) -> Callable[..., EmailPost]:
    """Makes the connector; firms and `again` may be otherwise."""
    return lambda again=(), **firms: a_post(tmp_path, smtp_port, mailbox.port, again, **(firms or FIRMS))
