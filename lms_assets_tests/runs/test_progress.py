"""What a run reports of itself comes back as the values that it gave, through Dagster's own storage."""

# No postponed annotations: Dagster reads the type of `context` from the function itself.

import dagster as dg
import pytest

from lms_assets.runs.progress import Progress, progress_of, report_progress, report_waiting, waits_for

STEPS = (Progress("people", 12_000, 30_500), Progress("people", 0, 0), Progress("pages: 3 of 4", 3))


@dg.op
def reporting(context: dg.OpExecutionContext) -> None:
    for each in STEPS:
        report_progress(context.log, context.run, "reporting", each)
    report_waiting(context.log, "a_job", "daily_full (run 1)")
    context.log.info("people: 3 of 4")


@dg.job
def a_job() -> None:
    reporting()


def test_values_come_back_as_they_were_given_whatever_the_text():
    with dg.DagsterInstance.ephemeral() as instance:
        run = a_job.execute_in_process(instance=instance)
        events = [each.dagster_event for each in instance.all_logs(run.run_id) if each.dagster_event is not None]
    assert tuple(filter(None, map(progress_of, events))) == STEPS
    assert list(filter(None, map(waits_for, events))) == ["daily_full (run 1)"]
    assert {each.step_key for each in events if progress_of(each)} == {"reporting"}


@pytest.mark.parametrize(
    ("progress", "text"),
    [
        (Progress("people", 12_000, 30_500), "people: 12,000 of 30,500"),
        (Progress("people", 0, 0), "people: 0 of 0"),
        (Progress("pages", 3), "pages: 3"),
    ],
)
def test_the_text_is_for_people(progress: Progress, text: str):
    assert str(progress) == text
