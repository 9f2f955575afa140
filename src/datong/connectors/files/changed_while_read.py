"""Files that are files, and hold still while they are read."""

import stat
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from datong.model.findings import Finding, finding
from datong.model.words import message

_Read = TypeVar("_Read")

Looks = tuple[int, ...]

# A file system's clock may tick this slowly: a change within the tick of the change before it shows no new time.
TICK_SECONDS = 0.02


class UnreadableError(Exception):
    """A file that turns out to be damaged, or to be changing, while it is read. Carries the finding."""

    def __init__(self, found: Finding) -> None:
        super().__init__(found.text("en"))
        self.found = found


def no_file(path: Path, name: str | None = None) -> Finding | None:
    """Why a path cannot be read as a file, None where it can: a pipe, above all, would be waited for without end.

    name: what the finding calls it, if not by the path's own name.
    """
    name = path.name if name is None else name
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        if path.is_symlink():
            return finding("error", "check.no_file", name, kind=message("check.kind_broken_link"))
        return _unreadable(name, FileNotFoundError(2, "No such file or directory"))
    except (OSError, ValueError) as error:
        return _unreadable(name, error)
    if stat.S_ISREG(mode):
        return None
    kind = "kind_folder" if stat.S_ISDIR(mode) else "kind_device"
    return finding("error", "check.no_file", name, kind=message(f"check.{kind}"))


def read_steadily(
    path: Path, read: Callable[[Path], tuple[list[_Read], list[Finding]]]
) -> tuple[list[_Read], list[Finding]]:
    """What `read` makes of a file, unless the file is no file, or changed meanwhile: then nothing, and a finding.

    Half of a file that another program is still writing must not be taken for all of it.
    """
    refused = no_file(path)
    if refused is not None:
        return [], [refused]
    try:
        with holding_still(path, settled(path)):
            return read(path)
    except UnreadableError as unreadable:
        return [], [unreadable.found]
    except OSError as error:
        return [], [_unreadable(path.name, error)]


@contextmanager
def holding_still(path: Path, before: Looks) -> Generator[None]:
    """A time in which a file is read, whose rows count only if it still looks as it did `before`.

    Raises UnreadableError where it does not, whatever else went wrong with it, and where the system cannot read it.
    """
    try:
        yield
    except Exception as error:
        _compare(path, before)
        if isinstance(error, OSError):
            raise UnreadableError(_unreadable(path.name, error)) from error
        raise
    _compare(path, before)


def settled(path: Path) -> Looks:
    """How a file looks, at a moment from which on any change of it shows: one that was just changed is waited for."""
    found = looks(path)
    age_seconds = time.time() - found[1] / 1e9
    if 0 <= age_seconds < TICK_SECONDS:
        time.sleep(TICK_SECONDS - age_seconds)
        found = looks(path)
    return found


def _compare(path: Path, before: Looks) -> None:
    try:
        after = looks(path)
    except OSError as error:
        raise UnreadableError(_unreadable(path.name, error)) from error
    if after != before:
        raise UnreadableError(finding("error", "check.changed_while_read", path.name))


def looks(path: Path) -> Looks:
    """Size, moments of the last changes, and which file it is: another one may have been moved to its place."""
    found = path.stat()
    return found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino, found.st_dev


def _unreadable(name: str, error: Exception) -> Finding:
    reason = getattr(error, "strerror", None) or str(error)
    return finding("error", "check.unreadable_file", name, reason=reason)
