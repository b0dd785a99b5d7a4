"""An incident for tests that need one and do not care which."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from lms_assets.domain.operations.incident import Incident


def an_incident(key: str = "check/a/b", **fields: Any) -> Incident:
    """An incident of this key; `fields` set what the test is about."""
    since = datetime(2026, 3, 2, 12, tzinfo=UTC)
    given = {"kind": "check", "what": "It is odd.", "since": since, "effect": "None.", "remedy": "Look at it."}
    return Incident(key, **(given | fields))
