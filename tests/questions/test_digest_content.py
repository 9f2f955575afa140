"""A digest of rows is of what they say: not of what lies in memory under a null."""

import hashlib

import pyarrow as pa
import pytest

from datong.ledger import large_tables
from datong.ledger.state import in_state_schema
from datong.model.tables import tables
from datong.questions.run import _digest_table, digest_content

TYPES = (pa.int64(), pa.int32(), pa.float64(), pa.date32(), pa.timestamp("us", "UTC"), pa.bool_())


def digest(values: pa.Array) -> str:
    found = hashlib.sha256()
    digest_content(found, pa.table({"column": values}))
    return found.hexdigest()


def with_memory(kind: pa.DataType, validity: int, under: int) -> pa.Array:
    """Three values, one of which is null where validity (bits) has 0; `under` lies in its memory."""
    width = kind.bit_width // 8
    content = bytes([1] * width + [under] * width + [2] * width) if width else bytes([0b101 | (under & 1) << 1])
    return pa.Array.from_buffers(kind, 3, [pa.py_buffer(bytes([validity])), pa.py_buffer(content)])


@pytest.mark.parametrize("kind", TYPES, ids=str)
def test_rows_that_say_the_same_have_one_digest(kind: pa.DataType) -> None:
    one, other = (with_memory(kind, 0b101, under) for under in (0, 7))
    assert one.equals(other) and digest(one) == digest(other)
    assert digest(one.slice(1)) == digest(other.slice(1))


@pytest.mark.parametrize("kind", TYPES, ids=str)
def test_rows_that_say_something_else_have_another(kind: pa.DataType) -> None:
    without, one, other = with_memory(kind, 0b101, 0), with_memory(kind, 0b111, 0), with_memory(kind, 0b111, 7)
    assert len({digest(values) for values in (without, one, other)}) == 3


def test_customers_of_a_large_table_are_numbered_over_all_its_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Other tokens of the same people are the same rows; one person in two parts is not two."""
    monkeypatch.setattr(large_tables, "MOST_IN_MEMORY", 2)

    def digest(*customers: str | None) -> str:
        rows = in_state_schema("sales", pa.table({"customer": pa.array(customers, pa.string())}))
        found = hashlib.sha256()
        _digest_table(found, tables()["sales"], rows)
        return found.hexdigest()

    assert digest("a", "b", None, "a", "c") == digest("x", "y", None, "x", "z")
    assert digest("a", "b", None, "a", "c") != digest("a", "b", None, "c", "d")
