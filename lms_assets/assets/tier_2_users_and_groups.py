"""Tier 2: who learns, and for whom. `users`, `groups`, `memberships`."""

# No postponed annotations: Dagster reads the type of `context` from the function itself.

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any

import dagster as dg

from lms_assets.assets.absences import confirm_lms_absences, stop_if_too_many
from lms_assets.assets.define import asset_of
from lms_assets.assets.intake import describe, refuse_too_many_bad, take_in
from lms_assets.assets.member_lists import COUNT_GAPS, Known, read_member_lists
from lms_assets.assets.step import or_keep_last_good, sync_step
from lms_assets.domain.contact_links import link_contacts
from lms_assets.domain.group_links import GroupLink, LinkablePartner, dangling_overrides, link_groups
from lms_assets.domain.groups import group_from_record, is_kept_group
from lms_assets.domain.people import user_from_person
from lms_assets.resources import Connections
from lms_assets.warehouse import reading
from lms_assets.warehouse.children import add_members, sync_members
from lms_assets.warehouse.engine import Connection
from lms_assets.warehouse.links import group_overrides, write_contact_links
from lms_assets.warehouse.state import get_state, put_state
from lms_assets.warehouse.sync import SyncCounts, deactivate, update_existing, upsert
from lms_assets.warehouse.tables import lms_groups, lms_users


@asset_of("users", table="lms_users")
def users(context: dg.AssetExecutionContext, lms: Connections) -> dg.MaterializeResult[Any]:
    """Fetch every LMS account, note who is disabled or gone, and link contacts to accounts by e-mail."""
    with sync_step(context, lms, "users") as step:
        with step.warehouse.read() as connection:
            stored = {row.id: row for row in reading.users(connection)}
        active = {row.id for row in stored.values() if row.is_active}
        with lms.northpass() as client:
            intake = take_in(step, client.people, user_from_person, "people")
            refuse_too_many_bad(step, intake, step.rules)
            seen = {user.id for user in intake.accepted} | intake.bad_ids
            absent = sorted(row.id for row in stored.values() if row.status != "deleted" and row.id not in seen)
            gone = confirm_lms_absences(step, intake, client, absent, client.person, len(active))
            step.used(client.http)
        disabled = {user.id for user in intake.accepted if not user.is_active} & active
        stop_if_too_many(step, "lms_user", len(active), (gone & active) | disabled)
        rows = [asdict(user) for user in intake.accepted]

        def work(connection: Connection) -> SyncCounts:
            counts = upsert(connection, lms_users, rows, key=("id",), now=step.now)
            values = {"status": "deleted", "deactivation_reason": "gone from the LMS"}
            left = deactivate(connection, lms_users, sorted(gone & active), now=step.now, values=values)
            before = [{"id": user_id, **values} for user_id in sorted(gone - active)]
            update_existing(connection, lms_users, before, key=("id",), now=step.now)
            _link_contacts(connection, step.now)
            return counts + SyncCounts(deactivated=left)

        step.write(work, **intake.outcome())
        describe(step, intake)
        return step.result(
            len(rows),
            active=sum(user.is_active for user in intake.accepted),
            without_email=sum(user.email is None for user in intake.accepted),
        )


def _link_contacts(connection: Connection, now: datetime) -> None:
    links = link_contacts(reading.contact_emails(connection), reading.users(connection))
    write_contact_links(connection, links, now=now)


