"""Tier 2: who learns, and for whom. `users`, `groups`, `memberships`."""

# No postponed annotations: Dagster reads the type of `context` from the function itself.

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import dagster as dg

from lms_assets.assets.absences import LmsSource, confirm_absences, confirm_changes, stop_if_too_many
from lms_assets.assets.define import asset_of
from lms_assets.assets.intake import Intake, describe, is_excluded, refuse_too_many_bad, take_in
from lms_assets.assets.member_lists import COUNT_GAPS, Known, people_unlisted, read_member_lists
from lms_assets.assets.step import Step, or_keep_last_good, sync_step
from lms_assets.domain.contact_links import link_contacts
from lms_assets.domain.group_links import GroupLink, LinkablePartner, dangling_overrides, link_groups
from lms_assets.domain.groups import group_from_record, is_kept_group
from lms_assets.domain.people import LmsUser, user_from_person
from lms_assets.resources import Connections
from lms_assets.warehouse import reading
from lms_assets.warehouse.children import add_members, mark_members_read, sync_members
from lms_assets.warehouse.engine import Connection
from lms_assets.warehouse.links import group_overrides, write_contact_links
from lms_assets.warehouse.reading import StoredGroup, StoredUser
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
            intake = take_in(step, client.people, user_from_person, "people", again=not stored)
            refuse_too_many_bad(step, intake, step.rules)
            source = LmsSource(client, client.person, user_from_person, len(active))
            changes = _changes_of_users(step, intake, source, stored)
            gone = changes.gone
            step.used(client.http)
        stop_if_too_many(step, "lms_user", len(active), (gone & active) | changes.disabled)
        rows = [asdict(user) for user in intake.accepted if user.id not in changes.doubted]

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


@dataclass(frozen=True)
class _Changes:
    """Users who are gone, disabled anew, or changed for the worse by a record that was not confirmed."""

    gone: set[str]
    disabled: set[str]
    doubted: set[str]


def _changes_of_users(
    step: Step, intake: Intake[LmsUser], source: LmsSource[LmsUser], stored: Mapping[str, StoredUser]
) -> _Changes:
    """What would cost somebody their access or their link to a contact, each confirmed by asking for it."""
    listed = {user.id: user for user in intake.accepted}
    off = {key for key, user in listed.items() if not user.is_active and key in stored and stored[key].is_active}
    mute = {key for key, user in listed.items() if user.email is None and key in stored and stored[key].email}
    disabled = confirm_changes(step, intake, source, sorted(off), lambda each: not getattr(each, "is_active", True))
    muted = confirm_changes(step, intake, source, sorted(mute), lambda each: getattr(each, "email", "") is None)
    absent = {key for key, row in stored.items() if row.status != "deleted" and key not in listed} - intake.bad_ids
    control = next(iter(listed), None)
    gone: set[str] = set()
    for ids in (sorted(key for key in absent if stored[key].is_active == active) for active in (True, False)):
        gone |= confirm_absences(step, intake, source, ids, control)
    return _Changes(gone if intake.complete else set(), disabled, (off - disabled) | (mute - muted))


def _link_contacts(connection: Connection, now: datetime) -> None:
    links = link_contacts(reading.contact_emails(connection), reading.users(connection))
    write_contact_links(connection, links, now=now)


@asset_of("groups", table="lms_groups")
def groups(context: dg.AssetExecutionContext, lms: Connections) -> dg.MaterializeResult[Any]:
    """Fetch every group, find the partner each belongs to, and deactivate those that are gone or left out."""
    with sync_step(context, lms, "groups") as step:
        with step.warehouse.read() as connection:
            stored = {row.id: row for row in reading.groups(connection)}
            partners = [
                LinkablePartner(row.id, row.account_name, row.is_active) for row in reading.stored_partners(connection)
            ]
            overrides = group_overrides(connection)
        active = {row.id for row in stored.values() if row.is_active}
        with lms.northpass() as client:
            source = LmsSource(client, client.group, lambda record: group_from_record(record, step.rules), len(active))
            intake = take_in(step, client.groups, source.convert, "groups", again=not stored)
            refuse_too_many_bad(step, intake, step.rules)
            seen = {group.id for group in intake.accepted} | intake.excluded_ids | intake.bad_ids
            excluded = confirm_changes(step, intake, source, sorted(intake.excluded_ids & active), is_excluded)
            gone = confirm_absences(
                step, intake, source, sorted(active - seen), next(iter(seen - intake.bad_ids), None)
            )
            step.used(client.http)
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
            links_lost=_links_lost(links, stored, {partner.id for partner in partners if partner.is_active}),
            links_not_exact=_links_table(links, {row["id"]: row["name"] for row in rows}),
            overrides_that_point_to_nothing=len(dangling),
        )


def _links_lost(links: Mapping[str, GroupLink], stored: Mapping[str, StoredGroup], active: set[int]) -> list[str]:
    """Groups that were an active partner's and are nobody's now: was one of the two renamed?"""
    return [
        f"group {key}: was partner {stored[key].partner_id}'s; to keep it, add a row to group_partner_overrides"
        for key, link in sorted(links.items())
        if link.partner_id is None and key in stored and stored[key].partner_id in active
    ][:20]


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
            known_people = {row.id for row in reading.users(connection)}
        with lms.northpass() as client:
            lists = read_member_lists(step, client, wanted, Known(stored, known_gaps))
            unlisted = people_unlisted(step, client, lists, known_people)
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
            if unlisted:
                upsert(connection, lms_users, [asdict(user) for user in unlisted], key=("id",), now=step.now)
                _link_contacts(connection, step.now)
            mark_members_read(connection, lists.complete, now=step.now)
            counts = sync_members(connection, lists.complete, now=step.now)
            return counts + add_members(connection, lists.incomplete, now=step.now)

        step.write(work, failures=lists.failures, complete=not lists.incomplete, details=lists.details())
        total = sum(len(members) for members in lists.complete.values())
        return step.result(
            total,
            groups_read=len(lists.complete),
            groups_incomplete=len(lists.incomplete),
            people_missing_in_the_list_of_people=len(unlisted),
            groups_without_members=sum(not members for members in lists.complete.values()),
        )
