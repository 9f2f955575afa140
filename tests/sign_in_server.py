"""A server at which people sign in (OpenID Connect), in this process, with keys of its own."""

import base64
import hashlib
import json
from collections.abc import Callable
from datetime import datetime
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

import httpx2
from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey

ISSUER, CLIENT, SECRET = "https://sso.example", "datong", "a shared secret"
ADDRESS = "https://works.example"


def new_key(name: str) -> RSAKey:
    return RSAKey.generate_key(2048, {"kid": name, "use": "sig", "alg": "RS256"})


class SignInServer:
    """issuer, header, claims: what a test has it say otherwise. asked: how often its keys were."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self.now, self.key = now, new_key("k1")
        self.issuer, self.header = ISSUER, {"alg": "RS256", "kid": "k1"}
        self.signs_with: Any = None
        self.claims: dict[str, Any] = {}
        self.asked = 0
        self._codes: dict[str, dict[str, str]] = {}

    def sign_in(self, address: str, **who: Any) -> dict[str, str]:
        """What somebody brings back who signed in there, sent to an address by this server."""
        asked = dict(parse_qsl(urlsplit(address).query))
        assert address.startswith(f"{ISSUER}/authorize?") and asked["response_type"] == "code"
        assert asked["code_challenge_method"] == "S256" and "openid" in asked["scope"].split()
        code = f"code{len(self._codes)}"
        self._codes[code] = asked | {"who": json.dumps(who)}
        return {"code": code, "state": asked["state"], "iss": ISSUER}

    def handle(self, request: httpx2.Request) -> httpx2.Response:
        path = request.url.path
        if path == "/.well-known/openid-configuration":
            places = {"authorization_endpoint": "authorize", "token_endpoint": "token", "jwks_uri": "keys"}
            return httpx2.Response(200, json={"issuer": self.issuer} | {k: f"{ISSUER}/{v}" for k, v in places.items()})
        if path == "/keys":
            self.asked += 1
            return httpx2.Response(200, json=KeySet([self.key]).as_dict(private=False))
        assert path == "/token" and request.method == "POST"
        return self._token(request)

    def _token(self, request: httpx2.Request) -> httpx2.Response:
        told = {name: values[0] for name, values in parse_qs(request.content.decode()).items()}
        basic = base64.b64encode(f"{CLIENT}:{SECRET.replace(' ', '+')}".encode()).decode()
        plain = base64.b64encode(f"{CLIENT}:{SECRET}".encode()).decode()
        asked = self._codes.pop(told["code"], None)
        if request.headers.get("authorization") not in (f"Basic {basic}", f"Basic {plain}") or asked is None:
            return httpx2.Response(400, json={"error": "invalid_grant"})
        digest = hashlib.sha256(told["code_verifier"].encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).decode().rstrip("=")
        if challenge != asked["code_challenge"] or told["redirect_uri"] != asked["redirect_uri"]:
            return httpx2.Response(400, json={"error": "invalid_grant"})
        moment = int(self.now().timestamp())
        claims = {"iss": ISSUER, "aud": CLIENT, "sub": "u1", "iat": moment, "exp": moment + 300}
        claims |= {"nonce": asked["nonce"], "email_verified": True} | json.loads(asked["who"]) | self.claims
        claims = {name: value for name, value in claims.items() if value is not None}
        return httpx2.Response(
            200, json={"access_token": "a", "token_type": "Bearer", "id_token": self._signed(claims)}
        )

    def _signed(self, claims: dict[str, Any]) -> str:
        if self.header["alg"] == "none":
            parts = [json.dumps({"alg": "none"}), json.dumps(claims)]
            return ".".join(base64.urlsafe_b64encode(part.encode()).decode().rstrip("=") for part in parts) + "."
        return jwt.encode(self.header, claims, self.signs_with or self.key, algorithms=[self.header["alg"]])
