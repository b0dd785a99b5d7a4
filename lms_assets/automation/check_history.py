"""The last evaluation of each blocking check, for what starts a run by itself (sensors, alerts)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

import dagster as dg

from lms_assets.automation.event_mapping import check_finding, what_to_do
from lms_assets.checks.specs import CHECKS, CheckSpec
from lms_assets.lineage import ancestors

EVALUATED = frozenset({"SUCCEEDED", "FAILED"})


@dataclass(frozen=True)
class LastResult:
    """The last evaluation of a check; `at` is UTC.

    Attributes:
        passed: it holds nothing back; a mere warning passes.
        warned: it did not hold, and is a mere warning.
        count: how many things it found; None where it does not count.
        remedy: what to do about it; may be empty.
    """

    line: CheckSpec
    passed: bool
    description: str
    run_id: str
    at: datetime
    warned: bool = False
    count: int | None = None
    remedy: str = ""


def last_result(instance: dg.DagsterInstance, line: CheckSpec) -> LastResult | None:
    """What the check said the last time it was evaluated; None when it never was."""
    storage = instance.event_log_storage
    history = storage.get_asset_check_execution_history(line.key, limit=1)
    for newest in history:
        if newest.status.value not in EVALUATED:
            # Planned only, perhaps once for each week of a range; Dagster does not export the type of the status.
            evaluated = {status for status in type(newest.status) if status.value in EVALUATED}
            history = storage.get_asset_check_execution_history(line.key, limit=1, status=evaluated)
    for record in history:
        event = record.event.dagster_event if record.event else None
        evaluation = event.event_specific_data if event else None
        if isinstance(evaluation, dg.AssetCheckEvaluation):
            at = datetime.fromtimestamp(record.event.timestamp if record.event else record.create_timestamp, UTC)
            warned = not evaluation.passed and evaluation.severity == dg.AssetCheckSeverity.WARN
            count = evaluation.metadata.get("count")
            return LastResult(
                line,
                evaluation.passed or warned,
                check_finding(evaluation),
                record.run_id,
                at,
                warned,
                count.value if isinstance(count, dg.IntMetadataValue) else None,
                what_to_do(evaluation),
            )
    return None


def blocking_checks_before(assets: Iterable[str]) -> tuple[CheckSpec, ...]:
    """The blocking checks of these assets and of everything before them."""
    names = tuple(assets)
    concerned = ancestors(names) | set(names)
    return tuple(line for line in CHECKS if line.blocking and line.asset in concerned)


def blocking_checks_not_passed(instance: dg.DagsterInstance, assets: Iterable[str]) -> list[str]:
    """Names of the blocking checks of these assets and all before them that did not pass last, or never ran."""
    results = [(line, last_result(instance, line)) for line in blocking_checks_before(assets)]
    return [line.name for line, result in results if result is None or not result.passed]
