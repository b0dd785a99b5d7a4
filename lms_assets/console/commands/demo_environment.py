"""What the demo's processes may see: their own environment and their own working folder, nothing of the caller's.

Dagster's commands read `.env` from their working folder, and what stands there wins over the environment. The demo
therefore works in a folder of its own whose `.env` is the demo's, and starts from an empty environment.
"""

from __future__ import annotations

import os
from pathlib import Path

from lms_assets.demo_limits import FOLDER_VARIABLE, SANDBOX_VARIABLE

# What a program needs of the machine and of the terminal, and nothing that names another system.
KEPT = {
    "PATH", "HOME", "USER", "LOGNAME", "SHELL", "TZ", "TMPDIR", "LANG", "LANGUAGE", "VIRTUAL_ENV", "LD_LIBRARY_PATH",
    "TERM", "COLORTERM", "COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR",
    "PYTHONUTF8", "PYTHONIOENCODING", "PYTHONHASHSEED", "PYTHONDONTWRITEBYTECODE", "PYTHONWARNINGS",
}  # fmt: skip


def enter(folder: Path, port: int) -> None:
    """Make this process the demo's: its environment, its working folder, and what its children inherit of both.

    `folder` is the demo's own; both vendors are the sandbox on `port`.
    """
    work, home = folder / "work", folder / "dagster_home"
    for each in (work, home):
        each.mkdir(parents=True, exist_ok=True)
    own = sandbox_variables(folder, port)
    own |= {FOLDER_VARIABLE: str(folder), SANDBOX_VARIABLE: f"http://127.0.0.1:{port}"}
    _replace_environment(own)
    _write_private(work / ".env", "".join(f"{name}={_quoted(value)}\n" for name, value in own.items()))
    os.chdir(work)


def sandbox_variables(folder: Path, port: int) -> dict[str, str]:
    """The variables of an installation in `folder` that calls the sandbox on `port`."""
    sandbox = f"http://127.0.0.1:{port}"
    return {
        "NORTHPASS_BASE_URL": f"{sandbox}/v2",
        "NORTHPASS_API_KEY": "sandbox-northpass-key",
        "IMPARTNER_BASE_URL": f"{sandbox}/api/objects/v1",
        "IMPARTNER_API_KEY": "sandbox-impartner-key",
        "IMPARTNER_TENANT_ID": "1",
        "LMS_WAREHOUSE_URL": f"sqlite:///{folder / 'warehouse.db'}",
        "LMS_PORTAL_URL": "https://portal.example.com",
        "LMS_REPORTS_DIR": str(folder / "reports"),
        "DAGSTER_HOME": str(folder / "dagster_home"),
    }


def _replace_environment(own: dict[str, str]) -> None:
    kept = {name: value for name, value in os.environ.items() if name in KEPT or name.startswith("LC_")}
    # Relative entries would mean other folders once the demo has changed to its own.
    path = os.environ.get("PYTHONPATH", "")
    if path:
        kept["PYTHONPATH"] = os.pathsep.join(str(Path(entry).resolve()) for entry in path.split(os.pathsep) if entry)
    os.environ.clear()
    os.environ.update(kept | own)


def _quoted(value: str) -> str:
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _write_private(path: Path, text: str) -> None:
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
