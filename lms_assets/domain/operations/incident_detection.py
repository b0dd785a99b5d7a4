"""What needs a person: incidents found in the state, one for each cause.

Pure: facts in, incidents out. A failure is reported once, under its most particular name: a chain that a check blocks
is the check's incident, and an asset that is overdue because its chain failed is the chain's.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from lms_assets.domain.operations.chain_state import StepRecord
from lms_assets.domain.operations.check_warnings import Risen, incident_of
from lms_assets.domain.operations.incident import STAYS, CheckFinding, Incident, left_in_place
from lms_assets.domain.operations.reports import (
    BlockedReports,
    UnknownMails,
    blocked_reports,
    effect_of_check,
    unknown_mails,
)
from lms_assets.domain.schedule import CHAIN, Overdue
from lms_assets.domain.wording import number_of

PUSH_STEP = "pushed_partner_cert_counts"
NO_RESULT = "ended without a result (killed, or the machine stopped)"
SHOWN_ROWS = 10
CHECK_PAGE = "The check on the asset's page shows every example."


@dataclass(frozen=True, slots=True)
class FailedRun:
    """A run of a job, or the chain, that ended badly: `steps` as they ended."""

    job: str
    status: Literal["failed", "partial"]
    run_id: str | None
    ended_at: datetime
    steps: tuple[StepRecord, ...]
    error: str | None = None

    @property
    def culprits(self) -> tuple[str, ...]:
        """Steps that failed by themselves; blocked ones are a consequence."""
        return tuple(step.step for step in self.steps if step.status in {"failed", "degraded"})

    @property
    def written(self) -> tuple[str, ...]:
        """Steps whose rows were written: those that came through, and those whose check failed after it."""
        return tuple(
            s.step for s in self.steps if s.status == "completed" or (s.status == "failed" and s.failed_checks)
        )

    @property
    def push_began(self) -> bool:
        """Whether something may have been sent to the CRM."""
        return any(step.step == PUSH_STEP and step.attempts for step in self.steps)

    @property
    def blocked(self) -> tuple[str, ...]:
        """Steps that never began."""
        return tuple(step.step for step in self.steps if step.status == "blocked")


@dataclass(frozen=True, slots=True)
class Stopped:
    """A sync that stopped before it deactivated too much; `message` has the numbers, `command` allows it."""

    asset: str
    message: str
    at: datetime
    command: str


@dataclass(frozen=True, slots=True)
class RefusedRecords:
    """Accounts whose values the CRM did not take at the last push."""

    count: int
    sample: tuple[int, ...]
    at: datetime


@dataclass(frozen=True, slots=True)
class Silent:
    """A sensor or schedule that errs, or a schedule that does not tick; `since` is the last time it worked."""

    name: str
    kind: Literal["sensor", "schedule"]
    problem: str
    since: datetime
    assets: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class UnreadableRows:
    """Rows of the warehouse that cannot be read, as tables and keys without values; seen at `at`."""

    rows: Sequence[str]
    at: datetime


@dataclass(frozen=True)
class Facts:
    """The state of things, as the warehouse and Dagster's storage hold it.

    Attributes:
        failed_materializations: runs in which a person materialised assets by hand, and which no later run repeated.
        findings: what every check found the last time it was evaluated.
        completed: when each asset last came through (UTC).
        waits_for: what each asset builds on, directly or not.
    """

    failed_runs: Sequence[FailedRun] = ()
    failed_materializations: Sequence[FailedRun] = ()
    findings: Sequence[CheckFinding] = ()
    stopped: Sequence[Stopped] = ()
    refused: RefusedRecords | None = None
    blocked_reports: BlockedReports | None = None
    unknown_mails: UnknownMails | None = None
    overdue: Sequence[Overdue] = ()
    silent: Sequence[Silent] = ()
    unreadable_rows: UnreadableRows | None = None
    completed: Mapping[str, datetime] = field(default_factory=dict)
    waits_for: Mapping[str, Collection[str]] = field(default_factory=dict)


def find_incidents(facts: Facts, risen: Iterable[Risen] = ()) -> tuple[Incident, ...]:
    """Every incident, each cause once; `risen` are the warnings that need a person."""
    failed_checks = [each for each in facts.findings if not each.passed]
    particular = [_failed_check(each, facts) for each in failed_checks if each.level == "blocking"]
    particular += [_stopped(each) for each in facts.stopped]
    if facts.refused is not None and facts.refused.count:
        particular.append(_refused(facts.refused))
    if facts.blocked_reports is not None:
        particular.append(blocked_reports(facts.blocked_reports, _run_of(facts.blocked_reports.job, facts)))
    reported = {asset for incident in particular for asset in incident.assets}
    failed = [run for run in facts.failed_runs if not _made_good(run, facts.completed)]
    runs = [_run(run) for run in failed if set(run.culprits) - reported or not run.culprits]
    failing = reported | {asset for incident in runs for asset in incident.assets}
    runs += [_failed_by_hand(run, asset) for run, asset in _by_hand(facts.failed_materializations, failing)]
    runs += [_degraded(check) for check in failed_checks if check.level == "failure" and check.asset not in failing]
    failing |= {asset for incident in runs for asset in incident.assets}
    late = [_overdue(each) for each in facts.overdue if not _explained(each, failing, facts.waits_for)]
    mails = [unknown_mails(facts.unknown_mails)] if facts.unknown_mails is not None else []
    warnings = [incident_of(each) for each in risen]
    silent = [_silent(each) for each in facts.silent]
    rows = [_unreadable(facts.unreadable_rows)] if facts.unreadable_rows is not None else []
    found = (*particular, *runs, *warnings, *late, *mails, *silent, *rows)
    # Where one report was blocked and the other failed, the run's error names both.
    return tuple({incident.key: incident for incident in found}.values())


def _run_of(job: str, facts: Facts) -> str | None:
    return next((run.run_id for run in facts.failed_runs if run.job == job), None)


def _made_good(run: FailedRun, completed: Mapping[str, datetime]) -> bool:
    """Whether everything that a run left undone has come through since, in other runs."""
    undone = (*run.culprits, *run.blocked)
    return bool(undone) and all(step in completed and completed[step] > run.ended_at for step in undone)


def _explained(late: Overdue, failing: set[str], waits_for: Mapping[str, Collection[str]]) -> bool:
    """Whether every late asset has an incident already, or waits for one that is."""
    return all(asset in failing or failing & set(waits_for.get(asset, ())) for asset in late.assets)


def _failed_check(check: CheckFinding, facts: Facts) -> Incident:
    held = sorted({step for run in facts.failed_runs for step in run.blocked})
    effect = f"Everything that builds on {check.asset} is blocked" + (f": {', '.join(held)}. " if held else ". ")
    return Incident(
        key=f"check/{check.asset}/{check.check}",
        kind="check",
        what=f"Check {check.check} on {check.asset} did not pass: {check.description}",
        since=check.at,
        effect=f"{effect}{check.asset} keeps what was written, even if it is wrong; nothing new was sent to the CRM.",
        remedy=f"{check.remedy or CHECK_PAGE} Then lms-assets run {CHAIN} --resume.",
        assets=(check.asset,),
        run_id=check.run_id,
    )


def _by_hand(runs: Iterable[FailedRun], failing: set[str]) -> list[tuple[FailedRun, str]]:
    return [(run, asset) for run in runs for asset in run.culprits if asset not in failing]


def _failed_by_hand(run: FailedRun, asset: str) -> Incident:
    why = next((step.error for step in run.steps if step.step == asset), None)
    return Incident(
        key=f"asset/{asset}",
        kind="job",
        what=f"Materializing {asset} by hand failed: {why or 'it ended without a result'}",
        since=run.ended_at,
        effect=left_in_place((), push_began=asset == PUSH_STEP),
        remedy=f"Fix the cause, then materialize {asset} again, or lms-assets run {CHAIN}.",
        assets=(asset,),
        run_id=run.run_id,
    )


def _degraded(check: CheckFinding) -> Incident:
    return Incident(
        key=f"check/{check.asset}/{check.check}",
        kind="check",
        what=f"Check {check.check} on {check.asset} did not pass: {check.description}",
        since=check.at,
        effect=effect_of_check(check.asset),
        remedy=check.remedy or CHECK_PAGE,
        assets=(check.asset,),
        run_id=check.run_id,
    )


def _stopped(stopped: Stopped) -> Incident:
    return Incident(
        key=f"mass_deactivation/{stopped.asset}",
        kind="mass_deactivation",
        what=f"The sync of {stopped.asset} stopped before a mass deactivation. {stopped.message}",
        since=stopped.at,
        effect=f"{stopped.asset} is not brought up to date, and what builds on it is blocked. {STAYS}",
        remedy=f"Look at the source. Only if they are really gone: {stopped.command}",
        assets=(stopped.asset,),
    )


def _refused(refused: RefusedRecords) -> Incident:
    sample = ", ".join(map(str, refused.sample))
    return Incident(
        key="push/refused_records",
        kind="push",
        what=f"The CRM did not accept the counts of {number_of(refused.count, 'account')} (Impartner ids: {sample}).",
        since=refused.at,
        effect="These accounts show old counts in the CRM; all others are right. They are tried again at every push.",
        remedy="The reasons are in sync_failures, sync_type sync_to_impartner. Fix the accounts in the CRM.",
        assets=(PUSH_STEP,),
    )


def _run(run: FailedRun) -> Incident:
    is_chain = run.job == CHAIN
    why = run.error or "; ".join(f"{step.step}: {step.error}" for step in run.steps if step.status == "failed")
    stays = left_in_place(run.written, push_began=run.push_began)
    effect = f"Blocked: {', '.join(run.blocked)}. {stays}" if run.blocked else stays
    if run.status == "partial":
        effect = f"The chain went on with the last good state of {', '.join(run.culprits)}; the rest is up to date."
    remedy = "lms-assets status says more. Fix the cause, then " + (
        f"lms-assets run {CHAIN} --resume, or in the UI Re-execute, From asset failure."
        if is_chain
        else f"lms-assets run {run.job}."
    )
    return Incident(
        key=f"chain/{run.job}" if is_chain else f"job/{run.job}",
        kind="chain" if is_chain else "job",
        what=f"{run.job} {'ended partial' if run.status == 'partial' else 'failed'}: {why or NO_RESULT}",
        since=run.ended_at,
        effect=effect,
        remedy=remedy,
        grade=run.status,
        assets=run.culprits,
        run_id=run.run_id,
    )


def _overdue(late: Overdue) -> Incident:
    return Incident(
        key=f"overdue/{late.job}",
        kind="overdue",
        what=f"Overdue: {', '.join(late.assets)}. {late.job} should have brought them up to date.",
        since=late.since,
        effect="These tables show old data.",
        remedy=f"Does the daemon run, and is the schedule on? See Overview > Schedules; or lms-assets run {late.job}.",
        assets=late.assets,
    )


def _silent(silent: Silent) -> Incident:
    return Incident(
        key=f"{silent.kind}/{silent.name}",
        kind=silent.kind,
        what=f"The {silent.kind} {silent.name} {silent.problem}",
        since=silent.since,
        effect="What it starts or watches does not happen automatically.",
        remedy=f"Look at its ticks in the UI (Overview > {silent.kind.capitalize()}s), and at the daemon's log.",
        assets=silent.assets,
    )


def _unreadable(unreadable: UnreadableRows) -> Incident:
    """One incident for all of them; further rows are reported again."""
    rows = unreadable.rows
    shown = ", ".join(rows[:SHOWN_ROWS]) + (f" and {len(rows) - SHOWN_ROWS} more" if len(rows) > SHOWN_ROWS else "")
    return Incident(
        key="rows/unreadable",
        kind="row",
        what=f"{number_of(len(rows), 'row')} of the warehouse cannot be read: {shown}",
        since=unreadable.at,
        effect="They are left out; everything else goes on. Their content is not known.",
        remedy="Look at each row: a date, a number or JSON in it is damaged. Correct it, or delete the row.",
        grade=str(len(rows)),
    )
