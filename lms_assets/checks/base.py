"""What a check may look at, and the checks that several assets have: recent, complete, readable, stored."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from lms_assets.domain.records.contacts import DUPLICATE_EMAIL
from lms_assets.domain.rules import Rules
from lms_assets.domain.safety.check_results import CheckResult, none_of, recent
from lms_assets.domain.safety.overrides import Overrides
from lms_assets.lineage import SYNC_TYPES
from lms_assets.warehouse.bookkeeping import sync_log
from lms_assets.warehouse.bookkeeping.failures import RecordFailure, open_failures
from lms_assets.warehouse.bookkeeping.refused_rows import REFUSED
from lms_assets.warehouse.engine import Connection

# Two nights missed: what is older is a fault that a person must look at, and nothing to count on.
TOO_OLD = timedelta(hours=48)


@dataclass(frozen=True)
class Look:
    """What a check may look at: the warehouse in one reading transaction, the rules, and the time (UTC).

    Attributes:
        overrides: what the person who started the run allowed.
        notes: what a check adds here is written afterwards.
    """

    connection: Connection
    rules: Rules
    now: datetime
    overrides: Overrides = field(default_factory=Overrides)
    run_id: str = ""
    notes: list[Callable[[Connection], None]] = field(default_factory=list)

    def last_completed(self, asset: str) -> sync_log.SyncLogEntry | None:
        """The asset's last complete sync."""
        return sync_log.last_completed(self.connection).get(SYNC_TYPES[asset])

    def latest(self, asset: str) -> sync_log.SyncLogEntry | None:
        """The asset's last sync, however it ended."""
        return sync_log.latest(self.connection).get(SYNC_TYPES[asset])

    def failures(self, asset: str) -> tuple[RecordFailure, ...]:
        """Records of the asset that cannot be used and are not resolved."""
        return open_failures(self.connection, SYNC_TYPES[asset])


Finder = Callable[[Look], CheckResult]


def is_recent(asset: str) -> Finder:
    """The asset's last complete sync is not too old to build on."""
    what = asset.replace("_", " ").capitalize()
    return lambda look: recent(_completed_at(look.last_completed(asset)), look.now, TOO_OLD, what)


def _completed_at(entry: sync_log.SyncLogEntry | None) -> datetime | None:
    return entry.completed_at if entry else None


def listing_was_complete(asset: str) -> Finder:
    """The vendor's last listing proved what it lacks."""

    def find(look: Look) -> CheckResult:
        entry = look.last_completed(asset)
        details = (entry.details if entry else None) or {}
        if details.get("listing_complete", True):
            return CheckResult(True, "The last listing was complete")
        reasons = "; ".join(details.get("listing_reasons") or ()) or "no reason was noted"
        remedy = "Rows were updated and none deactivated. If it stays, compare the vendor's own count with ours."
        return CheckResult(False, f"The last listing was incomplete: {reasons}", remedy=remedy)

    return find


def are_readable(asset: str) -> Finder:
    """No record of this asset is set aside."""

    def find(look: Look) -> CheckResult:
        failures = [each for each in look.failures(asset) if each.entity_type not in (DUPLICATE_EMAIL, REFUSED)]
        bad = [f"{each.entity_type} {each.entity_id}: {each.reason}" for each in failures]
        return none_of(bad, "records could not be used", "See sync_failures; fix them at the source.")

    return find


def were_all_stored(asset: str) -> Finder:
    """The database took every row of this asset."""

    def find(look: Look) -> CheckResult:
        refused = [f"{each.entity_id}: {each.reason}" for each in look.failures(asset) if each.entity_type == REFUSED]
        remedy = (
            "The rows are missing or stay as they were; partners whose counts rest on them are not pushed. "
            "The reason says which column or constraint of the table it was."
        )
        return none_of(refused, "rows were refused by the database", remedy)

    return find


def unless_allowed(look: Look, what: str, result: CheckResult) -> CheckResult:
    """The result about a sudden fall: passed when the person who started the run allowed it by this name.

    Otherwise it holds the command that allows it.
    """
    if result.passed:
        return result
    before, after = (result.figures.get(name, 0) for name in ("before", "after"))
    if look.overrides.allows(what, int(before - after)):
        return replace(result, passed=True, description=f"{result.description}; allowed for this run")
    return replace(result, allow=look.overrides.command(what))
