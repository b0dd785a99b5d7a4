"""`lms-assets compare`: what somebody sees who comes from another system, on counts that such a system would have."""

from __future__ import annotations

import csv
import io
import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest
from rich.console import Console
from sqlalchemy import delete, insert, update
from typer.testing import CliRunner

from lms_assets.cli import app
from lms_assets.console.commands.compare import (
    CompareOptions,
    Comparison,
    compare_lines,
    compare_tables,
    find_comparison,
    old_data,
    read_old_counts_file,
)
from lms_assets.domain.counting.certifications import PartnerCounts, assess, count
from lms_assets.domain.counting.comparison import Compared, Fit, OldCounts
from lms_assets.domain.rules import Rules
from lms_assets.sandbox import running_sandbox
from lms_assets.settings import ConfigurationError
from lms_assets.warehouse.engine import Connection, Warehouse
from lms_assets.warehouse.errors import WarehouseError
from lms_assets.warehouse.reading.old_counts import read_old_counts
from lms_assets.warehouse.reading.reports import counting_inputs
from lms_assets.warehouse.reading.whole import active_ids
from lms_assets.warehouse.results.counts import CATEGORY_COLUMNS, counted_by_others, write_counts
from lms_assets.warehouse.results.links import remember_lost_links
from lms_assets.warehouse.schema import tables as t
from lms_assets_tests.harness.chain import NOW, SMALL, ChainHarness
from lms_assets_tests.harness.old_portal import make_old_portal

HERE = CompareOptions()
Rows = list[dict[str, object]]


