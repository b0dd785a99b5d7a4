"""May the reports go out? Not on stale or failed data, unless a person released them. Pure; times in UTC."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from lms_assets.domain.operations.schedule import CHAIN
from lms_assets.domain.safety.overrides import STALE_REPORTS, Overrides

MAX_AGE = timedelta(hours=36)
BLOCKED = "Reports blocked: "
WHAT_TO_DO = " What to do: "
SEND = "lms-assets run weekly_reports"

Reason = Literal["good", "partial", "never counted", "failed", "running", "stale", "released"]


@dataclass(frozen=True, slots=True)
class ReleaseDecision:
    """Whether the reports may be sent.

    Attributes:
        may_send: False holds everything back.
        reason: one word for figures and tests.
        text: what is wrong and what to do, for the alert and the log; says nothing about persons.
        banner: what every report has to say at its top; None when all is well.
    """

    may_send: bool
    reason: Reason
    text: str
    banner: str | None = None


def may_send(
    last_chain_status: str | None,
    counts_as_of: datetime | None,
    now: datetime,
    *,
    overrides: Overrides | None = None,
    max_age: timedelta = MAX_AGE,
) -> ReleaseDecision:
    """Judge the data that the reports would be made of (issue of the Monday reports, blocking check).

    Args:
        last_chain_status: of the last chain that began (`task_chain_logs`); None when none ever did.
        counts_as_of: the instant at which the stored counts were counted; None when they never were.
        now: the present.
        overrides: of this run; a person may let them are sent anyway, but counts must exist even so.
        max_age: counts older than this are stale; exactly as old is not.
    """
    if counts_as_of is None:
        return _held("never counted", "no counts exist yet.", f"lms-assets run {CHAIN}, then {SEND}.")
    reason, problem, banner = _problem(last_chain_status, counts_as_of, now, max_age)
    if reason == "good":
        return ReleaseDecision(True, "good", f"Counts as of {_time(counts_as_of)}.")
    if reason == "partial":
        return ReleaseDecision(True, "partial", f"Reports go out with a notice: {problem}", banner)
    overrides = overrides or Overrides()
    if overrides.allows(STALE_REPORTS):
        return ReleaseDecision(True, "released", f"Released by hand although {problem}", banner)
    first = "Wait for the chain's end" if reason == "running" else "lms-assets status says more; once a chain went well"
    command = overrides.command(STALE_REPORTS)
    return _held(reason, problem, f"{first}, {SEND}. To let them out on this data: {command}.", banner)


def why_blocked(message: str) -> tuple[str, str] | None:
    """What a stored message of `may_send` says: (why the reports are blocked, what to do); None for any other."""
    if not message.startswith(BLOCKED):
        return None
    why, _, remedy = message.removeprefix(BLOCKED).partition(WHAT_TO_DO)
    return why, remedy


def _held(reason: Reason, problem: str, remedy: str, banner: str | None = None) -> ReleaseDecision:
    return ReleaseDecision(False, reason, f"{BLOCKED}{problem}{WHAT_TO_DO}{remedy}", banner)


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
