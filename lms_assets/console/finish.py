"""How a command ends: its exit code, and an expected failure as a line instead of a traceback."""

from __future__ import annotations

import signal
from collections.abc import Callable

import typer
from rich.console import Console

from lms_assets.settings import ConfigurationError

FAILED, BAD_CONFIGURATION = 1, 2


def end_like_by_ctrl_c() -> None:
    """A SIGTERM ends a command that serves, and what it has started, as Ctrl-C does; also where both were ignored.

    Whoever starts a process may leave it signals that are ignored: a shell in the background, a test runner.
    """
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.default_int_handler)


def finish(command: Callable[[], int]) -> None:
    """Run a command and exit with its code; an expected failure is a line, not a traceback."""
    from lms_assets.console.wording import quoted
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
