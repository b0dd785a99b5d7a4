"""`lms-assets report preview`: builds one report from the warehouse as it is and writes it as a file. Sends nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from lms_assets.console.command import settings_from_environment
from lms_assets.domain.counting.report_facts import FREQUENCIES
from lms_assets.domain.rules import Rules
from lms_assets.reports.config import ReportConfig
from lms_assets.reports.delivery.deliver import FILE_SENDER
from lms_assets.reports.delivery.message import build_message, write_files
from lms_assets.reports.delivery.recipients import EXECUTIVE, PAM, Addressee, period_of
from lms_assets.reports.figures.executive import ExecutiveReport, build_executive_report
from lms_assets.reports.figures.inputs import NothingCounted, ReportInputs, report_inputs_from
from lms_assets.reports.figures.pam import PamReport, build_pam_report, partners_of
from lms_assets.reports.rendering.render import Renderer
from lms_assets.settings import ConfigurationError
from lms_assets.warehouse.bookkeeping.email_log import (
    UnknownOutcome,
    resolve_as_sent,
    resolve_for_sending_again,
    unknown_outcomes,
)
from lms_assets.warehouse.engine import Connection, Warehouse


@dataclass(frozen=True)
class PreviewOptions:
    """Which report: an owner's (`owner` as `account_owner` says it), or the executives' when None."""

    owner: str | None = None


def preview_command(
    options: PreviewOptions, console: Console, *, rules: Rules, config: ReportConfig, now: datetime
) -> int:
    """Write the report's `.html` and `.eml` under `reports_dir/preview/` and print the path; returns 0.

    Raises:
        ConfigurationError: nothing has been counted yet, or no partner has that owner.
    """
    settings = settings_from_environment()
    with Warehouse.opened(settings.warehouse_url) as warehouse:
        inputs = read_report_inputs(warehouse, rules=rules, config=config, now=now)
    page = write_preview(inputs, options, settings.reports_dir, now=now)
    console.print(Text.assemble(("✓ ", "green"), f"{page}"), soft_wrap=True)
    return 0


def read_report_inputs(warehouse: Warehouse, *, rules: Rules, config: ReportConfig, now: datetime) -> ReportInputs:
    """What the report of the running week is made from, as of the last count.

    Raises:
        ConfigurationError: nothing has been counted yet.
    """
    try:
        return report_inputs_from(warehouse, rules=rules, config=config, now=now)
    except NothingCounted as error:
        raise ConfigurationError([str(error)]) from None


def write_preview(inputs: ReportInputs, options: PreviewOptions, folder: Path, *, now: datetime) -> Path:
    """Build, render and write one report; gives the path of its HTML.

    Raises:
        ConfigurationError: no partner has that owner; the message names those who have one.
    """
    if options.owner is None:
        report: PamReport | ExecutiveReport = build_executive_report(inputs)
        email_type, reference = EXECUTIVE, "executive"
    else:
        if not partners_of(inputs.partners, [options.owner]):
            owners = sorted({partner.owner for partner in inputs.partners if partner.owner})
            raise ConfigurationError([f"no partner has the owner {options.owner!r}; owners are: {', '.join(owners)}"])
        report = build_pam_report(inputs, [options.owner])
        email_type, reference = PAM, f"pam {options.owner}"
    rendered = Renderer(inputs.config).render(report)
    addressee = Addressee(email_type, reference, period_of("weekly", now), "", "")
    key = addressee.message_key
    message = build_message(rendered, to="", name="", mail_from=FILE_SENDER, message_key=key, now=now)
    page, _ = write_files(folder / "preview", addressee, rendered, message)
    return page


ON_ITS_WAY = timedelta(minutes=10)
"""The mailer waits a minute for an answer; a message handed over longer ago than this gets none."""


@dataclass(frozen=True)
class ResolveOptions:
    """Numbers of messages (`email_log.id`) that arrived, and of those to be sent again; `by`: who looked."""

    sent: Sequence[int] = ()
    resend: Sequence[int] = ()
    by: str = ""


def resolve_command(options: ResolveOptions, console: Console, *, now: datetime) -> int:
    """List what is unresolved, or resolve all that is named or nothing of it; returns 0. `now` is UTC.

    Raises:
        ConfigurationError: a number names no unresolved message, or one that may still be on its way.
    """
    with Warehouse.opened(settings_from_environment().warehouse_url) as warehouse:
        if options.sent or options.resend:
            with warehouse.transaction() as connection:
                lines = resolve(connection, options, now=now)
            console.print("\n".join(lines), highlight=False, soft_wrap=True)
            return 0
        with warehouse.read() as connection:
            found = unknown_outcomes(connection)
    print_unresolved(console, found)
    return 0


def resolve(connection: Connection, options: ResolveOptions, *, now: datetime) -> list[str]:
    """Resolve what is named; a line about each.

    Raises:
        ConfigurationError: as `resolve_command`; nothing was changed.
    """
    known = {message.id: message for message in unknown_outcomes(connection)}
    if problems := _problems(options, known, now):
        raise ConfigurationError(problems)
    lines = []
    for number in dict.fromkeys(options.sent):
        if resolve_as_sent(connection, known[number], by=options.by, now=now):
            lines.append(f"{_named(known[number])} is noted as sent.")
    for number in dict.fromkeys(options.resend):
        if resolve_for_sending_again(connection, known[number], by=options.by, now=now):
            lines.append(f"{_named(known[number])} {_sent_again(known[number], now)}")
    return lines


def print_unresolved(console: Console, found: Sequence[UnknownOutcome]) -> None:
    """A line for each message, and what to do."""
    if not found:
        console.print("Every report mail is resolved.", highlight=False)
        return
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for name in ("ID", "report", "period", "whose", "handed over (UTC)"):
        table.add_column(name, no_wrap=True)
    for each in found:
        handed = f"{each.handed_over_at:%Y-%m-%d %H:%M:%S}"
        table.add_row(str(each.id), each.report, each.period, each.reference, handed)
    console.print(table)
    console.print(
        "Look for each in the mail server's log, then: lms-assets report resolve --sent ID, or --resend ID",
        highlight=False,
        soft_wrap=True,
    )


def _problems(options: ResolveOptions, known: Mapping[int, UnknownOutcome], now: datetime) -> list[str]:
    both = sorted({*options.sent} & {*options.resend})
    problems = [f"message {number}: --sent and --resend exclude each other" for number in both]
    for number in dict.fromkeys((*options.sent, *options.resend)):
        if number not in known:
            problems.append(f"message {number} is not among the unresolved; lms-assets report resolve lists those")
        elif now - known[number].handed_over_at < ON_ITS_WAY:
            later = known[number].handed_over_at + ON_ITS_WAY
            problems.append(f"message {number} may still be on its way; resolve it after {later:%H:%M} UTC")
    return problems


def _named(message: UnknownOutcome) -> str:
    return f"Message {message.id} ({message.report} of {message.period}, {message.reference})"


def _sent_again(message: UnknownOutcome, now: datetime) -> str:
    if message.period in {period_of(frequency, now) for frequency in FREQUENCIES}:
        return "is sent again by the next lms-assets run weekly_reports."
    return "is noted as not delivered. Its period is over: no run sends it any more, the next report follows."
