"""When a second look confirms that something is gone or has changed for the worse: one rule for every kind of record.

Source: domain rules, deletions: absence is confirmed before it has an effect. There are two sources. A record that can
be asked for is asked for by its id, with control records in each answer, and one record that contradicts the listing
means that nothing is concluded from it. A list without such a call is read again.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Generic, TypeVar

from lms_assets.domain.records.values import Rejected

Id = TypeVar("Id", int, str)
T = TypeVar("T")

CONTROLS = 2
"""So many control records from each end of what is known to be there."""


@dataclass(frozen=True)
class ListingResult(Generic[T]):
    """What a vendor's listing came to, each record as a row or as rejected.

    Attributes:
        complete: whether absence from it means anything. `reasons` says why not, or what was doubted on the way.
        rows: how many records came.
    """

    accepted: tuple[T, ...] = ()
    rejected: tuple[Rejected, ...] = ()
    complete: bool = True
    reasons: tuple[str, ...] = ()
    rows: int = 0

    @property
    def bad(self) -> list[Rejected]:
        """Records that could not be read."""
        return [each for each in self.rejected if each.kind == "bad"]

    @property
    def excluded_ids(self) -> set[str]:
        """Ids of records that the rules leave out; they were seen, and do not count."""
        return {each.entity_id for each in self.rejected if each.kind == "excluded"}

    @property
    def bad_ids(self) -> set[str]:
        """Ids of records that could not be read; their stored rows stay as they are."""
        return {each.entity_id for each in self.bad}

    def incomplete(self, reason: str) -> ListingResult[T]:
        """The same records, and nothing may be concluded from absence: something shows that some are missing."""
        return replace(self, complete=False, reasons=(*self.reasons, reason))


class Doubt(StrEnum):
    """Why stored records are asked for by their ids before a listing has an effect on them."""

    ABSENT = "missing"
    ABSENT_INACTIVE = "absent, and inactive before"
    EXCLUDED = "left out by a rule now"
    DISABLED = "disabled now"
    WITHOUT_EMAIL = "without its e-mail now"
    WITHOUT_PARTNER = "without its partner now"
    DELETED = "deleted according to the vendor's log"
    OVER = "over now"


@dataclass(frozen=True)
class Answers(Generic[Id, T]):
    """What the vendor said of records that were asked for by their ids.

    Attributes:
        asked: the ids in doubt; of very many only a sample was really asked for.
        found: what the rule makes of each record that answered.
        belonging: of those found, the ids of records that should have been listed.
        problem: why the answers prove nothing; None when they do.
    """

    asked: frozenset[Id]
    found: Mapping[Id, T | Rejected] = field(default_factory=dict)
    belonging: frozenset[Id] = frozenset()
    problem: str | None = None


def confirm_missing(
    listing: ListingResult[T], answers: Answers[Id, T] | None
) -> tuple[ListingResult[T], frozenset[Id]]:
    """The ids that a listing lacks, when none of them answers as one that belongs there; else none of them.

    Returns:
        The listing, incomplete where the answers contradict it, and the ids that are gone.
    """
    if answers is None or not listing.complete:
        return listing, frozenset()
    contradicted = "a record that the listing lacks is still there when asked for by id" if answers.belonging else None
    return _all_or_none(listing, answers.asked, answers.problem or contradicted)


def confirm_changed(
    listing: ListingResult[T], answers: Answers[Id, T] | None, holds: Callable[[T | Rejected], bool]
) -> tuple[ListingResult[T], frozenset[Id]]:
    """The records that a listing shows changed for the worse, when all say so again; else none of them.

    Args:
        holds: whether what the rule makes of the second answer confirms the change. Not found confirms it too.

    Returns:
        The listing, incomplete where the answers contradict it, and the ids that have changed.
    """
    if answers is None:
        return listing, frozenset()
    problem = answers.problem
    if problem is None and not all(map(holds, answers.found.values())):
        problem = "a record that changed for the worse reads differently when asked for by id"
    return _all_or_none(listing, answers.asked, problem)


def confirm_deleted(
    listing: ListingResult[T], answers: Answers[Id, T] | None
) -> tuple[ListingResult[T], frozenset[Id]]:
    """Of the records that the vendor's log calls deleted, those that do not answer; none on answers that prove nothing.

    One that answers contradicts the log, not a listing, so the others are believed anyway.
    """
    if answers is None:
        return listing, frozenset()
    return _all_or_none(listing, answers.asked - set(answers.found), answers.problem)


def _all_or_none(
    listing: ListingResult[T], ids: frozenset[Id], problem: str | None
) -> tuple[ListingResult[T], frozenset[Id]]:
    return (listing, ids) if problem is None else (listing.incomplete(problem), frozenset())


def is_excluded(result: Any) -> bool:
    """Whether a rule left the record out, rather than taken it or found it unreadable."""
    return isinstance(result, Rejected) and result.kind == "excluded"


def control_records(known: Collection[Id], asked: Collection[Id]) -> list[Id]:
    """Ids that an answer by id has to show, from both ends of those known to be there and not asked for."""
    there: list[Id] = sorted(set(known) - set(asked))
    return sorted(set(there[:CONTROLS] + there[-CONTROLS:]))


def why_answers_prove_nothing(controls: Collection[Id], answered: Collection[Id]) -> str | None:
    """None when an answer by id can be believed about what it lacks: there are control records, and it shows them."""
    if not controls:
        return "no other record is known to be there, so that an answer by id lacks one proves nothing"
    missing = set(controls) - set(answered)
    return f"an answer by id lacks {len(missing)} of {len(controls)} control records" if missing else None


def why_readings_prove_nothing(
    first: Mapping[str, Any], second: Mapping[str, Any], *, second_is_complete: bool
) -> str | None:
    """None when a second reading confirms what a first one said; each gives ids, and for each what is in question.

    Args:
        first, second: id to what is in question of the record.
        second_is_complete: whether the second reading reached the end of its listing.
    """
    if not second_is_complete:
        return "the second reading was incomplete"
    differing = {key for key in {*first, *second} if key not in first or key not in second or first[key] != second[key]}
    return f"two readings differ in {len(differing)} of {len({*first, *second})} records" if differing else None
