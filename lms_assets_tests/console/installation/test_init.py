"""`lms-assets init`: what it writes works as it is, is written once, and is what the repository shows."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path
from unittest import mock
from urllib.parse import urlsplit

import pytest
import yaml
from click.testing import Result
from dotenv import dotenv_values
from typer.testing import CliRunner

from lms_assets.cli import app
from lms_assets.console.installation.init import SERVICES, TEMPLATES
from lms_assets.sandbox.config import SandboxConfig
from lms_assets.sandbox.server.server import SandboxHandle, running_sandbox
from lms_assets_tests.harness.commands import ROOT
from lms_assets_tests.harness.mariadb import MariaDbServer

OURS = ("LMS_", "NORTHPASS_", "IMPARTNER_", "DAGSTER_")


@pytest.fixture(autouse=True)
def empty_environment() -> Iterator[None]:
    """Nothing of ours is set, and what a command takes from a `.env` is gone afterwards; so is its working folder."""
    before = Path.cwd()
    kept = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
    with mock.patch.dict(os.environ, kept, clear=True):
        yield
        os.chdir(before)


@pytest.fixture(scope="module")
def sandbox() -> Iterator[SandboxHandle]:
    with running_sandbox(SandboxConfig(scale=0.005, northpass_rps=0, impartner_rps=0)) as running:
        yield running


def command(*words: str, **environment: str) -> Result:
    with mock.patch.dict(os.environ, environment):
        return CliRunner().invoke(app, words)


@pytest.mark.parametrize(
    ("ours", "shown"),
    [
        ("dagster.yaml", "dagster.yaml"),
        ("workspace.yaml", "workspace.yaml"),
        ("lms-assets.conf", "deploy/nginx/lms-assets.conf"),
        ("env.example", ".env.example"),
    ],
)
def test_the_repositorys_file_and_the_packages_are_one(ours: str, shown: str):
    """The wheel holds the package's; people read the repository's: after a change copy one over the other."""
    assert (TEMPLATES / ours).read_text(encoding="utf-8") == (ROOT / shown).read_text(encoding="utf-8")


def test_the_wheel_holds_every_template():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    patterns = project["tool"]["setuptools"]["package-data"]["lms_assets"]
    names = [path.name for path in TEMPLATES.iterdir()]
    assert not [name for name in names if not any(fnmatch(f"x/{name}", pattern) for pattern in patterns)]


def test_a_sandbox_installation_is_ready_once_its_tables_are_made(tmp_path: Path, sandbox: SandboxHandle):
    folder = tmp_path / "my lms"
    made = command("init", str(folder), "--sandbox")
    assert made.exit_code == 0, made.output
    assert "lms-assets sandbox --port 8765" in made.output
    os.chdir(folder)
    # Another port than the one in .env, since another test may have it; the environment wins.
    urls = {"NORTHPASS_BASE_URL": sandbox.northpass_url, "IMPARTNER_BASE_URL": sandbox.impartner_url}
    assert command("db", "upgrade", **urls).exit_code == 0
    looked = command("preflight", **urls)
    assert looked.exit_code == 0, looked.output
    assert (folder / "warehouse.db").exists()


def test_a_production_installation_takes_what_the_environment_knows(
    tmp_path: Path, sandbox: SandboxHandle, mariadb: MariaDbServer, mariadb_url: str
):
    parts = urlsplit(mariadb_url)
    known = {
        "NORTHPASS_BASE_URL": sandbox.northpass_url,
        "NORTHPASS_API_KEY": "sandbox-northpass-key",
        "IMPARTNER_BASE_URL": sandbox.impartner_url,
        "IMPARTNER_API_KEY": "sandbox-impartner-key",
        "LMS_WAREHOUSE_URL": mariadb_url,
        "DAGSTER_MYSQL_HOST": parts.hostname or "",
        "DAGSTER_MYSQL_PORT": str(parts.port),
        "DAGSTER_MYSQL_DB": "dagster_of_init",
        "DAGSTER_MYSQL_USERNAME": parts.username or "",
        "DAGSTER_MYSQL_PASSWORD": parts.password or "",
    }
    folder = tmp_path / "lms"
    assert command("init", str(folder), "--host", "dagster.partner.example", **known).exit_code == 0
    env = dotenv_values(folder / ".env")
    assert {name: env[name] for name in known} == known
    assert env["LMS_UI_URL"] == "https://dagster.partner.example"
    assert "dagster.example.com" not in (folder / "nginx" / "lms-assets.conf").read_text(encoding="utf-8")
    assert stat.S_IMODE((folder / ".env").stat().st_mode) == 0o600
    with mariadb.fresh_database("dagster_of_init"):
        os.chdir(folder)
        assert command("db", "upgrade").exit_code == 0
        looked = command("preflight")
        assert looked.exit_code == 0, looked.output
        assert "MySQL" in looked.output


def test_nothing_is_overwritten_unless_asked_and_then_it_is_kept(tmp_path: Path):
    folder = tmp_path / "lms"
    assert command("init", str(folder)).exit_code == 0
    (folder / ".env").write_text("MINE=1\n", encoding="utf-8")
    (folder / "workspace.yaml").unlink()
    before = sorted(folder.rglob("*"))
    refused = command("init", str(folder))
    assert refused.exit_code == 2
    assert ".env" in refused.output
    assert "workspace.yaml" not in refused.output
    assert sorted(folder.rglob("*")) == before
    assert (folder / ".env").read_text(encoding="utf-8") == "MINE=1\n"
    assert command("init", str(folder), "--force").exit_code == 0
    assert (folder / ".env.bak").read_text(encoding="utf-8") == "MINE=1\n"
    assert "NORTHPASS_API_KEY=" in (folder / ".env").read_text(encoding="utf-8")


def test_systemd_takes_the_units(tmp_path: Path):
    folder = tmp_path / "lms"
    assert command("init", str(folder)).exit_code == 0
    units = [folder / "systemd" / f"lms-assets-{name}.service" for name in SERVICES]
    assert all("{{" not in unit.read_text(encoding="utf-8") for unit in units)
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed: the units were not tried")
    verified = subprocess.run(["systemd-analyze", "verify", *units], capture_output=True, text=True, check=False)
    own = [line for line in verified.stderr.splitlines() if "lms-assets" in line]
    assert (verified.returncode, own) == (0, []), verified.stderr


def test_a_path_that_systemd_cannot_use_is_refused_before_anything_is_written(tmp_path: Path):
    refused = command("init", str(tmp_path / "two words"))
    assert refused.exit_code == 2
    assert "choose one without blanks" in refused.output
    assert not (tmp_path / "two words").exists()


def test_the_compose_file_serves_the_ui_behind_the_proxy_only(tmp_path: Path):
    folder = tmp_path / "lms"
    assert command("init", str(folder), "--compose", "--host", "dagster.partner.example").exit_code == 0
    services = yaml.safe_load((folder / "compose.yaml").read_text(encoding="utf-8"))["services"]
    assert [name for name, each in services.items() if "ports" in each] == ["proxy"]
    assert {"webserver", "daemon", "database"} <= set(services)
    assert all(services[name]["read_only"] for name in ("webserver", "daemon"))
    conf = (folder / "nginx" / "lms-assets.conf").read_text(encoding="utf-8")
    assert "server webserver:3000;" in conf
    schema = [str(Path(sys.executable).with_name("check-jsonschema")), "--builtin-schema", "vendor.compose-spec"]
    checked = subprocess.run([*schema, folder / "compose.yaml"], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout
    for volume in services["proxy"]["volumes"][1:]:
        assert volume.split(":")[1] in conf
