"""The commands about an installation itself, as `lms-assets` shows them. Thin; what they do stands beside this file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from lms_assets.console.finish import finish
from lms_assets.console.tables import JsonOption, OutOption, Output

installation_app = typer.Typer()


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
    from lms_assets.console.installation.preflight.command import preflight_command

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
