"""What migrations write into rows: values that follow from what is stored already. Each can be run again."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from sqlalchemy import Connection, bindparam, func, insert, inspect, select, update

from lms_assets.domain.records.emails import fold_email
from lms_assets.domain.rules import Rules
from lms_assets.domain.wording import number_of
from lms_assets.warehouse.migrations.reconcile_indexes import Reconciled
from lms_assets.warehouse.schema.tables import certification_category_rules, contacts, email_log, lms_users
from lms_assets.warehouse.sync_state import COUNTED, get_state
from lms_assets.warehouse.upsert.compare import chunks


def lower_case_emails(connection: Connection, done: Reconciled) -> None:
    """Write the addresses of contacts and people in lower case, without outer blanks.

    A contact whose lower-case address another contact has stays as it is; the next sync decides between the two.
    """
    inspector = inspect(connection)
    for table in (contacts, lms_users):
        there = inspector.has_table(table.name) and {c["name"] for c in inspector.get_columns(table.name)}
        if not there or not {"id", "email"} <= there:
            continue
        rows = [tuple(row) for row in connection.execute(select(table.c.id, table.c.email))]
        taken = {email for _, email in rows} if table is contacts else set()
        changes = []
        for row_id, email in rows:
            lower = fold_email(email)
            if lower is not None and lower != email and lower not in taken:
                changes.append({"row_id": row_id, "lower": lower})
                taken |= {lower} if table is contacts else set()
        if changes:
            done.note("change", f"{table.name}.email of {number_of(len(changes), 'row')} to lower case")
        if not done.planning:
            statement = update(table).where(table.c.id == bindparam("row_id")).values(email=bindparam("lower"))
            for part in chunks(changes):
                connection.execute(statement, part)


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


def fill_period(connection: Connection) -> None:
    """The period of each report mail, which until now stood in its key only: `type:period:recipient`."""
    c = email_log.c
    rows = connection.execute(select(c.id, c.message_key).where(c.period.is_(None), c.message_key.like("%:%"))).all()
    for row in rows:
        connection.execute(update(email_log).where(c.id == row.id).values(period=row.message_key.split(":")[1][:10]))


def seed_category_rules(connection: Connection) -> None:
    """Insert the default category rules (domain rules, NPCU and certifications) into an empty table.

    A portal's own rules stay as they are.
    """
    if connection.execute(select(func.count()).select_from(certification_category_rules)).scalar_one():
        return
    rules = sorted(Rules().category_rules, key=lambda rule: -rule.priority)
    connection.execute(
        insert(certification_category_rules),
        [{"category": rule.category, "pattern": rule.pattern, "priority": rule.priority} for rule in rules],
    )
