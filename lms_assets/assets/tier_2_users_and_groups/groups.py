"""`groups`: groups read, linked to partners, who left confirmed."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from functools import partial
from typing import Any

import dagster as dg

from lms_assets.assets.asset import asset_of
from lms_assets.assets.confirmation import ask_about, lms_by_id
from lms_assets.assets.listing_sync import refuse_too_many_bad, take_in, write_listing
from lms_assets.assets.sync_run import sample_beyond, stop_if_too_many, sync_step
from lms_assets.domain.linking.group_links import dangling_overrides
from lms_assets.domain.records.groups import group_from_record
from lms_assets.domain.rules import Rules
from lms_assets.domain.sync_plans.groups import GroupPlan, LinkedTo, doubtful_groups, plan_groups
from lms_assets.resources import NorthpassResource, WarehouseResource
from lms_assets.warehouse.engine import Connection
from lms_assets.warehouse.reading.foundation import stored_partners
from lms_assets.warehouse.reading.people import stored_groups
from lms_assets.warehouse.results.links import group_overrides, remember_lost_links, stored_lost_links
from lms_assets.warehouse.schema.tables import lms_groups
from lms_assets.warehouse.upsert.upsert import SyncCounts, deactivate, upsert

_COLUMNS = {"group": "string", "group_id": "string", "partner_id": "int", "method": "string", "score": "float"}
SHOWN = 50


@asset_of("groups")
def groups(
    context: dg.AssetExecutionContext, northpass: NorthpassResource, warehouse: WarehouseResource
) -> dg.MaterializeResult[Any]:
    """Fetch every group, find the partner each belongs to, and deactivate those that are gone or left out."""
    with sync_step(context, warehouse, "groups") as step:
        with step.warehouse.read() as connection:
            stored = {row.id: row for row in stored_groups(connection)}
        active = sum(row.is_active for row in stored.values())
        convert = partial(group_from_record, rules=step.rules)
        with northpass.client() as client:
            listing = take_in(step, client.groups, convert, "groups", again=not stored)
            refuse_too_many_bad(step, listing)
            known = {group.id for group in listing.accepted} | listing.excluded_ids
            limit = sample_beyond(step, "groups", active)
            by_id = lms_by_id(step, client, client.group, convert, known=known, sample_beyond=limit)
            answers = ask_about(doubtful_groups(listing, stored), by_id)
            step.used(client.http)
        with step.warehouse.read() as connection:
            linked_to = read_linked_to(connection)
        plan = plan_groups(listing, stored, linked_to, answers, step.rules)
        stop_if_too_many(step, "groups", active, plan.gone | plan.excluded)
        write_listing(step, partial(write_groups, plan=plan, now=step.now), plan.listing)
        return step.result(listed=len(plan.rows), **_figures(plan, linked_to, step.rules))


def read_linked_to(connection: Connection) -> LinkedTo:
    """What links of groups rest on, as it is stored."""
    return LinkedTo(stored_partners(connection), group_overrides(connection), stored_lost_links(connection))


def write_groups(connection: Connection, plan: GroupPlan, now: datetime) -> SyncCounts:
    """Write who is listed, deactivate who is gone or left out."""
    rows = [asdict(row) | {"linked_at": now} for row in plan.rows]
    changed_at = ("linked_at", ("partner_id", "is_active"))
    counts = upsert(connection, lms_groups, rows, key=("id",), now=now, changed_at=changed_at)
    for ids, reason in ((plan.gone, "gone from the LMS"), (plan.excluded, "left out by name")):
        left = deactivate(connection, lms_groups, sorted(ids), now=now, values={"deletion_reason": reason})
        counts += SyncCounts(deactivated=left)
    remember_lost_links(connection, plan.lost, now=now)
    return counts


def _figures(plan: GroupPlan, linked_to: LinkedTo, rules: Rules) -> dict[str, Any]:
    """How the links came out, and which of them somebody should look at."""
    dangling = dangling_overrides(plan.listing.accepted, linked_to.linkable, linked_to.overrides, rules)
    return {
        "linked": sum(link.partner_id is not None for link in plan.links.values()),
        "links_lost": len(plan.lost),
        "links_not_exact": _links_table(plan),
        "overrides_that_point_to_nothing": len(dangling),
    }


def _links_table(plan: GroupPlan) -> dg.TableMetadataValue:
    """Links that somebody should look at, lowest score first: fuzzy ones, and those with several candidates."""
    names = {group.id: group.name for group in plan.listing.accepted}
    unsure = [link for link in plan.links.values() if link.method in {"fuzzy", "ambiguous"}]
    records: Sequence[dg.TableRecord] = [
        dg.TableRecord(
            {
                "group": names[link.group_id],
                "group_id": link.group_id,
                "partner_id": link.partner_id if link.partner_id is not None else -1,
                "method": link.method,
                "score": float(link.score),
            }
        )
        for link in sorted(unsure, key=lambda each: each.score)[:SHOWN]
    ]
    columns = [dg.TableColumn(name, kind) for name, kind in _COLUMNS.items()]
    return dg.MetadataValue.table(records, schema=dg.TableSchema(columns))
