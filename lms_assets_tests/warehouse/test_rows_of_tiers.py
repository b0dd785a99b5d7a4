"""Children, links, counts, history, and reading them back, tier by tier."""

from __future__ import annotations

from dataclasses import asdict
from datetime import date, timedelta

import pytest
from sqlalchemy import insert, select

from lms_assets.domain.counting.certifications import PartnerCounts
from lms_assets.warehouse.reading.enrollments import stored_enrollments, transcript_states
from lms_assets.warehouse.reading.foundation import (
    category_rules,
    course_facts,
    known_course_ids,
    partner_activity,
    partner_names,
    primary_users,
    stored_contacts,
    stored_partners,
)
from lms_assets.warehouse.reading.people import (
    contact_emails,
    contact_facts,
    group_facts,
    members_of,
    person_facts,
    stored_groups,
    stored_members,
    stored_users,
)
from lms_assets.warehouse.reading.whole import active_ids, duplicate_values, orphans, row_count
from lms_assets.warehouse.results import counts, links
from lms_assets.warehouse.schema import tables as t
from lms_assets.warehouse.schema.descriptions import table_columns
from lms_assets.warehouse.upsert.children import sync_enrollments, sync_members
from lms_assets.warehouse.upsert.upsert import SyncCounts, deactivate, upsert

DAY = timedelta(days=1)


@pytest.fixture
def stocked(warehouse, now):
    """Three partners, three contacts, four people, three groups, two courses."""
    with warehouse.transaction() as c:
        partners = [
            {
                "id": n,
                "account_name": f"Partner {n}",
                "impartner_id": 10 + n,
                "is_active": True,
                "primary_user_id": 90 + n,
            }
            for n in (1, 2, 3)
        ]
        upsert(c, t.partners, partners, key=("id",), now=now)
        contacts = [{"id": n, "email": f"p{n}@example.com", "partner_id": n} for n in (1, 2, 3)]
        upsert(c, t.contacts, contacts, key=("id",), now=now)
        people = [{"id": f"u{n}", "email": f"p{n}@example.com", "is_active": n < 4} for n in (1, 2, 3, 4)]
        upsert(c, t.lms_users, people, key=("id",), now=now)
        groups = [{"id": f"g{n}", "name": f"ptr_Partner {n}", "is_active": True} for n in (1, 2, 3)]
        upsert(c, t.lms_groups, groups, key=("id",), now=now)
        courses = [
            {"id": "c1", "name": "K2 One", "npcu_value": 2, "certification_category": "nintex_k2"},
            {"id": "c2", "name": None, "npcu_value": 0, "certification_category": None},
        ]
        upsert(c, t.lms_courses, courses, key=("id",), now=now)
    return warehouse


def member_rows(warehouse):
    with warehouse.read() as c:
        m = t.lms_group_members.c
        query = select(m.group_id, m.user_id, m.added_at, m.pending_source).order_by(m.group_id, m.user_id)
        return [tuple(row) for row in c.execute(query)]


def test_memberships_keep_when_they_were_first_seen_and_those_gone_are_removed(stocked, now):
    with stocked.transaction() as c:
        assert sync_members(c, {"g1": ["u1", "u2", "u1"], "g2": ["u1"]}, now=now).created == 3
        again = sync_members(c, {"g1": ["u1", "u3"]}, now=now + DAY)

    assert again == SyncCounts(created=1, unchanged=1, deleted=1)
    assert member_rows(stocked) == [
        ("g1", "u1", now, "api"),
        ("g1", "u3", now + DAY, "api"),
        ("g2", "u1", now, "api"),
    ]


