"""The demo beside a production `.env`: it must not use one key, tell one person or call one address of it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import pytest
from dotenv import dotenv_values

from lms_assets.console.commands import demo_environment
from lms_assets.settings import ConfigurationError, load_settings

ROOT = Path(__file__).resolve().parents[2]
ELSEWHERE = {
    "NORTHPASS_BASE_URL": "https://api.northpass.com/v2",
    "IMPARTNER_BASE_URL": "http://127.0.0.1:9/api/objects/v1",
    "LMS_WAREHOUSE_URL": "mysql+pymysql://user:password@db.example.com/portal",
    "DAGSTER_HOME": "/srv/lms",
    "LMS_ALERT_URLS": "json://alerts.example.com",
    "LMS_HEARTBEAT_URL": "https://alive.example.com",
    "LMS_SMTP_URL": "smtp://mail.example.com",
}


def of_production() -> dict[str, str]:
    """A value of its own for every variable of the example, and for what else leads a program elsewhere."""
    lines = (ROOT / ".env.example").read_text(encoding="utf-8").splitlines()
    names = [line.partition("=")[0] for line in lines if "=" in line and not line.startswith("#")]
    names += ["HTTP_PROXY", "https_proxy", "DAGSTER_PROJECT_ENV_FILE_PATHS", "LMS_SOMETHING_NEW"]
    return {name: f"of-production-{name.lower()}" for name in names}


@pytest.fixture
def demo_folder(tmp_path: Path) -> Iterator[Path]:
    """The demo's folder in a working folder with a production `.env`; the demo has been entered."""
    production = of_production()
    env = tmp_path / ".env"
    env.write_text("".join(f"{name}={value}\n" for name, value in production.items()), encoding="utf-8")
    before = Path.cwd()
    with mock.patch.dict(os.environ, production):
        os.chdir(tmp_path)
        demo_environment.enter(tmp_path / ".demo's", 4321)
        yield tmp_path / ".demo's"
        os.chdir(before)


def test_nothing_of_a_production_environment_or_folder_is_left_in_the_demo(demo_folder: Path):
    settings = load_settings(os.environ)
    assert not {name for name, value in os.environ.items() if value.startswith("of-production-")}
    assert (settings.alert_urls, settings.heartbeat_url, settings.smtp_url) == ((), None, None)
    assert Path.cwd().is_relative_to(demo_folder)


def test_the_working_folders_env_is_the_demos_own(demo_folder: Path):
    """Dagster's commands read it over the environment."""
    own = dotenv_values(".env")
    assert own == {name: os.environ[name] for name in own}
    assert own["DAGSTER_HOME"] == str(demo_folder / "dagster_home")
    assert own["LMS_WAREHOUSE_URL"] == f"sqlite:///{demo_folder / 'warehouse.db'}"
    assert Path(".env").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("name", sorted(ELSEWHERE))
def test_a_process_of_the_demo_refuses_whatever_lies_outside_the_demo(demo_folder: Path, name: str):
    """Should a variable get in anyway, the settings of the demo's processes do not take it."""
    load_settings(os.environ)
    with pytest.raises(ConfigurationError, match="the demo m"):
        load_settings({**os.environ, "LMS_MAIL_FROM": "lms@example.com", name: ELSEWHERE[name]})
