"""`lms-assets preflight`: whether everything is as it has to be before anything runs. Writes nothing anywhere."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, replace

from rich.console import Console

from lms_assets.console.command import quoted, settings_from_environment
from lms_assets.console.installation import preflight_dagster, preflight_looks
from lms_assets.console.installation.preflight_looks import Line, Look, looked_at, ok
from lms_assets.console.tables import Output, Table, deliver
from lms_assets.rules_file import load_report_config, load_rules
from lms_assets.settings import Settings

NOT_READY = 2
MARKS = {"ok": "[green]✓[/]", "warning": "[yellow]![/]", "problem": "[red]✗[/]"}


def _rules(settings: Settings) -> Iterator[Line]:
    load_rules(settings)
    load_report_config(settings)
    yield ok("rules", f"from {settings.rules_file}" if settings.rules_file else "the defaults")


# By the name of the line that a look ends with when it fails.
LOOKS: tuple[tuple[str, Look], ...] = (
    ("DAGSTER_HOME", preflight_dagster.home),
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
    ("Dagster's database", preflight_dagster.database),
    ("daemon", preflight_dagster.daemon),
    ("schedules", preflight_dagster.schedules),
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
