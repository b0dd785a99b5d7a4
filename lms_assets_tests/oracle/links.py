"""Which group belongs to which partner: equal names first, near-equal ones only when nothing else comes close.

"Near" is a matter of measure, and this measure (difflib's) is not the product's. What both must agree on is what is
clear by any measure; `unsure` lists the rest.
"""

from __future__ import annotations

import difflib
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass

from lms_assets_tests.oracle.records import Row, group_is_kept, trimmed

LEGAL_SUFFIXES = [
    "inc", "incorporated", "llc", "ltd", "limited", "gmbh", "ag", "bv", "nv", "sa", "sas", "sarl", "srl", "spa", "plc",
    "corp", "corporation", "co", "company", "kg", "oy", "ab", "as", "pty", "kk", "ооо",
]  # fmt: skip
CLEAR = 0.90
"""From here on two names are near-equal to this measure, if nothing else comes within MARGIN."""
MARGIN = 0.08
DOUBTFUL = 0.72
"""From here on another measure might call them near-equal."""


@dataclass(frozen=True)
class Link:
    """What the oracle says of a group: its partner or None, and whether any sensible measure would agree."""

    group_id: str
    partner_id: int | None
    sure: bool
    why: str


def plain(name: str) -> list[str]:
    """The name's words without case, accents, `ptr_` and punctuation, legal suffixes still on."""
    text = name.strip().casefold()
    if text.startswith("ptr_"):
        text = text[len("ptr_") :]
    cleaned = ""
    for character in unicodedata.normalize("NFKD", text):
        if unicodedata.combining(character):
            continue
        if character in "'’`.":
            continue
        cleaned += character if character.isalnum() else " "
    return cleaned.split()


def normalised(name: str) -> str:
    """Two names are equal when this is: words joined, legal suffixes at the end taken off (never all words)."""
    words = plain(name)
    while len(words) > 1 and words[-1] in LEGAL_SUFFIXES:
        words.pop()
    return "".join(words)


def spelled_in_several_scripts(one: str, other: str) -> bool:
    """Whether the two names are not in one alphabet, so that only a transliteration could compare them."""
    return _scripts(one) != _scripts(other)


def _scripts(name: str) -> set[str]:
    return {unicodedata.name(letter, "?").split()[0] for letter in name if letter.isalpha()}


def link_of(group: Row, partners: Mapping[int, Row]) -> Link:
    """The link of one kept group by names alone.

    Reading: `All Partners` belongs to nobody. Reading: when several partners are equal after normalising, the group
    belongs to none of them unless exactly one is equal with its legal suffix too.
    """
    name = group["name"] or ""
    if trimmed(name) == "all partners" or normalised(name) == "":
        return Link(group["id"], None, True, "nobody's")
    equal = [each for each, account in partners.items() if normalised(account["name"]) == normalised(name)]
    if len(equal) == 1:
        return Link(group["id"], equal[0], True, "exact")
    if len(equal) > 1:
        with_suffix = [each for each in equal if plain(partners[each]["name"]) == plain(name)]
        only = with_suffix[0] if len(with_suffix) == 1 else None
        return Link(group["id"], only, False, "several partners are equal")
    return _near(group["id"], name, partners)


def _near(group_id: str, name: str, partners: Mapping[int, Row]) -> Link:
    scored = []
    foreign = False
    for partner_id, account in partners.items():
        matcher = difflib.SequenceMatcher(None, normalised(name), normalised(account["name"]), autojunk=False)
        if matcher.real_quick_ratio() >= DOUBTFUL and matcher.quick_ratio() >= DOUBTFUL:
            scored.append((matcher.ratio(), partner_id))
        foreign = foreign or spelled_in_several_scripts(name, account["name"])
    scored.sort(reverse=True)
    best = scored[0][0] if scored else 0.0
    second = scored[1][0] if len(scored) > 1 else 0.0
    if best < DOUBTFUL:
        # Another alphabet: comparable only through a transliteration, which this measure does not have.
        return Link(group_id, None, not (foreign and _scripts(name) - {"LATIN"}), "nothing like it")
    if best >= CLEAR and best - second >= MARGIN:
        return Link(group_id, scored[0][1], False, f"near: {best:.2f}, next {second:.2f}")
    return Link(group_id, None, False, f"doubtful: {best:.2f}, next {second:.2f}")


def links(
    groups: list[Row], partners: Mapping[int, Row], overrides: Mapping[str, int | None] | None = None
) -> list[Link]:
    """Every kept group with its link; one set by hand always wins.

    Reading: an override to something that is no kept partner leaves the group without one.
    """
    found = []
    for group in groups:
        if not group_is_kept(group):
            continue
        if overrides is not None and group["id"] in overrides:
            chosen = overrides[group["id"]]
            found.append(Link(group["id"], chosen if chosen in partners else None, True, "by hand"))
        else:
            found.append(link_of(group, partners))
    return found
