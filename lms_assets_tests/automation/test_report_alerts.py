"""Alerts about the reports: blocked, and mails of which nobody knows whether they arrived."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest

from lms_assets.automation.alerting.alerts import open_incidents_sensor, update_incidents
from lms_assets.domain.operations.incident_detection import Facts, FailedRun, find_incidents
from lms_assets.domain.operations.reports import FailedAttempt, blocked
from lms_assets.warehouse.bookkeeping.alerts import incidents_to_announce, mark_announced
from lms_assets.warehouse.bookkeeping.email_log import EmailLogRows, resolve_as_sent, unknown_outcomes
from lms_assets.warehouse.engine import Warehouse
from lms_assets_tests.automation.daemon_harness import DaemonHarness, watched_harness
from lms_assets_tests.automation.receiver import Receiver, receiving

ADDRESS = "olga@example.com"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as made:
        yield made


@pytest.fixture
def told(quick_folder: Path, receiver: Receiver) -> Iterator[DaemonHarness]:
    """A harness in which nothing has run; alerts go to the receiver."""
    with watched_harness(quick_folder, LMS_ALERT_URLS=receiver.alert_url) as harness:
        yield harness


def look(harness: DaemonHarness, times: int = 1) -> None:
    for _ in range(times):
        harness.tick(open_incidents_sensor)


@pytest.mark.slow
def test_blocked_reports_are_one_alert_of_their_own_until_they_went_out(told: DaemonHarness, receiver: Receiver):
    told.be_after("daily_full")
    held_at = told.advance(hours=40)
    for _ in range(2):
        assert not told.run("weekly_reports").success
        look(told, times=2)
    (alert,) = receiver.posts
    assert "Reports are blocked (pam_weekly_report, executive_weekly_report)" in alert["title"]
    for part in (
        "the counts are 40 hours old",
        f"Since: {held_at:%Y-%m-%d %H:%M} UTC",
        "weekly_reports --allow stale_reports",
    ):
        assert part in alert["message"]
    assert "weekly_reports failed" not in receiver.texts
    assert told.run("weekly_reports", allow=("stale_reports",)).success
    look(told, times=2)
    (_, last) = receiver.titles
    assert "resolved: Reports are blocked" in last


def test_reports_blocked_that_then_cannot_be_sent_are_told_again_and_not_called_well(
    warehouse: Warehouse, now: datetime
):
    held = blocked("weekly_reports", {"pam_weekly_report": [FailedAttempt(now, "the last chain failed.", "Wait.")]})
    failed = FailedRun("weekly_reports", "failed", None, now, (), "the mail server refused user or password")
    told = []
    for facts in (Facts(blocked_reports=held), Facts(blocked_reports=held), Facts(failed_runs=[failed]), Facts()):
        with warehouse.transaction() as connection:
            update_incidents(connection, find_incidents(facts), frozenset(), now=now)
            news = incidents_to_announce(connection)
            mark_announced(connection, news, now=now)
        told.append([(each.kind, each.closed_at is None) for each in news])
    assert told == [[("reports_blocked", True)], [], [("job", True)], [("job", False)]]


def test_an_incident_that_became_one_of_an_undecided_kind_is_not_called_resolved(warehouse: Warehouse, now: datetime):
    """While a chain runs nothing is decided about failed jobs; the reports are still not out."""
    held = blocked("weekly_reports", {"pam_weekly_report": [FailedAttempt(now, "the last chain failed.", "Wait.")]})
    failed = FailedRun("weekly_reports", "failed", None, now, (), "no answer")
    with warehouse.transaction() as connection:
        update_incidents(connection, find_incidents(Facts(blocked_reports=held)), frozenset(), now=now)
        mark_announced(connection, incidents_to_announce(connection), now=now)
        update_incidents(connection, find_incidents(Facts(failed_runs=[failed])), frozenset({"job"}), now=now)
        assert incidents_to_announce(connection) == ()


def test_mails_of_unknown_outcome_are_one_alert_without_addresses_until_resolved(
    told: DaemonHarness, receiver: Receiver
):
    log = EmailLogRows(told.warehouse)
    for number in (12, 14):
        key = f"pam_weekly_report:2026-W10:{number}"
        values = {
            "address": ADDRESS,
            "name": "Olga",
            "subject": "Your partners",
            "pam_id": number,
            "period": "2026-W10",
        }
        log.reserve(key, email_type="pam_weekly_report", now=told.now, **values)
        assert log.hand_over(key, told.now)
    look(told)
    assert receiver.posts == [], "a message that is being sent has no answer yet either"
    told.advance(minutes=11)
    look(told, times=2)
    (alert,) = receiver.posts
    assert "2 report messages" in alert["title"]
    assert "pam 12, pam 14" in alert["message"]
    assert "lms-assets report resolve" in alert["message"]
    assert ADDRESS not in receiver.texts
    for left in (1, 0):
        with told.warehouse.transaction() as connection:
            first, *_ = unknown_outcomes(connection)
            assert resolve_as_sent(connection, first, by="anna", now=told.now)
            assert not resolve_as_sent(connection, replace(first), by="anna", now=told.now)
        look(told)
        assert len(receiver.posts) == (1 if left else 2)
    assert "resolved" in receiver.titles[1]
