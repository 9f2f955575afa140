"""A served chain lent to a command: the server lets go of it, the command does its work, and the server takes it back.

Only one process can have a chain open. A command that finds it served asks here, by a socket of this machine and the
secret that lies in the chain's folder for its owner alone; the chain comes back when the command's end of the socket
closes, also where it was killed.
"""

import json
import os
import secrets
import socket
import threading
from contextlib import suppress

from datong.app.borrowed_chain import LENT, LOCAL, SERVED_FILE
from datong.app.service.chain_thread import ChainThread
from datong.app.service.live_events import Events
from datong.app.service.roles_and_permissions import Permission
from datong.model.errors import DatongError

_LONGEST_SECRET, _PATIENCE_S = 200, 10.0


class Lending:
    """Lends the chain of a server, one command after the other."""

    def __init__(self, chain_thread: ChainThread, events: Events, address: str) -> None:
        """address: where the server is reached, to be said by commands."""
        self._chain_thread, self._events = chain_thread, events
        self._secret = secrets.token_urlsafe(32)
        self._door = socket.create_server((LOCAL, 0))
        self._file = chain_thread.folder / SERVED_FILE
        told = {"address": address, "port": self._door.getsockname()[1], "secret": self._secret, "process": os.getpid()}
        with os.fdopen(os.open(self._file, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "w") as file:
            json.dump(told, file)
        self._thread = threading.Thread(target=self._serve, name="lending", daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                guest, _ = self._door.accept()
            except OSError:  # closed
                return
            threading.Thread(target=self._lend, args=(guest,), daemon=True).start()

    def _lend(self, guest: socket.socket) -> None:
        with guest, suppress(OSError, DatongError):
            guest.settimeout(_PATIENCE_S)
            said = b""
            while not said.endswith(b"\n") and len(said) < _LONGEST_SECRET:
                more = guest.recv(_LONGEST_SECRET)
                if not more:
                    return
                said += more
            if not secrets.compare_digest(said.strip(), self._secret.encode()):
                return
            guest.settimeout(None)
            try:
                self._chain_thread.lend(lambda: self._until_back(guest))
            finally:
                self._events.tell("data", "", Permission.SEE_PLAN)

    def _until_back(self, guest: socket.socket) -> None:
        with suppress(OSError):
            guest.sendall(LENT)
            while guest.recv(1):
                pass

    def close(self) -> None:
        self._door.close()
        self._file.unlink(missing_ok=True)
