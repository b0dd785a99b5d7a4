"""What an incident is: something that needs a person, with the text of its alert."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

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
STAYS = "The last good data stay in place; nothing was deleted and nothing new was sent to the CRM."
"""Only where nothing was written: `left_in_place` says what is true of a run that wrote something."""


def left_in_place(written: Sequence[str], *, push_began: bool) -> str:
    """What is true of the data and the CRM after a run that failed, given the steps whose rows were written.

    Args:
        written: assets whose rows were written. push_began: something may have reached the CRM.
    """
    if not written and not push_began:
        return STAYS
    sent = "the CRM has what the push sent until then" if push_began else "nothing new was sent to the CRM"
    rows = f"Written by this run, and in place: {', '.join(written)}" if written else "No table was written"
    return f"{rows}; everything else keeps its last good data, and {sent}."


@dataclass(frozen=True, slots=True)
class FoundIncident:
    """Something that needs a person. `key` is the same for the same incident; times are UTC.

    Attributes:
        grade: how bad; when it changes, the alert is sent again.
        assets: where the UI shows it.
        run_id: the run to look at; None when there is none.
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

    def as_details(self) -> dict[str, Any]:
        """What is kept of it, as JSON."""
        return {
            "what": self.what,
            "since": self.since.isoformat(),
            "effect": self.effect,
            "remedy": self.remedy,
            "grade": self.grade,
            "assets": list(self.assets),
            "run_id": self.run_id,
        }


# A machine that was off catches up by itself: an alert is sent for what stays late.
GRACE_PERIODS: Mapping[Kind, timedelta] = {
    "overdue": timedelta(minutes=30),
    "schedule": timedelta(minutes=10),
    "sensor": timedelta(minutes=5),
    # A message that is being sent at this moment has no answer yet either.
    "mail": timedelta(minutes=10),
}


def past_grace_period(
    incidents: Iterable[FoundIncident], first_seen: Mapping[str, datetime], now: datetime
) -> tuple[list[FoundIncident], dict[str, datetime]]:
    """Incidents that are to be alerted now, and when each that was seen now was first seen, for the next time."""
    seen = {incident.key: first_seen.get(incident.key, now) for incident in incidents}
    due = [each for each in incidents if now - seen[each.key] >= GRACE_PERIODS.get(each.kind, timedelta(0))]
    return due, seen
