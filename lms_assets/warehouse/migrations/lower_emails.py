"""E-mail addresses of an adopted portal in the one spelling in which they are compared."""

from __future__ import annotations

from sqlalchemy import Connection, bindparam, inspect, select, update

from lms_assets.domain.records.emails import fold_email
from lms_assets.domain.wording import number_of
from lms_assets.warehouse.migrations.reconcile_indexes import Reconciled
from lms_assets.warehouse.schema.tables import contacts, lms_users
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
