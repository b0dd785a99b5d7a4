"""`lms-assets preflight`: whether everything is as it has to be before anything runs. Writes nothing anywhere.

With its look at Dagster: its home, its database, the daemon, and what is switched on.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

import yaml
from rich.console import Console

from lms_assets.automation.portal_tasks import schedules_on
from lms_assets.console.command import quoted, settings_from_environment
from lms_assets.console.installation import preflight_looks
from lms_assets.console.installation.preflight_looks import (
    LEAST_PACKET,
    Line,
    Look,
    NotAsNeeded,
    looked_at,
    ok,
    problem,
    warning,
)
from lms_assets.console.running.dagster_state import dagster_instance
from lms_assets.console.tables import Output, Table, deliver
from lms_assets.domain.operations.health import DAEMON_REPORTS_WITHIN, age_text
from lms_assets.lineage import TIMETABLE
from lms_assets.rules_file import load_report_config, load_rules
from lms_assets.runs.active import daemon_seen
from lms_assets.settings import Settings
from lms_assets.warehouse.engine import Warehouse
from lms_assets.warehouse.server import server_facts

# A run from a terminal needs nothing of it. Without these a daemon runs no failed chain again by itself, and leaves
# the pool slots of a run taken whose process died.
OF_THE_DAEMON = {
    "run_retries": "run_retries: {enabled: true, max_retries: 0, retry_on_asset_or_op_failure: false}",
    "run_monitoring": "run_monitoring: {enabled: true, free_slots_after_run_end_seconds: 60}",
}


def home(_: Settings) -> Iterator[Line]:
    """It is set, absolute, there and writable, and its dagster.yaml holds what a daemon needs."""
    folder = os.environ.get("DAGSTER_HOME", "").strip()
    if not folder:
        raise NotAsNeeded("is not set; it must name the folder that holds dagster.yaml (`lms-assets init` makes one)")
    if Path(folder).is_absolute() and not Path(folder).is_dir():
        raise NotAsNeeded(f"{folder} is no folder; `lms-assets init` makes one with its dagster.yaml")
    missing = [line for name, line in OF_THE_DAEMON.items() if name not in _dagster_yaml(Path(folder))]
    with dagster_instance() as instance:
        instance.get_runs_count()
    if not missing:
        yield ok("DAGSTER_HOME", folder)
        return
    what = f"lms-assets run needs no more. For the daemon, add to its dagster.yaml: {'; '.join(missing)}"
    yield warning("DAGSTER_HOME", f"{folder}: {what}")


def database(_: Settings) -> Iterator[Line]:
    """Its tables are this Dagster's, and a MySQL of its own can hold every name."""
    name = "Dagster's database"
    with dagster_instance() as instance:
        storages = (instance.run_storage, instance.event_log_storage, instance.schedule_storage)
        versions = [each.alembic_version() for each in storages if each is not None]
        kind = type(instance.run_storage).__name__
    behind = [each for each in versions if each is not None and each[0] != each[1]]
    if behind:
        yield problem(
            name, "its tables are another version's: stop everything, make a backup, dagster instance migrate"
        )
    else:
        yield ok(name, f"{kind}, tables current")
    if "MySQL" in kind:
        yield from _server(name)


def _server(name: str) -> Iterator[Line]:
    own = {each: os.environ.get(f"DAGSTER_MYSQL_{each}", "") for each in ("USERNAME", "PASSWORD", "HOST", "PORT", "DB")}
    if not all(own.values()):
        return
    login = f"{quote(own['USERNAME'], safe='')}:{quote(own['PASSWORD'], safe='')}"
    server = Warehouse(f"mysql+pymysql://{login}@{own['HOST']}:{own['PORT']}/{own['DB']}")
    try:
        with server.read() as connection:
            facts = server_facts(connection)
    finally:
        server.close()
    if facts.charset != "utf8mb4":
        change = f"ALTER DATABASE `{own['DB']}` CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci, before its first run"
        yield problem(name, f"is {facts.charset}, where names in other scripts make runs fail: {change}")
    if facts.max_allowed_packet < LEAST_PACKET:
        yield problem(name, f"max_allowed_packet is too small: SET GLOBAL max_allowed_packet = {LEAST_PACKET}")


