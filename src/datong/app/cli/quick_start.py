"""What a command does without, so that it starts at once."""

import sys

import pyarrow as pa


class _NoPandas:
    """A finder in whose presence pandas cannot be imported."""

    def find_spec(self, name: str, _path: object = None, _target: object = None) -> None:
        if name == "pandas":
            raise ModuleNotFoundError(name)


def leave_pandas_until_asked() -> None:
    """Arrow imports pandas, a third of a second, with the first list that becomes an array, to see whether it is a
    Series; what it then finds missing it looks for again only where pandas is asked for by name. Nothing happens where
    pandas is there already."""
    if "pandas" in sys.modules:
        return
    finder = _NoPandas()
    sys.meta_path.insert(0, finder)
    try:
        pa.array([0])
    finally:
        sys.meta_path.remove(finder)
