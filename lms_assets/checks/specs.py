"""Every check in one table: what is true when it is green, whether it holds the chain back, and how bad red is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import dagster as dg

from lms_assets.asset_specs import runbook_of
from lms_assets.lineage import ancestors


@dataclass(frozen=True)
class CheckSpec:
    """One check.

    Attributes:
        blocking: nothing that depends on the asset starts while this is red.
        warning: odd, but no reason to stop.
        costs_counts: a warning that is an incident while it is red: counts are too low, or are not sent.
        read_again: a warning with which "Re-execute, From asset failure" reads the asset again in the UI. Dagster looks
            at blocking checks for that, so it is one there; as a warning it holds nothing back.
    """

    asset: str
    name: str
    description: str
    blocking: bool = False
    warning: bool = False
    costs_counts: bool = False
    read_again: bool = False

    @property
    def key(self) -> dg.AssetCheckKey:
        """What Dagster calls it."""
        return dg.AssetCheckKey(dg.AssetKey(self.asset), self.name)

    @property
    def spec(self) -> dg.AssetCheckSpec:
        """The check as Dagster wants it defined."""
        blocking = self.blocking or self.read_again
        return dg.AssetCheckSpec(
            self.name,
            asset=self.asset,
            description=self.description,
            blocking=blocking,
            metadata=runbook_of(self.name),
        )


def _blocking(asset: str, name: str, description: str) -> CheckSpec:
    return CheckSpec(asset, name, description, blocking=True)


def _odd(asset: str, name: str, description: str) -> CheckSpec:
    return CheckSpec(asset, name, description, warning=True)


def _costs(asset: str, name: str, description: str) -> CheckSpec:
    return CheckSpec(asset, name, description, warning=True, costs_counts=True)


def _up_to_date(asset: str) -> CheckSpec:
    text = "Neither this nor anything that it rests on kept an older state."
    return CheckSpec(asset, f"{asset}_are_up_to_date", text, warning=True, read_again=True)


def _complete(asset: str) -> CheckSpec:
    text = "The vendor's last listing was complete, so absence from it could be acted on."
    return _odd(asset, f"{asset}_listing_was_complete", text)


def _readable(asset: str) -> CheckSpec:
    return _odd(asset, f"{asset}_are_all_readable", "Every record of the vendor could be read.")


def _stored(asset: str) -> CheckSpec:
    return CheckSpec(asset, f"{asset}_were_all_stored", "The database took every row.")


def _recent(asset: str) -> CheckSpec:
    return _blocking(asset, f"{asset}_are_recent", "The last complete sync is recent enough to build on.")


CHECKS = (
    _blocking("courses", "courses_are_present", "There are courses."),
    _recent("courses"),
    _complete("courses"),
    _readable("courses"),
    _stored("courses"),
    _blocking("course_npcu", "certifications_are_present", "Some courses are certifications; else all counts are 0."),
    _blocking("course_npcu", "certifications_did_not_vanish", "The number of certifications has not collapsed."),
    _recent("course_npcu"),
    _odd("course_npcu", "npcu_is_valid", "Every NPCU at the source is 0, 1 or 2; anything else counts as 0."),
    _stored("course_npcu"),
    _odd("course_npcu", "certifications_have_a_category", "Every certification counts in some category."),
    _complete("course_npcu"),
    _blocking("partners", "partners_are_present", "There are active partners."),
    _blocking("partners", "partner_crm_ids_are_unique", "No two active partners are the same CRM account."),
    _recent("partners"),
    _odd("partners", "partners_have_crm_ids", "Every active partner is known to the CRM, so its counts can be sent."),
    _complete("partners"),
    _readable("partners"),
    _stored("partners"),
    _odd("partners", "crm_shows_our_counts", "The CRM shows in each field what it last confirmed to us."),
    _blocking("contacts", "contacts_are_present", "There are active contacts."),
    _recent("contacts"),
    _complete("contacts"),
    _readable("contacts"),
    _stored("contacts"),
    _odd("contacts", "contact_emails_are_unique", "No two contacts of the CRM that count have the same e-mail."),
    _blocking("users", "users_are_present", "There are active LMS users."),
    _recent("users"),
    _complete("users"),
    _readable("users"),
    _stored("users"),
    _blocking("groups", "groups_are_present", "There are active groups."),
    _blocking("groups", "groups_are_linked", "Groups are linked to partners, and not suddenly far fewer than before."),
    _recent("groups"),
    _odd("groups", "group_links_are_unambiguous", "No group's name fits several partners."),
    _costs("groups", "group_links_were_kept", "No group that was an active partner's is nobody's now."),
    _odd("groups", "group_overrides_point_to_something", "Every link set by hand names rows that exist."),
    _complete("groups"),
    _stored("groups"),
    _blocking(
        "memberships", "memberships_are_present", "Partners' groups have members; without, counts would fall to 0."
    ),
    CheckSpec("memberships", "memberships_are_current", "The last sync of memberships went through for every group."),
    _up_to_date("memberships"),
    _blocking("enrollments", "enrollments_are_present", "There are enrollments."),
    _blocking("enrollments", "enrollments_refer_to_known_rows", "Every enrollment has its person and its course."),
    _recent("enrollments"),
    _stored("enrollments"),
    _odd("enrollments", "members_are_known_users", "Every member is an LMS user that the list of people knows."),
    _odd("enrollments", "transcripts_were_all_read", "Every transcript that was due could be read."),
    _odd("enrollments", "people_were_read_recently", "No partner's person was last read longer ago than set."),
    _odd("enrollments", "enrollment_courses_are_known", "No transcript names a course that no list knows."),
    _up_to_date("enrollments"),
    _odd("enrollments", "webhook_messages_are_readable", "Every message of a completed course says whose it is."),
    _costs("enrollments", "completed_courses_have_no_gap", "Nobody's completed course is unread: the log has no gap."),
    _up_to_date("partner_certifications"),
    _blocking(
        "partner_cert_counts", "counts_are_plausible", "Total NPCU has not fallen suddenly since the last counting."
    ),
    _blocking("partner_cert_counts", "counts_are_recent", "The counts are recent enough to tell anybody."),
    # Withholds the partners that differ; holds the whole push back when the recount cannot be made.
    CheckSpec(
        "partner_cert_counts",
        "counts_equal_a_recount",
        "A second method, on the stored rows, counts the same for every partner.",
        warning=True,
        costs_counts=True,
        read_again=True,
    ),
    _up_to_date("partner_cert_counts"),
    _odd("leads", "leads_are_present", "There are leads of partners."),
    CheckSpec("leads", "leads_are_recent", "The last sync of leads is recent enough to show partners."),
    _complete("leads"),
    _readable("leads"),
    _stored("leads"),
    _odd("leads", "leads_belong_to_known_partners", "Every lead's account is a partner of ours."),
    CheckSpec("pushed_partner_cert_counts", "push_is_confirmed", "The CRM confirmed every value that was sent."),
    _up_to_date("pushed_partner_cert_counts"),
    _costs("pushed_partner_cert_counts", "no_partner_is_withheld", "All that the pushed counts rest on was read."),
    CheckSpec("pam_weekly_report", "account_managers_are_reached", "No account manager is left without a report."),
    CheckSpec("executive_weekly_report", "executives_are_all_reached", "No recipient is left without the report."),
)


# Their failure makes a chain partial.
DEGRADING = frozenset({"memberships_are_current", "push_is_confirmed"})
CHAIN_IS_WHOLE = "chain_is_whole"


def specs_of(asset: str) -> tuple[CheckSpec, ...]:
    """The checks of one asset."""
    return tuple(line for line in CHECKS if line.asset == asset)


def blocking_checks_of(assets: tuple[str, ...]) -> Iterator[dg.AssetCheckKey]:
    """The blocking checks of everything before these assets: what a job of them alone has to look at first."""
    before = ancestors(assets)
    for line in CHECKS:
        if line.blocking and line.asset in before:
            yield line.key
