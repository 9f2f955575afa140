"""Photos of defects: what a firm shows of an order. They lie beside the accounts, outside the ledger."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from datong.app.service.factory import own_order
from datong.app.service.photo_checked_and_cleaned import JPEG, cleaned
from datong.app.service.roles_and_permissions import Permission, Who
from datong.app.service.served_chain import Served, server_folder
from datong.connectors.files.write_whole import write_whole
from datong.model.errors import NotFound, Refused
from datong.model.words import message

FOLDER = "photos"
# Most photos of one order.
MOST = 12


@dataclass(frozen=True)
class Photo:
    """digest: SHA-256 of its content, by which it is asked for. kind: its media type. at: seconds since 1970."""

    order: str
    digest: str
    kind: str
    bytes: int
    by: str
    at: float


def add_photo(served: Served, who: Who, order: str, content: bytes) -> Photo:
    """Keep a photo of an own order, without what the file says beside the picture. The same photo again is kept once.
    Raises NotAllowed, NotFound, and Refused for what is no picture, is too large, or is one too many."""
    own = own_order(served, who, order)
    picture = cleaned(content)
    digest = hashlib.sha256(picture.content).hexdigest()
    there = photos(served, who, own.order)
    found = next((one for one in there if one.digest == digest), None)
    if found is not None:
        return found
    if len(there) >= MOST:
        raise Refused(message("factory.too_many_photos", most=MOST))
    write_whole(_place(served, digest), picture.content)
    photo = Photo(own.order, digest, picture.kind, len(picture.content), who.login, served.now().timestamp())
    with served.database.together():
        served.database.write(
            "INSERT OR IGNORE INTO photos VALUES (?, ?, ?, ?, ?, ?, ?)",
            (photo.order, digest, photo.kind, photo.bytes, who.own_firm, photo.by, photo.at),
        )
        after = {"photo": digest, "bytes": photo.bytes}
        served.audit.note(who.login, "add_photo", own.order, after=after, way="factory")
    served.events.tell("orders", own.order, Permission.SEE_PLAN, who.own_firm)
    return photo


def photos(served: Served, who: Who, order: str) -> tuple[Photo, ...]:
    """Photos of an order, oldest first: of a firm's own order, or, for who sees the plan, of any."""
    _refuse_foreign(served, who, order)
    rows = served.database.rows('SELECT * FROM photos WHERE "order" = ? ORDER BY at, digest', (order,))
    return tuple(_photo(row) for row in rows)


def photo(served: Served, who: Who, order: str, digest: str) -> tuple[Photo, bytes]:
    """One photo with its content. Raises NotAllowed, NotFound."""
    found = next((one for one in photos(served, who, order) if one.digest == digest), None)
    place = None if found is None else _place(served, found.digest)
    if found is None or place is None or not place.is_file():
        raise NotFound(message("factory.no_photo"))
    return found, place.read_bytes()


def suffix(one: Photo) -> str:
    """Of a file with it."""
    return ".jpg" if one.kind == JPEG else ".png"


def _refuse_foreign(served: Served, who: Who, order: str) -> None:
    if who.firm is None:
        who.require(Permission.SEE_PLAN)
    else:
        own_order(served, who, order)


def _place(served: Served, digest: str) -> Path:
    folder = served.database.folder or server_folder(served.chain_thread.folder)
    return folder / FOLDER / digest[:2] / digest


def _photo(row: dict[str, Any]) -> Photo:
    return Photo(row["order"], row["digest"], row["kind"], row["bytes"], row["by"], row["at"])
