"""The command in a process of its own within a tenth of a second: forked from one that has loaded the product already.

Starting Python and loading Dagster takes two seconds of processor for every command. What is killed in a test, and
what serves (a daemon, the demo), is started as a user starts it instead: `Commands.start`.
"""

from __future__ import annotations

import functools
import importlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from lms_assets_tests.harness.dagster_internals import SQLITE_STORAGE
from lms_assets_tests.harness.environment import ROOT, of_a_process

PRODUCT = (
    "lms_assets.cli",
    "lms_assets.preloaded",
    "lms_assets.console.running.run",
    "alembic.command",
    SQLITE_STORAGE,
    "pymysql",
    "upath.core",
)


# Only other people's packages: a command that needs a module of ours must import it itself.
LIBRARIES = ("alembic.command", "dagster", "pandas", "pymysql", "requests", "rich.console", "sqlalchemy", "typer")


def run_warm(
    words: Sequence[str], environment: Mapping[str, str], folder: Path, loaded: tuple[str, ...] = PRODUCT
) -> subprocess.CompletedProcess[str]:
    """Run `lms-assets` with these words to its end, in a folder and with nothing but this environment.

    Args:
        loaded: modules that the process has when the command begins.
    """
    with tempfile.TemporaryDirectory() as place:
        said = [Path(place) / name for name in ("out", "err")]
        order = {"words": [*words], "environment": {**environment}, "folder": str(folder), "said": [*map(str, said)]}
        parent = _parent(loaded)
        assert parent.stdin is not None
        assert parent.stdout is not None
        parent.stdin.write(json.dumps(order) + "\n")
        parent.stdin.flush()
        code = int(parent.stdout.readline())
        return subprocess.CompletedProcess([*words], code, *(each.read_text(encoding="utf-8") for each in said))


@functools.cache
def _parent(loaded: tuple[str, ...]) -> subprocess.Popen[str]:
    """The process that forks; it ends with this one, which holds the other end of its input."""
    return subprocess.Popen(
        [sys.executable, "-m", "lms_assets_tests.harness.warm", *loaded],
        env=of_a_process(Path(tempfile.gettempdir())),
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def _command(order: Mapping[str, object]) -> None:
    """Become the command; ends the process by its exit code."""
    os.chdir(str(order["folder"]))
    os.environ.clear()
    os.environ.update(order["environment"])
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    for number, path in enumerate(order["said"], start=1):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT), number)
    sys.argv = ["lms-assets", *order["words"]]
    importlib.import_module("lms_assets.cli").main()
    sys.exit(0)


def main() -> None:
    """Fork for every line of input; answer with the exit code."""
    for name in sys.argv[1:]:
        importlib.import_module(name)
    for line in sys.stdin:
        child = os.fork()
        if not child:
            _command(json.loads(line))
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


if __name__ == "__main__":
    main()
