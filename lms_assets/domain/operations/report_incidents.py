"""Incidents of the reports: blocked because the data is not fit to be sent, and mails that may have arrived or not.

Pure: facts in, incidents out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from lms_assets.domain.operations.incident import FoundIncident
from lms_assets.domain.operations.report_release import why_blocked

REPORTS = frozenset({"pam_weekly_report", "executive_weekly_report"})


@dataclass(frozen=True, slots=True)
class BlockedReports:
    """Reports that the blocking check blocks.

    Attributes:
        reports: assets of the reports that have not gone out.
        message: what the blocking check said the last time (`report_release.ReleaseDecision.text`).
        since: when the first of them was blocked (UTC).
    """

    job: str
    reports: tuple[str, ...]
    message: str
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


def blocked(job: str, failures: Mapping[str, Sequence[tuple[datetime, str]]]) -> BlockedReports | None:
    """The reports of a job that the blocking check blocks; None when it holds none.

    Args:
        failures: for each report how its attempts since it last went out ended, as (instant, error), oldest first.
            One whose last attempt failed for another reason is not blocked: it is alerted as a failure.
    """
    held = {
        report: [(at, error) for at, error in attempts if why_blocked(error)]
        for report, attempts in failures.items()
        if attempts and why_blocked(attempts[-1][1])
    }
    if not held:
        return None
    since = min(attempts[0][0] for attempts in held.values())
    _, message = max((attempts[-1] for attempts in held.values()), key=lambda attempt: attempt[0])
    return BlockedReports(job, tuple(held), message, since)


def blocked_reports(held: BlockedReports, run_id: str | None) -> FoundIncident:
    """The incident of reports that are blocked.

    It has the key of its job's failure and another grade, so that one which is then tried and fails is alerted again,
    and neither is called well before the reports went out.
    """
    why, remedy = why_blocked(held.message) or (held.message, "")
    return FoundIncident(
        key=f"job/{held.job}",
        kind="reports_blocked",
        what=f"Reports are blocked ({', '.join(held.reports)}): {why}",
        since=held.since,
        effect="Nobody was sent these reports. They go out when the job runs again on good data, or is released.",
        remedy=remedy,
        grade="blocked",
        assets=held.reports,
        run_id=run_id,
    )


def effect_of_check(asset: str) -> str:
    """What it means that a check failed which holds nothing back; of a report, that somebody does not get it."""
    if asset in REPORTS:
        return "These people get no report and do not know it; everybody else got theirs."
    return f"Nothing is blocked; what builds on {asset} uses its last good state."


def unknown_mails(mails: UnknownMails) -> FoundIncident:
    """The incident of mails whose outcome is not known; alerted again when another day's mails are among them."""
    number = len(mails.references)
    noun, verb = ("message", "was") if number == 1 else ("messages", "were")
    shown = ", ".join(mails.references[:20]) + (", ..." if number > 20 else "")
    return FoundIncident(
        key="mail/outcome_unknown",
        kind="mail",
        what=f"{number} report {noun} {verb} handed to the mail server and its answer is not known: {shown}.",
        since=mails.since,
        effect="They may have arrived or not. They are not sent again by themselves, so that nobody gets two.",
        remedy=(
            "lms-assets report resolve lists them. Look for each in the mail server's log, then "
            "lms-assets report resolve --sent ID, or --resend ID and lms-assets run weekly_reports."
        ),
        grade=f"{mails.latest:%Y-%m-%d}",
        assets=mails.reports,
    )
