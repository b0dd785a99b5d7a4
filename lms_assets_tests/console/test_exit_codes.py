"""What a command's exit code says when the database refuses: 2, change the configuration; 1, do it again later."""

from __future__ import annotations

import tomllib

import pytest
import typer
from typer.testing import CliRunner

from lms_assets.cli import app
from lms_assets.console.command import finish
from lms_assets.warehouse.errors import (
    AccessDenied,
    ConnectionLost,
    DatabaseFull,
    LockedByOthers,
    ReadOnlyWarehouse,
    SchemaNotCurrent,
    WarehouseError,
    WarehouseUnreachable,
)
from lms_assets_tests.harness.commands import ROOT


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (DatabaseFull, 1),
        (ConnectionLost, 1),
        (LockedByOthers, 1),
        (AccessDenied, 2),
        (ReadOnlyWarehouse, 2),
        (SchemaNotCurrent, 2),
        (WarehouseUnreachable, 2),
    ],
)
def test_a_full_disk_is_a_failed_run_and_a_missing_right_is_configuration(
    kind: type[WarehouseError], code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    def command() -> int:
        raise kind("mysql:db", "the disk is full", "free space there")

    with pytest.raises(typer.Exit) as ended:
        finish(command)
    assert ended.value.exit_code == code
    assert "the disk is full; free space there" in capsys.readouterr().err


def test_the_version_is_the_one_of_pyproject():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    result = CliRunner().invoke(app, ["--version"])
    assert (result.exit_code, result.stdout.strip()) == (0, f"lms-assets {project['version']}")


def test_a_shell_completes_commands_and_options():
    """What the script of --install-completion asks for when somebody presses the tab key."""
    words = {"_LMS_ASSETS_COMPLETE": "complete_bash", "COMP_WORDS": "lms-assets he", "COMP_CWORD": "1"}
    result = CliRunner().invoke(app, [], env=words, prog_name="lms-assets")
    assert "health" in result.stdout
