"""A throwaway MariaDB server for tests: own data directory, own port on loopback, ended by its process id.

pytest-mysql, which also starts servers from Python, runs them under mysqld_safe: that starts a killed server again by
itself, and takes its place for a signal. Tests here kill a server in the middle of a transaction, leave it down for a
while and start it on the same data, and a machine without MariaDB must skip (fail in CI) instead of erring. Hence
these lines of our own.
"""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pymysql

from lms_assets_tests.harness.folders import in_memory
from lms_assets_tests.harness.waits import LONGEST_SECONDS

USER, PASSWORD = "portal", "s3cret-of-the-tests"
_SBIN = "/usr/sbin:/usr/local/sbin:/usr/libexec"


def find_programs() -> tuple[str, str] | None:
    """Paths of mariadbd and mariadb-install-db; None when MariaDB's server is not installed."""
    path = f"{os.environ.get('PATH', '')}:{_SBIN}"
    server = shutil.which("mariadbd", path=path) or shutil.which("mysqld", path=path)
    install = shutil.which("mariadb-install-db", path=path) or shutil.which("mysql_install_db", path=path)
    return (server, install) if server and install else None


class MariaDbServer:
    """One server process on one data directory, which is made here and removed by `remove`.

    Args:
        on_disk: the data directory is on a disk, and every commit waits for it, as an installed server's does.
    """

    def __init__(self, *, on_disk: bool = False) -> None:
        programs = find_programs()
        if programs is None:
            raise FileNotFoundError("MariaDB's server is not installed: apt-get install mariadb-server")
        self._server, self._install = programs
        # Short, since the path of a socket may have 107 characters only.
        self._folder = Path(tempfile.mkdtemp(prefix="lms-mdb-", dir=None if on_disk else in_memory()))
        # A server that starts removes every temporary table in its folder for them, those of running servers too.
        self._environment = {**os.environ, "TMPDIR": str(self._folder)}
        self._on_disk = on_disk
        self._process: subprocess.Popen[bytes] | None = None
        self.port = free_port()

    @property
    def pid(self) -> int:
        """Process id of the running server."""
        if self._process is None:
            raise RuntimeError("the server is not running")
        return self._process.pid

    def url(self, database: str) -> str:
        """Address of one of its databases, as people write it."""
        return f"mysql://{USER}:{PASSWORD}@127.0.0.1:{self.port}/{database}"

    def create(self) -> None:
        """Make the data directory and start for the first time."""
        subprocess.run(
            [
                self._install,
                "--no-defaults",
                *self._as_user(),
                f"--datadir={self._folder / 'data'}",
                "--auth-root-authentication-method=normal",
                "--skip-test-db",
            ],
            check=True,
            capture_output=True,
            env=self._environment,
        )
        self.start()
        self.execute(
            f"CREATE USER '{USER}'@'127.0.0.1' IDENTIFIED BY '{PASSWORD}'",
            f"GRANT ALL ON *.* TO '{USER}'@'127.0.0.1' WITH GRANT OPTION",
        )

    def start(self) -> None:
        """Start on the existing data directory, same port, and wait until it answers."""
        log = (self._folder / "server.log").open("ab")
        self._process = subprocess.Popen(
            [
                self._server,
                "--no-defaults",
                *self._as_user(),
                f"--datadir={self._folder / 'data'}",
                f"--socket={self._socket}",
                f"--port={self.port}",
                "--bind-address=127.0.0.1",
                f"--pid-file={self._folder / 'server.pid'}",
                "--innodb-buffer-pool-size=64M",
                # A killed server loses nothing by this, only a machine without power would.
                f"--innodb-flush-log-at-trx-commit={1 if self._on_disk else 2}",
                f"--innodb-flush-method={'O_DIRECT' if self._on_disk else 'nosync'}",
                "--sync-frm=0",
                "--skip-name-resolve",
            ],
            stdout=log,
            stderr=log,
            env=self._environment,
        )
        log.close()
        deadline = time.monotonic() + LONGEST_SECONDS
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                break
            with contextlib.suppress(pymysql.MySQLError):
                self._connect().close()
                return
            time.sleep(0.05)
        self.kill()
        raise RuntimeError(f"MariaDB did not start:\n{(self._folder / 'server.log').read_text()[-2000:]}")

    def stop(self) -> None:
        """End it in good order."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it as a crash would."""
        self._end(signal.SIGKILL)

    def remove(self) -> None:
        """End it and remove its data."""
        self.kill()
        shutil.rmtree(self._folder, ignore_errors=True)

    def execute(self, *statements: str) -> None:
        """Run statements as the administrator."""
        with contextlib.closing(self._connect()) as connection, connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
            connection.commit()

    @contextlib.contextmanager
    def fresh_database(self, name: str) -> Iterator[str]:
        """A new, empty database and its address; dropped at the end when the server still runs."""
        self.execute(f"DROP DATABASE IF EXISTS `{name}`", f"CREATE DATABASE `{name}` CHARACTER SET utf8mb4")
        try:
            yield self.url(name)
        finally:
            with contextlib.suppress(pymysql.MySQLError):
                self.execute(f"DROP DATABASE IF EXISTS `{name}`")

    @property
    def _socket(self) -> Path:
        return self._folder / "s"

    def _as_user(self) -> list[str]:
        return ["--user=root"] if os.geteuid() == 0 else []

    def _connect(self) -> pymysql.Connection:
        return pymysql.connect(unix_socket=str(self._socket), user="root", connect_timeout=60)

    def _end(self, number: signal.Signals) -> None:
        if self._process is None:
            return
        if self._process.poll() is None:
            self._process.send_signal(number)
        self._process.wait(timeout=LONGEST_SECONDS)
        self._process = None


def free_port() -> int:
    """A port that nobody listens on, below those the system lends to outgoing connections.

    A server that is down for a moment would otherwise find its port lent to somebody else.
    """
    candidates = random.SystemRandom().sample(range(15_000, 30_000), 200)
    for port in candidates:
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise RuntimeError("no free port between 15000 and 30000")
