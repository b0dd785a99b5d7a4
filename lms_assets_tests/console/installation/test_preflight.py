"""Preflight finds what a first chain would fail for, and what it says to do about it makes it Ready."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import dagster as dg
import pytest
from typer.testing import CliRunner

from lms_assets.cli import app
from lms_assets.console.installation.preflight_looks import (
    LEAST_BYTES,
    LEAST_FILES,
    LEAST_PACKET,
    WANTED_BYTES,
    line_of_disk,
    lines_of_server,
)
from lms_assets.sandbox.config import SandboxConfig
from lms_assets.sandbox.server.server import SandboxHandle, running_sandbox
from lms_assets.warehouse.engine import Warehouse
from lms_assets.warehouse.server import ServerFacts
from lms_assets_tests.automation.receiver import receiving
from lms_assets_tests.harness.mariadb import MariaDbServer
from lms_assets_tests.harness.queue import report_of_a_daemon
from lms_assets_tests.reports.mail_server import Mailbox, running_mail_server

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
SERVER = ServerFacts(
    "11.4", NOW, "UTC", "utf8mb4", LEAST_PACKET, "portal", ("GRANT ALL PRIVILEGES ON `portal`.* TO `p`@`%`",)
)


@pytest.fixture(scope="module")
def sandbox() -> Iterator[SandboxHandle]:
    with running_sandbox(SandboxConfig(scale=0.005, northpass_rps=0, impartner_rps=0)) as running:
        yield running


@pytest.fixture
def ready(installation: Callable[..., Path], sandbox: SandboxHandle) -> Iterator[Path]:
    """An installation that works against the sandbox."""
    yield installation(
        NORTHPASS_BASE_URL=sandbox.northpass_url,
        IMPARTNER_BASE_URL=sandbox.impartner_url,
        NORTHPASS_REQUESTS_PER_SECOND="1000",
        IMPARTNER_REQUESTS_PER_SECOND="1000",
    )
    sandbox.faults.reset()


def preflight(*words: str, **environment: str) -> tuple[int, dict[str, list[tuple[str, str]]]]:
    """The exit code, and by each line's name what it says."""
    result = CliRunner().invoke(app, ["preflight", "--json", *words], env=environment)
    document: dict[str, Any] = json.loads(result.stdout)
    assert document["ready"] == (result.exit_code == 0)
    lines: dict[str, list[tuple[str, str]]] = {}
    for each in document["lines"]:
        lines.setdefault(each["name"], []).append((each["status"], each["note"]))
    return result.exit_code, lines


def problems(lines: dict[str, list[tuple[str, str]]]) -> dict[str, str]:
    return {name: note for name, said in lines.items() for status, note in said if status == "problem"}


def test_what_works_is_ready_and_each_thing_has_its_line(ready: Path):
    code, lines = preflight()
    assert code == 0, lines
    assert {"rules", "warehouse", "Northpass", "Northpass rights", "Impartner", "Impartner rights"} <= set(lines)
    assert {"Impartner fields", "alerts", "mail", "reports", "disk", "DAGSTER_HOME", "daemon", "schedules"} <= set(
        lines
    )
    assert "apart" in lines["Northpass"][0][1]
    assert "/transcripts/{id}" in lines["Northpass rights"][0][1]
    assert lines["daemon"][0][0] == lines["schedules"][0][0] == "warning"
    with dg.DagsterInstance.get() as instance:
        report_of_a_daemon(instance, datetime.now(UTC))
    assert preflight()[1]["daemon"][0][0] == "ok"
    text = CliRunner().invoke(app, ["preflight"]).stdout
    assert text.splitlines()[-1] == "Ready."


def test_nobody_who_gets_a_report_is_a_warning_until_somebody_does(ready: Path):
    status, note = preflight()[1]["recipients"][0]
    assert status == "warning"
    assert "partner_managers and executive_report_recipients" in note
    with sqlite3.connect(ready / "warehouse.db") as connection:
        connection.execute("INSERT INTO partner_managers (owner_name, email) VALUES ('Avery Stone', 'a@example.com')")
        connection.execute("INSERT INTO executive_report_recipients (email) VALUES ('board@example.com')")
    assert preflight()[1]["recipients"] == [("ok", "account managers 1, executives 1")]


def test_a_key_that_may_not_read_a_list_is_found_and_the_list_named(ready: Path, sandbox: SandboxHandle):
    for endpoint in ("GET /groups", "GET /webhooks", "GET /User"):
        sandbox.faults.add("forbidden", endpoint)
    code, lines = preflight()
    assert code == 2
    assert set(problems(lines)) == {"Northpass rights", "Impartner rights"}
    assert "GET /groups" in problems(lines)["Northpass rights"]
    assert "GET /User" in problems(lines)["Impartner rights"]
    assert [status for status, _ in lines["Northpass rights"]] == ["problem", "warning"]


def test_clocks_that_differ_are_found(ready: Path, sandbox: SandboxHandle):
    sandbox.faults.add("clock_skew", seconds=3600)
    code, lines = preflight()
    assert code == 2
    assert "Set the clock" in problems(lines)["Northpass"]


