"""`lms-assets db upgrade`: shows what will change in the warehouse, then creates or migrates it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console

from lms_assets.console.command import load_dotenv_file, quoted, seconds_text, settings_from_environment
from lms_assets.runs.write_locks import no_run_writes
from lms_assets.settings import ConfigurationError
from lms_assets.warehouse.engine import Warehouse
from lms_assets.warehouse.errors import UpgradeRefused
from lms_assets.warehouse.migrations.upgrade import UpgradePlan
from lms_assets.warehouse.server import FOR_UPGRADES

# Measured on two loaded cores: 365 statements took 7 s without rows, and 50,000 rows of latin1 another 2.5 s. Doubled.
SECONDS_WITHOUT_ROWS, ROWS_A_SECOND = 15, 10_000


def upgrade_command(console: Console, *, plan_only: bool = False, sql: Path | None = None) -> int:
    """List what will change, then bring the tables to this version; returns 0.

    Args:
        plan_only: end after the list; nothing is changed.
        sql: write the statements there for whoever may run them, and change nothing.

    Raises:
        ConfigurationError, WarehouseError: what is wrong and what to do.
    """
    load_dotenv_file(Path.cwd())
    warehouse = Warehouse(settings_from_environment().warehouse_url)
    try:
        if sql is not None:
            return _write_statements(console, warehouse, sql)
        plan = warehouse.plan_upgrade()
        if plan.refusals:
            raise UpgradeRefused(warehouse.name, plan.refusals)
        if plan.changes:
            _print(console, quoted(f"{warehouse.name}: an upgrade changes"))
        for line in plan.changes:
            _print(console, f"  {quoted(line)}")
        for line in plan.warnings:
            _print(console, f"  warning: {quoted(line)}")
        if plan_only:
            _print_plan(console, warehouse, plan)
            return 0
        with no_run_writes(warehouse):
            report = warehouse.upgrade()
    finally:
        warehouse.close()
    text = "\n".join(quoted(line) for line in f"{warehouse.name}: {report}".splitlines())
    _print(console, f"[green]✓[/] {text}")
    return 0


def _print_plan(console: Console, warehouse: Warehouse, plan: UpgradePlan) -> None:
    """What else a person wants to know before an upgrade: rights, time, the way back."""
    if not plan.changes:
        _print(console, "Nothing was changed: there is nothing to change.")
        return
    if not warehouse.is_sqlite:
        _print(console, f"Rights needed: {', '.join(FOR_UPGRADES)}; this user has them, as far as SHOW GRANTS tells.")
        longest = seconds_text(SECONDS_WITHOUT_ROWS + plan.rows / ROWS_A_SECOND)
        _print(console, f"Rows in tables that are there: about {plan.rows:,}; should be done within {longest}.")
        _print(console, "The statements, for a DBA: lms-assets db upgrade --sql FILE")
    _print(console, "There is no downgrade: the way back is the backup. Nothing of the portal's is dropped.")
    _print(console, f"Backup: {quoted(warehouse.backup_command)}")
    _print(console, "Nothing was changed: make a backup, then run `lms-assets db upgrade`.")


def _write_statements(console: Console, warehouse: Warehouse, path: Path) -> int:
    if warehouse.is_sqlite:
        raise ConfigurationError(["--sql is for MySQL and MariaDB; a SQLite file needs no DBA: lms-assets db upgrade"])
    lines = warehouse.upgrade_statements()
    head = [
        f"-- lms-assets: changes of the tables of {warehouse.name}, as of {datetime.now(UTC):%Y-%m-%d %H:%M} UTC.",
        f"-- Backup first: {warehouse.backup_command}",
        "-- Then `lms-assets db upgrade` writes the rest, with the rights that runs need too.",
        "-- A UNIQUE index that is refused for equal rows can be left out: db upgrade names the rows.",
        "SET SESSION foreign_key_checks = 0;",
    ]
    try:
        path.write_text("\n".join([*head, *lines, "SET SESSION foreign_key_checks = 1;"]) + "\n", encoding="utf-8")
    except OSError as error:
        raise ConfigurationError([f"--sql {path} cannot be written: {error.strerror or error}"]) from None
    number = sum(not line.startswith("-- ") for line in lines)
    _print(console, quoted(f"{number} statements written to {path}. Nothing was changed."))
    return 0


def _print(console: Console, line: str) -> None:
    console.print(line, highlight=False, soft_wrap=True)
