"""Transcripts that a chain has read so far (`transcript_staging`), so that a resumed chain reads only the rest."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, select

from lms_assets.warehouse.schema.tables import transcript_staging
from lms_assets.warehouse.upsert.compare import chunks
from lms_assets.warehouse.upsert.write import insert_rows


@dataclass(frozen=True, slots=True)
class Staged:
    """One person's transcript as read: what came of it, and what is to be written (JSON)."""

    person_id: str
    outcome: str
    payload: Any


def put_staged(connection: Connection, chain_key: str, transcripts: Iterable[Staged], *, now: datetime) -> None:
    """Keep transcripts; a person read before is replaced."""
    c = transcript_staging.c
    for part in chunks({each.person_id: each for each in transcripts}.values()):
        ids = [each.person_id for each in part]
        connection.execute(delete(transcript_staging).where(c.chain_key == chain_key, c.person_id.in_(ids)))
        rows = [
            {
                "chain_key": chain_key,
                "person_id": each.person_id,
                "outcome": each.outcome,
                "payload": each.payload,
                "read_at": now,
            }
            for each in part
        ]
        insert_rows(connection, transcript_staging, rows)


def staged_ids(connection: Connection, chain_key: str) -> set[str]:
    """People whose transcript this chain has read already."""
    c = transcript_staging.c
    return set(connection.execute(select(c.person_id).where(c.chain_key == chain_key)).scalars())


def staging_times(connection: Connection, chain_key: str) -> dict[str, datetime]:
    """Person id to when this chain read the transcript."""
    c = transcript_staging.c
    query = select(c.person_id, c.read_at).where(c.chain_key == chain_key)
    return {row.person_id: row.read_at for row in connection.execute(query)}


def forget_staged(connection: Connection, chain_key: str, people: Iterable[str]) -> None:
    """Forget what a chain has read of these people."""
    c = transcript_staging.c
    for part in chunks(people):
        connection.execute(delete(transcript_staging).where(c.chain_key == chain_key, c.person_id.in_(part)))


def staged_transcripts(connection: Connection, chain_key: str) -> Iterator[Staged]:
    """Everything this chain has read, ordered by person, in memory only a few hundred at a time."""
    c = transcript_staging.c
    after = ""
    while True:
        query = select(c.person_id, c.outcome, c.payload).where(c.chain_key == chain_key, c.person_id > after)
        rows = connection.execute(query.order_by(c.person_id).limit(500)).all()
        for row in rows:
            yield Staged(row.person_id, row.outcome, row.payload)
        if not rows:
            return
        after = rows[-1].person_id


def clear_staging(connection: Connection, chain_key: str) -> int:
    """Forget what a chain has read, once it is written; gives the number of people."""
    return connection.execute(delete(transcript_staging).where(transcript_staging.c.chain_key == chain_key)).rowcount


def clear_staging_before(connection: Connection, before: datetime) -> int:
    """Forget what was read before an instant, by chains that will not be resumed; gives the number of people."""
    return connection.execute(delete(transcript_staging).where(transcript_staging.c.read_at < before)).rowcount
