"""When a task of the portal runs next."""

from __future__ import annotations

from datetime import UTC, datetime

from lms_assets.domain.schedule import Task
from lms_assets.lineage import CHAIN_LINE, ENROLLMENTS_LINE

NIGHT = datetime(2026, 3, 2, 1, tzinfo=UTC)


def test_a_task_runs_next_by_the_first_of_its_schedules_that_are_on():
    task = Task("sync", "Sync", None, (ENROLLMENTS_LINE, CHAIN_LINE))
    on = frozenset({ENROLLMENTS_LINE.schedule, CHAIN_LINE.schedule})
    assert task.next_run(NIGHT, on) == NIGHT.replace(hour=2)
    assert task.next_run(NIGHT, frozenset({ENROLLMENTS_LINE.schedule})) == NIGHT.replace(hour=6)
    assert task.next_run(NIGHT, frozenset({CHAIN_LINE.schedule})) == NIGHT.replace(hour=2)
    assert task.next_run(NIGHT, frozenset()) is None
