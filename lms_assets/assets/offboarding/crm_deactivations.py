"""`crm_deactivations`: deactivates partners and contacts that left the CRM, hours before the nightly full sync."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Generic, TypeVar

import dagster as dg

from lms_assets.assets.asset import asset_of
from lms_assets.assets.confirmation import ask_about
from lms_assets.assets.crm_records import CrmSource, accounts, crm_users, take_in_all
from lms_assets.assets.listing_sync import refuse_too_many_bad
from lms_assets.assets.sync_run import Step, stop_if_too_many, sync_step
from lms_assets.assets.tier_1_foundation.contacts import read_employers
from lms_assets.domain.records.contacts import StoredContact
from lms_assets.domain.records.partners import StoredPartner, rows_of_successors
from lms_assets.domain.records.values import Rejected
from lms_assets.domain.safety.confirmation import Doubt, ListingResult
from lms_assets.domain.schedule import CHAIN
from lms_assets.domain.sync_plans.contacts import Employers
from lms_assets.domain.sync_plans.crm import rows_by_crm_id
from lms_assets.domain.sync_plans.crm_deactivations import (
    CrmDeactivations,
    Kept,
    confirm_departed,
    doubtful_changes,
    kept_contacts,
)
from lms_assets.lineage import ENTRIES, SYNC_TYPES
from lms_assets.resources import ImpartnerResource, WarehouseResource
from lms_assets.run_tags import PEOPLE_TAG
from lms_assets.vendors.impartner.client import ImpartnerClient
from lms_assets.warehouse.bookkeeping import sync_log
from lms_assets.warehouse.bookkeeping.failures import open_failures
from lms_assets.warehouse.engine import Connection
from lms_assets.warehouse.reading.foundation import partner_of_contacts, stored_contacts, stored_partners
from lms_assets.warehouse.reading.whole import row_count
from lms_assets.warehouse.results.links import further_contact_ids, remove_affiliations
from lms_assets.warehouse.schema.tables import contacts, partners
from lms_assets.warehouse.sync_state import get_state, put_state
from lms_assets.warehouse.upsert.upsert import SyncCounts, deactivate

LOOKED_UNTIL = "crm_deactivations_looked_until"
# A change may show in the list a little after its own time, and clocks differ.
OVERLAP = timedelta(minutes=10)
SHOWN = 20

T = TypeVar("T")


@dataclass(frozen=True)
class CrmLook:
    """Who left since `since` (UTC; None: nobody was looked for)."""

    since: datetime | None = None
    partners: CrmDeactivations = field(default_factory=CrmDeactivations)
    contacts: CrmDeactivations = field(default_factory=CrmDeactivations)

    @property
    def complete(self) -> bool:
        """Whether everything that changed was read; else the next look covers the same span again."""
        return self.partners.complete and self.contacts.complete

    @property
    def details(self) -> dict[str, Any]:
        """What the sync's log keeps."""
        reasons = [*self.partners.reasons, *self.contacts.reasons]
        return {
            "since": self.since.isoformat() if self.since else None,
            "listing_complete": self.complete,
            "listing_reasons": reasons[:10],
        }

    def figures(self) -> dict[str, Any]:
        """Who left, by our own ids, and how much was looked at."""
        found: dict[str, Any] = {"looked_since": self.since.isoformat() if self.since else "did not look"}
        for entity, look in (("partner", self.partners), ("contact", self.contacts)):
            found |= {
                f"{entity}s_departed": len(look.leaving),
                f"{entity}_ids": sorted(look.leaving)[:SHOWN],
                f"{entity}s_changed": look.changed,
                f"{entity}s_deleted_in_the_crm": look.deleted,
            }
        found["reading"] = "complete" if self.complete else "incomplete: " + "; ".join(self.details["listing_reasons"])
        return found


@dataclass(frozen=True)
class _Known:
    """What the warehouse knows. `unknown_since`: from when on changes of the CRM may not be stored."""

    since: datetime | None
    unknown_since: datetime | None
    partners: Sequence[StoredPartner]
    contacts: Sequence[StoredContact]
    employers: Employers
    kept_contacts: Kept
    doubles: frozenset[int]
    further: frozenset[int]

    @classmethod
    def of(cls, connection: Connection) -> "_Known":
        """As it is stored."""
        stored, further = stored_contacts(connection), further_contact_ids(connection)
        employers = read_employers(connection, stored, further)
        return cls(
            _since(connection),
            _synced_since(connection),
            stored_partners(connection),
            stored,
            employers,
            kept_contacts(employers, partner_of_contacts(connection)),
            contacts_left_aside(connection),
            further,
        )


