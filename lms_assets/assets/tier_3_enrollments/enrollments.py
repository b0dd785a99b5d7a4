"""`enrollments`: whose transcripts are due, read and staged, judged, written in one transaction."""

from collections.abc import Sequence
from datetime import date, datetime
from functools import partial
from typing import Any

import dagster as dg

from lms_assets.assets.asset import asset_of
from lms_assets.assets.run_order import CALLED, chosen_weeks, weeks_of
from lms_assets.assets.sync_run import Step, stop_if_too_many, sync_step
from lms_assets.assets.tier_3_enrollments.people_to_read import add_unlisted_members, people_to_read
from lms_assets.assets.tier_3_enrollments.transcripts import (
    READ_AHEAD,
    TranscriptBatch,
    known_enrollments,
    read_transcripts,
    refuse_if_nobody_is_found,
)
from lms_assets.assets.upstream_checks import require_upstream_checks
from lms_assets.domain.records.transcripts import from_json
from lms_assets.domain.schedule import ENROLLMENTS_JOB
from lms_assets.domain.sync_plans.enrollments import EnrollmentPlan, plan_enrollments
from lms_assets.resources import NorthpassResource, WarehouseResource
from lms_assets.run_tags import JOB_TAG
from lms_assets.vendors.northpass.client import NorthpassClient
from lms_assets.vendors.transport.errors import TransientVendorError
from lms_assets.warehouse.engine import Connection
from lms_assets.warehouse.reading.enrollments import learning_of_weeks, reading_begun
from lms_assets.warehouse.reading.foundation import known_course_ids
from lms_assets.warehouse.reading.whole import active_ids, row_count
from lms_assets.warehouse.reading.withheld import came_since
from lms_assets.warehouse.schema.tables import lms_enrollments, lms_users
from lms_assets.warehouse.state.refresh_queue import note_everybody_read
from lms_assets.warehouse.state.transcripts import (
    clear_staging,
    forget_staged,
    mark_read,
    mark_unread,
    read_since,
    staged_transcripts,
    staging_times,
    write_weeks,
)
from lms_assets.warehouse.sync_state import get_state
from lms_assets.warehouse.upsert.children import sync_enrollments
from lms_assets.warehouse.upsert.upsert import SyncCounts, upsert


@asset_of("enrollments")
def enrollments(
    context: dg.AssetExecutionContext, northpass: NorthpassResource, warehouse: WarehouseResource
) -> dg.MaterializeResult[Any]:
    """Read the transcripts of the partners' people and write their enrollments.

    Over the trailing days only those who need it are read, over any other weeks everybody. Without a partition there
    is nothing to read, and the run fails instead of passing in silence.
    """
    with sync_step(context, warehouse, "enrollments") as step:
        require_upstream_checks(step)
        weeks = weeks_of(context)
        with northpass.client() as client:
            # Not every four hours: those who are gone for good would be asked for each time.
            four_hourly = step.run.tags.get(JOB_TAG) == ENROLLMENTS_JOB
            unlisted = SyncCounts() if four_hourly else add_unlisted_members(step, client)
            plan, batch = _read(step, client, weeks)
            with step.warehouse.read() as connection:
                step.api_calls += _read_ahead(connection, step).get("calls", 0)
            step.used(client.http)
        learning = _write(step, plan, batch, weeks, unlisted)
        # Called as a function, a step has no partitions to describe.
        for week in () if step.run.job_name == CALLED else chosen_weeks(context):
            completions, enrolled = learning[date.fromisoformat(week)]
            shown = {"completions_of_week": completions, "enrollments_of_week": enrolled}
            context.add_asset_metadata(shown, partition_key=week)
        return step.result(weeks=len(weeks), **_figures(plan, batch))


def _read(step: Step, client: NorthpassClient, weeks: Sequence[str]) -> tuple[EnrollmentPlan, TranscriptBatch]:
    """Read the transcripts that are due, and work out what would go.

    Raises:
        VendorError: the vendor is down, or too many transcripts could not be read; what was read stays staged.
        MassDeactivationStopped: more enrollments would go than the deactivation limit allows.
    """
    staging_key = step.chain_key
    step.warehouse.in_transaction(partial(_forget_outdated, step=step))
    people, everybody = people_to_read(step, client, weeks)
    with step.warehouse.read() as connection:
        known = known_enrollments(connection, people)
        total = row_count(connection, lms_enrollments)
        others = sorted(active_ids(connection, lms_users) - set(people))
    batch = read_transcripts(step, client, people, known, staging_key)
    refuse_if_nobody_is_found(client, batch, others)
    _refuse_too_many_unread(step, batch, len(people))
    with step.warehouse.read() as connection:
        reads = [
            from_json(each.person_id, each.outcome, each.payload)
            for each in staged_transcripts(connection, staging_key)
        ]
        read_at = staging_times(connection, staging_key)
    plan = plan_enrollments(people, reads, known.by_person, everybody=everybody, read_at=read_at)
    stop_if_too_many(step, "enrollments", total, plan.leaving)
    return plan, batch


