"""The forms of the way to an alert: what a check found, the incident that it is, and the message about it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from lms_assets.domain.wording import as_text

Kind = Literal[
    "chain",
    "check",
    "warning",
    "mass_deactivation",
    "push",
    "job",
    "reports_blocked",
    "mail",
    "overdue",
    "row",
    "sensor",
    "schedule",
]
TITLE_LENGTH = 120
STAYS = "The last good data stay in place; nothing was deleted and nothing new was sent to the CRM."
"""Only where nothing was written: see `left_in_place` for a run that wrote something."""


def left_in_place(written: Sequence[str], *, push_began: bool) -> str:
    """What is true of the data and the CRM after a run that failed, given the steps whose rows were written."""
    if not written and not push_began:
        return STAYS
    sent = "the CRM has what the push sent until then" if push_began else "nothing new was sent to the CRM"
    rows = f"Written by this run, and in place: {', '.join(written)}" if written else "No table was written"
    return f"{rows}; everything else keeps its last good data, and {sent}."


@dataclass(frozen=True, slots=True)
class CheckFinding:
    """What a check found the last time it was evaluated, at `at` (UTC).

    Attributes:
        passed: whether it held.
        level: `blocking` and `failure` need a person at once; a `warning` when it costs counts or rises.
        count: how many things it found; None where it does not count.
        costs_counts: while it does not hold, counts are too low or are not sent.
    """

    asset: str
    check: str
    passed: bool
    description: str
    run_id: str
    at: datetime
    level: Literal["blocking", "failure", "warning"] = "blocking"
    remedy: str = ""
    count: int | None = None
    costs_counts: bool = False


@dataclass(frozen=True, slots=True)
class Incident:
    """Something that needs a person, as it is found and as it is stored. Times are UTC.

    Attributes:
        key: the same for the same incident.
        grade: how bad; when it changes, people are alerted again.
        assets: where the UI shows it.
        run_id: the run to look at; None when there is none.
        opened_at: when it was stored first; None while it is not.
        closed_at: when it was resolved; None while it is not.
    """

    key: str
    kind: Kind
    what: str
    since: datetime
    effect: str
    remedy: str
    grade: str = ""
    assets: tuple[str, ...] = ()
    run_id: str | None = None
    opened_at: datetime | None = None
    closed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Message:
    """One message to people. `good` for the news that an incident is resolved."""

    title: str
    body: str
    good: bool = False


def begun(incident: Incident, ui_url: str, docs_url: str | None = None) -> Message:
    """The message about an incident that began: what, since when, effect, what to do, where to look and read on.

    What was found holds texts of vendors, so all of it is quoted; only the link is meant to be followed.
    """
    what = as_text(incident.what)
    lines = [
        f"What: {what}",
        f"Since: {incident.since:%Y-%m-%d %H:%M} UTC",
        f"Effect: {as_text(incident.effect)}",
        f"What to do: {as_text(incident.remedy)}",
        f"Look here: {_link(incident, ui_url)}",
        f"Runbook: {runbook(_section(incident), docs_url)}",
    ]
    return Message(_title(what), "\n".join(lines))


def over(incident: Incident, closed_at: datetime, ui_url: str) -> Message:
    """The message that an incident is resolved; quoted as `begun`."""
    what = as_text(incident.what)
    lines = [
        f"Resolved: {what}",
        f"It began: {incident.since:%Y-%m-%d %H:%M} UTC",
        f"It ended: {closed_at:%Y-%m-%d %H:%M} UTC",
        f"Look here: {ui_url}",
    ]
    return Message(_title(f"resolved: {what}"), "\n".join(lines), good=True)


def _title(what: str) -> str:
    return "lms-assets: " + (what if len(what) <= TITLE_LENGTH else what[: TITLE_LENGTH - 1] + "…")


def _link(incident: Incident, ui_url: str) -> str:
    if incident.run_id:
        return f"{ui_url}/runs/{incident.run_id}"
    return f"{ui_url}/assets/{incident.assets[0]}" if incident.assets else f"{ui_url}/overview"


def runbook(section: str, docs_url: str | None) -> str:
    """Where the runbook explains an asset, a check or an alert: on the documentation's site, else in its files."""
    return f"{docs_url.rstrip('/')}/runbook.html#{section}" if docs_url else f"docs/runbook.md#{section}"


def _section(incident: Incident) -> str:
    """The check that found it, whose name ends the key; else the kind of alert."""
    return incident.key.rpartition("/")[2] if incident.kind in ("check", "warning") else incident.kind


# A machine that was off catches up by itself: what is late is reported when it stays late.
GRACE_PERIODS: Mapping[Kind, timedelta] = {
    "overdue": timedelta(minutes=30),
    "schedule": timedelta(minutes=10),
    "sensor": timedelta(minutes=5),
    # A message that is being sent at this moment has no answer yet either.
    "mail": timedelta(minutes=10),
}


def past_grace_period(
    incidents: Iterable[Incident], first_seen: Mapping[str, datetime], now: datetime
) -> tuple[list[Incident], dict[str, datetime]]:
    """Incidents to alert about now, and when each that was seen now was first seen, for the next time."""
    seen = {incident.key: first_seen.get(incident.key, now) for incident in incidents}
    due = [each for each in incidents if now - seen[each.key] >= GRACE_PERIODS.get(each.kind, timedelta(0))]
    return due, seen
