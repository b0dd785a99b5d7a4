"""Edge-case courses: NPCU in every spelling, archived versions, odd names."""

from __future__ import annotations

from typing import Any

from lms_assets.sandbox.edge_cases.stage import Stage

# Case -> (course name, npcu as served; ... = no such key).
_NPCU: dict[str, tuple[str, Any]] = {
    "npcu_text": ("Process Manager Textbook", "2"),
    "npcu_text_with_blanks": ("Process Manager Spaces", " 1 "),
    "npcu_empty": ("Process Manager Empty", ""),
    "npcu_null": ("Process Manager Null", None),
    "npcu_missing": ("Process Manager Missing", ...),
    "npcu_fraction": ("Process Manager Fraction", 1.5),
    "npcu_too_high": ("Process Manager Seven", 7),
    "npcu_negative": ("Process Manager Negative", -1),
    "npcu_with_unit": ("Process Manager Points", "2 points"),
}

CASES = {
    **{name: f"course, certified by one person: npcu is {value!r}" for name, (_, value) in _NPCU.items()},
    "npcu_missing": "course, certified by one person: npcu is not among its properties",
    "certification_archived": "course that only the properties list knows, NPCU 2, held by one person",
    "certification_uncategorised": "course, NPCU 1, whose name fits no category pattern, held by one person",
    "certification_two_patterns": "course whose name fits K2, Salesforce and GTM: K2 has the highest priority",
    "certification_versions": "two courses of one name, the first archived, both held by one person",
    "course_without_properties": "course that only /courses lists, held by one person: NPCU 0",
    "course_forbidden": "course whose properties by id answer 403",
    "course_odd_name": "course whose name holds a quote, SQL and HTML, NPCU 1, held by one person",
}


def add(stage: Stage) -> None:
    """Add the cases, each course completed by a person of the first partner."""
    factory = stage.factory
    for case, (name, npcu) in _NPCU.items():
        _held(stage, case, factory.course(name, npcu))
    _held(stage, "certification_archived", factory.course("RPA Bridgework (2019)", 2, listed=False))
    _held(stage, "certification_uncategorised", factory.course("Bridge Building", 1))
    _held(stage, "certification_two_patterns", factory.course("GTM: K2 for Salesforce", 2))
    _held(
        stage,
        "certification_versions",
        factory.course("Apps Bridgework", 1, listed=False),
        factory.course("Apps Bridgework", 1),
    )
    without = factory.course("eSign Bridgework")
    _held(stage, "course_without_properties", without)
    del stage.vendor_state.course_properties[without]
    _held(stage, "course_forbidden", factory.course("Promapp Sealed", 1, forbidden=True))
    _held(stage, "course_odd_name", factory.course("K2'); DROP TABLE lms_courses;-- <b>bold</b> & more", 1))


def _held(stage: Stage, case: str, *courses: str) -> None:
    person = stage.person(case.replace("_", "."), stage.group, holds=False)
    for course in courses:
        stage.factory.completion(person, course, days_ago=150)
    stage.case(case, *courses)
