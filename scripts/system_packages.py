"""The programs that the tests need from the operating system: a MariaDB server, a browser, nginx and Redis.

Installs them where it may (root, with apt); elsewhere says what to install and goes on, and the tests that
need them are named as left out. Never starts a service: the tests start their own, in their own folders.
"""

# ruff: noqa: S603, T201 - this script's job is to run the package manager and to talk on the terminal

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

NEEDED: tuple[tuple[str, tuple[str, ...], str], ...] = (
    ("a MariaDB server", ("mariadbd", "mysqld"), "mariadb-server"),
    ("Chromium", ("chromium", "chromium-browser", "google-chrome"), "chromium"),
    ("nginx", ("nginx",), "nginx"),
    ("Redis", ("redis-server",), "redis-server"),
)
"""What for, the programs any of which will do, Debian's package."""

SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
POLICY = Path("/usr/sbin/policy-rc.d")


def install_missing() -> None:
    """Install what is missing, or say what is missing and how to get it; a failed install is only told."""
    packages = [package for _, programs, package in NEEDED if not _present(programs)]
    if not _can_create_venv():
        packages.append("python3-venv")
    if not packages:
        return
    if os.geteuid() != 0 or not shutil.which("apt-get", path=SYSTEM_PATH):
        print(f"Not here: {_missing()}. The tests that need it will be left out.")
        print(f"To run them too, as root on Debian or Ubuntu: apt-get install {' '.join(packages)}", flush=True)
        return
    print(f"Installing the system's {', '.join(packages)} ...", flush=True)
    with _no_service_starts():
        installed = _apt("update") and _apt("install", "--yes", "--no-install-recommends", *packages)
    if not installed:
        print(
            f"apt-get could not install {', '.join(packages)} (its message is above).",
            file=sys.stderr,
            flush=True,
        )


def _present(programs: tuple[str, ...]) -> bool:
    path = os.pathsep.join([os.environ.get("PATH", ""), SYSTEM_PATH])
    return any(shutil.which(program, path=path) for program in programs)


def _missing() -> str:
    names = [what for what, programs, _ in NEEDED if not _present(programs)]
    return ", ".join(names) or "Python's venv module"


def _can_create_venv() -> bool:
    probe = "import ensurepip, venv"
    return subprocess.run([sys.executable, "-c", probe], capture_output=True, check=False).returncode == 0


def _apt(*arguments: str) -> bool:
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "PATH": SYSTEM_PATH}
    command = ["apt-get", "-qq", "-o", "DPkg::Lock::Timeout=300", *arguments]
    done = subprocess.run(
        command,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        print(done.stdout[-3000:], file=sys.stderr, flush=True)
    return done.returncode == 0


@contextlib.contextmanager
def _no_service_starts() -> Iterator[None]:
    """Debian asks a script whether a package may start its service: ours says no and goes away again."""
    if POLICY.exists():
        yield
        return
    POLICY.write_text("#!/bin/sh\nexit 101\n")
    POLICY.chmod(0o755)
    try:
        yield
    finally:
        POLICY.unlink(missing_ok=True)
