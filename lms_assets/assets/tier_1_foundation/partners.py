"""One sync of the partners: accounts read and judged, what leaves confirmed, names resolved, all written at once."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any, TypeVar

import dagster as dg

from lms_assets.assets.asset import asset_of
from lms_assets.assets.confirmation import confirm_changed, confirm_missing
from lms_assets.assets.crm_fields import ACCOUNT_FIELDS
from lms_assets.assets.crm_records import CrmSource, Lookup, take_in_all
from lms_assets.assets.deactivation_limit import stop_if_too_many
from lms_assets.assets.listing_sync import ListingResult, describe, is_excluded, refuse_too_many_bad
from lms_assets.assets.sync_run import Step, sync_step
from lms_assets.domain.records.contacts import StoredContact
from lms_assets.domain.records.partner_rows import NAME_LIMIT, StoredPartner
from lms_assets.domain.records.partners import Partner, assign_partner_rows, partner_from_account
from lms_assets.resources import Connections
from lms_assets.vendors.impartner.client import ImpartnerClient
from lms_assets.warehouse import reading
from lms_assets.warehouse.engine import Connection
from lms_assets.warehouse.results.stamps import stamp_changes
from lms_assets.warehouse.schema.tables import partners as partners_table
from lms_assets.warehouse.upsert.upsert import SyncCounts, deactivate, update_existing, upsert

T = TypeVar("T")


class PartnerSync:
    """`read` first; then `listing_result` and `assignment` say what came, and `write` does all the writing.

    Raises (from `read`):
        VendorError: accounts could not be read.
        SyncStopped: too much would leave, or too much is unreadable.
    """

    def __init__(self, step: Step) -> None:
        self._step = step
        self.listing_result: ListingResult[Partner]

    def read(self, client: ImpartnerClient) -> None:
        """Read every account and work out what is to be written."""
        step = self._step
        with step.warehouse.read() as connection:
            stored = reading.stored_partners(connection)
        active = rows_by_crm_id(stored)
        regions = Lookup(client, "Region")
        source = CrmSource(
            client,
            "Account",
            ACCOUNT_FIELDS,
            lambda record: partner_from_account(record, step.rules, regions),
            lambda partner: partner.impartner_id,
        )
        self.listing_result = take_in_all(step, source, "accounts", first_load=not stored)
        refuse_too_many_bad(step, self.listing_result, step.rules)
        gone = leaving(self.listing_result, source, active)
        self.assignment = assign_partner_rows(
            self.listing_result.accepted, stored, complete=self.listing_result.complete
        )
        kept = {row_id for row_id, _ in self.assignment.rows}
        self._leaving = {row_id for crm_id in gone for row_id in active[crm_id]} - kept
        stop_if_too_many(step, "partners", sum(row.is_active for row in stored), self._leaving)

    def write(self, connection: Connection) -> SyncCounts:
        """Make room for names, deactivate, then write the accounts that count."""
        now = self._step.now
        rows = [
            {"id": row_id, **asdict(partner), "is_active": True, "deleted_at": None, "identity_changed_at": now}
            for row_id, partner in self.assignment.rows
        ]
        watched = ("account_name", "is_active")
        stamp_changes(connection, partners_table, rows, watched=watched, column="identity_changed_at", now=now)
        moves = [{"id": row_id, "account_name": name} for row_id, name in self.assignment.name_moves]
        update_existing(connection, partners_table, moves, key=("id",), now=now)
        left = deactivate(connection, partners_table, self._leaving, now=now, values={"account_status": "Inactive"})
        written = upsert(
            connection,
            partners_table,
            rows,
            key=("id",),
            now=now,
            insert_only=("identity_changed_at",),
            on_clash=_another_name,
        )
        return written + SyncCounts(deactivated=left)


def _another_name(row: Mapping[str, Any]) -> Mapping[str, Any]:
    """The row under a name that nobody has: an old portal's collation may take two names for one (`ß` for `s`)."""
    mark = f" (#{row['impartner_id']})"
    return {**row, "account_name": row["account_name"][: NAME_LIMIT - len(mark)].rstrip() + mark}


def rows_by_crm_id(stored: Iterable[StoredPartner | StoredContact]) -> dict[int, set[int]]:
    """CRM id to its active rows: an adopted portal may hold an account twice."""
    found: dict[int, set[int]] = {}
    for row in stored:
        if row.is_active and row.impartner_id is not None:
            found.setdefault(row.impartner_id, set()).add(row.id)
    return found


def leaving(listing_result: ListingResult[T], source: CrmSource[T], active: Mapping[int, set[int]]) -> set[int]:
    """CRM ids of active rows that are gone or that a rule leaves out now, each confirmed by asking for it."""
    by_id = source.by_id(source.ids(listing_result))
    gone = confirm_missing(listing_result, by_id, set(active) - source.ids(listing_result))
    left_out = {crm_id for crm_id in active if str(crm_id) in listing_result.excluded_ids}
    excluded = confirm_changed(listing_result, by_id, left_out, is_excluded)
    return gone | excluded if listing_result.complete else set()


@asset_of("partners")
def partners(context: dg.AssetExecutionContext, lms: Connections) -> dg.MaterializeResult[Any]:
    """Fetch every account, keep the partners among them, and deactivate those that are gone or no longer count."""
    with sync_step(context, lms, "partners") as step:
        sync = PartnerSync(step)
        with lms.impartner() as client:
            sync.read(client)
            step.used(client.http)
        step.write(sync.write, **sync.listing_result.outcome())
        describe(step, sync.listing_result)
        findings = [f"{finding.entity_id}: {finding.problem}" for finding in sync.assignment.findings]
        return step.result(len(sync.assignment.rows), findings=findings[:20])
