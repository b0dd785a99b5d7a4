"""What a check is and may look at, and those that several assets have: recent, complete, readable, stored."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import dagster as dg

from lms_assets.asset_specs import runbook_of
from lms_assets.domain.records.contacts import DUPLICATE_EMAIL
from lms_assets.domain.rules import Rules
from lms_assets.domain.safety.check_results import CheckResult, at_least, none_of, recent
from lms_assets.domain.safety.overrides import Overrides
from lms_assets.domain.schedule import CHAIN
from lms_assets.lineage import ENTRIES, SYNC_TYPES
from lms_assets.warehouse.bookkeeping import sync_log
from lms_assets.warehouse.bookkeeping.failures import REFUSED, RecordFailure, open_failures
from lms_assets.warehouse.engine import Connection
from lms_assets.warehouse.reading.whole import row_count

# Two nights missed: what is older is a fault that a person must look at, and nothing to count on.
TOO_OLD = timedelta(hours=48)
RUN_IT = f"Run {CHAIN} and read why this table is empty: lms-assets status."


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


def check(asset: str, find: Finder, **kind: bool) -> CheckSpec:
    """A check that has its name from its function, and its description from the first lines of the docstring.

    `kind`: what of CheckSpec's attributes is true of it.
    """
    first = (find.__doc__ or "").split("\n\n")[0]
    return CheckSpec(asset, find.__name__, " ".join(first.split()), find, **kind)


def blocking(asset: str, find: Finder) -> CheckSpec:
    """One that stops everything that depends on the asset."""
    return check(asset, find, blocking=True)


def warning(asset: str, find: Finder, **kind: bool) -> CheckSpec:
    """One that stops nothing."""
    return check(asset, find, warning=True, **kind)


def present(
    asset: str, what: str, *, remedy: str = RUN_IT, text: str | None = None, active: bool = False, **kind: bool
) -> CheckSpec:
    """A check that the asset's table has rows at all.

    Args:
        what: plural of what is counted. active: rows that are inactive do not count.
        text: what is true while it passes; else that there are some.
    """
    table = ENTRIES[asset].table

    def find(look: Look) -> CheckResult:
        return at_least(row_count(look.connection, table, active_only=active), 1, what, remedy)

    return CheckSpec(asset, f"{asset}_are_present", text or f"There are {what}.", find, **kind)


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
