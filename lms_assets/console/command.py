"""What every command shares: its environment, how it prints figures and texts of others, and how it ends.

The environment is the process's own, with `.env` of the working folder below it. A command ends with an exit code, and
an expected failure is a line instead of a traceback.
"""

from __future__ import annotations

import getpass
import os
import signal
from collections.abc import Callable
from pathlib import Path

import typer
from dotenv import dotenv_values
from rich.console import Console
from rich.markup import escape

from lms_assets.domain.wording import visible
from lms_assets.runs.json_logs import log_as_json
from lms_assets.settings import ConfigurationError, Settings, load_settings, readable_by_others

MARKS = {
    "waiting": "[dim]·[/]",
    "running": "[cyan]▸[/]",
    "retrying": "[yellow]↻[/]",
    "completed": "[green]✓[/]",
    "failed": "[red]✗[/]",
    "degraded": "[yellow]![/]",
    "blocked": "[yellow]–[/]",
}
STATUS_STYLES = {"completed": "green", "partial": "yellow", "failed": "red", "running": "cyan"}


def quoted(text: object) -> str:
    """The text for a line with markup of ours: what looks like markup in it is shown, not obeyed."""
    return escape(visible(text))


def seconds_text(seconds: float | None) -> str:
    """A span of time: `4.2 s`, `3 min 05 s`, `2 h 10 min`; a dash for None."""
    if seconds is None:
        return "–"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min"


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


FAILED, BAD_CONFIGURATION = 1, 2


def end_like_by_ctrl_c() -> None:
    """A SIGTERM ends a command that serves, and what it has started, as Ctrl-C does; also where both were ignored.

    Whoever starts a process may leave it signals that are ignored: a shell in the background, a test runner.
    """
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.default_int_handler)


def finish(command: Callable[[], int]) -> None:
    """Run a command and exit with its code; an expected failure is a line, not a traceback."""
    from lms_assets.warehouse.errors import WarehouseError

    errors = Console(stderr=True)
    try:
        code = command()
    except ConfigurationError as error:
        for problem in error.problems:
            errors.print(f"[red]✗[/] {quoted(problem)}", highlight=False, soft_wrap=True)
        errors.print("Nothing was run and nothing was written.", highlight=False)
        code = BAD_CONFIGURATION
    except WarehouseError as error:
        lines = "\n".join(quoted(line) for line in str(error).splitlines())
        errors.print(f"[red]✗[/] {lines}", highlight=False, soft_wrap=True)
        code = BAD_CONFIGURATION if error.is_configuration else FAILED
    except KeyboardInterrupt:
        errors.print("Ended by Ctrl-C.", highlight=False)
        code = FAILED
    raise typer.Exit(code)
