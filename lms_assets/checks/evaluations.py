"""Checks in Dagster: one step for all checks of an asset, what it stores of a result, and what is read back of that.

The last step of a chain asks whether all of it completed. If not its run fails, so that the UI can go on with it.
"""

# No postponed annotations: Dagster reads the type of `context` from the function itself.
from collections.abc import Collection, Iterable, Iterator
from datetime import UTC, datetime
from functools import partial
from typing import Any

import dagster as dg

from lms_assets.asset_specs import runbook_of
from lms_assets.checks.base import CheckSpec, Look
from lms_assets.checks.specs import CHAIN_IS_WHOLE, CHECKS, RESUME, checks_of, degraded_by
from lms_assets.domain.operations.chain_state import CHECKS_SUFFIX
from lms_assets.domain.operations.incident import CheckFinding
from lms_assets.domain.safety.check_results import CheckResult
from lms_assets.domain.wording import as_text
from lms_assets.lineage import ASSETS, DAILY_FULL, ancestors
from lms_assets.resources import WarehouseResource
from lms_assets.runs.tags import FINAL, overrides_of
from lms_assets.warehouse.state.overrides import note_uses

SHOWN = 3
_COUNT, _SAMPLE, _WHAT_TO_DO = "count", "sample", "what_to_do"
_EVALUATED = frozenset({"SUCCEEDED", "FAILED"})


def _step_of(asset: str) -> dg.AssetChecksDefinition:
    """All checks of one asset as one step named `<asset>_checks`."""
    checks = checks_of(asset)

    @dg.multi_asset_check(name=f"{asset}{CHECKS_SUFFIX}", specs=[each.spec for each in checks], can_subset=True)
    def run_checks(
        context: dg.AssetCheckExecutionContext, warehouse: WarehouseResource
    ) -> Iterator[dg.AssetCheckResult]:
        wanted = {key.name for key in context.selected_asset_check_keys}
        rules = warehouse.rules()
        with warehouse.open() as database:
            overrides = overrides_of(context.instance, context.run, database, warehouse.now())
            with database.read() as connection:
                look = Look(connection, rules, warehouse.now(), overrides, context.run.run_id)
                results = [(check, check.find(look)) for check in checks if check.name in wanted]
            uses = partial(note_uses, overrides=overrides, asset=asset, run_id=context.run.run_id, now=warehouse.now())
            for note in look.notes + ([uses] if overrides.uses else []):
                database.in_transaction(note)
        for check, result in results:
            yield result_of(check, result)

    return run_checks


CHECK_STEPS = [_step_of(asset.key) for asset in ASSETS if checks_of(asset.key)]


def result_of(check: CheckSpec, result: CheckResult) -> dg.AssetCheckResult:
    """What Dagster stores of a result; its description is quoted, since vendors' words are in it."""
    metadata: dict[str, Any] = dict(result.figures)
    if result.count is not None:
        metadata[_COUNT] = result.count
    if result.sample:
        metadata[_SAMPLE] = list(result.sample)
    if result.what_to_do:
        metadata[_WHAT_TO_DO] = result.what_to_do
    if not result.passed:
        # The check's own metadata, where it stands too, has no place in the UI.
        metadata |= runbook_of(check.name)
    return dg.AssetCheckResult(
        passed=result.passed,
        asset_key=check.asset,
        check_name=check.name,
        severity=dg.AssetCheckSeverity.WARN if check.warning else dg.AssetCheckSeverity.ERROR,
        description=as_text(result.description),
        metadata=metadata,
    )


