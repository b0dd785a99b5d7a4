"""Each command as an operator starts it: alone in its process, with no variable but those of the folder's `.env`."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
import typer.main

from lms_assets.cli import app
from lms_assets.sandbox.server.server import running_sandbox
from lms_assets_tests.harness.chain import SMALL, ChainHarness
from lms_assets_tests.harness.environment import ROOT
from lms_assets_tests.harness.warm import LIBRARIES, run_warm

# They serve until somebody ends them, or run jobs; tests of their own start them.
NOT_HERE = {"demo", "sandbox", "run"}
WORDS: dict[str, list[str]] = {
    "why": ["1"],
    "init": ["installation"],
    "allow": ["first_push"],
    "push history": ["1"],
    "push retry": ["1"],
    "offboarding show": [],
    "offboarding review": ["1", "--by", "the operator"],
    "rules check": [],
    "rules diff": ["other.toml"],
    "verify": ["page.html"],
}
# No plan to review; nothing to compare with; a daemon that never ran; an installation that is not switched on.
CODES = {"offboarding review": 2, "compare": 2, "health": 1, "migration": 3, "preflight": 0}


def leaf_commands() -> list[str]:
    """All commands by their words: `status`, `push plan`, ..."""
    found = []
    for name, command in typer.main.get_command(app).commands.items():  # type: ignore[attr-defined]
        found += [f"{name} {each}" for each in getattr(command, "commands", {})] or [name]
    return sorted(set(found) - NOT_HERE)


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of an installation after one night."""
    with running_sandbox(replace(SMALL, now=datetime.now(UTC).replace(microsecond=0))) as sandbox:
        night = ChainHarness(tmp_path_factory.mktemp("installation"), sandbox)
        assert night.run().success
        lines = [f"{name}={value}" for name, value in night.environment.items()]
        (night.folder / ".env").write_text("\n".join(lines), encoding="utf-8")
        (night.folder / ".env").chmod(0o600)
        (night.folder / "other.toml").write_text('excluded_local_part_words = ["demo"]\n', encoding="utf-8")
        night.close()
        yield night.folder


WHAT_IT_LOADED = """
import sys
from lms_assets.cli import main
sys.argv = ["lms-assets", *sys.argv[1:]]
try:
    main()
finally:
    loaded = {each.partition(".")[0] for each in sys.modules}
    print(*loaded & {"alembic", "dagster", "email_validator", "jinja2", "pandas", "requests"}, file=sys.stderr)
"""


@pytest.mark.parametrize("words", [["status"], ["why", "1"]])
def test_a_short_command_loads_nothing_long_that_it_does_not_need(words: list[str], installation: Path):
    environment = {"PATH": os.environ["PATH"], "HOME": str(installation), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", WHAT_IT_LOADED, *words]
    done = subprocess.run(command, env=environment, cwd=installation, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr.split() == []


@pytest.mark.parametrize("command", leaf_commands())
def test_it_needs_nothing_but_the_folders_env_file(command: str, installation: Path):
    environment = {"PATH": os.environ["PATH"], "HOME": str(installation), "PYTHONPATH": str(ROOT), "COLUMNS": "80"}
    if command == "verify":
        run_warm(["why", "1", "--html", "page.html"], environment, installation, LIBRARIES)
    done = run_warm([*command.split(), *WORDS.get(command, [])], environment, installation, LIBRARIES)
    assert "Traceback" not in done.stdout + done.stderr
    assert done.returncode == CODES.get(command, 0), done.stdout + done.stderr
    assert "is not set" not in done.stderr
