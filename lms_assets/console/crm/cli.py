"""The commands about the CRM's side, as `lms-assets` shows them. Thin; what they do stands beside this file."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.console import Console

from lms_assets.console.finish import finish
from lms_assets.console.tables import JsonOption, OutOption, Output

crm_app = typer.Typer()
push_app = typer.Typer(help="What is sent to the CRM, and what ever was.", no_args_is_help=True)
crm_app.add_typer(push_app, name="push")
PartnerArgument = Annotated[str, typer.Argument(help="A partner's name, or its id.")]


@crm_app.command()
def reconcile(as_json: JsonOption = False, out: OutOption = None) -> None:
    """What the CRM shows now against what it confirmed to us; exit code 1 when something differs."""
    from lms_assets.console.crm.reconcile import reconcile_command

    finish(lambda: reconcile_command(Console(), Output(as_json, out)))


@push_app.command()
def plan(as_json: JsonOption = False, out: OutOption = None) -> None:
    """Everything that a push would send now, and of whom nobody can tell; sends nothing."""
    from lms_assets.console.crm.plan import plan_command

    finish(lambda: plan_command(Console(), Output(as_json, out), now=datetime.now(UTC)))


@push_app.command()
def history(partner: PartnerArgument, as_json: JsonOption = False, out: OutOption = None) -> None:
    """Everything that was sent of a partner, with what the CRM answered."""
    from lms_assets.console.crm.history import history_command

    finish(lambda: history_command(partner, Console(), Output(as_json, out)))


@push_app.command()
def retry(
    partner: PartnerArgument,
    no_wait: Annotated[bool, typer.Option("--no-wait", help="Refuse when another run writes the same rows.")] = False,
) -> None:
    """Send one partner again, whole, through the checks and limits of every push."""
    from lms_assets.console.crm.history import retry_command

    finish(lambda: retry_command(partner, Console(), no_wait=no_wait))
