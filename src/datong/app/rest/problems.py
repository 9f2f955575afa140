"""What is said where something cannot be done: problem documents (RFC 9457) in the words of the catalogue."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi.encoders import jsonable_encoder
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from datong.app.service.requests_done_once import InProgress, KeyReused
from datong.app.service.roles_and_permissions import NotAllowed, NotSignedIn
from datong.model.errors import Asked, BadInput, DatongError, LedgerBusy, LedgerDamaged, NotFound, Refused
from datong.model.findings import Finding
from datong.model.words import LANGUAGES, Message, catalogue, message

PROBLEM_JSON = "application/problem+json"
TYPES = "urn:datong:problem:"


class TooOften(Refused):
    """Somebody asks more often than they may. wait_s: seconds until they may again."""

    def __init__(self, message: Message, wait_s: int) -> None:
        super().__init__(message)
        self.wait_s = wait_s


class TooLarge(Refused):
    """More was sent than is taken."""


class Changed(Refused):
    """Somebody else changed the thing meanwhile. current: how it is now."""

    def __init__(self, message: Message, current: Mapping[str, Any]) -> None:
        super().__init__(message)
        self.current = current


class NotConditional(Refused):
    """A change does not say of which version of the thing it is."""


# Each error with its status and its kind; the first that fits counts.
KINDS: Sequence[tuple[type[DatongError], int, str]] = (
    (NotSignedIn, 401, "not_signed_in"),
    (NotAllowed, 403, "not_allowed"),
    (NotFound, 404, "not_found"),
    (KeyReused, 422, "key_reused"),
    (InProgress, 409, "in_progress"),
    (Changed, 412, "changed"),
    (NotConditional, 428, "not_conditional"),
    (TooLarge, 413, "too_large"),
    (TooOften, 429, "too_often"),
    (Asked, 409, "questions"),
    (BadInput, 422, "bad_input"),
    (LedgerBusy, 503, "busy"),
    (LedgerDamaged, 500, "fault"),
    (Refused, 422, "refused"),
)
# Refusals for how things stand now, not for what was sent: keys of words.
CONFLICTS = frozenset(
    {
        "service.login_taken",
        "service.factor_there",
        "service.last_administrator",
        *(f"service_orders.{name}" for name in ("is_out", "not_due", "not_as_left", "no_offer", "no_plan")),
        *(f"service_orders.nothing_to_{name}" for name in ("undo", "redo")),
        *(f"served.demand.{name}" for name in ("edited_meanwhile", "taken_back_meanwhile")),
        *(f"served.what_if.{name}" for name in ("never_run", "changed_since", "nothing_changed", "in_conflict")),
        "served.data.too_many",
        "service.meanwhile",
        *(f"proposals.{name}" for name in ("stale", "decided", "too_many")),
    }
)
STOPPING = frozenset({"service.closed"})
# Statuses of the framework itself.
BY_STATUS: Mapping[int, str] = {404: "no_route", 405: "no_method", 413: "too_large", 415: "wrong_type"}
KIND_NAMES = tuple(
    dict.fromkeys([*(kind for _, _, kind in KINDS), "conflict", "invalid", *BY_STATUS.values(), "fault"])
)


def kind_of(error: DatongError) -> tuple[int, str]:
    """The status and the kind of an error."""
    if error.message.key in STOPPING:
        return 503, "busy"
    if error.message.key in CONFLICTS:
        return 409, "conflict"
    return next(((status, kind) for is_a, status, kind in KINDS if isinstance(error, is_a)), (500, "fault"))


def problem(error: Exception, language: str, instance: str) -> JSONResponse:
    """The answer that tells an error. instance: the path that was asked for."""
    if isinstance(error, DatongError):
        status, kind = kind_of(error)
        said = message("rest.asked", count=len(error.questions)) if isinstance(error, Asked) else error.message
        return _document(status, kind, said, language, instance, _more(error, language), _headers(error))
    if isinstance(error, RequestValidationError):
        errors = [_wrong(one, language) for one in error.errors()]
        said = message("rest.invalid", count=len(errors), first=errors[0]["where"] if errors else "-")
        return _document(422, "invalid", said, language, instance, {"errors": errors})
    if isinstance(error, HTTPException):
        kind = BY_STATUS.get(error.status_code, "invalid" if error.status_code < 500 else "fault")
        said = message(f"rest.said.{kind}")
        return _document(error.status_code, kind, said, language, instance, {}, error.headers)
    return _document(500, "fault", message("rest.said.fault"), language, instance)


def _document(
    status: int,
    kind: str,
    said: Message,
    language: str,
    instance: str,
    more: Mapping[str, Any] | None = None,
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    title = message(f"rest.problem.{kind}")
    body = {
        "type": TYPES + kind,
        "title": title.text(language),
        "status": status,
        "detail": said.text(language),
        "instance": instance,
        "code": said.key,
        "texts": {one: {"title": title.text(one), "detail": said.text(one)} for one in LANGUAGES},
        **(more or {}),
    }
    headers = {"content-language": language, "cache-control": "no-store", **(headers or {})}
    return JSONResponse(jsonable_encoder(body), status, headers, PROBLEM_JSON)


def _more(error: DatongError, language: str) -> Mapping[str, Any]:
    """What an error has besides its text."""
    if isinstance(error, BadInput):
        return {"findings": [finding(one, language) for one in error.findings]}
    if isinstance(error, Asked):
        return {
            "questions": [
                one.record(language) | {"texts": {each: one.record(each) for each in LANGUAGES}}
                for one in error.questions
            ]
        }
    return {"current": error.current} if isinstance(error, Changed) else {}


def _headers(error: DatongError) -> Mapping[str, str]:
    if isinstance(error, NotSignedIn):
        return {"www-authenticate": 'Bearer realm="datong"'}
    if isinstance(error, TooOften):
        return {"retry-after": str(error.wait_s)}
    return {"retry-after": "5"} if isinstance(error, LedgerBusy) or error.message.key in STOPPING else {}


def finding(found: Finding, language: str) -> dict[str, Any]:
    """A finding about data as a flat record, with a line for a person in both languages."""
    return found.as_record(language) | {"texts": {one: found.text(one) for one in LANGUAGES}}


def _wrong(error: Mapping[str, Any], language: str) -> dict[str, Any]:
    """One value that does not fit, without the value: it may be a password."""
    key = f"rest.wrong.{error['type']}"
    places = {"least": "-", "most": "-", "there": "-"} | _limits(error.get("ctx") or {})
    said = message(key if key in catalogue() else "rest.wrong.other", **places)
    where = ".".join(str(part) for part in error["loc"])
    return {
        "where": where,
        "code": error["type"],
        "text": said.text(language),
        "texts": {one: said.text(one) for one in LANGUAGES},
    }


def _limits(context: Mapping[str, Any]) -> dict[str, str]:
    """The bounds that a value breaks, under one name each."""
    names = {"ge": "least", "gt": "least", "min_length": "least", "le": "most", "lt": "most", "max_length": "most"}
    return {names.get(name, "there" if name == "expected" else name): str(value) for name, value in context.items()}


def status_words(status: int) -> str:
    """The standard's words for a status, for the description of the API."""
    return HTTPStatus(status).phrase
