"""OpenID Connect: people sign in at a server of their own house (authorization code with PKCE, nonce and state).

OpenID Connect Core 1.0, sections 3.1.2 and 3.1.3.7; RFC 7636 (PKCE); RFC 9207 (issuer in the answer).
"""

import secrets
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime, timedelta
from pathlib import Path
from threading import Lock
from typing import Any
from urllib.parse import urlsplit

import httpx2
from authlib.common.errors import AuthlibBaseError
from authlib.integrations.httpx_client import OAuth2Client
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import InvalidKeyIdError, JoseError
from joserfc.jwk import KeySet

from datong.app.service.accounts import People
from datong.app.service.outside_sign_in import Begun, Entered, Outsiders, Tries, Vouched
from datong.app.service.roles_and_permissions import NotSignedIn
from datong.app.service.roles_by_claim import Given, is_texts, read_given, roles_by_claim
from datong.app.service.server_database import ServerDatabase
from datong.model.errors import Refused
from datong.model.words import message

BACK = "/sign-in/outside/back"
# Signatures that count: by keys whose public half alone is known here. `none` and secrets shared by both are not among.
ALGORITHMS = ("RS256", "ES256", "PS256", "RS384", "ES384", "RS512", "ES512")
# Seconds by which clocks may differ, that an answer may take, and for which what the server says of itself is kept.
LEEWAY_S, TIMEOUT_S, KEPT, AGAIN = 60, 10.0, timedelta(hours=1), timedelta(minutes=1)
LOCAL = ("127.0.0.1", "::1", "localhost")


@dataclass(frozen=True)
class Configuration:
    """The file oidc.toml. issuer: the server's address, as it names itself. client_id: as it knows this one. address:
    of this server, as browsers reach it. name: on the button. login_claim: what is the login here; an e-mail address
    has to be verified there. secret_variable: of the environment; '': none is shared. language: of new accounts. amr,
    acr: what says of a sign-in there that it had a second factor. role_claim: whose values give roles. given: roles by
    value; where it is empty nobody gets an account who was not invited."""

    issuer: str
    client_id: str
    address: str
    name: str = "OpenID"
    login_claim: str = "email"
    secret_variable: str = "DATONG_OIDC_SECRET"
    language: str = "en"
    amr: tuple[str, ...] = ("mfa",)
    acr: tuple[str, ...] = ()
    role_claim: str = "groups"
    given: Mapping[str, Given] = field(default_factory=dict)


def read_configuration(file: Path) -> Configuration:
    """Raises Refused for what is wrong with it."""
    try:
        told = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise Refused(message("outside.wrong_file", file=file, why=str(error))) from error
    known = {one.name for one in fields(Configuration)}
    wrong = sorted(told.keys() - known) + [name for name in ("issuer", "client_id", "address") if name not in told]
    given = told.pop("given", {})
    is_text = all(isinstance(told[name], str) for name in told.keys() - {"amr", "acr"})
    is_list = all(is_texts(told[name]) for name in told.keys() & {"amr", "acr"})
    if wrong or not is_text or not is_list or not isinstance(given, dict):
        raise Refused(message("outside.wrong_file", file=file, why=", ".join(wrong) or "type"))
    values: dict[str, Any] = {name: tuple(one) if isinstance(one, list) else one for name, one in told.items()}
    made = Configuration(**values, given={value: read_given(one, file) for value, one in given.items()})
    for address in (made.issuer, made.address):
        if not _is_safe(address):
            raise Refused(message("outside.not_safe", address=address))
    return made


def _is_safe(address: Any) -> bool:
    """Whether what goes there can be read by nobody else: TLS, or this machine."""
    try:
        parts = urlsplit(address)
    except (ValueError, AttributeError):
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in LOCAL)


@dataclass(frozen=True)
class _Known:
    """What the server said of itself, when."""

    metadata: Mapping[str, Any]
    keys: KeySet
    at: datetime


