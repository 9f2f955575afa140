"""Data: what came in and how fresh it is, rows that wait, and files that are brought in."""

from typing import Annotated, Any, ClassVar

from fastapi import APIRouter, Path, Query
from fastapi import Body as Sent
from pydantic import BaseModel, Field

from datong.app.rest.around_every_call import Called, OfChain, Signed, tag_of
from datong.app.rest.json_answers import Grid, Texts, both, many, plain, shape
from datong.app.rest.lists_by_cursor import AskedPiece, RowsPiece, piece
from datong.app.rest.shapes import Body, Code, Done, Why
from datong.app.rest.tables_by_cursor import Asked, grid
from datong.app.rest.what_if import Reports
from datong.app.service import data
from datong.app.service.data import MOST_BYTES, Fresh, Taken, Upload, Waiting
from datong.app.service.file_fits import Part, file_parts
from datong.ledger.protocol import IngestReport
from datong.model.findings import finding_as_json
from datong.model.words import LANGUAGES


class WithFile(Signed):
    """An endpoint that is sent a file."""

    most_bytes: ClassVar[int] = MOST_BYTES


router = APIRouter(prefix="/data", tags=["data"], route_class=Signed)
waiting = APIRouter(prefix="/quarantine", tags=["data"], route_class=OfChain)
files = APIRouter(prefix="/uploads", tags=["data"], route_class=Signed)
sending = APIRouter(prefix="/uploads", tags=["data"], route_class=WithFile)

OfRow = Annotated[str, Path(max_length=200, description="The number of a row that waits.")]
OfUpload = Annotated[str, Path(max_length=80, description="The number of an upload.")]
Cell = Annotated[str, Field(max_length=10_000)]


class KnownProfile(BaseModel):
    """A platform whose exports are known by their headers. is_own: the chain's own."""

    key: str
    name: Texts
    holds: str
    is_own: bool


class Correction(Body):
    """cells: as they should be, by column."""

    cells: Annotated[dict[Code, Cell], Field(min_length=1, max_length=200)]
    why: Why = ""


class Discard(Body):
    rows: Annotated[list[Code], Field(min_length=1, max_length=10_000)]
    why: Why = ""


class Discarded(BaseModel):
    count: int


class Reading(Body):
    """table: whose rows they are; None: as the file says. answers: to questions about the file, a reading for each."""

    table: Code | None = None
    answers: dict[Code, Code] = Field({}, max_length=100)


class TakenIn(Reports):
    """What became of a file. reading: how it was read, where it is an export: columns of fields, answers that decided
    something, and what else is to be known."""

    reading: dict[str, Any] | None


@router.get("/freshness", response_model=many(Fresh))
def freshness(call: Called) -> Any:
    """How fresh each table is, and how many of its rows wait."""
    return plain(data.freshness(call.served, call.who))


@router.get("/arrivals")
def arrivals(call: Called, wanted: Asked) -> Grid:
    """What was written to the chain, by whom, the last first."""
    return grid(lambda asked: data.arrivals(call.served, call.who, asked), wanted, call.language)


@router.get("/findings")
def folder_findings(call: Called, wanted: AskedPiece) -> RowsPiece:
    """What is wrong with the files of the chain's folder, each with what to do about it."""
    found = data.folder_findings(call.served, call.who)
    told = piece(found, wanted, lambda one: tag_of(finding_as_json(one)), lambda one: plain(one, call.language))
    return RowsPiece(**told)


@router.get("/profiles")
def profiles(call: Called) -> list[KnownProfile]:
    """The platforms whose exports are known by their headers."""
    found = data.profiles(call.served, call.who)
    return [
        KnownProfile(key=one.key, name={lang: one.called(lang) for lang in LANGUAGES}, holds=one.holds, is_own=is_own)
        for one, is_own in found
    ]


@waiting.get("")
def quarantine(call: Called, wanted: Asked) -> Grid:
    """Rows that wait, since something is wrong with them."""
    return grid(lambda asked: data.quarantine(call.served, call.who, asked), wanted, call.language)


@waiting.post("/retry", response_model=many(IngestReport))
def retry(call: Called) -> Any:
    """Try all rows that wait again, as they are."""
    return plain(data.retry(call.served, call.who), call.language)


@waiting.post("/discard")
def discard(sent: Discard, call: Called) -> Discarded:
    """Forget rows that wait."""
    return Discarded(count=data.discard(call.served, call.who, sent.rows, sent.why))


@waiting.get("/{row}", response_model=shape(Waiting))
def one_waiting(row: OfRow, call: Called) -> Any:
    """One row that waits, with what is wrong with it and how to mend it."""
    return plain(data.waiting(call.served, call.who, row))


@waiting.patch("/{row}", response_model=shape(IngestReport))
def correct(row: OfRow, sent: Correction, call: Called) -> Any:
    """Take a row that waits in with other cells, checked by the same rules."""
    return plain(data.correct(call.served, call.who, row, sent.cells, sent.why), call.language)


@files.get("", response_model=many(Upload))
def uploads(call: Called) -> Any:
    """The files that one brought and that wait."""
    return plain(data.uploads(call.served, call.who))


@sending.post("", status_code=201, response_model=shape(Upload))
def upload(
    content: Annotated[bytes, Sent(media_type="application/octet-stream")],
    name: Annotated[str, Query(min_length=1, max_length=255, description="The name of the file.")],
    call: Called,
) -> Any:
    """Bring a file; it waits until it is taken in or dropped."""
    return plain(data.upload(call.served, call.who, name, content))


@files.delete("/{upload}")
def drop(upload: OfUpload, call: Called) -> Done:
    """Forget a file that waits."""
    data.drop_upload(call.served, call.who, upload)
    return Done()


@files.get("/{upload}/parts", response_model=many(Part))
def parts(upload: OfUpload, call: Called) -> Any:
    """Its first rows, and the tables that its columns fit, the best first: one of them can be said as `table`."""
    return plain(file_parts(call.served, call.who, upload))


@files.post("/{upload}/preview")
def preview(upload: OfUpload, sent: Reading, call: Called) -> TakenIn:
    """What taking a file in would do, and how it is read; nothing is kept. Where a reading is not sure, the answer is
    a problem with the questions."""
    return _taken(data.preview(call.served, call.who, upload, sent.table, sent.answers), call.language)


@files.post("/{upload}/taking")
def take(upload: OfUpload, sent: Reading, call: Called) -> TakenIn:
    """Take a file in, as its preview has shown."""
    return _taken(data.take(call.served, call.who, upload, sent.table, sent.answers), call.language)


def _taken(taken: Taken, language: str) -> TakenIn:
    read = taken.reading
    reading = None
    if read is not None:
        reading = {
            "name": read.name,
            "columns": plain(read.columns, language),
            "used": plain(read.used),
            "notes": [both(note) for note in read.notes],
            "profile": None if read.profile is None else read.profile.key,
            "currency": read.currency,
            "zone": read.zone,
        }
    reports, findings = plain(taken.reports, language), plain(taken.findings, language)
    return TakenIn(reports=reports, findings=findings, reading=reading)