def test_a_home_that_is_relative_or_of_another_dagster_is_found(ready: Path):
    _, lines = preflight(DAGSTER_HOME="dagster_home")
    assert "no absolute path" in problems(lines)["DAGSTER_HOME"]
    assert "daemon" not in lines
    _, lines = preflight(DAGSTER_HOME=str(ready / "nowhere"))
    assert "lms-assets init" in problems(lines)["DAGSTER_HOME"]
    assert not (ready / "nowhere").exists()
    preflight()
    path = ready / "dagster_home" / "history" / "runs.db"
    with sqlite3.connect(path) as connection:
        head = connection.execute("SELECT version_num FROM alembic_version").fetchone()[0]
        connection.execute("UPDATE alembic_version SET version_num = 'b601eb913efa'")
    code, lines = preflight()
    assert code == 2
    assert "dagster instance migrate" in problems(lines)["Dagster's database"]
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE alembic_version SET version_num = ?", (head,))
    assert preflight()[0] == 0


def test_a_foreign_column_that_refuses_new_rows_is_found_and_a_default_helps(ready: Path):
    with sqlite3.connect(ready / "warehouse.db") as connection:
        connection.execute("DROP TABLE leads")
        columns = "id INTEGER PRIMARY KEY, impartner_id INTEGER UNIQUE, shoe_size INTEGER NOT NULL"
        connection.execute(f"CREATE TABLE leads ({columns})")
    assert CliRunner().invoke(app, ["db", "upgrade"]).exit_code == 0
    code, lines = preflight()
    assert code == 2
    assert "leads.shoe_size" in problems(lines)["warehouse"]
    assert "default value" in problems(lines)["warehouse"]
    with sqlite3.connect(ready / "warehouse.db") as connection:
        connection.execute("ALTER TABLE leads DROP COLUMN shoe_size")
        connection.execute("ALTER TABLE leads ADD COLUMN shoe_size INTEGER NOT NULL DEFAULT 40")
    assert preflight()[0] == 0


def test_a_user_without_rights_is_told_the_grant_that_helps(ready: Path, mariadb: MariaDbServer, mariadb_url: str):
    database = mariadb_url.rpartition("/")[2]
    Warehouse(mariadb_url).upgrade()
    mariadb.execute(
        "CREATE OR REPLACE USER looker@'127.0.0.1' IDENTIFIED BY 'l00ker-of-the-tests'",
        f"GRANT SELECT, INSERT, UPDATE ON `{database}`.* TO looker@'127.0.0.1'",
    )
    url = f"mysql://looker:l00ker-of-the-tests@127.0.0.1:{mariadb.port}/{database}"
    code, lines = preflight(LMS_WAREHOUSE_URL=url)
    assert code == 2
    said = problems(lines)["warehouse server"]
    assert "DELETE missing" in said
    mariadb.execute(said.partition(": ")[2].replace("this user", "looker@'127.0.0.1'"))
    code, lines = preflight(LMS_WAREHOUSE_URL=url)
    assert code == 0, problems(lines)
    assert "CREATE, ALTER, INDEX, DROP, REFERENCES" in lines["warehouse server"][0][1]


def test_test_messages_arrive_and_a_dead_channel_or_mail_server_is_found(ready: Path):
    mailbox = Mailbox()
    with receiving() as receiver, running_mail_server(mailbox) as server:
        channels = {"LMS_ALERT_URLS": receiver.alert_url, "LMS_SMTP_URL": f"smtp://{server}"}
        own = {**channels, "LMS_MAIL_FROM": "portal@example.com"}
        code, lines = preflight(**own)
        assert code == 0, problems(lines)
        assert not receiver.titles
        assert not mailbox.received
        code, lines = preflight("--send-test", **own)
        assert code == 0, problems(lines)
        assert receiver.titles == ["lms-assets: a test"]
        assert mailbox.received == {"portal@example.com": 1}
        code, _ = preflight("--send-test", **{**own, "LMS_MAIL_FROM": "Reports <reports@bücher.example>"})
        assert (code, mailbox.received["reports@xn--bcher-kva.example"]) == (0, 1)
        receiver.dead = True
        _, lines = preflight("--send-test", **own)
        assert "did not accept" in problems(lines)["alert channel 1"]
    code, lines = preflight(**own)
    assert code == 2
    assert "LMS_SMTP_URL" in problems(lines)["mail"]


@pytest.mark.parametrize(
    ("changes", "status", "said"),
    [
        ({}, "ok", "16 MB"),
        ({"max_allowed_packet": LEAST_PACKET - 1}, "problem", "SET GLOBAL max_allowed_packet"),
        ({"now": NOW + timedelta(minutes=6)}, "problem", "NTP"),
        ({"charset": "latin1"}, "warning", "ALTER DATABASE"),
        ({"zone": "CET"}, "warning", "UTC"),
        ({"grants": ("GRANT `writer` TO `p`@`%`",)}, "warning", "role"),
    ],
)
def test_a_server_that_differs_is_told_by_what_it_leads_to(changes: dict[str, Any], status: str, said: str):
    lines = list(lines_of_server(replace(SERVER, **changes), NOW))
    assert lines[0].status == status
    assert said in lines[0].note


@pytest.mark.parametrize(
    ("free", "files", "status"),
    [
        (LEAST_BYTES - 1, 10**6, "problem"),
        (LEAST_BYTES, 10**6, "warning"),
        (WANTED_BYTES, LEAST_FILES - 1, "problem"),
        (WANTED_BYTES, LEAST_FILES, "ok"),
        (WANTED_BYTES, None, "ok"),
    ],
)
def test_room_on_a_disk_is_judged_in_bytes_and_in_files(free: int, files: int | None, status: str):
    """A file system without inodes says that it has none at all."""
    room = SimpleNamespace(f_bavail=free, f_frsize=1, f_files=10**7 if files else 0, f_favail=files or 0)
    assert line_of_disk(Path("/data"), cast(os.statvfs_result, room)).status == status
