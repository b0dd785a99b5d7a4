"""`crm_deactivations`: deactivates partners and contacts that left the CRM, hours before the nightly full sync."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any, TypeVar

import dagster as dg

from lms_assets.assets.asset import asset_of
from lms_assets.assets.confirmation import confirm_changed, confirm_deleted
from lms_assets.assets.crm_fields import ACCOUNT_FIELDS, CONTACT_FIELDS
from lms_assets.assets.crm_records import CrmSource, take_in_all
from lms_assets.assets.deactivation_limit import stop_if_too_many
from lms_assets.assets.listing_sync import ListingResult, is_excluded, refuse_too_many_bad
from lms_assets.assets.sync_run import Step, sync_step
from lms_assets.assets.tier_1_foundation.contacts import Employers
from lms_assets.assets.tier_1_foundation.partners import rows_by_crm_id
from lms_assets.domain.operations.schedule import CHAIN
from lms_assets.domain.records.contacts import Contact, StoredContact, contact_from_user, rows_with_successor
from lms_assets.domain.records.dates import changed_since
from lms_assets.domain.records.partner_rows import StoredPartner, rows_of_successors
from lms_assets.domain.records.partners import partner_from_account
from lms_assets.domain.records.rejections import Rejected
from lms_assets.lineage import ENTRIES, SYNC_TYPES
from lms_assets.resources import Connections
from lms_assets.run_tags import PEOPLE_TAG
from lms_assets.vendors.impartner.client import ImpartnerClient
from lms_assets.vendors.impartner.filters import Condition, compare
from lms_assets.vendors.listing import Record
from lms_assets.warehouse import reading
from lms_assets.warehouse.bookkeeping import sync_log
from lms_assets.warehouse.bookkeeping.failures import open_failures
from lms_assets.warehouse.engine import Connection
from lms_assets.warehouse.results.affiliations import further_contact_ids, remove_affiliations
from lms_assets.warehouse.schema.tables import contacts, partners
from lms_assets.warehouse.state.sync_state import get_state, put_state
from lms_assets.warehouse.upsert.upsert import SyncCounts, deactivate

LOOKED_UNTIL = "crm_deactivations_looked_until"
# A change may show in the list a little after its own time, and clocks differ.
OVERLAP = timedelta(minutes=10)
SHOWN = 20

T = TypeVar("T")
Stored = StoredPartner | StoredContact


@dataclass
class _Look:
    """What one object of the CRM said: ids of rows of ours that leave, and how the reading went."""

    entity: str
    leaving: set[int] = field(default_factory=set)
    further: set[int] = field(default_factory=set)
    """CRM ids of further contacts (`contact_affiliations`) that are over."""
    changed: int = 0
    deleted: int = 0
    reasons: list[str] = field(default_factory=list)
    complete: bool = True


class CrmDeactivationSync:
    """`read` first; then `complete` and `figures` say what was found, and `write` does all the writing.

    Raises (from `read`):
        VendorError: the CRM could not be read.
        SyncStopped: too many would leave, or too much is unreadable.
    """

    def __init__(self, step: Step) -> None:
        self._step = step
        self._partners = _Look("partner")
        self._contacts = _Look("contact")
        self._since: datetime | None = None
        self._unknown_since: datetime | None = None

    def read(self, client: ImpartnerClient) -> None:
        """Find out who left since the last look; without a full sync before it there is nobody who could leave.

        A run for the people of a webhook does not look: it must not wait for another vendor. Nor does the whole chain:
        its full sync of partners and contacts has just seen everybody.
        """
        step = self._step
        if step.context.run.tags.get(PEOPLE_TAG) == "queued" or step.context.run.job_name == CHAIN:
            return
        with step.warehouse.read() as connection:
            self._since = _since(connection)
            self._unknown_since = _synced_since(connection)
            stored_partners = reading.stored_partners(connection)
            stored_contacts = reading.stored_contacts(connection)
            employers, partner_of_row = Employers.of(connection), reading.partner_of_contacts(connection)
            doubles = contacts_left_aside(connection)
            further = further_contact_ids(connection)
        if self._since is None:
            return
        accounts = CrmSource(
            client,
            "Account",
            ACCOUNT_FIELDS,
            lambda record: partner_from_account(record, step.rules, {}),
            lambda partner: partner.impartner_id,
            *_changed(self._since),
        )
        self._partners = self._look("partner", accounts, stored_partners, rows_of_successors)
        users = CrmSource(
            client,
            "User",
            CONTACT_FIELDS,
            lambda record: contact_from_user(record, step.rules),
            lambda contact: contact.impartner_id,
            *_changed(self._since),
        )
        kept = partial(_kept_contacts, employers, partner_of_row)
        self._contacts = self._look("contact", users, stored_contacts, kept, doubles=doubles, further=further)

    def _look(
        self,
        entity: str,
        source: CrmSource[T],
        stored: Iterable[Stored],
        kept: Callable[[Any, Any, set[int]], set[int]],
        *,
        doubles: frozenset[int] = frozenset(),
        further: frozenset[int] = frozenset(),
    ) -> _Look:
        step, stored = self._step, list(stored)
        assert self._since is not None
        active = rows_by_crm_id(stored)
        listing_result: ListingResult[T] = take_in_all(step, source, f"changed {entity}s", first_load=False)
        refuse_too_many_bad(step, listing_result, step.rules)
        known = set(active) | further
        excluded = {crm_id for crm_id in known if str(crm_id) in listing_result.excluded_ids}
        told = source.client.deleted_ids(source.object_name, self._since, step.now)
        by_id = source.by_id(known - told - excluded)
        left = confirm_changed(listing_result, by_id, excluded, is_excluded)
        left |= confirm_deleted(listing_result, by_id, told & known)
        # An answer that proves damaged makes the ones before it doubtful too.
        leaving = {row_id for crm_id in left for row_id in active.get(crm_id, ())} if listing_result.complete else set()
        if leaving:
            # Recreated under another id, or there twice: the row is still somebody's, and the full sync reassigns it.
            leaving -= kept(
                [*self._unknown(listing_result, source, entity), *_read_now(source, doubles)], stored, leaving
            )
            leaving = leaving if listing_result.complete else set()
        stop_if_too_many(step, f"{entity}s", sum(row.is_active for row in stored), leaving)
        over = left & further if listing_result.complete else set()
        return _Look(
            entity, leaving, over, listing_result.rows, len(told), listing_result.reasons, listing_result.complete
        )

    def _unknown(self, listing_result: ListingResult[T], source: CrmSource[T], entity: str) -> list[T]:
        """Records as they are now of which the stored rows may not know yet: all that changed since the full sync."""
        earlier, since = self._unknown_since, self._since
        if earlier is None or since is None or earlier >= since:
            return listing_result.accepted
        condition, fits = _changed(earlier)
        wider = replace(source, condition=condition, fits=fits)
        found = take_in_all(self._step, wider, f"{entity}s changed since the full sync", first_load=False)
        if not found.complete:
            listing_result.proven_incomplete("; ".join(found.reasons))
        return found.accepted

    def write(self, connection: Connection) -> SyncCounts:
        """Deactivate who left, and remember until when was looked."""
        now = self._step.now
        left = 0
        looks: tuple[tuple[Any, _Look, dict[str, Any]], ...] = (
            (partners, self._partners, {"account_status": "Inactive"}),
            (contacts, self._contacts, {}),
        )
        for table, look, values in looks:
            left += deactivate(connection, table, sorted(look.leaving), now=now, values=values)
        over = remove_affiliations(connection, self._contacts.further)
        if self._since is not None and self.complete:
            put_state(connection, LOOKED_UNTIL, now.isoformat(), now=now)
        return SyncCounts(deactivated=left) + over

    @property
    def complete(self) -> bool:
        """Whether everything that changed was read; else the next look covers the same span again."""
        return self._partners.complete and self._contacts.complete

    @property
    def details(self) -> dict[str, Any]:
        """What the sync's log keeps."""
        reasons = [*self._partners.reasons, *self._contacts.reasons]
        return {
            "since": self._since.isoformat() if self._since else None,
            "listing_complete": self.complete,
            "listing_reasons": reasons[:10],
        }

    def figures(self) -> dict[str, Any]:
        """Who left, by our own ids, and how much was looked at."""
        found: dict[str, Any] = {"looked_since": self._since.isoformat() if self._since else "did not look"}
        for look in (self._partners, self._contacts):
            found |= {
                f"{look.entity}s_departed": len(look.leaving),
                f"{look.entity}_ids": sorted(look.leaving)[:SHOWN],
                f"{look.entity}s_changed": look.changed,
                f"{look.entity}s_deleted_in_the_crm": look.deleted,
            }
        found["reading"] = "complete" if self.complete else "incomplete: " + "; ".join(self.details["listing_reasons"])
        return found


