"""An older portal's database is shown what will change, converted, filled from what it says, or refused in words."""

from __future__ import annotations

from contextlib import closing
from typing import Any

import pytest
from sqlalchemy import text

from lms_assets.warehouse.engine import Warehouse
from lms_assets.warehouse.errors import AccessDenied, SchemaNotCurrent, UpgradeRefused
from lms_assets.warehouse.schema import tables as t
from lms_assets.warehouse.schema.base import COLLATION, EXACT, is_exact
from lms_assets.warehouse.upsert.upsert import upsert
from lms_assets_tests.harness.mariadb import MariaDbServer
from lms_assets_tests.harness.old_portal import LATIN1, NAMES, UTF8MB3, UTF8MB4, contents, make_old_portal
from lms_assets_tests.warehouse.table_rows import stored

ALIKE = [("jose@example.com", "josé@example.com"), ("strasse@example.com", "straße@example.com"),
         ("ab@example.com", "ａｂ@example.com")]  # fmt: skip


def run(warehouse: Warehouse, *statements: str) -> None:
    with warehouse.transaction() as connection:
        for statement in statements:
            connection.execute(text(statement))


def ask(warehouse: Warehouse, query: str) -> list[tuple[Any, ...]]:
    with warehouse.read() as connection:
        return [tuple(row) for row in connection.execute(text(query))]


def changed(warehouse: Warehouse) -> Any:
    return ask(warehouse, "SELECT table_name, column_name, column_type, collation_name FROM information_schema.columns "
                          "WHERE table_schema = DATABASE() ORDER BY 1, 2")  # fmt: skip


@pytest.mark.parametrize("pair", ALIKE)
def test_addresses_that_a_collation_takes_for_one_are_two_people_on_every_database(warehouse, now, pair):
    rows = [{"id": None, "email": email, "first_name": str(at)} for at, email in enumerate(pair)]
    with warehouse.transaction() as connection:
        counts = upsert(connection, t.contacts, rows, key=("id",), now=now)
    assert (counts.created, counts.rejected_rows) == (2, ())
    with warehouse.transaction() as connection:
        again = upsert(connection, t.contacts, [{"email": e, "title": e} for e in pair], key=("email",), now=now)
    assert (again.updated, again.rejected_rows) == (2, ())
    assert stored(warehouse, t.contacts, "email", "title") == sorted(zip(pair, pair, strict=True))


def test_ids_and_keys_that_differ_in_one_letters_case_are_two_on_every_database(warehouse, now):
    """A key that refuses its twin loses a person, a mail or an event."""
    for table in t.metadata.sorted_tables:
        for column in table.c:
            if not is_exact(column) or not (column.primary_key or column.unique):
                continue
            if len(table.primary_key) > 1 or table.foreign_keys:
                continue
            need = {c.name: 1 if c.type.python_type is int else "x" if c.type.python_type is str else now
                    for c in table.c if not c.nullable and not c.primary_key and not c.server_default}  # fmt: skip
            rows = [{**need, column.name: value} for value in ("aB", "Ab", "áb")]
            with warehouse.transaction() as connection:
                for row in rows:
                    connection.execute(table.insert().values(row))
                for row in rows:
                    found = connection.execute(table.select().where(column == row[column.name])).all()
                    assert len(found) == 1, column
                connection.execute(table.delete())


