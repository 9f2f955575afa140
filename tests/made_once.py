"""A folder that many tests begin with: made once in a process, then laid out for each of them, the same bytes each
time. What a test does to its own copy reaches no other."""

import os
from collections.abc import Callable
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple


class _File(NamedTuple):
    name: str  # in the folder
    content: bytes
    mode: int
    changed_ns: int  # when it was last changed: whoever looks at it takes it for the same


@cache
def _made(make: Callable[[Path], object]) -> tuple[_File, ...]:
    with TemporaryDirectory(dir=os.environ.get("PYTEST_DEBUG_TEMPROOT")) as folder:
        make(Path(folder))
        found = sorted(path for path in Path(folder).rglob("*") if path.is_file())
        return tuple(
            _File(str(p.relative_to(folder)), p.read_bytes(), p.stat().st_mode, p.stat().st_mtime_ns) for p in found
        )


def lay(make: Callable[[Path], object], folder: Path) -> Path:
    """Fill a folder with what `make`, a function of a module, makes of an empty one."""
    for file in _made(make):
        path = folder / file.name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(file.content)
        path.chmod(file.mode)
        os.utime(path, ns=(file.changed_ns, file.changed_ns))
    return folder
