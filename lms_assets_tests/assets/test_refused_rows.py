"""A row that the database refuses: its check is red, and partners whose counts rest on it wait until it is stored."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import text

from lms_assets.domain.rules import Rules
from lms_assets.warehouse.reading.withheld import withheld_partners
from lms_assets_tests.assets.queries import active_ids, pairs, row_of
from lms_assets_tests.harness.chain import ChainHarness

pytestmark = pytest.mark.slow


def refuse(harness: ChainHarness, table: str, condition: str) -> None:
    """Let the database refuse rows, as a constraint of the portal's own does."""
    with harness.warehouse.transaction() as connection:
        for event in ("INSERT", "UPDATE"):
            connection.exec_driver_sql(
                f"CREATE TRIGGER refuse_{event} BEFORE {event} ON {table} WHEN {condition} "
                "BEGIN SELECT RAISE(ABORT, 'CHECK constraint failed'); END"
            )


def accept(harness: ChainHarness) -> None:
    with harness.warehouse.transaction() as connection:
        for event in ("INSERT", "UPDATE"):
            connection.execute(text(f"DROP TRIGGER refuse_{event}"))


def withheld(harness: ChainHarness) -> dict[int, list[str]]:
    """Partners that are not pushed because of a refused row, with the reasons."""
    with harness.warehouse.read() as connection:
        found = withheld_partners(connection, Rules())
    reasons = {key: [each.text for each in why if each.kind == "row_refused"] for key, why in found.items()}
    return {key: texts for key, texts in reasons.items() if texts}


def a_group_of_learners(harness: ChainHarness) -> tuple[str, list[str]]:
    """An active partner's group and its active members with enrollments."""
    active = {row["id"] for row in harness.rows("partners") if row["is_active"]}
    groups = {row["id"] for row in harness.rows("lms_groups") if row["is_active"] and row["partner_id"] in active}
    learners = {row["user_id"] for row in harness.rows("lms_enrollments")} & active_ids(harness, "lms_users")
    found = sorted((group, person) for group, person in pairs(harness) if group in groups and person in learners)
    return found[0][0], [person for group, person in found if group == found[0][0]]


def changed_group(harness: ChainHarness, group: str, people: list[str]) -> tuple[str, str]:
    harness.sandbox.mutate("rename_group", group=group, name=harness.sandbox.vendor_state.groups[group].name + " !")
    return "lms_groups", f"NEW.id = '{group}'"


def changed_person(harness: ChainHarness, group: str, people: list[str]) -> tuple[str, str]:
    harness.sandbox.mutate("rename_person", person=people[0], first_name="Other", last_name="Name")
    return "lms_users", f"NEW.id = '{people[0]}' AND NEW.first_name = 'Other'"


def a_new_group(harness: ChainHarness, group: str, people: list[str]) -> tuple[str, str]:
    harness.sandbox.mutate("add_group", name=harness.sandbox.vendor_state.groups[group].name)
    new = list(harness.sandbox.vendor_state.groups)[-1]
    return "lms_groups", f"NEW.id = '{new}'"


def changed_course(harness: ChainHarness, group: str, people: list[str]) -> tuple[str, str]:
    course = next(row["course_id"] for row in harness.rows("lms_enrollments") if row["user_id"] in people)
    with harness.warehouse.transaction() as connection:
        connection.execute(text("UPDATE lms_courses SET name = 'Old' WHERE id = :id"), {"id": course})
    return "lms_courses", f"NEW.id = '{course}'"


CASES: list[tuple[str, Callable[..., Any]]] = [
    ("groups", changed_group),
    ("groups", a_new_group),
    ("users", changed_person),
    ("courses", changed_course),
]


@pytest.mark.parametrize(("asset", "change"), CASES, ids=[each[1].__name__ for each in CASES])
def test_its_check_is_red_and_its_partners_are_withheld_until_it_is_stored(
    synced: ChainHarness, asset: str, change: Callable[..., Any]
) -> None:
    group, people = a_group_of_learners(synced)
    partner = row_of(synced, "lms_groups", id=group)["partner_id"]
    table, condition = change(synced, group, people)
    refuse(synced, table, condition)

    result = synced.run(assets=(asset,))

    assert result.success, result.errors
    assert f"{asset}_were_all_stored" in result.red
    assert f"{asset}_are_all_readable" not in result.red
    assert partner in withheld(synced)
    assert "refused" in withheld(synced)[partner][0]
    accept(synced)
    again = synced.run(assets=(asset,))
    assert f"{asset}_were_all_stored" not in again.red
    assert withheld(synced) == {}


def test_a_refused_enrollment_withholds_its_person_until_it_is_stored_or_gone(synced: ChainHarness) -> None:
    group, people = a_group_of_learners(synced)
    partner = row_of(synced, "lms_groups", id=group)["partner_id"]
    with synced.warehouse.transaction() as connection:
        connection.execute(text("DELETE FROM lms_enrollments WHERE user_id = :id"), {"id": people[0]})
    refuse(synced, "lms_enrollments", f"NEW.user_id = '{people[0]}'")
    result = synced.run(assets=("enrollments",))
    assert "enrollments_were_all_stored" in result.red, result.errors
    assert partner in withheld(synced)
    accept(synced)
    again = synced.run(assets=("enrollments",))
    assert "enrollments_were_all_stored" not in again.red
    assert withheld(synced) == {}
