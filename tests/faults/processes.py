"""Real `datong` processes that start at once: one process imports the program, and each command is a fork of it.

A fork can be limited (file size, memory), lose root's rights, and be watched: it notes on a pipe when it opens the
ledger and when each of its transactions begins, starts to commit and has committed, so that a kill can be aimed.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

# What a process notes: it has started, has opened the ledger, begins a transaction, begins to commit, has committed.
STARTED, OPENED, BEGUN, COMMITTING, COMMITTED = b"S", b"O", b"B", b"c", b"C"

SERVER = """
import contextlib, json, os, resource, sys
import duckdb
import datong.app.cli.commands, datong.app.exchange_one_way, datong.app.report.run_workbook, datong.app.report.html
import datong.network.notices, datong.network.position_notices, datong.network.doubts_before_planning
import datong.questions.run, datong.questions.since, datong.replay.replay
from datong.app.cli.main import main

class Watched:
    def __init__(self, connection, note):
        self._connection, self._note = connection, note
    def __getattr__(self, name):
        return getattr(self._connection, name)
    def __enter__(self):
        self._connection.__enter__()
        return self
    def __exit__(self, *error):
        return self._connection.__exit__(*error)
    def execute(self, sql, *rest):
        word = sql.strip().upper() if isinstance(sql, str) else ""
        self._note({"BEGIN": b"B", "BEGIN TRANSACTION": b"B", "COMMIT": b"c"}.get(word, b""))
        done = self._connection.execute(sql, *rest)
        self._note(b"C" if word == "COMMIT" else b"")
        return done
    def begin(self):
        self._note(b"B")
        return self._connection.begin()
    def commit(self):
        self._note(b"c")
        self._connection.commit()
        self._note(b"C")

def watch(path):
    notes = os.open(path, os.O_WRONLY)
    note = lambda byte: byte and os.write(notes, byte)
    note(b"S")
    connect = duckdb.connect
    def watched(*given, **named):
        connection = Watched(connect(*given, **named), note)
        note(b"O")
        return connection
    duckdb.connect = watched

def give_up_root():
    "Permissions hold for root too, once it gives up CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH and CAP_FOWNER (Linux)."
    import ctypes
    libc = ctypes.CDLL(None, use_errno=True)
    header, sets = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()
    if libc.capget(header, sets) != 0:
        raise OSError(ctypes.get_errno(), "capget")
    sets[0] &= ~0b1110
    sets[1] &= ~0b1110
    if libc.capset(header, sets) != 0:
        raise OSError(ctypes.get_errno(), "capset")

def child(job):
    out = os.open(job["output"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
    os.dup2(out, 1), os.dup2(out, 2)
    os.chdir(job["folder"])
    if job["notes"]:
        watch(job["notes"])
    for name, value in job["limits"].items():
        resource.setrlimit(getattr(resource, name), (value, value))
    if job["plain"] and os.getuid() == 0:
        give_up_root()
    status = 70
    try:
        status = main(job["words"])
    except SystemExit as error:
        status = error.code
    except BaseException:
        import traceback
        traceback.print_exc()
    with contextlib.suppress(OSError):
        sys.stdout.flush(), sys.stderr.flush()
    os._exit(status)

said = os.fdopen(os.dup(1), "w")
print("ready", file=said, flush=True)
for line in sys.stdin:
    job = json.loads(line)
    if "wait" in job:
        _, status = os.waitpid(job["wait"], 0)
        print(json.dumps({"status": os.waitstatus_to_exitcode(status)}), file=said, flush=True)
        continue
    pid = os.fork()
    if pid == 0:
        child(job)
    print(json.dumps({"pid": pid}), file=said, flush=True)
"""


@dataclass(frozen=True)
class Ended:
    """How a command ended: its exit status (negative: the signal that ended it) and all that it printed."""

    status: int
    text: str


class Running:
    """A command that is running."""

    def __init__(self, server: "Processes", pid: int, output: Path, notes: int | None) -> None:
        self._server, self.pid, self._output, self._notes = server, pid, output, notes
        self.noted = b""

    def note(self) -> bytes:
        """The next note; empty when the process has ended."""
        assert self._notes is not None
        byte = os.read(self._notes, 1)
        self.noted += byte
        return byte

    def until(self, count: int, seconds: float = 60.0) -> None:
        """Wait until the process has noted so much, or ended."""
        end = time.monotonic() + seconds
        while len(self.noted) < count and self.note():
            assert time.monotonic() < end

    def until_note(self, note: bytes) -> None:
        """Wait for a note of this kind."""
        while byte := self.note():
            if byte == note:
                return
        raise AssertionError(f"ended before it noted {note!r}: {self.wait()}")

    def stop(self) -> None:
        os.kill(self.pid, signal.SIGSTOP)

    def go_on(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    def kill(self) -> Ended:
        """kill -9, and what was noted until then. A process that has ended already stays a zombie until then."""
        os.kill(self.pid, signal.SIGKILL)
        return self.wait()

    def wait(self) -> Ended:
        if self._notes is not None:
            while self.note():
                pass
            os.close(self._notes)
            self._notes = None
        status = self._server.ask({"wait": self.pid})["status"]
        return Ended(status, self._output.read_text(encoding="utf-8", errors="replace"))


class Processes:
    """Starts commands. Use it in a `with` block."""

    def __init__(self) -> None:
        # One thread of linear algebra: a fork may not take half of a running pool along.
        single = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")
        self._folder = tempfile.TemporaryDirectory(prefix="datong-processes-")
        Path(self._folder.name).chmod(0o777)
        self._count = 0
        self._server = subprocess.Popen(
            [sys.executable, "-c", SERVER],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **single, "DATONG_LANG": "en", "PYTHONIOENCODING": "utf-8"},
        )
        assert self._server.stdout is not None
        assert self._server.stdout.readline() == "ready\n"

    def __enter__(self) -> "Processes":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server.stdin is not None and self._server.stdout is not None
        self._server.stdin.close()
        self._server.wait()
        self._server.stdout.close()
        self._folder.cleanup()

    def ask(self, job: Mapping[str, Any]) -> dict[str, Any]:
        assert self._server.stdin is not None and self._server.stdout is not None
        self._server.stdin.write(json.dumps(job) + "\n")
        self._server.stdin.flush()
        return json.loads(self._server.stdout.readline())

    def start(
        self,
        words: Sequence[object],
        folder: Path,
        watched: bool = False,
        limits: Mapping[str, int] | None = None,
        plain: bool = False,
    ) -> Running:
        """Start `datong WORDS` in a folder. limits: by RLIMIT name. plain: as one who may not
        write where it is forbidden, even if the tests run as root.
        """
        self._count += 1
        output = Path(self._folder.name) / f"{self._count}.txt"
        notes = Path(self._folder.name) / f"{self._count}.notes"
        if watched:
            os.mkfifo(notes)
        job = {
            "words": [str(word) for word in words],
            "folder": str(folder),
            "output": str(output),
            "notes": str(notes) if watched else "",
            "limits": dict(limits or {}),
            "plain": plain,
        }
        pid = self.ask(job)["pid"]
        return Running(self, pid, output, os.open(notes, os.O_RDONLY) if watched else None)

    def run(self, *words: object, folder: Path, **how: Any) -> Ended:
        """Run `datong WORDS` to its end."""
        return self.start(words, folder, **how).wait()
