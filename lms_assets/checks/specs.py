"""All checks: those of each tier, and those that an asset has because of what the registry says of it."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from lms_assets.checks import (
    leads_and_reports,
    tier_1_foundation,
    tier_2_users_and_groups,
    tier_3_enrollments,
    tier_4_aggregation_and_push,
)
from lms_assets.checks.base import (
    CheckSpec,
    Finder,
    Look,
    are_readable,
    is_recent,
    listing_was_complete,
    were_all_stored,
)
from lms_assets.domain.safety.check_results import CheckResult
from lms_assets.domain.schedule import CHAIN
from lms_assets.lineage import ASSETS, DAILY_FULL, NOT_REQUIRED, ancestors
from lms_assets.registry import Asset

CHAIN_IS_WHOLE = "chain_is_whole"
RESUME = (
    "Fix the cause, then go on with the chain: open its run in the UI and choose Re-execute, From asset failure; or "
    f"lms-assets run {CHAIN} --resume."
)

_ROOMS = (
    tier_1_foundation,
    tier_2_users_and_groups,
    tier_3_enrollments,
    tier_4_aggregation_and_push,
    leads_and_reports,
)


def _standard(asset: Asset) -> Iterator[CheckSpec]:
    """The checks that an asset has because of what the registry says of it."""
    key = asset.key
    if asset.pool and asset.required and asset.records:
        text = "The last complete sync is recent enough to build on."
        yield CheckSpec(key, f"{key}_are_recent", text, is_recent(key), blocking=CHAIN in asset.jobs)
        yield CheckSpec(key, f"{key}_were_all_stored", "The database stored every row.", were_all_stored(key))
        if not asset.weekly:
            text = "The vendor's last listing was complete, so records that it lacks are really gone."
            yield CheckSpec(key, f"{key}_listing_was_complete", text, listing_was_complete(key), warning=True)
            text = "Every record of the vendor could be read."
            yield CheckSpec(key, f"{key}_are_all_readable", text, are_readable(key), warning=True)
    if key in DAILY_FULL and NOT_REQUIRED & {key, *ancestors((key,))}:
        text = "Neither this nor anything that it is based on kept older data."
        yield CheckSpec(key, f"{key}_are_up_to_date", text, is_up_to_date(key), warning=True, read_again=True)


def is_up_to_date(asset: str) -> Finder:
    """Neither the asset nor anything before it kept an older state."""

    def find(look: Look) -> CheckResult:
        found = degraded_by(look, {asset, *ancestors((asset,))})
        if not found:
            return CheckResult(True, "Nothing that this is based on kept older data", 0)
        said = "; ".join(f"{name}: {result.description}" for name, result in found.items())
        return CheckResult(False, f"It is based on older data. {said}", len(found), remedy=RESUME)

    return find


_PLACES = {asset.key: place for place, asset in enumerate(ASSETS)}
_OWN = (each for room in _ROOMS for each in room.CHECKS)
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
