"""A chain, opened for one command."""

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from datong.app.chain import Chain
from datong.app.cli import terminal
from datong.model.words import say


@contextmanager
def opened(folder: Path, language: str, branch: str | None = None) -> Generator[Chain]:
    """The chain, open, or as a branch has it; reading and taking in its tables can take a while."""
    with terminal.reading(say("app.opening", language, folder=folder), language) as on_rows:
        chain = Chain(folder, on_rows=on_rows)
    with chain:
        yield chain.on(branch)
