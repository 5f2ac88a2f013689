"""A MariaDB server that belongs to one test run: its own data directory, socket and port, gone afterwards.

`--no-defaults` keeps the machine's own configuration out and makes latin1 the server's default character set, which
is a trap worth having: tables that do not pin utf8mb4 lose the first emoji.
"""

import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote

import pymysql

REMEDY = (
    "The tests need a MariaDB server and found no `mariadbd` and `mariadb-install-db`. "
    "Install Debian's package mariadb-server (`make test` does it when it runs as root), "
    "or set E2EDEBUG_TEST_DATABASE_URL=mysql+pymysql://user:password@host:3306/ to a server on which "
    "that user may create and drop databases."
)


class NoServer(RuntimeError):
    """No MariaDB can be started here; the text says what to install or set."""


class MariaDBServer:
    """A running server; `url(database)` names a database on it for a user without SUPER."""

    user = "tester"

    def __init__(self, folder: Path, options: Sequence[str] = ()) -> None:
        self.folder = folder
        self.options = list(options)
        self.password = secrets.token_hex(8)
        self.port = free_port()
        self.socket = str(folder / "server.sock")
        self._process: subprocess.Popen[bytes] | None = None

    @classmethod
    def create(cls, *, options: Sequence[str] = (), folder: Path | None = None) -> "MariaDBServer":
        """Return a started server in *folder*, else a new temporary one. Raises NoServer when none is installed."""
        server = cls.prepare(options=options, folder=folder)
        server.start()
        server.create_user()
        return server

    @classmethod
    def prepare(cls, *, options: Sequence[str] = (), folder: Path | None = None) -> Self:
        """Return a server with a data directory, still to be started. Raises NoServer when none is installed."""
        if not (shutil.which("mariadbd") and shutil.which("mariadb-install-db")):
            raise NoServer(REMEDY)
        # A Unix socket's path is limited to 107 bytes, so not below pytest's own deep temporary folders.
        if folder is None:
            folder = Path(tempfile.mkdtemp(prefix="e2edebug-mariadb-"))
        server = cls(folder, options)
        for part in (folder, folder / "data", folder / "tmp"):
            part.mkdir(exist_ok=True)
            if os.geteuid() == 0:
                shutil.chown(part, "mysql", "mysql")
        install = subprocess.run(
            [
                "mariadb-install-db", "--no-defaults", *server._user_option(), f"--datadir={folder / 'data'}",
                "--auth-root-authentication-method=normal", "--skip-test-db", server._tmpdir_option(),
            ],
            capture_output=True, text=True,
        )  # fmt: skip
        if install.returncode:
            shutil.rmtree(folder, ignore_errors=True)
            raise NoServer(f"mariadb-install-db failed:\n{install.stdout}{install.stderr}")
        return server

    def create_user(self) -> None:
        """Create the user of the tests."""
        with self.root() as connection, connection.cursor() as cursor:
            cursor.execute(f"CREATE USER '{self.user}'@'127.0.0.1' IDENTIFIED BY '{self.password}'")
            # Everything but SUPER and READ ONLY ADMIN: with them `read_only` would be bypassed.
            cursor.execute(
                "GRANT SELECT, INSERT, UPDATE, DELETE, CREATE, DROP, ALTER, INDEX, REFERENCES, LOCK TABLES, "
                "CREATE TEMPORARY TABLES, CREATE VIEW, SHOW VIEW, TRIGGER, PROCESS, RELOAD "
                f"ON *.* TO '{self.user}'@'127.0.0.1'"
            )

    @staticmethod
    def _user_option() -> list[str]:
        return ["--user=mysql"] if os.geteuid() == 0 else []

    def _tmpdir_option(self) -> str:
        # A starting server deletes the temporary tables that it finds, those of others that start beside it too.
        return f"--tmpdir={self.folder / 'tmp'}"

    def start(self, *, timeout_s: float = 90.0) -> None:
        """Start the server on its data directory and return when it answers."""
        log = (self.folder / "server.log").open("ab")
        self._process = subprocess.Popen(
            [
                "mariadbd", "--no-defaults", *self._user_option(), f"--datadir={self.folder / 'data'}",
                f"--socket={self.socket}", f"--pid-file={self.folder / 'server.pid'}", f"--port={self.port}",
                "--bind-address=127.0.0.1", "--innodb-buffer-pool-size=128M", "--innodb-log-file-size=64M",
                "--innodb-flush-log-at-trx-commit=2", "--skip-name-resolve", self._tmpdir_option(), *self.options,
            ],
            stdout=log, stderr=log,
        )  # fmt: skip
        log.close()
        deadline = time.monotonic() + timeout_s
        while True:
            try:
                self.root().close()
                return
            except pymysql.Error as error:
                if self._process.poll() is not None or time.monotonic() > deadline:
                    text = (self.folder / "server.log").read_text(errors="replace")[-2000:]
                    raise NoServer(f"mariadbd did not start: {error}\n{text}") from error
                time.sleep(0.05)

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def root(self) -> "pymysql.connections.Connection[Any]":
        """Return a new connection that may do everything."""
        return pymysql.connect(
            unix_socket=self.socket, user="root", autocommit=True, connect_timeout=3, read_timeout=60, write_timeout=60
        )

    def url(self, database: str = "") -> str:
        """Return the SQLAlchemy URL of *database* for the test user."""
        return f"mysql+pymysql://{self.user}:{quote(self.password)}@127.0.0.1:{self.port}/{database}"

    def create_database(self) -> str:
        """Create an empty database in the server's default character set and return its URL."""
        name = f"t_{secrets.token_hex(6)}"
        with self.root() as connection, connection.cursor() as cursor:
            cursor.execute(f"CREATE DATABASE {name}")
        return self.url(name)

    def drop_database(self, url: str) -> None:
        with self.root() as connection, connection.cursor() as cursor:
            cursor.execute(f"DROP DATABASE IF EXISTS {url.rsplit('/', 1)[1]}")

    def freeze(self) -> None:
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Freeze it for the block."""
        self.freeze()
        try:
            yield
        finally:
            self.thaw()

    def thaw_if_there(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self.thaw()

    def is_running(self) -> bool:
        """Say whether its process is there; one that is dying is waited for a moment."""
        assert self._process is not None
        try:
            self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            return True
        return False

    def kill(self) -> None:
        """Kill -9: nothing is said to any client."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def stop(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self.thaw()
            self._process.terminate()
            try:
                self._process.wait(timeout=60)
            except subprocess.TimeoutExpired:
                self.kill()

    def remove(self) -> None:
        """Stop the server and delete its folder."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


def free_port() -> int:
    """Return a TCP port on loopback that nothing listens on at this moment."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


class ExistingServer:
    """The server of E2EDEBUG_TEST_DATABASE_URL: used as it is, never stopped."""

    def __init__(self, url: str) -> None:
        import sqlalchemy as sa

        self._url = sa.make_url(url)

    def url(self, database: str = "") -> str:
        return self._url.set(database=database).render_as_string(hide_password=False)

    def root(self) -> "pymysql.connections.Connection[Any]":
        url = self._url
        return pymysql.connect(
            host=url.host or "127.0.0.1", port=url.port or 3306, user=url.username, password=url.password or "",
            autocommit=True, connect_timeout=3, read_timeout=60, write_timeout=60,
        )  # fmt: skip

    create_database = MariaDBServer.create_database
    drop_database = MariaDBServer.drop_database

    def remove(self) -> None:
        """Leave the server as it is."""
