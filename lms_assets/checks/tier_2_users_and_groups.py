"""Checks of tier 2: users, groups and memberships are there, linked and recent."""

from __future__ import annotations

from lms_assets.checks.base import Look, blocking, check, present, unless_allowed, warning
from lms_assets.domain.safety.check_results import CheckResult, at_least, no_sudden_fall, none_of
from lms_assets.domain.safety.overrides import FALL_GROUP_LINKS
from lms_assets.domain.schedule import CHAIN
from lms_assets.warehouse.reading.foundation import partner_activity
from lms_assets.warehouse.reading.people import stored_groups
from lms_assets.warehouse.results.links import group_overrides, stored_lost_links
from lms_assets.warehouse.state.baselines import groups_linked_before

MEMBERS_ARE_THERE = "Partners' groups have members; without them counts would fall to 0."


def groups_are_linked(look: Look) -> CheckResult:
    """Groups are linked to partners, and not suddenly far fewer than before."""
    partners = partner_activity(look.connection)
    groups = stored_groups(look.connection, active_only=True)
    linked = sum(bool(partners.get(group.partner_id or 0)) for group in groups)
    if not linked:
        remedy = "Compare group names with partner names, or set links by hand in group_partner_overrides."
        return at_least(0, 1, "groups linked to an active partner", remedy)
    before = groups_linked_before(look.connection)
    remedy = "Were groups or partners renamed?"
    share, minimum = look.rules.mass_deactivation_share, look.rules.mass_deactivation_minimum
    what = "groups linked to an active partner"
    fall = no_sudden_fall(before, linked, share=share, minimum=minimum, what=what, remedy=remedy)
    return unless_allowed(look, FALL_GROUP_LINKS, fall)


def group_links_are_unambiguous(look: Look) -> CheckResult:
    """No group's name fits several partners."""
    groups = stored_groups(look.connection, active_only=True)
    unsure = [f"{group.id}: {group.name}" for group in groups if group.link_method == "ambiguous"]
    remedy = "They are linked to no partner; link them in group_partner_overrides."
    return none_of(unsure, "groups whose name fits several partners", remedy)


def group_links_were_kept(look: Look) -> CheckResult:
    """Every group that was linked to an active partner still is linked to one."""
    names = {group.id: group.name for group in stored_groups(look.connection, active_only=True)}
    lost = [
        f"group {group_id}: {names.get(group_id, 'gone')}, was partner {partner_id}'s"
        for group_id, partner_id in stored_lost_links(look.connection).items()
    ]
    remedy = (
        "Was one of the two renamed? Their people count for no partner. Rename the group in the LMS, or link it in "
        f"group_partner_overrides (partner_id NULL: no partner); then run {CHAIN}."
    )
    return none_of(lost, "groups that lost their link to an active partner", remedy)


def group_overrides_point_to_something(look: Look) -> CheckResult:
    """Every link set by hand names rows that exist."""
    groups = {group.id for group in stored_groups(look.connection)}
    partners = partner_activity(look.connection)
    dangling = [
        group_id
        for group_id, partner_id in group_overrides(look.connection).items()
        if group_id not in groups or (partner_id is not None and partner_id not in partners)
    ]
    remedy = "Correct or remove these rows of group_partner_overrides."
    return none_of(dangling, "links by hand to rows that do not exist", remedy)


def memberships_are_current(look: Look) -> CheckResult:
    """The last sync of memberships went through for every group."""
    entry = look.latest("memberships")
    if entry is None or entry.status != "completed":
        reason = (entry.error_message if entry else None) or "it has not run"
        remedy = f"The last good members stay. Run lms-assets run {CHAIN} --resume once the cause is gone."
        return CheckResult(False, f"The last sync of memberships failed: {reason}", remedy=remedy)
    bad = [f"group {each.entity_id}: {each.reason}" for each in look.failures("memberships")]
    remedy = "These groups keep the members they had; nobody was taken out of them."
    return none_of(bad, "groups whose members could not be read completely", remedy)


CHECKS = (
    present("users", "active LMS users", active=True, blocking=True),
    present("groups", "active groups", active=True, blocking=True),
    blocking("groups", groups_are_linked),
    warning("groups", group_links_are_unambiguous),
    warning("groups", group_links_were_kept, costs_counts=True),
    warning("groups", group_overrides_point_to_something),
    present("memberships", "memberships", text=MEMBERS_ARE_THERE, blocking=True),
    check("memberships", memberships_are_current, degrades=True),
)
