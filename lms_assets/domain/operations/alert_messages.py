"""The text of an alert: what, since when, effect, what to do, and where to look.

What was found holds texts of vendors, so all of it is quoted; only the link is meant to be followed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from lms_assets.domain.operations.foreign_text import as_text

TITLE_LENGTH = 120


@dataclass(frozen=True, slots=True)
class Message:
    """One message to people. `good` for the news that it is resolved."""

    title: str
    body: str
    good: bool = False


def begun(details: Mapping[str, Any], ui_url: str) -> Message:
    """The message about an incident that began; `details` as `FoundIncident.as_details` gives them."""
    what = as_text(details.get("what", "Something needs a person."))
    lines = [
        f"What: {what}",
        f"Since: {_moment(details.get('since'))}",
        f"Effect: {as_text(details.get('effect', ''))}",
        f"What to do: {as_text(details.get('remedy', ''))}",
        f"Look here: {_link(details, ui_url)}",
    ]
    return Message(_title(what), "\n".join(lines))


def over(details: Mapping[str, Any], closed_at: datetime, ui_url: str) -> Message:
    """The message that an incident is over.

    Args:
        details: the incident as its row has it: `what`, `since`.
        closed_at: when it ended (UTC).
    """
    what = as_text(details.get("what", "What needed a person."))
    lines = [
        f"Resolved: {what}",
        f"It began: {_moment(details.get('since'))}",
        f"It ended: {closed_at:%Y-%m-%d %H:%M} UTC",
        f"Look here: {ui_url}",
    ]
    return Message(_title(f"resolved: {what}"), "\n".join(lines), good=True)


def _title(what: str) -> str:
    return "lms-assets: " + (what if len(what) <= TITLE_LENGTH else what[: TITLE_LENGTH - 1] + "…")


def _moment(value: Any) -> str:
    try:
        return f"{datetime.fromisoformat(str(value)):%Y-%m-%d %H:%M} UTC"
    except ValueError:
        return "unknown"


def _link(details: Mapping[str, Any], ui_url: str) -> str:
    run_id = details.get("run_id")
    assets = details.get("assets") or ()
    if run_id:
        return f"{ui_url}/runs/{run_id}"
    return f"{ui_url}/assets/{assets[0]}" if assets else f"{ui_url}/overview"
