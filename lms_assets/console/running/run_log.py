"""Where the output of a run's processes goes, so that the terminal shows our lines only."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from rich.console import Console

from lms_assets.step_server import start_step_server


def run_log() -> Path:
    """The file, in Dagster's home."""
    return Path(os.environ["DAGSTER_HOME"]) / "logs" / "lms-assets-run.log"


def start_step_server_early() -> None:
    """Before this process itself has loaded Dagster, which takes as long. Whatever is wrong, the run says."""
    with suppress(OSError, KeyError):
        if run_log().parent.parent.is_dir():
            with output_to(run_log()):
                start_step_server()


@contextmanager
def output_to(log: Path) -> Iterator[None]:
    """Standard output and error of this process, and of those it starts, go to `log`."""
    log.parent.mkdir(parents=True, exist_ok=True)
    sys.stdout.flush()
    sys.stderr.flush()
    kept = os.dup(1), os.dup(2)
    with log.open("a", encoding="utf-8") as sink:
        os.dup2(sink.fileno(), 1)
        os.dup2(sink.fileno(), 2)
        try:
            yield
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os.dup2(kept[0], 1)
            os.dup2(kept[1], 2)
            os.close(kept[0])
            os.close(kept[1])


@contextmanager
def terminal_of_our_own(console: Console, log: Path) -> Iterator[Console]:
    """A console on the terminal, while standard output and error of this process and its children go to `log`.

    Dagster's step processes write log lines and warnings of their own; they inherit the file. A console that does not
    write to standard output (a test's) is given back as it is.
    """
    if console.file is not sys.stdout:
        yield console
        return
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as terminal, output_to(log):
        yield Console(file=terminal, width=console.width if not console.is_terminal else None)
