"""`lms-assets db upgrade`: creates or migrates the warehouse and says what it did."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from lms_assets.console.environment import load_dotenv_file, settings_from_environment
from lms_assets.warehouse.engine import Warehouse


def upgrade_command(console: Console) -> int:
    """Bring the tables to this version; returns 0.

    Raises:
        ConfigurationError, WarehouseError: what is wrong and what to do.
    """
    load_dotenv_file(Path.cwd())
    warehouse = Warehouse(settings_from_environment().warehouse_url)
    try:
        report = warehouse.upgrade()
    finally:
        warehouse.close()
    console.print(f"[green]✓[/] {warehouse.name}: {report}", highlight=False)
    return 0
