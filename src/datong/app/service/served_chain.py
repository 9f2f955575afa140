"""A chain that is served: people, jobs and the chain itself, in one value that every door is given."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

from argon2 import PasswordHasher

from datong.app.chain import Chain
from datong.app.service.accounts import People
from datong.app.service.audit import Audit
from datong.app.service.chain_thread import ChainThread
from datong.app.service.database_note import Note
from datong.app.service.jobs import Job, Jobs, Kind
from datong.app.service.live_events import Events
from datong.app.service.order_edit_price_jobs import ask_offers, ask_price, keep_offers, keep_price
from datong.app.service.quotes import ask_quote, keep_quote
from datong.app.service.replay_jobs import ask_replay, keep_replay
from datong.app.service.roles_and_permissions import Permission, Who
from datong.app.service.server_database import ServerDatabase
from datong.app.service.webhooks import Webhooks
from datong.app.service.whole_writes import settle, write_whole
from datong.app.wiring import utc_now
from datong.ledger.protocol import TRUNK, branch_name
from datong.model.errors import Refused
from datong.model.words import message

T = TypeVar("T")
# Beside the chain's folder, so that a copy of the chain has nobody's secrets.
SERVER_FOLDER, DATABASE_FILE = ".server", "people.sqlite"


@dataclass(frozen=True)
class Served:
    """What every door of a server is given. besides: what each whole write of this value notes with its own. only_at:
    the version of the chain at which it may write; None: at any."""

    chain_thread: ChainThread
    people: People
    audit: Audit
    events: Events
    jobs: Jobs
    database: ServerDatabase
    now: Callable[[], datetime]
    webhooks: Webhooks
    besides: tuple[Note, ...] = ()
    only_at: int | None = None

    def write_whole(self, who: Who, task: Callable[[Chain], T], noted: Callable[[T], Sequence[Note]]) -> T:
        """What a task writes to the chain, and what is noted of it: both, or none. Raises Meanwhile where the chain is
        of another version than the one at which this may write."""

        def unchanged(chain: Chain) -> T:
            if self.only_at not in (None, self.chain_thread.version):
                raise Meanwhile(message("service.meanwhile"))
            return task(chain)

        return write_whole(
            self.chain_thread, self.database, who.login, unchanged, lambda made: [*noted(made), *self.besides]
        )

    def start_job(self, who: Who, kind: str, asked: Mapping[str, Any]) -> Job:
        """Begin a job by the door that this value stands for. Raises as `Jobs.start`."""
        return self.jobs.start(who, kind, asked, self.audit.way)

    def cancel_job(self, who: Who, job: str) -> Job:
        """Stop a job by this door. Raises as `Jobs.cancel`."""
        return self.jobs.cancel(who, job, self.audit.way)

    def by_way(self, way: str) -> "Served":
        """The same, as a door notes what comes by it."""
        audit = self.audit.by(way)
        people, webhooks = self.people.noted_by(audit), self.webhooks.noted_by(audit)
        return replace(self, audit=audit, people=people, webhooks=webhooks)

    def close(self) -> None:
        self.jobs.close()
        self.chain_thread.close()
        self.database.close()


class Meanwhile(Refused):
    """Somebody wrote to the chain between the look at it and the change: nothing is written."""


def server_folder(chain: Path) -> Path:
    """Where a server keeps accounts and secrets of a chain, unless it is told otherwise."""
    chain = chain.resolve()
    return chain.with_name(chain.name + SERVER_FOLDER)


def serve(
    folder: Path,
    database_file: Path | None,
    now: Callable[[], datetime] = utc_now,
    language: str = "en",
    hasher: PasswordHasher | None = None,
    webhooks_to_private: bool = False,
) -> Served:
    """Open a chain to be served. database_file: accounts and jobs; None: in memory. webhooks_to_private: to addresses
    of one's own network. Raises what Chain raises."""
    chain_thread = ChainThread(folder, now, language)
    database = ServerDatabase(database_file)
    settle(chain_thread, database)
    audit, events = Audit(database, now), Events()
    jobs = Jobs(database, chain_thread, audit, events, now, JOB_KINDS)
    people = People(database, audit, now, hasher)
    webhooks = Webhooks(database, people, audit, now, to_private=webhooks_to_private)
    return Served(chain_thread, people, audit, events, jobs, database, now, webhooks)


def _read_folder(chain: Chain, asked: Mapping[str, Any]) -> None:
    """A plan is made of what the chain's folder holds now, as by the command line; a what-if stays with what it has."""
    if asked.get("branch") is None:
        chain.read_folder_again()


def _ask_run(chain: Chain, asked: Mapping[str, Any]) -> Any:
    return chain.on(asked.get("branch")).run_asked(asked.get("as_of"), asked.get("seed"))


def _ask_try(chain: Chain, asked: Mapping[str, Any]) -> Any:
    if branch_name(str(asked.get("branch") or TRUNK)) is None:
        raise Refused(message("served.what_if.not_on_main"))
    return _ask_run(chain, asked)


def _keep_run(chain: Chain, asked: Mapping[str, Any], record: Any) -> Mapping[str, Any]:
    result = chain.on(asked.get("branch")).keep_run(record)
    return {"run": result.run, "orders": len(result.orders)}


# run: a plan of the trunk, or of a branch; try: of a branch alone; quote: what an order more would cost; price_edit,
# price_offers: what changes of orders would cost; replay: history once more.
JOB_KINDS: Mapping[str, Kind] = {
    "run": Kind(Permission.RUN_PLAN, _ask_run, _keep_run, before=_read_folder),
    "try": Kind(Permission.WHAT_IF, _ask_try, _keep_run),
    "quote": Kind(Permission.QUOTE, ask_quote, keep_quote, tells="job"),
    "replay": Kind(Permission.WHAT_IF, ask_replay, keep_replay, tells="job"),
    "price_edit": Kind(Permission.EDIT_ORDERS, ask_price, keep_price, tells="price"),
    "price_offers": Kind(Permission.EDIT_ORDERS, ask_offers, keep_offers, tells="price"),
}
