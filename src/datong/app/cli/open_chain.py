"""A chain, opened for one command."""

from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from datong.app.borrowed_chain import borrow
from datong.app.chain import Chain
from datong.app.cli import terminal
from datong.model.errors import LedgerBusy
from datong.model.words import say


@contextmanager
def opened(folder: Path, language: str, branch: str | None = None) -> Generator[Chain]:
    """The chain, open, or as a branch has it; reading and taking in its tables can take a while. Where a server has it
    open, the server lends it. Raises LedgerBusy where another command has it."""
    with ExitStack() as ends:
        try:
            chain = _read(folder, language)
        except LedgerBusy:
            lent = borrow(folder)
            if lent is None:
                raise
            ends.callback(lent.give_back)
            by_server = say("serving.lent", language, address=lent.address)
            terminal.warning(by_server if lent.address else say("serving.lent_by_tools", language))
            chain = _read(folder, language)
        ends.enter_context(chain)
        yield chain.on(branch)


def _read(folder: Path, language: str) -> Chain:
    with terminal.reading(say("app.opening", language, folder=folder), language) as on_rows:
        return Chain(folder, on_rows=on_rows)
