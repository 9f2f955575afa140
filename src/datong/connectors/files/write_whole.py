"""Writing files so that nobody ever sees half of one: beside the place first, then moved there."""

import os
import re
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None


# Signs of a name that the name of its half keeps: names have an end.
_LONGEST = 200
_HALF = re.compile(r"\.(?P<name>.+)\.\d+\.tmp")


def write_whole(path: Path, content: bytes) -> None:
    """Write a file, whole or not at all. What is no plain file, such as /dev/stdout, is written to as it is."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists() and not path.is_file():
        path.write_bytes(content)
        return
    place = path.resolve()  # a link stays a link
    half = place.with_name(f".{place.name[:_LONGEST]}.{os.getpid()}.tmp")
    try:
        with half.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        half.replace(place)
    except BaseException:
        with suppress(OSError):
            half.unlink(missing_ok=True)
        raise


def halves(folder: Path, is_ours: Callable[[str], bool]) -> list[Path]:
    """What a kill left in a folder of writing files whole. is_ours: by the file's name, its first _LONGEST signs.
    Whoever takes it away knows that nobody writes there now."""
    matches = ((path, _HALF.fullmatch(path.name)) for path in sorted(folder.glob(".*.tmp")))
    return [path for path, match in matches if match is not None and is_ours(match["name"]) and path.is_file()]


@contextmanager
def one_at_a_time(folder: Path) -> Generator[bool]:
    """Other processes wait here until this one is done with a folder. A kill ends it too: nothing stays locked.

    Where the system has no such locks, nobody waits; gives whether it has.
    """
    if fcntl is None:
        yield False
        return
    handle = os.open(folder, os.O_RDONLY)
    is_alone = False
    try:
        with suppress(OSError):  # some network drives have no locks
            fcntl.flock(handle, fcntl.LOCK_EX)
            is_alone = True
        yield is_alone
    finally:
        os.close(handle)
