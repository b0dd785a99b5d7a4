"""Values of new columns that follow from what is stored already. Each function can be run again."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from sqlalchemy import Connection, select, update

from lms_assets.warehouse.schema.tables import email_log, lms_users
from lms_assets.warehouse.sync_state import COUNTED, get_state


def fill_transcript_read_at(connection: Connection) -> None:
    """Take over when we last read each person. What another program read before an adoption is not taken over."""
    if get_state(connection, COUNTED) is None:
        return
    c = lms_users.c
    unknown = c.transcript_read_at.is_(None), c.enrollment_synced_at.is_not(None)
    connection.execute(update(lms_users).where(*unknown).values(transcript_read_at=c.enrollment_synced_at))


def fill_handed_over_at(connection: Connection) -> None:
    """When mails without a known answer were handed over, which until now stood in their message."""
    c = email_log.c
    waiting = c.status == "pending", c.message_key.is_not(None), c.error_message.like("handed to the mail server at%")
    rows = connection.execute(select(c.id, c.error_message, c.created_at).where(*waiting, c.handed_over_at.is_(None)))
    for row in rows.all():
        found = re.search(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", row.error_message)
        at = datetime.fromisoformat(found[0]).replace(tzinfo=UTC) if found else row.created_at
        connection.execute(update(email_log).where(c.id == row.id).values(handed_over_at=at))
