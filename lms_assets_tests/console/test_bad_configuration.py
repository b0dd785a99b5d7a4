"""What a person sees when something is set up wrongly: one clear line each, exit code 2, nothing written."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from lms_assets.sandbox.config import SandboxConfig
from lms_assets.sandbox.server.server import running_sandbox
from lms_assets_tests.harness.chain import NOW
from lms_assets_tests.harness.commands import Commands
from lms_assets_tests.harness.templates import empty_sqlite

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def commands(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Commands]:
    config = SandboxConfig(scale=0.005, now=NOW, northpass_rps=0, impartner_rps=0)
    with running_sandbox(config) as sandbox:
        made = Commands(tmp_path_factory.mktemp("configuration") / "place", sandbox, executor="in_process")
        made.make_tables()
        yield made


def tables_with_rows(url: str) -> list[str]:
    """Tables that hold rows, those that every new warehouse has rows in aside."""
    connection = sqlite3.connect(url.removeprefix("sqlite:///"))
    names = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    filled = [name for name in names if connection.execute(f"SELECT count(*) FROM {name}").fetchone()[0]]
    connection.close()
    return [name for name in filled if not name.startswith(("lms_assets_schema", "certification_category", "sqlite_"))]


def test_every_missing_variable_has_its_line(commands: Commands):
    names = ("NORTHPASS_API_KEY", "IMPARTNER_API_KEY", "LMS_WAREHOUSE_URL")
    result = commands.run("run", "daily_full", **dict.fromkeys(names))
    assert result.returncode == 2
    lines = [line for line in result.stderr.splitlines() if line.startswith("✗")]
    assert [line.split()[1] for line in lines] == list(names)
    assert "Nothing was run and nothing was written." in result.stderr


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("NORTHPASS_BASE_URL", "http://api.northpass.com/v2", "must use https://"),
        ("NORTHPASS_BASE_URL", "not a url", "must be a full https:// URL"),
        ("NORTHPASS_REQUESTS_PER_SECOND", "many", "must be a number above 0"),
        ("LMS_WAREHOUSE_URL", "postgresql://x/y", "must start with sqlite:/// or mysql+pymysql://"),
        ("LMS_PUSH_DRY_RUN", "perhaps", "must be 1 or 0"),
        ("LMS_PUSH_EVERY_MINUTES", "4", "must be a whole number of minutes from 5 to 1440"),
        ("LMS_LOG_FORMAT", "xml", "must be text or json"),
        ("LMS_EXECUTOR", "spark", "must be one of multiprocess, in_process, celery, k8s"),
        ("LMS_EXECUTOR", "celery", "celery needs a warehouse on MySQL or MariaDB: machines cannot share a file"),
        ("LMS_SMTP_URL", "mail.example.com", "must look like smtp://"),
        ("LMS_RULES_FILE", "nowhere.toml", "does not exist"),
        ("LMS_UI_URL", "https://somebody:pass-4711@dagster.example", "must not hold a user or password"),
        ("LMS_DOCS_URL", "https://somebody:pass-4711@docs.example", "must not hold a user or password"),
    ],
)
def test_a_wrong_value_is_named_with_what_is_expected(commands: Commands, variable: str, value: str, said: str):
    result = commands.run("run", "daily_full", **{variable: value})
    assert result.returncode == 2
    assert variable in result.stderr
    assert said in result.stderr
    assert "Traceback" not in result.stdout + result.stderr


def test_a_job_that_does_not_exist_is_answered_with_those_that_do(commands: Commands):
    result = commands.run("run", "daily")
    assert result.returncode == 2
    assert "there is no job daily" in result.stderr
    assert "daily_full" in result.stderr


@pytest.mark.parametrize("words", [("run", "daily_full", "--allow", "everything"), ("allow", "everything")])
def test_an_override_that_does_not_exist_is_answered_with_those_that_do(commands: Commands, words: tuple[str, ...]):
    before = tables_with_rows(commands.url)
    result = commands.run(*words)
    assert result.returncode == 2
    assert "--allow everything: there is no such override" in result.stderr
    assert "mass_deactivation:contacts" in result.stderr
    assert tables_with_rows(commands.url) == before


def test_a_token_for_the_ui_is_shown_with_the_tags_that_use_it(commands: Commands, tmp_path: Path):
    path = tmp_path / "allowing.db"
    path.write_bytes(empty_sqlite())
    result = commands.run("allow", "first_push", "--by", "Ada", LMS_WAREHOUSE_URL=f"sqlite:///{path}")
    assert result.returncode == 0, result.stderr
    assert "first_push: the run may push for the first time" in result.stdout
    assert "lms/allow = first_push" in result.stdout
    assert "lms/allow_token = " in result.stdout
    connection = sqlite3.connect(path)
    (row,) = connection.execute("SELECT allows, issued_by, run_id FROM sync_overrides").fetchall()
    connection.close()
    assert row == ("first_push", "Ada", None)


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("--partition", "2026-03-03", "weeks begin on Mondays"),
        ("--partition", "2023-12-25", "there is no week 2023-12-25"),
        ("--partition", "2099-01-05", "there is no week 2099-01-05"),
        ("--partition", "", "there is no week"),
        ("--last-days", "800000", "days are possible, as the first week begins on 2024-01-01"),
        ("--last-days", "0", "days are possible"),
        ("--last-days=-3", None, "days are possible"),
    ],
)
def test_weeks_that_do_not_exist_are_refused_in_one_line(commands: Commands, option: str, value: str | None, said: str):
    before = tables_with_rows(commands.url)
    result = commands.run("run", "enrollments_incremental", option, *([value] if value is not None else []))
    assert result.returncode == 2
    (line,) = [line for line in result.stderr.splitlines() if line.startswith("✗")]
    assert said in line
    assert "Traceback" not in result.stdout + result.stderr
    assert tables_with_rows(commands.url) == before


def test_a_file_with_secrets_that_others_can_read_is_refused(commands: Commands):
    path = commands.folder / ".env"
    path.write_text("NORTHPASS_API_KEY=secret\n", encoding="utf-8")
    path.chmod(0o644)
    try:
        result = commands.run("run", "daily_full", NORTHPASS_API_KEY=None)
    finally:
        path.unlink()
    assert result.returncode == 2
    assert "chmod 600" in result.stderr


def test_a_warehouse_that_was_never_made_names_the_command(commands: Commands, tmp_path: Path):
    result = commands.run("run", "daily_full", LMS_WAREHOUSE_URL=f"sqlite:///{tmp_path / 'new.db'}")
    assert result.returncode == 2
    assert "lms-assets db upgrade" in result.stderr
    assert not (tmp_path / "new.db").exists()


def test_half_a_migration_names_the_command(commands: Commands, tmp_path: Path):
    path = tmp_path / "half.db"
    path.write_bytes(empty_sqlite())
    connection = sqlite3.connect(path)
    connection.execute("DELETE FROM lms_assets_schema_version")
    connection.execute("DROP TABLE lms_enrollments")
    connection.commit()
    connection.close()
    result = commands.run("run", "daily_full", LMS_WAREHOUSE_URL=f"sqlite:///{path}")
    assert result.returncode == 2
    assert "lms-assets db upgrade" in result.stderr
    fixed = commands.run("db", "upgrade", LMS_WAREHOUSE_URL=f"sqlite:///{path}")
    assert fixed.returncode == 0, fixed.stderr
    assert commands.run("preflight", LMS_WAREHOUSE_URL=f"sqlite:///{path}").returncode == 0


def test_a_home_without_dagster_yaml_serves_a_terminal_and_preflight_says_what_lacks(
    commands: Commands, tmp_path: Path
):
    for text in (None, "", "telemetry: {enabled: false}\n"):
        if text is not None:
            (tmp_path / "dagster.yaml").write_text(text, encoding="utf-8")
        looked = commands.run("preflight", DAGSTER_HOME=str(tmp_path))
        assert looked.returncode == 0, looked.stdout
        assert "add to its dagster.yaml: run_retries: {enabled: true" in looked.stdout
    (tmp_path / "dagster.yaml").write_text("a: [", encoding="utf-8")
    broken = commands.run("preflight", DAGSTER_HOME=str(tmp_path))
    assert broken.returncode == 2
    assert "dagster.yaml cannot be read" in broken.stdout
    assert "Traceback" not in broken.stdout + broken.stderr
    assert "add to its dagster.yaml" not in commands.run("preflight").stdout, "the demo's has all of it"


def test_a_read_only_database_is_said_before_anything_runs(commands: Commands, tmp_path: Path):
    path = tmp_path / "read_only.db"
    path.write_bytes(empty_sqlite())
    uri = f"sqlite:///file:{path}?mode=ro&uri=true"
    result = commands.run("run", "daily_full", LMS_WAREHOUSE_URL=uri)
    assert result.returncode == 2, result.stdout
    assert "read-only" in result.stderr or "takes no writes" in result.stderr
    assert tables_with_rows(f"sqlite:///{path}") == []


def test_a_wrong_key_ends_the_run_with_what_to_check(commands: Commands):
    result = commands.run("run", "daily_full", NORTHPASS_API_KEY="wrong-key-that-nobody-may-see")
    assert result.returncode == 1
    assert "courses: Northpass, GET /courses (HTTP 401)" in result.stdout
    assert "wrong-key-that-nobody-may-see" not in result.stdout + result.stderr
    assert "users" not in tables_with_rows(commands.url)
    assert "lms_courses" not in tables_with_rows(commands.url)


def test_preflight_names_each_thing_that_is_wrong(commands: Commands):
    result = commands.run(
        "preflight",
        NORTHPASS_API_KEY="wrong",
        IMPARTNER_BASE_URL="http://127.0.0.1:9/api/objects/v1",
        LMS_ALERT_URLS="json://127.0.0.1 nonsense",
        DAGSTER_HOME=None,
    )
    assert result.returncode == 2
    marks = {line.split()[1]: line[0] for line in result.stdout.splitlines() if line[:1] in "✓✗" and line.strip()}
    assert marks["warehouse"] == "✓"
    assert marks["Northpass"] == "✗"
    assert marks["Impartner"] == "✗"
    assert marks["DAGSTER_HOME"] == "✗"
    assert marks["alerts"] == "✗"
    assert "no. 2 is no Apprise URL" in result.stdout
    assert "nonsense" not in result.stdout + result.stderr


def test_preflight_is_content_with_what_is_right(commands: Commands):
    result = commands.run("preflight")
    assert result.returncode == 0, result.stdout + result.stderr
    assert result.stdout.splitlines()[-1] == "Ready."


def test_status_before_the_first_chain_says_how_to_start_one(commands: Commands, tmp_path: Path):
    (tmp_path / "fresh.db").write_bytes(empty_sqlite())
    result = commands.run("status", LMS_WAREHOUSE_URL=f"sqlite:///{tmp_path / 'fresh.db'}")
    assert result.returncode == 0
    assert "lms-assets run daily_full" in result.stdout


def test_an_upgrade_shows_first_what_it_changes_and_can_only_plan(commands: Commands, tmp_path: Path):
    url = f"sqlite:///{tmp_path / 'planned.db'}"
    planned = commands.run("db", "upgrade", "--plan", LMS_WAREHOUSE_URL=url)
    assert planned.returncode == 0, planned.stderr
    assert "Nothing was changed" in planned.stdout
    assert not (tmp_path / "planned.db").exists()
    assert commands.run("db", "upgrade", LMS_WAREHOUSE_URL=url).returncode == 0
    connection = sqlite3.connect(tmp_path / "planned.db")
    connection.execute("DROP TABLE leads")
    connection.commit()
    again = commands.run("db", "upgrade", LMS_WAREHOUSE_URL=url)
    assert again.stdout.index("make table leads") < again.stdout.index("tables are now at version")
    connection.execute("DROP TABLE leads")
    connection.execute("CREATE VIEW leads AS SELECT 1 AS id")
    connection.commit()
    connection.close()
    for words in (("preflight",), ("db", "upgrade")):
        refused = commands.run(*words, LMS_WAREHOUSE_URL=url)
        assert refused.returncode == 2
        assert "leads is a view" in refused.stdout + refused.stderr
