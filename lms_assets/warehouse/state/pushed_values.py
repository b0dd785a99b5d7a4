"""What the CRM last confirmed for each account (`pushed_partner_counts`), what it refused, and what it showed when its
accounts were last listed (`crm_shown_counts`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select, update

from lms_assets.domain.counting.push_plan import Drift, Pushed, Shown, compared, same_value, since_when
from lms_assets.redaction import scrub
from lms_assets.warehouse.bookkeeping.odd_rows import readable_rows
from lms_assets.warehouse.bookkeeping.sync_log import SyncLogEntry, completed_recently
from lms_assets.warehouse.schema.tables import crm_shown_counts, partners, pushed_partner_counts
from lms_assets.warehouse.upsert.compare import chunks
from lms_assets.warehouse.upsert.write import insert_rows, update_rows

PUSH = "sync_to_impartner"
_LOOKED_AT = 100


def last_push(connection: Connection) -> SyncLogEntry | None:
    """The last push of all partners that went through; a dry run sent nothing and is none."""
    completed = completed_recently(connection, PUSH, _LOOKED_AT)
    return next((each for each in completed if not {"dry_run", "only"} & _set_details(each)), None)


def _set_details(entry: SyncLogEntry) -> set[str]:
    return {name for name, value in (entry.details or {}).items() if value}


def push_memory(connection: Connection) -> dict[int, Pushed]:
    """Everything remembered, by Impartner id."""
    return {
        row.impartner_id: Pushed(
            row.impartner_id,
            row.fields if isinstance(row.fields, dict) else {},
            row.confirmed_at,
            row.last_attempt_at,
            row.last_error,
            row.failed_attempts,
        )
        for row in readable_rows(connection, select(pushed_partner_counts), pushed_partner_counts.c.impartner_id)[0]
    }


def remember_attempts(connection: Connection, impartner_ids: Iterable[int], *, now: datetime) -> None:
    """Note that these accounts are about to be sent, before they are."""
    for part in chunks(impartner_ids):
        _make_rows(connection, part)
        c = pushed_partner_counts.c
        connection.execute(update(pushed_partner_counts).where(c.impartner_id.in_(part)).values(last_attempt_at=now))


def remember_confirmed(connection: Connection, confirmed: Mapping[int, Mapping[str, Any]], *, now: datetime) -> None:
    """Add to the memory what the CRM now holds, as read back; fields not given keep what was remembered."""
    for part in chunks(confirmed):
        _make_rows(connection, part)
        c = pushed_partner_counts.c
        query = select(c.impartner_id, c.fields).where(c.impartner_id.in_(part))
        before = {row.impartner_id: row.fields for row in readable_rows(connection, query, c.impartner_id)[0]}
        rows = [
            {
                "impartner_id": impartner_id,
                "fields": {**(before.get(impartner_id) or {}), **confirmed[impartner_id]},
                "confirmed_at": now,
                "last_error": None,
                "failed_attempts": 0,
            }
            for impartner_id in part
        ]
        update_rows(connection, pushed_partner_counts, rows, key="impartner_id", now=now)


def remember_refused(connection: Connection, refused: Mapping[int, str], *, now: datetime) -> None:
    """Note why accounts were refused; what was confirmed before stays remembered, so they are tried again."""
    for part in chunks(refused):
        _make_rows(connection, part)
        c = pushed_partner_counts.c
        for impartner_id in part:
            values = {
                "last_error": scrub(refused[impartner_id], 1000),
                "failed_attempts": c.failed_attempts + 1,
                "last_attempt_at": now,
            }
            connection.execute(update(pushed_partner_counts).where(c.impartner_id == impartner_id).values(values))


def _make_rows(connection: Connection, impartner_ids: list[int]) -> None:
    c = pushed_partner_counts.c
    known = set(connection.execute(select(c.impartner_id).where(c.impartner_id.in_(impartner_ids))).scalars())
    new = [{"impartner_id": each} for each in impartner_ids if each not in known]
    insert_rows(connection, pushed_partner_counts, new)


def shown_accounts(connection: Connection) -> dict[int, Shown]:
    """Everything that was shown, by Impartner id."""
    rows = readable_rows(connection, select(crm_shown_counts), crm_shown_counts.c.impartner_id)[0]
    return {
        row.impartner_id: Shown(
            row.fields if isinstance(row.fields, dict) else {}, row.shown_at, _times(row.differs_since)
        )
        for row in rows
        if row.shown_at is not None
    }


def crm_drift(connection: Connection) -> list[Drift]:
    """Every field of an active partner that the CRM showed otherwise than it last confirmed, by account and field."""
    return [
        Drift(impartner_id, name, pushed.fields[name], theirs, shown.since.get(name))
        for impartner_id, pushed, shown in _of_partners(connection)
        for name, theirs in sorted(compared(pushed, shown).items())
    ]


def fields_not_shown(connection: Connection) -> set[str]:
    """Fields that the CRM confirmed for active partners and showed for none of them when it last listed them."""
    listed = [(pushed, shown) for _, pushed, shown in _of_partners(connection) if _was_asked_for(pushed, shown)]
    confirmed = {name for pushed, _ in listed for name, value in pushed.fields.items() if not same_value(value, None)}
    return confirmed - {name for _, shown in listed for name in shown.fields}


def _was_asked_for(pushed: Pushed, shown: Shown) -> bool:
    """Whether what is confirmed now was so when the account was listed."""
    return pushed.confirmed_at is not None and pushed.confirmed_at < shown.shown_at


def _of_partners(connection: Connection) -> Iterator[tuple[int, Pushed, Shown]]:
    """Account, memory and last showing of every active partner that has both."""
    memory, listed = push_memory(connection), shown_accounts(connection)
    active = select(partners.c.impartner_id).where(partners.c.is_active.is_(True), partners.c.impartner_id.is_not(None))
    for impartner_id in sorted(set(connection.execute(active).scalars()) & set(memory) & set(listed)):
        yield impartner_id, memory[impartner_id], listed[impartner_id]


def remember_shown(connection: Connection, records: Mapping[int, Mapping[str, Any]], *, at: datetime) -> None:
    """Note what a listing that began at `at` showed of these accounts, and since when it differs."""
    at = at.replace(microsecond=0)  # as the database keeps it
    memory, before = push_memory(connection), shown_accounts(connection)
    same: list[int] = []
    new: list[dict[str, Any]] = []
    changed: list[dict[str, Any]] = []
    for impartner_id, fields in records.items():
        stored = before.get(impartner_id)
        now_shown = Shown(fields, at, stored.since if stored else {})
        differing = compared(memory[impartner_id], now_shown) if impartner_id in memory else {}
        since = since_when(differing, now_shown.since, at)
        if stored and stored.fields == fields and stored.since == since:
            same.append(impartner_id)
            continue
        values = {"fields": dict(fields), "shown_at": at, "differs_since": _texts(since)}
        (new if stored is None else changed).append({"impartner_id": impartner_id, **values})
    update_rows(connection, crm_shown_counts, changed, key="impartner_id", now=at)
    insert_rows(connection, crm_shown_counts, new)
    for part in chunks(same):
        query = update(crm_shown_counts).where(crm_shown_counts.c.impartner_id.in_(part))
        connection.execute(query.values(shown_at=at))


def _texts(since: Mapping[str, datetime]) -> dict[str, str]:
    return {name: moment.isoformat() for name, moment in since.items()}


def _times(texts: Any) -> dict[str, datetime]:
    """The times of `differs_since`; what cannot be read is left out."""
    found = {}
    for name, text in texts.items() if isinstance(texts, dict) else ():
        try:
            found[name] = datetime.fromisoformat(text)
        except (TypeError, ValueError):
            continue
    return found