def test_a_membership_added_by_the_portal_stays_until_the_lms_confirms_it(stocked, now):
    local = {"group_id": "g1", "user_id": "u1", "added_at": now, "pending_source": "local"}
    with stocked.transaction() as c:
        upsert(c, t.lms_group_members, [local], key=("group_id", "user_id"), now=now)
        unconfirmed = sync_members(c, {"g1": []}, now=now + DAY)
    assert unconfirmed == SyncCounts()
    with stocked.read() as c:
        assert members_of(c, ["g1", "g2"]) == {"g1": set(), "g2": set()}
        assert list(stored_members(c)) == [("g1", "u1")]

    with stocked.transaction() as c:
        assert sync_members(c, {"g1": ["u1"]}, now=now + DAY).updated == 1
    assert member_rows(stocked) == [("g1", "u1", now, "api")]
    with stocked.transaction() as c:
        assert sync_members(c, {"g1": []}, now=now + DAY).deleted == 1


def enrollment(number: int, user: str, **values):
    row = {"id": f"e{number}", "user_id": user, "course_id": "c1", "status": "completed"}
    return row | {"score": None, "completed_at": None} | values


def test_enrollments_of_completely_read_people_follow_the_transcript_and_others_stay(stocked, now):
    with stocked.transaction() as c:
        sync_enrollments(
            c,
            [enrollment(1, "u1", score=90), enrollment(2, "u1"), enrollment(3, "u2")],
            user_ids=["u1", "u2"],
            now=now,
        )
        moved = sync_enrollments(
            c, [enrollment(1, "u1", status="in_progress"), enrollment(4, "u1")], user_ids=["u1"], now=now
        )
    assert moved == SyncCounts(created=1, updated=1, deleted=1)
    with stocked.read() as c:
        assert {(e.id, e.user_id, e.status) for e in stored_enrollments(c)} == {
            ("e1", "u1", "in_progress"),
            ("e3", "u2", "completed"),
            ("e4", "u1", "completed"),
        }
        assert [e.id for e in stored_enrollments(c, ["u2"])] == ["e3"]


def test_a_person_whose_complete_transcript_is_empty_loses_their_enrollments(stocked, now):
    with stocked.transaction() as c:
        sync_enrollments(c, [enrollment(1, "u1"), enrollment(2, "u2")], user_ids=["u1", "u2"], now=now)
        assert sync_enrollments(c, [], user_ids=["u1"], now=now) == SyncCounts(deleted=1)
    with stocked.read() as c:
        assert [e.id for e in stored_enrollments(c)] == ["e2"]


def linked_people(warehouse):
    with warehouse.read() as c:
        people = {row[0]: row[1] for row in c.execute(select(t.lms_users.c.id, t.lms_users.c.contact_id))}
        return {facts.id: facts.lms_user_id for facts in contact_facts(c)}, people


def test_a_contact_link_is_stored_on_both_sides_and_moves_with_the_address(stocked, now):
    with stocked.transaction() as c:
        links.write_contact_links(c, {1: "u1", 2: "u2", 3: None}, now=now)
    assert linked_people(stocked) == ({1: "u1", 2: "u2"}, {"u1": 1, "u2": 2, "u3": None, "u4": None})
    with stocked.transaction() as c:
        links.write_contact_links(c, {1: "u3", 2: None, 3: "u1"}, now=now + DAY)

    assert linked_people(stocked) == ({1: "u3", 3: "u1"}, {"u1": 3, "u2": None, "u3": 1, "u4": None})


def test_group_links_are_stored_with_how_sure_they_are_and_overrides_are_kept_apart(stocked, now):
    found = [
        {"id": "g1", "partner_id": 1, "link_method": "exact", "link_score": 100.0},
        {"id": "g2", "partner_id": 2, "link_method": "fuzzy", "link_score": 91.234},
    ]
    with stocked.transaction() as c:
        assert upsert(c, t.lms_groups, found, key=("id",), now=now) == SyncCounts(updated=2)
        assert upsert(c, t.lms_groups, found, key=("id",), now=now) == SyncCounts(unchanged=2)
        rows = [{"group_id": "g3", "partner_id": None, "created_at": now}]
        c.execute(insert(t.group_partner_overrides), rows)
        assert links.group_overrides(c) == {"g3": None}
    with stocked.read() as c:
        by_id = {group.id: group for group in stored_groups(c)}
        assert (by_id["g2"].partner_id, by_id["g2"].link_method, by_id["g2"].link_score) == (2, "fuzzy", 91.23)
        assert {facts.id: facts.partner_id for facts in group_facts(c)} == {"g1": 1, "g2": 2}


