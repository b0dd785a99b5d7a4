"""The environment of a command: the process's own, with `.env` of the working folder below it."""

from __future__ import annotations

import getpass
import os
from pathlib import Path

from dotenv import dotenv_values

from lms_assets.runs.json_logs import log_as_json
from lms_assets.settings import ConfigurationError, Settings, load_settings, readable_by_others


def program_version() -> str:
    """The version of this program, as its package says it (pyproject.toml)."""
    from importlib.metadata import version

    return version("lms-assets")


def terminal_user() -> str:
    """The name of the person at the terminal, as this machine knows it; `unknown` where it knows none."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"


def load_dotenv_file(folder: Path) -> None:
    """Take variables from `.env` that the process does not have yet.

    Raises:
        ConfigurationError: the file can be read by other users of the machine, and it holds secrets.
    """
    path = folder / ".env"
    if not path.is_file():
        return
    if readable_by_others(path):
        raise ConfigurationError([f"{path} can be read by other users and holds secrets; run: chmod 600 {path}"])
    for name, value in dotenv_values(path).items():
        if value is not None:
            os.environ.setdefault(name, value)


def settings_from_environment() -> Settings:
    """The settings of this process, `.env` included.

    Raises:
        ConfigurationError: with one line for each thing that is wrong.
    """
    load_dotenv_file(Path.cwd())
    log_as_json()
    return load_settings(os.environ)
