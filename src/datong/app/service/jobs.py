"""Long work in a process of its own: with progress, to be cancelled, and after a kill begun again or said to be lost.

A job is asked of the chain as a value (its state is one), worked out where nothing else waits for it, and its result is
kept by the chain's own thread. The same question gives the same answer, so a job whose server was killed is begun anew.
"""

import json
import multiprocessing
import os
import secrets
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any, Protocol

from datong.app.chain import Chain
from datong.app.garbage_collection import collect_seldom
from datong.app.service.audit import Audit
from datong.app.service.chain_thread import ChainThread
from datong.app.service.live_events import Events
from datong.app.service.roles_and_permissions import Permission, Who
from datong.app.service.server_database import ServerDatabase
from datong.model.errors import BadInput, DatongError, NotFound, Refused
from datong.model.words import message

# A job whose server was killed so often while it ran is not begun again: it may be what kills it.
MOST_ATTEMPTS = 3
OPEN = ("queued", "running")


@dataclass(frozen=True)
class Job:
    """state: queued, running, done, failed, cancelled or lost. stage: of work that runs, where it is. result: what came
    of it, by name; error: why it failed, in both languages. made, ended: seconds since 1970."""

    job: str
    kind: str
    by: str
    asked: Mapping[str, Any]
    state: str
    stage: str
    made: float
    ended: float | None
    result: Mapping[str, Any] | None
    error: Mapping[str, str] | None

    @property
    def is_open(self) -> bool:
        return self.state in OPEN


class Work(Protocol):
    """A question as a value, which a process works out."""

    def answer(self, on_stage: Callable[[str], None]) -> Any: ...


@dataclass(frozen=True)
class Pieces:
    """A question that is read in several turns, between which others have theirs. pieces: what each reads, all of one
    snapshot. whole: the question, of what they read."""

    pieces: Sequence[Callable[[Chain], Any]]
    whole: Callable[[Sequence[Any]], Work]


@dataclass(frozen=True)
class Kind:
    """What can be a job. permission: who may ask for it, and see it. ask: gathers the question from the chain (and what
    was asked for), or says in which pieces it is to be read; keep: puts the answer into the
    chain and gives what to show of it."""

    permission: Permission
    ask: Callable[[Chain, Mapping[str, Any]], Work | Pieces]
    keep: Callable[[Chain, Mapping[str, Any], Any], Mapping[str, Any]]
    tells: str = "plan"
    # What is done to the chain before it is asked; None: nothing.
    before: Callable[[Chain, Mapping[str, Any]], None] | None = None