def _since(connection: Connection) -> datetime | None:
    """From when on: where the last look ended, else the start of the older of the two last full syncs."""
    known = get_state(connection, LOOKED_UNTIL)
    return datetime.fromisoformat(known) - OVERLAP if known is not None else _synced_since(connection)


def _synced_since(connection: Connection) -> datetime | None:
    """The start of the older of the two last full syncs: what changed later may not be stored."""
    completed = sync_log.last_completed(connection)
    full = [completed.get(SYNC_TYPES[asset]) for asset in ("partners", "contacts")]
    starts = [entry.started_at for entry in full if entry is not None]
    return min(starts) - OVERLAP if len(starts) == len(full) else None


def contacts_left_aside(connection: Connection) -> frozenset[int]:
    """CRM ids of contacts that the full sync set aside: unreadable, or with somebody else's e-mail."""
    kinds = ENTRIES["contacts"].records
    failures = [each for kind in kinds for each in open_failures(connection, SYNC_TYPES["contacts"], kind)]
    return frozenset(int(each.entity_id) for each in failures if each.entity_id.isdigit())


def _read_now(source: CrmSource[T], ids: Iterable[int]) -> list[T]:
    """These records as they are now, those that count."""
    found = source.client.by_ids(source.object_name, sorted(ids), list(source.fields))
    rows = map(source.convert, found.values())
    return [row for row in rows if not isinstance(row, Rejected)]


def _changed(since: datetime) -> tuple[Condition, Callable[[Record], bool]]:
    return compare("Updated", ">", since), changed_since(since)


def _kept_contacts(
    employers: Employers,
    partner_of_row: Mapping[int, int | None],
    current: list[Contact],
    stored: list[StoredContact],
    leaving: set[int],
) -> set[int]:
    left = [row for row in stored if row.id in leaving]
    return rows_with_successor(left, partner_of_row, map(employers.successor, current))


@asset_of("crm_deactivations")
def crm_deactivations(context: dg.AssetExecutionContext, lms: Connections) -> dg.MaterializeResult[Any]:
    """Deactivate partners and contacts that were deleted, became inactive or fell under a rule since the last look.

    It adds nobody and changes no other field: who comes back is linked to groups and accounts by the nightly chain.
    """
    with sync_step(context, lms, "crm_deactivations") as step:
        sync = CrmDeactivationSync(step)
        with lms.impartner() as client:
            sync.read(client)
            step.used(client.http)
        step.write(sync.write, complete=sync.complete, details=sync.details)
        with step.warehouse.read() as connection:
            active = reading.row_count(connection, "partners", active_only=True)
        return step.result(active, **sync.figures())
