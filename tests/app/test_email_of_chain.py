"""Orders out and answers in by e-mail, as commands on a whole chain, over real servers in this process."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

import datong
from datong.app.cli import commands
from datong.app.cli.main import main, parser
from datong.connectors.email.hand_over_mail import PASSWORD_VARIABLE
from datong.connectors.email.post import EmailPost
from datong.connectors.inlet_and_outlet import Delivered
from mail_servers import PASSWORD, USER, Handler, ImapServer, filled, lets_in, reply, smtp_server, token_of
from mill import run, write

SITES = "site,name,kind,firm\nF,Works,factory,Mill Ltd\nV,Mine,supplier,\n"
FIRMS = "firm,name,email,language\nMill Ltd,The Mill,mill@firm.example,zh\n"
EMAIL = '[email]\nfrom = "orders@chain.example"\nuser = "{user}"\nsmtp_host = "127.0.0.1"\nsmtp_port = {smtp}\n'
EMAIL += 'imap_host = "127.0.0.1"\nimap_port = {imap}\n'


@dataclass(frozen=True)
class Mailed:
    """A chain whose due orders are released, and its servers."""

    folder: Path
    outbox: Handler
    mailbox: ImapServer

    def states(self) -> dict[str, int]:
        """How many events of each state the ledger has."""
        with datong.open(self.folder) as chain:
            rows = chain.state().table("order_events").to_pylist()
        return {state: sum(r["state"] == state for r in rows) for state in {r["state"] for r in rows}}


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a chain whose due orders are released, to be copied."""
    folder = write(
        tmp_path_factory.mktemp("mailing") / "chain",
        sites_csv=SITES,
        firms_csv=FIRMS,
        lines_csv="line,hours_per_week,site\nA,40,F\n",
        offers_csv="offer,product,price,lead_days,site\nM/V,M,4,0,V\n",
    )
    assert main(["run", str(folder)]) == 0
    assert main(["release", "--due", "--chain", str(folder)]) == 0
    return folder


@pytest.fixture
def mailed(released: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Mailed]:
    monkeypatch.setenv(PASSWORD_VARIABLE, PASSWORD)
    outbox, mailbox = Handler(), ImapServer()
    folder = shutil.copytree(released, tmp_path / "chain")
    with smtp_server(outbox, authenticator=lets_in, auth_require_tls=False) as port:
        settings = folder / "chain.toml"
        email = EMAIL.format(user=USER, smtp=port, imap=mailbox.port)
        settings.write_text(settings.read_text(encoding="utf-8") + email, encoding="utf-8")
        yield Mailed(folder, outbox, mailbox)
    mailbox.stop()


def test_mail_and_drop_side_by_side(mailed: Mailed, capsys: pytest.CaptureFixture[str]) -> None:
    """Who has an address gets a mail, all others a sheet in the drop folder, and it is said which."""
    status, text = run(capsys, "exchange", mailed.folder, "--dry-run")
    assert (
        status == 0
        and "Would go out: The Mill (Mill Ltd)" in text
        and "mill@firm.example" in text
        and "V, 1 order (" in text
    )
    assert not mailed.outbox.mails and not (mailed.folder / "exchange").exists()
    status, text = run(capsys, "exchange", mailed.folder)
    assert status == 0, text
    assert "to mill@firm.example" in text and "no e-mail address of V: 1 order stay" in " ".join(text.split())
    (mail,) = mailed.outbox.mails
    assert "The Mill：" in str(mail["Subject"])
    assert [path.name for path in (mailed.folder / "exchange" / "outbox").iterdir()] == ["V"]
    status, text = run(capsys, "exchange", mailed.folder)
    assert status == 0 and len(mailed.outbox.mails) == 1
    status, text = run(capsys, "exchange", mailed.folder, "--dry-run")
    assert "Nothing waits" in text


def test_from_python_mail_and_drop_stand_side_by_side_too(mailed: Mailed) -> None:
    with datong.open(mailed.folder) as chain:
        done, again = chain.exchange(), chain.exchange()
        with pytest.raises(datong.NotFound):
            chain.exchange(again=["V"])
    assert {one.counterparty for one in done.delivered} == {"Mill Ltd", "V"}
    assert [found.code for found in done.findings] == ["no_address"] and done.reports == 0
    assert len(mailed.outbox.mails) == 1
    assert [path.name for path in (mailed.folder / "exchange" / "outbox").iterdir()] == ["V"]
    assert again.reports == 0 and len(mailed.outbox.mails) == 1


