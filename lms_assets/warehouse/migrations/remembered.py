"""Migrations that Alembic loads once a process, for processes that ask for the newest one again and again."""

from __future__ import annotations

from alembic.config import Config
from alembic.script import ScriptDirectory


def remember_migrations(place: str) -> None:
    """From here on Alembic loads the migrations of a place once a process, and those of this place now.

    They are files of an installed package and change with its release only.

    Args:
        place: as Alembic's `script_location` names it, `package:folder`.
    """
    loaded: dict[str | None, ScriptDirectory] = {}
    load = ScriptDirectory.from_config

    def remembered(config: Config) -> ScriptDirectory:
        wanted = config.get_main_option("script_location")
        if wanted not in loaded:
            loaded[wanted] = load(config)
        return loaded[wanted]

    ScriptDirectory.from_config = remembered  # type: ignore[method-assign]
    asked = Config()
    asked.set_main_option("script_location", place)
    ScriptDirectory.from_config(asked).get_current_head()
