"""`users`: people read, who left or was disabled confirmed, contacts linked by e-mail."""

from datetime import datetime
from functools import partial
from typing import Any

import dagster as dg

from lms_assets.assets.asset import asset_of
from lms_assets.assets.confirmation import ask_about, lms_by_id
from lms_assets.assets.listing_sync import refuse_too_many_bad, take_in, write_listing
from lms_assets.assets.sync_run import sample_beyond, stop_if_too_many, sync_step
from lms_assets.domain.records.users import user_from_person
from lms_assets.domain.sync_plans.users import UserPlan, doubtful_users, link_contacts, plan_users
from lms_assets.resources import NorthpassResource, WarehouseResource
from lms_assets.warehouse.engine import Connection
from lms_assets.warehouse.reading.people import contact_emails, stored_users
from lms_assets.warehouse.results.links import write_contact_links
from lms_assets.warehouse.schema.tables import lms_users
from lms_assets.warehouse.upsert.upsert import SyncCounts, deactivate, update_existing, upsert


@asset_of("users")
def users(
    context: dg.AssetExecutionContext, northpass: NorthpassResource, warehouse: WarehouseResource
) -> dg.MaterializeResult[Any]:
    """Fetch every LMS account, note who is disabled or gone, and link contacts to accounts by e-mail."""
    with sync_step(context, warehouse, "users") as step:
        with step.warehouse.read() as connection:
            stored = {row.id: row for row in stored_users(connection)}
        active = sum(row.is_active for row in stored.values())
        with northpass.client() as client:
            listing = take_in(step, client.people, user_from_person, "people", again=not stored)
            refuse_too_many_bad(step, listing)
            doubts = doubtful_users(listing, stored, step.rules)
            known, limit = {user.id for user in listing.accepted}, sample_beyond(step, "users", active)
            by_id = lms_by_id(step, client, client.person, user_from_person, known=known, sample_beyond=limit)
            plan = plan_users(listing, stored, ask_about(doubts, by_id))
            step.used(client.http)
        stop_if_too_many(step, "users", active, plan.leaving)
        write_listing(step, partial(write_users, plan=plan, now=step.now), plan.listing)
        people = plan.listing.accepted
        without_email = sum(user.email is None for user in people)
        return step.result(
            listed=len(people), active=sum(user.is_active for user in people), without_email=without_email
        )


def write_users(connection: Connection, plan: UserPlan, now: datetime) -> SyncCounts:
    """Write who is listed, mark who is gone, then link contacts to accounts."""
    returned = [{"id": user_id, "transcript_read_at": None} for user_id in sorted(plan.returned)]
    counts = upsert(connection, lms_users, plan.rows, key=("id",), now=now)
    update_existing(connection, lms_users, returned, key=("id",), now=now)
    gone = {"status": "deleted", "deactivation_reason": "gone from the LMS"}
    left = deactivate(connection, lms_users, sorted(plan.gone), now=now, values=gone)
    before = [{"id": user_id, **gone} for user_id in sorted(plan.gone_inactive)]
    update_existing(connection, lms_users, before, key=("id",), now=now)
    link_contacts_to_users(connection, now)
    return counts + SyncCounts(deactivated=left)


def link_contacts_to_users(connection: Connection, now: datetime) -> None:
    """Link every contact to the LMS account with its e-mail, and correct links whose e-mail moved on."""
    links = link_contacts(contact_emails(connection), stored_users(connection))
    write_contact_links(connection, links, now=now)
