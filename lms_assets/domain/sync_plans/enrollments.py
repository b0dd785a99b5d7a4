"""What a sync of the enrollments writes: what the readings of a transcript prove, and which enrollments leave."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from lms_assets.domain.records.transcripts import Enrollment, Outcome, TranscriptRead
from lms_assets.domain.safety.confirmation import why_readings_prove_nothing


@dataclass(frozen=True)
class KnownEnrollments:
    """What is stored before transcripts are read.

    Attributes:
        course_ids: ids of all courses.
        by_person: each person's enrollment ids.
        completed: ids of those enrollments that are completed.
        read_before: people whose transcript was read completely once.
    """

    course_ids: Collection[str]
    by_person: Mapping[str, Collection[str]]
    completed: Collection[str] = frozenset()
    read_before: Collection[str] = frozenset()


def judge_first(person_id: str, first: TranscriptRead | None, known: KnownEnrollments) -> TranscriptRead | None:
    """What one reading proves by itself; None where the transcript has to be read a second time.

    Args:
        first: None where the answer was 404, which a person without enrollments gives too (Northpass API, endpoints).
    """
    if first is None:
        # As it was at the last reading. Whether the person is gone is for the sync of people to find out.
        as_before = person_id in known.read_before and not known.by_person.get(person_id)
        return TranscriptRead(person_id, "complete") if as_before else None
    return first if first.outcome != "complete" or not _loses_something(first, known) else None


def judge_both(
    person_id: str, first: TranscriptRead | None, second: TranscriptRead | None, known: KnownEnrollments
) -> TranscriptRead:
    """What two readings of somebody who is there prove; None is a 404.

    Two readings that agree are believed. Of two that differ only what takes no stored completion back is kept, and
    the transcript stays `partial` (domain rules, deletions).
    """
    if first is None and second is not None and not _loses_something(second, known):
        # The 404 was a wrong answer: what it denied is here.
        return second
    first, second = (each or TranscriptRead(person_id, "complete") for each in (first, second))
    completions = _completions(second)
    complete = second.outcome == "complete"
    if why_readings_prove_nothing(_completions(first), completions, second_is_complete=complete) is None:
        return second
    kept = tuple(each for each in second.enrollments if each.id not in known.completed or completions[each.id])
    return TranscriptRead(person_id, "partial", kept, second.rejected)


def _loses_something(read: TranscriptRead, known: KnownEnrollments) -> bool:
    """Whether a stored enrollment would go, or a stored completion be taken back."""
    stored = set(known.by_person.get(read.person_id, ()))
    completions = _completions(read)
    return bool(stored - set(completions)) or any(
        each in known.completed and completions[each] is None for each in stored & set(completions)
    )


def _completions(read: TranscriptRead) -> dict[str, datetime | None]:
    return {each.id: each.completed_at if each.status == "completed" else None for each in read.enrollments}


@dataclass(frozen=True)
class EnrollmentPlan:
    """What is to be written of the enrollments.

    Attributes:
        people: whose transcripts were due. `everybody`: nobody who counts for a partner is left out.
        reads: the transcripts that were read. `read_at`: person id to when that was (UTC).
        leaving: ids of stored enrollments that complete transcripts no longer have, for the deactivation limit.
    """

    people: frozenset[str]
    everybody: bool
    reads: tuple[TranscriptRead, ...]
    read_at: Mapping[str, datetime]
    leaving: frozenset[str]

    def without(self, people: Collection[str]) -> EnrollmentPlan:
        """The plan without these people, about whom nothing is to be written."""
        return replace(
            self,
            people=self.people.difference(people),
            everybody=self.everybody and self.people.isdisjoint(people),
            reads=tuple(each for each in self.reads if each.person_id not in people),
        )

    @property
    def complete(self) -> frozenset[str]:
        """People whose transcript was read completely."""
        return frozenset(each.person_id for each in self.reads if each.outcome == "complete")

    @property
    def everybody_was_read(self) -> bool:
        """Whether nobody who counts for a partner is left out or was read in part."""
        return self.everybody and self.complete >= self.people

    @property
    def unread(self) -> frozenset[str]:
        """People who were due and of whom nothing was read."""
        return self.people - {each.person_id for each in self.reads}

    @property
    def right_ids(self) -> frozenset[str]:
        """People and enrollments that came through, so that their earlier failures are over."""
        return frozenset(each.person_id for each in self.reads) | {
            row.id for each in self.reads for row in each.enrollments
        }

    def rows(self, *outcomes: Outcome) -> list[Enrollment]:
        """The enrollments of transcripts that were read like that: `complete`, `partial`."""
        return [each for read in self.reads if read.outcome in outcomes for each in read.enrollments]


def plan_enrollments(
    people: Iterable[str],
    reads: Sequence[TranscriptRead],
    stored: Mapping[str, Collection[str]],
    *,
    everybody: bool,
    read_at: Mapping[str, datetime],
) -> EnrollmentPlan:
    """Decide what transcripts change.

    Args:
        people: whose transcripts were due. `everybody`: nobody who counts for a partner is left out.
        reads: what was read. `read_at`: person id to when that was (UTC).
        stored: each person's stored enrollment ids.
    """
    leaving: set[str] = set()
    for read in reads:
        if read.outcome == "complete":
            leaving |= set(stored.get(read.person_id, ())) - {each.id for each in read.enrollments}
    return EnrollmentPlan(frozenset(people), everybody, tuple(reads), read_at, frozenset(leaving))
