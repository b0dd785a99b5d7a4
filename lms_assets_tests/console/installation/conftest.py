"""An installation on this machine: a warehouse in a file, a home of Dagster's, and the environment that names both."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from lms_assets.console.commands import demo
from lms_assets_tests.harness.templates import empty_sqlite


@pytest.fixture
def installation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Makes one, the process's own environment being that of its commands; gives its folder."""

    def make(**environment: str) -> Path:
        home = tmp_path / "dagster_home"
        home.mkdir()
        shutil.copyfile(Path(demo.__file__).with_name("demo_dagster.yaml"), home / "dagster.yaml")
        (tmp_path / "warehouse.db").write_bytes(empty_sqlite())
        own = {
            "DAGSTER_HOME": str(home),
            "LMS_WAREHOUSE_URL": f"sqlite:///{tmp_path / 'warehouse.db'}",
            "NORTHPASS_API_KEY": "sandbox-northpass-key",
            "IMPARTNER_API_KEY": "sandbox-impartner-key",
        }
        for name, value in {**own, **environment}.items():
            monkeypatch.setenv(name, value)
        monkeypatch.chdir(tmp_path)
        return tmp_path

    return make
