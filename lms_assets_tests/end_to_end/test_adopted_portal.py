"""A portal in latin1 is adopted: a chain stores all that the vendors have, and harms nothing of the portal's own."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.engine import Engine, make_url

from lms_assets.lineage import ENTRIES
from lms_assets.sandbox.server.server import SandboxHandle, running_sandbox
from lms_assets.sandbox.state.vendor_state import VendorState
from lms_assets.warehouse.engine import Warehouse
from lms_assets_tests.harness.agreement import differences
from lms_assets_tests.harness.chain import SMALL, ChainHarness
from lms_assets_tests.harness.old_portal import LATIN1, NAMES, make_old_portal
from lms_assets_tests.oracle.records import contact_is_kept

pytestmark = pytest.mark.slow

# Archived courses join the table with their points, after `courses` has counted it.
TABLES = {"course_npcu": "lms_courses", "partners": "partners", "contacts": "contacts", "users": "lms_users",
          "groups": "lms_groups", "memberships": "lms_group_members", "enrollments": "lms_enrollments"}  # fmt: skip


# What the portal has beside this program's tables and columns, each as one number over all its rows.
FOREIGN = {
    "portal_sessions": "SELECT COUNT(*), SUM(CRC32(CONCAT_WS('#', token, HEX(person)))) FROM portal_sessions",
    "portal_badges": "SELECT COUNT(*), SUM(CRC32(CONCAT_WS('#', id, user_id, HEX(colour)))) FROM portal_badges",
    "notes": "SELECT COUNT(*), SUM(CRC32(CONCAT(id, HEX(internal_notes)))) FROM partners WHERE id <= :partners",
    "colours": "SELECT COUNT(*), SUM(CRC32(CONCAT(id, HEX(favourite_colour)))) FROM contacts WHERE id <= :contacts",
    "avatars": "SELECT COUNT(*), SUM(CRC32(CONCAT(id, HEX(avatar_url)))) FROM lms_users WHERE avatar_url IS NOT NULL",
}
# An upgrade stores addresses in lower case and without blanks around them.
PEOPLE = "SELECT id, LOWER(TRIM(email)), favourite_colour, account_name FROM portal_people ORDER BY id"
OF_THE_PORTAL = (
    "CREATE VIEW portal_people AS SELECT c.id, c.email, c.favourite_colour, p.account_name "
    "FROM contacts c LEFT JOIN partners p ON c.partner_id = p.id",
    f"CREATE TABLE portal_audit (contact_id INTEGER NOT NULL) {LATIN1}",
    "CREATE TRIGGER contact_added AFTER INSERT ON contacts FOR EACH ROW "
    "INSERT INTO portal_audit (contact_id) VALUES (NEW.id)",
)


def engine_of(url: str) -> Engine:
    return create_engine(make_url(url).set(drivername="mysql+pymysql"))


def empty(url: str) -> None:
    engine = engine_of(url)
    with engine.begin() as connection:
        connection.execute(text("SET FOREIGN_KEY_CHECKS = 0"))
        for name in NAMES:
            connection.execute(text(f"DELETE FROM {name}"))
    engine.dispose()


def fits_latin1(word: str | None) -> bool:
    return bool(word) and str(word) == str(word).encode("latin1", "replace").decode("latin1")


def furnish(url: str, state: VendorState, rows: int) -> None:
    """Fill an empty portal as its own program did: the vendors' records with its own columns, and rows of its own."""
    partners = [
        {"id": number, "name": each.name, "crm": each.id, "note": f"Rückruf {each.id}"}
        for number, each in enumerate(state.accounts.values(), 1)
        if fits_latin1(each.name)
    ]
    people = [
        {"id": each.id, "email": each.email, "avatar": f"/é/{each.id}.png"}
        for each in state.people.values()
        if fits_latin1(each.email) and len(each.id) <= 50
    ]
    contacts = [
        {"id": number, "email": each["email"], "colour": f"grün {number}"}
        for number, each in enumerate(state.state()["users"], 1)
        if fits_latin1(each["email"]) and contact_is_kept(each)
    ]
    more = rows - len(partners) - len(people) - len(contacts)
    owners = [each["id"] for each in people]
    sessions = [{"token": f"t{number}", "person": f"Zoë {number}"} for number in range(more // 2)]
    badges = [
        {"user": owners[number % len(owners)], "colour": f"türkis {number}"} for number in range(more - more // 2)
    ]
    inserts: dict[str, list[dict[str, Any]]] = {
        "INSERT IGNORE INTO partners (id, account_name, impartner_id, internal_notes) VALUES "
        "(:id, :name, :crm, :note)": partners,
        "INSERT IGNORE INTO lms_users (id, email, avatar_url) VALUES (:id, :email, :avatar)": people,
        "INSERT IGNORE INTO contacts (id, email, favourite_colour) VALUES (:id, :email, :colour)": contacts,
        "INSERT INTO portal_sessions VALUES (:token, :person)": sessions,
        "INSERT INTO portal_badges (user_id, colour) VALUES (:user, :colour)": badges,
    }
    engine = engine_of(url)
    with engine.begin() as connection:
        connection.execute(text("SET FOREIGN_KEY_CHECKS = 0"))
        for statement, values in inserts.items():
            connection.execute(text(statement), values)
        for statement in OF_THE_PORTAL:
            connection.execute(text(statement))
    engine.dispose()


def ask(warehouse: Warehouse, question: str, **values: int) -> list[tuple[Any, ...]]:
    with warehouse.read() as connection:
        return [tuple(row) for row in connection.execute(text(question), values)]


def own(warehouse: Warehouse, last: Mapping[str, int]) -> dict[str, tuple[Any, ...]]:
    """Count and checksum of all that is the portal's own; `last`: the highest ids of its time."""
    return {name: ask(warehouse, question, **last)[0] for name, question in FOREIGN.items()}


def change_names(sandbox: SandboxHandle) -> None:
    """What latin1 cannot hold or tell apart."""
    state = sandbox.sandbox.vendor_state
    for account, name in zip(list(state.accounts)[:2], ("jose", "josé"), strict=True):
        sandbox.mutate("add_contact", email=f"{name}@partner.example.org", account=account)
        sandbox.mutate("add_person", email=f"{name}@partner.example.org")
    for group in list(state.groups)[:3]:
        sandbox.mutate("rename_group", group=group, name=f"ptr_株式会社 {group[:4]} 🚀")


@pytest.mark.parametrize("rows", [1_000, pytest.param(50_000, marks=pytest.mark.long)])
def test_vendors_rows_are_all_stored_and_the_portals_own_stay_as_they_were(
    tmp_path: Path, mariadb_url: str, rows: int
) -> None:
    """Its columns, tables, view and trigger, over the upgrade and a chain, whose counts are the oracle's."""
    make_old_portal(mariadb_url, LATIN1)
    empty(mariadb_url)
    with running_sandbox(SMALL) as sandbox, closing(Warehouse(mariadb_url)) as warehouse:
        furnish(mariadb_url, sandbox.sandbox.vendor_state, rows)
        change_names(sandbox)
        last = {name: ask(warehouse, f"SELECT MAX(id) FROM {name}")[0][0] for name in ("partners", "contacts")}
        before = own(warehouse, last)
        people = ask(warehouse, PEOPLE)
        assert sum(count for count, _ in before.values()) > rows * 0.9

        assert warehouse.plan_upgrade().refusals == ()
        warehouse.upgrade()

        assert own(warehouse, last) == before
        assert ask(warehouse, PEOPLE) == people
        harness = ChainHarness(tmp_path, sandbox, mariadb_url)
        result = harness.run()
        assert result.success, result.errors
        assert not {name for name in result.red if name.endswith("_were_all_stored")}
        assert differences(harness) == []
        emails = [row["email"] for row in harness.rows("contacts")]
        assert {"jose@partner.example.org", "josé@partner.example.org"} <= set(emails)
        assert sum("株式会社" in row["name"] for row in harness.rows("lms_groups")) >= 3
        for asset, table in TABLES.items():
            assert asset in ENTRIES
            assert result.metadata[asset]["dagster/row_count"] == len(harness.rows(table)), asset
        assert own(warehouse, last) == before
        added = ask(warehouse, "SELECT id FROM contacts WHERE id > :contacts ORDER BY id", **last)
        assert ask(warehouse, "SELECT contact_id FROM portal_audit ORDER BY 1") == added, "its trigger, once a row"
        assert len(ask(warehouse, PEOPLE)) == len(emails)
        harness.close()