@pytest.mark.parametrize(
    "options",
    [
        pytest.param(UTF8MB4, id="utf8mb4"),
        pytest.param(LATIN1, id="latin1"),
        pytest.param(UTF8MB3, id="utf8mb3", marks=pytest.mark.long),
    ],
)
def test_an_adopted_portal_is_converted_as_the_plan_said_and_keeps_every_row(mariadb_url, now, options):
    make_old_portal(mariadb_url, options)
    with closing(Warehouse(mariadb_url)) as warehouse:
        mail = {name: ["id"] for name in ("contacts", "lms_users")}
        whole = {name: ["*"] for name in NAMES if name not in mail}
        old = {name: [c[0] for c in ask(warehouse, f"SHOW COLUMNS FROM {name}")] for name in [*whole, *mail]}
        with warehouse.read() as connection:
            before = contents(connection, old)
        shape_before = changed(warehouse)
        plan = warehouse.plan_upgrade()
        assert changed(warehouse) == shape_before

        report = warehouse.upgrade()

        assert plan.refusals == ()
        as_done = {line.split(maxsplit=1)[1] for line in report.changes if not line.startswith("put back")}
        assert as_done == {line.split(maxsplit=1)[1] for line in plan.changes}
        with warehouse.read() as connection:
            assert contents(connection, old) == before
        if options != UTF8MB4:
            assert any("lms_groups.name" in line and "to utf8mb4" in line for line in plan.changes)
        assert any("contacts.email" in line and "exactly" in line for line in plan.changes)
        places = {(table, column): collation for table, column, _, collation in changed(warehouse)}
        for table in t.metadata.sorted_tables:
            for column in table.c:
                collation = places[table.name, column.name]
                if is_exact(column):
                    assert collation == EXACT, column
                elif collation is not None:
                    assert collation.startswith("utf8mb4"), column
        # A portal's own column follows the one to which it refers, or its foreign key could not come back.
        assert places["portal_badges", "user_id"] == EXACT
        assert ask(warehouse, "SELECT user_id, colour FROM portal_badges") == [("u-1", "gold")]
        assert "put back the foreign key portal_badges.fk_badge_user" in report.changes
        if options == LATIN1:
            assert places["portal_badges", "colour"] == "latin1_swedish_ci"
            assert places["partners", "account_name"] == COLLATION
        group = {"id": "g-2", "name": "ptr_株式会社 🚀", "partner_id": 1}
        people = [{"id": f"u-{at}", "email": email} for at, email in enumerate(("x@example.com", *ALIKE[1]))]
        with warehouse.transaction() as connection:
            assert upsert(connection, t.lms_groups, [group], key=("id",), now=now).rejected_rows == ()
            assert upsert(connection, t.lms_users, people, key=("id",), now=now).rejected_rows == ()
            rows = [{"id": None, "email": email} for email in ALIKE[0]]
            assert upsert(connection, t.contacts, rows, key=("id",), now=now).rejected_rows == ()
        assert warehouse.upgrade().changes == ()
        assert warehouse.plan_upgrade().changes == ()


def test_a_conversion_that_stops_half_way_goes_on_where_it_stopped(mariadb_url):
    from lms_assets_tests.warehouse.test_migrations import Interrupted, interrupt_at

    make_old_portal(mariadb_url, LATIN1)
    for number in (2, 9, 23, 31, 48):
        with closing(Warehouse(mariadb_url)) as broken:
            interrupt_at(broken, number)
            with pytest.raises(Interrupted):
                broken.upgrade()
    with closing(Warehouse(mariadb_url)) as warehouse:
        with pytest.raises(SchemaNotCurrent, match="db upgrade"):
            warehouse.require_current_schema()
        warehouse.upgrade()
        warehouse.require_current_schema()
        query = (
            "SELECT constraint_name FROM information_schema.referential_constraints "
            "WHERE constraint_schema = DATABASE() AND table_name = 'portal_badges'"
        )
        assert ask(warehouse, query) == [("fk_badge_user",)]
        assert warehouse.upgrade().changes == ()


def test_addresses_are_stored_in_the_spelling_in_which_they_are_compared(warehouse_url):
    make_old_portal(warehouse_url)
    with closing(Warehouse(warehouse_url)) as warehouse:
        run(warehouse, "UPDATE contacts SET email = 'Ada@Example.com' WHERE id = 5",
            "UPDATE lms_users SET email = ' ADA@example.com' WHERE id = 'u-1'")  # fmt: skip
        planned = [line for line in warehouse.plan_upgrade().changes if "lower case" in line]
        warehouse.upgrade()
        assert len(planned) == 2
        assert ask(warehouse, "SELECT email FROM contacts WHERE id = 5") == [("ada@example.com",)]
        assert ask(warehouse, "SELECT email FROM lms_users WHERE id = 'u-1'") == [("ada@example.com",)]


