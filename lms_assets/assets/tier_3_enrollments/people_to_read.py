"""Whose transcripts a run of `enrollments` reads: over the trailing days those who need it, otherwise everybody's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from lms_assets.asset_specs import WEEKLY
from lms_assets.assets.sync_run import Step
from lms_assets.assets.tier_2_users_and_groups.users import link_contacts_to_users
from lms_assets.domain.records.dates import harmless_date
from lms_assets.domain.records.transcripts import UNREAD_FOR, ReadingState, is_due, is_turn
from lms_assets.domain.records.users import LmsUser, user_from_person
from lms_assets.domain.schedule import CHAIN, TRAILING_DAYS, weeks_of_last_days
from lms_assets.run_tags import PEOPLE_TAG
from lms_assets.vendors.northpass.client import NorthpassClient
from lms_assets.vendors.transport.errors import VendorError
from lms_assets.warehouse.engine import Connection
from lms_assets.warehouse.reading.enrollments import transcript_states
from lms_assets.warehouse.reading.people import stored_affiliations
from lms_assets.warehouse.reading.whole import orphans
from lms_assets.warehouse.schema.tables import lms_users
from lms_assets.warehouse.state.refresh_queue import people_read_since, queued_people, unqueue
from lms_assets.warehouse.sync_state import advance_state, get_state
from lms_assets.warehouse.upsert.upsert import SyncCounts, upsert

LISTED_UNTIL = "changed_people_listed_until"
# A change may show in the list a little after its own time, and clocks differ.
OVERLAP = timedelta(minutes=10)
UNLISTED_ASKED = 2_000


def add_unlisted_members(step: Step, client: NorthpassClient) -> SyncCounts:
    """Write members whom no list of people has ever shown, and who are there when asked for: that list was cut.

    Groups and people are read side by side, so this is the first step that knows both. Members who are gone (404) are
    left to the check that counts them.

    Returns:
        What was written; its rejected rows are to be noted.

    Raises:
        VendorError: the vendor is down, or refuses the key.
    """
    with step.warehouse.read() as connection:
        count, unknown = orphans(connection, "lms_group_members", "user_id", "lms_users", limit=UNLISTED_ASKED)
    found: list[LmsUser] = []
    for _, answer in step.counted(client.for_each(unknown, client.person), "unknown members", count):
        user = None if answer is None or isinstance(answer, VendorError) else user_from_person(answer)
        if isinstance(user, LmsUser):
            found.append(user)
    step.metadata["people_missing_in_the_list_of_people"] = len(found)
    if not found:
        return SyncCounts()
    step.require_live_run()

    def write(connection: Connection) -> SyncCounts:
        counts = upsert(connection, lms_users, found, key=("id",), now=step.now)
        link_contacts_to_users(connection, step.now)
        return counts

    return step.warehouse.in_transaction(write)


def people_to_read(step: Step, client: NorthpassClient, weeks: Sequence[str]) -> tuple[list[str], bool]:
    """Whose transcripts a run over these weeks reads, sorted; and whether nobody who counts for a partner is left out.

    Over the weeks of the trailing days up to the running one, as the timetable asks for: who is due (see `is_due`),
    and who is queued; the next full chain reads everybody. Over any other weeks: everybody, since neither the list
    of people nor their last activity shows who gained or lost a completion then. A run that was started for the queue
    reads the queued people only. Where the full read is spread over nights (`full_read_nights`), the chain reads who is
    due and the night's share; what others' transcripts lost shows when their turn comes.
    """
    # Of the chain's start, so that a chain resumed in the next week still is what it was.
    all_weeks = WEEKLY.get_partition_keys(current_time=step.chain_started_at)
    with step.warehouse.read() as connection:
        wanted = current_partner_users(connection)
        queued = set(queued_people(connection))
        states = {
            state.user_id: ReadingState(
                state.read_at, state.last_active_at, state.updated_at_lms, state.joined_at, state.due_since
            )
            for state in transcript_states(connection).values()
            if state.user_id in wanted
        }
    step.on_commit(lambda connection: _leave_queue(connection, step, wanted, queued))
    if step.run.tags.get(PEOPLE_TAG) == "queued":
        return sorted(wanted & queued), False
    first_trailing, _ = weeks_of_last_days(TRAILING_DAYS, step.chain_started_at.date(), all_weeks)
    whole, nights = step.run.job_name == CHAIN, step.rules.full_read_nights
    if weeks[-1] != all_weeks[-1] or (weeks[0] < first_trailing and not (whole and nights > 1)):
        return sorted(wanted), True
    turn = people_whose_turn_it_is(wanted, step.chain_started_at, nights) if whole else set()
    unread_for = timedelta(days=nights) if whole else max(UNREAD_FOR, timedelta(days=nights + 1))
    states |= _changed_since_last_listing(step, client, states)
    due = {user_id for user_id in wanted if is_due(states[user_id], step.chain_started_at, unread_for=unread_for)}
    return sorted(turn | due | (wanted & queued)), False


def people_whose_turn_it_is(people: set[str], chain: datetime, nights: int) -> set[str]:
    """Whom the chain that began at this instant reads in any case: everybody, or the night's share of a full read."""
    return {user_id for user_id in people if is_turn(user_id, chain.date(), nights)}


def _leave_queue(connection: Connection, step: Step, wanted: set[str], queued: set[str]) -> None:
    """Take out of the queue who was read now, and who counts for no partner. Called in the sync's transaction."""
    read = people_read_since(connection, queued, step.chain_started_at)
    unqueue(connection, read | (queued - wanted), noted_until=step.chain_started_at, now=step.now)


def current_partner_users(connection: Connection) -> set[str]:
    """LMS ids of everybody who counts for at least one partner."""
    return {each.user_id for each in stored_affiliations(connection) if each.obstacle is None}


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
        # A mark in the future was made by a wrong clock.
        since = min(datetime.fromisoformat(known), step.chain_started_at)
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
    # Not found may be an empty list or a wrong answer, and a filter may hold on one page and not on the next: then
    # the next time asks for the same span again. A vendor that always ignores the filter lists everybody anyway.
    if listing.complete and not listing.not_found and not listing.filter_ignored:
        until = step.chain_started_at
        step.on_commit(lambda connection: advance_state(connection, LISTED_UNTIL, until, now=step.now))
    return changed
