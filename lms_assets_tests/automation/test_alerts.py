"""One alert for each incident, over HTTP and by mail, once when it begins and once when it is over."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import dagster as dg
import pytest

from lms_assets.automation.alerting.alerts import open_incidents_sensor
from lms_assets_tests.automation.daemon_harness import DaemonHarness, watched_harness
from lms_assets_tests.automation.receiver import Receiver, receiving
from lms_assets_tests.harness.chain import quick_definitions
from lms_assets_tests.reports.mail_server import Mailbox, running_mail_server


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as made:
        yield made


@pytest.fixture
def told(quick_folder: Path, receiver: Receiver) -> Iterator[DaemonHarness]:
    """A harness after one good chain; alerts and heartbeats go to the receiver."""
    urls = {"LMS_ALERT_URLS": receiver.alert_url, "LMS_HEARTBEAT_URL": receiver.heartbeat_url}
    with watched_harness(quick_folder, **urls) as harness:
        harness.be_after("daily_full")
        yield harness


def look(harness: DaemonHarness, times: int = 1) -> None:
    for _ in range(times):
        harness.tick(open_incidents_sensor)


def next_night(harness: DaemonHarness) -> None:
    harness.advance(days=1)


def test_good_chains_are_silent_and_each_beats_once(told: DaemonHarness, receiver: Receiver):
    look(told, times=3)
    next_night(told)
    assert told.run().success
    look(told, times=3)
    assert receiver.posts == []
    assert receiver.gets == ["/beat/s3cret-token"] * 2


def in_the_ui(harness: DaemonHarness, asset: str) -> bool:
    """Whether the asset's check that no incident is open passed when it was last reported."""
    key = dg.AssetCheckKey(dg.AssetKey(asset), "no_incident_is_open")
    (record,) = harness.instance.event_log_storage.get_asset_check_execution_history(key, limit=1)
    assert record.event is not None
    assert record.event.dagster_event is not None
    return record.event.dagster_event.event_specific_data.passed


def test_a_chain_that_fails_again_and_again_is_one_alert_until_it_is_well(told: DaemonHarness, receiver: Receiver):
    """In the UI it is a failing check as long."""
    look(told)
    assert in_the_ui(told, "users")
    beats = len(receiver.gets)
    told.sandbox.faults.add("forbidden", "GET /people")
    for _ in range(2):
        next_night(told)
        assert not told.run().success
        look(told, times=2)
    assert (in_the_ui(told, "users"), in_the_ui(told, "courses")) == (False, True)
    (alert,) = receiver.posts
    assert "daily_full failed: users" in alert["title"]
    for part in ("What:", "Since:", "Effect: Blocked: enrollments", "What to do:", "/runs/"):
        assert part in alert["message"]
    assert len(receiver.gets) == beats, "no heartbeat for a failed chain"
    told.sandbox.faults.reset()
    next_night(told)
    assert told.run().success
    look(told, times=2)
    assert len(receiver.posts) == 2
    assert "resolved" in receiver.titles[1]
    assert len(receiver.gets) == beats + 1
    assert in_the_ui(told, "users")


def test_a_check_that_holds_the_chain_back_is_told_by_its_own_name_and_only_once(
    told: DaemonHarness, receiver: Receiver
):
    with sqlite3.connect(told.folder / "warehouse.db") as connection:
        connection.execute("UPDATE sync_state SET value = '5000' WHERE name = 'certifications_when_last_counted'")
    next_night(told)
    assert not told.run().success
    look(told, times=3)
    (title,) = receiver.titles
    assert "certifications_did_not_vanish" in title
    assert "enrollments" in receiver.posts[0]["message"]


def test_a_partial_chain_is_told_with_its_cause_and_without_harmless_warnings(told: DaemonHarness, receiver: Receiver):
    told.sandbox.faults.add("forbidden", "GET /groups/{id}/memberships")
    next_night(told)
    told.run()
    look(told, times=2)
    (alert,) = receiver.posts
    assert "daily_full ended partial: memberships: memberships_are_current" in alert["title"]
    for part in ("HTTP 403", "what the key may do", "--resume"):
        assert part in alert["message"]
    assert "members_are_known_users" not in alert["message"]


