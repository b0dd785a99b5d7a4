"""What is remembered of report mails (`email_log`): before, while and after they are sent.

A row is `pending` without `handed_over_at` while nothing was handed over, `pending` with it from the moment its content
goes to the mail server, then `sent` or `failed`. Each step is a transaction of its own, so a crash leaves the truth.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Connection, and_, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.sql.elements import ColumnElement

from lms_assets.domain.records.emails import normalise_email
from lms_assets.redaction import scrub
from lms_assets.warehouse.engine import Warehouse
from lms_assets.warehouse.schema.tables import email_log, executive_report_recipients, partner_managers

HANDED_OVER = "handed to the mail server; its answer is not known"
PAM_REPORT = "pam_weekly_report"
# Rows without a key are the portal's own.
_UNKNOWN = (
    email_log.c.status == "pending",
    email_log.c.handed_over_at.is_not(None),
    email_log.c.message_key.is_not(None),
)

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
        period: str,
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
            "period": period,
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
            connection.execute(
                update(email_log).where(*failed).values(status="pending", error_message=None, handed_over_at=None)
            )
            return _state(connection, message_key) == "reserved"

        return self._warehouse.in_transaction(work)

    def hand_over(self, message_key: str, now: datetime) -> bool:
        """Note that the content goes out now; False when another process did so first."""
        c = email_log.c
        reserved = c.message_key == message_key, c.status == "pending", c.handed_over_at.is_(None)
        statement = update(email_log).where(*reserved).values(error_message=HANDED_OVER, handed_over_at=now)
        with self._warehouse.transaction() as connection:
            return connection.execute(statement).rowcount == 1

    def take_back(self, message_key: str) -> None:
        """The server did not take the content: reserved again."""
        self._update(email_log.c.message_key == message_key, error_message=None, handed_over_at=None)

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
        reserved = and_(email_log.c.message_key == message_key, email_log.c.handed_over_at.is_(None))
        self._update(reserved, status="failed", error_message=scrub(problem, 1000))

    def _update(self, which: ColumnElement[bool], **values: str | None) -> None:
        statement = update(email_log).where(which, email_log.c.status == "pending").values(values)
        self._warehouse.in_transaction(lambda connection: connection.execute(statement))


@dataclass(frozen=True, slots=True)
class UnknownOutcome:
    """A message that was handed over and whose answer is not known.

    Attributes:
        report: its type, which is the name of the report's asset.
        period: the day, week or month it stands for: `2026-W10`.
        reference: whose it is, `pam 12` or `executive 3`; without a number when that person has no row any more.
        handed_over_at: UTC.
    """

    id: int
    report: str
    period: str
    reference: str
    handed_over_at: datetime


def unknown_outcomes(connection: Connection) -> tuple[UnknownOutcome, ...]:
    """Every message whose outcome nobody knows, the oldest row first."""
    c = email_log.c
    of_executives = executive_report_recipients.c
    stored = connection.execute(select(of_executives.email, of_executives.id))
    executives = {_folded(address): number for address, number in stored}
    query = select(c.id, c.email_type, c.period, c.pam_id, c.recipient_email, c.handed_over_at)
    found = []
    for row in connection.execute(query.where(*_UNKNOWN).order_by(c.id)):
        number = row.pam_id if row.pam_id is not None else executives.get(_folded(row.recipient_email))
        kind = "pam" if row.email_type.startswith("pam") else "executive"
        reference = f"{kind} {number}" if number is not None else kind
        if not row.period:
            continue  # Not written by us; see odd_rows.
        found.append(UnknownOutcome(row.id, row.email_type, row.period, reference, row.handed_over_at))
    return tuple(found)


def resolve_as_sent(connection: Connection, message: UnknownOutcome, *, by: str, now: datetime) -> bool:
    """Note that a person found it delivered; `last_report_sent` of the PAMs it was for moves as if it had been known.

    False when its outcome is known by now.
    """
    at = message.handed_over_at
    values = {"status": "sent", "sent_at": at, "error_message": _resolved("it had arrived", by, now)}
    if not _resolve(connection, message.id, values):
        return False
    c = partner_managers.c
    address = connection.execute(select(email_log.c.recipient_email).where(email_log.c.id == message.id)).scalar_one()
    rows = connection.execute(select(c.id, c.email, c.last_report_sent).where(c.email.is_not(None)))
    its = [
        row.id
        for row in rows
        if message.report == PAM_REPORT
        and _folded(row.email) == _folded(address)
        and (row.last_report_sent is None or row.last_report_sent < at)
    ]
    connection.execute(update(partner_managers).where(c.id.in_(its)).values(last_report_sent=at))
    return True


def resolve_for_sending_again(connection: Connection, message: UnknownOutcome, *, by: str, now: datetime) -> bool:
    """Note that a person found it not delivered: the next run of its period sends it. False as in `resolve_as_sent`."""
    values = {"status": "failed", "error_message": _resolved("it had not arrived; to be sent again", by, now)}
    return _resolve(connection, message.id, values)


def _resolve(connection: Connection, message_id: int, values: dict[str, Any]) -> bool:
    statement = update(email_log).where(email_log.c.id == message_id, *_UNKNOWN).values(values)
    return connection.execute(statement).rowcount == 1


def _resolved(what: str, by: str, now: datetime) -> str:
    return scrub(f"resolved by {by[:100]} at {now:%Y-%m-%d %H:%M:%S} UTC: {what}", 1000)


def _folded(address: str) -> str:
    return normalise_email(address) or address.strip().casefold()


def _state(connection: Connection, message_key: str) -> State | None:
    c = email_log.c
    row = connection.execute(select(c.status, c.handed_over_at).where(c.message_key == message_key)).one_or_none()
    if row is None:
        return None
    if row.status == "pending":
        return "reserved" if row.handed_over_at is None else "handed over"
    return "sent" if row.status == "sent" else "failed"
