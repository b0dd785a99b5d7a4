"""Two counts of one partner that differ: what each says, and which certifications make the difference."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from lms_assets.domain.safety.withheld import WithheldReason

SHOWN = 3

Counts = Mapping[str, int]
"""Column to count, as stored for one partner."""
Row = tuple[str, str]
"""LMS ids of a person and of a course: one certification that counts."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One partner's counts as stored and as recounted, as of one instant, and as the first method counts them now.

    `counted_rows` make up the stored counts, `recounted_rows` the recounted ones.
    """

    stored: Counts
    recounted: Counts
    counted_now: Counts
    counted_rows: Collection[Row]
    recounted_rows: Collection[Row]


def differing(stored: Mapping[int, Counts], recounted: Mapping[int, Counts]) -> tuple[int, ...]:
    """Partners that were recounted and whose stored counts are not the same; what is not stored is 0."""
    return tuple(
        sorted(
            partner_id
            for partner_id, counts in recounted.items()
            if any((stored.get(partner_id, {}).get(name) or 0) != number for name, number in counts.items())
        )
    )


def withheld_for(found: Difference) -> WithheldReason:
    """Why the partner is withheld: something changed since it was counted, or the two methods disagree."""
    numbers = "; ".join(
        f"{name} is stored as {int(found.stored.get(name) or 0):,} and recounted as {int(number):,}"
        for name, number in found.recounted.items()
        if (found.stored.get(name) or 0) != number
    )
    rows = [
        *_listed("only in the count", set(found.counted_rows) - set(found.recounted_rows)),
        *_listed("only in the recount", set(found.recounted_rows) - set(found.counted_rows)),
    ]
    differences = "; ".join([numbers, *rows])
    if found.counted_now == found.recounted:
        text = f"the counts or what they rest on changed since the counting: {differences}"
        return WithheldReason("changed_since_counted", text)
    return WithheldReason("recount_differs", f"two methods of counting disagree: {differences}")


def _listed(where: str, rows: Collection[Row]) -> list[str]:
    if not rows:
        return []
    shown = ", ".join(f"person {user} course {course}" for user, course in sorted(rows)[:SHOWN])
    more = f" and {len(rows) - SHOWN:,} more" if len(rows) > SHOWN else ""
    return [f"{where}: {shown}{more}"]
