"""E-mail addresses: what is a valid one, and the one spelling under which two are the same. No network."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import Any

from lms_assets.domain.records.values import clean_text

_LOCAL_LIMIT = 64
_ADDRESS_LIMIT = 254
_PLAIN_LOCAL = re.compile(r"[a-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[a-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_WORD = re.compile(r"[^\W_]+")


def normalise_email(text: Any) -> str | None:
    """The address without outer blanks, in lower case and with its domain in letters (not `xn--`); None when
    it is no valid address or no text.

    Valid is what `email-validator` accepts without asking DNS. The documentation names (`example.com`) and
    `.test` are accepted, so that sandboxes work; `localhost`, `.local` and `.invalid` reach nobody and are not.
    """
    if not isinstance(text, str):
        return None
    folded = unicodedata.normalize("NFC", text.strip().lower())
    local, at, domain = folded.rpartition("@")
    if not at or len(folded) > _ADDRESS_LIMIT:
        return None
    if len(local) <= _LOCAL_LIMIT and _PLAIN_LOCAL.fullmatch(local):
        known = _valid_domain(domain)
        return f"{local}@{known}" if known and len(local) + len(known) < _ADDRESS_LIMIT else None
    return _validated(folded)


def fold_email(text: Any) -> str | None:
    """Like `normalise_email`, but an invalid address is kept, stripped and in lower case, at most 255 characters.

    For LMS accounts: an account with an odd address is still an account. A folded invalid address never
    equals a valid one.
    """
    if not isinstance(text, str):
        return None
    return normalise_email(text) or clean_text(text[:1000]).lower()[:255].strip() or None


def domain_of(email: str) -> str:
    """The part after the last `@` of a normalised address."""
    return email.rpartition("@")[2]


def local_words(email: str) -> frozenset[str]:
    """The words of the part before the `@`: runs of letters and digits, split by anything else.

    `sales.emea` -> sales, emea; `test+1` -> test, 1; `demo_user` -> demo, user; `sales2` is one word, and it
    is not `sales` (domain rules, contacts left out: *a word of* the local part).
    """
    return frozenset(_WORD.findall(email.rpartition("@")[0]))


def in_domains(email: str, domains: frozenset[str]) -> bool:
    """Whether the address's domain is one of `domains` (lower case).

    An entry means that domain itself: `bill.com` is neither `skillbill.com` nor `eu.bill.com`. An entry
    `*.bill.com` means every domain below it.
    """
    domain = domain_of(email)
    if domain in domains:
        return True
    parts = domain.split(".")
    return any("*." + ".".join(parts[start:]) in domains for start in range(1, len(parts)))


# The listing holds 40,000 addresses at some 1,500 domains, and a full validation takes 50 microseconds: the
# domain is validated once, a plain ASCII local part by the pattern that the validator itself applies.
@lru_cache(maxsize=20_000)
def _valid_domain(domain: str) -> str | None:
    address = _validated(f"a@{domain}")
    return domain_of(address) if address else None


def _validated(address: str) -> str | None:
    # Its patterns take 20 ms to compile, and many a command has no address to judge.
    from email_validator import EmailNotValidError, validate_email

    try:
        found = validate_email(address, check_deliverability=False, test_environment=True)
    except (EmailNotValidError, ValueError, UnicodeError):
        return None
    normalised = unicodedata.normalize("NFC", found.normalized.lower())
    return normalised if len(normalised) <= _ADDRESS_LIMIT else None
