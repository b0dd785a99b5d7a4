"""What a push would send, and which partners are withheld, as the warehouse has it now: a command can show it, too."""

from __future__ import annotations

from collections.abc import Mapping

from lms_assets.domain.counting.push import PushFacts, PushPlan, plan_whole_push
from lms_assets.domain.counting.push_plan import Value, desired_fields
from lms_assets.domain.linking.group_links import GroupLink, naming_groups
from lms_assets.domain.records.groups import LmsGroup
from lms_assets.domain.rules import Rules
from lms_assets.warehouse.engine import Connection, Warehouse
from lms_assets.warehouse.reading.foundation import stored_partner_counts, stored_partners
from lms_assets.warehouse.reading.people import stored_groups
from lms_assets.warehouse.reading.withheld import withheld_partners
from lms_assets.warehouse.state.pushed_values import push_memory, shown_accounts


def plan_of(warehouse: Warehouse, rules: Rules, *, portal_url: str | None, only: int | None = None) -> PushPlan:
    """What differs from what the CRM last confirmed or shows, for every active partner that the CRM knows. Reads only.

    Args:
        only: the row id of a partner: nobody else is sent, and it is sent whole.
    """
    with warehouse.read() as connection:
        return plan_in(connection, rules, portal_url=portal_url, only=only)


def plan_in(connection: Connection, rules: Rules, *, portal_url: str | None, only: int | None = None) -> PushPlan:
    """What `plan_of` gives, read in a transaction that has begun; reads only."""
    partners = [row for row in stored_partners(connection) if row.is_active]
    withheld = withheld_partners(connection, rules)
    known = {row.impartner_id: row.id for row in partners if row.impartner_id is not None and row.id not in withheld}
    facts = PushFacts(
        desired=_desired(connection, known, rules, portal_url),
        row_ids=known,
        without_crm_id=tuple(row.id for row in partners if row.impartner_id is None),
        withheld=withheld,
        memory=push_memory(connection),
        listed=shown_accounts(connection),
    )
    return plan_whole_push(facts, resend_drift=rules.crm_drift == "resend", only=only)


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
