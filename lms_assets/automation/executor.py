"""How steps are started: forked from a server that has everything imported, 0.8 seconds a step instead of 4 to 6."""

from __future__ import annotations

import dagster as dg

EXECUTOR = dg.multiprocess_executor.configured(
    {
        "max_concurrent": 4,
        "start_method": {"forkserver": {"preload_modules": ["dagster", "lms_assets.definitions"]}},
    }
)
