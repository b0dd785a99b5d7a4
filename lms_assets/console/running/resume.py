"""Going on with a chain that failed: which steps are left, in a run that continues the first one."""

from __future__ import annotations

from datetime import UTC, datetime

import dagster as dg

from lms_assets.checks.specs import CHAIN_IS_WHOLE
from lms_assets.console.running.runner import CannotRun, RunOrder
from lms_assets.domain.operations.chain_state import CHECKS_SUFFIX
from lms_assets.domain.safety.run_instants import OLDEST
from lms_assets.domain.schedule import CHAIN
from lms_assets.lineage import COVERED_BY_CHAIN, DAILY_FULL, ancestors
from lms_assets.run_tags import AS_OF_TAG, RANGE_END, RANGE_START
from lms_assets.warehouse.bookkeeping.chain_log import ChainRow, latest_chain
from lms_assets.warehouse.engine import Warehouse

# Without the overrides: those are for one run, and a person gives them again.
KEPT_TAGS = (RANGE_START, RANGE_END, AS_OF_TAG)


def resumed_order(instance: dg.DagsterInstance, warehouse: Warehouse) -> RunOrder:
    """What is left of the last chain.

    Raises:
        CannotRun: the last chain did not fail, is too old to go on with, or is no longer known to Dagster.
    """
    with warehouse.read() as connection:
        row = latest_chain(connection, CHAIN)
    if row is None or row.status not in {"failed", "partial"} or row.run_id is None:
        raise CannotRun(
            "There is no failed chain to resume; the last one " + (row.status if row else "never ran") + "."
        )
    if datetime.now(UTC) - min(row.started_at, row.as_of or row.started_at) > OLDEST:
        raise CannotRun(f"The last failed chain is more than a day old; start a new one: lms-assets run {CHAIN}")
    root = instance.get_run_by_id(row.run_id)
    if root is None:
        raise CannotRun(f"Dagster no longer knows the run of that chain; start a new one: lms-assets run {CHAIN}")
    tags = {name: root.tags[name] for name in KEPT_TAGS if name in root.tags}
    planned = _planned_steps(instance, root)
    return RunOrder(CHAIN, tags, root.run_id, tuple(step for step in steps_left(row) if step in planned))


def _planned_steps(instance: dg.DagsterInstance, root: dg.DagsterRun) -> frozenset[str]:
    """The steps of the chain's first run; a run that continued it, by itself or not, knows only some of them."""
    snapshot = root.execution_plan_snapshot_id
    keys = instance.get_execution_plan_snapshot(snapshot).step_keys_to_execute if snapshot else ()
    return frozenset(keys)


def steps_left(row: ChainRow) -> list[str]:
    """Steps that did not come through, everything after them, and the checks of all: a process may have been killed
    between an asset and its checks, and then no check has passed yet.
    """
    records = row.state.steps
    open_assets = {name for name in DAILY_FULL if name not in records or records[name].status != "completed"}
    left = [name for name in DAILY_FULL if name in open_assets or ancestors((name,)) & open_assets]
    covered = [name for name in COVERED_BY_CHAIN if ancestors((name,)) & open_assets]
    return left + covered + [name + CHECKS_SUFFIX for name in DAILY_FULL] + [CHAIN_IS_WHOLE]
