"""Datong 打通: sales, returns, reviews and searches in; better work orders with their reasons out.

import datong

with datong.open("my-chain") as chain:
    result = chain.run()
    result.orders.to_pandas()
"""

from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:
    from datong.app.chain import Chain


def open(folder: str | PathLike[str], branch: str | None = None, by: str | None = None) -> "Chain":
    """Open the chain in `folder`: check its tables, bring its ledger up to date, and be ready to run.

    branch: the what-if that is meant; None: the trunk. by: who writes; None: the user of this machine. Raises BadInput
    with all findings where the folder cannot be used, LedgerBusy where another process has it open, NotFound where
    there is no such branch.
    """
    from datong.app.chain import Chain

    chain = Chain(Path(folder), by=by)
    try:
        return chain.on(branch)
    except BaseException:
        chain.close()
        raise
