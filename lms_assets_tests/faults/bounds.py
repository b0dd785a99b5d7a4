"""The least and the most that a partner's counts may be when its parts were read at different moments.

After a chain that failed half-way, some of what is stored is of today and some of yesterday. Whatever was read when:
who belonged to a partner and held a certification at each of these moments counts; who did at none of them does not.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import reduce
from typing import Any

from lms_assets_tests.oracle import expected
from lms_assets_tests.oracle.holding import CATEGORIES, category_of, course_names, points_of_courses, why_not_held

Links = Mapping[str, int | None]
State = Mapping[str, Any]
Bounds = dict[str, tuple[int, int]]
"""Column of `partners` to the least and the most."""


@dataclass(frozen=True)
class Moment:
    """The vendors' data at one moment, and the links that nobody but the product can decide."""

    state: State
    links: Links


@dataclass(frozen=True)
class _Course:
    points: tuple[int, int]
    categories: frozenset[str | None]


def bounds(moments: Sequence[Moment], transcripts: Sequence[State], at: datetime) -> dict[int, Bounds]:
    """Of each account that counted at one of the moments. `transcripts`: what may have been read of those."""
    people = [
        {number: partner.user_ids for number, partner in expected(each.state, at, each.links).partners.items()}
        for each in moments
    ]
    held = [_held(each, at) for each in transcripts]
    courses = _courses([each.state for each in moments])
    found = {}
    for number in set().union(*people):
        belonging = [each.get(number, frozenset()) for each in people]
        most = _counted(set().union(*belonging), held, set.union, courses, 1)
        least = _counted(set(reduce(frozenset.intersection, belonging)), held, set.intersection, courses, 0)
        found[number] = {column: (least[column], most[column]) for column in least}
    return found


def never_taken_back(before: Sequence[State], now: State) -> list[State]:
    """Transcripts after whoever was active was read: the newest of each, though nobody may have seen one removed."""
    rows = {row["id"]: row for each in before for row in each["transcripts"]}
    rows |= {row["id"]: row for row in now["transcripts"]}
    return [now, {"transcripts": list(rows.values())}]


def outside(shown: Mapping[str, Any], right: Bounds) -> list[str]:
    """Every count that is less or more than it can be, as text."""
    found = []
    for column, (least, most) in right.items():
        if not least <= int(shown[column] or 0) <= most:
            found.append(f"{column} is {shown[column]}, not {least} to {most}")
    return found


def _held(state: State, at: datetime) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for row in state["transcripts"]:
        if why_not_held(row, at) is None:
            found.setdefault(row["person_id"], set()).add(row["resource_id"])
    return found


def _courses(states: Iterable[State]) -> dict[str, _Course]:
    points: dict[str, list[int]] = {}
    categories: dict[str, set[str | None]] = {}
    every = list(states)
    for state in every:
        for course, number in points_of_courses(state).items():
            points.setdefault(course, []).append(number)
        for course, name in course_names(state).items():
            categories.setdefault(course, set()).add(category_of(name))
    return {
        course: _Course(
            (min(numbers) if len(numbers) == len(every) else 0, max(numbers)), frozenset(categories[course])
        )
        for course, numbers in points.items()
    }


def _counted(
    people: set[str], held: Sequence[Mapping[str, set[str]]], together: Any, courses: Mapping[str, _Course], most: int
) -> dict[str, int]:
    counts = dict.fromkeys([f"cert_count_{name}" for name in CATEGORIES], 0) | {"total_npcu": 0}
    for person in people:
        for course in together(*(each.get(person, set()) for each in held)) & set(courses):
            facts = courses[course]
            if facts.points[most] == 0:
                continue
            counts["total_npcu"] += facts.points[most]
            for name in facts.categories if most or len(facts.categories) == 1 else ():
                if name is not None:
                    counts[f"cert_count_{name}"] += 1
    return counts
