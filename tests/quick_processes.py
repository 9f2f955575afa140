"""Processes that begin at once: forked from one that has imported what they need, and from no process of the tests."""

import multiprocessing
import os
from functools import cache
from multiprocessing import forkserver
from multiprocessing.context import BaseContext
from unittest import mock

# The pages, and with them all that a job answers with.
NEEDED = ["datong.app.web.pages", "datong.app.service.served_chain", "uvicorn"]
# As the tests were begun: what one of them sets of it is not for the processes of others.
_ENVIRONMENT = dict(os.environ)


@cache
def context() -> BaseContext:
    """Like `multiprocessing.get_context("spawn")`: what is sent to a process is pickled, and nothing else is shared."""
    forked = multiprocessing.get_context("forkserver")
    forked.set_forkserver_preload(NEEDED)
    with mock.patch.dict(os.environ, _ENVIRONMENT, clear=True):
        forkserver.ensure_running()
    return forked
