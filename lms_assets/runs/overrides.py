"""The overrides of one Dagster run: its tag names them, its token makes them valid, used by no other run."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime

import dagster as dg

from lms_assets.domain.safety.deactivation_limit import SyncStopped
from lms_assets.domain.safety.overrides import Overrides, as_tag, from_tag, parse_overrides
from lms_assets.run_tags import ALLOW_TAG, ALLOW_TOKEN_TAG, JOB_TAG
from lms_assets.warehouse.engine import Warehouse
from lms_assets.warehouse.state.overrides import claim, issue


def allowing_tags(
    warehouse: Warehouse, names: Collection[str], *, by: str, run_id: str | None = None
) -> dict[str, str]:
    """Tags for a run that is started within half an hour: these overrides, and a new token for them.

    Args:
        by: who allows it; kept with each use.
        run_id: the run, where it is known before it exists: then a reader of its tags cannot use them.

    Raises:
        ValueError: there is no override of that name.
    """
    wanted = parse_overrides(names)
    if not wanted:
        return {}
    now = datetime.now(UTC)
    token = warehouse.in_transaction(lambda connection: issue(connection, wanted, by=by, now=now, run_id=run_id))
    return {ALLOW_TAG: as_tag(wanted), ALLOW_TOKEN_TAG: token}


class OverrideRefused(SyncStopped):
    """The run asks for an override and has no valid token for it."""


def overrides_of(instance: dg.DagsterInstance, run: dg.DagsterRun, warehouse: Warehouse, now: datetime) -> Overrides:
    """What this run was allowed; claims its token, which no other run can use from then on.

    A run that continues one with an override, by itself or in the UI, is allowed nothing and not refused.

    Raises:
        OverrideRefused: no token, an unknown or expired one, one of another run or for something else.
    """
    job = run.tags.get(JOB_TAG)
    if not run.tags.get(ALLOW_TAG):
        return Overrides(job=job)
    try:
        names = from_tag(run.tags[ALLOW_TAG])
    except ValueError as error:
        raise OverrideRefused(f"The tag {ALLOW_TAG} cannot be used: {error}") from error
    record = instance.get_run_record_by_id(run.run_id)
    created = record.create_timestamp.astimezone(UTC) if record else datetime.now(UTC)
    token = run.tags.get(ALLOW_TOKEN_TAG, "")
    claimed = warehouse.in_transaction(
        lambda connection: claim(connection, token, run_id=run.run_id, run_created_at=created, now=now)
    )
    if claimed.holder is not None and _chain_of(instance, claimed.holder) == (run.root_run_id or run.run_id):
        # A run that continues another one inherits its tags; what was allowed was for that one.
        return Overrides(job=job)
    missing = names - claimed.names
    if claimed.id is None or missing:
        problem = claimed.problem or f"its token does not allow {', '.join(sorted(missing))}"
        raise OverrideRefused(
            f"This run asks for {', '.join(sorted(names))}, but {problem}. Nothing was written. Start it with "
            f"lms-assets run JOB --allow WHAT, or take a new token: lms-assets allow {' '.join(sorted(names))}"
        )
    return Overrides(names, job, claimed.id)


def _chain_of(instance: dg.DagsterInstance, run_id: str) -> str:
    run = instance.get_run_by_id(run_id)
    return (run.root_run_id if run else None) or run_id
