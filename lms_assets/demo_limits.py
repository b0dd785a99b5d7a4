"""What a process of the demo may reach: its own sandbox and its own folder. A second wall behind its environment.

The demo sets both variables for everything that it starts. They belong in no `.env`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

FOLDER_VARIABLE = "LMS_DEMO_FOLDER"
SANDBOX_VARIABLE = "LMS_DEMO_SANDBOX"
TELLS_PEOPLE = ("LMS_ALERT_URLS", "LMS_HEARTBEAT_URL", "LMS_SMTP_URL")


def demo_problems(
    environment: Mapping[str, str], base_urls: Iterable[str], warehouse_url: str, home: str | None = None
) -> list[str]:
    """One line for each thing that a process of the demo would reach outside the demo; nothing for other processes."""
    folder, sandbox = environment.get(FOLDER_VARIABLE), environment.get(SANDBOX_VARIABLE)
    if not folder or not sandbox:
        return []
    problems = [f"the demo may only call its own sandbox, not {url}" for url in base_urls if not _below(url, sandbox)]
    if not warehouse_url.startswith("sqlite:///") or not _inside(warehouse_url.removeprefix("sqlite:///"), folder):
        problems.append(f"the demo may only use the warehouse in {folder}; LMS_WAREHOUSE_URL names another one")
    if home and not _inside(home, folder):
        problems.append(f"the demo may only use the DAGSTER_HOME in {folder}, not {home}")
    return problems + [f"{name} is set; the demo must send nothing" for name in TELLS_PEOPLE if environment.get(name)]


def _below(url: str, sandbox: str) -> bool:
    return url.startswith(sandbox.rstrip("/") + "/")


def _inside(path: str, folder: str) -> bool:
    return Path(path).resolve().is_relative_to(Path(folder).resolve())