def test_a_table_made_latin1_later_is_refused_until_it_is_converted(mariadb_url):
    with closing(Warehouse(mariadb_url)) as warehouse:
        warehouse.upgrade()
        run(warehouse, "ALTER TABLE lms_groups CONVERT TO CHARACTER SET latin1")
        with pytest.raises(SchemaNotCurrent, match=r"lms_groups\.name\b.*db upgrade"):
            warehouse.require_current_schema()
        warehouse.upgrade()
        warehouse.require_current_schema()


VALUES = {
    "lms_users": ("is_active", "SELECT id FROM lms_users WHERE is_active = 1", ["u-1"]),
    "lms_users/status": ("status", "SELECT id FROM lms_users WHERE status = 'active'", ["u-1"]),
    "partners": ("is_active", "SELECT id FROM partners WHERE is_active = 1", [1]),
    "contacts": ("is_active", "SELECT id FROM contacts WHERE is_active = 1", [5]),
    "lms_groups": ("is_active", "SELECT id FROM lms_groups WHERE is_active = 1", ["g-1"]),
    "lms_courses": ("is_certification", "SELECT id FROM lms_courses WHERE is_certification = 1", ["c-1"]),
    "lms_enrollments": ("status", "SELECT id FROM lms_enrollments WHERE status = 'completed'", ["e-1"]),
    "contacts/lms_user_id": ("lms_user_id", "SELECT lms_user_id FROM contacts WHERE id = 5", ["u-1"]),
    "lms_users/contact_id": ("contact_id", "SELECT contact_id FROM lms_users WHERE id = 'u-1'", [5]),
}


# Of these two columns each gets its value from one of the others.
OTHER_WAY_ROUND = ("lms_users/status", "lms_users/contact_id")


@pytest.mark.parametrize("cases", [[each for each in VALUES if each not in OTHER_WAY_ROUND], OTHER_WAY_ROUND])
def test_new_columns_get_their_values_from_the_columns_that_say_the_same(warehouse_url, cases):
    make_old_portal(warehouse_url)
    with closing(Warehouse(warehouse_url)) as warehouse:
        run(
            warehouse,
            "ALTER TABLE contacts ADD COLUMN deleted_at DATETIME",
            "ALTER TABLE lms_groups ADD COLUMN deletion_reason VARCHAR(100)",
            "UPDATE lms_users SET status = 'Deactivated', is_active = 0 WHERE id = 'u-2'",
            "UPDATE partners SET account_status = 'Inactive', is_active = 0 WHERE id = 2",
            "UPDATE contacts SET deleted_at = '2024-01-01 00:00:00' WHERE id = 6",
            "INSERT INTO lms_groups (id, name, deletion_reason) VALUES ('g-2', 'ptr_Gone', 'gone')",
            "INSERT INTO lms_courses (id, name) VALUES ('c-2', 'Worth nothing')",
            "INSERT INTO lms_enrollments (id, user_id, course_id, status) VALUES ('e-2', 'u-1', 'c-1', 'enrolled')",
        )
        absent = {case.split("/")[0] + "." + VALUES[case][0] for case in cases}
        if warehouse.is_sqlite:
            absent.discard("lms_users.contact_id")  # it drops no column that a foreign key names
        elif "lms_users.contact_id" in absent:
            run(warehouse, "ALTER TABLE lms_users DROP FOREIGN KEY fk_user_contact")
        run(warehouse, *("ALTER TABLE {} DROP COLUMN {}".format(*each.split(".")) for each in sorted(absent)))
        report = warehouse.upgrade()
        for _, query, expected in map(VALUES.get, cases):
            assert ask(warehouse, query) == [(value,) for value in expected], query
        filled = {line.split()[1] for line in report.changes if line.startswith("filled ")}
        assert absent <= filled


