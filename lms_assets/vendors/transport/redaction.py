"""Makes text from a vendor's answer fit for a log or an error: no secret, no personal data, short. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection

from lms_assets.redaction import redact

_EMAIL = re.compile(r"[^\s@<>\"'(),;:]+@[^\s@<>\"'(),;:]+")
_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"|\u2018[^\u2019]*\u2019|\u201c[^\u201d]*\u201d")
_URL = re.compile(r"\b\w+://\S+")
_LONG_TOKEN = re.compile(r"\b[A-Za-z0-9_\-]{40,}\b")
MAXIMUM_LENGTH = 200


def scrub(text: object, secrets: Collection[str] = ()) -> str:
    """The text without secrets, e-mail addresses, links, long tokens and quoted values, at most 200 characters.

    Quoted values go because vendors quote what was sent, and that may be a person's name; the name of a
    custom CRM field ("..._cf") stays, since without it the message is of no use.
    """
    cleaned = "".join(character if character.isprintable() else " " for character in str(text)[:5000])
    cleaned = redact(cleaned, secrets)
    cleaned = _URL.sub("[link]", cleaned)
    cleaned = _EMAIL.sub("[e-mail]", cleaned)
    cleaned = _QUOTED.sub(_field_or_nothing, cleaned)
    cleaned = _LONG_TOKEN.sub("[token]", cleaned)
    cleaned = " ".join(cleaned.split())
    return cleaned if len(cleaned) <= MAXIMUM_LENGTH else cleaned[: MAXIMUM_LENGTH - 1] + "…"


def _field_or_nothing(match: re.Match[str]) -> str:
    return match.group() if re.fullmatch(r"\w+__cf", match.group()[1:-1]) else "'…'"
