"""The description of the API (OpenAPI 3.1), put right for what every endpoint does alike."""

from collections.abc import Mapping
from typing import Any

from datong.app.http.signed_in import COOKIE, CSRF_HEADER
from datong.app.rest.around_every_call import MOST_KEY
from datong.app.rest.problems import KIND_NAMES, PROBLEM_JSON, TYPES, status_words

_TEXTS = {
    "type": "object",
    "description": "The same in each language.",
    "additionalProperties": {
        "type": "object",
        "properties": {"title": {"type": "string"}, "detail": {"type": "string"}},
        "required": ["title", "detail"],
    },
}
_LIST = {"type": "array", "items": {"type": "object"}}
PROBLEM: Mapping[str, Any] = {
    "type": "object",
    "description": "What is wrong and what to do (RFC 9457), in the language of Accept-Language, else of the account.",
    "properties": {
        "type": {"type": "string", "enum": [TYPES + kind for kind in KIND_NAMES]},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "instance": {"type": "string"},
        "code": {"type": "string", "description": "The name of the text, which stays as it is."},
        "texts": _TEXTS,
        "findings": {**_LIST, "description": "Of data that cannot be used: each thing that is wrong."},
        "questions": {**_LIST, "description": "What has to be answered first, with the readings."},
        "errors": {**_LIST, "description": "Each value of the request that does not fit."},
        "current": {"type": "object", "description": "How the thing is now that somebody else changed."},
    },
    "required": ["type", "title", "status", "detail", "instance", "code", "texts"],
}
# What any endpoint may answer; one that changes something also the second.
ALWAYS = (400, 401, 403, 404, 405, 409, 413, 422, 429, 500, 503)
OF_CHANGES = (412, 428)
# Endpoints for which nobody has to be signed in, by method and path below /api/v1.
OPEN = frozenset({("get", "/health"), ("post", "/session"), ("post", "/session/acceptance")})

_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "The same key with the same request gives the answer that it got before, also after a restart.",
    "schema": {"type": "string", "minLength": 1, "maxLength": MOST_KEY, "pattern": "^[ -~]+$"},
}


def described(schema: dict[str, Any]) -> dict[str, Any]:
    """The framework's description with problems, ways to sign in, and keys of requests."""
    components = schema.setdefault("components", {})
    shapes = components.setdefault("schemas", {})
    for name in ("HTTPValidationError", "ValidationError"):
        shapes.pop(name, None)
    shapes["Problem"] = PROBLEM
    components["securitySchemes"] = {
        "token": {"type": "http", "scheme": "bearer", "description": "A token; POST /tokens makes one."},
        "session": {
            "type": "apiKey",
            "in": "cookie",
            "name": COOKIE,
            "description": f"POST /session sets it. Changes say {CSRF_HEADER} besides, as GET /session gives it.",
        },
    }
    for path, operations in schema["paths"].items():
        for method, operation in operations.items():
            _put_right(operation, method, is_open=(method, path) in OPEN)
    return schema


def _put_right(operation: dict[str, Any], method: str, *, is_open: bool) -> None:
    answers = operation["responses"]
    answers.pop("422", None)
    for status in ALWAYS if method == "get" else (*ALWAYS, *OF_CHANGES):
        answers[str(status)] = {
            "description": status_words(status),
            "content": {PROBLEM_JSON: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
    if is_open:
        return
    operation["security"] = [{"token": []}, {"session": []}]
    if method == "get":
        answers["304"] = {"description": "As the answer with the tag of If-None-Match."}
    else:
        operation.setdefault("parameters", []).append(_KEY)
