"""What a sync of the LMS groups writes: each group with its partner, and which groups leave."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lms_assets.domain.linking.group_links import GroupLink, LinkablePartner, link_groups, lost_links
from lms_assets.domain.records.groups import LmsGroup, StoredGroup
from lms_assets.domain.records.partners import StoredPartner
from lms_assets.domain.rules import Rules
from lms_assets.domain.safety.confirmation import (
    Answers,
    Doubt,
    ListingResult,
    confirm_changed,
    confirm_missing,
    is_excluded,
)


@dataclass(frozen=True)
class LinkedTo:
    """What links of groups rest on: partners, links set by hand, and the links lost at earlier syncs."""

    partners: Sequence[StoredPartner]
    overrides: Mapping[str, int | None]
    lost_before: Mapping[str, int]

    @property
    def linkable(self) -> list[LinkablePartner]:
        """The partners as linking wants them."""
        return [LinkablePartner(row.id, row.account_name, row.is_active) for row in self.partners]


@dataclass(frozen=True, slots=True)
class GroupRow:
    """A row of `lms_groups`."""

    id: str
    name: str
    description: str | None
    user_count: int | None
    partner_id: int | None
    link_method: str
    link_score: float
    is_active: bool = True
    deleted_at: None = None
    deletion_reason: None = None


@dataclass(frozen=True)
class GroupPlan:
    """What is to be written of the LMS groups.

    Attributes:
        listing: what was read, incomplete where answers by id contradict it.
        links: what was found for each group, by id.
        gone: ids of groups that are no longer there. `excluded`: of those that a rule leaves out now.
        lost: groups that were an active partner's and are nobody's now, each with that partner's id.
    """

    listing: ListingResult[LmsGroup]
    rows: tuple[GroupRow, ...]
    links: Mapping[str, GroupLink]
    gone: frozenset[str]
    excluded: frozenset[str]
    lost: Mapping[str, int]


def doubtful_groups(listing: ListingResult[LmsGroup], stored: Mapping[str, StoredGroup]) -> dict[Doubt, list[str]]:
    """Which active groups to ask for by id: those that a rule leaves out now, and those that are missing.

    Args:
        stored: group id to its row.
    """
    active = {row.id for row in stored.values() if row.is_active}
    listed = {group.id for group in listing.accepted} | listing.excluded_ids | listing.bad_ids
    return {
        Doubt.EXCLUDED: sorted(active & listing.excluded_ids),
        Doubt.ABSENT: sorted(active - listed) if listing.complete else [],
    }


def plan_groups(
    listing: ListingResult[LmsGroup],
    stored: Mapping[str, StoredGroup],
    linked_to: LinkedTo,
    answers: Mapping[Doubt, Answers[str, LmsGroup]],
    rules: Rules,
) -> GroupPlan:
    """Decide what the listing changes, given what groups in doubt answered by id (`doubtful_groups`).

    Args:
        stored: group id to its row.
    """
    listing, excluded = confirm_changed(listing, answers.get(Doubt.EXCLUDED), is_excluded)
    listing, gone = confirm_missing(listing, answers.get(Doubt.ABSENT))
    found = link_groups(listing.accepted, linked_to.linkable, linked_to.overrides, rules)
    links = {link.group_id: link for link in found}
    linked = {key: row.partner_id for key, row in stored.items() if row.is_active and row.partner_id}
    present = {partner.id for partner in linked_to.partners if partner.is_active}
    inactive = {partner.id for partner in linked_to.partners} - present
    return GroupPlan(
        listing,
        tuple(_row(group, links[group.id], stored.get(group.id), inactive) for group in listing.accepted),
        links,
        gone,
        excluded - gone,
        lost_links(found, linked, linked_to.lost_before, present, gone | excluded),
    )


def _row(group: LmsGroup, link: GroupLink, stored: StoredGroup | None, inactive: set[int]) -> GroupRow:
    partner_id, method, score = link.partner_id, str(link.method), link.score
    if method == "none" and stored is not None and stored.partner_id in inactive:
        # Still the group of a partner that left: that is where people have to be taken out of.
        partner_id, method, score = stored.partner_id, stored.link_method or method, stored.link_score or score
    return GroupRow(group.id, group.name, group.description, group.user_count, partner_id, method, score)
