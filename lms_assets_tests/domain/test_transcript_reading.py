"""Whose transcript is due, what a reading comes to, and that a staged reading is the same after a restart."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from lms_assets.domain.records.transcripts import (
    Enrollment,
    ReadingState,
    TranscriptRead,
    from_json,
    is_due,
    read_transcript,
    to_json,
)

NOW = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)
SECOND, WEEK = timedelta(seconds=1), timedelta(days=7)
REJECTED = read_transcript("p1", [{"id": "t3"}], (), complete=True).rejected[0]
READ = NOW - timedelta(hours=5)


def test_whoever_was_never_read_is_due():
    assert is_due(ReadingState(None), NOW)


@pytest.mark.parametrize(("ago", "due"), [(WEEK, True), (WEEK - SECOND, False)])
def test_after_exactly_a_week_a_transcript_is_due_again(ago, due):
    assert is_due(ReadingState(NOW - ago), NOW) is due


@pytest.mark.parametrize("event", ["last_active_at", "changed_at", "joined_at"])
@pytest.mark.parametrize(("at", "due"), [(READ - SECOND, False), (READ, True), (READ + SECOND, True)])
def test_something_that_happened_at_or_after_the_last_reading_makes_it_due(event, at, due):
    assert is_due(ReadingState(READ, **{event: at}), NOW) is due


def test_without_any_event_nothing_is_due():
    assert not is_due(ReadingState(READ), NOW)


def record(number, **attributes):
    given = {"resource_type": "course", "resource_id": "c1", "progress_status": "completed", **attributes}
    return {"id": f"t{number}", "type": "transcripts", "attributes": given}


def test_a_transcript_is_complete_when_every_page_and_record_could_be_read():
    read = read_transcript("p1", [record(1), record(2)], {"c1"}, complete=True)
    assert (read.outcome, [each.id for each in read.enrollments], read.rejected) == ("complete", ["t1", "t2"], ())
    assert read_transcript("p1", [record(1)], {"c1"}, complete=False).outcome == "partial"


def test_an_unreadable_record_makes_it_partial_and_an_unknown_course_does_not():
    damaged = read_transcript("p1", [record(1), record(2, completed_at="yesterday")], {"c1"}, complete=True)
    assert (damaged.outcome, len(damaged.enrollments), len(damaged.rejected)) == ("partial", 1, 1)
    unknown = read_transcript("p1", [record(1), record(2, resource_id="c9")], {"c1"}, complete=True)
    assert (unknown.outcome, len(unknown.enrollments), len(unknown.rejected)) == ("complete", 1, 1)


def test_a_learning_path_is_left_out():
    read = read_transcript("p1", [record(1, resource_type="learning_path")], {"c1"}, complete=True)
    assert (read.outcome, read.enrollments, read.rejected) == ("complete", (), ())


def test_a_staged_reading_is_the_same_after_a_restart():
    full = Enrollment("t1", "p1", "c1", "completed", 100, NOW, NOW, NOW, NOW + WEEK, Decimal("97.50"))
    bare = Enrollment("t2", "p1", "c1", "enrolled", None, None, None, None, None, None)
    read = TranscriptRead("p1", "partial", (full, bare), (REJECTED,))
    assert from_json("p1", "partial", to_json(read)) == read


def test_a_reading_without_content_has_none():
    assert from_json("p1", "gone", None) == TranscriptRead("p1", "gone")


def test_an_unknown_outcome_is_refused():
    with pytest.raises(ValueError, match="unknown outcome"):
        from_json("p1", "lost", {})
