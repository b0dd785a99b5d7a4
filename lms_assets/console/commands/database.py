"""`lms-assets db upgrade`: shows what will change in the warehouse, then creates or migrates it."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from lms_assets.console.environment import load_dotenv_file, settings_from_environment
from lms_assets.console.wording import quoted
from lms_assets.runs.write_locks import no_run_writes
from lms_assets.warehouse.engine import Warehouse
from lms_assets.warehouse.errors import UpgradeRefused


def upgrade_command(console: Console, *, plan_only: bool = False) -> int:
    """List what will change, then bring the tables to this version; returns 0.

    Args:
        plan_only: end after the list; nothing is changed.

    Raises:
        ConfigurationError, WarehouseError: what is wrong and what to do.
    """
    load_dotenv_file(Path.cwd())
    warehouse = Warehouse(settings_from_environment().warehouse_url)
    try:
        plan = warehouse.plan_upgrade()
        if plan.refusals:
            raise UpgradeRefused(warehouse.name, plan.refusals)
        if plan.changes:
            _print(console, quoted(f"{warehouse.name}: an upgrade changes"))
        for line in plan.changes:
            _print(console, f"  {quoted(line)}")
        if plan_only:
            later = "make a backup, then run `lms-assets db upgrade`" if plan.changes else "there is nothing to change"
            _print(console, f"Nothing was changed: {later}.")
            return 0
        with no_run_writes(warehouse):
            report = warehouse.upgrade()
    finally:
        warehouse.close()
    text = "\n".join(quoted(line) for line in f"{warehouse.name}: {report}".splitlines())
    _print(console, f"[green]✓[/] {text}")
    return 0


def _print(console: Console, line: str) -> None:
    console.print(line, highlight=False, soft_wrap=True)
