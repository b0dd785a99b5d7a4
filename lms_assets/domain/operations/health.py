"""Whether an installation is healthy, from facts that were read before. Pure: time passed in, all UTC."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from lms_assets.domain.schedule import CHAIN, Cadence, Overdue
from lms_assets.domain.wording import number_of

# Its threads report every 30 seconds; one that works on something large reports later.
DAEMON_REPORTS_WITHIN = timedelta(minutes=5)
# No run may take longer (max_runtime_seconds in dagster.yaml), so whatever a run waits for is over by then.
LONGEST_WAIT = timedelta(hours=4)
# An incident of this kind only warns (domain.operations.check_warnings).
ONLY_WARNS = "warning"


@dataclass(frozen=True, slots=True)
class OpenIncident:
    """An incident that nobody has resolved; `what` is its first line."""

    kind: str
    what: str
    since: datetime


@dataclass(frozen=True, slots=True)
class HealthFacts:
    """What was seen of an installation.

    Attributes:
        schema_problem: why this version cannot use the warehouse's tables; None when it can.
        last_good_chain: when a chain last completed; None when none ever did.
        queued_since: since when the oldest queued run waits.
        daemon_seen: the latest report of Dagster's daemon; None when it never reported.
        daemon_needed: False where another scheduler starts the runs.
    """

    schema_problem: str | None = None
    last_good_chain: datetime | None = None
    overdue: Sequence[Overdue] = ()
    incidents: Sequence[OpenIncident] = ()
    running: int = 0
    queued: int = 0
    queued_since: datetime | None = None
    daemon_seen: datetime | None = None
    daemon_needed: bool = True


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at: whether it is as it should be, and what was seen or what to do."""

    name: str
    healthy: bool
    note: str


def health(facts: HealthFacts, now: datetime, nightly: Cadence) -> tuple[Finding, ...]:
    """One finding for each thing, always in the same order. An unusable schema leaves nothing else to look at.

    `nightly`: how often the chain must complete.
    """
    if facts.schema_problem is not None:
        return (Finding("schema", False, facts.schema_problem),)
    return (
        Finding("schema", True, "the tables are this version's"),
        _chain(facts.last_good_chain, nightly, now),
        _overdue(facts.overdue, now),
        _incidents(facts.incidents, now),
        _queue(facts, now),
        _daemon(facts, now),
    )


def age_text(span: timedelta) -> str:
    """A span of time in its two largest units: `3 days 4 h`, `2 h 10 min`, `0 min`."""
    minutes = max(0, int(span.total_seconds())) // 60
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{number_of(days, 'day')} {hours} h"
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"


def _chain(completed_at: datetime | None, nightly: Cadence, now: datetime) -> Finding:
    if completed_at is None:
        return Finding("chain", False, f"no chain has completed yet: lms-assets run {CHAIN}")
    note = f"last completed {age_text(now - completed_at)} ago"
    if nightly.overdue_since(completed_at, now) is None:
        return Finding("chain", True, note)
    return Finding("chain", False, f"{note}; a newer one is due: lms-assets status says what happened")


def _overdue(overdue: Sequence[Overdue], now: datetime) -> Finding:
    if not overdue:
        return Finding("assets", True, "none is overdue")
    late = "; ".join(f"{', '.join(each.assets)} ({each.job}, {age_text(now - each.since)} late)" for each in overdue)
    return Finding("assets", False, f"overdue: {late}. Is the schedule on, and did its last run succeed?")


def _incidents(incidents: Sequence[OpenIncident], now: datetime) -> Finding:
    serious = [each for each in incidents if each.kind != ONLY_WARNS]
    if not serious:
        only = f", {len(incidents)} that only warn" if incidents else ""
        return Finding("incidents", True, f"none is open{only}")
    oldest = min(serious, key=lambda each: each.since)
    number = f"{len(serious)} {'is' if len(serious) == 1 else 'are'} open"
    return Finding("incidents", False, f"{number}; the oldest, {age_text(now - oldest.since)}: {oldest.what}")


def _queue(facts: HealthFacts, now: datetime) -> Finding:
    note = f"{facts.running} running, {facts.queued} waiting"
    if facts.queued_since is None:
        return Finding("queue", True, note)
    waits = now - facts.queued_since
    note = f"{note}, the first for {age_text(waits)}"
    if waits <= LONGEST_WAIT:
        return Finding("queue", True, note)
    return Finding("queue", False, f"{note}: look at Runs > Queued in Dagster's UI, and at the daemon")


def _daemon(facts: HealthFacts, now: datetime) -> Finding:
    if not facts.daemon_needed:
        return Finding("daemon", True, "not asked for")
    start = "start dagster-daemon with this DAGSTER_HOME"
    if facts.daemon_seen is None:
        return Finding("daemon", False, f"it never reported: {start}")
    seen = f"last reported {age_text(now - facts.daemon_seen)} ago"
    if now - facts.daemon_seen > DAEMON_REPORTS_WITHIN:
        return Finding("daemon", False, f"{seen}: {start}")
    return Finding("daemon", True, seen)
