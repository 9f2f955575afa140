"""What was worked out of rows is kept beside them, and changes no answer."""

from datong.ledger.kept_results import Kept, WorkedOut
from stores import NOW, Store

ONE, OTHER = {"a": Kept(20_000, b"\x00one"), "b": Kept(20_001, b"")}, {"b": Kept(20_001, b""), "c": Kept(5, b"c")}


def test_the_last_that_was_given_is_kept(store: Store) -> None:
    with store.open() as ledger:
        assert ledger.worked_out() == {}
        ledger.keep_worked_out(ONE)
        assert ledger.worked_out() == ONE
        ledger.keep_worked_out(OTHER)
        ledger.rewrite()
        assert ledger.worked_out() == OTHER
    with store.open() as ledger:
        assert ledger.worked_out() == OTHER
        ledger.keep_worked_out({})
        assert ledger.worked_out() == {}


def test_it_is_no_write_and_no_part_of_a_state(store: Store) -> None:
    with store.open() as ledger:
        before = ledger.state(NOW)
        ledger.keep_worked_out(ONE)
        assert ledger.writes().num_rows == 0 and ledger.state(NOW).snapshot == before.snapshot


def test_what_is_asked_for_is_used_and_what_is_not_is_left() -> None:
    there = WorkedOut(ONE)
    assert there.found("a") == b"\x00one" and there.found("z") is None
    there.keep("c", 5, b"c")
    assert there.used == {"a": ONE["a"], "c": OTHER["c"]} and there.found("c") == b"c"
