"""Rows of the ledger of certifications: which of several attempts decides for its course, and what tells rows apart.

The judgement is `certifications.assess`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from hashlib import blake2b
from itertools import groupby

from lms_assets.domain.counting.certifications import Assessed, Verdict
from lms_assets.domain.counting.holdings import key_of

_NEVER = datetime.min.replace(tzinfo=UTC)

# Of several attempts at one course the one that is nearest to counting decides.
_NEARNESS = {
    Verdict.COUNTED: 6,
    Verdict.NOT_A_PARTNER_USER: 5,
    Verdict.COMPLETED_LATER: 4,
    Verdict.EXPIRED: 3,
    Verdict.NO_COMPLETION_DATE: 2,
    Verdict.NOT_COMPLETED: 1,
    Verdict.UNKNOWN_COURSE: 1,
}


def deciding(assessed: Iterable[Assessed]) -> Iterator[Assessed]:
    """The deciding enrollment of each partner, person and certification, in the order of `assess`.

    The counted one where there is one, else the one nearest to counting: the reason why the course does not count.
    Courses without NPCU are left out; a course that no list knows may be a certification and is kept.

    Args:
        assessed: in the order of `assess`, where the attempts at one course follow each other.
    """
    for _, attempts in groupby(assessed, key=key_of):
        of_course = [each for each in attempts if each.verdict in _NEARNESS]
        if of_course:
            yield of_course[0] if len(of_course) == 1 else max(of_course, key=_nearness)


def fingerprint(item: Assessed) -> str:
    """32 hex digits over all that a row of the ledger says; equal for equal rows, on every machine."""
    facts = (
        item.partner_id,
        item.user_id,
        item.course_id,
        item.enrollment_id,
        item.category,
        item.npcu,
        item.completed_at and item.completed_at.timestamp(),
        item.expires_at and item.expires_at.timestamp(),
        *map(tuple, item.via),
        item.verdict.value,
        item.other,
    )
    return blake2b(repr(facts).encode(), digest_size=16).hexdigest()


def _nearness(item: Assessed) -> tuple[int, datetime, datetime, str]:
    return _NEARNESS[item.verdict], item.expires_at or _NEVER, item.completed_at or _NEVER, item.enrollment_id
