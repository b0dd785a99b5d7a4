"""`lms-assets allow`: makes the token that a run started in Dagster's UI needs for an override."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console

from lms_assets.console.command import settings_from_environment
from lms_assets.domain.safety.overrides import OVERRIDES, parse_overrides
from lms_assets.runs.tags import allowing_tags
from lms_assets.settings import ConfigurationError
from lms_assets.warehouse.engine import Warehouse
from lms_assets.warehouse.state.overrides import LIFETIME


def allow_command(what: Sequence[str], by: str, console: Console) -> int:
    """Print the two tags to give the run; raises `ConfigurationError` for a name that is no override."""
    try:
        names = parse_overrides(what)
    except ValueError as error:
        raise ConfigurationError([str(error)]) from error
    with Warehouse.opened(settings_from_environment().warehouse_url) as warehouse:
        tags = allowing_tags(warehouse, names, by=by)
    for name in sorted(names):
        console.print(f"{name}: the run may {OVERRIDES[name]}.", highlight=False, soft_wrap=True)
    minutes = LIFETIME.seconds // 60
    console.print(f"For one run, started within {minutes} minutes. Its tags:", highlight=False)
    for name, value in tags.items():
        console.print(f"  {name} = {value}", highlight=False, markup=False, soft_wrap=True)
    return 0
