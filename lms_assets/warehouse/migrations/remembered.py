"""Migrations that Alembic loads once a process, for processes that ask for the newest one again and again."""

from __future__ import annotations

from collections.abc import Callable

from alembic.config import Config
from alembic.script import ScriptDirectory


class _Remembered:
    def __init__(self, load: Callable[[Config], ScriptDirectory]) -> None:
        self._load = load
        self._loaded: dict[str | None, ScriptDirectory] = {}

    def __call__(self, config: Config) -> ScriptDirectory:
        wanted = config.get_main_option("script_location")
        if wanted not in self._loaded:
            self._loaded[wanted] = self._load(config)
        return self._loaded[wanted]


def remember_migrations(place: str) -> None:
    """From here on Alembic loads the migrations of a place once a process, and those of this place now. Twice is once.

    They are files of an installed package and change with its release only.

    Args:
        place: as Alembic's `script_location` names it, `package:folder`.
    """
    load = ScriptDirectory.from_config
    if not isinstance(load, _Remembered):
        ScriptDirectory.from_config = _Remembered(load)  # type: ignore[method-assign]
    asked = Config()
    asked.set_main_option("script_location", place)
    ScriptDirectory.from_config(asked).get_current_head()
