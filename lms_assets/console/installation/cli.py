"""The commands about an installation itself, as `lms-assets` shows them. Thin; what they do stands beside this file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from lms_assets.console.command import finish
from lms_assets.console.tables import JsonOption, OutOption, Output

installation_app = typer.Typer()


@installation_app.command()
def init(
    folder: Annotated[Path, typer.Argument(help="Where the installation is to live; made when it is not there.")],
    *,
    compose: Annotated[bool, typer.Option("--compose", help="A compose file instead of systemd units.")] = False,
    sandbox: Annotated[bool, typer.Option("--sandbox", help="One that runs against the built-in sandbox.")] = False,
    host: Annotated[str | None, typer.Option(help="The name by which people open the UI: dagster.example.com.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace files that are there; each is kept as .bak.")] = False,
) -> None:
    """Write what an installation needs: .env, dagster.yaml, workspace.yaml, services and the reverse proxy."""
    from lms_assets.console.installation.init import InitOptions, init_command

    finish(lambda: init_command(InitOptions(folder, compose, sandbox, host, force), Console()))


@installation_app.command()
def migration(
    *,
    as_json: JsonOption = False,
    out: OutOption = None,
    configure_chain: Annotated[
        bool, typer.Option("--configure-chain", help="Step 2: write the chain's tasks into scheduled_tasks.")
    ] = False,
    switch_off_old: Annotated[
        bool, typer.Option("--switch-off-old", help="Step 3: switch off the tasks that this program does.")
    ] = False,
    undo: Annotated[bool, typer.Option("--undo", help="Switch on again what --switch-off-old switched off.")] = False,
) -> None:
    """From the portal's old scheduler to this one: the five steps, where this installation stands, what comes next."""
    from lms_assets.console.installation import migration as steps

    chosen = {
        steps.configure_chain_command: configure_chain,
        steps.switch_off_command: switch_off_old,
        steps.undo_command: undo,
    }
    if sum(chosen.values()) > 1:
        raise typer.BadParameter("give one of --configure-chain, --switch-off-old, --undo")
    command = next((each for each, wanted in chosen.items() if wanted), None)
    finish(lambda: command(Console()) if command else steps.migration_command(Console(), Output(as_json, out)))


@installation_app.command()
def preflight(
    *,
    as_json: JsonOption = False,
    out: OutOption = None,
    send_test: Annotated[
        bool, typer.Option("--send-test", help="Also send a test to each alert channel and a mail to LMS_MAIL_FROM.")
    ] = False,
) -> None:
    """Look at everything a first run needs: keys, hosts, database, fields, disk, mail; one line each."""
    from lms_assets.console.installation.preflight import preflight_command

    finish(lambda: preflight_command(Console(), Output(as_json, out), send_test=send_test))


@installation_app.command()
def health(
    *,
    as_json: JsonOption = False,
    out: OutOption = None,
    without_daemon: Annotated[
        bool, typer.Option("--without-daemon", help="Another scheduler starts the runs: do not ask for the daemon.")
    ] = False,
) -> None:
    """For probes: exit code 0 healthy, 1 not healthy, 2 cannot tell. Only reads."""
    from lms_assets.console.installation.health import health_command

    finish(lambda: health_command(Console(), Output(as_json, out), daemon_needed=not without_daemon))


@installation_app.command()
def metrics(
    *,
    out: Annotated[
        Path | None, typer.Option(help="Write a file for node_exporter's textfile collector: .prom.")
    ] = None,
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="Serve them over HTTP; 0 takes a free port.")
    ] = None,
    host: Annotated[str, typer.Option(help="The address to serve on; there is no login.")] = "127.0.0.1",
) -> None:
    """For Prometheus: on the terminal, in a file, or over HTTP. Only reads."""
    from lms_assets.console.installation.metrics import metrics_command

    finish(lambda: metrics_command(Console(), out=out, port=port, host=host))
