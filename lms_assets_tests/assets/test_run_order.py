"""What a run's tags may not ask for: another day's instant, weeks that do not exist, older counts than the newest."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from lms_assets.lineage import DAILY_FULL
from lms_assets.run_tags import AS_OF_TAG, RANGE_END, RANGE_START
from lms_assets_tests.harness.chain import DIARIES, ChainHarness, ChainResult


def everything(harness: ChainHarness) -> dict[str, list[dict[str, Any]]]:
    """Every row and every stamp of all tables but the log of syncs, which says that one was refused."""
    tables = {*harness.tables(), *DIARIES} - {"sync_logs", "alembic_version"}
    return {table: harness.rows(table) for table in sorted(tables)}


def refused(harness: ChainHarness, **order: Any) -> ChainResult:
    """Run what has to be refused; nothing was written, and no vendor was asked."""
    before = everything(harness)
    harness.sandbox.reset_stats()
    result = harness.run(**order)
    assert not result.success
    assert everything(harness) == before
    asked = harness.sandbox.stats()
    assert not asked["northpass"]["by_endpoint"]
    assert not asked["impartner"]["by_endpoint"]
    retries = [event for event in result.events if event.event_type_value == "STEP_UP_FOR_RETRY"]
    assert not retries, "it is final"
    return result


@pytest.mark.parametrize("job", ["daily_full", "enrollments_incremental", "push_to_impartner"])
def test_an_old_tick_launched_again_counts_nothing(synced: ChainHarness, job: str) -> None:
    """The UI's "Preview tick result, Launch" takes over the tags of the tick: nine days ago."""
    synced.sandbox.mutate("complete_course", **_a_certification(synced))
    old = synced.now - timedelta(days=9)
    result = refused(synced, job=job, tags={AS_OF_TAG: old.isoformat()})
    for said in result.errors.values():
        assert "216 hours before the start of this run; at most 24 are allowed" in said
        assert "Start the job again, without the tags of an earlier run or tick (lms/as_of)" in said


def _a_certification(harness: ChainHarness) -> dict[str, str]:
    person = next(row["user_id"] for row in harness.rows("lms_enrollments") if row["status"] == "completed")
    course = next(row["id"] for row in harness.rows("lms_courses") if row["npcu_value"] and row["status"] == "live")
    return {"person": person, "course": course}


@pytest.mark.parametrize("text", ["2026-03-02T06:30:00+00:00", "2026-03-02T02:00:00", "soon"])
def test_an_instant_to_come_or_none_at_all_counts_nothing(synced: ChainHarness, text: str) -> None:
    result = refused(synced, job="push_to_impartner", tags={AS_OF_TAG: text})
    assert set(result.failed) == {"partner_certifications"}


@pytest.mark.parametrize("asset", DAILY_FULL)
def test_no_asset_by_itself_takes_an_instant_of_another_day(synced: ChainHarness, asset: str) -> None:
    old = synced.now - timedelta(hours=24, minutes=1)
    result = refused(synced, job="daily_full", assets=(asset,), alone=True, tags={AS_OF_TAG: old.isoformat()})
    assert "at most 24 are allowed" in result.errors[asset]


def test_leads_do_not_count_as_of_their_tick_and_may_be_late(synced: ChainHarness) -> None:
    """A machine that was off from Sunday to Wednesday reads them when it is back."""
    late = synced.run("leads_full", tags={AS_OF_TAG: (synced.now - timedelta(days=3)).isoformat()})
    assert late.success, late.errors


@pytest.mark.parametrize(
    ("first", "last", "said"),
    [
        ("2026-02-23", "2026-03-09", "there is no week 2026-03-09"),
        ("2023-12-25", "2026-03-02", "there is no week 2023-12-25"),
        ("2026-02-24", "2026-03-02", "there is no week 2026-02-24"),
    ],
)
def test_weeks_that_do_not_exist_are_not_called_done(synced: ChainHarness, first: str, last: str, said: str) -> None:
    """Dagster itself passes over them in silence."""
    result = refused(
        synced, job="enrollments_incremental", assets=("enrollments",), tags={RANGE_START: first, RANGE_END: last}
    )
    assert said in result.errors["enrollments"]


def test_a_launch_without_weeks_reads_nothing_and_says_what_to_choose(synced: ChainHarness) -> None:
    result = refused(synced, job="push_to_impartner", assets=("enrollments",), alone=True)
    assert "This run has no weeks" in result.errors["enrollments"]


def test_counts_are_never_of_an_earlier_instant_than_the_newest(synced: ChainHarness) -> None:
    before = synced.now - timedelta(hours=2)
    assert synced.run("push_to_impartner").success
    late = synced.run("push_to_impartner", tags={AS_OF_TAG: before.isoformat()})
    assert late.success, late.errors
    for asset in ("partner_certifications", "partner_cert_counts"):
        assert late.metadata[asset]["as_of"] == synced.now.timestamp()
    assert late.metadata["pushed_partner_cert_counts"]["sent"] == 0
