"""`lms-assets reconcile`: what the CRM shows now against what it confirmed to us, partner by partner. Only reads."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from rich.console import Console

from lms_assets.assets.tier_4_aggregation_and_push.push_planning import plan_in
from lms_assets.console.command import quoted, settings_from_environment
from lms_assets.console.tables import Output, Table, deliver, for_people, terminal
from lms_assets.domain.counting.push import PushPlan
from lms_assets.domain.counting.push_plan import Shown, fields_shown, same_value, shown_otherwise, target_fields
from lms_assets.domain.records.partners import StoredPartner
from lms_assets.domain.wording import number_of
from lms_assets.resources import impartner_client
from lms_assets.rules_file import load_rules
from lms_assets.vendors.transport.errors import VendorError
from lms_assets.warehouse.engine import Warehouse
from lms_assets.warehouse.reading.foundation import stored_partners
from lms_assets.warehouse.state.pushed_values import shown_accounts

EQUAL, DIFFERS, NEVER_SENT, WITHHELD, CANNOT_TELL = "equal", "differs", "never sent", "withheld", "cannot tell"
ORDER = (DIFFERS, CANNOT_TELL, WITHHELD, NEVER_SENT, EQUAL)
COLUMNS = ("partner", "name", "account", "state", "field", "ours", "theirs", "since", "why")
UNFINISHED = "the result of the last sending is not known; the next push sends all fields again"


@dataclass(frozen=True)
class Both:
    """The two sides: what we know, and what the CRM shows of each account now. `listed`: what it showed at night.

    `fields`: those that are compared; `hidden`: confirmed ones that the CRM shows for no account.
    """

    partners: tuple[StoredPartner, ...]
    planned: PushPlan
    listed: Mapping[int, Shown]
    now: Mapping[int, Mapping[str, Any]]
    fields: tuple[str, ...]
    hidden: tuple[str, ...]


def reconcile_command(console: Console, output: Output) -> int:
    """Print the comparison; returns 1 when a field differs or cannot be compared, or the CRM did not answer, else 0.

    Raises:
        ConfigurationError, WarehouseError: there is nothing to compare with.
    """
    try:
        both = _read()
    except VendorError as error:
        console.print(f"[red]✗[/] {quoted(error)}", highlight=False, soft_wrap=True)
        return 1
    rows = sorted(reconcile_rows(both), key=lambda row: ORDER.index(str(row["state"])))
    states = Counter({str(row["partner"]): row["state"] for row in reversed(rows)}.values())
    table = Table("partners", COLUMNS, rows)
    facts = {**{state.replace(" ", "_"): states[state] for state in ORDER}, "not_compared": list(both.hidden)}
    code = 1 if states[DIFFERS] or both.hidden else 0
    if deliver([table], output, console, facts=facts):
        return code
    shown = [row for row in rows if row["state"] != EQUAL]
    if shown:
        console.print(terminal(for_people("partners", COLUMNS, shown)))
        console.print()
    said = ", ".join(f"{state} {states[state]:,}" for state in reversed(ORDER))
    console.print(f"{number_of(len(both.partners), 'partner')}: {said}", highlight=False, soft_wrap=True)
    if both.hidden:
        text = "Not compared, since the CRM shows it for no account (all emptied, or not readable with this key): "
        console.print(text + ", ".join(both.hidden), highlight=False, soft_wrap=True, style="yellow")
    return code


def _read() -> Both:
    """What we know first, then what the CRM shows: a push that begins in between can only be seen as one of ours."""
    settings = settings_from_environment()
    rules = load_rules(settings)
    with Warehouse.opened(settings.warehouse_url) as warehouse, warehouse.read() as connection:
        partners = tuple(each for each in stored_partners(connection) if each.is_active)
        planned = plan_in(connection, rules, portal_url=settings.portal_url)
        listed = shown_accounts(connection)
    accounts = [each.impartner_id for each in partners if each.impartner_id is not None]
    names = target_fields(rules, settings.portal_url)
    with impartner_client(settings) as client:
        now = client.by_ids("Account", accounts, names)
    seen = fields_shown(names, list(now.values()))
    confirmed = {
        name
        for account in accounts
        if account in planned.facts.memory and account in now
        for name, value in planned.facts.memory[account].fields.items()
        if not same_value(value, None)
    }
    hidden = tuple(name for name in names if name in confirmed and name not in seen)
    return Both(partners, planned, listed, now, seen, hidden)


def reconcile_rows(both: Both) -> Iterator[dict[str, object]]:
    """A row for each partner, or one for each of its fields that differs; one more where it is withheld."""
    for partner in both.partners:
        base = {"partner": partner.id, "name": partner.account_name, "account": partner.impartner_id}
        reasons = both.planned.facts.withheld.get(partner.id, ())
        if reasons:
            yield {**base, "state": WITHHELD, "why": "; ".join(each.text for each in reasons)}
        state, why = _state(both, partner.impartner_id)
        if state is not None:
            if not reasons or state == CANNOT_TELL:
                yield {**base, "state": state, "why": why}
            continue
        differing = _differing(both, partner.impartner_id)
        for row in differing:
            yield {**base, "state": DIFFERS, **row}
        if not differing and not reasons:
            yield {**base, "state": EQUAL}


def _state(both: Both, account: int | None) -> tuple[str | None, str | None]:
    """The state of a partner of which no field can be compared, and why; None where they can."""
    pushed = both.planned.facts.memory.get(account) if account is not None else None
    if account is None:
        return CANNOT_TELL, "it has no CRM account"
    if account not in both.now:
        return CANNOT_TELL, "the CRM no longer has the account"
    if account in both.planned.unfinished:
        return CANNOT_TELL, UNFINISHED
    if pushed is None or not pushed.fields:
        return NEVER_SENT, None
    if not any(name in pushed.fields for name in both.fields):
        return CANNOT_TELL, "the CRM shows none of its fields, for no account"
    return None, None


def _differing(both: Both, account: int | None) -> list[dict[str, object]]:
    """The fields of an account that show something else than was confirmed."""
    if account is None:
        return []
    confirmed = both.planned.facts.memory[account].fields
    shown = {name: both.now[account].get(name) for name in both.fields}
    listed = both.listed.get(account)
    return [
        {"field": name, "ours": confirmed[name], "theirs": theirs, "since": listed.since.get(name) if listed else None}
        for name, theirs in shown_otherwise(confirmed, shown).items()
    ]
