"""lms-assets: the commands. Thin; what they do stands in `console` and below.

Exit codes: 0 completed, 1 failed, 2 bad configuration, 3 partial.
"""

from __future__ import annotations

import gc
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from lms_assets.console.command import finish
from lms_assets.console.command import finish as _finish
from lms_assets.console.installation.cli import installation_app
from lms_assets.console.tables import JsonOption, OutOption, Output
from lms_assets.domain.schedule import CHAIN

crm_app = typer.Typer()
push_app = typer.Typer(help="What is sent to the CRM, and what was sent before.", no_args_is_help=True)
crm_app.add_typer(push_app, name="push")
PartnerArgument = Annotated[str, typer.Argument(help="A partner's name, or its id.")]


@crm_app.command()
def reconcile(as_json: JsonOption = False, out: OutOption = None) -> None:
    """What the CRM shows now against what it confirmed to us; exit code 1 when something differs."""
    from lms_assets.console.commands.reconcile import reconcile_command

    finish(lambda: reconcile_command(Console(), Output(as_json, out)))


@push_app.command()
def plan(as_json: JsonOption = False, out: OutOption = None) -> None:
    """What a push would send now, and for which partners that is unclear; sends nothing."""
    from lms_assets.console.commands.push import plan_command

    finish(lambda: plan_command(Console(), Output(as_json, out), now=datetime.now(UTC)))


@push_app.command()
def history(partner: PartnerArgument, as_json: JsonOption = False, out: OutOption = None) -> None:
    """Everything that was sent of a partner, with what the CRM answered."""
    from lms_assets.console.commands.push import history_command

    finish(lambda: history_command(partner, Console(), Output(as_json, out)))


@push_app.command()
def retry(
    partner: PartnerArgument,
    no_wait: Annotated[bool, typer.Option("--no-wait", help="Refuse when another run writes the same rows.")] = False,
) -> None:
    """Send one partner again, whole, through the checks and limits of every push."""
    from lms_assets.console.commands.push import retry_command

    finish(lambda: retry_command(partner, Console(), no_wait=no_wait))