def counted(partner_id: int, npcu: int, **by_category: int) -> PartnerCounts:
    return PartnerCounts(partner_id, by_category, npcu, by_category.get("go_to_market", 0) > 0)


def test_counts_are_written_where_they_differ_and_partners_without_any_get_zeros(stocked, now):
    with stocked.transaction() as c:
        first = counts.write_counts(c, [counted(1, 5, nintex_k2=2), counted(2, 1, go_to_market=1)], as_of=now, now=now)
        second = counts.write_counts(c, [counted(1, 5, nintex_k2=2)], as_of=now + DAY, now=now + DAY)
    assert (first, second) == (SyncCounts(updated=2, unchanged=1), SyncCounts(updated=1, unchanged=2))
    with stocked.read() as c:
        stored = counts.stored_counts(c)
        assert (stored[1]["cert_count_nintex_k2"], stored[1]["total_npcu"]) == (2, 5)
        assert set(stored[2].values()) == {0}
        assert counts.last_counted(c) == counts.Counted(now + DAY, now + DAY)
        stamps = {row[0]: row[1] for row in c.execute(select(t.partners.c.id, t.partners.c.cert_counts_updated_at))}
    assert stamps == {1: now, 2: now + DAY, 3: None}


def test_a_day_of_history_is_replaced_by_a_later_chain(stocked, now):
    day = date(2026, 3, 2)
    with stocked.transaction() as c:
        counts.write_history(c, day, [counted(1, 5)], as_of=now, now=now, people={1: 4}, tiers={1: "Premier"})
        counts.write_history(c, day, [counted(1, 6)], as_of=now, now=now, people={1: 4}, tiers={1: "Premier"})
        h = t.partner_cert_history.c
        rows = c.execute(select(h.partner_id, h.total_npcu, h.partner_users, h.origin)).all()
    assert [tuple(row) for row in rows] == [(1, 6, 4, "chain")]


def test_lead_counts_are_those_of_the_leads_table(stocked, now):
    created = [now - DAY, now - 30 * DAY, now - 31 * DAY, now + DAY, None]
    with stocked.transaction() as c:
        rows = [
            {"impartner_id": n, "partner_id": 1 if n < 4 else 2, "lead_created_at": at}
            for n, at in enumerate(created, start=1)
        ]
        upsert(c, t.leads, rows, key=("impartner_id",), now=now)
        assert counts.write_lead_counts(c, now=now) == SyncCounts(updated=2, unchanged=1)
        assert counts.write_lead_counts(c, now=now) == SyncCounts(unchanged=3)
        p = t.partners.c
        found = c.execute(select(p.id, p.lead_count, p.leads_last_30_days).order_by(p.id)).all()
    assert [tuple(row) for row in found] == [(1, 3, 2), (2, 1, 0), (3, 0, 0)]


def test_partners_contacts_and_courses_are_read_as_plain_values(stocked, now):
    with stocked.transaction() as c:
        deactivate(c, t.partners, [3], now=now)
    with stocked.read() as c:
        assert [(p.id, p.impartner_id, p.is_active) for p in stored_partners(c)] == [
            (1, 11, True),
            (2, 12, True),
            (3, 13, False),
        ]
        assert primary_users(c) == {11: 91, 12: 92}
        assert partner_names(c) == {1: "Partner 1", 2: "Partner 2"}
        assert partner_activity(c)[3] is False
        assert [asdict(contact)["email"] for contact in stored_contacts(c)][:1] == ["p1@example.com"]
        assert [*contact_emails(c)][:1] == [(1, "p1@example.com")]
        facts = course_facts(c)
        assert (facts["c1"].npcu, facts["c1"].category, facts["c2"].name) == (2, "nintex_k2", "c2")
        assert category_rules(c)[0].pattern == "K2"
        assert known_course_ids(c) == {"c1", "c2"}
        assert active_ids(c, "partners") == {1, 2}
        assert row_count(c, "partners") == 3
        assert row_count(c, "partners", active_only=True) == 2


