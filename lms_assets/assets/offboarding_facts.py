"""The offboarding plan as the warehouse's facts give it now: one for whoever writes a plan and whoever applies it."""

from __future__ import annotations

from collections.abc import Iterable

from lms_assets.domain.affiliations import GroupFacts
from lms_assets.domain.groups import is_kept_group
from lms_assets.domain.offboarding import Removal, plan_offboarding
from lms_assets.domain.rules import Rules
from lms_assets.warehouse import reading
from lms_assets.warehouse.engine import Connection


def everybody_groups(connection: Connection, rules: Rules) -> list[str]:
    """Ids of the groups of everybody with partner access."""
    return [each.id for each in reading.groups(connection, active_only=True) if is_kept_group(each.name, rules)]


def removals_now(
    connection: Connection, rules: Rules, *, also_members: Iterable[tuple[str, str]] = ()
) -> tuple[Removal, ...]:
    """Who would be taken out of which group, and why (see `plan_offboarding`).

    Args:
        also_members: (group, person) taken out already by the plan that is being carried out: what it has done itself
            must not count as a fact that changed.
    """
    everybody = everybody_groups(connection, rules)
    return plan_offboarding(
        reading.partner_activity(connection),
        reading.person_facts(connection),
        (*reading.group_facts(connection), *(GroupFacts(each, None) for each in everybody)),
        (*reading.members(connection), *also_members),
        reading.contact_facts(connection),
        everybody_group_ids=everybody,
    )
