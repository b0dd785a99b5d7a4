"""Collects the state: runs, checks, logs of syncs, sensors and schedules. What it means is in `domain`.

By state and not by events, so that a run started from a terminal, of which no sensor hears, is seen like any other.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import dagster as dg

from lms_assets.automation.event_mapping import chain_events, failure_message
from lms_assets.automation.jobs import JOBS
from lms_assets.checks.evaluations import last_findings
from lms_assets.checks.specs import CHECKS
from lms_assets.domain.operations.chain_state import StepRecord, fold
from lms_assets.domain.operations.incident import CheckFinding, Kind
from lms_assets.domain.operations.incident_detection import (
    Facts,
    FailedRun,
    RefusedRecords,
    Silent,
    Stopped,
    UnreadableRows,
)
from lms_assets.domain.operations.reports import (
    WHAT_TO_DO,
    WHY_BLOCKED,
    BlockedReports,
    FailedAttempt,
    UnknownMails,
    blocked,
)
from lms_assets.domain.safety.deactivation_limit import COMMAND
from lms_assets.domain.schedule import CHAIN, REPORTS_JOB, find_overdue
from lms_assets.lineage import (
    ASSETS_OF_JOBS,
    CADENCES,
    ENTRIES,
    GROUP_OF_JOB,
    LEADS_ROWS,
    REPORTS_ROWS,
    SYNC_TYPES,
    TIMETABLE,
    ancestors,
)
from lms_assets.redaction import scrub
from lms_assets.registry import LEARNING_ROWS
from lms_assets.runs.active import FINISHED, retry_is_coming, run_under_way
from lms_assets.runs.dagster_internals import ASSET_JOB
from lms_assets.warehouse.bookkeeping import sync_log
from lms_assets.warehouse.bookkeeping.chain_log import ChainRow, latest_chain
from lms_assets.warehouse.bookkeeping.email_log import unknown_outcomes
from lms_assets.warehouse.bookkeeping.odd_rows import odd_rows
from lms_assets.warehouse.bookkeeping.sync_log import SyncLogEntry
from lms_assets.warehouse.engine import Connection, Warehouse
from lms_assets.warehouse.state.pushed_values import push_memory

SAMPLE = 10
_LOOKED_AT = 20
# One failed tick may be a short outage of a vendor; the next comes within a minute.
FAILED_IN_A_ROW = 3
TICK_COMES_WITHIN = timedelta(minutes=15)
ERROR_LENGTH = 200
_LINES = {line.schedule: line for line in TIMETABLE}
_OF_GROUPS: dict[str, frozenset[Kind]] = {
    LEARNING_ROWS: frozenset({"chain", "check", "warning", "mass_deactivation", "push", "job", "overdue"}),
    LEADS_ROWS: frozenset({"job", "warning", "overdue", "mass_deactivation"}),
    REPORTS_ROWS: frozenset({"mail"}),
}


@dataclass(frozen=True)
class State:
    """What was seen. Kinds in `undecided` are being worked on: no incident of them begins or ends now."""

    facts: Facts
    undecided: frozenset[Kind]
    chain: ChainRow | None


def collect(instance: dg.DagsterInstance, warehouse: Warehouse, now: datetime) -> State:
    """Everything that may need a person, as it is now (UTC)."""
    with warehouse.read() as connection:
        chain = latest_chain(connection, CHAIN)
        latest, completed = sync_log.latest(connection), sync_log.last_completed(connection)
        refused = _refused(connection, latest)
        held, unknown = _held_reports(connection), _unknown_mails(connection)
        odd = odd_rows(connection)
    done = {asset: entry.completed_at for asset, entry in _by_asset(completed) if entry.completed_at}
    facts = Facts(
        failed_runs=[*(_never_begun(instance, chain) or _failed_chain(chain)), *_failed_jobs(instance)],
        failed_materializations=failed_materializations(instance),
        findings=_findings(instance),
        stopped=_stopped(latest),
        refused=refused,
        blocked_reports=held,
        unknown_mails=unknown,
        overdue=find_overdue(done, CADENCES, now),
        silent=silent_instigators(instance, now),
        unreadable_rows=UnreadableRows(odd, now) if odd else None,
        completed=done,
        waits_for={asset: ancestors((asset,)) for asset in ENTRIES},
    )
    return State(facts, _undecided(instance, now), chain)


def _by_asset(entries: dict[str, SyncLogEntry]) -> Iterable[tuple[str, SyncLogEntry]]:
    return ((asset, entries[name]) for asset, name in SYNC_TYPES.items() if name in entries)


def _failed_chain(row: ChainRow | None) -> list[FailedRun]:
    if row is None or row.status not in {"failed", "partial"}:
        return []
    status, ended = ("failed" if row.status == "failed" else "partial"), row.completed_at or row.started_at
    steps = tuple(row.state.steps.values())
    return [FailedRun(CHAIN, status, row.run_id, ended, steps, row.error_message)]  # type: ignore[arg-type]


def _never_begun(instance: dg.DagsterInstance, row: ChainRow | None) -> list[FailedRun]:
    """The last run of the chain, where it failed before it could begin: then the chain log knows nothing of it."""
    failed = _failed_run(instance, CHAIN)
    if failed is None or failed.steps:
        return []
    known = row is not None and row.completed_at is not None and row.completed_at > failed.ended_at
    return [] if known else [failed]


def _failed_jobs(instance: dg.DagsterInstance) -> list[FailedRun]:
    """The last run of every other job, where it failed; a cancelled one was cancelled by a person."""
    found = [_failed_run(instance, job.name) for job in JOBS if job.name != CHAIN]
    return [each for each in found if each is not None]


def _failed_run(instance: dg.DagsterInstance, job: str) -> FailedRun | None:
    for record in instance.get_run_records(dg.RunsFilter(job_name=job, statuses=FINISHED), limit=1):
        run = record.dagster_run
        if run.status == dg.DagsterRunStatus.FAILURE:
            steps = tuple(fold(chain_events(instance.all_logs(run.run_id))).steps.values())
            ended = datetime.fromtimestamp(record.end_time or record.update_timestamp.timestamp(), UTC)
            return FailedRun(job, "failed", run.run_id, ended, steps, None if steps else _why(instance, run.run_id))
    return None


def _why(instance: dg.DagsterInstance, run_id: str) -> str | None:
    """Why a run failed that came to no step, in Dagster's words."""
    for entry in instance.all_logs(run_id, of_type=dg.DagsterEventType.RUN_FAILURE):
        if entry.dagster_event is not None:
            return failure_message(entry.dagster_event)
    return None


