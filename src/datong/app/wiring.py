"""What a chain is wired to: the folder's settings, the store that keeps its ledger, the clock, and who writes.

Which store that is says stores.py.
"""

import getpass
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from datong.app.stores import open_trunk
from datong.connectors.files.customer_keys import KEYS_FOLDER, CustomerKeys, keys_there
from datong.connectors.files.folder import check_folder, count
from datong.connectors.files.settings import read_settings
from datong.ledger.protocol import Branches, Ledger
from datong.model.errors import BadInput
from datong.model.findings import has_errors
from datong.model.settings import ChainSettings
from datong.model.words import message
from datong.store.branches import DuckDBBranches
from datong.store.duckdb_ledger import ledger_in_memory

# Lies beside a chain that `datong demo` made.
DEMO_MARK = ".datong-demo"
# What was mailed to whom.
EMAIL_FOLDER = Path(".datong") / "email"


@dataclass(frozen=True)
class Opened:
    """An open chain, or a branch of it. folder: of a chain in memory, its name alone. branch: None for the trunk. now:
    the world's clock. by: who writes. customers: who keeps the customers' keys."""

    folder: Path
    settings: ChainSettings
    ledger: Ledger
    branch: str | None
    now: Callable[[], datetime]
    by: str
    customers: CustomerKeys


def utc_now() -> datetime:
    return datetime.now(UTC)


def user_of_this_machine() -> str:
    """Name of the user who runs this; 'unknown' where the machine has none for them, as in some containers."""
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return "unknown"


def wire_in_memory(settings: ChainSettings, now: Callable[[], datetime], by: str | None) -> tuple[Opened, Branches]:
    """The trunk of a chain that has no folder, and its branches: its ledger is in memory."""
    ledger = ledger_in_memory(settings)
    ledger.now = now
    by = user_of_this_machine() if by is None else by
    return Opened(Path(settings.name), settings, ledger, None, now, by, CustomerKeys(None)), DuckDBBranches(ledger)


def wire(folder: Path, now: Callable[[], datetime], by: str | None) -> tuple[Opened, Branches]:
    """The trunk of the chain in a folder, and its branches. Raises BadInput where the settings cannot be read or one of
    them is wrong, LedgerBusy where another process has it open."""
    settings, wrong = read_settings(folder) if folder.is_dir() else (None, [])
    if settings is None:
        findings = check_folder(folder, count, keep_rejected=False).findings
        raise BadInput(message("app.cannot_open", folder=str(folder)), findings)
    if has_errors(wrong):
        raise BadInput(message("app.wrong_settings", folder=str(folder)), wrong)
    trunk = open_trunk(folder, settings)
    trunk.now = now
    by = user_of_this_machine() if by is None else by
    keys = folder / KEYS_FOLDER
    customers = CustomerKeys(keys, may_begin=keys_there(keys) or not trunk.customer_tokens())
    return Opened(folder, settings, trunk, None, now, by, customers), DuckDBBranches(trunk)