def test_values_are_filled_by_the_next_upgrade_when_one_stops_before(mariadb_url):
    from lms_assets_tests.warehouse.test_migrations import Interrupted, interrupt_at

    make_old_portal(mariadb_url)
    with closing(Warehouse(mariadb_url)) as warehouse:
        run(warehouse, "UPDATE lms_users SET status = 'deactivated' WHERE id = 'u-2'",
            "ALTER TABLE lms_users DROP COLUMN is_active")  # fmt: skip
    with closing(Warehouse(mariadb_url)) as broken:
        seen = interrupt_at(broken, 0)
        from sqlalchemy import event

        def stop(_c: Any, _cursor: Any, statement: str, *_: Any) -> None:
            if statement.startswith("UPDATE lms_users SET is_active"):
                raise Interrupted

        event.listen(broken.engine, "before_cursor_execute", stop)
        with pytest.raises(Interrupted):
            broken.upgrade()
        assert seen() > 10
    with closing(Warehouse(mariadb_url)) as warehouse:
        warehouse.upgrade()
        assert ask(warehouse, "SELECT id FROM lms_users WHERE is_active = 1") == [("u-1",)]


def test_members_who_are_gone_are_stored_in_an_adopted_portal(warehouse_url, now):
    make_old_portal(warehouse_url)
    with closing(Warehouse(warehouse_url)) as warehouse:
        report = warehouse.upgrade()
        row = {"group_id": "g-1", "user_id": "nobody", "added_at": now, "pending_source": "api"}
        with warehouse.transaction() as connection:
            counts = upsert(connection, t.lms_group_members, [row], key=("group_id", "user_id"), now=now)
        assert counts.rejected_rows == ()
        assert any("took off the foreign key on lms_group_members.user_id" in line for line in report.changes)


OBSTACLES = {
    "view": ("RENAME TABLE lms_courses TO old_courses", "CREATE VIEW lms_courses AS SELECT * FROM old_courses"),
    "MyISAM": ("ALTER TABLE sync_logs ENGINE=MyISAM",),
    "no primary key": ("ALTER TABLE lms_courses DROP PRIMARY KEY",),
    "no column id": ("ALTER TABLE lms_courses CHANGE id course VARCHAR(50)",),
    "would be equal": ("INSERT INTO partners (id, account_name) VALUES (7, 'Öl'), (8, 'Ol')",),
}


@pytest.mark.parametrize("obstacle", OBSTACLES)
def test_what_cannot_be_used_is_refused_in_words_before_anything_is_changed(mariadb_url, obstacle):
    make_old_portal(mariadb_url, LATIN1)
    with closing(Warehouse(mariadb_url)) as warehouse:
        run(warehouse, "SET FOREIGN_KEY_CHECKS = 0", *OBSTACLES[obstacle])
        before = changed(warehouse)
        with pytest.raises(UpgradeRefused, match=obstacle) as caught:
            warehouse.upgrade()
        assert changed(warehouse) == before
        assert warehouse.plan_upgrade().refusals == caught.value.refusals
        assert len(caught.value.refusals) == 1


def test_on_sqlite_a_view_and_a_table_without_a_key_are_refused_too(sqlite_url):
    make_old_portal(sqlite_url)
    with closing(Warehouse(sqlite_url)) as warehouse:
        run(warehouse, "DROP TABLE sync_logs", "CREATE TABLE sync_logs (id INTEGER, sync_type TEXT)",
            "CREATE VIEW leads AS SELECT * FROM contacts")  # fmt: skip
        with pytest.raises(UpgradeRefused, match="leads is a view") as caught:
            warehouse.upgrade()
        assert "sync_logs has no primary key" in str(caught.value)


