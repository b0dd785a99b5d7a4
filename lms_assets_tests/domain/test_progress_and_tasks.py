"""How far a step is, and when a task runs next."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from lms_assets.domain.operations.portal_tasks import Task
from lms_assets.domain.operations.progress import Progress, read_progress
from lms_assets.domain.operations.schedule import DAILY_FULL, ENROLLMENTS

NIGHT = datetime(2026, 3, 2, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("progress", "text"),
    [
        (Progress("people", 12_000, 30_500), "people: 12,000 of 30,500"),
        (Progress("people", 0, 0), "people: 0 of 0"),
        (Progress("pages", 3), "pages: 3"),
    ],
)
def test_progress_is_one_line_that_can_be_read_back(progress, text):
    assert str(progress) == text
    assert read_progress(text) == progress


@pytest.mark.parametrize("line", ["", "people: many", "people: 3 of many", "Started: 3 pages"])
def test_other_lines_are_no_progress(line):
    assert read_progress(line) is None


def test_a_task_runs_next_by_the_first_of_its_schedules_that_are_on():
    task = Task("sync", "Sync", None, (ENROLLMENTS, DAILY_FULL))
    on = frozenset({ENROLLMENTS.schedule, DAILY_FULL.schedule})
    assert task.next_run(NIGHT, on) == NIGHT.replace(hour=2)
    assert task.next_run(NIGHT, frozenset({ENROLLMENTS.schedule})) == NIGHT.replace(hour=6)
    assert task.next_run(NIGHT, frozenset({DAILY_FULL.schedule})) == NIGHT.replace(hour=2)
    assert task.next_run(NIGHT, frozenset()) is None
