"""Taking out of a text what may not be kept in a log: e-mail addresses and passwords in URLs."""

from __future__ import annotations

import re

__all__ = ["scrub"]

_EMAIL = re.compile(r"[^\s@<>\"'(),;:]+@[^\s@<>\"'(),;:]+\.\w+")
_CREDENTIALS = re.compile(r"(\w+://)[^\s/@]+@")


def scrub(text: str, limit: int = 2000) -> str:
    """Give the text without addresses and credentials, at most `limit` characters long."""
    return _EMAIL.sub("<e-mail>", _CREDENTIALS.sub(r"\1<credentials>@", text))[:limit]
