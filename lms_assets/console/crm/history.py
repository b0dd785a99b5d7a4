"""`lms-assets push history PARTNER` and `push retry PARTNER`: what was ever sent of one partner; send it again."""

from __future__ import annotations

from dataclasses import asdict

from rich.console import Console
from rich.text import Text

from lms_assets.console.asked_partner import one_partner
from lms_assets.console.environment import settings_from_environment, terminal_user
from lms_assets.console.tables import Output, Table, deliver, field_words, terminal
from lms_assets.console.wording import quoted
from lms_assets.domain.wording import visible
from lms_assets.rules_file import load_rules
from lms_assets.warehouse.bookkeeping.push_log import LoggedField, push_history
from lms_assets.warehouse.engine import Warehouse
from lms_assets.warehouse.reading.foundation import stored_partners
from lms_assets.warehouse.reading.withheld import withheld_partners

NOT_KNOWN = "not known"
PUSH_JOB = "push_to_impartner"
COLUMNS = tuple(LoggedField.__slots__)


def history_command(asked: str, console: Console, output: Output) -> int:
    """Print everything that the log holds of a partner, the newest call first; returns 0.

    Raises:
        ConfigurationError: no such partner, or several.
    """
    with Warehouse.opened(settings_from_environment().warehouse_url) as warehouse, warehouse.read() as connection:
        partner = one_partner(connection, asked)
        account = next(each for each in stored_partners(connection) if each.id == partner.id).impartner_id
        found = push_history(connection, partner.id, account)
    rows = [{**asdict(each), "outcome": each.outcome or NOT_KNOWN} for each in found]
    facts = {"partner": partner.id, "name": partner.name, "account": account}
    if deliver([Table("history", COLUMNS, rows)], output, console, facts=facts):
        return 0
    console.print(Text(f"{visible(partner.name)}  #{partner.id}, CRM account {account or 'none'}", "bold"))
    if not found:
        console.print("Nothing was sent of it in the last 400 days.", highlight=False)
    for call in dict.fromkeys((each.sent_at, each.run_id, each.attempt) for each in found):
        _print_call(console, [each for each in found if (each.sent_at, each.run_id, each.attempt) == call])
    return 0


def _print_call(console: Console, fields: list[LoggedField]) -> None:
    """One sending: when and by which run, its fields, and what the CRM said."""
    first = fields[0]
    attempt = f", attempt {first.attempt}" if first.attempt > 1 else ""
    console.print(
        f"\n{first.sent_at:%Y-%m-%d %H:%M:%S} UTC, run {(first.run_id or 'unknown')[:8]}{attempt}", highlight=False
    )
    rows = [
        {"field": field_words(each.field), "sent": _sent(each), "outcome": each.outcome or NOT_KNOWN} for each in fields
    ]
    console.print(terminal(Table("call", ("field", "sent", "outcome"), rows)))
    said = {f"{each.answer_code or ''} {each.answer}".strip() for each in fields if each.answer}
    for text in sorted(said):
        console.print(f"The CRM: {quoted(text)}", highlight=False, soft_wrap=True, style="yellow")
    if any(each.outcome is None for each in fields):
        console.print("The run ended before the answer was known; the next push sends all again.", style="yellow")


def _sent(field: LoggedField) -> str:
    """What was confirmed before and what was sent, with what the CRM showed before and after where that differs."""
    text = f"{field.last_confirmed or 'nothing'} → {field.sent or 'nothing'}"
    if field.crm_showed is not None and field.crm_showed != field.last_confirmed:
        text += f", the CRM showed {field.crm_showed}"
    if field.outcome == "differs" and field.read_back != field.sent:
        text += f", reads back {field.read_back or 'nothing'}"
    return text


def retry_command(asked: str, console: Console, *, no_wait: bool = False) -> int:
    """Send one partner again, whole, through the job that pushes: its checks, limits and write lock hold.

    Returns 0 when it was confirmed, 1 when it is withheld or was not confirmed.

    Raises:
        ConfigurationError: no such partner, several, or one that the CRM does not know.
    """
    settings = settings_from_environment()
    with Warehouse.opened(settings.warehouse_url) as warehouse, warehouse.read() as connection:
        partner = one_partner(connection, asked)
        row = next(each for each in stored_partners(connection) if each.id == partner.id)
        reasons = withheld_partners(connection, load_rules(settings)).get(partner.id, ())
    obstacle = _obstacle(row.is_active, row.impartner_id, [each.text for each in reasons])
    if obstacle:
        console.print(f"[red]✗[/] {quoted(partner.name)}: {quoted(obstacle)}", highlight=False, soft_wrap=True)
        return 1
    from lms_assets.console.running.run import RunOptions, run_command

    options = RunOptions(PUSH_JOB, push_partner=partner.id, by=terminal_user(), no_wait=no_wait)
    return run_command(options, console)


def _obstacle(active: bool, account: int | None, reasons: list[str]) -> str | None:
    """Why this partner cannot be sent at all."""
    if not active:
        return "it is not active, so nothing is sent of it"
    if account is None:
        return "it has no CRM account"
    if reasons:
        return "withheld, nothing was sent: " + "; ".join(reasons)
    return None
