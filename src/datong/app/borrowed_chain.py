"""A chain that a server has open, borrowed for one command: the other end of service/lend_chain.py."""

import json
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from datong.app.stores import LEDGER_FILE

SERVED_FILE = LEDGER_FILE.parent / "served.json"
LOCAL = "127.0.0.1"
LENT = b"lent\n"


@dataclass(frozen=True)
class Lent:
    """address: of the server. line: as long as it is open, the chain is ours."""

    address: str
    line: socket.socket

    def give_back(self) -> None:
        self.line.close()


def address_of(folder: Path) -> str | None:
    """Where a chain is served; None where it is not, or by a server that was killed."""
    told = _told(folder)
    return None if told is None else str(told.get("address", ""))


def borrow(folder: Path) -> Lent | None:
    """Have the server that has a chain open let go of it; waits for what it is doing. None where no server has it: the
    file of one that was killed is passed over."""
    told = _told(folder)
    if told is None:
        return None
    try:
        line = socket.create_connection((LOCAL, int(told["port"])), timeout=5)
    except (OSError, ValueError, KeyError, TypeError, OverflowError):
        return None
    try:
        line.sendall(f"{told['secret']}\n".encode())
        line.settimeout(None)
        if line.recv(len(LENT), socket.MSG_WAITALL) == LENT:
            return Lent(str(told.get("address", "")), line)
    except (OSError, KeyError):
        pass
    line.close()
    return None


def _told(folder: Path) -> dict[str, Any] | None:
    """What a server said of itself; None where none did, or it cannot be read."""
    try:
        told = json.loads((folder / SERVED_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return told if isinstance(told, dict) else None
