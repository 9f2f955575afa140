"""A command on a chain that is served: the server lends it, and takes it back, whatever becomes of the command."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

import pytest

from datong.app.borrowed_chain import LENT, SERVED_FILE, borrow
from datong.app.chain import Chain
from datong.app.service.lend_chain import Lending
from datong.app.service.roles_and_permissions import Who
from datong.app.service.served_chain import Served
from datong.model.errors import LedgerBusy
from mill import run

PLANNER = Who(1, "plan@works", "", ("planner",))


@pytest.fixture
def lending(served: Served):
    one = Lending(served.chain_thread, served.events, "http://127.0.0.1:1")
    yield one
    one.close()


def test_a_command_runs_on_a_served_chain_and_the_server_sees_what_it_did(served: Served, lending, capsys) -> None:
    heard = served.events.listen(PLANNER)
    before = served.chain_thread.version
    status, said = run(capsys, "run", served.chain_thread.folder, "--lang", "en")
    assert status == 0 and "http://127.0.0.1:1" in said
    assert served.chain_thread.read(lambda chain: chain.kept_run().run) in said
    assert served.chain_thread.version > before
    assert heard.queue.get(timeout=5).kind == "data"


def test_while_it_is_lent_others_wait_but_for_what_is_in_memory(served: Served, lending) -> None:
    served.chain_thread.kept("name", lambda chain: chain.settings.name)
    lent = borrow(served.chain_thread.folder)
    assert lent is not None
    assert served.chain_thread.kept("name", lambda _chain: "asked again") == "mill"
    done = threading.Event()
    asked = threading.Thread(target=lambda: (served.chain_thread.read(lambda chain: chain.branches()), done.set()))
    asked.start()
    assert not done.wait(0.2)
    with Chain(served.chain_thread.folder):  # it is ours
        pass
    lent.give_back()
    assert done.wait(20)
    asked.join()
    with pytest.raises(LedgerBusy):
        Chain(served.chain_thread.folder)


def test_a_command_that_is_killed_gives_it_back(served: Served, lending) -> None:
    code = (
        "import sys, time; from pathlib import Path; from datong.app.borrowed_chain import borrow; "
        "lent = borrow(Path(sys.argv[1])); print('lent', flush=True); time.sleep(60)"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", code, str(served.chain_thread.folder)], stdout=subprocess.PIPE, env=dict(os.environ)
    )
    assert child.stdout is not None and child.stdout.readline() == LENT
    child.send_signal(signal.SIGKILL)
    child.wait()
    child.stdout.close()
    assert served.chain_thread.read(lambda chain: chain.settings.name) == "mill"


@pytest.mark.parametrize("said", [b"wrong\n", b"\n", b"x" * 5000, b""])
def test_nobody_without_the_secret_gets_it(served: Served, lending, said: bytes) -> None:
    told = json.loads((served.chain_thread.folder / SERVED_FILE).read_text(encoding="utf-8"))
    # It may close before it has read all.
    with socket.create_connection(("127.0.0.1", told["port"]), timeout=5) as line, suppress(OSError):
        line.sendall(said)
        line.shutdown(socket.SHUT_WR)
        assert line.recv(10) == b""
    assert served.chain_thread.read(lambda chain: chain.settings.name) == "mill"


def test_the_secret_is_for_nobody_else_and_goes_with_the_server(served: Served, lending) -> None:
    file = served.chain_thread.folder / SERVED_FILE
    assert file.stat().st_mode & 0o077 == 0
    lending.close()
    assert not file.exists() and borrow(served.chain_thread.folder) is None


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"port": "x"}', '{"port": 1, "secret": "s"}', '{"port": 99999999, "secret": "s"}']
)
def test_what_a_killed_server_left_is_passed_over(tmp_path: Path, text: str) -> None:
    (tmp_path / SERVED_FILE).parent.mkdir()
    (tmp_path / SERVED_FILE).write_text(text, encoding="utf-8")
    assert borrow(tmp_path) is None
