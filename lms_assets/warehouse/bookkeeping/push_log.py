"""Everything that was ever sent to the CRM (`partner_push_log`), written before it leaves, and each answer to it.

No row is ever changed: an answer is a row of its own (`partner_push_answers`, under the id of what it answers). Without
one the run ended before the answer was known. Values are text, times UTC; e-mail addresses and credentials are taken
out.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, func, or_, select

from lms_assets.domain.counting.push import CONFIRMED, Answer, Sending
from lms_assets.redaction import scrub
from lms_assets.warehouse.schema.tables import partner_push_answers, partner_push_log
from lms_assets.warehouse.upsert.write import insert_rows

_TEXT_LIMIT = 1000
_ANSWERED = partner_push_log.outerjoin(partner_push_answers, partner_push_answers.c.id == partner_push_log.c.id)


@dataclass(frozen=True, slots=True)
class LoggedField:
    """A row of the log with its answer. `outcome` is None while, and when, nobody knows what became of it."""

    sent_at: datetime
    run_id: str | None
    partner_id: int | None
    impartner_id: int
    field: str
    last_confirmed: str | None
    crm_showed: str | None
    sent: str | None
    attempt: int
    outcome: str | None
    answer_code: str | None
    answer: str | None
    read_back: str | None
    answered_at: datetime | None


def note_sending(
    connection: Connection, sendings: Sequence[Sending], *, sending_id: str, run_id: str, now: datetime
) -> None:
    """Note what is about to be sent in one call; `sending_id` is the call's own."""
    tried = _tried_in_vain(connection, {each.impartner_id for each in sendings})
    rows = [
        {
            "sending_id": sending_id,
            "run_id": run_id,
            "sent_at": now,
            "partner_id": each.partner_id,
            "impartner_id": each.impartner_id,
            "field": each.field,
            "last_confirmed": _text(each.last_confirmed),
            "crm_showed": _text(each.crm_showed),
            "sent": _text(each.sent),
            "attempt": tried.get(each.impartner_id, 0) + 1,
        }
        for each in sendings
    ]
    insert_rows(connection, partner_push_log, rows)


def note_answers(
    connection: Connection,
    sending_id: str,
    answers: Mapping[int, Answer],
    read: Mapping[int, Mapping[str, Any]],
    *,
    now: datetime,
) -> None:
    """Note what became of the accounts of one call, and what was read back of them (by account and field)."""
    c = partner_push_log.c
    query = select(c.id, c.impartner_id, c.field).select_from(_ANSWERED)
    of_call = c.sending_id == sending_id, c.impartner_id.in_(answers), partner_push_answers.c.id.is_(None)
    texts = {key: scrub(each.message, _TEXT_LIMIT) if each.message else None for key, each in answers.items()}
    rows = [
        {
            "id": row.id,
            "outcome": answers[row.impartner_id].outcome,
            "answer_code": answers[row.impartner_id].code,
            "answer": texts[row.impartner_id],
            "read_back": _text(read.get(row.impartner_id, {}).get(row.field)),
            "answered_at": now,
        }
        for row in connection.execute(query.where(*of_call))
    ]
    insert_rows(connection, partner_push_answers, rows)


def push_history(connection: Connection, partner_id: int, impartner_id: int | None) -> list[LoggedField]:
    """Everything sent of a partner, the newest call first; `impartner_id`: its account today."""
    c, a = partner_push_log.c, partner_push_answers.c
    columns = [c[name] if name in c else a[name] for name in LoggedField.__slots__]
    same = or_(c.partner_id == partner_id, c.impartner_id == impartner_id)
    rows = connection.execute(select(*columns).select_from(_ANSWERED).where(same).order_by(c.sent_at.desc(), c.id))
    return [LoggedField(*row) for row in rows]


def forget_pushes_before(connection: Connection, before: datetime) -> int:
    """Remove what was sent before an instant; gives how many rows."""
    old = partner_push_log.c.sent_at < before
    connection.execute(
        delete(partner_push_answers).where(partner_push_answers.c.id.in_(select(partner_push_log.c.id).where(old)))
    )
    return connection.execute(delete(partner_push_log).where(old)).rowcount


def _tried_in_vain(connection: Connection, impartner_ids: Collection[int]) -> dict[int, int]:
    """Attempts of each account that ended without a confirmation since the last one that had it."""
    c = partner_push_log.c
    newest = select(func.max(c.id)).where(c.impartner_id.in_(impartner_ids)).group_by(c.impartner_id)
    query = select(c.impartner_id, c.attempt, partner_push_answers.c.outcome).select_from(_ANSWERED)
    query = query.where(c.id.in_(list(connection.execute(newest).scalars())))
    return {row.impartner_id: row.attempt for row in connection.execute(query) if row.outcome != CONFIRMED}


def _text(value: Any) -> str | None:
    """A value as text; 3.0 is written as 3, whatever spelling the CRM has for it."""
    if value is None:
        return None
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return scrub(str(value), _TEXT_LIMIT)
