"""`lms-assets rules`: what is in force, what is wrong in a file, and what it would do."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import delete, insert
from typer.testing import CliRunner

from lms_assets.cli import app
from lms_assets.console.commands.rules import find_change
from lms_assets.domain.rules import CategoryRule, Rules
from lms_assets.reports.config import ReportConfig
from lms_assets.warehouse.engine import Warehouse
from lms_assets.warehouse.schema import tables as t

AT = datetime(2026, 11, 23, 2, tzinfo=UTC)
YEAR = timedelta(days=365)
# Select asks for 10 NPCU unless the file says otherwise.
PARTNERS = [(1, "Acorn", "Select"), (2, "Beech", "Registered"), (3, "Cedar", "Certified"), (4, "Nothing", "Premier")]


@pytest.fixture
def filled(sqlite_url: str) -> Warehouse:
    made = Warehouse(sqlite_url)
    made.upgrade()
    with made.transaction() as connection:
        rows = [{"id": key, "account_name": name, "partner_tier": tier} for key, name, tier in PARTNERS]
        connection.execute(insert(t.partners), rows)
        connection.execute(insert(t.lms_users), [{"id": f"u{key}"} for key in (1, 2, 3)])
        contacts = [
            {"id": key, "email": f"{name}@p{key}.example", "partner_id": key, "lms_user_id": f"u{key}"}
            for key, name in ((1, "ann"), (2, "bo"), (3, "training.desk"))
        ]
        connection.execute(insert(t.contacts), contacts)
        courses = [
            {"id": f"k{number}", "name": f"K2 {number}", "npcu_value": 2, "is_certification": True,
             "certification_category": "nintex_k2", "category_origin": "rule", "category_by_rule": "nintex_k2"}
            for number in range(5)
        ]  # fmt: skip
        connection.execute(insert(t.lms_courses), courses)
        attempts = [
            {"id": f"{user}{number}", "user_id": user, "course_id": f"k{number}", "status": "completed",
             "completed_at": AT - YEAR}
            for user in ("u1", "u2", "u3")
            for number in range(5)
        ]  # fmt: skip
        connection.execute(insert(t.lms_enrollments), attempts)
    return made


def moved(warehouse: Warehouse, config: ReportConfig | None = None, **rules: object) -> list[tuple[object, ...]]:
    plain = ReportConfig()
    found = find_change(warehouse, (Rules(), plain), (replace(Rules(), **rules), config or plain), now=AT)
    return [
        (each.name, each.npcu_before, each.npcu_after, each.standing_before, each.standing_after)
        for each in found.partners
    ]


def test_shorter_months_fall_and_who_changes_standing_comes_first(filled: Warehouse) -> None:
    assert moved(filled, certification_months=11) == [
        ("Acorn", 10, 0, "meets", "below"),
        ("Cedar", 10, 0, "meets", "below"),
        ("Beech", 10, 0, "no requirement", "no requirement"),
    ]
    assert moved(filled, certification_months=36) == []


def test_a_tier_an_address_and_a_requirement_change_who_counts(filled: Warehouse) -> None:
    tiers = tuple(each for each in Rules().partner_tiers if each != "Registered")
    assert moved(filled, partner_tiers=tiers) == [("Beech", 10, None, "no requirement", "left out")]
    words = (*Rules().excluded_local_part_words, "training")
    assert moved(filled, excluded_local_part_words=words) == [("Cedar", 10, 0, "meets", "below")]
    asks_more = ReportConfig(tier_requirements={"Select": 11, "Certified": 5, "Premier": 20})
    assert moved(filled, asks_more) == [("Acorn", 10, 10, "meets", "below")]


def test_a_category_follows_the_file_only_without_rows_in_the_table(filled: Warehouse) -> None:
    other = (CategoryRule("go_to_market", "K2", 100),)
    plain = ReportConfig()

    def change():
        return find_change(filled, (Rules(), plain), (replace(Rules(), category_rules=other), plain), now=AT)

    assert (change().categories, change().unseen) == ((), ("category_rules",))
    with filled.transaction() as connection:
        connection.execute(delete(t.certification_category_rules))
    assert [(each.name, each.before, each.after) for each in change().categories][:1] == [
        ("K2 0", "nintex_k2", "go_to_market")
    ]
    assert {each.npcu_after for each in change().partners} == {10}


@pytest.fixture
def command(filled: Warehouse, sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    environment = {
        "NORTHPASS_API_KEY": "a-made-up-key-1", "IMPARTNER_API_KEY": "a-made-up-key-2", "LMS_WAREHOUSE_URL": sqlite_url,
        "LMS_RULES_FILE": str(tmp_path / "in_force.toml"), "COLUMNS": "80",
    }  # fmt: skip
    (tmp_path / "in_force.toml").write_text("fuzzy_margin = 6.0\n", encoding="utf-8")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return lambda *arguments: CliRunner().invoke(app, ["rules", *map(str, arguments)])


def test_show_says_where_each_rule_comes_from(command, tmp_path: Path) -> None:
    shown = json.loads(command("show", "--json").stdout)
    source = {row["rule"]: row["from"] for row in shown["rules"]}
    assert source["fuzzy_margin"] == str(tmp_path / "in_force.toml")
    assert source["certification_months"] == "default"
    assert source["category_rules"] == "table certification_category_rules"
    plain = command("show")
    assert (plain.exit_code, max(map(len, plain.stdout.splitlines())) <= 80) == (0, True)


def test_check_names_every_mistake_at_once(command, tmp_path: Path) -> None:
    assert command("check").exit_code == 0
    wrong = tmp_path / "wrong.toml"
    wrong.write_text(
        'partner_tier = ["Select"]\ncertification_months = 0\nexcluded_email_domains = ["good.example", 7, ""]\n'
        '[reports]\naccent = "blue"\n[reports.tier_requirements]\nSelect = -1\nPremier = "many"\n',
        encoding="utf-8",
    )
    result = command("check", wrong)
    said = " ".join(result.output.split())
    assert result.exit_code == 2
    for each in (
        "unknown key 'partner_tier'; did you mean 'partner_tiers'?", "certification_months must be 1 to 1200, not 0",
        "excluded_email_domains[1] must be text", "excluded_email_domains[2] must be text", "accent must be a colour",
        "tier_requirements.Select must be", "tier_requirements.Premier must be",
    ):  # fmt: skip
        assert each in said


def test_diff_fits_80_columns_and_goes_out_as_json(command, tmp_path: Path) -> None:
    other = tmp_path / "other.toml"
    other.write_text("certification_months = 11\n", encoding="utf-8")
    result = command("diff", other)
    assert result.exit_code == 0, result.output
    assert max(map(len, result.stdout.splitlines())) <= 80
    assert "Partners with more NPCU: 0, with less: 3, with another standing: 2" in result.stdout
    assert "Not seen in stored rows, shows at the next daily_full: fuzzy_margin" in result.stdout
    given = json.loads(command("diff", other, "--json").stdout)
    assert [row["partner"] for row in given["partners"]] == ["Acorn", "Cedar", "Beech"]
    other.write_text("certification_months = [", encoding="utf-8")
    assert command("diff", other).exit_code == 2