def test_a_warning_that_costs_counts_is_told_and_the_others_come_once_a_day(told: DaemonHarness, receiver: Receiver):
    look(told)
    linked = next(row for row in told.rows("lms_groups") if row["partner_id"] and row["link_method"] == "exact")
    told.sandbox.mutate("rename_group", group=linked["id"], name="Quite Another Company")
    next_night(told)
    assert told.run().success
    look(told, times=2)
    (alert,) = receiver.posts
    assert "group_links_were_kept on groups" in alert["title"]
    assert "Rename the group in the LMS" in alert["message"]
    assert "Counts are too low" in alert["message"]
    told.advance(hours=5)
    for _ in range(2):
        told.tick(open_incidents_sensor, LMS_DAILY_DIGEST="1")
    (digest,) = receiver.posts[1:]
    assert "daily digest" in digest["title"]
    assert "npcu_is_valid" in digest["message"]
    assert "group_links_were_kept" not in digest["message"], "it was told when it began"


def test_an_asset_that_fails_when_somebody_materializes_it_is_told_like_a_job(told: DaemonHarness, receiver: Receiver):
    told.sandbox.faults.add("forbidden", "GET /people")
    assert not told.by_hand("users").success
    assert told.by_hand("courses").success
    look(told, times=2)
    (alert,) = receiver.posts
    assert "Materializing users by hand failed: Northpass, GET /people" in alert["title"]
    told.sandbox.faults.reset()
    assert told.by_hand("users").success
    look(told)
    assert "resolved" in receiver.titles[1]


def test_memberships_that_keep_their_last_good_state_are_told_outside_of_a_chain_too(
    told: DaemonHarness, receiver: Receiver
):
    told.sandbox.faults.add("forbidden", "GET /groups/{id}/memberships")
    assert told.by_hand("memberships").success
    look(told, times=2)
    (alert,) = receiver.posts
    assert "memberships_are_current on memberships did not pass" in alert["title"]
    assert "HTTP 403" in alert["message"]


def test_a_mass_deactivation_that_was_stopped_says_how_it_can_be_allowed(told: DaemonHarness, receiver: Receiver):
    for row in told.rows("lms_users")[:60]:
        if row["is_active"]:
            told.sandbox.mutate("disable_person", person=row["id"])
    next_night(told)
    assert not told.run().success
    look(told, times=2)
    (alert,) = receiver.posts
    assert "stopped before a mass deactivation" in alert["title"]
    assert (
        "Only if they are really gone: lms-assets run daily_full --resume --allow mass_deactivation:users"
        in (alert["message"])
    )


def test_accounts_that_the_crm_refuses_are_one_alert_naming_them(told: DaemonHarness, receiver: Receiver):
    account = next(row["impartner_id"] for row in told.rows("partners") if row["is_active"] and row["total_npcu"])
    told.sandbox.mutate("reject_account", account=account)
    with sqlite3.connect(told.folder / "warehouse.db") as connection:
        connection.execute("DELETE FROM pushed_partner_counts WHERE impartner_id = ?", [account])
    next_night(told)
    told.run()
    with sqlite3.connect(told.folder / "warehouse.db") as connection:
        # The chain log has the time of this machine, everything else that of the vendor state.
        connection.execute("UPDATE task_chain_logs SET completed_at = ?", [str(told.now.replace(tzinfo=None))])
    look(told, times=2)
    (alert,) = receiver.posts
    assert f"Impartner ids: {account}" in alert["message"]
    told.sandbox.mutate("reject_account", account=account, reject=False)
    told.advance(hours=6)
    assert told.run("push_to_impartner").success
    look(told)
    assert [title for title in receiver.titles if "resolved" in title] == receiver.titles[1:]
    assert len(receiver.titles) == 2


