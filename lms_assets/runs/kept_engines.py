"""Dagster's events in SQLite at a third of the cost: a full range of weeks makes 300 of them.

Dagster's storage makes an engine for every single question and every event, and a new engine compiles the same
statements again. After each event it waits for the disk.
"""

from __future__ import annotations

import sqlite3
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


class _Connection(sqlite3.Connection):
    """Waits for the disk when SQLite moves its write-ahead log into the file, no longer after every event.

    A crash of a process loses nothing by it. A power cut can lose the last events of a run that it ends anyway; what
    the steps wrote stands in the warehouse, and a resumed chain finds it there.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.execute("PRAGMA synchronous = NORMAL")


class _Kept:
    def __init__(self, create: Any) -> None:
        self._create = create
        self._engines: OrderedDict[str, Any] = OrderedDict()

    def engine(self, url: str, **options: Any) -> Any:
        """As SQLAlchemy's `create_engine`; the storage gives the same options for every file."""
        found = self._engines.pop(url, None)
        if found is None:
            options["connect_args"] = {**options.get("connect_args", {}), "factory": _Connection}
            found = self._create(url, **options)
        self._engines[url] = found
        while len(self._engines) > MOST:
            self._engines.popitem(last=False)
        return found
