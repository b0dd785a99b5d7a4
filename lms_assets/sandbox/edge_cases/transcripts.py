"""Edge-case transcripts: renewals, expiries at and around now, other things than courses, contradictions.

Each case is one person of the first partner's group; `now` is the vendor state's reference time.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from lms_assets.sandbox.edge_cases.stage import Stage
from lms_assets.sandbox.state import ids
from lms_assets.sandbox.state.timestamps import to_text
from lms_assets.sandbox.state.vendor_state import Person

_MANY = 130

CASES = {
    "renewal_after_expiry": "person: attempt 1 expired, attempt 2 in force: counts once",
    "renewal_before_expiry": "person: attempts 1 and 2 both in force, other version: counts once",
    "same_attempt_twice": "person: two rows of one attempt, both in force: counts once",
    "expiry_missing": "person: completed a year ago without expiry: counts",
    "expiry_missing_at_24_months": "person: completed 24 months before now without expiry: counts no longer",
    "expiry_missing_a_second_less": "person: completed a second later than that: counts",
    "expiry_at_now": "person: expires exactly now: counts no longer",
    "expiry_a_second_ago": "person: expired a second ago",
    "expiry_in_a_second": "person: expires in a second: counts",
    "expiry_other_name": "person: the expiry stands under expiry_date, in force: counts",
    "expiry_other_name_past": "person: the expiry stands under expiry_date, past",
    "expired_long_ago": "person",
    "completed_at_now": "person: completed exactly now: counts",
    "completed_in_the_future": "person: completed in an hour: counts not yet",
    "completed_without_date": "person: status completed, no completed_at",
    "expires_before_completion": "person: the expiry lies before the completion: not held",
    "in_progress_at_100": "person: progress 100, status in_progress",
    "completed_at_progress_90": "person: status completed, progress 90: counts",
    "learning_path": "person: a completed learning path and a certification: the certification counts",
    "learning_path_with_course_id": "person: a completed learning path whose id is a certification's: does not count",
    "event": "person: a completed event, nothing else",
    "unknown_course": "person: a completed course that no list knows, and a certification that counts; the unknown id",
    "transcript_compound_id": "person: the row's id is longer than 50 characters; that id",
    "many_transcripts": f"person: {_MANY} rows, more than a page",
    "transcript_empty": "person: none at all",
    "score_missing": "person: completed without a score: counts",
    "dates_missing": "person: enrolled without any date: does not count",
}


def add(stage: Stage) -> None:
    """Add the cases."""
    _renewals(stage)
    _expiries(stage)
    _contradictions(stage)
    _other_things(stage)
    _sizes(stage)


def _one(stage: Stage, case: str, *, days_ago: float = 100, **values: Any) -> Person:
    """A person whose only row is a completion with these values."""
    person = stage.person(case.replace("_", "-"), stage.group, holds=False)
    stage.factory.completion(person, stage.certification, days_ago=days_ago, **values)
    stage.case(case, person)
    return person


def _renewals(stage: Stage) -> None:
    factory = stage.factory
    expired = _one(stage, "renewal_after_expiry", days_ago=800)
    factory.completion(expired, stage.certification, days_ago=40, attempt_number=2, version_number=2)
    early = _one(stage, "renewal_before_expiry", days_ago=300)
    factory.completion(early, stage.certification, days_ago=10, attempt_number=2, version_number=3)
    twice = _one(stage, "same_attempt_twice", days_ago=300)
    factory.completion(twice, stage.certification, days_ago=300)


def _expiries(stage: Stage) -> None:
    factory = stage.factory
    _one(stage, "expiry_missing", days_ago=365, expires_at=None)
    edge = _months_before(factory.now, 24)
    for case, seconds in (("expiry_missing_at_24_months", 0), ("expiry_missing_a_second_less", 1)):
        moment = to_text(edge.fromtimestamp(edge.timestamp() + seconds, edge.tzinfo))
        _one(stage, case, days_ago=731, completed_at=moment, expires_at=None)
    _one(stage, "expiry_at_now", days_ago=730)
    _one(stage, "expiry_a_second_ago", days_ago=730, expires_at=factory.ago(seconds=1))
    _one(stage, "expiry_in_a_second", days_ago=730, expires_at=factory.ago(seconds=-1))
    _one(stage, "expiry_other_name", expiry_attribute="expiry_date")
    _one(stage, "expiry_other_name_past", days_ago=400, expires_at=factory.ago(days=35), expiry_attribute="expiry_date")
    _one(stage, "expired_long_ago", days_ago=1500)


def _contradictions(stage: Stage) -> None:
    factory = stage.factory
    _one(stage, "completed_at_now", days_ago=0)
    _one(stage, "completed_in_the_future", days_ago=-1 / 24)
    _one(stage, "completed_without_date", completed_at=None, expires_at=None)
    _one(stage, "expires_before_completion", expires_at=factory.ago(days=150))
    _one(stage, "in_progress_at_100", progress_status="in_progress", completed_at=None, expires_at=None)
    _one(stage, "completed_at_progress_90", progress=90)
    _one(stage, "score_missing", score=None)
    blank = stage.person("dates-missing", stage.group, holds=False)
    factory.transcript(blank, stage.certification, days_ago=0, enrolled_at=None, started_at=None)
    stage.case("dates_missing", blank)


def _other_things(stage: Stage) -> None:
    factory, rng = stage.factory, stage.factory.rng
    path = _one(stage, "learning_path")
    factory.completion(path, ids.uuid(rng), days_ago=90, resource_type="learning_path", name="Grand Tour")
    disguised = stage.person("learning-path-disguised", stage.group, holds=False)
    factory.completion(disguised, stage.certification, days_ago=90, resource_type="learning_path", name="Grand Tour")
    stage.case("learning_path_with_course_id", disguised)
    visitor = stage.person("event", stage.group, holds=False)
    factory.completion(
        visitor, ids.uuid(rng), days_ago=90, resource_type="event", name="Summer Meeting", expires_at=None
    )
    stage.case("event", visitor)
    unknown = ids.uuid(rng)
    person = _one(stage, "unknown_course")
    factory.completion(person, unknown, days_ago=60)
    stage.case("unknown_course", person, unknown)


def _sizes(stage: Stage) -> None:
    factory = stage.factory
    long_id = ids.compound(factory.rng)
    stage.case("transcript_compound_id", _one(stage, "transcript_compound_id", id=long_id), long_id)
    busy = _one(stage, "many_transcripts")
    for number in range(_MANY - 1):
        factory.transcript(busy, stage.second_certification, days_ago=200 + number, attempt_number=number + 1)
    stage.case("transcript_empty", stage.person("transcript-empty", stage.group, holds=False))


def _months_before(moment: datetime, months: int) -> datetime:
    """The same day and time that many calendar months earlier; the last of the month where there is no such day."""
    year, month = divmod(moment.year * 12 + moment.month - 1 - months, 12)
    for day in range(moment.day, 0, -1):
        try:
            return moment.replace(year=year, month=month + 1, day=day)
        except ValueError:
            continue
    raise AssertionError("every month has a first day")
