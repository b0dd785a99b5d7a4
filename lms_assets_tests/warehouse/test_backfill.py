"""New columns get what follows from the columns that are there already, and nothing that another program wrote."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import insert

from lms_assets.warehouse.migrations.data_steps import fill_handed_over_at, fill_period, fill_transcript_read_at
from lms_assets.warehouse.results.counts import write_counts
from lms_assets.warehouse.schema import tables as t
from lms_assets.warehouse.upsert.upsert import upsert
from lms_assets_tests.warehouse.table_rows import stored


@pytest.mark.parametrize("ours", [True, False])
def test_when_a_transcript_was_read_is_taken_over_only_where_we_have_counted(warehouse, now, ours):
    read = now - timedelta(days=1)
    people = [{"id": "read", "enrollment_synced_at": read}, {"id": "never", "enrollment_synced_at": None}]
    with warehouse.transaction() as connection:
        upsert(connection, t.lms_users, people, key=("id",), now=now)
        if ours:
            write_counts(connection, [], as_of=now, now=now)
        for _ in range(2):
            fill_transcript_read_at(connection)
    expected = read if ours else None
    assert stored(warehouse, t.lms_users, "id", "transcript_read_at") == [("never", None), ("read", expected)]


def test_mails_handed_over_before_the_upgrade_keep_when_they_were(warehouse):
    """Until then it stood in the message only."""
    text = "handed to the mail server at 2026-03-02 08:01:02 UTC; its answer is not known"
    rows = [
        ("pam:1", "pending", text),
        ("pam:2", "pending", None),
        ("pam:3", "failed", "refused"),
        (None, "pending", "x"),
    ]
    with warehouse.transaction() as connection:
        for key, status, message in rows:
            values = {"recipient_email": "pam@example.com", "message_key": key, "status": status}
            connection.execute(insert(t.email_log).values(error_message=message, **values))
        for _ in range(2):
            fill_handed_over_at(connection)
    found = stored(warehouse, t.email_log, "error_message", "handed_over_at")
    at = datetime(2026, 3, 2, 8, 1, 2, tzinfo=UTC)
    assert set(found) == {(text, at), (None, None), ("refused", None), ("x", None)}


def test_mails_of_before_the_upgrade_get_the_period_of_their_key(warehouse):
    keys = ["pam_weekly_report:2026-W10:ab12", "executive_weekly_report:2026-03:cd", "the portal's own", None]
    with warehouse.transaction() as connection:
        for key in keys:
            values = {"recipient_email": "pam@example.com", "message_key": key, "status": "sent"}
            connection.execute(insert(t.email_log).values(**values))
        for _ in range(2):
            fill_period(connection)
    found = dict(stored(warehouse, t.email_log, "message_key", "period"))
    assert found == dict(zip(keys, ["2026-W10", "2026-03", None, None], strict=True))