def _findings(instance: dg.DagsterInstance) -> list[CheckFinding]:
    """Of all checks but those that repeat what another one found."""
    return list(last_findings(instance, [check for check in CHECKS if not check.read_again]).values())


def _stopped(latest: dict[str, SyncLogEntry]) -> list[Stopped]:
    return [
        Stopped(asset, entry.error_message or "", entry.completed_at or entry.started_at, command)
        for asset, entry in _by_asset(latest)
        if entry.status == "failed" and (command := entry.fact(COMMAND))
    ]


def _refused(connection: Connection, latest: dict[str, SyncLogEntry]) -> RefusedRecords | None:
    pushed = latest.get(SYNC_TYPES["pushed_partner_cert_counts"])
    refused = sorted(each.impartner_id for each in push_memory(connection).values() if each.failed_attempts)
    if pushed is None or not refused:
        return None
    return RefusedRecords(len(refused), tuple(refused[:SAMPLE]), pushed.started_at)


def _held_reports(connection: Connection) -> BlockedReports | None:
    failures = {}
    for report in ASSETS_OF_JOBS[REPORTS_JOB]:
        failures[report] = [
            FailedAttempt(each.completed_at or each.started_at, each.fact(WHY_BLOCKED), each.fact(WHAT_TO_DO) or "")
            for each in sync_log.failures_since_completed(connection, SYNC_TYPES[report])
        ]
    return blocked(REPORTS_JOB, failures)


def _unknown_mails(connection: Connection) -> UnknownMails | None:
    found = unknown_outcomes(connection)
    if not found:
        return None
    reports = tuple(dict.fromkeys(each.report for each in found))
    times = [each.handed_over_at for each in found]
    return UnknownMails(reports, tuple(each.reference for each in found), min(times), max(times))


def _undecided(instance: dg.DagsterInstance, now: datetime) -> frozenset[Kind]:
    undecided: frozenset[Kind] = frozenset()
    for group, kinds in _OF_GROUPS.items():
        jobs = tuple(job for job, its_group in GROUP_OF_JOB.items() if its_group == group)
        if run_under_way(instance, jobs) or any(retry_is_coming(instance, job, now) for job in jobs):
            undecided |= kinds
    return undecided


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


def silent_instigators(instance: dg.DagsterInstance, now: datetime) -> list[Silent]:
    """Sensors whose last ticks failed, schedules whose last tick failed or did not come."""
    found: list[Silent] = []
    for state in instance.all_instigator_state():
        if not state.is_running:
            continue
        is_schedule = state.instigator_type.value == "SCHEDULE"
        count = 1 if is_schedule else FAILED_IN_A_ROW
        ticks = instance.get_ticks(state.instigator_origin_id, state.selector_id, limit=count + 1)
        # One that is under way has no result yet: with it an incident would close and open again every minute.
        ended = [tick for tick in ticks if tick.status.value != "STARTED"][:count]
        failed = [tick for tick in ended if tick.status.value == "FAILURE"]
        if len(failed) == count:
            kind: Literal["schedule", "sensor"] = "schedule" if is_schedule else "sensor"
            since = datetime.fromtimestamp(failed[-1].timestamp, UTC)
            found.append(Silent(state.instigator_name, kind, f"errs: {_problem(failed[0].error)}", since))
        elif is_schedule:
            started = getattr(state.instigator_data, "start_timestamp", None)
            latest = ticks[0].timestamp if ticks else None
            missing = _missing_tick(state.instigator_name, started, latest, now)
            if missing is not None:
                found.append(Silent(state.instigator_name, "schedule", "did not tick when it was due", missing))
    return found


def _problem(error: Any) -> str:
    """The first line of the innermost message: the outer ones only say that a sensor or a schedule failed."""
    while error is not None and error.cause is not None:
        error = error.cause
    said = error.message.strip() if error is not None else ""
    return scrub(said.splitlines()[0], ERROR_LENGTH) if said else "without a result"


def _missing_tick(name: str, started: float | None, latest: float | None, now: datetime) -> datetime | None:
    """The tick that should have come by now and did not."""
    line = _LINES.get(name)
    if line is None:
        return None
    due = line.last_until(now - TICK_COMES_WITHIN)
    if started is not None and started > due.timestamp():
        return None
    return due if latest is None or latest < due.timestamp() else None