def test_who_has_to_be_read_again_can_be_told_from_what_is_stored(stocked, now):
    marks = {"enrollment_synced_at": now - DAY, "transcript_read_at": now - DAY}
    people = [{"id": "u1", "last_active_at": now, **marks}]
    with stocked.transaction() as c:
        upsert(c, t.lms_users, people, key=("id",), now=now)
        upsert(c, t.lms_groups, [{"id": "g1", "partner_id": 1}], key=("id",), now=now)
        sync_members(c, {"g1": ["u2"], "g2": ["u1"]}, now=now)
    with stocked.read() as c:
        states = transcript_states(c)
        assert person_facts(c)["u4"].is_active is False
        assert len(list(stored_users(c))) == 4
    assert set(states) == {"u1", "u2", "u3"}
    assert (states["u1"].last_active_at, states["u1"].read_at, states["u1"].joined_at) == (now, now - DAY, None)
    assert (states["u2"].joined_at, states["u2"].read_at) == (now, None)


def test_whoever_came_to_a_partner_after_the_last_reading_has_to_be_read_again(stocked, now):
    """Through a group linked later or a contact linked later; and whoever came back, of whom the mark was taken."""
    marks = {"enrollment_synced_at": now - DAY, "transcript_read_at": now - DAY}
    with stocked.transaction() as c:
        upsert(c, t.lms_users, [{"id": each, **marks} for each in ("u1", "u2", "u3")], key=("id",), now=now)
        upsert(c, t.lms_groups, [{"id": "g1", "partner_id": 1}], key=("id",), now=now)
        sync_members(c, {"g1": ["u1"]}, now=now - 2 * DAY)
        upsert(c, t.lms_users, [{"id": "u3", "transcript_read_at": None}], key=("id",), now=now)
    with stocked.read() as c:
        before = transcript_states(c)
    assert (before["u1"].joined_at, before["u3"].read_at) == (None, None)
    with stocked.transaction() as c:
        upsert(c, t.lms_groups, [{"id": "g1", "linked_at": now}], key=("id",), now=now)
        contact = select(t.contacts.c.id).where(t.contacts.c.partner_id.is_not(None)).limit(1)
        links.write_contact_links(c, {c.execute(contact).scalar_one(): "u2"}, now=now)
    with stocked.read() as c:
        after = transcript_states(c)
    assert (after["u1"].joined_at, after["u2"].joined_at) == (now, now)


def test_keys_that_occur_twice_and_references_to_nothing_are_found(stocked, now):
    with stocked.transaction() as c:
        upsert(c, t.partners, [{"id": 2, "impartner_id": 11}], key=("id",), now=now)
        sync_members(c, {"g1": ["u1", "ghost"], "g9": ["u1"]}, now=now)
        sync_enrollments(c, [enrollment(1, "u1", completed_at=now), enrollment(2, "u1")], user_ids=["u1"], now=now)
    with stocked.read() as c:
        assert duplicate_values(c, "partners", "impartner_id") == (11,)
        assert orphans(c, "lms_group_members", "user_id", "lms_users") == (1, ("ghost",))
        assert orphans(c, t.lms_group_members, "group_id", t.lms_groups) == (1, ("g9",))
        assert orphans(c, "contacts", "partner_id", "partners") == (0, ())


def test_the_columns_of_a_table_are_described_with_what_is_personal():
    by_name = {column.name: column for column in table_columns("lms_users")}
    assert (by_name["id"].type, by_name["id"].unique, by_name["id"].personal) == ("varchar(100)", True, False)
    assert by_name["email"].personal
    # With dagster-mysql loaded in the process, SQLAlchemy writes datetime(6).
    assert by_name["synced_at"].type.startswith("datetime")
    assert not any(column.personal for column in table_columns("lms_groups"))