@pytest.fixture(scope="module")
def counted(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A warehouse after one chain over the small vendor state."""
    with running_sandbox(SMALL) as sandbox:
        harness = ChainHarness(tmp_path_factory.mktemp("compare"), sandbox)
        assert harness.run().success
        harness.close()
        return (harness.folder / "warehouse.db").read_bytes()


@pytest.fixture
def here(counted: bytes, tmp_path: Path) -> Iterator[Warehouse]:
    """A copy of that warehouse, for one test to change."""
    path = tmp_path / "warehouse.db"
    path.write_bytes(counted)
    made = Warehouse(f"sqlite:///{path}")
    yield made
    made.close()


def rows_of(warehouse: Warehouse, name: str) -> Rows:
    with warehouse.read() as connection:
        return [dict(row._mapping) for row in connection.execute(t.metadata.tables[name].select())]


def someone_else_counted(warehouse: Warehouse, counts: Mapping[int, Mapping[str, int]]) -> None:
    """As if these had stood in `partners` when our first chain came to count."""
    with warehouse.transaction() as connection:
        connection.execute(delete(t.sync_state).where(t.sync_state.c.name == "partner_cert_counts"))
        for partner_id, values in counts.items():
            connection.execute(update(t.partners).where(t.partners.c.id == partner_id).values(**values))
        count_again(connection)


def count_again(connection: Connection) -> None:
    inputs = counting_inputs(connection)
    items = assess(inputs.affiliations, inputs.enrollments, inputs.courses, at=NOW)
    counts = count(items, active_ids(connection, t.partners))
    write_counts(connection, counts.values(), as_of=NOW, now=NOW)


def without_expiry(warehouse: Warehouse, *, groups_only: bool = False) -> dict[int, dict[str, int]]:
    """Each partner's counts by a system to which what was once completed counts for ever.

    With `groups_only` it knows no contacts, and counts every attempt.
    """
    active = {row["id"] for row in rows_of(warehouse, "lms_users") if row["is_active"]}
    group_of = {row["id"]: row["partner_id"] for row in rows_of(warehouse, "lms_groups") if row["is_active"]}
    people = defaultdict(set)
    for row in rows_of(warehouse, "lms_group_members"):
        people[group_of.get(row["group_id"])].add(row["user_id"])
    account_of = {row["id"]: row["lms_user_id"] for row in rows_of(warehouse, "contacts")}
    for row in rows_of(warehouse, "contacts"):
        if row["is_active"] and not groups_only:
            people[row["partner_id"]].add(row["lms_user_id"])
    for row in rows_of(warehouse, "contact_affiliations"):
        if not groups_only:
            people[row["partner_id"]].add(account_of[row["contact_id"]])
    courses = {row["id"]: row for row in rows_of(warehouse, "lms_courses") if row["npcu_value"]}
    held = {
        (row["user_id"], row["course_id"], row["id"] if groups_only else None)
        for row in rows_of(warehouse, "lms_enrollments")
        if row["status"] == "completed" and row["completed_at"] and row["completed_at"] <= NOW
    }
    counts = {}
    for partner in (row["id"] for row in rows_of(warehouse, "partners") if row["is_active"]):
        own = [courses[course] for user, course, _ in held if user in people[partner] & active and course in courses]
        of = {
            name: sum(each["certification_category"] == key for each in own) for key, name in CATEGORY_COLUMNS.items()
        }
        counts[partner] = {"total_npcu": sum(each["npcu_value"] for each in own), **of}
    return counts


def compared(warehouse: Warehouse, options: CompareOptions = HERE) -> Comparison:
    with warehouse.read() as connection:
        return find_comparison(connection, old_data(options, connection), rules=Rules())


def shown(found: Comparison) -> str:
    out = io.StringIO()
    for line in compare_lines(found):
        Console(file=out, width=200).print(line)
    return out.getvalue()


@pytest.mark.slow
def test_a_system_that_knew_no_expiry_is_explained_at_every_partner_by_just_that(here: Warehouse):
    old = without_expiry(here)
    someone_else_counted(here, old)
    found = compared(here)
    differing = [row for row in found.rows if row.fit is not Fit.EQUAL]
    assert differing, "the small vendor state holds expired certifications"
    assert {row.fit for row in differing} == {Fit.EXPLAINED}
    assert {effect.reason for row in differing for effect in row.reasons} == {"expired before the old count"}
    now = {row["id"]: row["total_npcu"] for row in rows_of(here, "partners")}
    assert {row.partner_id: row.npcu for row in differing} == {
        key: now[key] - values["total_npcu"] for key, values in old.items() if now[key] != values["total_npcu"]
    }
    assert f"{len(found.rows) - len(differing)} equal, {len(differing)} explained\n" in shown(found)


@pytest.mark.slow
def test_a_system_that_differs_in_three_rules_is_explained_by_these_at_every_partner(here: Warehouse):
    someone_else_counted(here, without_expiry(here, groups_only=True))
    differing = [row for row in compared(here).rows if row.fit is not Fit.EQUAL]
    assert {row.fit for row in differing} == {Fit.EXPLAINED}
    reasons = {reason for row in differing for effect in row.reasons for reason in effect.reason.split(" and ")}
    assert {"expired before the old count", "people who are linked by their contact only"} <= reasons
    assert reasons <= {
        "expired before the old count",
        "people who are linked by their contact only",
        "several attempts at one course",
    }


@pytest.mark.slow
def test_a_count_that_nothing_adds_up_to_says_so_and_where_to_look(here: Warehouse):
    partner = next(row for row in rows_of(here, "partners") if row["is_active"] and row["total_npcu"])
    someone_else_counted(here, {partner["id"]: {"total_npcu": 4711}})
    (row,) = [row for row in compared(here).rows if row.fit is Fit.UNEXPLAINED]
    assert (row.partner_id, row.npcu, row.reasons) == (partner["id"], partner["total_npcu"] - 4711, ())
    text = shown(compared(here))
    assert "not explained" in text
    assert f"#{partner['id']} {partner['account_name']}: NPCU 4711 → {partner['total_npcu']}" in text


@pytest.mark.slow
def test_a_partner_that_lost_its_group_is_explained_by_that(here: Warehouse):
    before = {row["id"]: row for row in rows_of(here, "partners")}
    names = ("total_npcu", *CATEGORY_COLUMNS.values())
    for group in (row for row in rows_of(here, "lms_groups") if row["partner_id"] and row["is_active"]):
        with here.transaction() as connection:
            remember_lost_links(connection, {group["id"]: group["partner_id"]}, now=NOW)
            one = t.lms_groups.c.id == group["id"]
            connection.execute(update(t.lms_groups).where(one).values(partner_id=None))
        someone_else_counted(here, {key: {name: row[name] for name in names} for key, row in before.items()})
        lost = [row for row in compared(here).rows if row.fit is not Fit.EQUAL]
        if lost:
            break
        with here.transaction() as connection:
            connection.execute(update(t.lms_groups).where(one).values(partner_id=group["partner_id"]))
    (row,) = lost
    assert (row.partner_id, row.fit) == (group["partner_id"], Fit.EXPLAINED)
    assert [effect.reason for effect in row.reasons] == ["groups that were the partner's and are nobody's now"]


@pytest.mark.slow
def test_another_portals_database_and_its_export_say_the_same(here: Warehouse, counted: bytes, tmp_path: Path):
    path = tmp_path / "old.db"
    path.write_bytes(counted)
    old = Warehouse(f"sqlite:///{path}")
    partners = sorted(rows_of(old, "partners"), key=lambda row: str(row["account_name"]))
    chosen = next(row for row in partners if row["is_active"] and row["total_npcu"])
    with old.transaction() as connection:
        one = t.partners.c.id == chosen["id"]
        connection.execute(update(t.partners).where(one).values(total_npcu=99, account_name="Its old name"))
        chosen |= {"total_npcu": 99, "account_name": "Its old name"}
    export = tmp_path / "old.csv"
    with export.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.DictWriter(
            file,
            ["impartner_id", "account_name", "total_npcu", *CATEGORY_COLUMNS.values()],
            delimiter=";",
            extrasaction="ignore",
        )
        writer.writeheader()
        writer.writerows(row for row in partners if row["is_active"])
    by_url = compared(here, CompareOptions(old_url=f"sqlite:///{path}"))
    by_csv = compared(here, CompareOptions(old_csv=export))
    old.close()
    for found in (by_url, by_csv):
        (row,) = [row for row in found.rows if row.fit is not Fit.EQUAL]
        assert (row.partner_id, row.name, row.old and row.old.total_npcu) == (chosen["id"], "Its old name", 99)
        assert len(found.rows) == sum(bool(row["is_active"]) for row in partners)


def test_an_old_portals_database_is_read_as_it_is(warehouse_url: str):
    make_old_portal(warehouse_url)
    old = Warehouse(warehouse_url)
    with old.read() as connection:
        found = read_old_counts(connection, old.name)
    old.close()
    assert {(each.name, each.total_npcu, each.impartner_id) for each in found.accounts} == {
        ("Example Ltd", 7, 11),
        ("Müller & Söhne GmbH", 0, None),
    }


def test_a_database_that_is_no_portal_is_refused(tmp_path: Path):
    (tmp_path / "other.db").write_bytes(b"")
    with (
        pytest.raises(WarehouseError, match="no table partners"),
        Warehouse(f"sqlite:///{tmp_path}/other.db").read() as c,
    ):
        read_old_counts(c, "other")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name,total_npcu\nAcorn,1\n", "no column account_name"),
        ("account_name,total_npcu\nAcorn,many\n", "line 2: total_npcu is no whole number"),
        ('account_name,total_npcu\n"Aco\nrn",1\n\nBeech,2.5\n', "line 5: total_npcu is no whole number"),
        ("account_name,total_npcu\nAcorn,1\nBeech,2,3\n", "line 3"),
        ("", "cannot be read as UTF-8 text with columns"),
    ],
)
def test_an_export_that_cannot_be_read_says_what_is_wrong(tmp_path: Path, text: str, said: str, warehouse: Warehouse):
    path = tmp_path / "old.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigurationError, match=said), warehouse.read() as connection:
        old_data(CompareOptions(old_csv=path), connection)


@pytest.mark.parametrize("ending", [".csv", ".xlsx"])
def test_an_export_holds_text_and_empty_values_and_only_the_columns_it_has(tmp_path: Path, ending: str):
    columns = ["account_name", "impartner_id", "total_npcu", "cert_count_nintex_k2", "region"]
    rows = [
        ["Acorn", "7", "12", "3", "NA"],
        ["Beech", "NULL", "\\N", "", "x"],
        ["", "", "", "", ""],
        ["007", "", "1", "", ""],
    ]
    frame = pd.DataFrame(rows, columns=columns)
    path = tmp_path / f"old{ending}"
    (frame.to_excel if ending == ".xlsx" else frame.to_csv)(path, index=False)
    found = read_old_counts_file(path)
    assert found.categories == ("nintex_k2",), "what it has no column for is not compared"
    read = [(each.name, each.impartner_id, each.total_npcu, each.by_category["nintex_k2"]) for each in found.accounts]
    assert read == [("Acorn", 7, 12, 3), ("Beech", None, 0, 0), ("007", None, 1, 0)]


def test_what_matters_comes_first_and_only_partners_of_both_are_summed():
    def row(name: str, fit: Fit, old: int | None, new: int | None) -> Compared:
        before = None if old is None else OldCounts(name, old, {})
        after = None if new is None else PartnerCounts(1, {"nintex_k2": 2} if old is None else {}, new, False)
        return Compared(name, 1, before, after, fit)

    rows = (
        row("gone", Fit.INACTIVE_HERE, 900, None),
        row("same", Fit.EQUAL, 5, 5),
        row("Larch", Fit.EXPLAINED, 50, 10),
        row("new", Fit.NEW_ONLY, None, 70),
        row("odd", Fit.UNEXPLAINED, 4, 5),
    )
    found = Comparison(rows, ("nintex_k2",), NOW, None)
    facts, (table,) = compare_tables(found)
    assert [each["name"] for each in table.rows] == ["odd", "Larch", "new", "gone", "same"]
    assert (facts["old_npcu_in_both"], facts["new_npcu_in_both"], facts["partners_in_both"]) == (59, 20, 3)
    text = shown(found)
    assert "NPCU of the 3 that both have: 59 → 20 (-39)" in text
    assert "Not compared, since the old counts do not have it: nintex_ce, nintex_salesforce, go_to_market" in text
    assert "new: NPCU – → 70 (+70), nintex_k2 – → 2" in text
    assert text.index("odd:") < text.index("Larch:") < text.index("new:") < text.index("gone:")


def test_only_what_stood_there_before_the_first_count_is_kept(warehouse: Warehouse, now: datetime):
    earlier = now - timedelta(days=3)
    with warehouse.transaction() as connection:
        old = {"total_npcu": 7, "cert_count_nintex_k2": 3, "cert_counts_updated_at": earlier}
        connection.execute(insert(t.partners).values(id=1, account_name="Acorn", **old))
        connection.execute(insert(t.partners).values(id=2, account_name="Beech"))
        for npcu in (5, 6):
            write_counts(connection, [PartnerCounts(1, {"nintex_k2": 2}, npcu, False)], as_of=now, now=now)
        kept = counted_by_others(connection)
    assert kept is not None
    counts, at = kept
    none = dict.fromkeys(CATEGORY_COLUMNS, 0)
    assert counts == {1: {**none, "nintex_k2": 3, "total_npcu": 7}}, "nobody had counted the other yet"
    assert at == earlier


def test_a_new_warehouse_has_nothing_to_keep(warehouse: Warehouse, now: datetime):
    with warehouse.transaction() as connection:
        connection.execute(insert(t.partners).values(id=1, account_name="Acorn"))
        write_counts(connection, [PartnerCounts(1, {}, 5, False)], as_of=now, now=now)
        assert counted_by_others(connection) is None


@pytest.mark.slow
def test_the_command_changes_nothing_and_ends_well_whatever_it_finds(
    here: Warehouse, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    for name in ("NORTHPASS_API_KEY", "IMPARTNER_API_KEY"):
        monkeypatch.setenv(name, "key")
    monkeypatch.setenv("LMS_WAREHOUSE_URL", here.engine.url.render_as_string(hide_password=False))
    monkeypatch.chdir(tmp_path)
    runner = CliRunner()
    nothing = runner.invoke(app, ["compare"])
    assert (nothing.exit_code, "--old-url or --old-csv" in nothing.output) == (2, True)
    both = runner.invoke(app, ["compare", "--old-url", "sqlite:///x.db", "--old-csv", "x.csv"])
    assert (both.exit_code, "exclude each other" in both.output) == (2, True)
    someone_else_counted(here, without_expiry(here))
    here.close()
    before = (tmp_path / "warehouse.db").read_bytes()
    result = runner.invoke(app, ["compare", "--old-at", "2026-02-01"])
    assert result.exit_code == 0, result.output
    assert "expired before the old count" in result.output
    assert "that both have" in result.output
    found = json.loads(runner.invoke(app, ["compare", "--json"]).stdout)
    assert found["partners_in_both"] == len(found["partners"])
    assert found["new_npcu_in_both"] == sum(row["new_npcu"] for row in found["partners"])
    assert (tmp_path / "warehouse.db").read_bytes() == before