RUNS = "SELECT, INSERT, UPDATE, DELETE, CREATE, INDEX"


def clerk(mariadb: MariaDbServer, url: str, *grants: str) -> Warehouse:
    """The warehouse as a user sees it who has nothing but these grants; {database} is its database."""
    database = url.rsplit("/", 1)[1]
    mariadb.execute(
        "CREATE OR REPLACE USER 'clerk'@'127.0.0.1' IDENTIFIED BY 'pw-of-clerk'",
        *(grant.format(database=database) for grant in grants),
    )
    return Warehouse(url.replace("portal:s3cret-of-the-tests", "clerk:pw-of-clerk"))


def test_missing_rights_are_named_before_anything_is_changed(mariadb: MariaDbServer, mariadb_url: str):
    make_old_portal(mariadb_url)
    with closing(clerk(mariadb, mariadb_url, f"GRANT {RUNS} ON `{{database}}`.* TO 'clerk'@'127.0.0.1'")) as warehouse:
        before = changed(warehouse)
        with pytest.raises(UpgradeRefused, match="lacks ALTER, DROP, REFERENCES: GRANT ALTER") as caught:
            warehouse.upgrade()
        assert changed(warehouse) == before
        assert warehouse.plan_upgrade().refusals == caught.value.refusals
        assert "clerk" not in str(caught.value)


def test_a_right_that_a_role_lacks_is_named_with_table_and_statement(mariadb: MariaDbServer, mariadb_url: str):
    """SHOW GRANTS does not tell what a role holds, so the first refused statement has to."""
    make_old_portal(mariadb_url)
    warehouse = clerk(
        mariadb,
        mariadb_url,
        "CREATE OR REPLACE ROLE desk",
        f"GRANT {RUNS} ON `{{database}}`.* TO desk",
        "GRANT desk TO 'clerk'@'127.0.0.1'",
        "SET DEFAULT ROLE desk FOR 'clerk'@'127.0.0.1'",
    )
    with closing(warehouse):
        with pytest.raises((AccessDenied, UpgradeRefused)) as caught:
            warehouse.upgrade()
        assert "ALTER" in str(caught.value)
        assert "clerk" not in str(caught.value)


@pytest.mark.parametrize("options", [UTF8MB4, LATIN1])
def test_the_statements_for_a_dba_do_all_that_needs_rights(mariadb: MariaDbServer, mariadb_url: str, options: str):
    make_old_portal(mariadb_url, options)
    with closing(Warehouse(mariadb_url)) as warehouse:
        before = changed(warehouse)
        lines = warehouse.upgrade_statements()
        assert changed(warehouse) == before
        assert not ask(warehouse, "SELECT schema_name FROM information_schema.schemata WHERE schema_name LIKE '%plan'")
    assert any(line.startswith("-- add lms_users.") for line in lines)
    database = mariadb_url.rsplit("/", 1)[1]
    statements = [line.removesuffix(";") for line in lines if not line.startswith("-- ")]
    mariadb.execute(f"USE `{database}`", "SET SESSION foreign_key_checks = 0", *statements)
    grant = "GRANT SELECT, INSERT, UPDATE, DELETE ON `{database}`.* TO 'clerk'@'127.0.0.1'"
    with closing(clerk(mariadb, mariadb_url, grant)) as warehouse:
        assert not [line for line in warehouse.plan_upgrade().changes if "lower case" not in line]
        report = warehouse.upgrade()
        warehouse.require_current_schema()
        assert report.after
        assert ask(warehouse, "SELECT account_name, account_status FROM partners ORDER BY id")[0][0] == "Example Ltd"


def test_tasks_that_an_old_scheduler_would_start_are_named(warehouse_url):
    make_old_portal(warehouse_url)
    with closing(Warehouse(warehouse_url)) as warehouse:
        report = warehouse.upgrade()
    assert any("scheduled_tasks" in line and "users" in line for line in report.warnings)
