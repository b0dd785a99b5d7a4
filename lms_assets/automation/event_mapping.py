"""Dagster's events as events of the chain log."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

import dagster as dg

from lms_assets.checks.evaluations import found_by, what_to_do
from lms_assets.checks.specs import CHAIN_IS_WHOLE
from lms_assets.domain.operations.chain_state import ChainEvent, EventKind

_KINDS: dict[str, EventKind] = {
    "STEP_START": "started",
    "STEP_SUCCESS": "succeeded",
    "STEP_FAILURE": "failed",
    "STEP_UP_FOR_RETRY": "retrying",
    "ASSET_MATERIALIZATION": "materialized",
    "ASSET_CHECK_EVALUATION": "check",
}


def chain_event(event: dg.DagsterEvent, at: datetime) -> ChainEvent | None:
    """The chain's view of one Dagster event at `at` (UTC); None when it is not about a step."""
    kind = _KINDS.get(event.event_type_value)
    if kind is None or event.step_key in (None, CHAIN_IS_WHOLE):
        # The last check repeats what the steps before it reported.
        return None
    if kind == "check":
        return _check_event(event, at)
    return ChainEvent(
        kind,
        event.step_key,
        at,
        message=failure_message(event) if kind in {"failed", "retrying"} else None,
        rows=_rows(event) if kind == "materialized" else None,
    )


def _check_event(event: dg.DagsterEvent, at: datetime) -> ChainEvent | None:
    result = event.event_specific_data
    if not isinstance(result, dg.AssetCheckEvaluation):
        return None
    finding, remedy = found_by(result), what_to_do(result)
    return ChainEvent(
        "check",
        event.step_key or "",
        at,
        message=f"{finding.rstrip('.')}. {remedy}" if remedy else finding,
        check=result.check_name,
        passed=result.passed,
        blocking=bool(result.blocking),
        warning=result.severity == dg.AssetCheckSeverity.WARN,
    )


def failure_message(event: dg.DagsterEvent) -> str | None:
    """The innermost message of a failure: the outer ones only say that a step failed."""
    error = getattr(event.event_specific_data, "error", None)
    failure = getattr(event.event_specific_data, "user_failure_data", None)
    if failure is not None and failure.description:
        return str(failure.description)
    while error is not None and error.cause is not None:
        error = error.cause
    return str(error.message).strip() if error is not None else event.message


def _rows(event: dg.DagsterEvent) -> int | None:
    materialization = getattr(event.event_specific_data, "materialization", None)
    value = materialization.metadata.get("dagster/row_count") if materialization else None
    return value.value if isinstance(value, dg.IntMetadataValue) else None


def chain_events(records: Iterable[dg.EventLogEntry]) -> Iterator[ChainEvent]:
    """The chain's view of stored events, in their order."""
    for record in records:
        if record.dagster_event is None:
            continue
        event = chain_event(record.dagster_event, datetime.fromtimestamp(record.timestamp, UTC))
        if event is not None:
            yield event
