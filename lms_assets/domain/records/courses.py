"""Which certification category a course has: by a rule over its name, or set by hand."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from lms_assets.domain.records.values import (
    BadValue,
    Rejected,
    clean_text,
    harmless_text,
    kind_of,
    label_of,
    lms_id,
    object_of,
)
from lms_assets.domain.rules import CategoryRule

BY_RULE, BY_HAND = "rule", "hand"


@dataclass(frozen=True, slots=True)
class Category:
    """A course's category as stored. `name` None: none.

    `origin` is `rule` or `hand`, None when nobody has decided (a new course, an adopted portal). `by_rule` is what the
    rules gave at the last sync: a `name` that differs from it was set by hand since.
    """

    name: str | None = None
    origin: str | None = None
    by_rule: str | None = None


def matching_category(name: str | None, category_rules: Iterable[CategoryRule]) -> str | None:
    """The category of the highest-priority rule whose pattern the name contains, ignoring case; None: none matches.

    Of rules with one priority the longer pattern decides, then the category's name, so that the order of rows plays
    no part; blank patterns match nothing.
    """
    folded = (name or "").casefold()
    matching = (
        (-rule.priority, -len(rule.pattern.strip()), rule.category)
        for rule in category_rules
        if rule.pattern.strip() and rule.pattern.strip().casefold() in folded
    )
    best = min(matching, default=None)
    return best[2] if best else None


def categorise(name: str | None, category_rules: Iterable[CategoryRule], stored: Category) -> Category:
    """The category that a course has now (domain rules, category of a course).

    Set by a rule it follows the rules, to none where no rule matches any more. Set by hand it stays. Where nobody has
    decided, a rule that matches wins, and a category that no rule contradicts counts as set by hand (portal schema).
    """
    by_rule = matching_category(name, category_rules)
    undecided = stored.origin not in (BY_RULE, BY_HAND)
    edited = stored.origin == BY_RULE and stored.name != stored.by_rule
    if stored.origin == BY_HAND or edited or (undecided and stored.name and by_rule is None):
        return Category(stored.name, BY_HAND, by_rule)
    return Category(by_rule, BY_RULE, by_rule)


VALID_VALUES = (0, 1, 2)
_SHOWN_CHARACTERS = 40


@dataclass(frozen=True, slots=True)
class Npcu:
    """`value` counts: 0, 1 or 2. `problem` says what stood there instead, for a check; None: all right."""

    value: int
    problem: str | None


def parse_npcu(value: Any) -> Npcu:
    """The points in a custom property (domain rules, NPCU). Never raises.

    - 0, 1 or 2 as a number (`2.0` is the number 2) or as text that is exactly one of these ASCII digits once
      trimmed (`" 2 "`; not `2.0`, `02`, `+2` or `２`).
    - None, missing and blank text are 0, without a problem.
    - Anything else is 0 with a problem: other numbers, other text, true and false, lists, objects.
    """
    if value is None:
        return Npcu(0, None)
    if isinstance(value, str):
        text = value.strip()
        if text in ("", "0", "1", "2"):
            return Npcu(int(text or 0), None)
        shown = clean_text(text[:_SHOWN_CHARACTERS])
        return Npcu(0, f"text {shown!r} is not 0, 1 or 2")
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return Npcu(0, f"{kind_of(value)} is not 0, 1 or 2")
    if value in VALID_VALUES:
        return Npcu(int(value), None)
    if isinstance(value, float) and not math.isfinite(value):
        return Npcu(0, "not a finite number")
    return Npcu(0, f"{value:.6g} is not 0, 1 or 2" if abs(value) < 10**300 else "a huge number is not 0, 1 or 2")


ARCHIVED = "archived"
_DESCRIPTION_LIMIT = 60_000
_KEPT_PROPERTIES = 200
_KEPT_CHARACTERS = 2_000
_KEPT_DEPTH = 4


@dataclass(frozen=True, slots=True)
class Course:
    """What `/courses` says of a course."""

    id: str
    name: str | None
    description: str | None
    status: str | None


@dataclass(frozen=True, slots=True)
class CourseProperties:
    """What `/properties/courses` says: the points, and the property object as it may be stored as JSON."""

    course_id: str
    name: str | None
    npcu: Npcu
    property_data: dict[str, Any]


@dataclass(frozen=True, slots=True)
class CatalogueCourse:
    """The row of `lms_courses` that the two lists make together; `npcu_problem` is for the check."""

    id: str
    name: str
    description: str | None
    status: str | None
    npcu_value: int
    npcu_problem: str | None
    is_certification: bool


@dataclass(frozen=True, slots=True)
class StoredCourse:
    """A row of lms_courses; `npcu_value` counts. `decided` says how `category` came about."""

    id: str
    name: str | None
    status: str | None
    npcu_value: int
    npcu_problem: str | None
    is_certification: bool
    category: str | None
    decided: Category


def course_from_record(record: Any) -> Course | Rejected:
    """The course in a Northpass `courses` resource. Bad: no id, no `attributes`. Everything else is harmless.

    Drafts and archived courses are kept: people may still hold them. Names are cut at 255 characters. Never raises.
    """
    try:
        if not isinstance(record, Mapping):
            raise BadValue(f"an object expected, got {kind_of(record)}")
        attributes = object_of(record, "attributes")
        return Course(
            id=lms_id(record.get("id")),
            name=harmless_text(attributes, "name"),
            description=harmless_text(attributes, "full_description", limit=_DESCRIPTION_LIMIT),
            status=harmless_text(attributes, "status", limit=50),
        )
    except BadValue as problem:
        return Rejected("bad", "course", label_of(record, "id"), str(problem))


def course_properties_from_record(record: Any) -> CourseProperties | Rejected:
    """The properties in a Northpass `course_properties` resource; `id` is the course's. Never raises.

    Bad: no id, no `attributes`, or `properties` that is there and no object. Missing, null or an empty list is no
    properties, hence 0 points. A bad record says nothing: the points stored before stay.
    """
    try:
        if not isinstance(record, Mapping):
            raise BadValue(f"an object expected, got {kind_of(record)}")
        course_id = lms_id(record.get("id"))
        attributes = object_of(record, "attributes")
        empty = attributes.get("properties") in (None, [])
        properties = {} if empty else object_of(attributes, "properties")
    except BadValue as problem:
        return Rejected("bad", "course_properties", label_of(record, "id"), str(problem))
    return CourseProperties(
        course_id=course_id,
        name=harmless_text(properties, "name"),
        npcu=parse_npcu(properties.get("npcu")),
        property_data=_storable(properties, _KEPT_DEPTH),
    )


def merge_course(course: Course | None, properties: CourseProperties | None) -> CatalogueCourse:
    """One catalogue row of what the two lists say of one course id. Raises `ValueError` when neither says anything.

    A course that only the properties list knows is an archived version; it counts (domain rules, certifications).
    Without properties it has 0 points. A course without any name is called by its id. A certification has points
    above 0; which category it has is for `categories.categorise`.
    """
    if course is None and properties is None:
        raise ValueError("a course that neither list knows cannot be merged")
    course_id = course.id if course else properties.course_id if properties else ""
    if course and properties and course.id != properties.course_id:
        raise ValueError("the course and the properties to merge have different ids")
    name = (course and course.name) or (properties and properties.name) or course_id
    npcu = properties.npcu if properties else Npcu(0, None)
    return CatalogueCourse(
        id=course_id,
        name=name,
        description=course.description if course else None,
        status=course.status if course else ARCHIVED,
        npcu_value=npcu.value,
        npcu_problem=npcu.problem,
        is_certification=npcu.value > 0,
    )


def _storable(value: Any, depth: int) -> Any:
    """The value as JSON that a database takes: cleaned text, finite numbers, bounded in size and depth."""
    if isinstance(value, str):
        return clean_text(value[:_KEPT_CHARACTERS])
    if isinstance(value, int):  # true and false too
        return value if abs(value) < 2**53 else None
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if depth <= 0:
        return None
    if isinstance(value, Mapping):
        some = list(value.items())[:_KEPT_PROPERTIES]
        return {clean_text(str(key)[:100]): _storable(each, depth - 1) for key, each in some}
    if isinstance(value, (list, tuple)):
        return [_storable(each, depth - 1) for each in value[:_KEPT_PROPERTIES]]
    return None
