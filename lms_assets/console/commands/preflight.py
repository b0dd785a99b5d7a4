"""Whether everything outside is as it has to be, before anything runs: one line for each."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import apprise
import yaml
from rich.console import Console

from lms_assets.console.environment import settings_from_environment
from lms_assets.console.running.dagster_state import DagsterStateLost, dagster_instance
from lms_assets.console.wording import quoted
from lms_assets.domain.counting.push_plan import target_fields
from lms_assets.domain.safety.clocks import ClockDiffers, require_same_time
from lms_assets.resources import impartner_client, load_rules, northpass_client
from lms_assets.settings import ConfigurationError, Settings
from lms_assets.vendors.transport.errors import VendorError
from lms_assets.warehouse.engine import Warehouse
from lms_assets.warehouse.errors import SchemaNotCurrent, UpgradeRefused, WarehouseError


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at; `problem` is None when it is well. A warning does not stop anything."""

    name: str
    note: str
    problem: str | None = None
    warning: bool = False


def checks(settings: Settings) -> Iterator[Finding]:
    """Look at each thing in turn; nothing is written anywhere."""
    yield _line("rules", lambda: _rules(settings))
    yield _line("warehouse", lambda: _warehouse(settings))
    yield _line("Northpass", lambda: _northpass(settings))
    impartner = _line("Impartner", lambda: _impartner(settings))
    yield impartner
    if impartner.problem is None:
        yield _line("Impartner fields", lambda: _target_fields(settings))
    else:
        yield Finding("Impartner fields", "", "not looked at, as Impartner could not be asked")
    yield _line("alerts", lambda: _alerts(settings))
    for name in settings.weak_secrets:
        note = "its secret is so short or common a text that logs cannot be kept free of it; choose a longer one"
        yield Finding(name, note, warning=True)
    yield _line("DAGSTER_HOME", _dagster_home)


class NotAsNeeded(Exception):
    """Something outside is not as it has to be; the message says what to do."""


def _line(name: str, look: Callable[[], str]) -> Finding:
    try:
        return Finding(name, look())
    except ConfigurationError as error:
        return Finding(name, "", "; ".join(error.problems))
    except (DagsterStateLost, NotAsNeeded, ClockDiffers, VendorError, WarehouseError) as error:
        return Finding(name, "", str(error))


def _rules(settings: Settings) -> str:
    load_rules(settings)
    return f"from {settings.rules_file}" if settings.rules_file else "the defaults"


def _warehouse(settings: Settings) -> str:
    warehouse = Warehouse(settings.warehouse_url)
    try:
        warehouse.check_reachable()
        try:
            warehouse.require_current_schema()
        except SchemaNotCurrent:
            if refusals := warehouse.plan_upgrade().refusals:
                raise UpgradeRefused(warehouse.name, refusals) from None
            raise
        warehouse.check_writable()
    finally:
        warehouse.close()
    return f"{warehouse.name}, tables current"


def _northpass(settings: Settings) -> str:
    with northpass_client(settings) as client:
        client.probe()
        require_same_time(client.http.vendor, client.http.clock.seconds_ahead)
    return f"{settings.northpass.base_url}, key accepted"


def _impartner(settings: Settings) -> str:
    with impartner_client(settings) as client:
        client.probe()
        require_same_time(client.http.vendor, client.http.clock.seconds_ahead)
    return f"{settings.impartner.base_url}, key accepted"


def _target_fields(settings: Settings) -> str:
    wanted = target_fields(load_rules(settings), settings.portal_url)
    with impartner_client(settings) as client:
        fields = {name.lower(): info for name, info in client.describe("Account").items()}
    missing = [name for name in wanted if name.lower() not in fields]
    locked = [name for name in wanted if name.lower() in fields and fields[name.lower()].read_only]
    if missing or locked:
        problems = [f"missing on Account: {', '.join(missing)}"] if missing else []
        problems += [f"read-only on Account: {', '.join(locked)}"] if locked else []
        raise NotAsNeeded("; ".join(problems) + ". Ask the CRM's administrator, or change the mapping in the rules.")
    return f"all {len(wanted)} target fields can be written"


def _alerts(settings: Settings) -> str:
    if not settings.alert_urls:
        return "LMS_ALERT_URLS is not set: alerts are only logged"
    # The URLs hold secrets, so they are named by their place.
    strange = [str(place) for place, url in enumerate(settings.alert_urls, 1) if not apprise.Apprise().add(url)]
    if strange:
        raise NotAsNeeded(f"LMS_ALERT_URLS: no. {', '.join(strange)} is no Apprise URL, so nobody would be told")
    return f"{len(settings.alert_urls)} channels"


def _dagster_home() -> str:
    home = os.environ.get("DAGSTER_HOME", "").strip()
    if not home:
        raise NotAsNeeded("is not set; it must name the folder that holds dagster.yaml")
    if not Path(home).is_dir():
        raise NotAsNeeded(f"{home} is no folder; make it, and copy the repository's dagster.yaml there")
    missing = [line for name, line in OF_THE_DAEMON.items() if name not in _dagster_yaml(Path(home))]
    with dagster_instance() as instance:
        instance.get_runs_count()
    if not missing:
        return home
    return f"{home}: lms-assets run needs no more. For the daemon, add to its dagster.yaml: {'; '.join(missing)}"


# A run from a terminal needs nothing of it. Without these a daemon runs no failed chain again by itself, and leaves
# the pool slots of a run taken whose process died.
OF_THE_DAEMON = {
    "run_retries": "run_retries: {enabled: true, max_retries: 0, retry_on_asset_or_op_failure: false}",
    "run_monitoring": "run_monitoring: {enabled: true, free_slots_after_run_end_seconds: 60}",
}


def _dagster_yaml(home: Path) -> Mapping[str, object]:
    path = home / "dagster.yaml"
    try:
        read = yaml.safe_load(path.read_text(encoding="utf-8")) if path.is_file() else None
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise NotAsNeeded(f"{path} cannot be read ({type(error).__name__}); compare it with the repository's") from None
    return read if isinstance(read, dict) else {}


def preflight_command(console: Console) -> int:
    """Print one line for each thing; returns 0 when all are well, else 2.

    Raises:
        ConfigurationError: the environment itself is wrong, so nothing else could be looked at.
    """
    settings = settings_from_environment()
    well = True
    for line in checks(settings):
        well = well and line.problem is None
        mark = "[red]✗[/]" if line.problem is not None else "[yellow]![/]" if line.warning else "[green]✓[/]"
        console.print(f"{mark} {line.name:<18}{quoted(line.problem or line.note)}", highlight=False, soft_wrap=True)
    console.print("Ready." if well else "Not ready: fix the lines marked ✗ and run this again.", highlight=False)
    return 0 if well else 2