def test_assets_that_nobody_brings_up_to_date_are_overdue_together(told: DaemonHarness, receiver: Receiver):
    told.advance(days=2)
    look(told)
    assert receiver.posts == [], "a machine that was off may catch up by itself"
    told.advance(minutes=31)
    look(told, times=3)
    assert sorted(title.split(":")[1].strip() for title in receiver.titles) == ["Overdue", "Overdue"]
    assert told.run().success
    look(told)
    assert len([title for title in receiver.titles if "resolved" in title]) == 2


def test_a_dead_channel_loses_nothing_and_does_not_incident_the_living_one(quick_folder: Path):
    with receiving() as living, receiving() as dying:
        urls = f"{living.alert_url} {dying.alert_url} nonsense://"
        with watched_harness(quick_folder, LMS_ALERT_URLS=urls) as harness:
            dying.dead = True
            harness.sandbox.faults.add("forbidden", "GET /courses")
            assert not harness.run().success
            for _ in range(4):
                look(harness)
                harness.advance(minutes=5)
            assert (len(living.posts), len(dying.posts)) == (1, 0)
            dying.dead = False
            for _ in range(4):
                harness.advance(minutes=20)
                look(harness)
            assert (len(living.posts), len(dying.posts)) == (1, 1)
            assert living.titles == dying.titles


def test_alerts_arrive_by_mail_without_secrets_and_without_learners_addresses(quick_folder: Path):
    mailbox = Mailbox()
    with running_mail_server(mailbox) as address:
        host, port = address.split(":")
        url = f"mailto://{host}:{port}?from=lms@example.com&to=oncall@example.com&mode=insecure"
        with watched_harness(quick_folder, LMS_ALERT_URLS=url) as harness:
            learner = next(iter(harness.sandbox.vendor_state.people.values())).email
            fault = {"status": 500}
            harness.sandbox.faults.add("server_error", "GET /people", **fault)
            assert not harness.run().success
            with sqlite3.connect(harness.folder / "warehouse.db") as connection:
                text = f"users: 500 for {learner} with sandbox-northpass-key"
                connection.execute("UPDATE task_chain_logs SET error_message = ?", [text])
            look(harness, times=3)
        (received,) = mailbox.messages
        message = mailbox.message_to("oncall@example.com")
    assert "daily_full failed" in str(message["subject"])
    text = received[1].decode()
    assert "sandbox-northpass-key" not in text
    assert str(learner) not in text


def test_nothing_is_told_while_the_chain_is_being_tried_again(told: DaemonHarness, receiver: Receiver):
    told.sandbox.faults.add("forbidden", "GET /people")
    next_night(told)
    failed = told.run()
    told.instance.add_run_tags(failed.run_id, {"dagster/will_retry": "true"})
    look(told, times=2)
    assert receiver.posts == []
    # The daemon that should have tried again is away, and a failure must not stay quiet for that.
    told.advance(days=(365 * 2))
    look(told)
    assert any("daily_full failed" in title for title in receiver.titles)


def test_news_of_one_look_is_not_told_by_another_at_the_same_time(told: DaemonHarness, receiver: Receiver):
    """The sensor and a run from a terminal may look at the same moment."""
    from lms_assets.domain.operations.incident import Message
    from lms_assets.warehouse.bookkeeping.alerts import lease_due, put_out

    now = told.now
    told.warehouse.in_transaction(lambda c: put_out(c, [Message("title", "body")], ["channel"], now=now))
    first = told.warehouse.in_transaction(lambda c: lease_due(c, ["channel"], now=now))
    second = told.warehouse.in_transaction(lambda c: lease_due(c, ["channel"], now=now + timedelta(seconds=1)))
    assert [each.title for each in first] == ["title"]
    assert second == []


def test_a_chain_that_could_not_even_begin_is_told(told: DaemonHarness, receiver: Receiver):
    """A code server that is down, for example: then no event of a step reaches the chain log."""
    run = told.instance.create_run_for_job(quick_definitions().resolve_job_def("daily_full"))
    told.instance.report_run_failed(run, "the code location could not be loaded")
    look(told, times=2)
    (alert,) = receiver.posts
    assert "daily_full failed: the code location could not be loaded" in alert["title"]
    assert f"/runs/{run.run_id}" in alert["message"]
