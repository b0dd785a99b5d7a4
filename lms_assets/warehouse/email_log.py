"""What is remembered of report mails (`email_log`): before, while and after they are sent.

A row is `pending` with no message while nothing was handed over, `pending` with a message from the moment its content
goes to the mail server, then `sent` or `failed`. Each step is a transaction of its own, so a crash leaves the truth.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Literal

from sqlalchemy import Connection, and_, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.sql.elements import ColumnElement

from lms_assets.warehouse.engine import Warehouse
from lms_assets.warehouse.scrub import scrub
from lms_assets.warehouse.tables import email_log, partner_managers

__all__ = ["EmailLogRows", "unknown_outcomes"]

HANDED_OVER = "handed to the mail server at {now:%Y-%m-%d %H:%M:%S} UTC; its answer is not known"

State = Literal["reserved", "handed over", "sent", "failed"]


class EmailLogRows:
    """The log; safe to use from several processes, of which one only wins each hand-over."""

    def __init__(self, warehouse: Warehouse) -> None:
        self._warehouse = warehouse

    def state(self, message_key: str) -> State | None:
        """What is known of a message; None: nothing."""
        with self._warehouse.read() as connection:
            return _state(connection, message_key)

    def reserve(
        self,
        message_key: str,
        *,
        email_type: str,
        address: str,
        name: str,
        subject: str,
        pam_id: int | None,
        now: datetime,
    ) -> bool:
        """Make the row, or take a failed one up again; False when the message is sent or handed over."""
        values = {
            "recipient_email": address[:255],
            "recipient_name": name[:255],
            "subject": subject[:500],
            "email_type": email_type,
            "status": "pending",
            "pam_id": pam_id,
            "created_at": now,
            "message_key": message_key,
        }

        def work(connection: Connection) -> bool:
            if _state(connection, message_key) is None:
                try:
                    with connection.begin_nested():
                        connection.execute(insert(email_log).values(values))
                    return True
                except IntegrityError:
                    pass  # Another process made it a moment ago.
            failed = email_log.c.message_key == message_key, email_log.c.status == "failed"
            connection.execute(update(email_log).where(*failed).values(status="pending", error_message=None))
            return _state(connection, message_key) == "reserved"

        return self._warehouse.in_transaction(work)

    def hand_over(self, message_key: str, now: datetime) -> bool:
        """Note that the content goes out now; False when another process did so first."""
        c = email_log.c
        reserved = c.message_key == message_key, c.status == "pending", c.error_message.is_(None)
        statement = update(email_log).where(*reserved).values(error_message=HANDED_OVER.format(now=now))
        with self._warehouse.transaction() as connection:
            return connection.execute(statement).rowcount == 1

    def take_back(self, message_key: str) -> None:
        """The server did not take the content: reserved again."""
        self._update(email_log.c.message_key == message_key, error_message=None)

    def sent(self, message_key: str, *, pam_ids: Sequence[int], now: datetime) -> None:
        """The server took the message; the PAMs' `last_report_sent` moves in the same transaction."""

        def work(connection: Connection) -> None:
            row = email_log.c.message_key == message_key
            connection.execute(update(email_log).where(row).values(status="sent", sent_at=now, error_message=None))
            if pam_ids:
                these = partner_managers.c.id.in_(list(pam_ids))
                connection.execute(update(partner_managers).where(these).values(last_report_sent=now))

        self._warehouse.in_transaction(work)

    def failed(self, message_key: str, problem: str) -> None:
        """What is reserved was not delivered; addresses are taken out of `problem`.

        A message that another process has handed over meanwhile keeps its state.
        """
        reserved = and_(email_log.c.message_key == message_key, email_log.c.error_message.is_(None))
        self._update(reserved, status="failed", error_message=scrub(problem, 1000))

    def _update(self, which: ColumnElement[bool], **values: str | None) -> None:
        statement = update(email_log).where(which, email_log.c.status == "pending").values(values)
        self._warehouse.in_transaction(lambda connection: connection.execute(statement))


def unknown_outcomes(connection: Connection) -> tuple[tuple[int, str, datetime | None], ...]:
    """(log id, type, when reserved) of messages that were handed over and whose answer is not known."""
    c = email_log.c
    query = select(c.id, c.email_type, c.created_at).where(
        c.status == "pending", c.error_message.is_not(None), c.message_key.is_not(None)
    )
    return tuple((row[0], row[1], row[2]) for row in connection.execute(query.order_by(c.id)))


def _state(connection: Connection, message_key: str) -> State | None:
    c = email_log.c
    row = connection.execute(select(c.status, c.error_message).where(c.message_key == message_key)).one_or_none()
    if row is None:
        return None
    if row.status == "pending":
        return "reserved" if row.error_message is None else "handed over"
    return "sent" if row.status == "sent" else "failed"
