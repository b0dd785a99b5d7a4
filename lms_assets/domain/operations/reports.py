"""May the reports be sent? And the incidents of reports: blocked ones, and mails that may have arrived or not.

Not on stale or failed data, unless a person released them. Pure: facts in, incidents out; times in UTC.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from lms_assets.domain.operations.incident import Incident
from lms_assets.domain.safety.overrides import STALE_REPORTS, Overrides
from lms_assets.domain.schedule import CHAIN
from lms_assets.domain.wording import number_of

MAX_AGE = timedelta(hours=36)
WHY_BLOCKED, WHAT_TO_DO = "reports_blocked", "what_to_do"
"""Under which names a run that was blocked leaves why it was, and what to do (`SyncStopped.facts`)."""
SEND = "lms-assets run weekly_reports"

Reason = Literal["good", "partial", "never counted", "failed", "running", "stale", "released"]


@dataclass(frozen=True, slots=True)
class ReleaseDecision:
    """Whether the reports may be sent.

    Attributes:
        may_send: False: no report is sent.
        reason: one word for figures and tests.
        why: what is wrong with the data, or why they may be sent anyway; says nothing about persons.
        remedy: what to do about it.
        banner: what every report has to say at its top; None when nothing is wrong.
    """

    may_send: bool
    reason: Reason
    why: str
    banner: str | None = None
    remedy: str = ""

    @property
    def text(self) -> str:
        """The decision in a sentence, for the log."""
        return self.why if self.may_send else f"Reports blocked: {self.why} What to do: {self.remedy}"

    @property
    def facts(self) -> dict[str, str]:
        """The decision of a run that was blocked, as it is stored."""
        return {WHY_BLOCKED: self.why, WHAT_TO_DO: self.remedy}


def may_send(
    last_chain_status: str | None,
    counts_as_of: datetime | None,
    now: datetime,
    *,
    overrides: Overrides | None = None,
    max_age: timedelta = MAX_AGE,
) -> ReleaseDecision:
    """Judge the data that the reports would be made of.

    Args:
        last_chain_status: of the last chain that began (`task_chain_logs`); None when none ever did.
        counts_as_of: the instant at which the stored counts were counted; None when they never were.
        now: the present.
        overrides: of this run; a person may have them sent anyway, but counts must exist even so.
        max_age: counts older than this are stale; exactly as old is not.
    """
    if counts_as_of is None:
        return _held("never counted", "no counts exist yet.", f"lms-assets run {CHAIN}, then {SEND}.")
    reason, problem, banner = _problem(last_chain_status, counts_as_of, now, max_age)
    if reason == "good":
        return ReleaseDecision(True, "good", f"Counts as of {_time(counts_as_of)}.")
    if reason == "partial":
        return ReleaseDecision(True, "partial", f"The reports are sent with a notice: {problem}", banner)
    overrides = overrides or Overrides()
    if overrides.allows(STALE_REPORTS):
        return ReleaseDecision(True, "released", f"Released by hand although {problem}", banner)
    first = "Wait for the chain's end" if reason == "running" else "lms-assets status says more; once a chain completed"
    command = overrides.command(STALE_REPORTS)
    return _held(reason, problem, f"{first}, {SEND}. To send them on this data: {command}.", banner)


def _held(reason: Reason, problem: str, remedy: str, banner: str | None = None) -> ReleaseDecision:
    return ReleaseDecision(False, reason, problem, banner, remedy)


def _problem(
    status: str | None, counts_as_of: datetime, now: datetime, max_age: timedelta
) -> tuple[Reason, str, str | None]:
    age = now - counts_as_of
    if status == "failed":
        text = f"the last chain failed; counts are as of {_time(counts_as_of)}."
        return "failed", text, f"The last nightly update failed. All figures are as of {_time(counts_as_of)}."
    if age > max_age:
        hours = age / timedelta(hours=1)
        text = f"the counts are {hours:.0f} hours old, more than {max_age / timedelta(hours=1):.0f}."
        return "stale", text, f"These figures are old: they are as of {_time(counts_as_of)}."
    if status == "partial":
        text = "the last chain ended partial: a part of the data is from an earlier day."
        return "partial", text, "A part of last night's update failed; some figures may be a day old."
    if status == "running":
        text = "a chain is running: counts may change while the reports are made."
        return "running", text, "These figures were taken while an update was running."
    return "good", "", None


def _time(moment: datetime) -> str:
    return f"{moment:%d %B %Y, %H:%M} UTC"


REPORTS = frozenset({"pam_weekly_report", "executive_weekly_report"})


@dataclass(frozen=True, slots=True)
class FailedAttempt:
    """A report that was not sent; `why` and `remedy` where the data was not fit to be sent, else None and empty."""

    at: datetime
    why: str | None = None
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class BlockedReports:
    """Reports that were not sent because the data is not fit for it.

    Attributes:
        reports: their assets.
        why, remedy: of the latest attempt.
        since: when the first of them was blocked (UTC).
    """

    job: str
    reports: tuple[str, ...]
    why: str
    remedy: str
    since: datetime


@dataclass(frozen=True, slots=True)
class UnknownMails:
    """Report mails whose outcome is not known, the first handed over at `since`, the last at `latest` (UTC).

    Attributes:
        reports: assets of the reports that they are.
        references: whose mails they are, `pam 12`; never an address.
    """

    reports: tuple[str, ...]
    references: tuple[str, ...]
    since: datetime
    latest: datetime


def blocked(job: str, failures: Mapping[str, Sequence[FailedAttempt]]) -> BlockedReports | None:
    """The reports of a job that are blocked; None when there are none.

    Args:
        failures: the failed attempts of each report since it was last sent, oldest first. One whose last attempt failed
            for another reason is not blocked: its failure is reported as a failure.
    """
    held = {
        report: [attempt for attempt in attempts if attempt.why is not None]
        for report, attempts in failures.items()
        if attempts and attempts[-1].why is not None
    }
    if not held:
        return None
    latest = max((attempts[-1] for attempts in held.values()), key=lambda attempt: attempt.at)
    since = min(attempts[0].at for attempts in held.values())
    return BlockedReports(job, tuple(held), latest.why or "", latest.remedy, since)


def blocked_reports(held: BlockedReports, run_id: str | None) -> Incident:
    """The incident of reports that are blocked.

    It has the key of its job's failure and another grade, so that one which is then tried and fails is alerted again,
    and neither is called resolved before the reports were sent.
    """
    return Incident(
        key=f"job/{held.job}",
        kind="reports_blocked",
        what=f"Reports are blocked ({', '.join(held.reports)}): {held.why}",
        since=held.since,
        effect="These reports were sent to nobody. They are sent when the job runs again on good data, or is released.",
        remedy=held.remedy,
        grade="blocked",
        assets=held.reports,
        run_id=run_id,
    )


def effect_of_check(asset: str) -> str:
    """The effect of a failed check that blocks nothing; of a report, that a person does not get it."""
    if asset in REPORTS:
        return "These people get no report and are not informed of that; everybody else got theirs."
    return f"Nothing is blocked; whatever builds on {asset} uses its last good state."


def unknown_mails(mails: UnknownMails) -> Incident:
    """The incident of mails whose outcome is not known; alerted again when another day's mails are among them."""
    number = len(mails.references)
    messages = number_of(number, "report message was", "report messages were")
    shown = ", ".join(mails.references[:20]) + (", ..." if number > 20 else "")
    return Incident(
        key="mail/outcome_unknown",
        kind="mail",
        what=f"{messages} handed to the mail server and its answer is not known: {shown}.",
        since=mails.since,
        effect="They may have arrived or not. They are not sent again by themselves, so that nobody gets two.",
        remedy=(
            "lms-assets report resolve lists them. Look for each in the mail server's log, then "
            "lms-assets report resolve --sent ID, or --resend ID and lms-assets run weekly_reports."
        ),
        grade=f"{mails.latest:%Y-%m-%d}",
        assets=mails.reports,
    )
