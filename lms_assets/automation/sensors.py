"""What starts runs outside the timetable: counts that changed, completed courses. And what looks after the chain log.

Sensors that start runs are off until somebody switches them on (the demo does, for the push); those that look after
things are on.
"""

# No postponed annotations: Dagster reads the type of `context` from the function itself.

from datetime import datetime, timedelta
from hashlib import blake2b

import dagster as dg

from lms_assets.assets.tier_3_enrollments.people_to_read import current_partner_users
from lms_assets.assets.tier_4_aggregation_and_push.push_planning import plan_of
from lms_assets.automation.chain_log import reconcile_chains
from lms_assets.automation.check_history import blocking_checks_not_passed
from lms_assets.domain.operations.schedule import CHAIN, ENROLLMENTS_JOB, PUSH_JOB
from lms_assets.domain.records.completions import COURSE_COMPLETED, Completion, completion_from_message, recent_messages
from lms_assets.domain.records.rejections import Rejected
from lms_assets.lineage import ASSETS_OF_JOBS, GROUP_OF_JOB, SYNC_TYPES
from lms_assets.registry import LEARNING_ROWS
from lms_assets.resources import ImpartnerResource, NorthpassResource, WarehouseResource
from lms_assets.run_tags import AS_OF_TAG, PEOPLE_TAG
from lms_assets.runs.active import run_under_way
from lms_assets.runs.execution import ensure_pool_limits
from lms_assets.runs.partitions import trailing_days_tags
from lms_assets.runs.served import fingerprint
from lms_assets.warehouse.bookkeeping import sync_log
from lms_assets.warehouse.engine import Warehouse
from lms_assets.warehouse.state.pushed_values import PUSH, last_push
from lms_assets.warehouse.state.refresh_queue import events_read_until, note_events, queued_people

# Between two pushes that went through.
PUSH_EVERY = timedelta(hours=6)
PUSH_AGAIN_AFTER = timedelta(minutes=30)
# The log is asked from a little before where it was read to: a message may show after its own time.
OVERLAP = timedelta(minutes=10)
FIRST_LOOK = timedelta(hours=24)
LEARNING_JOBS = tuple(job for job, group in GROUP_OF_JOB.items() if group == LEARNING_ROWS)


@dg.sensor(
    job_name=PUSH_JOB,
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.STOPPED,
    description="Pushes after a sync of enrollments, at most every 6 hours: if counts changed and all checks pass.",
)
def push_after_enrollments_sensor(
    context: dg.SensorEvaluationContext, warehouse: WarehouseResource, impartner: ImpartnerResource
) -> dg.RunRequest | dg.SkipReason:
    """One push for the newest sync of enrollments since the last push."""
    with warehouse.open() as database:
        reason, key = _push_is_due(context.instance, database, warehouse.now())
        if reason is None and impartner.settings().push_dry_run:
            reason = f"LMS_PUSH_DRY_RUN is set: {CHAIN} shows the push once a day"
        if reason is None:
            planned = plan_of(database, warehouse.rules(), portal_url=impartner.settings().portal_url)
            reason = None if planned.items else "no partner's counts differ from what the CRM confirmed"
    if reason is not None:
        return dg.SkipReason(reason)
    return dg.RunRequest(run_key=key, tags={AS_OF_TAG: warehouse.now().isoformat()})


def _push_is_due(instance: dg.DagsterInstance, warehouse: Warehouse, now: datetime) -> tuple[str | None, str]:
    """Why there is nothing to push now (None: there may be), and the key of the push that is due."""
    with warehouse.read() as connection:
        read = sync_log.last_completed(connection).get(SYNC_TYPES["enrollments"])
        tried = sync_log.latest(connection).get(PUSH)
        pushed = last_push(connection)
    key = f"push after sync {read.id if read else 0}"
    if tried is not None and (pushed is None or tried.id > pushed.id):
        # Dagster starts no second run for a key, and the last attempt sent nothing.
        key += f", again after {tried.id}"
    if read is None or read.completed_at is None:
        return "enrollments were never read completely", key
    if pushed is not None and read.completed_at <= pushed.started_at:
        return "enrollments were not read since the last push", key
    if pushed is not None and now - pushed.started_at < PUSH_EVERY:
        return f"the last push began at {pushed.started_at:%H:%M} UTC; there are at least 6 hours between two", key
    if tried is not None and tried.status != "completed" and now - tried.started_at < PUSH_AGAIN_AFTER:
        return f"the push of {tried.started_at:%H:%M} UTC failed; it is tried again after half an hour", key
    under_way = run_under_way(instance, LEARNING_JOBS)
    if under_way is not None:
        return f"{under_way.job_name} is under way", key
    closed = blocking_checks_not_passed(instance, ASSETS_OF_JOBS[ENROLLMENTS_JOB])
    if closed:
        return f"checks that stand before the push did not pass: {', '.join(closed)}", key
    return None, key


