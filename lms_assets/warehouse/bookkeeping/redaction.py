"""Taking out of a text what may not be kept in a log: e-mail addresses and passwords in URLs."""

from __future__ import annotations

import re

from lms_assets.redaction import without_credentials

_EMAIL = re.compile(r"[^\s@<>\"'(),;:]+@[^\s@<>\"'(),;:]+\.\w+")


def scrub(text: str, limit: int = 2000) -> str:
    """Give the text without addresses and credentials, at most `limit` characters long."""
    return _EMAIL.sub("<e-mail>", without_credentials(text))[:limit]
