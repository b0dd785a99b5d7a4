"""What the reports read of the warehouse, each figure against rows put there by hand, on both databases."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import insert

from lms_assets.domain.counting.certifications import PartnerCounts
from lms_assets.domain.counting.explanation import explain
from lms_assets.warehouse.reading.reports import (
    counted_on,
    counting_inputs,
    executives,
    find_partners,
    managers,
    partner_facts,
    people_names,
)
from lms_assets.warehouse.results.counts import write_history
from lms_assets.warehouse.schema import tables as t

AT = datetime(2026, 11, 23, 2, tzinfo=UTC)
DAY = timedelta(days=1)


def put(warehouse, table, *rows):
    with warehouse.transaction() as connection:
        for row in rows:
            connection.execute(insert(table).values(row))


@pytest.fixture
def scenario(warehouse):
    put(
        warehouse,
        t.partners,
        {"id": 1, "account_name": "Acorn Söhne", "partner_tier": "Select", "account_region": "EMEA",
         "account_owner": "Olga", "total_npcu": 3, "cert_count_nintex_k2": 1, "cert_counts_updated_at": AT},
        {"id": 2, "account_name": "Beech", "account_owner": "Olga"},
        {"id": 3, "account_name": "Old Acorn", "is_active": False},
    )  # fmt: skip
    put(
        warehouse,
        t.lms_users,
        {"id": "ann", "first_name": "Ann", "last_name": "Example"},
        {"id": "bob", "first_name": "Bob", "last_name": " "},
        {"id": "dis", "is_active": False, "status": "deactivated"},
        {"id": "far"},
    )
    put(
        warehouse,
        t.contacts,
        {"id": 11, "partner_id": 1, "email": "ann@example.com", "lms_user_id": "ann"},
        {"id": 12, "partner_id": 1, "email": "bob@example.com", "lms_user_id": "bob"},
        {"id": 13, "partner_id": 1, "email": "new@example.com"},
        {"id": 14, "partner_id": 1, "email": "dis@example.com", "lms_user_id": "dis"},
        {"id": 15, "partner_id": 1, "email": "left@example.com", "is_active": False},
        {"id": 16, "partner_id": None, "email": "loose@example.com"},
    )
    put(
        warehouse,
        t.lms_groups,
        {"id": "g1", "name": "ptr_Acorn", "partner_id": 1},
        {"id": "g2", "name": "Acorn old", "partner_id": 1, "is_active": False},
        {"id": "all", "name": "All Partners"},
    )
    put(
        warehouse,
        t.lms_group_members,
        {"group_id": "g1", "user_id": "ann"},
        {"group_id": "g2", "user_id": "bob"},
        {"group_id": "all", "user_id": "bob"},
        {"group_id": "all", "user_id": "far"},
    )
    put(
        warehouse,
        t.lms_courses,
        {"id": "k2", "name": "K2 Developer", "npcu_value": 2, "certification_category": "nintex_k2"},
        {"id": "ce", "name": "Automation Cloud", "npcu_value": 1, "certification_category": "nintex_ce"},
    )
    put(
        warehouse,
        t.lms_enrollments,
        {"id": "e1", "user_id": "ann", "course_id": "k2", "status": "completed", "completed_at": AT - DAY},
        {"id": "e2", "user_id": "bob", "course_id": "ce", "status": "completed", "completed_at": AT - 9 * DAY},
        {"id": "e3", "user_id": "far", "course_id": "ce", "status": "completed", "completed_at": AT - 9 * DAY},
    )
    return warehouse


def test_partners_come_with_what_is_stored_and_with_the_gaps_of_their_people(scenario):
    put(
        scenario,
        t.leads,
        {"impartner_id": 1, "partner_id": 1, "lead_created_at": AT - 29 * DAY},
        {"impartner_id": 2, "partner_id": 1, "lead_created_at": AT - 30 * DAY},
        {"impartner_id": 3, "partner_id": 1, "lead_created_at": AT + DAY},
        {"impartner_id": 4, "partner_id": None, "lead_created_at": AT - DAY},
    )
    with scenario.read() as connection:
        acorn, beech = partner_facts(connection, at=AT)

    assert (acorn.name, acorn.tier, acorn.region, acorn.owner) == ("Acorn Söhne", "Select", "EMEA", "Olga")
    assert (acorn.stored_npcu, acorn.stored_by_category["nintex_k2"], acorn.counted_at) == (3, 1, AT)
    assert acorn.leads_last_30_days == 1
    assert acorn.contacts_not_in_lms == 2  # new has no account, dis has a disabled one
    assert acorn.people_in_no_group == 1  # bob is in an inactive group and in nobody's
    assert (beech.leads_last_30_days, beech.contacts_not_in_lms, beech.people_in_no_group) == (0, 0, 0)


def test_counting_inputs_explain_a_partners_counts(scenario):
    with scenario.read() as connection:
        inputs = counting_inputs(connection)

    found = explain(inputs, 1, AT)
    assert found.counts.total_npcu == 3
    assert {each.user_id for each in inputs.enrollments} == {"ann", "bob"}


def test_names_are_read_for_those_asked_for_and_blanks_are_none(scenario):
    with scenario.read() as connection:
        assert people_names(connection, ["ann", "bob", "far", "nobody"]) == {"ann": "Ann Example", "bob": "Bob"}
        assert people_names(connection) == {"ann": "Ann Example", "bob": "Bob"}


@pytest.mark.parametrize(
    ("text", "ids"),
    [("1", [1]), ("acorn söhne", [1]), (" BEECH ", [2]), ("acorn", [1, 3]), ("oak", []), ("%", []), ("", [])],
)
def test_a_partner_is_found_by_number_by_name_or_by_a_part_of_it(scenario, text, ids):
    with scenario.read() as connection:
        assert [each.id for each in find_partners(connection, text)] == ids


def test_only_those_who_want_a_report_and_have_an_address_get_one(warehouse):
    put(
        warehouse,
        t.partner_managers,
        {"id": 1, "owner_name": "Olga", "email": " olga@example.com ", "report_frequency": "monthly"},
        {"id": 2, "owner_name": "Pete", "email": None},
        {"id": 3, "owner_name": "Quin", "email": "quin@example.com", "is_active_pam": False},
        {"id": 4, "owner_name": "Rosa", "email": "rosa@example.com", "email_reports_enabled": False},
    )
    put(
        warehouse,
        t.executive_report_recipients,
        {"id": 1, "email": "boss@example.com", "name": "Boss"},
        {"id": 2, "email": "gone@example.com", "is_active": False},
    )
    with warehouse.read() as connection:
        (olga,) = managers(connection)
        (boss,) = executives(connection)

    assert (olga.owner_name, olga.email, olga.frequency) == ("Olga", "olga@example.com", "monthly")
    assert (boss.email, boss.name) == ("boss@example.com", "Boss")


def counts(number, npcu):
    return PartnerCounts(number, {"nintex_k2": npcu // 2}, npcu, False)


def test_what_a_chain_stored_on_a_day_is_read_with_its_instant(scenario):
    with scenario.transaction() as connection:
        for day, npcu in ((date(2026, 11, 2), 2), (date(2026, 11, 8), 4)):
            write_history(connection, day, [counts(1, npcu), counts(2, 0)], as_of=AT, now=AT)
        worked_out = {"partner_id": 1, "day": date(2026, 11, 3), "total_npcu": 9, "origin": "backfill", "as_of": AT}
        connection.execute(insert(t.partner_cert_history).values(worked_out))
    with scenario.read() as connection:
        found = counted_on(connection, 1, [date(2026, 11, day) for day in (3, 8, 9)])

    assert {day: (at, each.total_npcu, each.by_category["nintex_k2"]) for day, (at, each) in found.items()} == {
        date(2026, 11, 8): (AT, 4, 2)
    }
