"""Packed numbers are the same numbers."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from datong.model.numbers_in_few_bytes import PackedArrays, packed, unpacked

NUMBERS = st.one_of(
    st.integers(-40_000, 40_000).map(float),
    st.integers(-(2**33), 2**33).map(float),
    st.floats(allow_nan=True, allow_infinity=True),
)


@given(st.lists(NUMBERS, max_size=20))
def test_what_is_packed_comes_back_as_it_was(numbers: list[float]) -> None:
    values = np.array(numbers, dtype=np.float64)
    for back in (unpacked(packed(values)), PackedArrays([values])[0], *PackedArrays([values])[:]):
        assert back.dtype == np.float64
        np.testing.assert_array_equal(back, values)


def test_whole_units_take_a_quarter_and_fractions_as_they_are() -> None:
    assert packed(np.array([0.0, 32_767.0])).itemsize == 2
    assert packed(np.array([0.0, 32_768.0])).itemsize == 4
    assert packed(np.array([0.0, 2.0**31])).itemsize == 8
    assert packed(np.array([0.5])).itemsize == 8
