"""The folders of a file drop: whose is which, names and digests of files in them, and what lies there in links."""

import csv
import hashlib
import io
import re
from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager
from pathlib import Path

from datong.connectors.files.write_whole import write_whole
from datong.model.errors import DatongError
from datong.model.flow import ANY_SUPPLIER, OWN_WORKS
from datong.model.words import message

# Where the files that were put away lie, and what was in them: one that grows afterwards, because whoever writes it was
# slower than that, is read again.
TAKEN = "taken.csv"
# How the name of a text ends that tells what is wrong with a file.
TOLD = ".findings.txt"
# Bytes of a name that this program gives a file: systems take 255, and what is written beside its place has more.
LONGEST_NAME = 200
OUTBOX, INBOX, DONE, BAD = "outbox", "inbox", "done", "bad"


def box(counterparty: str) -> str:
    """The folder of a counterparty in the outbox and the inbox. '' (the box itself) for orders that go to nobody who
    is named: to works without a site, or to suppliers without one. Two counterparties never share a folder."""
    if counterparty in (OWN_WORKS, ANY_SUPPLIER):
        return ""
    safe = re.sub(r"[^\w. -]+", "_", counterparty)[:60].strip("._- ")
    if safe == counterparty:
        return safe
    return f"{safe[:50]}-{hashlib.sha256(counterparty.encode()).hexdigest()[:8]}"


def safe_name(text: str) -> str:
    """A text as part of a file name, on every system."""
    return re.sub(r"[^\w.-]+", "_", text)[:60].strip("._-")


def with_end(stem: str, end: str) -> str:
    """A file's name with another end. Of one that would be longer than names may be the first part stays, and by what
    two such names are told apart."""
    if len(f"{stem}{end}".encode()) <= LONGEST_NAME:
        return f"{stem}{end}"
    mark = f"-{hashlib.sha256(stem.encode()).hexdigest()[:8]}"
    room = LONGEST_NAME - len(f"{mark}{end}".encode())
    return stem.encode()[:room].decode(errors="ignore") + mark + end


def digest(content: bytes) -> str:
    """What a file is known by, wherever it is copied to, and whenever."""
    return hashlib.sha256(content).hexdigest()


def digest_of(path: Path) -> str:
    """That of a file; '' where there is none, or a link."""
    return "" if path.is_symlink() or not path.is_file() else digest(path.read_bytes())


def leads_elsewhere(folder: Path, path: Path) -> bool:
    """Whether a path in a drop folder is, or lies behind, a link to another place: whoever may write there could have
    this program read or write anything."""
    if path.is_symlink():
        return True
    return not path.parent.resolve().is_relative_to(folder.resolve())


@contextmanager
def reachable(folder: Path) -> Generator[None]:
    """A file system's refusals as an error that says what to do."""
    try:
        yield
    except OSError as error:
        raise DatongError(message("dispatch.no_access", path=str(folder), reason=error.strerror)) from error


def write_csv(path: Path, rows: Iterable[Sequence[object]]) -> None:
    """Write a CSV file that spreadsheets read as UTF-8, whole or not at all."""
    text = io.StringIO(newline="")
    csv.writer(text).writerows(rows)
    write_text(path, text.getvalue())


def write_text(path: Path, text: str) -> None:
    """Write a text, whole or not at all. With a byte order mark, for Excel."""
    write_whole(path, text.encode("utf-8-sig"))
