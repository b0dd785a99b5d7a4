"""Leads of partners: `leads`. One asset, two jobs: what changed since the last time, or everything (Sundays)."""

# No postponed annotations: Dagster reads the type of `context` from the function itself.

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

import dagster as dg

from lms_assets.assets.asset import asset_of
from lms_assets.assets.confirmation import confirm_changed, confirm_deleted, confirm_missing
from lms_assets.assets.crm_fields import LEAD_FIELDS
from lms_assets.assets.crm_records import CrmSource, Lookup, take_in_all
from lms_assets.assets.deactivation_limit import stop_if_too_many
from lms_assets.assets.listing_sync import ListingResult, describe, refuse_too_many_bad
from lms_assets.assets.sync_run import Step, sync_step
from lms_assets.domain.records.dates import changed_since
from lms_assets.domain.records.leads import LeadPlan, LeadRecord, lead_from_record, plan_leads
from lms_assets.domain.records.rejections import Rejected
from lms_assets.resources import Connections
from lms_assets.run_tags import LEADS_TAG
from lms_assets.vendors.impartner.client import ImpartnerClient
from lms_assets.vendors.impartner.filters import compare, differs
from lms_assets.vendors.listing import Record
from lms_assets.warehouse import reading
from lms_assets.warehouse.engine import Connection
from lms_assets.warehouse.results.counts import write_lead_counts
from lms_assets.warehouse.results.leads import (
    leads_of_unknown_partners,
    link_leads,
    remove_leads,
    rename_statuses,
    stored_lead_ids,
)
from lms_assets.warehouse.schema.tables import leads as leads_table
from lms_assets.warehouse.state.sync_state import get_state, put_state
from lms_assets.warehouse.upsert.upsert import SyncCounts, upsert

LISTED_UNTIL = "leads_listed_until"
# A change may show in the list a little after its own time, and clocks differ.
OVERLAP = timedelta(minutes=10)


@asset_of("leads")
def leads(context: dg.AssetExecutionContext, lms: Connections) -> dg.MaterializeResult[Any]:
    """Fetch partners' leads and count them for each partner; those that are gone, converted or nobody's are removed."""
    with sync_step(context, lms, "leads") as step:
        since = _since(step)
        with step.warehouse.read() as connection:
            stored = set(stored_lead_ids(connection))
        with lms.impartner() as client:
            found = _Fetch(step, client, stored, since).run()
            step.used(client.http)
        stop_if_too_many(step, "leads", len(stored), found.leaving)
        step.write(_writing(step, found), **found.listing_result.outcome())
        describe(step, found.listing_result)
        with step.warehouse.read() as connection:
            total, strangers = reading.row_count(connection, "leads"), leads_of_unknown_partners(connection)
        mode = "full" if since is None else "incremental"
        return step.result(
            total, mode=mode, listed=found.listing_result.rows, of_accounts_that_are_no_partner=strangers
        )


@dataclass(frozen=True)
class _Found:
    """What the CRM said: the listing, what is to be written, the Impartner ids of leads that go, names of statuses."""

    listing_result: ListingResult[LeadRecord]
    plan: LeadPlan
    leaving: frozenset[int]
    statuses: Mapping[int, str]


def _since(step: Step) -> datetime | None:
    """From when on changes are asked for; None for everything: on Sundays, and as long as nothing was read."""
    if step.context.run.tags.get(LEADS_TAG) == "full":
        return None
    with step.warehouse.read() as connection:
        known = get_state(connection, LISTED_UNTIL)
    return None if known is None else datetime.fromisoformat(known) - OVERLAP


@dataclass(frozen=True)
class _Fetch:
    step: Step
    client: ImpartnerClient
    stored: set[int]
    since: datetime | None

    def run(self) -> _Found:
        """Read the listing, and find out which stored leads are gone."""
        statuses = Lookup(self.client, "LeadStatus")
        source = self._source(lambda record: lead_from_record(record, statuses))
        listing_result = take_in_all(self.step, source, "leads", first_load=not self.stored)
        refuse_too_many_bad(self.step, listing_result, self.step.rules)
        plan = plan_leads(listing_result.accepted, self.stored, listing_result.bad_ids, full=self.since is None)
        deleted: set[int] = set()
        if self.since is not None:
            deleted = self.client.deleted_ids("Lead", self.since, self.step.now) & self.stored
        known = {each.lead.impartner_id for each in listing_result.accepted} | self.stored
        by_id = source.by_id(known - plan.missing - plan.over - deleted)
        was_complete = listing_result.complete
        gone = confirm_missing(listing_result, by_id, plan.missing) | confirm_deleted(listing_result, by_id, deleted)
        gone |= confirm_changed(listing_result, by_id, plan.over, _is_over)
        # An answer that proves damaged makes the ones before it doubtful too.
        doubtful = was_complete and not listing_result.complete
        return _Found(listing_result, plan, frozenset(() if doubtful else gone), dict(statuses))

    def _source(self, convert: Callable[[Record], LeadRecord | Rejected]) -> CrmSource[LeadRecord]:
        since = self.since
        condition = differs("PartnerAccountId", None) if since is None else compare("Updated", ">", since)
        fits = _has_partner if since is None else changed_since(since)
        return CrmSource(
            self.client, "Lead", LEAD_FIELDS, convert, lambda record: record.lead.impartner_id, condition, fits
        )


def _has_partner(record: Record) -> bool:
    return bool(record.get("PartnerAccountId"))


def _is_over(answer: LeadRecord | Rejected) -> bool:
    return isinstance(answer, LeadRecord) and answer.over is not None


def _writing(step: Step, found: _Found) -> Callable[[Connection], SyncCounts]:
    rows = [asdict(lead) for lead in found.plan.rows]

    def work(connection: Connection) -> SyncCounts:
        counts = upsert(connection, leads_table, rows, key=("impartner_id",), now=step.now)
        counts += rename_statuses(connection, found.statuses, now=step.now)
        removed = remove_leads(connection, found.leaving)
        link_leads(connection, now=step.now)
        write_lead_counts(connection, now=step.now)
        if found.listing_result.complete:
            put_state(connection, LISTED_UNTIL, step.started_at.isoformat(), now=step.now)
        return counts + SyncCounts(deleted=removed)

    return work
