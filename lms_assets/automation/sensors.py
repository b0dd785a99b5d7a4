"""What starts a run outside the timetable (a push, the people of completed courses), and the repair of the chain log.

Sensors that start runs are off until a person switches them on (the demo does, for the push); the others are on.

Completed courses: the LMS's log of them is read from where it was read to, or from the start of the last chain that
read everybody. What it cannot tell is a gap, which only reading everybody closes.
"""

from datetime import datetime, timedelta
from hashlib import blake2b

import dagster as dg

from lms_assets.assets.tier_3_enrollments.people_to_read import current_partner_users

# No postponed annotations: Dagster reads the type of `context` from the function itself.
from lms_assets.assets.tier_4_aggregation_and_push.push_planning import plan_of
from lms_assets.automation.chain_log import reconcile_chains
from lms_assets.checks.evaluations import blocking_checks_not_passed
from lms_assets.domain.records.completions import (
    COURSE_COMPLETED,
    Completion,
    completion_from_message,
    look_from,
    recent_messages,
)
from lms_assets.domain.records.values import Rejected
from lms_assets.domain.schedule import CHAIN, ENROLLMENTS_JOB, PUSH_JOB
from lms_assets.domain.wording import number_of
from lms_assets.lineage import ASSETS_OF_JOBS, GROUP_OF_JOB, SYNC_TYPES
from lms_assets.registry import LEARNING_ROWS
from lms_assets.resources import ImpartnerResource, NorthpassResource, WarehouseResource
from lms_assets.run_tags import AS_OF_TAG, PEOPLE_TAG
from lms_assets.runs.active import fingerprint, run_under_way
from lms_assets.runs.execution import ensure_pool_limits
from lms_assets.runs.tags import everybody_tags, trailing_days_tags
from lms_assets.vendors.listing import Completeness
from lms_assets.warehouse.bookkeeping import sync_log
from lms_assets.warehouse.engine import Warehouse
from lms_assets.warehouse.state.pushed_values import PUSH, last_push
from lms_assets.warehouse.state.refresh_queue import (
    LogReading,
    log_state,
    note_events,
    note_everybody_asked,
    queued_people,
)

# The log is asked from a little before where it was read to: a message may show after its own time.
OVERLAP = timedelta(minutes=10)
LEARNING_JOBS = tuple(job for job, group in GROUP_OF_JOB.items() if group == LEARNING_ROWS)
STANDS_BEFORE = ("courses", "course_npcu", "users", "memberships")


@dg.sensor(
    job_name=ENROLLMENTS_JOB,
    minimum_interval_seconds=20,
    default_status=dg.DefaultSensorStatus.STOPPED,
    description="Reads the LMS's log of completed courses and refreshes just those people: counts within minutes.",
)
def completed_courses_sensor(
    context: dg.SensorEvaluationContext, northpass: NorthpassResource, warehouse: WarehouseResource
) -> dg.RunRequest | dg.SkipReason:
    """Note new completions; then one run for all who are queued, or for everybody where the log has a gap."""
    now = warehouse.now()
    with warehouse.open() as database:
        new = _note_completions(northpass, database, now)
        with database.read() as connection:
            queued, gap = queued_people(connection), log_state(connection).open_gap
        everybody = gap is not None and gap.may_ask(now)
        if not queued and not everybody:
            return dg.SkipReason(f"{number_of(new, 'new completion')}, none of them by a partner's person")
        waiting = "everybody" if everybody else number_of(len(queued), "person", "people")
        under_way = run_under_way(context.instance, LEARNING_JOBS)
        if under_way is not None:
            return dg.SkipReason(f"{waiting} waiting for the end of {under_way.job_name}")
        closed = blocking_checks_not_passed(context.instance, STANDS_BEFORE)
        if closed:
            return dg.SkipReason(f"{waiting} waiting; upstream checks did not pass: {', '.join(closed)}")
        if gap is not None and everybody:
            context.log.warning(
                f"Everybody's transcript is read: completions up to {gap.until} may be missing ({gap.reason})"
            )
            database.in_transaction(lambda connection: note_everybody_asked(connection, gap, now=now))
            return dg.RunRequest(
                run_key=f"gap {now.isoformat()}", tags=everybody_tags(now) | {AS_OF_TAG: now.isoformat()}
            )
    # The hour is in the key: a run that failed is tried again, once an hour.
    named = ",".join(f"{person}@{at.isoformat()}" for person, at in sorted(queued.items()))
    key = f"{blake2b(named.encode(), digest_size=16).hexdigest()} {now:%Y-%m-%dT%H}"
    tags = {PEOPLE_TAG: "queued", AS_OF_TAG: now.isoformat(), **trailing_days_tags(now, 0)}
    return dg.RunRequest(run_key=key, tags=tags)


