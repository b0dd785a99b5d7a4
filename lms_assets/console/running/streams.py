"""Keeps the terminal for progress and summary: all else that this process and its children print goes to a file."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console


@contextmanager
def terminal_of_our_own(console: Console, log: Path) -> Iterator[Console]:
    """A console on the terminal, while standard output and error of this process and its children go to `log`.

    Dagster's step processes write log lines and warnings of their own; they inherit the file. A console that does not
    write to standard output (a test's) is given back as it is.
    """
    if console.file is not sys.stdout:
        yield console
        return
    log.parent.mkdir(parents=True, exist_ok=True)
    sys.stdout.flush()
    sys.stderr.flush()
    kept = os.dup(1), os.dup(2)
    with log.open("a", encoding="utf-8") as sink, os.fdopen(os.dup(1), "w", encoding="utf-8") as terminal:
        os.dup2(sink.fileno(), 1)
        os.dup2(sink.fileno(), 2)
        try:
            yield Console(file=terminal, width=console.width if not console.is_terminal else None)
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os.dup2(kept[0], 1)
            os.dup2(kept[1], 2)
            os.close(kept[0])
            os.close(kept[1])
