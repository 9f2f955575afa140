"""A PostgreSQL server of the tests' own: on a socket in a temporary folder, for as long as they last."""

import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from itertools import count
from pathlib import Path
from types import MappingProxyType

import psycopg

from datong.store.postgres.ledger import prepare_database

# Who owns the databases, and whom Datong signs in as.
OWNER, APP = "owner", "app"
# The data lie in memory where it has that much room (in bytes).
MEMORY, ROOM = Path("/dev/shm"), 4 << 30
# Faster than a disk allows; what is tested of crashes is that of clients.
_SETTINGS = {
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "autovacuum": "off",
    "shared_buffers": "32MB",
    "max_connections": "60",
    "listen_addresses": "",
    "archive_mode": "on",
    "log_min_messages": "fatal",
}


def programs() -> Path:
    """Where the server's programs are: pg_config says it, or Debian's own place."""
    told = shutil.which("pg_config")
    if told:
        found = Path(subprocess.run([told, "--bindir"], capture_output=True, text=True, check=True).stdout.strip())
        if (found / "initdb").exists():
            return found
    placed = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda p: int(p.parts[-3]))
    assert placed, "no PostgreSQL server on this machine: apt-get install postgresql"
    return placed[-1].parent


def _user() -> str | None:
    """The server does not run as root: whom it runs as. None: as who runs the tests."""
    if os.geteuid() != 0:
        return None
    known = {entry.pw_name for entry in pwd.getpwall()}
    return next(name for name in ("postgres", "nobody") if name in known)


class Server:
    def __init__(self, settings: Mapping[str, str] = MappingProxyType({})) -> None:
        self.programs, self._user = programs(), _user()
        in_memory = MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > ROOM
        self.folder = Path(tempfile.mkdtemp(prefix="datong-postgres-", dir=MEMORY if in_memory else None))
        self.archive = self.folder / "archive"
        self._names = count(1)
        self._started: list[Path] = []
        if self._user is not None:
            shutil.chown(self.folder, self._user)
        self.folder.chmod(0o755)
        made = "--username=postgres --auth=trust --encoding=UTF8 --locale=C.UTF-8 --no-sync --no-instructions"
        self.run("initdb", "--pgdata", self.folder / "data", *made.split())
        lets_in = "local all asked scram-sha-256\nlocal all all trust\nlocal replication all trust\n"
        self.write("data/pg_hba.conf", lets_in)
        self.start(self.folder / "data", settings)
        with self.superuser() as top:
            top.execute(f"CREATE ROLE {OWNER} LOGIN CREATEDB")
            top.execute(f"CREATE ROLE {APP} LOGIN")
            top.execute("CREATE ROLE asked LOGIN PASSWORD 'secret'")
            top.execute(f"CREATE DATABASE prepared OWNER {OWNER}")
        prepare_database(self.url("prepared", OWNER), APP, ())

    def run(self, program: str, *words: object) -> str:
        """One of PostgreSQL's programs, as the server's user."""
        command = [shutil.which(program, path=str(self.programs)) or program, *map(str, words)]
        done = subprocess.run(command, user=self._user, capture_output=True, text=True, cwd=self.folder)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def write(self, name: str, content: str) -> None:
        """A file of the server's."""
        path = self.folder / name
        path.write_text(content)
        if self._user is not None:
            shutil.chown(path, self._user)

    def start(self, data: Path, settings: Mapping[str, str], port: int = 5432) -> None:
        """A server on a folder of data."""
        archive = f"test ! -d {self.archive} || cp %p {self.archive}/%f"  # from when somebody made the folder
        options = {
            **_SETTINGS,
            "archive_command": archive,
            "unix_socket_directories": str(self.folder),
            "port": str(port),
            **settings,
        }
        words = " ".join(f"-c {name}='{value}'" for name, value in options.items())
        with Path(os.devnull).open("w") as nowhere:  # the server would hold a pipe open
            subprocess.run(
                [self.programs / "pg_ctl", "-D", data, "-w", "-o", words, "-l", self.folder / "log", "start"],
                user=self._user,
                stdout=nowhere,
                stderr=nowhere,
                check=True,
                cwd=self.folder,
            )
        self._started.append(data)

    def wait_for_writes(self, port: int) -> None:
        """Until a server that plays its log has come to its end."""
        for _ in range(1200):
            with suppress(psycopg.OperationalError), psycopg.connect(self.url("postgres", "postgres", port)) as top:
                if top.execute("SELECT pg_is_in_recovery()").fetchone() == (False,):
                    return
            time.sleep(0.05)
        raise AssertionError("the server has not come to the end of its log in a minute")

    def url(self, database: str, role: str = APP, port: int = 5432) -> str:
        return f"postgresql://{role}@/{database}?host={self.folder}&port={port}"

    def superuser(self, database: str = "postgres") -> psycopg.Connection:
        return psycopg.connect(self.url(database, "postgres"), autocommit=True)

    def new_database(self, template: str = "prepared") -> str:
        """Name of a database that is like another one."""
        name = f"d{next(self._names)}"
        with self.superuser() as top:
            top.execute(f"CREATE DATABASE {name} TEMPLATE {template} OWNER {OWNER}")
        return name

    def drop(self, names: Sequence[str]) -> None:
        with self.superuser() as top:
            for name in names:
                top.execute(f"DROP DATABASE {name} WITH (FORCE)")

    def end(self, data: Path) -> None:
        """Stop a server that was started on a folder of data."""
        self.run("pg_ctl", "-D", data, "-m", "immediate", "stop")
        self._started.remove(data)

    def stop(self) -> None:
        for data in list(self._started):
            self.end(data)
        shutil.rmtree(self.folder)


@cache
def server() -> Server:
    """The one of this process, started where it is first asked for."""
    return Server()
