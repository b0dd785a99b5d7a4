"""`contacts`: CRM users read and judged, one for each e-mail, each linked to its partner."""

from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import Any

import dagster as dg

from lms_assets.assets.asset import asset_of
from lms_assets.assets.confirmation import ask_about
from lms_assets.assets.crm_records import crm_users, take_in_all
from lms_assets.assets.listing_sync import refuse_too_many_bad, write_listing
from lms_assets.assets.sync_run import stop_if_too_many, sync_step
from lms_assets.assets.tier_2_users_and_groups.users import link_contacts_to_users
from lms_assets.domain.records.contacts import StoredContact, further_affiliations, surrendered_email
from lms_assets.domain.sync_plans.contacts import ContactPlan, ContactRow, Employers, doubtful_contacts, plan_contacts
from lms_assets.domain.sync_plans.crm import rows_by_crm_id
from lms_assets.resources import ImpartnerResource, WarehouseResource
from lms_assets.warehouse.engine import Connection
from lms_assets.warehouse.reading.foundation import partner_of_contacts, primary_users, stored_contacts, stored_partners
from lms_assets.warehouse.reading.whole import row_count
from lms_assets.warehouse.results.links import address_holders, further_contact_ids, write_affiliations
from lms_assets.warehouse.schema.tables import contacts as contacts_table
from lms_assets.warehouse.upsert.upsert import SyncCounts, deactivate, update_existing, upsert


@asset_of("contacts")
def contacts(
    context: dg.AssetExecutionContext, impartner: ImpartnerResource, warehouse: WarehouseResource
) -> dg.MaterializeResult[Any]:
    """Fetch every CRM user, keep the partners' people, link each to its partner, deactivate those who left."""
    with sync_step(context, warehouse, "contacts") as step:
        with step.warehouse.read() as connection:
            first_load = not row_count(connection, contacts_table)
        with impartner.client() as client:
            source = crm_users(client, step.rules)
            listing = take_in_all(step, source, "contacts", first_load=first_load)
            refuse_too_many_bad(step, listing)
            with step.warehouse.read() as connection:
                stored, further = stored_contacts(connection), further_contact_ids(connection)
                employers = read_employers(connection, stored, further)
            listed = source.ids(listing)
            doubts = doubtful_contacts(listing, listed, {*rows_by_crm_id(stored), *further}, employers)
            plan = plan_contacts(listing, listed, stored, employers, ask_about(doubts, source.by_id(listed)))
            step.used(client.http)
        stop_if_too_many(step, "contacts", sum(row.is_active for row in stored), plan.leaving)
        del stored, doubts, listed
        write_listing(step, partial(write_contacts, plan=plan, employers=employers, now=step.now), plan.listing)
        without_partner = sum(row.partner_id is None for row in plan.rows)
        duplicates = sum(each.kind == "duplicate" for each in plan.listing.rejected)
        return step.result(listed=len(plan.rows), without_partner=without_partner, duplicate_emails=duplicates)


def read_employers(connection: Connection, stored: Sequence[StoredContact], further: frozenset[int]) -> Employers:
    """Partners, and whom stored contacts who learn belong to, as the warehouse has it."""
    return Employers.of(
        stored_partners(connection),
        primary_users(connection),
        stored,
        partner_of_contacts(connection),
        further,
    )


def write_contacts(connection: Connection, plan: ContactPlan, employers: Employers, now: datetime) -> SyncCounts:
    """Deactivate, free addresses that others have now, write the contacts that count, link them to accounts."""
    left = deactivate(connection, contacts_table, plan.leaving, now=now)
    released = [{"id": row_id, "email": surrendered_email(row_id)} for row_id in plan.displaced]
    update_existing(connection, contacts_table, released, key=("id",), now=now)
    names = ContactRow.__slots__
    rows = ({name: getattr(row, name) for name in names} | {"identity_changed_at": now} for row in plan.rows)
    changed_at = ("identity_changed_at", ("partner_id", "email", "is_active"))
    written = upsert(connection, contacts_table, rows, key=("id",), now=now, changed_at=changed_at)
    own = {row.impartner_id for row in plan.rows} - {each.values["impartner_id"] for each in written.rejected_rows}
    others = [each for each in plan.listing.accepted if each.impartner_id not in own]
    holders = address_holders(connection, {each.email for each in others})
    found = further_affiliations(others, holders, employers.active_partner_of)
    further = write_affiliations(connection, found, over=plan.resolved, now=now)
    # At once: an address that moved must not go on counting for somebody if the chain ends before users are read.
    link_contacts_to_users(connection, now)
    # Rows of another table: counted here they would read as new contacts.
    return written + SyncCounts(deactivated=left, rejected_rows=further.rejected_rows)
