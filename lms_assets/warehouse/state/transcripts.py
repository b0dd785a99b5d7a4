"""Whose transcript was read when (`lms_users`), whose has to be read again, and what a chain has read so far.

`transcript_staging` keeps what was read, so that a resumed chain reads only the rest. The rows of `enrollment_weeks`
say what is stored of each week's learning, and as of when everybody was read for it. Marks never move backwards.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, delete, select

from lms_assets.domain.safety.run_instants import not_before
from lms_assets.warehouse.schema.tables import enrollment_weeks, lms_users, transcript_staging
from lms_assets.warehouse.upsert.compare import chunks
from lms_assets.warehouse.upsert.upsert import update_existing, upsert
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


def mark_read(
    connection: Connection,
    read_at: Mapping[str, datetime],
    complete: Collection[str],
    *,
    as_of: datetime,
    begun: datetime,
    now: datetime,
) -> None:
    """Note that transcripts were read; those that are not `complete` have to be read again.

    Args:
        read_at: person id to when the transcript was read.
        complete: of these people, those whose transcript was read completely.
        as_of: the start of the chain that read them; what happened since then may be missing.
        begun: when that chain began to read transcripts.
        now: when this step began; what was read since then was read after it.
    """
    rows = []
    for person_id, stored in _marks(connection, read_at).items():
        done = person_id in complete
        synced_at, due_since = stored["enrollment_synced_at"], stored["transcript_due_since"]
        begun_before = stored["transcript_read_at"]
        read_from = now if read_at[person_id] >= now else begun
        rows.append(
            {
                "id": person_id,
                "transcript_stored_at": not_before(read_at[person_id], stored["transcript_stored_at"], now),
                "enrollment_synced_at": not_before(as_of, synced_at, now) if done else synced_at,
                "transcript_read_at": not_before(read_from, begun_before, now) if done else begun_before,
                "transcript_due_since": None if done else due_since or now,
            }
        )
    update_existing(connection, lms_users, rows, key=("id",), now=now)


def mark_unread(connection: Connection, people: Iterable[str], *, now: datetime) -> None:
    """Note that these people's transcripts were asked for and not read, so that the next run asks again."""
    rows = [
        {"id": person_id, "transcript_due_since": marks["transcript_due_since"] or now}
        for person_id, marks in _marks(connection, people).items()
    ]
    update_existing(connection, lms_users, rows, key=("id",), now=now)


def read_since(connection: Connection, read_at: Mapping[str, datetime], *, now: datetime) -> set[str]:
    """Of people whose transcripts were read at these instants, those whose stored one was read later.

    What was read earlier must not be written over it. A stored instant after `now` was made by a wrong clock.
    """
    found = set()
    for person_id, stored in _marks(connection, read_at).items():
        stored_at = stored["transcript_stored_at"] or stored["enrollment_synced_at"]
        if stored_at is not None and read_at[person_id] < stored_at <= now:
            found.add(person_id)
    return found


def _marks(connection: Connection, people: Iterable[str]) -> dict[str, dict[str, Any]]:
    c = lms_users.c
    found: dict[str, dict[str, Any]] = {}
    for part in chunks(people):
        marks = (c.enrollment_synced_at, c.transcript_read_at, c.transcript_stored_at, c.transcript_due_since)
        query = select(c.id, *marks).where(c.id.in_(part))
        found |= {row.id: dict(row._mapping) for row in connection.execute(query)}
    return found


def write_weeks(
    connection: Connection,
    learning: Mapping[date, tuple[int, int]],
    *,
    everybody: tuple[int, datetime] | None,
    now: datetime,
) -> None:
    """Bring these weeks' figures up to date.

    A reading of some people only leaves when everybody was read as it was.

    Args:
        learning: completions and enrollments of each week, by its Monday.
        everybody: how many people were read, and as of when, if nobody was left out.
    """
    rows: list[dict[str, Any]] = [
        {"week_start": week, "completions": completions, "enrollment_rows": enrollments}
        for week, (completions, enrollments) in learning.items()
    ]
    if everybody is not None:
        c = enrollment_weeks.c
        query = select(c.week_start, c.all_read_at).where(c.week_start.between(min(learning), max(learning)))
        before: dict[date, datetime | None] = {row.week_start: row.all_read_at for row in connection.execute(query)}
        people, as_of = everybody
        for row in rows:
            row |= {"people_read": people, "all_read_at": not_before(as_of, before.get(row["week_start"]), now)}
    upsert(connection, enrollment_weeks, rows, key=("week_start",), now=now)
