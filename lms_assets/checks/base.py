"""How an asset's checks are made: one step for all of them, each a verdict on what the warehouse holds."""

# No postponed annotations: Dagster reads the type of `context` from the function itself.

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import dagster as dg

from lms_assets.asset_specs import runbook_of
from lms_assets.checks.specs import CHECKS, DEGRADING, CheckSpec, specs_of
from lms_assets.domain.operations.chain_state import CHECKS_SUFFIX
from lms_assets.domain.operations.foreign_text import as_text
from lms_assets.domain.operations.schedule import CHAIN
from lms_assets.domain.records.contacts import DUPLICATE_EMAIL
from lms_assets.domain.rules import Rules
from lms_assets.domain.safety.check_results import CheckResult, none_of, recent
from lms_assets.domain.safety.overrides import Overrides, command_in
from lms_assets.lineage import SYNC_TYPES, ancestors
from lms_assets.resources import WarehouseResource
from lms_assets.runs.overrides import overrides_of
from lms_assets.warehouse.bookkeeping import sync_log
from lms_assets.warehouse.bookkeeping.failures import RecordFailure, open_failures
from lms_assets.warehouse.bookkeeping.refused_rows import REFUSED
from lms_assets.warehouse.engine import Connection
from lms_assets.warehouse.state.overrides import note_uses

# Two nights missed: what is older is a fault that somebody must look at, not a base for counts.
RESUME = (
    "Fix the cause, then go on with the chain: open its run in the UI and choose Re-execute, From asset failure; or "
    f"lms-assets run {CHAIN} --resume."
)
TOO_OLD = timedelta(hours=48)


@dataclass(frozen=True)
class Look:
    """What a check may look at: the warehouse in one reading transaction, the rules, and the time (UTC).

    `overrides`: what the person who started the run allowed. `notes`: what a check adds here is written afterwards.
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

_finders: dict[str, Finder] = {}


def failed_blocking_checks(look: Look, assets: Collection[str]) -> dict[str, str]:
    """Blocking checks of these assets that do not hold now, by name, with what they say and the override they take.

    For a step that a person may have selected by itself, so that no blocking check ran before it.
    """
    results = {line.name: _finders[line.name](look) for line in CHECKS if line.blocking and line.asset in assets}
    return {name: _said(result) for name, result in results.items() if not result.passed}


def _said(result: CheckResult) -> str:
    command = command_in(result.remedy or "")
    return result.description + (f". Only if it is right: {command}" if command else "")


def degraded_by(look: Look, assets: Collection[str]) -> dict[str, CheckResult]:
    """Checks of these assets that make a chain partial and do not hold now, by name."""
    results = {line.name: _finders[line.name](look) for line in CHECKS if line.name in DEGRADING & _names_of(assets)}
    return {name: result for name, result in results.items() if not result.passed}


def _names_of(assets: Collection[str]) -> set[str]:
    return {line.name for line in CHECKS if line.asset in assets}


def is_up_to_date(asset: str) -> Finder:
    """Neither the asset nor anything before it kept an older state."""

    def find(look: Look) -> CheckResult:
        found = degraded_by(look, {asset, *ancestors((asset,))})
        if not found:
            return CheckResult(True, "Nothing that this rests on kept an older state", 0)
        said = "; ".join(f"{name}: {result.description}" for name, result in found.items())
        return CheckResult(False, f"It rests on an older state. {said}", len(found), remedy=RESUME)

    return find


def checks_of(asset: str, finders: Mapping[str, Finder]) -> dg.AssetChecksDefinition:
    """All checks of one asset as one step named `<asset>_checks`.

    Raises:
        KeyError: a check of the catalogue has no finder here, or the other way round.
    """
    lines = {line.name: line for line in specs_of(asset)}
    if set(lines) != set(finders):
        raise KeyError(f"checks of {asset}: catalogue and finders differ in {set(lines) ^ set(finders)}")
    _finders.update(finders)

    @dg.multi_asset_check(name=f"{asset}{CHECKS_SUFFIX}", specs=[line.spec for line in lines.values()], can_subset=True)
    def run_checks(
        context: dg.AssetCheckExecutionContext, warehouse: WarehouseResource
    ) -> Iterator[dg.AssetCheckResult]:
        wanted = {key.name for key in context.selected_asset_check_keys}
        rules = warehouse.rules()
        with warehouse.open() as database:
            overrides = overrides_of(context.instance, context.run, database, warehouse.now())
            with database.read() as connection:
                look = Look(connection, rules, warehouse.now(), overrides, context.run.run_id)
                results = {name: finders[name](look) for name in lines if name in wanted}
            uses = partial(note_uses, overrides=overrides, asset=asset, run_id=context.run.run_id, now=warehouse.now())
            for note in look.notes + ([uses] if overrides.uses else []):
                database.in_transaction(note)
        for name, result in results.items():
            yield result_of(lines[name], result)

    return run_checks


def result_of(line: CheckSpec, result: CheckResult) -> dg.AssetCheckResult:
    """The result that Dagster stores of a verdict; what it says is quoted, since vendors' words are in it."""
    metadata: dict[str, Any] = dict(result.figures)
    if result.count is not None:
        metadata["count"] = result.count
    if result.sample:
        metadata["sample"] = list(result.sample)
    if result.remedy:
        metadata["what_to_do"] = result.remedy
    if not result.passed:
        # The check's own metadata, where it stands too, has no place in the UI.
        metadata |= runbook_of(line.name)
    return dg.AssetCheckResult(
        passed=result.passed,
        asset_key=line.asset,
        check_name=line.name,
        severity=dg.AssetCheckSeverity.WARN if line.warning else dg.AssetCheckSeverity.ERROR,
        description=as_text(result.description),
        metadata=metadata,
    )


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
    """The verdict on a sudden fall, passed when the person who started the run allowed it by this name.

    Otherwise its remedy ends with the command that allows it.
    """
    if result.passed:
        return result
    before, after = (result.figures.get(name, 0) for name in ("before", "after"))
    if look.overrides.allows(what, int(before - after)):
        return replace(result, passed=True, description=f"{result.description}; allowed for this run")
    command = f"Only if it is right: {look.overrides.command(what)}"
    return replace(result, remedy=f"{result.remedy} {command}" if result.remedy else command)
