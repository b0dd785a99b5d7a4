"""Collects the state: runs, checks, logs of syncs, sensors and schedules. What it means is in `domain`.

By state and not by events, so that a run started from a terminal, of which no sensor hears, is seen like any other.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

import dagster as dg

from lms_assets.automation.alerting.hand_runs import failed_materializations
from lms_assets.automation.alerting.schedule_health import silent_instigators
from lms_assets.automation.event_mapping import chain_events, failure_message
from lms_assets.automation.jobs import JOBS
from lms_assets.checks.evaluations import last_findings
from lms_assets.checks.specs import CHECKS
from lms_assets.domain.operations.chain_state import fold
from lms_assets.domain.operations.incident import CheckFinding, Kind
from lms_assets.domain.operations.incident_detection import (
    Facts,
    FailedRun,
    RefusedRecords,
    Stopped,
    UnreadableRows,
)
from lms_assets.domain.operations.report_incidents import BlockedReports, FailedAttempt, UnknownMails, blocked
from lms_assets.domain.safety.deactivation_limit import COMMAND
from lms_assets.domain.safety.report_release import WHAT_TO_DO, WHY_BLOCKED
from lms_assets.domain.schedule import CHAIN, REPORTS_JOB, find_overdue
from lms_assets.lineage import (
    ASSETS_OF_JOBS,
    CADENCES,
    ENTRIES,
    GROUP_OF_JOB,
    LEADS_ROWS,
    REPORTS_ROWS,
    SYNC_TYPES,
    ancestors,
)
from lms_assets.registry import LEARNING_ROWS
from lms_assets.runs.active import FINISHED, retry_is_coming, run_under_way
from lms_assets.warehouse.bookkeeping import sync_log
from lms_assets.warehouse.bookkeeping.chain_log import ChainRow, latest_chain
from lms_assets.warehouse.bookkeeping.email_log import unknown_outcomes
from lms_assets.warehouse.bookkeeping.odd_rows import odd_rows
from lms_assets.warehouse.bookkeeping.sync_log import SyncLogEntry
from lms_assets.warehouse.engine import Connection, Warehouse
from lms_assets.warehouse.state.pushed_values import push_memory

SAMPLE = 10
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