@asset_of("groups", table="lms_groups")
def groups(context: dg.AssetExecutionContext, lms: Connections) -> dg.MaterializeResult[Any]:
    """Fetch every group, find the partner each belongs to, and deactivate those that are gone or left out."""
    with sync_step(context, lms, "groups") as step:
        with step.warehouse.read() as connection:
            active = {row.id for row in reading.groups(connection) if row.is_active}
            partners = [
                LinkablePartner(row.id, row.account_name, row.is_active) for row in reading.stored_partners(connection)
            ]
            overrides = group_overrides(connection)
        with lms.northpass() as client:
            intake = take_in(step, client.groups, lambda record: group_from_record(record, step.rules), "groups")
            refuse_too_many_bad(step, intake, step.rules)
            seen = {group.id for group in intake.accepted} | intake.excluded_ids | intake.bad_ids
            absent = sorted(active - seen)
            gone = confirm_lms_absences(step, intake, client, absent, client.group, len(active))
            step.used(client.http)
        excluded = intake.excluded_ids & active
        stop_if_too_many(step, "group", len(active), gone | excluded)
        links = {link.group_id: link for link in link_groups(intake.accepted, partners, overrides, step.rules)}
        rows = [
            {
                **asdict(group),
                "partner_id": links[group.id].partner_id,
                "link_method": links[group.id].method,
                "link_score": links[group.id].score,
                "is_active": True,
                "deleted_at": None,
                "deletion_reason": None,
            }
            for group in intake.accepted
        ]

        def work(connection: Connection) -> SyncCounts:
            counts = upsert(connection, lms_groups, rows, key=("id",), now=step.now)
            for ids, reason in ((gone, "gone from the LMS"), (excluded - gone, "left out by name")):
                values = {"deletion_reason": reason}
                left = deactivate(connection, lms_groups, sorted(ids), now=step.now, values=values)
                counts += SyncCounts(deactivated=left)
            return counts

        step.write(work, **intake.outcome())
        describe(step, intake)
        dangling = dangling_overrides(intake.accepted, partners, overrides, step.rules)
        return step.result(
            len(rows),
            linked=sum(link.partner_id is not None for link in links.values()),
            links_not_exact=_links_table(links, {row["id"]: row["name"] for row in rows}),
            overrides_that_point_to_nothing=len(dangling),
        )


def _links_table(links: Mapping[str, GroupLink], names: Mapping[str, str]) -> dg.TableMetadataValue:
    """Links that somebody should look at, lowest score first: fuzzy ones, and those with several candidates."""
    unsure = [link for link in links.values() if link.method in {"fuzzy", "ambiguous"}]
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
        for link in sorted(unsure, key=lambda each: each.score)[:50]
    ]
    columns = [dg.TableColumn(name, kind) for name, kind in _LINK_COLUMNS.items()]
    return dg.MetadataValue.table(records, schema=dg.TableSchema(columns))


_LINK_COLUMNS = {"group": "string", "group_id": "string", "partner_id": "int", "method": "string", "score": "float"}


@asset_of("memberships", table="lms_group_members")
def memberships(context: dg.AssetExecutionContext, lms: Connections) -> dg.MaterializeResult[Any]:
    """Fetch the members of each partner's group. When that fails, the last good members stay and a check says so."""
    return or_keep_last_good(context, "memberships", lambda: _memberships(context, lms))


def _memberships(context: dg.AssetExecutionContext, lms: Connections) -> dg.MaterializeResult[Any]:
    with sync_step(context, lms, "memberships") as step:
        with step.warehouse.read() as connection:
            partners = reading.partner_activity(connection)
            wanted = [
                group
                for group in reading.groups(connection, active_only=True)
                if partners.get(group.partner_id or 0) or is_kept_group(group.name, step.rules)
            ]
            stored = reading.members_of(connection, [group.id for group in wanted])
            known_gaps = get_state(connection, COUNT_GAPS) or {}
        with lms.northpass() as client:
            lists = read_member_lists(step, client, wanted, Known(stored, known_gaps))
            step.used(client.http)
        leaving = [
            f"{group_id}/{user_id}"
            for group_id, members in lists.complete.items()
            for user_id in sorted(stored.get(group_id, set()) - members)
        ]
        stop_if_too_many(step, "membership", sum(len(members) for members in stored.values()), leaving)
        gaps = {group_id: gap for group_id, gap in known_gaps.items() if group_id in lists.incomplete} | lists.gaps

        def work(connection: Connection) -> SyncCounts:
            put_state(connection, COUNT_GAPS, gaps, now=step.now)
            counts = sync_members(connection, lists.complete, now=step.now)
            return counts + add_members(connection, lists.incomplete, now=step.now)

        step.write(work, failures=lists.failures, complete=not lists.incomplete, details=lists.details())
        total = sum(len(members) for members in lists.complete.values())
        return step.result(
            total,
            groups_read=len(lists.complete),
            groups_incomplete=len(lists.incomplete),
            groups_without_members=sum(not members for members in lists.complete.values()),
        )
