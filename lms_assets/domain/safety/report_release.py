"""May the reports be sent? Not on stale or failed data, unless a person released them. Pure; times in UTC."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from lms_assets.domain.safety.overrides import STALE_REPORTS, Overrides
from lms_assets.domain.schedule import CHAIN

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
        return "partial", text, "A part of last night's update did not come through; some figures may be a day behind."
    if status == "running":
        text = "a chain is running: counts may change while the reports are made."
        return "running", text, "These figures were taken while an update was running."
    return "good", "", None


def _time(moment: datetime) -> str:
    return f"{moment:%d %B %Y, %H:%M} UTC"
