"""Values of new columns that follow from what is stored already. Each function can be run again."""

from __future__ import annotations

from sqlalchemy import Connection, update

from lms_assets.warehouse.results.counts import last_counted
from lms_assets.warehouse.schema.tables import lms_users

__all__ = ["fill_transcript_read_at"]


def fill_transcript_read_at(connection: Connection) -> None:
    """Take over when we last read each person. What another program read before an adoption is not taken over."""
    if last_counted(connection) is None:
        return
    c = lms_users.c
    unknown = c.transcript_read_at.is_(None), c.enrollment_synced_at.is_not(None)
    connection.execute(update(lms_users).where(*unknown).values(transcript_read_at=c.enrollment_synced_at))
