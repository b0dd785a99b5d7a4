"""Whose transcripts a run of `enrollments` reads: everybody's over all weeks, otherwise those who need it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from lms_assets.assets.step import Step
from lms_assets.domain.certifications import partner_users
from lms_assets.domain.dates import harmless_date
from lms_assets.domain.transcript_reading import ReadingState, is_due
from lms_assets.lineage import WEEKLY
from lms_assets.vendors.northpass import NorthpassClient
from lms_assets.warehouse import reading
from lms_assets.warehouse.engine import Connection
from lms_assets.warehouse.state import get_state, put_state

LISTED_UNTIL = "changed_people_listed_until"
# A change may show in the list a little after its own time, and clocks differ.
OVERLAP = timedelta(minutes=10)


def people_to_read(step: Step, client: NorthpassClient, weeks: list[str]) -> list[str]:
    """The partner users to read, sorted.

    Over all weeks: everybody. With the running week: who is due (see `is_due`). Over past weeks only, a backfill:
    whoever may have been active then, which is everybody active since the first of them.
    """
    all_weeks = WEEKLY.get_partition_keys(current_time=step.now)
    with step.warehouse.read() as connection:
        wanted = current_partner_users(connection)
        states = {
            state.user_id: ReadingState(state.read_at, state.last_active_at, state.updated_at_lms, state.joined_at)
            for state in reading.transcript_states(connection).values()
            if state.user_id in wanted
        }
    if weeks[0] == all_weeks[0] and weeks[-1] == all_weeks[-1]:
        return sorted(wanted)
    if weeks[-1] != all_weeks[-1]:
        begin = datetime.fromisoformat(weeks[0]).replace(tzinfo=UTC)
        return sorted(
            user_id for user_id in wanted if (last := states[user_id].last_active_at) is None or last >= begin
        )
    states |= _changed_since_last_listing(step, client, states)
    return sorted(user_id for user_id in wanted if is_due(states[user_id], step.chain_started_at))


def current_partner_users(connection: Connection) -> set[str]:
    """LMS ids of everybody who counts for at least one partner."""
    affiliations = partner_users(
        reading.partner_activity(connection),
        reading.person_facts(connection),
        reading.group_facts(connection),
        reading.members(connection),
        reading.contact_facts(connection),
    )
    return {each.user_id for each in affiliations if each.obstacle is None}


def _changed_since_last_listing(
    step: Step, client: NorthpassClient, states: dict[str, ReadingState]
) -> dict[str, ReadingState]:
    """The states of people who changed since the list was last asked, with what the list says of them."""
    with step.warehouse.read() as connection:
        known = get_state(connection, LISTED_UNTIL)
    if known is None:
        read = [state.read_at for state in states.values() if state.read_at is not None]
        since = min(read) if read else step.chain_started_at - timedelta(days=7)
    else:
        since = datetime.fromisoformat(known)
    listing = client.people(updated_since=since - OVERLAP)
    changed: dict[str, ReadingState] = {}
    for record in listing:
        state = states.get(str(record.get("id")))
        if state is not None:
            attributes = record.get("attributes") or {}
            changed[str(record["id"])] = replace(
                state,
                changed_at=harmless_date(attributes.get("updated_at")),
                last_active_at=harmless_date(attributes.get("last_active_at")) or state.last_active_at,
            )
    if listing.filter_ignored:
        step.context.log.warning(
            "Northpass ignored the time filter and listed everybody; people are chosen by their own times instead."
        )
    step.metadata["time_filter_ignored"] = listing.filter_ignored
    step.metadata["people_listed"] = listing.rows
    if listing.complete:
        until = step.chain_started_at
        step.on_commit(lambda connection: put_state(connection, LISTED_UNTIL, until.isoformat(), now=step.now))
    return changed
