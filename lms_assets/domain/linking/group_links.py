"""Whose each LMS group is. A wrong link gives a partner somebody else's points, so doubt means no link."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from lms_assets.domain.linking.company_names import ComparableName, comparable, key_of, normalise_name
from lms_assets.domain.records.groups import LmsGroup, is_kept_group
from lms_assets.domain.records.values import Finding
from lms_assets.domain.rules import Rules

__all__ = [
    "GroupLink",
    "LinkMethod",
    "LinkablePartner",
    "dangling_overrides",
    "key_of",
    "link_groups",
    "lost_links",
    "naming_groups",
    "normalise_name",
]

LinkMethod = Literal["override", "exact", "fuzzy", "ambiguous", "none"]
SHOWN_CANDIDATES = 5
_NAMING: tuple[LinkMethod, ...] = ("exact", "override", "fuzzy")
_SAME_WORD = 85.0
_SHORTEST_SLIP = 4
_NAMES_AT_ONCE = 64
"""Rows of a table of scores: 8 MB for each 16,000 partners."""


@dataclass(frozen=True, slots=True)
class LinkablePartner:
    """A row of `partners`, active or not."""

    id: int
    account_name: str
    is_active: bool = True


@dataclass(frozen=True, slots=True)
class GroupLink:
    """What was found for one group.

    `score` is 0 to 100 (100 for override and exact; the best score for the others). `candidates` are partners that
    came into question, best first, as (partner id, score), at most five. `partner_id` is None for `ambiguous` and
    `none`, and for an override that says so.
    """

    group_id: str
    partner_id: int | None
    method: LinkMethod
    score: float = 0.0
    candidates: tuple[tuple[int, float], ...] = ()


def link_groups(
    groups: Iterable[LmsGroup],
    partners: Iterable[LinkablePartner],
    overrides: Mapping[str, int | None],
    rules: Rules,
) -> tuple[GroupLink, ...]:
    """One link a group, in the order of `groups` (domain rules, group to partner).

    1. A kept group of everybody (`All Partners`) is never anybody's, by hand neither.
    2. An override wins. One that names a partner which does not exist leaves the group without one.
    3. Equal names: active partners first; of several the one that is equal with its legal form too, then the one
       equal to the letter but for case; otherwise `ambiguous`. An inactive partner is linked when no active one is
       equal, so that its people can still be found.
    4. Near-equal names, see `_near`: only to an active partner, at `fuzzy_threshold` or above, and only when no
       other known name comes within `fuzzy_margin`.

    Several groups may be linked to one partner. The result depends on the present names alone.
    """
    known = tuple(partners)
    book = _Book.of(known, rules)
    named = [(group, comparable(group.name, rules)) for group in groups]
    links = [_decided(group, name, overrides, book, rules) for group, name in named]
    open_ones = [position for position, link in enumerate(links) if link is None]
    scores = _scores([named[position][1] for position in open_ones], book, rules)
    for position, scored in zip(open_ones, scores, strict=True):
        links[position] = _near(*named[position], scored, book, rules)
    return tuple(link for link in links if link is not None)


def dangling_overrides(
    groups: Iterable[LmsGroup], partners: Iterable[LinkablePartner], overrides: Mapping[str, int | None], rules: Rules
) -> tuple[Finding, ...]:
    """Overrides that point to nothing: no such group, no such partner, or a group of everybody.

    Args:
        overrides: LMS group id to partner row id; None: the group is nobody's.
    """
    names = {group.id: group.name for group in groups}
    ids = {partner.id for partner in partners}
    findings = []
    for group_id, partner_id in sorted(overrides.items()):
        if group_id not in names:
            findings.append(Finding("group", group_id, "an override for a group that does not exist"))
        elif is_kept_group(names[group_id], rules):
            findings.append(Finding("group", group_id, "an override for a group of everybody has no effect"))
        elif partner_id is not None and partner_id not in ids:
            findings.append(Finding("group", group_id, f"an override to partner {partner_id}, which does not exist"))
    return tuple(findings)


def lost_links(
    links: Iterable[GroupLink],
    linked_before: Mapping[str, int],
    lost_before: Mapping[str, int],
    active_partners: Container[int],
    left: Container[str] = frozenset(),
) -> dict[str, int]:
    """Groups that were an active partner's and are nobody's now, each with that partner: one of the two was renamed.

    A group stays lost until it is somebody's again, an override says that it is nobody's, its partner leaves, or it
    is in `left` itself; one that was not listed this time says nothing new.

    Args:
        linked_before: group to partner as stored before this sync. lost_before: what this gave at the last sync.
    """
    was = {**lost_before, **linked_before}
    found = {link.group_id: link for link in links}
    lost = {}
    for group_id, partner_id in sorted(was.items()):
        link = found.get(group_id)
        nobodys = group_id in lost_before and group_id not in left
        if link is not None:
            nobodys = link.partner_id is None and link.method != "override"
        if nobodys and partner_id in active_partners:
            lost[group_id] = partner_id
    return lost


def naming_groups(links: Iterable[GroupLink], groups: Iterable[LmsGroup]) -> dict[int, LmsGroup]:
    """Which of its groups names each partner in the CRM: an exactly linked one first, then one linked by hand, then
    a near one; then the one with most users; then the lowest id.
    """
    by_id = {group.id: group for group in groups}
    ranks: dict[int, list[tuple[int, int, str]]] = {}
    for link in links:
        group = by_id.get(link.group_id)
        if link.partner_id is not None and group is not None:
            rank = (_NAMING.index(link.method), -(group.user_count or 0), group.id)
            ranks.setdefault(link.partner_id, []).append(rank)
    return {partner_id: by_id[min(found)[-1]] for partner_id, found in ranks.items()}


@dataclass(frozen=True)
class _Book:
    """Every known name, comparable; `names[i]` is that of `owners[i]`."""

    names: tuple[ComparableName, ...]
    owners: Sequence[LinkablePartner]
    by_key: Mapping[str, Sequence[int]]
    ids: frozenset[int]
    spellings: tuple[tuple[str, ...], ...] = field(default=())

    @classmethod
    def of(cls, partners: Sequence[LinkablePartner], rules: Rules) -> _Book:
        names = tuple(comparable(each.account_name, rules) for each in partners)
        by_key: dict[str, list[int]] = {}
        for index, name in enumerate(names):
            by_key.setdefault(name.key, []).append(index)
        rows = [_spellings(name) for name in names]
        ids = frozenset(partner.id for partner in partners)
        return cls(names, partners, by_key, ids, tuple(zip(*rows, strict=True)))


def _spellings(name: ComparableName) -> tuple[str, str, str]:
    words = name.ascii_words
    return " ".join(words), " ".join(sorted(words)), "".join(words)


def _decided(
    group: LmsGroup,
    name: ComparableName,
    overrides: Mapping[str, int | None],
    book: _Book,
    rules: Rules,
) -> GroupLink | None:
    """What is decided without likeness (1 to 3 of `link_groups`); None when no known name is equal."""
    if is_kept_group(group.name, rules):
        return GroupLink(group.id, None, "none")
    if group.id in overrides:
        partner_id = overrides[group.id]
        return GroupLink(group.id, partner_id if partner_id in book.ids else None, "override", 100.0)
    equal = [book.owners[index] for index in book.by_key.get(name.key, ())]
    active = [owner for owner in equal if owner.is_active]
    return _among_equal(group, name, active or equal, rules) if equal else None


def _among_equal(group: LmsGroup, name: ComparableName, equal: Sequence[LinkablePartner], rules: Rules) -> GroupLink:
    candidates = tuple((partner.id, 100.0) for partner in sorted(equal, key=lambda each: each.id))
    with_form = [each for each in equal if comparable(each.account_name, rules).full_key == name.full_key]
    to_the_letter = [each for each in equal if _letters(each.account_name) == _letters(group.name)]
    for found in (equal, with_form, to_the_letter):
        if len(found) == 1:
            return GroupLink(group.id, found[0].id, "exact", 100.0, candidates[:SHOWN_CANDIDATES])
    return GroupLink(group.id, None, "ambiguous", 100.0, candidates[:SHOWN_CANDIDATES])


def _letters(name: str) -> str:
    return " ".join(name.casefold().split())


def _near(group: LmsGroup, name: ComparableName, scored: Mapping[int, float], book: _Book, rules: Rules) -> GroupLink:
    """The partner whose name looks the same, if there is just one such name.

    The score is RapidFuzz's `ratio` in Latin letters, the best of as written, words sorted, and without blanks; never a
    measure of parts, for which a subset is the whole. Names with other numbers are no candidates at all. The best one
    is linked when the names differ by slips of the pen only, see `_only_slips`, and when both have characters that are
    words of their own (Chinese, Japanese, Korean, Thai), not at all: there one character off is another company.
    """
    scores = [(score, index) for index, score in scored.items() if book.names[index].digits == name.digits]
    if not scores:
        return GroupLink(group.id, None, "none")
    scores.sort(key=lambda each: (-each[0], each[1]))
    shown = tuple((book.owners[index].id, round(score, 2)) for score, index in scores[:SHOWN_CANDIDATES])
    score, index = scores[0]
    owner = book.owners[index]
    if score < rules.fuzzy_threshold or not _only_slips(name, book.names[index], rules):
        return GroupLink(group.id, None, "none", round(score, 2), shown)
    if len(scores) > 1 and scores[1][0] > score - rules.fuzzy_margin:
        return GroupLink(group.id, None, "ambiguous", round(score, 2), shown)
    if not owner.is_active:
        return GroupLink(group.id, None, "none", round(score, 2), shown)
    return GroupLink(group.id, owner.id, "fuzzy", round(score, 2), shown)


def _scores(names: Sequence[ComparableName], book: _Book, rules: Rules) -> Iterator[dict[int, float]]:
    """For each name the best score of every known one that comes near enough to matter as a candidate or as a rival.

    Many names at once: asked name by name, RapidFuzz takes each known name apart again for each, and ten times the
    partners cost a hundred times the seconds.
    """
    # Here, since only this step needs them.
    import numpy as np
    from rapidfuzz import fuzz, process

    cutoff = max(0.0, rules.fuzzy_threshold - rules.fuzzy_margin)
    for start in range(0, len(names), _NAMES_AT_ONCE):
        some = names[start : start + _NAMES_AT_ONCE]
        best = np.full((len(some), len(book.names)), -1.0)
        spelled = zip(*map(_spellings, some), strict=True)
        for spellings, known in zip(spelled, book.spellings, strict=False):
            alike = process.cdist(
                spellings, known, scorer=fuzz.ratio, score_cutoff=cutoff, dtype=np.float64, workers=-1
            )
            np.maximum(best, alike, out=best)
        for row in best:
            yield {int(index): float(row[index]) for index in np.nonzero(row >= cutoff)[0]}


def _only_slips(one: ComparableName, other: ComparableName, rules: Rules) -> bool:
    """Whether the words that differ are spellings of each other: as many on both sides, each pair with one first
    letter, at least 85 alike and four letters long; no digit and no word that tells companies apart (`north`,
    `germany`) among them. So a letter more or less passes, and one for another in words of seven letters or more.
    """
    if one.unspaced and other.unspaced:
        return False
    left, right = list(one.ascii_words), list(other.ascii_words)
    for word in one.ascii_words:
        if word in right:
            right.remove(word)
            left.remove(word)
    telling = frozenset(rules.distinguishing_words)
    if any(word in telling or any(map(str.isdigit, word)) for word in (*left, *right)):
        return "".join(one.ascii_words) == "".join(other.ascii_words)
    if len(left) != len(right):
        left, right = ["".join(left)], ["".join(right)]
    return all(_alike(a, b) for a, b in zip(sorted(left), sorted(right), strict=True))


def _alike(one: str, other: str) -> bool:
    from rapidfuzz import fuzz

    long_enough = min(len(one), len(other)) >= _SHORTEST_SLIP
    return long_enough and one[0] == other[0] and fuzz.ratio(one, other) >= _SAME_WORD
