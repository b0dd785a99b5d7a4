"""The demo beside a production `.env`: it must not use one key, tell one person or call one address of it."""

from __future__ import annotations

import os
from pathlib import Path
from unittest import mock

from lms_assets.console.demo import set_environment
from lms_assets.console.environment import load_dotenv_file
from lms_assets.settings import load_settings

ROOT = Path(__file__).resolve().parents[2]


def production_env(folder: Path) -> None:
    """A `.env` with a value of its own for every variable of the example."""
    lines = (ROOT / ".env.example").read_text(encoding="utf-8").splitlines()
    names = [line.partition("=")[0] for line in lines if "=" in line and not line.startswith("#")]
    path = folder / ".env"
    path.write_text("".join(f"{name}=of-production-{name.lower()}\n" for name in names), encoding="utf-8")
    path.chmod(0o600)


def test_nothing_of_a_production_env_reaches_the_demo(tmp_path: Path):
    production_env(tmp_path)
    with mock.patch.dict(os.environ, {}, clear=True):
        set_environment(tmp_path / ".demo", 4321)
        load_dotenv_file(tmp_path)
        settings = load_settings(os.environ)
        taken = {name for name, value in os.environ.items() if value.startswith("of-production-")}
    assert not {name for name in taken if name.startswith(("LMS_", "NORTHPASS_", "IMPARTNER_", "DAGSTER_HOME"))}
    assert settings.alert_urls == ()
    assert settings.heartbeat_url is None
    assert settings.smtp_url is None
