"""`lms-assets push plan`: everything that a push would send now, and of whom nobody can tell. Sends nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime

from rich.console import Console

from lms_assets.assets.tier_4_aggregation_and_push.push_planning import plan_in
from lms_assets.checks.base import Look
from lms_assets.checks.specs import failed_blocking_checks
from lms_assets.console.environment import settings_from_environment
from lms_assets.console.tables import Output, Table, deliver, for_people, terminal
from lms_assets.console.wording import quoted
from lms_assets.domain.counting.push import PushPlan
from lms_assets.domain.wording import number_of
from lms_assets.lineage import ancestors
from lms_assets.rules_file import load_rules
from lms_assets.warehouse.engine import Warehouse
from lms_assets.warehouse.reading.foundation import partner_names

SEND, CANNOT_TELL = "send", "cannot tell"
PLAN = ("partner", "name", "account", "state", "field", "last_confirmed", "crm_shows", "to_send", "why")
PUSHED = "pushed_partner_cert_counts"


def plan_command(console: Console, output: Output, *, now: datetime) -> int:
    """Print the plan; returns 0 whatever it holds.

    Raises:
        ConfigurationError, WarehouseError: it cannot be read.
    """
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
        why = "the last sending has no known end, so all is sent again" if again else None
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
