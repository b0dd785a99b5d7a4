"""`lms-assets push plan`, `push history PARTNER` and `push retry PARTNER`.

Everything that a push would send now, and of whom nobody can tell; what was ever sent of one partner; send it again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from datetime import datetime

from rich.console import Console
from rich.text import Text

from lms_assets.assets.tier_4_aggregation_and_push.push_planning import plan_in
from lms_assets.console.command import quoted, settings_from_environment, terminal_user
from lms_assets.console.partner_question import one_partner
from lms_assets.console.tables import Output, Table, deliver, field_words, for_people, terminal
from lms_assets.domain.counting.push import PushPlan
from lms_assets.domain.wording import number_of, visible
from lms_assets.lineage import ancestors
from lms_assets.rules_file import load_rules
from lms_assets.warehouse.bookkeeping.push_log import LoggedField, push_history
from lms_assets.warehouse.engine import Warehouse
from lms_assets.warehouse.reading.foundation import partner_names, stored_partners
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


SEND, CANNOT_TELL = "send", "cannot tell"
PLAN = ("partner", "name", "account", "state", "field", "last_confirmed", "crm_shows", "to_send", "why")
PUSHED = "pushed_partner_cert_counts"


def plan_command(console: Console, output: Output, *, now: datetime) -> int:
    """Print the plan; returns 0 whatever it holds.

    Raises:
        ConfigurationError, WarehouseError: it cannot be read.
    """
    # These load Dagster, which the history does without.
    from lms_assets.checks.base import Look
    from lms_assets.checks.specs import failed_blocking_checks

    settings = settings_from_environment()
    rules = load_rules(settings)
    with Warehouse.opened(settings.warehouse_url) as warehouse, warehouse.read() as connection:
        planned = plan_in(connection, rules, portal_url=settings.portal_url)
        names = partner_names(connection)
        blocked = failed_blocking_checks(Look(connection, rules, now), ancestors((PUSHED,)))
    table = Table("plan", PLAN, list(plan_rows(planned, names)))
    facts = plan_facts(planned, blocked)
    if deliver([table], output, console, facts=facts):
        return 0
    if table.rows:
        console.print(terminal(for_people("plan", PLAN, table.rows)))
        console.print()
    console.print(
        f"To send: {number_of(len(planned.items), 'partner')}, {number_of(facts['fields_to_send'], 'field')}. "
        f"Nothing to send: {number_of(facts['nothing_to_send'], 'partner')}. "
        f"Cannot tell: {number_of(facts['cannot_tell'], 'partner')}.",
        highlight=False,
        soft_wrap=True,
    )
    for name, text in blocked.items():
        console.print(f"A push is blocked by {name}: {quoted(text)}", highlight=False, soft_wrap=True, style="yellow")
    return 0


def plan_facts(planned: PushPlan, blocked: Mapping[str, str]) -> dict[str, object]:
    """The plan in numbers, by partners; `blocked_by`: the checks that a push would stop at."""
    return {
        "partners_to_send": len(planned.items),
        "fields_to_send": sum(len(item.fields) for item in planned.items),
        "nothing_to_send": planned.partners - len(planned.items),
        "cannot_tell": len(planned.facts.withheld) + len(_without_account(planned)),
        "blocked_by": [f"{name}: {text}" for name, text in blocked.items()],
    }


def plan_rows(planned: PushPlan, names: Mapping[int, str]) -> Iterator[dict[str, object]]:
    """A row for each field to send, then one for each partner of which nobody can tell."""
    for item in planned.items:
        partner = planned.facts.row_ids[item.impartner_id]
        again = item.impartner_id in planned.unfinished
        why = "the result of the last sending is not known, so all fields are sent again" if again else None
        shown = planned.shown.get(item.impartner_id, {})
        for field, (confirmed, new) in item.changes.items():
            yield {
                "partner": partner,
                "name": names.get(partner),
                "account": item.impartner_id,
                "state": SEND,
                "field": field,
                "last_confirmed": confirmed,
                "crm_shows": shown.get(field),
                "to_send": new,
                "why": why,
            }
    for partner, reasons in planned.facts.withheld.items():
        text = "withheld: " + "; ".join(each.text for each in reasons)
        yield {"partner": partner, "name": names.get(partner), "state": CANNOT_TELL, "why": text}
    for partner in _without_account(planned):
        yield {"partner": partner, "name": names.get(partner), "state": CANNOT_TELL, "why": "it has no CRM account"}


def _without_account(planned: PushPlan) -> list[int]:
    return [each for each in planned.facts.without_crm_id if each not in planned.facts.withheld]
