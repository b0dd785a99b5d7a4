"""A throwaway Redis for tests: a socket of its own, nothing on disk, ended by its process id."""

from __future__ import annotations

import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lms_assets_tests.harness.waits import comes_about

PROGRAM = shutil.which("redis-server")


@contextmanager
def running_redis() -> Iterator[str]:
    """A server's address, as people write it."""
    assert PROGRAM is not None, "Redis is not installed: apt-get install redis-server"
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    folder = tempfile.mkdtemp(prefix="lms-redis-")
    command = [PROGRAM, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", folder]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        try:
            assert comes_about(lambda: _answers(port)), "Redis did not start"
            yield f"redis://127.0.0.1:{port}/0"
        finally:
            process.terminate()
            process.wait()
            Path(folder).rmdir()


def _answers(port: int) -> bool:
    with socket.socket() as asked:
        return asked.connect_ex(("127.0.0.1", port)) == 0