app = typer.Typer(
    name="lms-assets",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
app.add_typer(installation_app)
app.add_typer(crm_app)
db_app = typer.Typer(help="The warehouse: the portal's database.", no_args_is_help=True)
app.add_typer(db_app, name="db")
offboarding_app = typer.Typer(help="Plans of who leaves which LMS group.", no_args_is_help=True)
app.add_typer(offboarding_app, name="offboarding")
report_app = typer.Typer(help="The Monday reports.", no_args_is_help=True)
app.add_typer(report_app, name="report")


def _version(wanted: bool) -> None:
    if wanted:
        from lms_assets.console.command import program_version

        typer.echo(f"lms-assets {program_version()}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Keeps a partner portal in step with its LMS (Northpass) and its partner CRM (Impartner)."""


@app.command()
def run(
    job: Annotated[str, typer.Argument(help=f"{CHAIN}, enrollments_incremental, push_to_impartner, ...")],
    *,
    partition: Annotated[str | None, typer.Option(help="One week, by its Monday: 2026-11-16.")] = None,
    last_days: Annotated[int | None, typer.Option(help="The weeks that the last N days touch.")] = None,
    allow: Annotated[
        list[str] | None, typer.Option(help="A limit this run may pass, as its message names it; repeatable.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the last failed chain where it failed.")] = False,
    plan: Annotated[int | None, typer.Option(min=1, help="The reviewed plan for offboarding_apply.")] = None,
    no_wait: Annotated[bool, typer.Option("--no-wait", help="Refuse when another run writes the same rows.")] = False,
) -> None:
    """Run one job in the foreground, with progress and a summary."""
    from lms_assets.console.command import settings_from_environment, terminal_user

    def command() -> int:
        # A wrong variable is said at once: loading Dagster and the graph takes two seconds.
        settings_from_environment()
        if job == CHAIN:
            from lms_assets.console.running.run_log import start_step_server_early

            start_step_server_early()
        from lms_assets.console.running.run import RunOptions, run_command

        options = RunOptions(job, partition, last_days, allow or (), resume, plan, terminal_user(), no_wait)
        return run_command(options, Console())

    _finish(command)


@app.command()
def allow(
    what: Annotated[list[str], typer.Argument(help="What the run may do, as the message that stopped it says.")],
    by: Annotated[str | None, typer.Option(help="Who allows it; else the name of this machine's user.")] = None,
) -> None:
    """Make a token that allows one run something beyond a limit, for a run started in Dagster's UI."""
    from lms_assets.console.command import terminal_user
    from lms_assets.console.commands.allow import allow_command

    _finish(lambda: allow_command(what, by or terminal_user(), Console()))


@app.command()
def status(as_json: JsonOption = False, out: OutOption = None) -> None:
    """The last chain, step by step."""
    from lms_assets.console.commands.status import status_command

    _finish(lambda: status_command(Console(), Output(as_json, out)))


@app.command()
def why(
    partner: Annotated[str, typer.Argument(help="A partner's name, or its id.")],
    *,
    at: Annotated[str | None, typer.Option(help="As of this instant, ISO 8601; else as of the last counting.")] = None,
    since: Annotated[str | None, typer.Option(help="Also what changed since this instant.")] = None,
    names: Annotated[bool, typer.Option("--names", help="Show people's names instead of their ids.")] = False,
    show_all: Annotated[bool, typer.Option("--all", help="Also list what is not nearly counted.")] = False,
    html: Annotated[Path | None, typer.Option(help="Write the evidence page: one file for the partner.")] = None,
    as_json: JsonOption = False,
    out: OutOption = None,
) -> None:
    """What a partner's counts are made of, and what is not counted and why."""
    from lms_assets.console.command import settings_from_environment
    from lms_assets.console.commands.why import why_command
    from lms_assets.console.partner_question import WhyOptions
    from lms_assets.rules_file import load_rules

    def explain() -> int:
        options, output = WhyOptions(partner, at, since, names, show_all), Output(as_json, out)
        rules = load_rules(settings_from_environment())
        return why_command(options, output, Console(), rules=rules, now=datetime.now(UTC), html=html)

    _finish(explain)


@app.command()
def verify(file: Annotated[Path, typer.Argument(help="A copy of an evidence page.")]) -> None:
    """Check a copy of an evidence page: 0 unaltered, 1 altered; says how the present ledger differs."""
    from lms_assets.console.commands.evidence import verify_command

    _finish(lambda: verify_command(file, Console()))


@app.command("compare")
def compare_counts(
    old_url: Annotated[str | None, typer.Option(help="The database of the old system; it is only read.")] = None,
    old_csv: Annotated[Path | None, typer.Option(help="Its table partners as a CSV or Excel file.")] = None,
    old_at: Annotated[str | None, typer.Option(help="When the old counts were made, ISO 8601.")] = None,
    as_json: JsonOption = False,
    out: OutOption = None,
) -> None:
    """Old counts against new, per partner, with the reason of each difference; changes nothing."""
    from lms_assets.console.command import settings_from_environment
    from lms_assets.console.commands.compare import CompareOptions, compare_command
    from lms_assets.rules_file import load_rules

    def command() -> int:
        rules = load_rules(settings_from_environment())
        return compare_command(CompareOptions(old_url, old_csv, old_at), Console(), Output(as_json, out), rules=rules)

    _finish(command)


rules_app = typer.Typer(help="The rules: which records count, and for how much.", no_args_is_help=True)
app.add_typer(rules_app, name="rules")


@rules_app.command("show")
def show_rules(as_json: JsonOption = False, out: OutOption = None) -> None:
    """The rules in force, with where each comes from."""
    from lms_assets.console.commands.rules import show_command

    _finish(lambda: show_command(Console(), Output(as_json, out)))


@rules_app.command("check")
def check_rules(
    file: Annotated[Path | None, typer.Argument(help="A rules file; without, the one in LMS_RULES_FILE.")] = None,
) -> None:
    """Check a rules file, and name every mistake at once."""
    from lms_assets.console.commands.rules import check_command

    _finish(lambda: check_command(file, Console()))


@rules_app.command("diff")
def diff_rules(
    file: Annotated[Path, typer.Argument(help="A rules file that is not in force yet.")],
    as_json: JsonOption = False,
    out: OutOption = None,
) -> None:
    """What the rules of a file would change, before they apply; counted from the stored rows."""
    from lms_assets.console.commands.rules import diff_command

    _finish(lambda: diff_command(file, Console(), Output(as_json, out), now=datetime.now(UTC)))


@report_app.command()
def preview(
    owner: Annotated[str | None, typer.Option(help="The account manager's; else the executives' report.")] = None,
) -> None:
    """Write this week's report as a file; sends nothing."""
    from lms_assets.console.command import settings_from_environment
    from lms_assets.console.commands.report import PreviewOptions, preview_command
    from lms_assets.rules_file import load_report_config, load_rules

    def command() -> int:
        settings = settings_from_environment()
        rules, config = load_rules(settings), load_report_config(settings)
        return preview_command(PreviewOptions(owner), Console(), rules=rules, config=config, now=datetime.now(UTC))

    _finish(command)


@report_app.command()
def resolve(
    sent: Annotated[list[int] | None, typer.Option(help="This message arrived; may be given several times.")] = None,
    resend: Annotated[list[int] | None, typer.Option(help="This one did not: the next run sends it again.")] = None,
    by: Annotated[str | None, typer.Option(help="Who looked; else the name of this machine's user.")] = None,
) -> None:
    """List report mails of which nobody knows whether they arrived, or note what you found out."""
    from lms_assets.console.command import terminal_user
    from lms_assets.console.commands.report import ResolveOptions, resolve_command

    options = ResolveOptions(sent or (), resend or (), by or terminal_user())
    _finish(lambda: resolve_command(options, Console(), now=datetime.now(UTC)))


@offboarding_app.command()
def show(
    plan: Annotated[int | None, typer.Argument(help="Its id; without, the newest plans are listed.")] = None,
) -> None:
    """Show a plan with every removal and its reason, or list the newest plans."""
    from lms_assets.console.commands.offboarding import show_command

    _finish(lambda: show_command(plan, Console()))


@offboarding_app.command()
def review(
    plan: Annotated[int, typer.Argument(help="The id of a proposed plan.")],
    by: Annotated[str, typer.Option(help="Who has looked at it and agrees.")],
) -> None:
    """Note that somebody has reviewed a plan; sends nothing."""
    from lms_assets.console.commands.offboarding import review_command

    _finish(lambda: review_command(plan, by, Console(), now=datetime.now(UTC)))


@app.command()
def demo(
    exit_after_summary: Annotated[bool, typer.Option("--exit", help="End after the summary; no UI.")] = False,
    scale: Annotated[float, typer.Option(min=0.01, max=1.0, help="1.0 is the real volume.")] = 0.05,
) -> None:
    """The whole chain against the built-in sandbox, then Dagster's UI."""
    from lms_assets.console.commands.demo import demo_command

    _finish(lambda: demo_command(Console(), exit_after_summary=exit_after_summary, scale=scale))


@app.command()
def sandbox(
    *,
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free port.")] = 8765,
    scale: Annotated[float, typer.Option(min=0.005, max=10.0, help="1.0 is the real volume.")] = 0.05,
    seed: Annotated[int, typer.Option(help="The same seed makes the same data.")] = 1,
    northpass_rps: Annotated[int, typer.Option(help="Northpass's limit, requests per second.")] = 10,
    latency_ms: Annotated[float, typer.Option(min=0, help="How long each answer takes at least.")] = 0.0,
    now: Annotated[str | None, typer.Option(help="Stop its clock at this instant, ISO 8601 with zone.")] = None,
) -> None:
    """Serve both vendors' APIs locally, with made-up data."""
    from lms_assets.console.commands.sandbox import SandboxOptions, sandbox_command

    options = SandboxOptions(port, seed, scale, northpass_rps, latency_ms, now)
    _finish(lambda: sandbox_command(Console(), options))


@db_app.command()
def upgrade(
    plan: Annotated[bool, typer.Option("--plan", help="Only list what would change.")] = False,
    sql: Annotated[Path | None, typer.Option("--sql", help="Only write the statements, for a DBA to run.")] = None,
) -> None:
    """Create the warehouse's tables, or migrate them to this version. Safe to run again."""
    from lms_assets.console.commands.database import upgrade_command

    _finish(lambda: upgrade_command(Console(), plan_only=plan, sql=sql))


def main() -> None:
    """The console script's entry."""
    # What loading makes stays until the end: looking for garbage in it, and once more in all of it when the process
    # ends, took a third of the time of a command that loads Dagster.
    gc.set_threshold(50_000, 20, 20)
    try:
        sys.exit(app())
    finally:
        gc.freeze()


if __name__ == "__main__":
    main()
