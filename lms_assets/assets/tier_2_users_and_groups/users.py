"""One sync of the LMS users: people read, who left or was disabled confirmed, contacts linked by e-mail."""

from collections.abc import Mapping
from dataclasses import asdict, replace
from datetime import datetime
from typing import Any

import dagster as dg

from lms_assets.assets.asset import asset_of
from lms_assets.assets.confirmation import ById, confirm_changed, confirm_missing, lms_by_id
from lms_assets.assets.deactivation_limit import sample_beyond, stop_if_too_many
from lms_assets.assets.listing_sync import ListingResult, describe, refuse_too_many_bad, take_in
from lms_assets.assets.sync_run import Step, sync_step
from lms_assets.domain.linking.contact_links import link_contacts
from lms_assets.domain.records.users import LmsUser, user_from_person
from lms_assets.domain.safety.deactivation_limit import most_deactivations
from lms_assets.resources import Connections
from lms_assets.vendors.northpass.client import NorthpassClient
from lms_assets.warehouse import reading
from lms_assets.warehouse.engine import Connection
from lms_assets.warehouse.reading import StoredUser
from lms_assets.warehouse.results.links import write_contact_links
from lms_assets.warehouse.schema.tables import lms_users
from lms_assets.warehouse.upsert.upsert import SyncCounts, deactivate, update_existing, upsert


class UserSync:
    """`read` first; then `listing_result` says what came, and `write` does all the writing.

    Raises (from `read`):
        VendorError: people could not be read, or not be asked for by id.
        SyncStopped: too many would leave, or too many are unreadable.
    """

    def __init__(self, step: Step) -> None:
        self._step = step
        self.listing_result: ListingResult[LmsUser]

    def read(self, client: NorthpassClient) -> None:
        """Read every person and work out what is to be written."""
        step = self._step
        with step.warehouse.read() as connection:
            stored = {row.id: row for row in reading.users(connection)}
        self._active = {row.id for row in stored.values() if row.is_active}
        self.listing_result = take_in(step, client.people, user_from_person, "people", again=not stored)
        refuse_too_many_bad(step, self.listing_result, step.rules)
        listed = {user.id for user in self.listing_result.accepted}
        limit = sample_beyond(step, "users", len(self._active))
        source = lms_by_id(step, client, client.person, convert=user_from_person, known=listed, sample_beyond=limit)
        disabled = self._confirm_changes(source, stored)
        self._gone = self._confirm_gone(source, stored)
        stop_if_too_many(step, "users", len(self._active), (self._gone & self._active) | disabled)

    def _confirm_changes(self, source: ById[str, LmsUser], stored: Mapping[str, StoredUser]) -> set[str]:
        """People disabled again; those whose record says so, or lost its e-mail, and who read differently by themselves
        are left as they are stored.
        """
        listing_result = self.listing_result
        known = {user.id: user for user in listing_result.accepted if user.id in stored}
        off = {key for key, user in known.items() if not user.is_active and stored[key].is_active}
        mute = {key for key, user in known.items() if user.email is None and stored[key].email}
        disabled = confirm_changed(listing_result, source, off, lambda each: not getattr(each, "is_active", True))
        # No limit stops who lost an e-mail, so each of them is asked for.
        each_of_them = replace(source, sample_beyond=None)
        muted = confirm_changed(listing_result, each_of_them, mute, lambda each: getattr(each, "email", "") is None)
        doubted = (off - disabled) | (mute - muted)
        self._rows = [asdict(user) for user in listing_result.accepted if user.id not in doubted]
        self._returned = {key for key, user in known.items() if user.is_active and not stored[key].is_active}
        return disabled - doubted

    def _confirm_gone(self, source: ById[str, LmsUser], stored: Mapping[str, StoredUser]) -> set[str]:
        listed = {user.id for user in self.listing_result.accepted}
        missing = {key for key, row in stored.items() if row.status != "deleted"} - listed - self.listing_result.bad_ids
        gone: set[str] = set()
        # No deactivation limit judges rows that are inactive already: each is asked for, up to the limit a night.
        inactive = sorted(missing - self._active)[: most_deactivations(len(self._active), self._step.rules)]
        for ids in (sorted(missing & self._active), inactive):
            gone |= confirm_missing(self.listing_result, source, ids)
        return gone if self.listing_result.complete else set()

    def write(self, connection: Connection) -> SyncCounts:
        """Write who is listed, mark who is gone, then link contacts to accounts."""
        now = self._step.now
        # Nobody reads the transcript of somebody who is disabled or gone: what is stored of it may be old.
        returned = [{"id": row["id"], "transcript_read_at": None} for row in self._rows if row["id"] in self._returned]
        counts = upsert(connection, lms_users, self._rows, key=("id",), now=now)
        update_existing(connection, lms_users, returned, key=("id",), now=now)
        values = {"status": "deleted", "deactivation_reason": "gone from the LMS"}
        left = deactivate(connection, lms_users, sorted(self._gone & self._active), now=now, values=values)
        before = [{"id": user_id, **values} for user_id in sorted(self._gone - self._active)]
        update_existing(connection, lms_users, before, key=("id",), now=now)
        link_contacts_to_users(connection, now)
        return counts + SyncCounts(deactivated=left)


def link_contacts_to_users(connection: Connection, now: datetime) -> None:
    """Link every contact to the LMS account with its e-mail, and correct links whose e-mail moved on."""
    links = link_contacts(reading.contact_emails(connection), reading.users(connection))
    write_contact_links(connection, links, now=now)


@asset_of("users")
def users(context: dg.AssetExecutionContext, lms: Connections) -> dg.MaterializeResult[Any]:
    """Fetch every LMS account, note who is disabled or gone, and link contacts to accounts by e-mail."""
    with sync_step(context, lms, "users") as step:
        sync = UserSync(step)
        with lms.northpass() as client:
            sync.read(client)
            step.used(client.http)
        step.write(sync.write, **sync.listing_result.outcome())
        describe(step, sync.listing_result)
        people = sync.listing_result.accepted
        return step.result(
            len(people),
            active=sum(user.is_active for user in people),
            without_email=sum(user.email is None for user in people),
        )
