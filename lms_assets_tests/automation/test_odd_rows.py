"""Rows that somebody wrote otherwise: they are left out and named, and everything else is looked after."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import text

from lms_assets.automation.alerting.alerts import open_incidents_sensor
from lms_assets.warehouse.bookkeeping.alerts import open_incidents, raise_incident
from lms_assets.warehouse.bookkeeping.odd_rows import odd_rows
from lms_assets.warehouse.bookkeeping.sync_log import latest
from lms_assets.warehouse.engine import Warehouse
from lms_assets.warehouse.sync_state import UnreadableState, get_state
from lms_assets_tests.automation.daemon_harness import DaemonHarness, watched_harness
from lms_assets_tests.automation.receiver import Receiver, receiving
from lms_assets_tests.harness.incidents import an_incident

AT = "2026-03-01 00:00:00.000000"
INCIDENT = (
    "INSERT INTO alert_incidents (id, incident_key, kind, opened_at, last_seen_at, occurrences, details) "
    f"VALUES ({{id}}, 'odd/{{id}}', 'check', {{opened}}, '{AT}', 1, '{{details}}')"
)
ODD = {
    "alert_incidents 901": INCIDENT.format(id=901, opened=f"'{AT}'", details="[]"),
    "alert_incidents 902": INCIDENT.format(id=902, opened=f"'{AT}'", details="{half of"),
    "alert_incidents 903": INCIDENT.format(id=903, opened="'some day'", details="{}"),
    "email_log 904": "INSERT INTO email_log (id, recipient_email, email_type, status, handed_over_at, message_key) "
    f"VALUES (904, 'pam@example.com', 'pam_weekly_report', 'pending', '{AT}', 'without a period')",
    "sync_logs 905": f"INSERT INTO sync_logs (id, sync_type, status, started_at, details) "
    f"VALUES (905, 'of_the_portal', 'completed', '{AT}', '{{half of')",
    "task_chain_logs 906": "INSERT INTO task_chain_logs (id, chain_name, started_at, status, steps_completed) "
    "VALUES (906, 'daily_full', '2099-01-01 00:00:00.000000', 'failed', '{half of')",
    "pushed_partner_counts 907": "INSERT INTO pushed_partner_counts (impartner_id, fields) VALUES (907, '{half of')",
    "scheduled_tasks of_the_portal": "INSERT INTO scheduled_tasks (task_type, config) "
    "VALUES ('of_the_portal', '{half of')",
    "sync_state alert_outbox": "INSERT OR REPLACE INTO sync_state (name, value, updated_at) "
    f"VALUES ('alert_outbox', '[{{\"id\": 1}}, 7]', '{AT}')",
}


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as made:
        yield made


@pytest.fixture
def watched(quick_folder: Path, receiver: Receiver) -> Iterator[DaemonHarness]:
    with watched_harness(quick_folder, LMS_ALERT_URLS=receiver.alert_url) as harness:
        yield harness


def test_they_are_named_in_one_alert_and_the_others_are_handled(watched: DaemonHarness, receiver: Receiver):
    with closing(sqlite3.connect(watched.folder / "warehouse.db")) as connection:
        for statement in ODD.values():
            connection.execute(statement)
        connection.execute(
            "INSERT OR REPLACE INTO sync_state (name, value, updated_at) "
            f"VALUES ('incidents_first_seen', '{{half of', '{AT}'), ('warnings_known', '[3]', '{AT}')"
        )
        connection.commit()
    with watched.warehouse.read() as connection:
        assert set(odd_rows(connection)) == {*ODD, "sync_state incidents_first_seen"}
    with watched.warehouse.transaction() as connection:
        raise_incident(connection, an_incident("check/courses/odd", kind="job", what="A real one"), now=watched.now)

    for _ in range(2):
        watched.tick(open_incidents_sensor)

    titles = " ".join(receiver.titles)
    assert "rows of the warehouse cannot be read" in titles
    (alert,) = [each for each in receiver.posts if "cannot be read" in each["title"]]
    assert "alert_incidents 901" in alert["message"] + alert["title"]
    with watched.warehouse.read() as connection:
        assert "rows/unreadable" in {each.key for each in open_incidents(connection)}
        names = [row[0] for row in connection.execute(text("SELECT name FROM sync_state"))]
    assert any(name.startswith("incidents_first_seen unreadable") for name in names)


def test_an_incident_whose_own_row_cannot_be_read_is_written_again(warehouse: Warehouse, now):
    with warehouse.transaction() as connection:
        raise_incident(connection, an_incident(what="x"), now=now)
        connection.execute(text("UPDATE alert_incidents SET details = '[1]'"))
    with warehouse.transaction() as connection:
        assert [each.what for each in open_incidents(connection)] == ["Something needs a person."]
        raise_incident(connection, an_incident(what="y"), now=now)
        assert [each.what for each in open_incidents(connection)] == ["y"]


def test_a_date_that_is_none_is_no_date(mariadb_url):
    """MySQL's zero date, which older portals are full of."""
    with closing(Warehouse(mariadb_url)) as warehouse:
        warehouse.upgrade()
        with warehouse.transaction() as connection:
            connection.execute(text("SET SESSION sql_mode = ''"))
            connection.execute(
                text(
                    "INSERT INTO sync_logs (sync_type, status, started_at, completed_at) "
                    "VALUES ('users', 'completed', '2026-01-01', '0000-00-00 00:00:00')"
                )
            )
        with warehouse.read() as connection:
            assert latest(connection)["users"].completed_at is None


def test_a_state_on_which_counts_depend_is_never_taken_for_absent(sqlite_url: str):
    """On SQLite only: MariaDB refuses to store what is no JSON."""
    warehouse = Warehouse(sqlite_url)
    warehouse.upgrade()
    with warehouse.transaction() as connection:
        connection.execute(
            text("INSERT INTO sync_state (name, value, updated_at) VALUES ('group_links_lost', '{half', :at)"),
            {"at": AT},
        )
    with warehouse.read() as connection, pytest.raises(UnreadableState, match="group_links_lost"):
        get_state(connection, "group_links_lost")
