"""`partners`: accounts read and judged, what leaves confirmed, names resolved.

The same calls ask for the fields that were pushed, so that it is known what the CRM shows of them.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict, replace
from datetime import datetime
from functools import partial
from typing import Any, TypeVar

import dagster as dg

from lms_assets.assets.asset import asset_of
from lms_assets.assets.confirmation import ask_about
from lms_assets.assets.crm_records import CrmSource, Lookup, accounts, take_in_all
from lms_assets.assets.listing_sync import refuse_too_many_bad, write_listing
from lms_assets.assets.sync_run import Step, stop_if_too_many, sync_step
from lms_assets.domain.counting.push_plan import comparable
from lms_assets.domain.records.partners import NAME_LIMIT
from lms_assets.domain.sync_plans.crm import PartnerPlan, doubtful_records, plan_partners, rows_by_crm_id
from lms_assets.resources import ImpartnerResource, WarehouseResource
from lms_assets.vendors.listing import Record
from lms_assets.vendors.transport.errors import RequestRejected
from lms_assets.warehouse.engine import Connection
from lms_assets.warehouse.reading.foundation import stored_partners
from lms_assets.warehouse.schema.tables import partners as partners_table
from lms_assets.warehouse.state.pushed_values import push_memory, remember_shown
from lms_assets.warehouse.upsert.upsert import SyncCounts, deactivate, update_existing, upsert

T = TypeVar("T")
L = TypeVar("L")
Shown = dict[int, dict[str, Any]]
"""Field to value of each account that came by. Grows while the source is asked."""


def list_with_pushed_fields(
    step: Step, source: CrmSource[T], listing: Callable[[CrmSource[T]], L]
) -> tuple[CrmSource[T], L, Shown]:
    """The listing with those fields too that the CRM ever confirmed, the source that it came from, and what it shows.

    Nothing is asked for that the CRM may not know. Where it refuses them, it is read without: the chain does not need
    them.
    """
    with step.warehouse.read() as connection:
        confirmed = {number: pushed.fields for number, pushed in push_memory(connection).items() if pushed.fields}
    ever = {name for fields in confirmed.values() for name in fields}
    names = tuple(name for name in step.rules.crm_fields if name in ever)
    shown: Shown = {}
    watching = _watching(source.convert, names, confirmed, shown)
    asking = replace(source, fields=(*source.fields, *names), convert=watching)
    try:
        return asking, listing(asking), shown
    except RequestRejected:
        if not names:
            raise
        shown.clear()
        return source, listing(source), shown


def _watching(
    convert: Callable[[Record], T], names: tuple[str, ...], accounts: Collection[int], shown: Shown
) -> Callable[[Record], T]:
    """The conversion of a record, which is looked at when it comes by."""

    def seen(record: Record) -> T:
        number = record.get("Id")
        if isinstance(number, int) and number in accounts and names and names[0] in record:
            shown[number] = {name: record.get(name) for name in names}
        return convert(record)

    return seen


@asset_of("partners")
def partners(
    context: dg.AssetExecutionContext, impartner: ImpartnerResource, warehouse: WarehouseResource
) -> dg.MaterializeResult[Any]:
    """Fetch every account, keep the partners among them, and deactivate those that are gone or no longer count."""
    with sync_step(context, warehouse, "partners") as step:
        with step.warehouse.read() as connection:
            stored = stored_partners(connection)
        with impartner.client() as client:
            plain = accounts(client, step.rules, Lookup(client, "Region"))
            take_in = partial(take_in_all, step, noun="accounts", first_load=not stored)
            source, listing, shown = list_with_pushed_fields(step, plain, take_in)
            refuse_too_many_bad(step, listing)
            listed = source.ids(listing)
            doubts = doubtful_records(listing, listed, rows_by_crm_id(stored))
            plan = plan_partners(listing, stored, ask_about(doubts, source.by_id(listed)))
            step.used(client.http)
        stop_if_too_many(step, "partners", sum(row.is_active for row in stored), plan.leaving)
        compared, showing = comparable(shown)
        step.on_commit(partial(remember_shown, records=showing, at=step.started_at))
        write_listing(step, partial(write_partners, plan=plan, now=step.now), plan.listing)
        step.metadata["pushed_fields_compared"] = list(compared)
        findings = [f"{finding.entity_id}: {finding.problem}" for finding in plan.assignment.findings]
        return step.result(listed=len(plan.assignment.rows), findings=findings[:20])


def write_partners(connection: Connection, plan: PartnerPlan, now: datetime) -> SyncCounts:
    """Make room for names, deactivate, then write the accounts that count."""
    rows = [
        {"id": row_id, **asdict(partner), "is_active": True, "deleted_at": None, "identity_changed_at": now}
        for row_id, partner in plan.assignment.rows
    ]
    moves = [{"id": row_id, "account_name": name} for row_id, name in plan.assignment.name_moves]
    update_existing(connection, partners_table, moves, key=("id",), now=now)
    left = deactivate(connection, partners_table, plan.leaving, now=now, values={"account_status": "Inactive"})
    written = upsert(
        connection,
        partners_table,
        rows,
        key=("id",),
        now=now,
        changed_at=("identity_changed_at", ("account_name", "is_active")),
        on_clash=_another_name,
    )
    return written + SyncCounts(deactivated=left)


def _another_name(row: Mapping[str, Any]) -> Mapping[str, Any]:
    """The row under a name that nobody has: an old portal's collation may take two names for one (`ß` for `s`)."""
    mark = f" (#{row['impartner_id']})"
    return {**row, "account_name": row["account_name"][: NAME_LIMIT - len(mark)].rstrip() + mark}
