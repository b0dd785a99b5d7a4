"""Making a warehouse, adopting an older portal's database, and going on after an interruption."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import Connection, create_engine, event, inspect, text
from sqlalchemy.engine import make_url

from lms_assets.warehouse.engine import Warehouse
from lms_assets.warehouse.errors import SchemaNotCurrent
from lms_assets.warehouse.migrations.current import VERSION_TABLE, known_versions
from lms_assets.warehouse.schema import tables as t
from lms_assets.warehouse.upsert.upsert import upsert
from lms_assets_tests.harness.mariadb import MariaDbServer
from lms_assets_tests.harness.old_portal import NAMES, contents, make_old_portal

COMPOUND_ID = "-".join(["8c1f6f0e-9f1a-4f0e-8d53-0a0d3b6f2f11"] * 2)


def shape(url: str) -> dict[str, Any]:
    """Tables with their columns and indexes, as the database describes them."""
    parsed = make_url(url)
    engine = create_engine(parsed.set(drivername="mysql+pymysql") if parsed.drivername == "mysql" else parsed)
    with engine.connect() as connection:
        inspector = inspect(connection)
        found = {table: table_shape(inspector, table) for table in inspector.get_table_names()}
    engine.dispose()
    return found


def table_shape(inspector: Any, table: str) -> dict[str, list[Any]]:
    columns = inspector.get_columns(table)
    return {
        "columns": sorted((c["name"], str(c["type"]), c["nullable"], str(c["default"])) for c in columns),
        "indexes": sorted((str(i["column_names"]), bool(i["unique"])) for i in inspector.get_indexes(table)),
        "unique": sorted(str(u["column_names"]) for u in inspector.get_unique_constraints(table)),
        "references": sorted(
            str((f["constrained_columns"], f["referred_table"])) for f in inspector.get_foreign_keys(table)
        ),
    }


def test_an_empty_database_gets_every_table_and_a_second_upgrade_changes_nothing(warehouse_url):
    warehouse = Warehouse(warehouse_url)

    first, second = warehouse.upgrade(), warehouse.upgrade()

    assert (first.before, first.after) == (None, known_versions()[-1])
    assert second.changes == ()
    warehouse.require_current_schema()
    assert set(shape(warehouse_url)) == {*t.metadata.tables, VERSION_TABLE}


def test_a_database_without_tables_is_refused_in_one_line_that_names_the_command(warehouse_url):
    warehouse = Warehouse(warehouse_url)
    with pytest.raises(SchemaNotCurrent) as caught:
        warehouse.require_current_schema()
    assert "lms-assets db upgrade" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_database_of_a_newer_release_or_with_a_table_gone_is_refused(warehouse_url):
    warehouse = Warehouse(warehouse_url)
    warehouse.upgrade()
    with warehouse.transaction() as connection:
        connection.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = '9999'"))
    with pytest.raises(SchemaNotCurrent, match="newer"):
        warehouse.require_current_schema()
    with warehouse.transaction() as connection:
        connection.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = '{known_versions()[-1]}'"))
        connection.execute(text("DROP TABLE leads"))
    with pytest.raises(SchemaNotCurrent, match="leads"):
        warehouse.require_current_schema()
    assert warehouse.upgrade().changes == ("made table leads",)


def test_a_new_warehouse_has_the_default_category_rules_and_changed_ones_stay(warehouse_url):
    warehouse = Warehouse(warehouse_url)
    warehouse.upgrade()
    with warehouse.transaction() as connection:
        rules = connection.execute(text("SELECT category, pattern, priority FROM certification_category_rules")).all()
        connection.execute(text("DELETE FROM certification_category_rules WHERE category <> 'nintex_k2'"))
    assert ("nintex_k2", "K2", 100) in [tuple(rule) for rule in rules]
    assert len(rules) == 16

    warehouse.upgrade()

    with warehouse.read() as connection:
        assert connection.execute(text("SELECT count(*) FROM certification_category_rules")).scalar_one() == 1


def test_an_older_portal_is_adopted_without_losing_a_row_a_column_or_a_table(warehouse_url):
    make_old_portal(warehouse_url)
    old_shape = shape(warehouse_url)
    old_columns = {name: [column[0] for column in old_shape[name]["columns"]] for name in NAMES}
    warehouse = Warehouse(warehouse_url)
    with warehouse.read() as connection:
        before = contents(connection, old_columns)

    report = warehouse.upgrade()

    with warehouse.read() as connection:
        assert contents(connection, old_columns) == before
    new_shape = shape(warehouse_url)
    kept = {n: old_shape[n]["references"] for n in NAMES} | {"lms_group_members": []}
    assert {n: new_shape[n]["references"] for n in NAMES} == kept
    assert report.before is None
    assert warehouse.upgrade().changes == ()
    warehouse.require_current_schema()


def test_an_adopted_portal_takes_long_ids_and_people_with_one_address_or_none(warehouse_url, now):
    make_old_portal(warehouse_url)
    warehouse = Warehouse(warehouse_url)
    warehouse.upgrade()
    people = [
        {"id": COMPOUND_ID, "email": "ada@example.com", "contact_id": 5},
        {"id": "u-4", "email": None, "contact_id": None},
        {"id": "u-5", "email": None, "contact_id": None},
    ]
    enrollment = {"id": COMPOUND_ID, "user_id": COMPOUND_ID, "course_id": "c-1", "status": "enrolled"}
    member = {"group_id": "g-1", "user_id": COMPOUND_ID, "added_at": now, "pending_source": "api"}
    log = {"id": None, "sync_type": "impartner_contacts", "status": "running", "started_at": now}
    with warehouse.transaction() as connection:
        counts = [
            upsert(connection, t.lms_users, people, key=("id",), now=now),
            upsert(connection, t.lms_enrollments, [enrollment], key=("id",), now=now),
            upsert(connection, t.lms_group_members, [member], key=("group_id", "user_id"), now=now),
            upsert(connection, t.sync_logs, [log], key=("id",), now=now),
        ]

    assert not [rejected_row for each in counts for rejected_row in each.rejected_rows]
    assert [each.created for each in counts] == [3, 1, 1, 1]
    with warehouse.read() as connection:
        notes = connection.execute(text("SELECT internal_notes FROM partners WHERE id = 1")).scalar_one()
    assert notes == "call on Mondays"


def test_new_tables_take_the_collation_of_the_portal_so_that_they_can_be_joined(mariadb_url):
    make_old_portal(mariadb_url)
    warehouse = Warehouse(mariadb_url)
    warehouse.upgrade()
    query = "SELECT DISTINCT table_collation FROM information_schema.tables WHERE table_schema = DATABASE()"
    with warehouse.read() as connection:
        found = connection.execute(text(f"{query} AND table_name NOT IN ('{VERSION_TABLE}')")).scalars().all()
    assert found == ["utf8mb4_unicode_ci"]


class Interrupted(Exception):
    """What a test throws into an upgrade."""


def interrupt_at(warehouse: Warehouse, number: int) -> Callable[[], int]:
    """Let the given changing statement fail (0: none); gives a function that tells how many there were."""
    seen = 0

    def before(_c: Connection, _cursor: Any, statement: str, *_: Any) -> None:
        nonlocal seen
        if statement.split()[0].upper() in {"CREATE", "ALTER", "DROP", "INSERT"}:
            seen += 1
            if seen == number:
                raise Interrupted

    event.listen(warehouse.engine, "before_cursor_execute", before)
    return lambda: seen


@pytest.mark.parametrize("number", [4, 40, *(pytest.param(each, marks=pytest.mark.long) for each in (1, 12, 55))])
def test_half_a_migration_is_noticed_and_finished_by_running_it_again(warehouse_url, tmp_path, number):
    make_old_portal(warehouse_url)
    old = shape(warehouse_url)
    broken = Warehouse(warehouse_url)
    interrupt_at(broken, number)
    with pytest.raises(Interrupted):
        broken.upgrade()
    broken.close()
    if broken.is_sqlite:
        assert shape(warehouse_url) == old

    warehouse = Warehouse(warehouse_url)
    with pytest.raises(SchemaNotCurrent, match="db upgrade"):
        warehouse.require_current_schema()
    warehouse.upgrade()

    warehouse.require_current_schema()
    with warehouse.read() as connection:
        assert contents(connection, {"lms_users": ["id", "email", "avatar_url"]})["lms_users"] == [
            ("u-1", "ada@example.com", "/a.png"),
            ("u-2", "bob@example.com", None),
        ]


def test_interrupted_and_whole_upgrades_of_mariadb_end_in_the_same_shape(mariadb: MariaDbServer):
    with mariadb.fresh_database("whole") as whole_url, mariadb.fresh_database("parts") as parts_url:
        for url in (whole_url, parts_url):
            make_old_portal(url)
        Warehouse(whole_url).upgrade()
        for number in (5, 11):
            broken = Warehouse(parts_url)
            interrupt_at(broken, number)
            with pytest.raises(Interrupted):
                broken.upgrade()
            broken.close()
        Warehouse(parts_url).upgrade()
        assert shape(parts_url) == shape(whole_url)


def test_two_upgrades_at_once_wait_for_each_other(warehouse_url):
    warehouses = [Warehouse(warehouse_url) for _ in range(3)]
    with ThreadPoolExecutor() as pool:
        reports = list(pool.map(Warehouse.upgrade, warehouses))
    assert sorted(bool(report.changes) for report in reports) == [False, False, True]
    warehouses[0].require_current_schema()


def test_an_unknown_column_that_must_be_given_is_named_in_a_warning(warehouse_url):
    warehouse = Warehouse(warehouse_url)
    warehouse.upgrade()
    with warehouse.transaction() as connection:
        connection.execute(text("DROP TABLE leads"))
        connection.execute(text("CREATE TABLE leads (id INTEGER PRIMARY KEY, must_have INTEGER NOT NULL)"))

    report = warehouse.upgrade()

    assert [warning for warning in report.warnings if "leads.must_have" in warning]