@dg.sensor(
    job_name=ENROLLMENTS_JOB,
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.STOPPED,
    description="Reads the LMS's webhook log for completed courses and refreshes just those people.",
)
def completed_courses_sensor(
    context: dg.SensorEvaluationContext, northpass: NorthpassResource, warehouse: WarehouseResource
) -> dg.RunRequest | dg.SkipReason:
    """Note new completions, then start one run for everybody who is queued."""
    now = warehouse.now()
    with warehouse.open() as database:
        new = _note_completions(northpass, database, now)
        with database.read() as connection:
            queued = queued_people(connection)
    if not queued:
        return dg.SkipReason(f"{new} new completions, none of a partner's people")
    under_way = run_under_way(context.instance, LEARNING_JOBS)
    if under_way is not None:
        return dg.SkipReason(f"{len(queued)} people wait for the end of {under_way.job_name}")
    closed = blocking_checks_not_passed(context.instance, ("courses", "course_npcu", "users", "memberships"))
    if closed:
        return dg.SkipReason(f"{len(queued)} people wait; checks that stand before did not pass: {', '.join(closed)}")
    # The hour is in the key: a run that failed is tried again, once an hour.
    waiting = ",".join(f"{person}@{at.isoformat()}" for person, at in sorted(queued.items()))
    key = f"{blake2b(waiting.encode(), digest_size=16).hexdigest()} {now:%Y-%m-%dT%H}"
    tags = {PEOPLE_TAG: "queued", AS_OF_TAG: now.isoformat(), **trailing_days_tags(now, 0)}
    return dg.RunRequest(run_key=key, tags=tags)


def _note_completions(northpass: NorthpassResource, warehouse: Warehouse, now: datetime) -> int:
    """Read the log from where it was read to, and queue whose completions are new; gives how many are."""
    with warehouse.read() as connection:
        read_until = events_read_until(connection)
    since = (read_until or now - FIRST_LOOK) - OVERLAP
    with northpass.client() as client:
        listing = client.webhooks([COURSE_COMPLETED], since=since)
        read = [completion_from_message(message) for message in recent_messages(listing, since)]
    # Not found may be an empty log or a wrong answer: then the next look covers the same span again.
    until = since + OVERLAP if listing.not_found else now
    person_of_event = {each.key: each.person_id for each in read if isinstance(each, Completion)}
    unreadable = [each for each in read if isinstance(each, Rejected)]
    with warehouse.read() as connection:
        wanted = current_partner_users(connection) if person_of_event else set()
    return warehouse.in_transaction(
        lambda connection: note_events(
            connection, person_of_event, wanted=wanted, read_until=until, now=now, unreadable=unreadable
        )
    )


@dg.sensor(
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Ends runs whose process is gone, and puts the chain log and the portal's task page right.",
)
def chains_without_process_sensor(context: dg.SensorEvaluationContext, warehouse: WarehouseResource) -> dg.SkipReason:
    """Close what nobody else will close."""
    ensure_pool_limits(context.instance)
    # By this a terminal knows that a daemon serves this code location, and whether as it would run itself.
    context.update_cursor(fingerprint(warehouse.settings()))
    with warehouse.open() as database:
        fixed = reconcile_chains(context.instance, database)
    return dg.SkipReason(f"closed {len(fixed)} chains" if fixed else "nothing to correct")


SENSORS = [push_after_enrollments_sensor, completed_courses_sensor, chains_without_process_sensor]
