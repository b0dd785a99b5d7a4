"""Incidents of the reports: blocked because the data is not fit to be sent, and mails that may have arrived or not.

Pure: facts in, incidents out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from lms_assets.domain.operations.incident import Incident
from lms_assets.domain.wording import number_of

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
        return "These people get no report and are not told of it; everybody else got theirs."
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
