"""Headers of every answer: what a page may load, and that nobody else shows it in a frame."""

from collections.abc import Mapping

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

# Scripts, styles and data of this server alone; no plug-ins, no frames, no forms to elsewhere.
STRICT = (
    "default-src 'self'; img-src 'self' data: blob:; object-src 'none'; base-uri 'none'; frame-ancestors 'none'; "
    "form-action 'self'"
)
# NiceGUI writes scripts and styles into its pages and makes functions of texts.
PLANNER = STRICT.replace(
    "default-src 'self'",
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "connect-src 'self' ws: wss:",
)
ALWAYS: Mapping[str, str] = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "permissions-policy": "geolocation=(), microphone=()",
    "cross-origin-opener-policy": "same-origin",
}
HSTS = "max-age=31536000"


class SafeHeaders:
    """Puts the headers on every answer. loose: beginnings of paths whose pages need the looser policy."""

    def __init__(self, app: ASGIApp, loose: tuple[str, ...] = (), is_secure: bool = False) -> None:
        self._app, self._loose, self._is_secure = app, loose, is_secure

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        policy = PLANNER if scope["path"].startswith(self._loose) and self._loose else STRICT

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.setdefault("content-security-policy", policy)
                headers.setdefault("cache-control", "no-store")
                for name, value in ALWAYS.items():
                    headers[name] = value
                if self._is_secure:
                    headers["strict-transport-security"] = HSTS
            await send(message)

        await self._app(scope, receive, with_headers)
