"""One sync of the LMS groups: groups read, linked to partners, who left confirmed, all written at once."""

from collections.abc import Mapping
from dataclasses import asdict
from functools import partial
from typing import Any

import dagster as dg

from lms_assets.assets.asset import asset_of
from lms_assets.assets.confirmation import confirm_changed, confirm_missing, lms_by_id
from lms_assets.assets.deactivation_limit import sample_beyond, stop_if_too_many
from lms_assets.assets.listing_sync import ListingResult, describe, is_excluded, refuse_too_many_bad, take_in
from lms_assets.assets.sync_run import Step, sync_step
from lms_assets.domain.linking.group_links import (
    GroupLink,
    LinkablePartner,
    dangling_overrides,
    link_groups,
    lost_links,
)
from lms_assets.domain.records.groups import LmsGroup, group_from_record
from lms_assets.resources import Connections
from lms_assets.vendors.northpass.client import NorthpassClient
from lms_assets.warehouse import reading
from lms_assets.warehouse.engine import Connection
from lms_assets.warehouse.results.links import group_overrides, remember_lost_links, stored_lost_links
from lms_assets.warehouse.results.stamps import stamp_changes
from lms_assets.warehouse.schema.tables import lms_groups
from lms_assets.warehouse.upsert.upsert import SyncCounts, deactivate, upsert

_COLUMNS = {"group": "string", "group_id": "string", "partner_id": "int", "method": "string", "score": "float"}
SHOWN = 50


class GroupSync:
    """`read` first; then `listing_result` and `links` say what came, and `write` does all the writing.

    Raises (from `read`):
        VendorError: groups could not be read, or not be asked for by id.
        SyncStopped: too many would leave, or too many are unreadable.
    """

    def __init__(self, step: Step) -> None:
        self._step = step
        self.listing_result: ListingResult[LmsGroup]
        self.links: Mapping[str, GroupLink]

    def read(self, client: NorthpassClient) -> None:
        """Read every group, link each, and work out what is to be written."""
        step = self._step
        with step.warehouse.read() as connection:
            self._stored = {row.id: row for row in reading.groups(connection)}
            stored_partners = reading.stored_partners(connection)
            self._overrides = group_overrides(connection)
            lost_before = stored_lost_links(connection)
        self._partners = [LinkablePartner(row.id, row.account_name, row.is_active) for row in stored_partners]
        self._inactive = {row.id for row in stored_partners if not row.is_active}
        active = {row.id for row in self._stored.values() if row.is_active}
        convert = partial(group_from_record, rules=step.rules)
        self.listing_result = take_in(step, client.groups, convert, "groups", again=not self._stored)
        refuse_too_many_bad(step, self.listing_result, step.rules)
        seen = {group.id for group in self.listing_result.accepted} | self.listing_result.excluded_ids
        limit = sample_beyond(step, "groups", len(active))
        source = lms_by_id(step, client, client.group, convert=convert, known=seen, sample_beyond=limit)
        self._excluded = confirm_changed(
            self.listing_result, source, self.listing_result.excluded_ids & active, is_excluded
        )
        self._gone = confirm_missing(self.listing_result, source, active - seen - self.listing_result.bad_ids)
        stop_if_too_many(step, "groups", len(active), self._gone | self._excluded)
        links = link_groups(self.listing_result.accepted, self._partners, self._overrides, step.rules)
        self.links = {link.group_id: link for link in links}
        linked = {key: row.partner_id for key, row in self._stored.items() if row.is_active and row.partner_id}
        present = {partner.id for partner in self._partners if partner.is_active}
        self._lost = lost_links(links, linked, lost_before, present, self._gone | self._excluded)

    def write(self, connection: Connection) -> SyncCounts:
        """Write who is listed, deactivate who is gone or left out."""
        now = self._step.now
        rows = [self._row(group) | {"linked_at": now} for group in self.listing_result.accepted]
        watched = ("partner_id", "is_active")
        stamp_changes(connection, lms_groups, rows, watched=watched, column="linked_at", now=now)
        counts = upsert(connection, lms_groups, rows, key=("id",), now=now, insert_only=("linked_at",))
        for ids, reason in ((self._gone, "gone from the LMS"), (self._excluded - self._gone, "left out by name")):
            left = deactivate(connection, lms_groups, sorted(ids), now=now, values={"deletion_reason": reason})
            counts += SyncCounts(deactivated=left)
        remember_lost_links(connection, self._lost, now=now)
        return counts

    def _row(self, group: LmsGroup) -> dict[str, Any]:
        link, stored = self.links[group.id], self._stored.get(group.id)
        partner_id, method, score = link.partner_id, str(link.method), link.score
        if method == "none" and stored is not None and stored.partner_id in self._inactive:
            # Still the group of a partner that left: that is where people have to be taken out of.
            partner_id, method, score = stored.partner_id, stored.link_method or method, stored.link_score or score
        return {
            **asdict(group),
            "partner_id": partner_id,
            "link_method": method,
            "link_score": score,
            "is_active": True,
            "deleted_at": None,
            "deletion_reason": None,
        }

    def figures(self) -> dict[str, Any]:
        """How the links came out, and which of them somebody should look at."""
        dangling = dangling_overrides(self.listing_result.accepted, self._partners, self._overrides, self._step.rules)
        return {
            "linked": sum(link.partner_id is not None for link in self.links.values()),
            "links_lost": len(self._lost),
            "links_not_exact": self._links_table(),
            "overrides_that_point_to_nothing": len(dangling),
        }

    def _links_table(self) -> dg.TableMetadataValue:
        """Links that somebody should look at, lowest score first: fuzzy ones, and those with several candidates."""
        names = {group.id: group.name for group in self.listing_result.accepted}
        unsure = [link for link in self.links.values() if link.method in {"fuzzy", "ambiguous"}]
        records = [
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


@asset_of("groups")
def groups(context: dg.AssetExecutionContext, lms: Connections) -> dg.MaterializeResult[Any]:
    """Fetch every group, find the partner each belongs to, and deactivate those that are gone or left out."""
    with sync_step(context, lms, "groups") as step:
        sync = GroupSync(step)
        with lms.northpass() as client:
            sync.read(client)
            step.used(client.http)
        step.write(sync.write, **sync.listing_result.outcome())
        describe(step, sync.listing_result)
        return step.result(len(sync.listing_result.accepted), **sync.figures())
