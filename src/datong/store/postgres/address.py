"""The address of a PostgreSQL database, with what is secret in it apart.

libpq reads more than the standard of addresses (RFC 3986) allows, a raw # in a password, say, and other readers take
such an address apart in other places. What is not read in one way only is not read at all: its secret part is not
known, so that it must not be shown.
"""

import re
from typing import NamedTuple
from urllib.parse import unquote

_HOST = r"(?:\[[^\]/?#@]*\]|[^:/?#@,\[\]]*)(?::\d*)?"
_ADDRESS = re.compile(
    rf"(?P<scheme>postgres(?:ql)?://)(?:(?P<user>[^:/?#@]*)(?::(?P<password>[^/?#@]*))?@)?"
    rf"(?P<hosts>{_HOST}(?:,{_HOST})*)(?P<database>/[^/?#@]*)?(?:\?(?P<query>[^#@?]*))?"
)
# What libpq refuses, and then quotes: a % that begins no code, and the code of NUL.
_BAD_CODE = re.compile(r"%(?![0-9A-Fa-f]{2})|%00")
_SECRETS = ("password", "sslpassword", "scram_client_key", "scram_server_key", "oauth_client_secret")


class Address(NamedTuple):
    """plain: without secrets. secrets: by libpq's name, those that are not empty."""

    plain: str
    secrets: dict[str, str]


def read_address(text: str) -> Address | None:
    """An address taken apart; None where it cannot be read in one way only."""
    found = _ADDRESS.fullmatch(text)
    if found is None or _BAD_CODE.search(text):
        return None
    login = "" if found["user"] is None else f"{found['user']}@"
    secrets, kept = {"password": unquote(found["password"] or "")}, []
    for part in (found["query"] or "").split("&") if found["query"] is not None else ():
        name, equals, value = part.partition("=")
        if not equals and part:
            return None
        if unquote(name) in _SECRETS:
            secrets[unquote(name)] = unquote(value)
        else:
            kept.append(part)
    query = f"?{'&'.join(kept)}" if any(kept) else ""
    plain = f"{found['scheme']}{login}{found['hosts']}{found['database'] or ''}{query}"
    return Address(plain, {name: value for name, value in secrets.items() if value})


def shown(text: str) -> str:
    """An address as messages show it: without secrets, and not at all where it cannot be told which part is one."""
    address = read_address(text)
    return "postgresql://..." if address is None else address.plain
