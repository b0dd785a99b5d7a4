"""One engine for each of Dagster's SQLite event files, instead of a new one for each event.

Dagster's storage makes an engine for every single question and every event. A new engine compiles the same statements
again: half of the processor time of an event, and a full range of weeks has 400 of them.
"""

from __future__ import annotations

from collections import OrderedDict
from importlib import import_module
from typing import Any

from lms_assets.runs.dagster_internals import SQLITE_EVENTS

MOST = 16
"""Engines kept: a daemon sees the file of every run. None of them holds a connection."""


def keep_engines() -> None:
    """From here on, in this process; twice is the same as once."""
    module: Any = import_module(SQLITE_EVENTS)
    create = module.create_engine
    if isinstance(getattr(create, "__self__", None), _Kept):
        return
    module.create_engine = _Kept(create).engine


class _Kept:
    def __init__(self, create: Any) -> None:
        self._create = create
        self._engines: OrderedDict[str, Any] = OrderedDict()

    def engine(self, url: str, **options: Any) -> Any:
        """As SQLAlchemy's `create_engine`; the storage gives the same options for every file."""
        found = self._engines.pop(url, None)
        self._engines[url] = found = found or self._create(url, **options)
        while len(self._engines) > MOST:
            self._engines.popitem(last=False)
        return found