class Jobs:
    """The jobs of a server: one runs at a time, the others wait in the order in which they came."""

    def __init__(
        self,
        database: ServerDatabase,
        chain_thread: ChainThread,
        audit: Audit,
        events: Events,
        now: Callable[[], datetime],
        kinds: Mapping[str, Kind],
    ) -> None:
        self._database, self._chain_thread, self._audit, self._events = database, chain_thread, audit, events
        self._now, self._kinds = now, kinds
        self._wake = threading.Condition()
        self._ends = False
        self._process: BaseProcess | None = None
        self._running: str | None = None
        self._begin_again()
        self._thread = threading.Thread(target=self._run_all, name="jobs", daemon=True)
        self._thread.start()

    def _begin_again(self) -> None:
        """What was running when the server was killed waits again, or is said to be lost."""
        self._database.write(
            "UPDATE jobs SET state = 'lost', ended = ? WHERE state = 'running' AND attempts >= ?",
            (self._now().timestamp(), MOST_ATTEMPTS),
        )
        self._database.write("UPDATE jobs SET state = 'queued', stage = '' WHERE state = 'running'")

    def start(self, who: Who, kind: str, asked: Mapping[str, Any], way: str = "") -> Job:
        """Begin a job, or find the open one of the same question. way: by which door. Raises NotAllowed, NotFound for
        another kind."""
        if kind not in self._kinds:
            raise NotFound(message("service.no_job_kind", kind=kind, kinds=", ".join(self._kinds)))
        who.require(self._kinds[kind].permission)
        text = json.dumps(dict(asked), sort_keys=True, default=str)
        with self._wake, self._database.together():
            there = self._database.row(
                "SELECT job FROM jobs WHERE kind = ? AND asked = ? AND by = ? AND state = 'queued'",
                (kind, text, who.login),
            )
            if there is not None:
                return self.job(who, there["job"])
            name = f"J{secrets.token_hex(8)}"
            self._database.write(
                "INSERT INTO jobs (job, kind, by, asked, state, made) VALUES (?, ?, ?, ?, 'queued', ?)",
                (name, kind, who.login, text, self._now().timestamp()),
            )
            self._audit.note(who.login, "start_job", name, after={"kind": kind, **asked}, way=way)
            self._wake.notify_all()
        self._tell(name, kind)
        return self.job(who, name)

    def job(self, who: Who, job: str) -> Job:
        """Raises NotFound for one that is not there or that one may not see."""
        row = self._database.row("SELECT * FROM jobs WHERE job = ?", (job,))
        if row is None or not self._may(who, row):
            raise NotFound(message("service.no_job", job=job))
        return _job(row)

    def jobs(self, who: Who, count: int = 50, after: str | None = None) -> list[Job]:
        """The last jobs that one may see, newest first. after: one of them, for those that were begun before it. Raises
        Refused for one that is none."""
        kinds = self._kinds_seen(who)
        among = ", ".join("?" * len(kinds))
        begun: tuple[float, int] | None = None
        if after is not None:
            place = f"SELECT made, rowid AS place FROM jobs WHERE kind IN ({among}) AND job = ?"
            row = self._database.row(place, (*kinds, after))
            if row is None:
                raise Refused(message("service.wrong_cursor"))
            begun = row["made"], row["place"]
        before = "" if begun is None else "AND (made, rowid) < (?, ?)"
        asked = f"SELECT * FROM jobs WHERE kind IN ({among}) {before} ORDER BY made DESC, rowid DESC LIMIT ?"
        return [_job(row) for row in self._database.rows(asked, (*kinds, *(begun or ()), count))]

    def _kinds_seen(self, who: Who) -> tuple[str, ...]:
        if who.firm is not None:
            return ()
        return tuple(name for name, kind in self._kinds.items() if who.may(kind.permission))

    def _may(self, who: Who, row: Mapping[str, Any]) -> bool:
        return row["kind"] in self._kinds_seen(who)

    def cancel(self, who: Who, job: str, way: str = "") -> Job:
        """Stop a job. One that has ended stays as it is. way: by which door. Raises NotFound, NotAllowed."""
        found = self.job(who, job)
        with self._wake:
            changed = self._database.write(
                "UPDATE jobs SET state = 'cancelled', ended = ? WHERE job = ? AND state IN ('queued', 'running')",
                (self._now().timestamp(), job),
            )
            if self._running == job and self._process is not None:
                self._process.kill()
        if changed:
            self._audit.note(who.login, "cancel_job", job, way=way)
            self._tell(job, found.kind)
        return self.job(who, job)

    def close(self) -> None:
        """Stop: what runs is begun again when the server is."""
        with self._wake:
            self._ends = True
            if self._process is not None:
                self._process.kill()
            self._wake.notify_all()
        self._thread.join()

    # the thread of jobs -------------------------------------------------------------------------

    def _run_all(self) -> None:
        while True:
            with self._wake:
                row = None
                while not self._ends and row is None:
                    row = self._database.row("SELECT * FROM jobs WHERE state = 'queued' ORDER BY made, rowid")
                    if row is None:
                        self._wake.wait()
                if self._ends or row is None:
                    return
                self._database.write(
                    "UPDATE jobs SET state = 'running', attempts = attempts + 1 WHERE job = ?", (row["job"],)
                )
                self._running = row["job"]
            self._run_one(row["job"], row["by"], self._kinds[row["kind"]], json.loads(row["asked"]), row["kind"])
            with self._wake:
                self._running = self._process = None

    def _run_one(self, job: str, by: str, kind: Kind, asked: Mapping[str, Any], name: str) -> None:
        try:
            if (before := kind.before) is not None:
                self._chain_thread.write(by, lambda chain: before(chain, asked))
            work = self._gathered(job, kind, asked)
            answer = _STOPPED if work is None else self._worked_out(job, name, work)
            if answer is _STOPPED:
                return

            def keep(chain: Chain) -> Mapping[str, Any] | None:
                return kind.keep(chain, asked, answer) if self._is_running(job) else None

            shown = self._chain_thread.write(by, keep)
        except DatongError as error:
            self._end(job, "failed", error=_told(error))
        except Exception as error:  # a fault of the program must not end the thread of jobs
            self._end(job, "failed", error=_told(Refused(message("service.job_fault", why=repr(error)))))
        else:
            self._end(job, "done", result=shown)
            self._events.tell(kind.tells, job, Permission.SEE_PLAN)
        self._tell(job, name)

    def _gathered(self, job: str, kind: Kind, asked: Mapping[str, Any]) -> Work | None:
        """The question as a value; None where it was cancelled or the server ends before it is read."""
        found = self._chain_thread.read(lambda chain: kind.ask(chain, asked))
        if not isinstance(found, Pieces):
            return found
        read = []
        for piece in found.pieces:
            if self._ends or not self._is_running(job):
                return None
            read.append(self._chain_thread.read(piece))
        return found.whole(read)

    def _worked_out(self, job: str, name: str, work: Work) -> Any:
        """The answer of a process; _STOPPED where it was cancelled or the server ends. Raises what it raised."""
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe(duplex=True)
        process = context.Process(target=_answer_in_process, args=(theirs,), daemon=True, name=f"datong {job}")
        with self._wake:
            if self._ends or not self._is_running(job):
                return _STOPPED
            process.start()
            self._process = process
        theirs.close()
        try:
            ours.send(work)
            while True:
                what, value = ours.recv()
                if what == "stage":
                    self._database.write("UPDATE jobs SET stage = ? WHERE job = ?", (value, job))
                    self._tell(job, name)
                elif what == "error":
                    raise value
                else:
                    return value if self._is_running(job) else _STOPPED
        except (EOFError, OSError) as error:
            if self._ends or not self._is_running(job):
                return _STOPPED
            raise Refused(message("service.job_died", code=str(process.exitcode))) from error
        finally:
            ours.close()
            process.join()

    def _is_running(self, job: str) -> bool:
        row = self._database.row("SELECT state FROM jobs WHERE job = ?", (job,))
        return row is not None and row["state"] == "running"

    def _end(
        self, job: str, state: str, result: Mapping[str, Any] | None = None, error: Mapping[str, str] | None = None
    ) -> None:
        texts = [None if value is None else json.dumps(dict(value), default=str) for value in (result, error)]
        self._database.write(
            "UPDATE jobs SET state = ?, ended = ?, result = ?, error = ?, stage = '' "
            "WHERE job = ? AND state = 'running'",
            (state, self._now().timestamp(), *texts, job),
        )

    def _tell(self, job: str, kind: str) -> None:
        self._events.tell("job", job, self._kinds[kind].permission)


_STOPPED = object()


def _answer_in_process(pipe: Connection) -> None:
    """What a job's process does: it ends with its server."""
    collect_seldom()
    server = multiprocessing.parent_process()
    if server is not None:
        threading.Thread(target=lambda: (server.join(), os._exit(1)), daemon=True).start()
    work: Work = pipe.recv()
    try:
        pipe.send(("answer", work.answer(lambda stage: pipe.send(("stage", stage)))))
    except DatongError as error:
        pipe.send(("error", error))


def _job(row: Mapping[str, Any]) -> Job:
    result, error = (None if row[name] is None else json.loads(row[name]) for name in ("result", "error"))
    return Job(
        row["job"],
        row["kind"],
        row["by"],
        json.loads(row["asked"]),
        row["state"],
        row["stage"],
        row["made"],
        row["ended"],
        result,
        error,
    )


def _told(error: DatongError) -> dict[str, str]:
    """An error in both languages, with its findings."""
    found = error.findings if isinstance(error, BadInput) else ()
    return {
        language: "\n".join([error.message.text(language), *(f.text(language) for f in found)])
        for language in ("en", "zh")
    }
