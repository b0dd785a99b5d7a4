"""What a push would send, and which partners are withheld. Reads the warehouse only, so that a command can show it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from lms_assets.domain.counting.push_plan import PushItem, Value, desired_fields, plan_push
from lms_assets.domain.linking.group_links import GroupLink, naming_groups
from lms_assets.domain.records.groups import LmsGroup
from lms_assets.domain.rules import Rules
from lms_assets.domain.safety.withheld import WithheldReason
from lms_assets.warehouse.engine import Connection, Warehouse
from lms_assets.warehouse.reading.foundation import stored_partner_counts, stored_partners
from lms_assets.warehouse.reading.people import stored_groups
from lms_assets.warehouse.reading.withheld import withheld_partners
from lms_assets.warehouse.state.crm_shown import compared, shown_accounts, shown_since
from lms_assets.warehouse.state.pushed_values import Pushed, push_memory


@dataclass(frozen=True)
class Planned:
    """What a push would send: `partners` are looked at, `without_crm_id` cannot be sent.

    `withheld`: row ids of partners whose counts must not leave, and why.
    `first`: the CRM has confirmed nothing yet.
    `memory`: what the CRM confirmed, by account; `shown`: what it showed since, by account and field.
    `unfinished`: accounts whose last sending has no known end, so that all of their fields are sent again.
    `row_ids`: the partner of each account.
    """

    items: tuple[PushItem, ...]
    partners: int
    without_crm_id: tuple[int, ...]
    withheld: Mapping[int, tuple[WithheldReason, ...]] = field(default_factory=dict)
    first: bool = False
    memory: Mapping[int, Pushed] = field(default_factory=dict)
    shown: Mapping[int, Mapping[str, Any]] = field(default_factory=dict)
    unfinished: frozenset[int] = frozenset()
    row_ids: Mapping[int, int] = field(default_factory=dict)


def plan_of(warehouse: Warehouse, rules: Rules, *, portal_url: str | None, only: int | None = None) -> Planned:
    """What differs from what the CRM last confirmed or shows, for every active partner that the CRM knows. Reads only.

    Args:
        only: the row id of a partner: nobody else is sent, and it is sent whole.
    """
    with warehouse.read() as connection:
        return plan_in(connection, rules, portal_url=portal_url, only=only)


def plan_in(connection: Connection, rules: Rules, *, portal_url: str | None, only: int | None = None) -> Planned:
    """What `plan_of` gives, read in a transaction that has begun; reads only."""
    partners = [row for row in stored_partners(connection) if row.is_active]
    withheld = withheld_partners(connection, rules)
    memory, listed = push_memory(connection), shown_accounts(connection)
    known = {row.impartner_id: row.id for row in partners if row.impartner_id is not None and row.id not in withheld}
    desired = _desired(connection, known, rules, portal_url)
    unfinished = {impartner_id for impartner_id, pushed in memory.items() if _is_unfinished(pushed)}
    trusted = {key: {} if key in unfinished else pushed.fields for key, pushed in memory.items()}
    drift = {key: compared(memory[key], shown) for key, shown in listed.items() if key in memory}
    wanted = {key: fields for key, fields in desired.items() if only in (None, known[key])}
    return Planned(
        plan_push(
            wanted,
            trusted,
            shown=drift if rules.crm_drift == "resend" else {},
            whole=frozenset() if only is None else frozenset(wanted),
        ),
        len(desired),
        tuple(row.id for row in partners if row.impartner_id is None),
        withheld,
        not any(each.fields for each in memory.values()),
        memory,
        {key: shown_since(pushed, listed.get(key)) for key, pushed in memory.items()},
        frozenset(unfinished),
        known,
    )


def _desired(
    connection: Connection, known: Mapping[int, int], rules: Rules, portal_url: str | None
) -> dict[int, dict[str, Value]]:
    """What the CRM should show of each account; `known` is account to partner."""
    counts = stored_partner_counts(connection)
    groups = stored_groups(connection, active_only=True)
    named = naming_groups(
        [GroupLink(each.id, each.partner_id, each.link_method or "none") for each in groups],  # type: ignore[arg-type]
        [LmsGroup(each.id, each.name, None, each.user_count) for each in groups],
    )
    desired = {}
    for impartner_id, partner_id in known.items():
        group = named.get(partner_id)
        desired[impartner_id] = desired_fields(
            counts[partner_id],
            partner_id=partner_id,
            group_name=group.name if group else None,
            rules=rules,
            portal_url=portal_url,
        )
    return desired


def _is_unfinished(pushed: Pushed) -> bool:
    """A later attempt than the confirmed one never came to an end: its values may stand in the CRM."""
    return pushed.last_attempt_at is not None and (
        pushed.confirmed_at is None or pushed.last_attempt_at > pushed.confirmed_at
    )