def test_an_answer_by_mail_counts_once_whatever_is_killed(
    mailed: Mailed, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run(capsys, "exchange", mailed.folder)
    (mail,) = mailed.outbox.mails
    with datong.open(mailed.folder) as chain:
        given = [r["order"] for r in chain.state().table("orders").to_pylist() if r["kind"] == "make"]
    answers = {order: {"状态": "接单", "时间": "2026-03-02 10:00"} for order in given}
    mailed.mailbox.arrives(reply(mail, filled(mail, answers)))

    def killed(*_args: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(EmailPost, "settle", killed)
        with pytest.raises(KeyboardInterrupt):
            commands.answer_exchange(_options(mailed.folder), "en")
    capsys.readouterr()
    assert mailed.states()["accepted"] == len(given) > 0
    assert len(mailed.mailbox.there(which="UNSEEN")) == 1
    for _ in range(2):
        status, text = run(capsys, "exchange", mailed.folder)
        assert status == 0, text
        assert mailed.states()["accepted"] == len(given)
    assert mailed.mailbox.there() == [] and len(mailed.mailbox.there("Datong")) == 1


def _options(folder: Path, *words: str):

    return parser("en").parse_args(["exchange", str(folder), *words])


def test_what_was_not_answered_goes_again_where_it_is_asked_for(
    mailed: Mailed, capsys: pytest.CaptureFixture[str]
) -> None:
    run(capsys, "exchange", mailed.folder)
    status, text = run(capsys, "exchange", mailed.folder, "--again", "Mill Ltd", "--dry-run")
    assert status == 0 and "Would go out: The Mill (Mill Ltd)" in text and len(mailed.outbox.mails) == 1
    assert run(capsys, "exchange", mailed.folder, "--again", "Mill Ltd")[0] == 0
    first, second = mailed.outbox.mails
    assert token_of(first) == token_of(second) and "重发" in str(second["Subject"])
    status, text = run(capsys, "exchange", mailed.folder, "--again", "Nobody")
    assert status == 2 and "Mill Ltd" in text


def test_a_firm_that_refuses_is_told_each_time_and_gets_it_at_its_new_address(
    mailed: Mailed, capsys: pytest.CaptureFixture[str]
) -> None:
    mailed.outbox.rcpt = lambda address: "550 no such user" if address.startswith("mill") else "250 OK"
    for _ in range(2):
        status, text = run(capsys, "exchange", mailed.folder)
        assert status == 2 and "550" in text
    (mailed.folder / "firms.csv").write_text(FIRMS.replace("mill@", "new@"), encoding="utf-8")
    status, text = run(capsys, "exchange", mailed.folder)
    assert status == 0, text
    assert mailed.outbox.to == ["new@firm.example"] and "重发" not in str(mailed.outbox.mails[0]["Subject"])


def test_servers_that_are_not_there_stop_no_drop_folder_and_lose_nothing(
    mailed: Mailed, capsys: pytest.CaptureFixture[str]
) -> None:
    mailed.mailbox.cut = True
    mailed.outbox.rcpt = lambda _address: "451 later"
    status, text = run(capsys, "exchange", mailed.folder)
    assert status == 2 and "451" in text and "127.0.0.1" in text
    assert list((mailed.folder / "exchange" / "outbox" / "V").iterdir())
    mailed.mailbox.cut = False
    mailed.outbox.rcpt = lambda _address: "250 OK"
    assert run(capsys, "exchange", mailed.folder)[0] == 0
    assert len(mailed.outbox.mails) == 1 and "重发" not in str(mailed.outbox.mails[0]["Subject"])


def test_no_password_is_told_before_anything_is_said_to_a_server(
    mailed: Mailed, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(PASSWORD_VARIABLE)
    status, text = run(capsys, "exchange", mailed.folder)
    assert status == 2 and PASSWORD_VARIABLE in text and not mailed.outbox.mails


def test_an_address_that_is_none_stays_with_the_drop_folder(mailed: Mailed, capsys: pytest.CaptureFixture[str]) -> None:
    (mailed.folder / "firms.csv").write_text(FIRMS.replace("mill@firm", "a@b; c@d"), encoding="utf-8")
    status, text = run(capsys, "exchange", mailed.folder)
    assert status == 1 and "a@b; c@d" in text and not mailed.outbox.mails
    assert len(list((mailed.folder / "exchange" / "outbox").iterdir())) == 2


def test_python_exchanges_as_the_command_does(mailed: Mailed) -> None:
    with datong.open(mailed.folder) as chain:
        done = chain.exchange()
        assert [(type(one), one.counterparty) for one in done.delivered] == [(Delivered, "Mill Ltd"), (Delivered, "V")]
        assert [found.code for found in done.findings] == ["no_address"] and done.reports == 0
        assert [path.name for path in (mailed.folder / "exchange" / "outbox").iterdir()] == ["V"]
        assert len(chain.exchange(again=["Mill Ltd"]).delivered) == 1
    assert len(mailed.outbox.mails) == 2


def test_addresses_without_a_section_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = write(tmp_path / "c", firms_csv=FIRMS)
    assert run(capsys, "run", folder)[0] == 0
    status, text = run(capsys, "exchange", folder)
    assert status == 0 and "no section [email]" in " ".join(text.split())
