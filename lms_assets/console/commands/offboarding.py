"""`lms-assets offboarding`: shows plans of who would leave which LMS group, and notes that a person has reviewed one.

People appear by their LMS id. Nothing here removes anybody: `lms-assets run offboarding_apply --plan ID` does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from rich.console import Console
from rich.table import Table
from rich.text import Text

from lms_assets.console.command import settings_from_environment
from lms_assets.console.offboarding_plans import how_to_review, progress_text, removals_text
from lms_assets.domain.safety.offboarding import OLDEST, Plan, PlanItem
from lms_assets.domain.wording import visible
from lms_assets.settings import ConfigurationError
from lms_assets.warehouse.engine import Connection, Warehouse
from lms_assets.warehouse.reading.foundation import stored_partners
from lms_assets.warehouse.reading.people import stored_groups
from lms_assets.warehouse.state.offboarding_plans import items_of, newest_plans, note_review, plan_row


def show_command(plan_id: int | None, console: Console) -> int:
    """Print one plan with all its removals, or the newest plans when no id is given; returns 0.

    Raises:
        ConfigurationError: there is no such plan.
    """
    with Warehouse.opened(settings_from_environment().warehouse_url) as warehouse, warehouse.read() as connection:
        if plan_id is None:
            print_plans(console, newest_plans(connection))
        else:
            show_plan(console, connection, plan_id)
    return 0


def review_command(plan_id: int, by: str, console: Console, *, now: datetime) -> int:
    """Note who has reviewed a plan; returns 0. `now` is UTC.

    Raises:
        ConfigurationError: no such plan, not a proposed one, too old to be applied, or nobody's name.
    """
    with (
        Warehouse.opened(settings_from_environment().warehouse_url) as warehouse,
        warehouse.transaction() as connection,
    ):
        plan = review(connection, plan_id, by, now=now)
    until = f"{plan.created_at + OLDEST:%Y-%m-%d %H:%M} UTC"
    text = f"Plan {plan.id} is reviewed. Until {until}: lms-assets run offboarding_apply --plan {plan.id}"
    console.print(text, highlight=False, soft_wrap=True)
    return 0


def review(connection: Connection, plan_id: int, by: str, *, now: datetime) -> Plan:
    """Note the review; gives the plan.

    Raises:
        ConfigurationError: as `review_command`; nothing was changed.
    """
    plan = _plan(connection, plan_id)
    if not by.strip():
        raise ConfigurationError(["--by must be the name of whoever has looked at the plan"])
    if now - plan.created_at > OLDEST:
        raise ConfigurationError([f"plan {plan_id} is more than a day old; {_NEW_PLAN}"])
    if not note_review(connection, plan_id, by=by.strip(), now=now):
        raise ConfigurationError([f"plan {plan_id} is {plan.status}; only a proposed one can be reviewed. {_NEW_PLAN}"])
    return plan


_NEW_PLAN = "A new one is made by: lms-assets run offboarding_plan"


def show_plan(console: Console, connection: Connection, plan_id: int) -> None:
    """Print a plan: what has come of it, and every removal with its reason.

    Raises:
        ConfigurationError: there is no such plan.
    """
    plan = _plan(connection, plan_id)
    items = items_of(connection, plan_id)
    groups = {each.id: each.name for each in stored_groups(connection)}
    partners = {each.id: each.account_name for each in stored_partners(connection)}
    reviewed = f", reviewed by {plan.reviewed_by} at {plan.reviewed_at:%Y-%m-%d %H:%M} UTC" if plan.reviewed_by else ""
    console.print(Text(f"Plan {plan.id} of {plan.created_at:%Y-%m-%d %H:%M} UTC: {plan.status}{reviewed}", "bold"))
    console.print(Text(progress_text(items)))
    if items:
        console.print(_table(items, groups, partners))
    if plan.status == "proposed" and items:
        console.print(Text(how_to_review(plan.id)), soft_wrap=True)


def print_plans(console: Console, plans: Sequence[Plan]) -> None:
    """A line for each plan."""
    if not plans:
        console.print(f"There is no offboarding plan yet. {_NEW_PLAN}", highlight=False)
    for plan in plans:
        size = removals_text(plan.summary.get("removals", "?"), plan.summary.get("people", "?"))
        by = f" by {plan.reviewed_by}" if plan.reviewed_by else ""
        console.print(Text(f"Plan {plan.id} of {plan.created_at:%Y-%m-%d %H:%M} UTC: {size}, {plan.status}{by}"))


def _plan(connection: Connection, plan_id: int) -> Plan:
    plan = plan_row(connection, plan_id)
    if plan is None:
        raise ConfigurationError([f"there is no offboarding plan {plan_id}; lms-assets offboarding show lists them"])
    return plan


def _table(items: Sequence[PlanItem], groups: Mapping[str, str], partners: Mapping[int, str]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for name in ("group", "person", "partner", "why", "state"):
        table.add_column(name, overflow="fold")
    for each in items:
        removal = each.removal
        number = removal.partner_id
        partner = f"#{number} {partners.get(number, '')}".strip() if number is not None else "\u2013"
        state = f"{each.status}: {each.error}" if each.error else each.status
        cells = groups.get(removal.group_id, removal.group_id), removal.user_id, partner, removal.reason, state
        table.add_row(*(Text(visible(cell)) for cell in cells))
    return table
