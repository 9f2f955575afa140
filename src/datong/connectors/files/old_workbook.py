"""The first sheet of a workbook of the old format (.xls), read by a process of its own.

Nothing says beforehand how much such a file unpacks to, and one that is broken can end the process that reads it, or
take all memory. So a child reads it, with so much memory and time, and hands its cells back as JSON. The child runs
this file as a script, and imports no more than the reader.
"""

import io
import json
import subprocess
import sys
from datetime import date, datetime, time, timedelta

from python_calamine import CalamineWorkbook

try:
    import resource
except ImportError:  # a system that bounds no memory of a process
    resource = None

# The first bytes of a workbook of the old format.
OLD_FORMAT = b"\xd0\xcf\x11\xe0"
_MOST_SECONDS = 60.0
_MOST_BYTES = 1024**3
# A day or a moment among the cells: JSON has none.
_DAY, _MOMENT = "day", "moment"


def rows_of(content: bytes) -> list[list[object]]:
    """The cells of the first sheet, from its first row and column on. Raises ValueError where it cannot be read."""
    command = [sys.executable, "-P", __file__]
    try:
        done = subprocess.run(command, input=content, capture_output=True, timeout=_MOST_SECONDS, check=False)
    except subprocess.TimeoutExpired as error:
        raise ValueError(f"{_MOST_SECONDS:g} s") from error
    if done.returncode != 0:
        lines = done.stderr.decode(errors="replace").strip().splitlines()
        raise ValueError(lines[-1] if lines else str(done.returncode))
    return [[_cell(value) for value in row] for row in json.loads(done.stdout)]


def _cell(value: object) -> object:
    if not isinstance(value, dict):
        return value
    return date.fromisoformat(value[_DAY]) if _DAY in value else datetime.fromisoformat(value[_MOMENT])


def _as_json(value: object) -> object:
    """What JSON has no form for."""
    if isinstance(value, datetime):
        return {_MOMENT: value.isoformat()}
    if isinstance(value, date):
        return {_DAY: value.isoformat()}
    if isinstance(value, time | timedelta):
        return str(value)
    raise TypeError(type(value).__name__)


def _read_here() -> None:
    """What the child does: the workbook comes in, the rows of its first sheet go out."""
    if resource is not None:
        resource.setrlimit(resource.RLIMIT_AS, (_MOST_BYTES, _MOST_BYTES))
    sheet = CalamineWorkbook.from_filelike(io.BytesIO(sys.stdin.buffer.read())).get_sheet_by_index(0)
    rows = [] if sheet.start is None else sheet.to_python(skip_empty_area=False)
    sys.stdout.write(json.dumps(rows, default=_as_json))


if __name__ == "__main__":
    _read_here()
