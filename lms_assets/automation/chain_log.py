"""Keeps the row of a chain in `task_chain_logs` true: while it runs, when it ends, and after a crash.

While it runs, a logging handler (named in dagster.yaml under `python_logs`) sees every event in the process where it
happens, so `current_step` is right within moments. When the process was killed nobody reports its end:
`reconcile_chains` reads the event log again and closes the row.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import dagster as dg
from filelock import Timeout

from lms_assets.automation.chain_events import chain_event, chain_events
from lms_assets.automation.run_locks import fail_dead_runs, hold_run, home_of, release_run
from lms_assets.domain.chain import ChainEvent, ChainState, StepRecord, apply_event, close, final_status, fold
from lms_assets.lineage import DAILY_FULL, NOT_REQUIRED
from lms_assets.warehouse.chain_log import ChainRow, ChainStore
from lms_assets.warehouse.engine import Warehouse

CHAIN_NAME = "daily_full"
DEGRADING_CHECKS = frozenset({"memberships_are_current", "push_is_confirmed"})
RUN_ENDS = {"PIPELINE_SUCCESS": None, "PIPELINE_FAILURE": None, "PIPELINE_CANCELED": "cancelled"}
MEANINGFUL = frozenset({"started", "succeeded", "failed", "retrying", "materialized", "check"})

_log = logging.getLogger(__name__)


def state_of(row: ChainRow) -> ChainState:
    """The steps that a row holds."""
    records = [StepRecord.from_json(step) for step in row.steps]
    return ChainState({record.step: record for record in records})
