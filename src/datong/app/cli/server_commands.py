"""The commands of a server: `serve`, `people` who may sign in to it, and `mcp`, the same over standard input."""

import argparse
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from datong.app.borrowed_chain import address_of
from datong.app.cli import terminal
from datong.app.wiring import user_of_this_machine, utc_now
from datong.model.errors import NotFound, Refused
from datong.model.words import message, say

if TYPE_CHECKING:  # it needs a library that few installations have
    from datong.app.service.accounts import People


def _refuse_without_libraries() -> None:
    if any(find_spec(name) is None for name in ("nicegui", "argon2", "pyotp")):
        raise NotFound(message("serving.no_libraries"))


def answer_serve(options: argparse.Namespace, language: str) -> int:
    _refuse_without_libraries()
    from datong.app.server import Place, run  # a second of imports, which no other command needs

    if (options.certificate is None) != (options.key is None):
        raise Refused(message("serving.both_files"))
    place = Place(
        options.host,
        options.port,
        options.certificate,
        options.key,
        options.behind_proxy,
        options.log_requests,
        options.webhooks_to_private,
    )
    if place.host not in ("127.0.0.1", "localhost", "::1") and not place.is_secure:
        terminal.warning(say("serving.open_to_all", language, host=place.host))

    def ready(link: str | None) -> None:
        terminal.line(say("serving.ready", language, folder=options.chain, address=place.address))
        if link is not None:
            terminal.line(say("serving.first_link", language, link=f"{place.address}{link}"))

    try:
        run(options.chain, place, options.server_folder, language, user_of_this_machine(), ready)
    except OSError as error:
        raise Refused(message("serving.no_port", host=place.host, port=place.port, why=str(error))) from error
    return 0


def answer_mcp(options: argparse.Namespace, _language: str) -> int:
    _refuse_without_libraries()
    if find_spec("mcp") is None:
        raise NotFound(message("mcp.no_libraries"))
    from datong.app.mcp.over_stdio import run

    if not options.chain.is_dir():
        raise NotFound(message("serving.no_chain", folder=options.chain))
    run(options.chain, options.server_folder, options.login)
    return 0


def answer_people(options: argparse.Namespace, language: str) -> int:
    _refuse_without_libraries()
    from datong.app.service.accounts import People
    from datong.app.service.audit import Audit
    from datong.app.service.served_chain import DATABASE_FILE, server_folder
    from datong.app.service.server_database import ServerDatabase

    if not options.chain.is_dir():
        raise NotFound(message("serving.no_chain", folder=options.chain))
    folder: Path = options.server_folder or server_folder(options.chain)
    database = ServerDatabase(folder / DATABASE_FILE)
    try:
        _answer(People(database, Audit(database, utc_now, "terminal"), utc_now), options, language)
    finally:
        database.close()
    return 0


def _answer(people: "People", options: argparse.Namespace, language: str) -> None:
    if options.what != "list" and options.login is None:
        raise Refused(message("serving.login_missing", what=options.what))
    if options.what == "list":
        for account in people.accounts(None):
            roles = ", ".join(say(f"service.role.{role}", language) for role in account.roles)
            state = say(f"service.state.{account.state}", language)
            words = {"login": account.login, "roles": roles, "firm": account.firm or "-", "state": state}
            terminal.line(say("serving.account", language, **words))
    elif options.what == "invite":
        named = (options.login, options.name or options.login, options.role, options.firm)
        _tell_link(people.invite(None, *named, options.speaks or language), options, language)
    elif options.what == "reset":
        _tell_link(people.reset(None, options.login), options, language)
    else:
        account = people.change(None, options.login, disabled=options.what == "disable")
        state = say(f"service.state.{account.state}", language)
        terminal.line(say("serving.now", language, login=account.login, state=state))


def _tell_link(secret: str, options: argparse.Namespace, language: str) -> None:
    """Where the chain is served now, the whole address."""
    address = address_of(options.chain) or say("serving.your_address", language)
    terminal.line(say("serving.link", language, login=options.login, link=f"{address}/invitation/{secret}"))
