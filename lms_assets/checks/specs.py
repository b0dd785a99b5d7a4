"""Every check in one table: what finds it, whether it blocks what follows, and how bad it is when it fails."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass

import dagster as dg

from lms_assets.asset_specs import runbook_of
from lms_assets.checks import leads_and_reports
from lms_assets.checks import tier_1_foundation as tier_1
from lms_assets.checks import tier_2_users_and_groups as tier_2
from lms_assets.checks import tier_3_enrollments as tier_3
from lms_assets.checks import tier_4_aggregation_and_push as tier_4
from lms_assets.checks.base import Finder, Look, are_readable, is_recent, listing_was_complete, were_all_stored
from lms_assets.domain.safety.check_results import CheckResult
from lms_assets.domain.schedule import CHAIN
from lms_assets.lineage import ASSETS, DAILY_FULL, NOT_REQUIRED, ancestors
from lms_assets.registry import Asset

CHAIN_IS_WHOLE = "chain_is_whole"
RESUME = (
    "Fix the cause, then go on with the chain: open its run in the UI and choose Re-execute, From asset failure; or "
    f"lms-assets run {CHAIN} --resume."
)


@dataclass(frozen=True)
class CheckSpec:
    """One check.

    Attributes:
        description: what is true while it passes.
        find: looks whether it is.
        blocking: nothing that depends on the asset starts while it fails.
        warning: odd, but no reason to stop.
        costs_counts: a warning that is an incident while it fails: counts are too low, or are not sent.
        degrades: its failure makes a chain partial.
        read_again: a warning with which "Re-execute, From asset failure" reads the asset again in the UI. Dagster looks
            at blocking checks for that, so it is one there; as a warning it blocks nothing.
    """

    asset: str
    name: str
    description: str
    find: Finder
    blocking: bool = False
    warning: bool = False
    costs_counts: bool = False
    degrades: bool = False
    read_again: bool = False

    @property
    def key(self) -> dg.AssetCheckKey:
        """What Dagster calls it."""
        return dg.AssetCheckKey(dg.AssetKey(self.asset), self.name)

    @property
    def spec(self) -> dg.AssetCheckSpec:
        """The check as Dagster wants it defined."""
        return dg.AssetCheckSpec(
            self.name,
            asset=self.asset,
            description=self.description,
            blocking=self.blocking or self.read_again,
            metadata=runbook_of(self.name),
        )


def _check(asset: str, find: Callable[[Look], CheckResult], **kind: bool) -> CheckSpec:
    """A check that has its name from its function, and its description from the first lines of the docstring."""
    first = (find.__doc__ or "").split("\n\n")[0]
    return CheckSpec(asset, find.__name__, " ".join(first.split()), find, **kind)


def _blocking(asset: str, find: Callable[[Look], CheckResult]) -> CheckSpec:
    return _check(asset, find, blocking=True)


def _warning(asset: str, find: Callable[[Look], CheckResult], **kind: bool) -> CheckSpec:
    return _check(asset, find, warning=True, **kind)


_OWN = (
    _blocking("courses", tier_1.courses_are_present),
    _blocking("course_npcu", tier_1.certifications_are_present),
    _blocking("course_npcu", tier_1.certifications_did_not_vanish),
    _warning("course_npcu", tier_1.npcu_is_valid),
    _warning("course_npcu", tier_1.certifications_have_a_category),
    _blocking("partners", tier_1.partners_are_present),
    _blocking("partners", tier_1.partner_crm_ids_are_unique),
    _warning("partners", tier_1.partners_have_crm_ids),
    _warning("partners", tier_1.crm_shows_our_counts),
    _blocking("contacts", tier_1.contacts_are_present),
    _warning("contacts", tier_1.contact_emails_are_unique),
    _blocking("users", tier_2.users_are_present),
    _blocking("groups", tier_2.groups_are_present),
    _blocking("groups", tier_2.groups_are_linked),
    _warning("groups", tier_2.group_links_are_unambiguous),
    _warning("groups", tier_2.group_links_were_kept, costs_counts=True),
    _warning("groups", tier_2.group_overrides_point_to_something),
    _blocking("memberships", tier_2.memberships_are_present),
    _check("memberships", tier_2.memberships_are_current, degrades=True),
    _blocking("enrollments", tier_3.enrollments_are_present),
    _blocking("enrollments", tier_3.enrollments_refer_to_known_rows),
    _warning("enrollments", tier_3.members_are_known_users),
    _warning("enrollments", tier_3.transcripts_were_all_read),
    _warning("enrollments", tier_3.people_were_read_recently),
    _warning("enrollments", tier_3.enrollment_courses_are_known),
    _warning("enrollments", tier_3.webhook_messages_are_readable),
    _warning("enrollments", tier_3.completed_courses_have_no_gap, costs_counts=True),
    _blocking("partner_cert_counts", tier_4.counts_are_plausible),
    _blocking("partner_cert_counts", tier_4.counts_are_recent),
    # Withholds the partners that differ; blocks the whole push when the recount cannot be made.
    _warning("partner_cert_counts", tier_4.counts_equal_a_recount, costs_counts=True, read_again=True),
    _check("pushed_partner_cert_counts", tier_4.push_is_confirmed, degrades=True),
    _warning("pushed_partner_cert_counts", tier_4.no_partner_is_withheld, costs_counts=True),
    _warning("leads", leads_and_reports.leads_are_present),
    _warning("leads", leads_and_reports.leads_belong_to_known_partners),
    _check("pam_weekly_report", leads_and_reports.account_managers_are_reached),
    _check("executive_weekly_report", leads_and_reports.executives_are_all_reached),
)


def _standard(asset: Asset) -> Iterator[CheckSpec]:
    """The checks that an asset has because of what the registry says of it."""
    key = asset.key
    if asset.pool and asset.required and asset.records:
        text = "The last complete sync is recent enough to build on."
        yield CheckSpec(key, f"{key}_are_recent", text, is_recent(key), blocking=CHAIN in asset.jobs)
        yield CheckSpec(key, f"{key}_were_all_stored", "The database took every row.", were_all_stored(key))
        if not asset.weekly:
            text = "The vendor's last listing was complete, so absence from it could be acted on."
            yield CheckSpec(key, f"{key}_listing_was_complete", text, listing_was_complete(key), warning=True)
            text = "Every record of the vendor could be read."
            yield CheckSpec(key, f"{key}_are_all_readable", text, are_readable(key), warning=True)
    if key in DAILY_FULL and NOT_REQUIRED & {key, *ancestors((key,))}:
        text = "Neither this nor anything that it rests on kept an older state."
        yield CheckSpec(key, f"{key}_are_up_to_date", text, is_up_to_date(key), warning=True, read_again=True)


def is_up_to_date(asset: str) -> Finder:
    """Neither the asset nor anything before it kept an older state."""

    def find(look: Look) -> CheckResult:
        found = degraded_by(look, {asset, *ancestors((asset,))})
        if not found:
            return CheckResult(True, "Nothing that this rests on kept an older state", 0)
        said = "; ".join(f"{name}: {result.description}" for name, result in found.items())
        return CheckResult(False, f"It rests on an older state. {said}", len(found), remedy=RESUME)

    return find


_PLACES = {asset.key: place for place, asset in enumerate(ASSETS)}
CHECKS = tuple(
    sorted((*_OWN, *(each for asset in ASSETS for each in _standard(asset))), key=lambda each: _PLACES[each.asset])
)
DEGRADING = frozenset(check.name for check in CHECKS if check.degrades)


def checks_of(asset: str) -> tuple[CheckSpec, ...]:
    """The checks of one asset."""
    return tuple(check for check in CHECKS if check.asset == asset)


def blocking_checks_before(assets: Collection[str]) -> tuple[CheckSpec, ...]:
    """The blocking checks of everything before these assets: what a job of them alone has to look at first."""
    before = ancestors(assets)
    return tuple(check for check in CHECKS if check.blocking and check.asset in before)


def failed_blocking_checks(look: Look, assets: Collection[str]) -> dict[str, str]:
    """Blocking checks of these assets that do not hold now, by name, with what they say and the override they take.

    For a step that a person may have selected by itself, so that no blocking check ran before it.
    """
    results = {check.name: check.find(look) for check in CHECKS if check.blocking and check.asset in assets}
    return {name: _finding(result) for name, result in results.items() if not result.passed}


def _finding(result: CheckResult) -> str:
    return result.description + (f". Only if it is right: {result.allow}" if result.allow else "")


def degraded_by(look: Look, assets: Collection[str]) -> dict[str, CheckResult]:
    """Checks of these assets that make a chain partial and do not hold now, by name."""
    results = {check.name: check.find(look) for check in CHECKS if check.degrades and check.asset in assets}
    return {name: result for name, result in results.items() if not result.passed}