def _forget_outdated(connection: Connection, step: Step) -> None:
    """Of what this chain has read already: read again who was read by another run since, or came to a partner since.

    And, when there are more courses than there were, whose transcript names one that no list knew.
    """
    read_at = staging_times(connection, step.chain_key)
    outdated = read_since(connection, read_at, now=step.clock())
    outdated |= came_since(connection, step.rules, read_at)
    courses = _read_ahead(connection, step).get("courses")
    if courses is not None and courses != len(known_course_ids(connection)):
        staged = staged_transcripts(connection, step.chain_key)
        outdated |= {each.person_id for each in staged if (each.payload or {}).get("rejected")}
    forget_staged(connection, step.chain_key, outdated)


def _read_ahead(connection: Connection, step: Step) -> dict[str, int]:
    """What this chain noted of what it read before this step began; {} for nothing."""
    note = get_state(connection, READ_AHEAD) or {}
    return note if note.get("chain") == step.chain_key else {}


def _refuse_too_many_unread(step: Step, batch: TranscriptBatch, people: int) -> None:
    """Stop when more than `bad_record_share` of the transcripts, and more than 5, could not be read.

    Raises:
        TransientVendorError: those who could not be read are marked, so that the next run asks for them.
    """
    unread = [each.entity_id for each in batch.failures]
    if len(unread) <= max(5, step.rules.bad_record_share * people):
        return
    step.warehouse.in_transaction(lambda connection: mark_unread(connection, unread, now=step.now))
    raise TransientVendorError(
        "Northpass",
        "GET /transcripts/{id}",
        None,
        f"{len(unread)} of {people} transcripts could not be read",
        "Those that were read are kept; run it again with --resume for the rest",
    )


def _write(
    step: Step, plan: EnrollmentPlan, batch: TranscriptBatch, weeks: Sequence[str], unlisted: SyncCounts
) -> dict[date, tuple[int, int]]:
    """Write the plan, without what another run has read since; gives completions and enrollments of each week."""
    learning: dict[date, tuple[int, int]] = {}

    def work(connection: Connection) -> SyncCounts:
        current = plan.without(read_since(connection, plan.read_at, now=step.clock()))
        counts = write_enrollments(connection, current, as_of=step.chain_started_at, now=step.now)
        everybody = (len(current.complete), step.chain_started_at) if current.everybody_was_read else None
        mondays = list(map(date.fromisoformat, weeks))
        learning.update(learning_of_weeks(connection, mondays[0], mondays[-1]))
        write_weeks(connection, {week: learning[week] for week in mondays}, everybody=everybody, now=step.now)
        if plan.everybody:
            note_everybody_read(connection, step.chain_started_at, now=step.now)
        clear_staging(connection, step.chain_key)
        step.metadata["everybody_was_read"] = current.everybody_was_read
        return counts + SyncCounts(rejected_rows=unlisted.rejected_rows)

    rejected = [each for read in plan.reads for each in read.rejected]
    details = {
        "people_due": len(plan.people),
        "everybody": plan.everybody,
        "people_unread": len(batch.failures),
        "people_resumed": batch.resumed,
    }
    step.write(work, failures=[*batch.failures, *rejected], complete=False, right=plan.right_ids, details=details)
    return learning


def write_enrollments(connection: Connection, plan: EnrollmentPlan, *, as_of: datetime, now: datetime) -> SyncCounts:
    """Make complete transcripts' enrollments equal, add those of partial ones, and note when each person was read.

    Args:
        as_of: the chain's start, which is before every reading of it: what happened since then is read again.
    """
    complete = plan.complete
    counts = sync_enrollments(connection, plan.rows("complete"), user_ids=sorted(complete), now=now)
    counts += upsert(connection, lms_enrollments, plan.rows("partial"), key=("id",), now=now)
    read_at = {each.person_id: plan.read_at[each.person_id] for each in plan.reads}
    mark_read(connection, read_at, complete, as_of=as_of, begun=reading_begun(connection, as_of), now=now)
    mark_unread(connection, sorted(plan.unread), now=now)
    return counts


def _figures(plan: EnrollmentPlan, batch: TranscriptBatch) -> dict[str, Any]:
    """How the reading went."""
    kinds = [each.kind for read in plan.reads for each in read.rejected]
    return {
        "rows_read": sum(len(read.enrollments) for read in plan.reads),
        "people_read": batch.read,
        "people_resumed": batch.resumed,
        "people_unread": len(batch.failures),
        "people_gone": batch.gone,
        "transcripts_not_sure": sum(read.outcome == "partial" for read in plan.reads),
        "transcripts_of_unknown_courses": kinds.count("unknown_course"),
        "unreadable_records": kinds.count("bad"),
    }
