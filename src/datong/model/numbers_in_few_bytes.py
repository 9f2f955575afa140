"""Numbers kept in few bytes: demand on sample paths is mostly whole units, and there is much of it."""

from collections.abc import Iterable, Sequence
from typing import overload

import numpy as np
import numpy.typing as npt

from datong.model.flow import FloatArray

Packed = npt.NDArray[np.int16] | npt.NDArray[np.int32] | FloatArray


def packed(values: FloatArray) -> Packed:
    """The same numbers in the smallest type that holds each of them exactly."""
    most = np.abs(values).max(initial=0.0)
    for kind in (np.int16, np.int32):
        if most <= np.iinfo(kind).max:
            small = values.astype(kind)
            return small if (small == values).all() else values
    return values


def unpacked(values: Packed) -> FloatArray:
    return np.asarray(values, dtype=np.float64)


class PackedArrays(Sequence[FloatArray]):
    """Arrays of any shapes, each unpacked when it is asked for."""

    def __init__(self, arrays: Iterable[FloatArray]) -> None:
        self._packed = tuple(packed(values) for values in arrays)

    def __len__(self) -> int:
        return len(self._packed)

    @overload
    def __getitem__(self, index: int) -> FloatArray: ...

    @overload
    def __getitem__(self, index: slice) -> tuple[FloatArray, ...]: ...

    def __getitem__(self, index: int | slice) -> FloatArray | tuple[FloatArray, ...]:
        if isinstance(index, slice):
            return tuple(unpacked(values) for values in self._packed[index])
        return unpacked(self._packed[index])
