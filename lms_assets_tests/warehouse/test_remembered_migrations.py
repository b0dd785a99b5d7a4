from __future__ import annotations

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory

from lms_assets.runs.dagster_internals import MIGRATIONS
from lms_assets.warehouse.migrations import remembered

OURS = "lms_assets.warehouse:migrations"


def test_migrations_are_loaded_once_and_are_those_of_their_place(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(ScriptDirectory, "from_config", ScriptDirectory.from_config)
    places = {name: Config() for name in (MIGRATIONS, OURS)}
    for name, asked in places.items():
        asked.set_main_option("script_location", name)
    before = {name: ScriptDirectory.from_config(asked).get_heads() for name, asked in places.items()}
    remembered.remember_migrations(MIGRATIONS)
    for name, asked in places.items():
        scripts = ScriptDirectory.from_config(asked)
        assert scripts.get_heads() == before[name]
        assert ScriptDirectory.from_config(asked) is scripts
    assert before[MIGRATIONS] != before[OURS]
