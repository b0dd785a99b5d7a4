"""Assets that a person materialized by hand in the UI, outside of every job, and which failed."""

from __future__ import annotations

from datetime import UTC, datetime

import dagster as dg

from lms_assets.automation.event_mapping import chain_events
from lms_assets.domain.operations.chain_state import StepRecord, fold
from lms_assets.domain.operations.incident_detection import FailedRun
from lms_assets.lineage import ENTRIES
from lms_assets.runs.dagster_internals import ASSET_JOB

_LOOKED_AT = 20


def failed_materializations(instance: dg.DagsterInstance) -> list[FailedRun]:
    """The newest failure of each asset that was not materialized since. A cancelled run was cancelled by a person."""
    failed: list[FailedRun] = []
    seen: set[str] = set()
    only = dg.RunsFilter(job_name=ASSET_JOB, statuses=[dg.DagsterRunStatus.FAILURE])
    for record in instance.get_run_records(only, limit=_LOOKED_AT):
        run = record.dagster_run
        ended = datetime.fromtimestamp(record.end_time or record.update_timestamp.timestamp(), UTC)
        steps = [step for step in _failed_steps(instance, run) if step.step not in seen]
        seen |= {step.step for step in steps}
        left = tuple(step for step in steps if not _materialized_since(instance, step.step, ended))
        if left:
            failed.append(FailedRun(ASSET_JOB, "failed", run.run_id, ended, left))
    return failed


def _failed_steps(instance: dg.DagsterInstance, run: dg.DagsterRun) -> list[StepRecord]:
    """Assets whose step failed or never ended; all that were asked for when the run died before its first step."""
    steps = fold(chain_events(instance.all_logs(run.run_id))).steps.values()
    records = [step for step in steps if step.step in ENTRIES]
    if records:
        return [StepRecord(each.step, "failed", error=each.error) for each in records if each.status != "completed"]
    asked = sorted(key.to_user_string() for key in run.asset_selection or ())
    return [StepRecord(asset, "failed", error="the run failed before it began") for asset in asked if asset in ENTRIES]


def _materialized_since(instance: dg.DagsterInstance, asset: str, instant: datetime) -> bool:
    """By Dagster's clock, as the run's end is."""
    newest = instance.get_latest_materialization_event(dg.AssetKey(asset))
    return newest is not None and newest.timestamp > instant.timestamp()
