"""Vendor states that reports are made of: a small one worked by hand, and one of any size that is only for show."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime, timedelta

from lms_assets.domain.counting.certifications import CourseFacts
from lms_assets.domain.counting.holdings import CountingInputs, Held, held_by_dates
from lms_assets.domain.counting.report_facts import WEEK, PartnerFacts
from lms_assets.domain.linking.partner_users import Affiliation, Via
from lms_assets.domain.records.dates import LATEST
from lms_assets.domain.records.transcripts import Enrollment
from lms_assets.reports.config import ReportConfig
from lms_assets.reports.figures.inputs import ReportInputs, held_frame, people_frame
from lms_assets.reports.figures.model import Frame

AT = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
WEEK_OF = date(2026, 11, 23)
SCRIPT_NAME = "<script>alert(1)</script> & Söhne 株式会社"
LONG_NAME = '=HYPERLINK("http://formula.example.com/without/any/blank/to/break/at","Click")'
FORMULA_NAME = "=cmd|' /C calc'!A0 Example"


def member(partner_id: int, user_id: str, obstacle: str | None = None) -> Affiliation:
    return Affiliation(partner_id, user_id, (Via("group", f"group-{partner_id}"),), obstacle)


def course(course_id: str, npcu: int = 1, category: str | None = "nintex_ce", name: str | None = None) -> CourseFacts:
    return CourseFacts(course_id, name or f"Course {course_id}", npcu, category)


def done(
    user_id: str, course_id: str, completed: datetime, expires: datetime | None = None, attempt: int = 1
) -> Enrollment:
    return Enrollment(
        id=f"{user_id}-{course_id}-{attempt}",
        user_id=user_id,
        course_id=course_id,
        status="completed",
        progress_percent=100,
        enrolled_at=None,
        started_at=None,
        completed_at=completed,
        expires_at=expires,
        score=None,
    )


def inputs(
    inputs: CountingInputs,
    partners: list[PartnerFacts],
    *,
    at: datetime = AT,
    names: dict[str, str] | None = None,
    known: list[Held] | None = None,
    config: ReportConfig | None = None,
    banner: str | None = None,
) -> ReportInputs:
    """What the report of the vendor state is made from, everything by its dates.

    Args:
        known: what the ledger knows besides.
    """
    held = [*held_by_dates(inputs, LATEST), *(known or [])]
    people = people_frame((each.partner_id, each.user_id) for each in inputs.affiliations if each.obstacle is None)
    frame = Frame(week=WEEK_OF, as_of=at, since=at - WEEK, banner=banner, known_since=at)
    return ReportInputs(frame, tuple(partners), held_frame(held), people, names or {}, config or ReportConfig())


_WORDS = ["Alder", "Birch", "Cedar", "Delta", "Elm", "Fjord", "Grove", "Harbour", "Iris", "Juniper", "Keel", "Linden"]
_KINDS = ["Digital", "Consulting", "Systems", "Automation", "Works", "Partners", "Labs", "Software", "Solutions"]
_FIRST = ["Ada", "Bea", "Carl", "Dora", "Emil", "Frida", "Gus", "Hana", "Ivo", "Jun", "Kaja", "Luis", "Mina", "Noor"]
_LAST = ["Abel", "Brandt", "Costa", "Dahl", "Eriksen", "Fuchs", "Garcia", "Hoshi", "Ito", "Jansen", "Kovač", "Lund"]
_COURSES = [
    course("ac1", 1, "nintex_ce", "Automation Cloud Practitioner"),
    course("ac2", 2, "nintex_ce", "Automation Cloud Expert"),
    course("k21", 2, "nintex_k2", "K2 Five Developer"),
    course("sf1", 1, "nintex_salesforce", "Document Generation for Salesforce"),
    course("gtm", 1, "go_to_market", "Sales Professional"),
    course("rpa", 1, "nintex_ce", "RPA Foundations"),
    course("odd", 1, None, "Community Contributor"),
]
_TIERS = ["Premier Plus", "Premier", "Select", "Select", "Certified", "Certified", "Registered", "Aggregator"]
_REGIONS = ["EMEA", "Americas", "APAC", "DACH", "Nordics", None]


def show_scenario(
    *, partners: int = 24, owners: int = 1, people_each: int = 6, attempts_each: int = 0, seed: int = 3
) -> ReportInputs:
    """Made-up partners with plausible learning; the same seed gives the same vendor state.

    `attempts_each` adds so many old and unfinished enrollments a person, which count nowhere.
    """
    chance = random.Random(seed)
    facts, affiliations, enrollments, names = [], [], [], {}
    for number in range(1, partners + 1):
        name = f"{chance.choice(_WORDS)} {chance.choice(_KINDS)} {number}"
        facts.append(
            PartnerFacts(
                id=number,
                name={3: SCRIPT_NAME, 5: LONG_NAME}.get(number, name),
                tier=chance.choice(_TIERS),
                region=chance.choice(_REGIONS),
                owner=f"Owner {number % owners + 1}",
                leads_last_30_days=chance.choice([0, 0, 1, 3, 8]),
                contacts_not_in_lms=chance.choice([0, 0, 0, 2]),
                people_in_no_group=chance.choice([0, 0, 1]),
            )
        )
        for position in range(chance.randrange(0, people_each * 2)):
            user = f"user-{number}-{position}"
            first = FORMULA_NAME if (number, position) == (3, 0) else chance.choice(_FIRST)
            names[user] = f"{first} {chance.choice(_LAST)}"
            affiliations.append(member(number, user))
            if (number, position) == (3, 0):
                enrollments.append(done(user, "rpa", AT - timedelta(days=1), attempt=9))
            for each in chance.sample(_COURSES, chance.randrange(0, 5)):
                completed = AT - timedelta(minutes=chance.randrange(60, 60 * 24 * 800))
                enrollments.append(done(user, each.id, completed))
            for attempt in range(attempts_each):
                old = AT - timedelta(days=1000 + attempt)
                enrollments.append(done(user, _COURSES[attempt % 7].id, old, attempt=100 + attempt))
    counting = CountingInputs(tuple(affiliations), tuple(enrollments), {each.id: each for each in _COURSES})
    return inputs(counting, facts, names=names, config=ReportConfig(portal_url="https://portal.example.com"))
