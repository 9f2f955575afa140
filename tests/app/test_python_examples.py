"""The examples in docstrings of the Python interface do what they say."""

import doctest
from collections.abc import Iterator

import pytest

import datong
from datong.app import chain_for_python

OPTIONS = doctest.ELLIPSIS | doctest.IGNORE_EXCEPTION_DETAIL


def examples() -> Iterator[doctest.DocTest]:
    for module in (datong, chain_for_python):
        yield from (test for test in doctest.DocTestFinder(exclude_empty=True).find(module) if test.examples)


@pytest.mark.parametrize("example", list(examples()), ids=lambda example: example.name)
def test_an_example_does_what_it_says(example: doctest.DocTest) -> None:
    assert doctest.DocTestRunner(optionflags=OPTIONS).run(example).failed == 0


def test_what_one_calls_most_has_an_example() -> None:
    assert {"datong.forecast", "datong.replenish", "datong.app.chain_for_python.Chain"} <= {e.name for e in examples()}
