"""The server that a long run's steps are forked from. Without Dagster, so that it can begin before everything else."""

from __future__ import annotations

import os
from multiprocessing import forkserver

PRELOADED = ["lms_assets.preloaded"]
"""What it imports first, and by it all that a step would import by itself, each time."""


def forks_steps() -> bool:
    """Whether the chain's steps are forked on this machine, by the run's own process."""
    return os.environ.get("LMS_EXECUTOR", "").strip() in ("", "multiprocess")


def start_step_server() -> None:
    """Begin now to import what steps are forked from, if any are; once it runs, this does nothing."""
    if forks_steps():
        forkserver.set_forkserver_preload(PRELOADED)
        forkserver.ensure_running()