def last_findings(instance: dg.DagsterInstance, checks: Collection[CheckSpec]) -> dict[str, CheckFinding]:
    """By the check's name, what it found the last time it was evaluated; one that never was is not there."""
    storage = instance.event_log_storage
    newest = storage.get_latest_asset_check_execution_by_key([check.key for check in checks])
    found = {}
    for check in checks:
        record = newest.get(check.key)
        if record is not None and record.status.value not in _EVALUATED:
            # Planned only, perhaps once for each week of a range; Dagster does not export the type of the status.
            evaluated = {status for status in type(record.status) if status.value in _EVALUATED}
            history = storage.get_asset_check_execution_history(check.key, limit=1, status=evaluated)
            record = next(iter(history), None)
        event = record.event if record is not None else None
        evaluation = event.dagster_event.event_specific_data if event and event.dagster_event else None
        if event is not None and isinstance(evaluation, dg.AssetCheckEvaluation):
            at = datetime.fromtimestamp(event.timestamp, UTC)
            found[check.name] = _finding(check, evaluation, event.run_id, at)
    return found


def _finding(check: CheckSpec, evaluation: dg.AssetCheckEvaluation, run_id: str, at: datetime) -> CheckFinding:
    count = evaluation.metadata.get(_COUNT)
    only_warned = evaluation.severity == dg.AssetCheckSeverity.WARN and not check.warning
    return CheckFinding(
        asset=check.asset,
        check=check.name,
        passed=evaluation.passed or only_warned,
        description=found_by(evaluation),
        remedy=what_to_do(evaluation),
        run_id=run_id,
        at=at,
        level="blocking" if check.blocking else "warning" if check.warning else "failure",
        count=count.value if isinstance(count, dg.IntMetadataValue) else None,
        costs_counts=check.costs_counts,
    )


def found_by(evaluation: dg.AssetCheckEvaluation) -> str:
    """What a check found, with its first examples."""
    sample = evaluation.metadata.get(_SAMPLE)
    found = sample.value if isinstance(sample, dg.JsonMetadataValue) else None
    text = evaluation.description or ""
    if isinstance(found, list) and found:
        text += f" ({'; '.join(map(str, found[:SHOWN]))}{'; …' if len(found) > SHOWN else ''})"
    return text


def what_to_do(evaluation: dg.AssetCheckEvaluation) -> str:
    """The remedy that a check names; empty when it names none."""
    remedy = evaluation.metadata.get(_WHAT_TO_DO)
    return str(remedy.value) if remedy is not None else ""


def blocking_checks_not_passed(instance: dg.DagsterInstance, assets: Iterable[str]) -> list[str]:
    """Names of the blocking checks of these assets and all before them that did not pass last, or never ran."""
    names = tuple(assets)
    concerned = ancestors(names) | set(names)
    checks = [check for check in CHECKS if check.blocking and check.asset in concerned]
    found = last_findings(instance, checks)
    return [check.name for check in checks if check.name not in found or not found[check.name].passed]


PUSH = DAILY_FULL[-1]


@dg.multi_asset_check(
    name=CHAIN_IS_WHOLE,
    specs=[
        dg.AssetCheckSpec(
            CHAIN_IS_WHOLE,
            asset=PUSH,
            description="Every step of the last chain completed.",
            metadata=runbook_of(CHAIN_IS_WHOLE),
        )
    ],
)
def chain_is_whole(
    context: dg.AssetCheckExecutionContext, warehouse: WarehouseResource
) -> Iterator[dg.AssetCheckResult]:
    """Fail the run of a partial chain once everything that could be done is done.

    Raises:
        dagster.Failure: the chain is partial. Running it again by itself does not help.
    """
    rules = warehouse.rules()
    with warehouse.open() as database, database.read() as connection:
        found = degraded_by(Look(connection, rules, warehouse.now()), DAILY_FULL)
    said = "; ".join(f"{name}: {result.description}" for name, result in found.items())
    description = f"The chain is partial. {said}" if found else "Every step completed"
    yield dg.AssetCheckResult(
        passed=not found,
        asset_key=PUSH,
        check_name=CHAIN_IS_WHOLE,
        description=description,
        metadata={"what_to_do": RESUME} if found else {},
    )
    if found:
        context.log.warning(f"{description}. {RESUME}")
        raise dg.Failure(f"{description}. {RESUME}", metadata=FINAL, allow_retries=False)
