"""Takes secrets out of texts, by where a secret can stand. Pure; knows nothing of the product's rooms.

A long, random secret is taken out wherever it stands. A short or common one ("lms", "password") is also a word of
ordinary texts: to take it out there would spoil the text and give the secret away to whoever sees the gap. It is taken
out only where a secret stands: in the user part of a URL, and behind a word such as `password`.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from urllib.parse import quote, quote_plus, unquote, urlsplit

SECRET = "[secret]"  # noqa: S105 - what stands where one was
SHORTEST = 8
TOKEN_LENGTH = 16
# Words of our own texts and the passwords that everybody tries: a secret made of nothing else is a common text.
_COMMON_WORDS = """
admin alert alerts api asset assets cert certification certifications certified chain changeme check
checks cleanup contact contacts count counts course courses crm daily data dagster database db default
demo enrollment enrollments example executive failed full group groups health history home impartner
incremental job key lead leads learning lms local localhost mail mariadb member members memberships
monday mysql northpass npcu offboarding pam partner partners pass password plan portal postgres
preflight premier prod production push pushed record records registered report reports resume root run
schedule secret sensor server staging status sync system task test tier token to total upgrade user
users warehouse webserver weekly welcome
"""
_COMMON = frozenset(_COMMON_WORDS.split())
_BEHIND = (
    r"(?i:\b(?:pass(?:word|wd|phrase)?|pwd|secret|token|credentials?|api[-_ ]?key|authorization|key)\b"
    r"[\"']?(?:\s*[=:]\s*[\"']?|\s+[\"'])|\b(?:bearer|basic)\s+)"
)
_EMAIL = re.compile(r"[^\s@<>\"'(),;:]+@[^\s@<>\"'(),;:]+\.\w+")
_USER_PART = re.compile(r"(\b[a-z][\w+.\-]*://)[^\s/@]*:[^\s@]*@", re.IGNORECASE)
_USER_ONLY = re.compile(r"(\b[a-z][\w+.\-]*://)[^\s/@]+@", re.IGNORECASE)


def redact(text: str, secrets: Collection[str]) -> str:
    """The text without any of these secrets, spelled plainly or as in a URL; see the module for where."""
    for form in sorted({form for secret in secrets if secret for form in _forms(secret)}, key=len, reverse=True):
        if is_weak(form):
            text = re.sub(f"({_BEHIND}){re.escape(form)}(?![\\w-])", _behind, text)
        else:
            text = text.replace(form, SECRET)
    return text


def without_credentials(text: str) -> str:
    """The text without user names and passwords in URLs."""
    return _USER_ONLY.sub(r"\1<credentials>@", _USER_PART.sub(r"\1<credentials>@", text))


def is_weak(secret: str) -> bool:
    """Whether a secret is so short, or so common a text, that it may stand in an ordinary text by chance."""
    words = [part for part in re.split(r"[\W_\d]+", secret.lower()) if part]
    digits = any(character.isdigit() for character in secret)
    if len(secret) < SHORTEST or (not digits and all(word in _COMMON for word in words)):
        return True
    mixed = (digits and words) or re.search(r"[^\w\s.-]", secret)
    return len(secret) < TOKEN_LENGTH and not mixed


def secrets_of_url(url: str) -> tuple[str, ...]:
    """What is secret in a URL that carries a password, as it stands there and as it is meant."""
    # The server part of a URL ends at its first slash, and some drivers take a password with a slash or an @ in it.
    found = re.match(r"[\w+.\-]+://[^:/@]*:(.*)@", url) or re.match(r"[\w+.\-]+://[^:/@]*:([^@]*)@", url)
    if found is None:
        return ()
    shortest = found[1].partition("@")[0]
    return tuple(dict.fromkeys(text for text in (found[1], shortest) for text in (text, unquote(text)) if text))


def secrets_of_channel(url: str) -> tuple[str, ...]:
    """What is secret in the URL of an alert channel or a heartbeat: all of it, and each long part by itself."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return (url,)
    pieces = re.split(r"[/?&=:@]+", f"{parts.netloc}/{parts.path}/{parts.query}")
    tokens = [piece for piece in pieces if len(piece) >= TOKEN_LENGTH and re.search(r"\d", piece)]
    return (url, *secrets_of_url(url), *tokens)


def _forms(secret: str) -> Iterator[str]:
    yield secret
    yield quote(secret, safe="")
    yield quote_plus(secret)


def _behind(match: re.Match[str]) -> str:
    return match[1] + SECRET


def scrub(text: str, limit: int = 2000) -> str:
    """Give the text without addresses and credentials, at most `limit` characters long."""
    return _EMAIL.sub("<e-mail>", without_credentials(text))[:limit]
