"""A real PostgreSQL server for the tests: found on this machine or installed from Debian's packages, never a mock."""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import psycopg
import pytest
from psycopg.sql import SQL, Identifier

USER = "orderack"


@dataclass
class Postgres:
    """A running server of this test session, on 127.0.0.1."""

    port: int
    _begin: Callable[[], subprocess.Popen[bytes]]
    _log: Path
    _process: subprocess.Popen[bytes] | None = None
    _names: Iterator[int] = field(default_factory=count)

    def start(self) -> None:
        """Begin to serve, or again after a crash: it recovers from its log."""
        self._process = self._begin()
        _wait_for(self, self._process, self._log)

    def crash(self) -> None:
        """Stop at once, as `pg_ctl stop -m immediate` does: nobody is told, nothing is written."""
        self._end(signal.SIGQUIT)

    def stop(self) -> None:
        """PostgreSQL's fast shutdown."""
        self._end(signal.SIGINT)

    def _end(self, how: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(timeout=30)

    def new_database(self) -> str:
        """The SQLAlchemy URL of an empty database that nobody else uses."""
        name = f"test_{next(self._names)}"
        with psycopg.connect(self._dsn("postgres"), autocommit=True) as admin:
            admin.execute(SQL("CREATE DATABASE {}").format(Identifier(name)))
        return f"postgresql+psycopg://{USER}@127.0.0.1:{self.port}/{name}"

    def drop_database(self, url: str) -> None:
        """Give its room back; whoever is still connected is cut off."""
        with psycopg.connect(self._dsn("postgres"), autocommit=True) as admin:
            admin.execute(SQL("DROP DATABASE {} WITH (FORCE)").format(Identifier(_name(url))))

    def empty(self, url: str, tables: Sequence[str]) -> None:
        """Delete every row, in this order of tables, whatever a failed test left hanging."""
        self.drop_connections(url)
        with psycopg.connect(self._dsn(_name(url))) as connection:
            connection.execute(SQL("; ").join(SQL("DELETE FROM {}").format(Identifier(table)) for table in tables))

    def drop_connections(self, url: str) -> None:
        """End every connection to that database, as a restart or a fail-over does."""
        with psycopg.connect(self._dsn("postgres"), autocommit=True) as admin:
            query = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s"
            admin.execute(query, [_name(url)])

    def answers(self) -> bool:
        try:
            psycopg.connect(self._dsn("postgres"), connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    def _dsn(self, database: str) -> str:
        return f"host=127.0.0.1 port={self.port} user={USER} dbname={database}"


def _name(url: str) -> str:
    return url.rpartition("/")[2]


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """One server for the session. Skips where there is none and none can be installed; under CI that is a failure."""
    found = binaries()
    if found is None:
        reason = "no PostgreSQL server here, and none can be installed (needs apt-get and root)"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    with running(found) as server:
        yield server


def binaries() -> Path | None:
    """PostgreSQL's programs on this machine, installed where that can be done."""
    return _found() or _installed()


def _found() -> Path | None:
    """The folder with `initdb` and `postgres`, the newest version first."""
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: float(path.parent.name), reverse=True)
    on_path = shutil.which("initdb")
    candidates = [*versions, *([Path(on_path).resolve().parent] if on_path else [])]
    return next((path for path in candidates if (path / "initdb").exists() and (path / "postgres").exists()), None)


def _installed() -> Path | None:
    if shutil.which("apt-get") is None or os.geteuid() != 0:
        return None
    print("installing Debian's postgresql package for the tests", flush=True)
    apt = ["apt-get", "-o", "DPkg::Lock::Timeout=300"]
    quiet = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    for words in (["update", "-qq"], ["install", "-y", "-qq", "--no-install-recommends", "postgresql"]):
        subprocess.run([*apt, *words], check=False, env=quiet, stdout=subprocess.DEVNULL)
    return _found()


@contextmanager
def running(programs: Path) -> Iterator[Postgres]:
    """Start a server in a folder of its own; end it, by its process id, afterwards."""
    account = _account()
    folder = Path(tempfile.mkdtemp(prefix="orderack-postgres-"))
    port = _free_port()
    options = ["listen_addresses=127.0.0.1", f"port={port}", f"unix_socket_directories={folder}", "fsync=off"]
    try:
        if account:
            os.chown(folder, account.pw_uid, account.pw_gid)
        words = ["-D", str(folder / "data"), "-U", USER, "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"]
        if _start(programs / "initdb", words, folder, account).wait() != 0:
            pytest.fail(f"initdb failed:\n{(folder / 'log').read_text()}")
        words = ["-D", str(folder / "data"), *(word for option in options for word in ("-c", option))]
        server = Postgres(port, lambda: _start(programs / "postgres", words, folder, account), folder / "log")
        try:
            server.start()
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder)


def _start(
    program: Path, words: Sequence[str], folder: Path, account: pwd.struct_passwd | None
) -> subprocess.Popen[bytes]:
    with (folder / "log").open("ab") as log:
        return subprocess.Popen(
            [str(program), *words],
            stdout=log,
            stderr=log,
            cwd=folder,
            user=account.pw_uid if account else None,
            group=account.pw_gid if account else None,
            extra_groups=[] if account else None,
        )


def _account() -> pwd.struct_passwd | None:
    """Whom to run the server as: PostgreSQL refuses root."""
    if os.geteuid() != 0:
        return None
    names = {entry.pw_name: entry for entry in pwd.getpwall()}
    return names.get("postgres") or names["nobody"]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_for(server: Postgres, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 30
    while not server.answers():
        if process.poll() is not None or time.monotonic() > deadline:
            pytest.fail(f"PostgreSQL did not start:\n{log.read_text()}")
        time.sleep(0.05)