def daemon(_: Settings) -> Iterator[Line]:
    """It reported a moment ago. A run from a terminal does without."""
    with dagster_instance() as instance:
        seen = daemon_seen(instance)
    now = datetime.now(UTC)
    if seen is not None and now - seen <= DAEMON_REPORTS_WITHIN:
        yield ok("daemon", f"reported {age_text(now - seen)} ago")
    else:
        when = f"last reported {age_text(now - seen)} ago" if seen else "never reported"
        yield warning("daemon", f"{when}: start dagster-daemon with this DAGSTER_HOME, or nothing starts by itself")


def schedules(_: Settings) -> Iterator[Line]:
    """Those of the timetable are switched on, after the first chain."""
    with dagster_instance() as instance:
        on = schedules_on(instance)
    off = [entry.schedule for entry in TIMETABLE if entry.schedule not in on]
    if off:
        yield warning(
            "schedules", f"off: {', '.join(off)}; switch them on under Automation once the first chain is right"
        )
    else:
        yield ok("schedules", f"all {len(TIMETABLE)} are on")


def _dagster_yaml(folder: Path) -> Mapping[str, object]:
    path = folder / "dagster.yaml"
    try:
        read = yaml.safe_load(path.read_text(encoding="utf-8")) if path.is_file() else None
    except (OSError, ValueError, yaml.YAMLError) as error:
        what = f"{path} cannot be read ({type(error).__name__})"
        raise NotAsNeeded(f"{what}; compare it with one that `lms-assets init` writes") from None
    return read if isinstance(read, dict) else {}


NOT_READY = 2
MARKS = {"ok": "[green]✓[/]", "warning": "[yellow]![/]", "problem": "[red]✗[/]"}


def _rules(settings: Settings) -> Iterator[Line]:
    load_rules(settings)
    load_report_config(settings)
    yield ok("rules", f"from {settings.rules_file}" if settings.rules_file else "the defaults")


# By the name of the line that a look ends with when it fails.
LOOKS: tuple[tuple[str, Look], ...] = (
    ("DAGSTER_HOME", home),
    ("rules", _rules),
    ("warehouse", preflight_looks.tables),
    ("warehouse server", preflight_looks.server),
    ("Northpass", preflight_looks.northpass),
    ("Impartner", preflight_looks.impartner),
    ("Impartner fields", preflight_looks.target_fields),
    ("alerts", preflight_looks.alerts),
    ("mail", preflight_looks.mail),
    ("reports", preflight_looks.reports_folder),
    ("recipients", preflight_looks.recipients),
    ("secrets", preflight_looks.secrets),
    ("disk", preflight_looks.disk),
    ("Dagster's database", database),
    ("daemon", daemon),
    ("schedules", schedules),
)


def checks(settings: Settings) -> Iterator[Line]:
    """Look at each thing in turn; what a failed look makes senseless is left out."""
    failed: set[str] = set()
    for name, look in LOOKS:
        if dependency_of(name) in failed:
            continue
        for line in looked_at(name, look, settings):
            if line.status == "problem":
                failed.add(name)
            yield line
        if name in failed and name in {"DAGSTER_HOME", "warehouse"}:
            # The vendors' clients share their rate limits there, and would make the folder.
            settings = replace(settings, state_dir=None)


def dependency_of(name: str) -> str | None:
    """What must have gone well for a look to make sense."""
    if name in {"Dagster's database", "daemon", "schedules"}:
        return "DAGSTER_HOME"
    return {"Impartner fields": "Impartner", "recipients": "warehouse"}.get(name)


def preflight_command(console: Console, output: Output, *, send_test: bool = False) -> int:
    """Print one line for each thing; returns 0 when a first chain can run, else 2.

    Args:
        send_test: also send a message to each alert channel and a mail to LMS_MAIL_FROM.

    Raises:
        ConfigurationError: the environment itself is wrong, so nothing else could be looked at.
    """
    settings = settings_from_environment()
    show = not (output.as_json or output.out)
    lines = []
    for line in checks(settings):
        lines.append(line)
        if show:
            _print(console, line)
    for line in preflight_looks.test_messages(settings) if send_test else ():
        lines.append(line)
        if show:
            _print(console, line)
    ready = all(line.status != "problem" for line in lines)
    table = Table("lines", ("name", "status", "note"), list(map(asdict, lines)))
    if not deliver([table], output, console, facts={"ready": ready}):
        console.print("Ready." if ready else "Not ready: fix the lines marked ✗ and run this again.", highlight=False)
    return 0 if ready else NOT_READY


def _print(console: Console, line: Line) -> None:
    console.print(f"{MARKS[line.status]} {line.name:<18} {quoted(line.note)}", highlight=False, soft_wrap=True)
