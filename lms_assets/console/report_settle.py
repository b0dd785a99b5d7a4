"""`lms-assets report settle`: report mails of which nobody knows whether they arrived, and what a person found out.

People appear as `pam 12` and `executive 3`, the numbers of their rows; never by name or address.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from rich.console import Console
from rich.table import Table

from lms_assets.console.environment import settings_from_environment
from lms_assets.domain.report_recipients import FREQUENCIES
from lms_assets.reports.delivery import period_of
from lms_assets.settings import ConfigurationError
from lms_assets.warehouse.email_log import (
    UnknownOutcome,
    settle_as_sent,
    settle_for_sending_again,
    unknown_outcomes,
)
from lms_assets.warehouse.engine import Connection, Warehouse

ON_ITS_WAY = timedelta(minutes=10)
"""The mailer waits a minute for an answer; a message handed over longer ago than this gets none."""


@dataclass(frozen=True)
class SettleOptions:
    """Numbers of messages (`email_log.id`) that arrived, and of those to be sent again; `by`: who looked."""

    sent: Sequence[int] = ()
    resend: Sequence[int] = ()
    by: str = ""


def settle_command(options: SettleOptions, console: Console, *, now: datetime) -> int:
    """List what is unsettled, or settle all that is named or nothing of it; returns 0. `now` is UTC.

    Raises:
        ConfigurationError: a number names no unsettled message, or one that may still be on its way.
    """
    warehouse = Warehouse(settings_from_environment().warehouse_url)
    try:
        warehouse.require_current_schema()
        if options.sent or options.resend:
            with warehouse.transaction() as connection:
                lines = settle(connection, options, now=now)
            console.print("\n".join(lines), highlight=False, soft_wrap=True)
            return 0
        with warehouse.read() as connection:
            found = unknown_outcomes(connection)
    finally:
        warehouse.close()
    print_unsettled(console, found)
    return 0


def settle(connection: Connection, options: SettleOptions, *, now: datetime) -> list[str]:
    """Settle what is named; a line about each.

    Raises:
        ConfigurationError: as `settle_command`; nothing was changed.
    """
    known = {message.id: message for message in unknown_outcomes(connection)}
    if problems := _problems(options, known, now):
        raise ConfigurationError(problems)
    lines = []
    for number in dict.fromkeys(options.sent):
        if settle_as_sent(connection, known[number], by=options.by, now=now):
            lines.append(f"{_named(known[number])} is noted as sent.")
    for number in dict.fromkeys(options.resend):
        if settle_for_sending_again(connection, known[number], by=options.by, now=now):
            lines.append(f"{_named(known[number])} {_sent_again(known[number], now)}")
    return lines


def print_unsettled(console: Console, found: Sequence[UnknownOutcome]) -> None:
    """A line for each message, and what to do."""
    if not found:
        console.print("Every report mail is settled.", highlight=False)
        return
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for name in ("ID", "report", "period", "whose", "handed over (UTC)"):
        table.add_column(name, no_wrap=True)
    for each in found:
        handed = f"{each.handed_over_at:%Y-%m-%d %H:%M:%S}"
        table.add_row(str(each.id), each.report, each.period, each.reference, handed)
    console.print(table)
    console.print(
        "Look for each in the mail server's log, then: lms-assets report settle --sent ID, or --resend ID",
        highlight=False,
        soft_wrap=True,
    )


def _problems(options: SettleOptions, known: Mapping[int, UnknownOutcome], now: datetime) -> list[str]:
    both = sorted({*options.sent} & {*options.resend})
    problems = [f"message {number}: --sent and --resend exclude each other" for number in both]
    for number in dict.fromkeys((*options.sent, *options.resend)):
        if number not in known:
            problems.append(f"message {number} is not among the unsettled; lms-assets report settle lists those")
        elif now - known[number].handed_over_at < ON_ITS_WAY:
            later = known[number].handed_over_at + ON_ITS_WAY
            problems.append(f"message {number} may still be on its way; settle it after {later:%H:%M} UTC")
    return problems


def _named(message: UnknownOutcome) -> str:
    return f"Message {message.id} ({message.report} of {message.period}, {message.reference})"


def _sent_again(message: UnknownOutcome, now: datetime) -> str:
    if message.period in {period_of(frequency, now) for frequency in FREQUENCIES}:
        return "is sent again by the next lms-assets run weekly_reports."
    return "is noted as not delivered. Its period is over: no run sends it any more, the next report follows."
