"""Puts what the project needs into ``.venv``: a virtual environment, uv, and the locked dependencies.

Runs on the machine's own Python with its standard library only, because nothing else is there yet, and
may meet an empty environment. Installs again only when the lock or the project's metadata changed.
"""

# ruff: noqa: S603, T201 - this script's job is to run installers and to talk on the terminal

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
STAMP = VENV / ".installed"
UV_REQUIREMENT = "uv>=0.11"
SUPPORTED = ((3, 11), (3, 14))
"""The first Python that works and the first that does not (Dagster has no release for it)."""


class PreparationError(Exception):
    """What is missing on this machine and how to get it, in one or two lines."""


def prepare(*, dev: bool) -> None:
    """Make ``.venv`` hold exactly what the lock says, with the tests' tools if ``dev``.

    Does nothing when it already does. Raises PreparationError when the machine lacks something.
    """
    _require_supported_python()
    wanted = _fingerprint()
    if _interpreter_works() and STAMP.is_file():
        kind, _, installed = STAMP.read_text().strip().partition(" ")
        if installed == wanted and (kind == "dev" or not dev):
            return
    print(f"Installing into {VENV.name} (once, and when dependencies change) ...", flush=True)
    _ensure_venv()
    STAMP.unlink(missing_ok=True)
    _sync(_ensure_uv(), dev=dev)
    STAMP.write_text(f"{'dev' if dev else 'product'} {wanted}\n")


def install_environment() -> dict[str, str]:
    """The variables installers get: the caller's, and where they are silent the system's certificates.

    A company's own certificate authority is known to the system, seldom to a tool's bundled list.
    """
    env = dict(os.environ)
    env.setdefault("UV_SYSTEM_CERTS", "1")
    env.setdefault("UV_PYTHON_DOWNLOADS", "never")
    env.setdefault("PIP_DISABLE_PIP_VERSION_CHECK", "1")
    env.setdefault("PIP_ROOT_USER_ACTION", "ignore")
    if "SSL_CERT_FILE" in env:
        env.setdefault("PIP_CERT", env["SSL_CERT_FILE"])
    env.pop("VIRTUAL_ENV", None)
    env["UV_PROJECT_ENVIRONMENT"] = str(VENV)
    return env


def _require_supported_python() -> None:
    first, too_new = SUPPORTED
    if not first <= sys.version_info[:2] < too_new:
        have = ".".join(map(str, sys.version_info[:2]))
        raise PreparationError(
            f"Python {have} cannot run this project: it needs 3.11, 3.12 or 3.13.\n"
            "Install one of them, or name it: make PYTHON=python3.12 ..."
        )


def _fingerprint() -> str:
    digest = hashlib.sha256(str(ROOT).encode())
    for name in ("pyproject.toml", "uv.lock", "setup.py"):
        digest.update((ROOT / name).read_bytes())
    return digest.hexdigest()


def _interpreter_works() -> bool:
    if not PYTHON.exists():
        return False
    return subprocess.run([PYTHON, "-c", ""], capture_output=True, check=False).returncode == 0


def _ensure_venv() -> None:
    if _interpreter_works() and _has_pip():
        return
    made = subprocess.run([sys.executable, "-m", "venv", "--clear", VENV], capture_output=True, text=True, check=False)
    if made.returncode != 0:
        shutil.rmtree(VENV, ignore_errors=True)
        version = ".".join(map(str, sys.version_info[:2]))
        raise PreparationError(
            "This Python cannot create virtual environments (its venv or ensurepip module is missing).\n"
            f"Debian, Ubuntu: apt-get install python3-venv (or python{version}-venv); "
            f"Fedora: dnf install python3-pip.\n{made.stderr.strip()[-300:]}"
        )


def _has_pip() -> bool:
    return subprocess.run([PYTHON, "-m", "pip", "--version"], capture_output=True, check=False).returncode == 0


def _ensure_uv() -> Path:
    uv = VENV / "bin" / "uv"
    if not uv.exists():
        command: list[str | Path] = [PYTHON, "-m", "pip", "install", "--quiet", UV_REQUIREMENT]
        if subprocess.run(command, env=install_environment(), check=False).returncode != 0:
            raise PreparationError(
                "pip could not install uv (its message is above). Check the network; behind a proxy or a "
                "mirror set PIP_INDEX_URL, HTTPS_PROXY or PIP_CERT."
            )
    return uv


def _sync(uv: Path, *, dev: bool) -> None:
    # Compiled once here, or every one of the chain's processes compiles Dagster again where writing
    # bytecode is switched off.
    command: list[str | Path] = [uv, "sync", "--frozen", "--compile-bytecode", "--python", PYTHON]
    command += ["--group", "dev"] if dev else ["--no-dev"]
    if subprocess.run(command, env=install_environment(), cwd=ROOT, check=False).returncode != 0:
        raise PreparationError(
            "uv could not install the locked dependencies (its message is above). Check the network; behind "
            "a proxy or a mirror set HTTPS_PROXY, UV_DEFAULT_INDEX or SSL_CERT_FILE."
        )


def main() -> int:
    """Exit code 0 when ``.venv`` is ready, 2 when the machine lacks something."""
    parser = argparse.ArgumentParser(description="Put what the project needs into .venv")
    parser.add_argument("--dev", action="store_true", help="with the tools of the tests")
    try:
        prepare(dev=parser.parse_args().dev)
    except PreparationError as problem:
        print(problem, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
