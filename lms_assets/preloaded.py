"""For the server that forks a long run's steps: what each of them would do again before its own work begins.

Importing it imports the rest, makes the chain's job out of the definitions and reads Dagster's own list of migrations,
which its SQLite storages load in full, 90 files, at each of four openings a step: together a quarter of a small step's
processor time.
"""

from __future__ import annotations

import gc
from contextlib import suppress
from importlib import import_module

from lms_assets.definitions import defs
from lms_assets.domain.schedule import CHAIN
from lms_assets.runs.dagster_internals import MIGRATIONS
from lms_assets.runs.execution import PRELOADED, keep_engines
from lms_assets.warehouse.migrations.remembered import remember_migrations

for name in PRELOADED:
    with suppress(ImportError):
        import_module(name)
remember_migrations(MIGRATIONS)
keep_engines()
defs.resolve_job_def(CHAIN)
# The garbage collector of a step would look through all of it, and so copy its pages into the step's own memory.
gc.freeze()
