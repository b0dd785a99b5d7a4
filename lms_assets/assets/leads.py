"""Leads of partners: `leads`. One asset, two jobs: what changed since the last time, or everything (Sundays)."""

# No postponed annotations: Dagster reads the type of `context` from the function itself.

from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import dagster as dg

from lms_assets.assets.asset import asset_of
from lms_assets.assets.confirmation import ask_about
from lms_assets.assets.crm_records import LEAD_FIELDS, CrmSource, Lookup, changed_after, take_in_all
from lms_assets.assets.listing_sync import refuse_too_many_bad, write_listing
from lms_assets.assets.sync_run import Step, stop_if_too_many, sync_step
from lms_assets.domain.records.leads import LeadRecord, lead_from_record
from lms_assets.domain.sync_plans.leads import LeadPlan, doubtful_leads, plan_leads
from lms_assets.resources import ImpartnerResource, WarehouseResource
from lms_assets.run_tags import LEADS_TAG
from lms_assets.vendors.impartner.client import ImpartnerClient
from lms_assets.vendors.impartner.filters import differs
from lms_assets.vendors.listing import Record
from lms_assets.warehouse.engine import Connection
from lms_assets.warehouse.reading.whole import row_count
from lms_assets.warehouse.results.counts import (
    leads_of_unknown_partners,
    link_leads,
    remove_leads,
    rename_statuses,
    stored_lead_ids,
    write_lead_counts,
)
from lms_assets.warehouse.schema.tables import leads as leads_table
from lms_assets.warehouse.sync_state import get_state, put_state
from lms_assets.warehouse.upsert.upsert import SyncCounts, upsert

LISTED_UNTIL = "leads_listed_until"
# A change may show in the list a little after its own time, and clocks differ.
OVERLAP = timedelta(minutes=10)


@asset_of("leads")
def leads(
    context: dg.AssetExecutionContext, impartner: ImpartnerResource, warehouse: WarehouseResource
) -> dg.MaterializeResult[Any]:
    """Fetch partners' leads and count them for each partner; those that are gone, converted or nobody's are removed."""
    with sync_step(context, warehouse, "leads") as step:
        since = _since(step)
        with step.warehouse.read() as connection:
            stored = set(stored_lead_ids(connection))
        with impartner.client() as client:
            statuses = Lookup(client, "LeadStatus")
            plan = _read(step, client, statuses, stored, since)
            step.used(client.http)
        stop_if_too_many(step, "leads", len(stored), plan.leaving)
        work = partial(write_leads, plan=plan, statuses=dict(statuses), read_from=step.started_at, now=step.now)
        write_listing(step, work, plan.listing)
        with step.warehouse.read() as connection:
            total, strangers = row_count(connection, "leads"), leads_of_unknown_partners(connection)
        mode = "full" if since is None else "incremental"
        return step.result(total, mode=mode, listed=plan.listing.rows, of_accounts_that_are_no_partner=strangers)


def _since(step: Step) -> datetime | None:
    """From when on changes are asked for; None for everything: on Sundays, and as long as nothing was read."""
    if step.run.tags.get(LEADS_TAG) == "full":
        return None
    with step.warehouse.read() as connection:
        known = get_state(connection, LISTED_UNTIL)
    return None if known is None else datetime.fromisoformat(known) - OVERLAP


def _read(
    step: Step, client: ImpartnerClient, statuses: Mapping[int, str], stored: set[int], since: datetime | None
) -> LeadPlan:
    """Read the listing, and find out which stored leads are gone."""
    source = _source(client, statuses, since)
    listing = take_in_all(step, source, "leads", first_load=not stored)
    refuse_too_many_bad(step, listing)
    deleted = client.deleted_ids("Lead", since, step.now) if since is not None else set()
    doubts = doubtful_leads(listing, stored, deleted, full=since is None)
    known = {each.lead.impartner_id for each in listing.accepted} | stored
    return plan_leads(listing, ask_about(doubts, source.by_id(known.difference(*doubts.values()))))


def _source(client: ImpartnerClient, statuses: Mapping[int, str], since: datetime | None) -> CrmSource[LeadRecord]:
    condition, fits = changed_after(since) if since else (differs("PartnerAccountId", None), _has_partner)
    convert = partial(lead_from_record, statuses=statuses)
    return CrmSource(client, "Lead", LEAD_FIELDS, convert, lambda each: each.lead.impartner_id, condition, fits)


def _has_partner(record: Record) -> bool:
    return bool(record.get("PartnerAccountId"))


def write_leads(
    connection: Connection, plan: LeadPlan, statuses: Mapping[int, str], *, read_from: datetime, now: datetime
) -> SyncCounts:
    """Write the leads and the statuses' names, remove those that leave, and count them for each partner.

    Args:
        read_from: when this sync began; the next one asks for changes since then.
    """
    counts = upsert(connection, leads_table, plan.rows, key=("impartner_id",), now=now)
    counts += rename_statuses(connection, statuses, now=now)
    removed = remove_leads(connection, plan.leaving)
    link_leads(connection, now=now)
    write_lead_counts(connection, now=now)
    if plan.listing.complete:
        put_state(connection, LISTED_UNTIL, read_from.isoformat(), now=now)
    return counts + SyncCounts(deleted=removed)
