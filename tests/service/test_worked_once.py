"""What takes long is worked out once, beside the chain's thread."""

from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest

from datong.app.service.served_chain import Served
from datong.app.service.worked_once import worked_once


def test_who_asks_meanwhile_waits_for_the_same_answer_and_nobody_else_waits(served: Served) -> None:
    begun, goes_on, times = Event(), Event(), []

    def task() -> int:
        times.append(1)
        begun.set()
        assert goes_on.wait(20)
        return 7

    with ThreadPoolExecutor(2) as threads:
        both = [threads.submit(worked_once, served.chain_thread, "it", task) for _ in range(2)]
        assert begun.wait(20)
        assert served.chain_thread.read(lambda chain: chain.settings.name) == "mill"
        assert worked_once(served.chain_thread, "another", lambda: 1) == 1
        goes_on.set()
        assert [one.result() for one in both] == [7, 7]
    assert times == [1]


def test_a_task_that_failed_is_tried_again(served: Served) -> None:
    def fails() -> int:
        raise ValueError("once")

    with pytest.raises(ValueError, match="once"):
        worked_once(served.chain_thread, "it", fails)
    assert worked_once(served.chain_thread, "it", lambda: 3) == 3