class Oidc:
    """The other server."""

    def __init__(
        self,
        configuration: Configuration,
        secret: str,
        database: ServerDatabase,
        people: People,
        now: Callable[[], datetime],
        transport: httpx2.BaseTransport | None = None,
    ) -> None:
        """secret: shared with it; '': none. transport: None: the network."""
        self._configuration, self._secret, self._now, self._transport = configuration, secret, now, transport
        self._tries = Tries(database, now)
        self._outsiders = Outsiders(database, people, self._tries)
        self._lock = Lock()
        self._known: _Known | None = None

    @property
    def name(self) -> str:
        return self._configuration.name

    def begin(self, following: str) -> Begun:
        """Begin to sign in. following: a path of this server. Raises NotSignedIn where the other does not answer."""
        known = self._knowledge()
        nonce, verifier = secrets.token_urlsafe(32), secrets.token_urlsafe(48)
        secret = self._tries.begin(nonce, verifier, following)
        with self._client() as client:
            endpoint = known.metadata["authorization_endpoint"]
            address, _ = client.create_authorization_url(endpoint, state=secret, code_verifier=verifier, nonce=nonce)
        return Begun(address, secret)

    def finish(self, said: Mapping[str, str], secret: str) -> Entered:
        """Sign in whoever comes back. said: in the address; secret: of the browser's cookie. Raises NotSignedIn for
        whatever does not fit."""
        if not secret or not secrets.compare_digest(said.get("state", "").encode(), secret.encode()):
            raise NotSignedIn(message("outside.over"))
        one = self._tries.take(secret)
        if one.account is not None or said.get("iss", self._configuration.issuer) != self._configuration.issuer:
            raise NotSignedIn(message("outside.not_trusted", why="iss"))
        if "code" not in said:
            raise NotSignedIn(message("outside.refused_there", why=said.get("error", "-")[:100]))
        claims = self._claims(said["code"], one.verifier, one.nonce)
        return self._outsiders.enter(self._vouched(claims), one.following, self._configuration.language)

    def give_code(self, secret: str, code: str) -> Entered:
        return self._outsiders.give_code(secret, code)

    def _client(self) -> OAuth2Client:
        ours = self._configuration
        return OAuth2Client(
            ours.client_id,
            self._secret or None,
            token_endpoint_auth_method="client_secret_basic" if self._secret else "none",
            scope="openid email profile",
            redirect_uri=f"{ours.address.rstrip('/')}{BACK}",
            code_challenge_method="S256",
            transport=self._transport,
            timeout=TIMEOUT_S,
        )

    def _claims(self, code: str, verifier: str, nonce: str) -> Mapping[str, Any]:
        """What the server says of whoever signed in there, checked. Raises NotSignedIn."""
        known = self._knowledge()
        try:
            with self._client() as client:
                got = client.fetch_token(known.metadata["token_endpoint"], code=code, code_verifier=verifier)
            token = got["id_token"]
            read = self._read(token)
            claims = CodeIDToken(
                read.claims,
                read.header,
                {
                    "iss": {"essential": True, "value": self._configuration.issuer},
                    "aud": {"essential": True, "value": self._configuration.client_id},
                    "sub": {"essential": True},
                    "exp": {"essential": True},
                },
                {"nonce": nonce, "client_id": self._configuration.client_id, "access_token": got.get("access_token")},
            )
            claims.validate(int(self._now().timestamp()), LEEWAY_S)
        except (AuthlibBaseError, JoseError, httpx2.HTTPError, KeyError, ValueError, TypeError) as error:
            raise NotSignedIn(message("outside.not_trusted", why=type(error).__name__)) from error
        return claims

    def _read(self, token: str) -> jwt.Token:
        """A token whose signature is of the server's keys; they are asked for anew where it names one that is not
        known. Raises JoseError."""
        try:
            return jwt.decode(token, self._knowledge().keys, list(ALGORITHMS))
        except InvalidKeyIdError:
            return jwt.decode(token, self._knowledge(not_older_than=AGAIN).keys, list(ALGORITHMS))

    def _vouched(self, claims: Mapping[str, Any]) -> Vouched:
        """Raises NotSignedIn for claims that say no login, or name two firms."""
        ours = self._configuration
        login, subject = claims.get(ours.login_claim), claims["sub"]
        is_sure = ours.login_claim != "email" or claims.get("email_verified") is True
        if not isinstance(login, str) or not login.strip() or not is_sure or not isinstance(subject, str):
            raise NotSignedIn(message("outside.no_login", claim=ours.login_claim))
        name = claims.get("name")
        amr, acr = claims.get("amr") or [], claims.get("acr")
        has_factor = any(one in ours.amr for one in amr) or acr in ours.acr
        shown = name if isinstance(name, str) else login
        return Vouched(
            ours.issuer,
            subject,
            login,
            shown[:200],
            roles_by_claim(claims.get(ours.role_claim), ours.given),
            has_factor,
        )

    def _knowledge(self, not_older_than: timedelta = KEPT) -> _Known:
        """What the server says of itself, and its keys. Raises NotSignedIn where it does not, or names itself
        otherwise."""
        with self._lock:
            now = self._now()
            if self._known is None or now - self._known.at > not_older_than:
                self._known = self._asked(now)
            return self._known

    def _asked(self, now: datetime) -> _Known:
        issuer = self._configuration.issuer
        try:
            with httpx2.Client(transport=self._transport, timeout=TIMEOUT_S) as client:
                place = f"{issuer.rstrip('/')}/.well-known/openid-configuration"
                metadata = client.get(place).raise_for_status().json()
                places = [metadata[name] for name in ("authorization_endpoint", "token_endpoint", "jwks_uri")]
                if metadata["issuer"] != issuer or not all(_is_safe(place) for place in places):
                    raise NotSignedIn(message("outside.not_trusted", why="issuer"))
                keys = KeySet.import_key_set(client.get(metadata["jwks_uri"]).raise_for_status().json())
        except (httpx2.HTTPError, JoseError, ValueError, KeyError, TypeError) as error:
            raise NotSignedIn(message("outside.no_answer", issuer=issuer)) from error
        return _Known(metadata, keys, now)
