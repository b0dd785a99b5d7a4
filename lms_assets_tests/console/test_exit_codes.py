"""What a command's exit code says when the database refuses: 2, change the configuration; 1, do it again later."""

from __future__ import annotations

import pytest
import typer

from lms_assets.cli import _finish
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
        _finish(command)
    assert ended.value.exit_code == code
    assert "the disk is full; free space there" in capsys.readouterr().err
