"""Identifiers of the vendors' kinds, drawn from a seeded generator."""

from __future__ import annotations

import random

_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
_CHECK_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"


def uuid(rng: random.Random) -> str:
    """A version 4 UUID as text."""
    digits = f"{rng.getrandbits(128):032x}"
    variant = "89ab"[int(digits[16], 16) & 3]
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:]}"


def compound(rng: random.Random) -> str:
    """A compound id: two UUIDs, 73 characters, longer than the 50 that older tables allow."""
    return f"{uuid(rng)}-{uuid(rng)}"


def salesforce(rng: random.Random, prefix: str, *, long: bool | None = None) -> str:
    """A Salesforce id with a three-letter object prefix; 18 characters if `long`, 15 if not, either if None."""
    short = prefix + "".join(rng.choices(_ALPHABET, k=12))
    wanted = rng.getrandbits(1) if long is None else long
    return short + salesforce_check(short) if wanted else short


def salesforce_check(short: str) -> str:
    """The three characters that make a 15-character id safe where case is lost: one for each five letters."""
    blocks = (short[start : start + 5] for start in (0, 5, 10))
    return "".join(
        _CHECK_ALPHABET[sum(1 << place for place, letter in enumerate(block) if letter.isupper())] for block in blocks
    )