def _note_completions(northpass: NorthpassResource, warehouse: Warehouse, now: datetime) -> int:
    """Read the log from where it was read to, and queue whose completions are new; gives how many are."""
    with warehouse.read() as connection:
        log = log_state(connection)
    begin = look_from(log.read_until, log.everybody_read_at, now)
    with northpass.client() as client:
        listing = client.webhooks([COURSE_COMPLETED], since=begin - OVERLAP)
        read = [completion_from_message(message) for message in recent_messages(listing, begin - OVERLAP)]
    # Not found may be an empty log or a wrong answer, and messages that come while paging may hide others: then the
    # next look covers the same span again.
    again = listing.not_found or listing.completeness is Completeness.DRIFTED
    reading = LogReading(
        begin,
        begin if again else now,
        {each.key: each.person_id for each in read if isinstance(each, Completion)},
        [each for each in read if isinstance(each, Rejected)],
    )
    with warehouse.read() as connection:
        wanted = current_partner_users(connection) if reading.person_of_event else set()
    return warehouse.in_transaction(lambda connection: note_events(connection, reading, wanted=wanted, now=now))


PUSH_AGAIN_AFTER = timedelta(minutes=30)
RUN_STARTS_WITHIN = timedelta(minutes=1)
# What the cursor says of the newest sync when the plan of a push was empty.
SAME = "nothing differed at sync "


@dg.sensor(
    job_name=PUSH_JOB,
    minimum_interval_seconds=10,
    default_status=dg.DefaultSensorStatus.STOPPED,
    description="Pushes after a sync of enrollments, at most every LMS_PUSH_EVERY_MINUTES (6 hours unless set): if "
    "counts changed and all checks pass.",
)
def push_after_enrollments_sensor(
    context: dg.SensorEvaluationContext, warehouse: WarehouseResource, impartner: ImpartnerResource
) -> dg.RunRequest | dg.SkipReason:
    """One push for the newest sync of enrollments since the last push."""
    settings, now = impartner.settings(), warehouse.now()
    with warehouse.open() as database:
        with database.read() as connection:
            newest = max((each.id for each in sync_log.latest(connection).values()), default=0)
        if context.cursor == f"{SAME}{newest}":
            return dg.SkipReason("no sync since the last look, when no partner's counts differed")
        reason, key = _push_is_due(context.instance, database, settings.push_every, now)
        if reason is None and settings.push_dry_run:
            reason = f"LMS_PUSH_DRY_RUN is set: {CHAIN} shows the push once a day"
        if reason is None and not plan_of(database, warehouse.rules(), portal_url=settings.portal_url).items:
            # Any sync may change the plan, and nothing else does: until the next one, it need not be made again.
            context.update_cursor(f"{SAME}{newest}")
            reason = "no partner's counts differ from what the CRM confirmed"
    if reason is not None:
        return dg.SkipReason(reason)
    return dg.RunRequest(run_key=key, tags={AS_OF_TAG: now.isoformat()})


def _push_is_due(
    instance: dg.DagsterInstance, warehouse: Warehouse, push_every: timedelta, now: datetime
) -> tuple[str | None, str]:
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
    if pushed is not None and now - _asked_for_at(pushed) < push_every:
        apart = number_of(push_every // timedelta(minutes=1), "minute")
        began = f"the last push began at {pushed.started_at:%H:%M} UTC"
        return f"{began}; at least {apart} lie between two (LMS_PUSH_EVERY_MINUTES)", key
    if tried is not None and tried.status != "completed" and now - tried.started_at < PUSH_AGAIN_AFTER:
        return f"the push of {tried.started_at:%H:%M} UTC failed; it is tried again after half an hour", key
    under_way = run_under_way(instance, LEARNING_JOBS)
    if under_way is not None:
        return f"{under_way.job_name} is under way", key
    closed = blocking_checks_not_passed(instance, ASSETS_OF_JOBS[ENROLLMENTS_JOB])
    if closed:
        return f"checks before the push did not pass: {', '.join(closed)}", key
    return None, key


def _asked_for_at(pushed: sync_log.SyncLogEntry) -> datetime:
    """When a push was asked for. Counted from its beginning, what came in between would wait for two runs to start.

    Less than a minute before it began, since a chain that pushes at its end began long before.
    """
    as_of = pushed.fact("as_of")
    return max(datetime.fromisoformat(as_of), pushed.started_at - RUN_STARTS_WITHIN) if as_of else pushed.started_at


@dg.sensor(
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Ends runs whose process is gone, and corrects the chain log and the portal's task page.",
)
def chains_without_process_sensor(context: dg.SensorEvaluationContext, warehouse: WarehouseResource) -> dg.SkipReason:
    """End runs whose process is gone, and bring the chain log and the portal's task page up to date."""
    ensure_pool_limits(context.instance)
    # By this a terminal knows that a daemon serves this code location, and whether as it would run itself.
    context.update_cursor(fingerprint(warehouse.settings()))
    with warehouse.open() as database:
        fixed = reconcile_chains(context.instance, database)
    return dg.SkipReason(f"closed {len(fixed)} chains" if fixed else "nothing to correct")


SENSORS = [push_after_enrollments_sensor, completed_courses_sensor, chains_without_process_sensor]