@asset_of("crm_deactivations")
def crm_deactivations(
    context: dg.AssetExecutionContext, impartner: ImpartnerResource, warehouse: WarehouseResource
) -> dg.MaterializeResult[Any]:
    """Deactivate partners and contacts that were deleted, became inactive or fell under a rule since the last look.

    It adds nobody and changes no other field: who comes back is linked to groups and accounts by the nightly chain.
    """
    with sync_step(context, warehouse, "crm_deactivations") as step:
        with impartner.client() as client:
            found = _look(step, client)
            step.used(client.http)
        work = partial(write_crm_deactivations, found=found, now=step.now)
        step.write(work, complete=found.complete, details=found.details)
        with step.warehouse.read() as connection:
            active = row_count(connection, "partners", active_only=True)
        return step.result(active, **found.figures())


def _look(step: Step, client: ImpartnerClient) -> CrmLook:
    """Find out who left since the last look; without a full sync before it there is nobody who could leave.

    A run for the people of a webhook does not look: it must not wait for another vendor. Nor does the whole chain:
    its full sync of partners and contacts has just seen everybody.

    Raises:
        VendorError: the CRM could not be read.
        SyncStopped: too many would leave, or too much is unreadable.
    """
    if step.run.tags.get(PEOPLE_TAG) == "queued" or step.run.job_name == CHAIN:
        return CrmLook()
    with step.warehouse.read() as connection:
        known = _Known.of(connection)
    since, earlier = known.since, known.unknown_since
    if since is None:
        return CrmLook()
    # Of records that changed since the full sync the stored rows may not know yet.
    wider = earlier if earlier is not None and earlier < since else None
    left = _Object(
        "partner",
        accounts(client, step.rules, {}, since=since),
        accounts(client, step.rules, {}, since=wider) if wider else None,
        known.partners,
        rows_of_successors,
    )
    people = _Object(
        "contact",
        crm_users(client, step.rules, since=since),
        crm_users(client, step.rules, since=wider) if wider else None,
        known.contacts,
        known.kept_contacts,
        known.doubles,
        known.further,
    )
    return CrmLook(since, left.look(step, since), people.look(step, since))


@dataclass(frozen=True)
class _Object(Generic[T]):
    """One object of the CRM, and how its stored rows are kept.

    Attributes:
        source: what changed since the last look. `wider`: since the full sync, where that was earlier.
        kept: gives, of rows that leave, those that another record takes over: recreated under another id, or there
            twice. The row is still somebody's, and the full sync reassigns it.
        doubles: CRM ids of records without a row of their own.
        further: CRM ids of further contacts.
    """

    entity: str
    source: CrmSource[T]
    wider: CrmSource[T] | None
    stored: Sequence[StoredPartner] | Sequence[StoredContact]
    kept: Kept
    doubles: frozenset[int] = frozenset()
    further: frozenset[int] = frozenset()

    def look(self, step: Step, since: datetime) -> CrmDeactivations:
        """Find out which rows leave."""
        source, entity = self.source, self.entity
        listing = take_in_all(step, source, f"changed {entity}s", first_load=False)
        refuse_too_many_bad(step, listing)
        deleted = source.client.deleted_ids(source.object_name, since, step.now)
        known = {*rows_by_crm_id(self.stored), *self.further}
        doubts = doubtful_changes(listing, deleted, known)
        by_id = source.by_id(known - deleted - set(doubts[Doubt.EXCLUDED]))
        listing, left, leaving = confirm_departed(listing, self.stored, ask_about(doubts, by_id))
        if leaving:
            current = listing if self.wider is None else self._since_full_sync(step, self.wider)
            if not current.complete:
                listing, left, leaving = listing.incomplete("; ".join(current.reasons)), frozenset(), frozenset()
            leaving -= self.kept([*current.accepted, *_read_now(source, self.doubles)], self.stored, leaving)
        stop_if_too_many(step, f"{entity}s", sum(row.is_active for row in self.stored), leaving)
        return CrmDeactivations(
            leaving, left & self.further, listing.rows, len(deleted), listing.complete, listing.reasons
        )

    def _since_full_sync(self, step: Step, wider: CrmSource[T]) -> ListingResult[T]:
        return take_in_all(step, wider, f"{self.entity}s changed since the full sync", first_load=False)


def write_crm_deactivations(connection: Connection, found: CrmLook, now: datetime) -> SyncCounts:
    """Deactivate who left, and remember until when was looked."""
    left = deactivate(
        connection, partners, sorted(found.partners.leaving), now=now, values={"account_status": "Inactive"}
    )
    left += deactivate(connection, contacts, sorted(found.contacts.leaving), now=now)
    over = remove_affiliations(connection, found.contacts.further)
    if found.since is not None and found.complete:
        put_state(connection, LOOKED_UNTIL, now.isoformat(), now=now)
    return SyncCounts(deactivated=left) + over


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
