"""When a second look confirms that something is gone or has changed for the worse: one rule for every kind of record.

Source: domain rules, deletions: absence is confirmed before it has an effect. There are two sources. A record that can
be asked for is asked for by its id, with control records in each answer; a list without such a call is read again.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, TypeVar

Id = TypeVar("Id", int, str)

CONTROLS = 2
"""So many control records from each end of what is known to be there."""


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
    """None when a second reading confirms what a first one said; each gives ids, and for each what is in question."""
    if not second_is_complete:
        return "the second reading was incomplete"
    differing = {key for key in {*first, *second} if key not in first or key not in second or first[key] != second[key]}
    return f"two readings differ in {len(differing)} of {len({*first, *second})} records" if differing else None
