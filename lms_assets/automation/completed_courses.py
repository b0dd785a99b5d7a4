"""Fresh within minutes: the LMS's log of completed courses, and the runs that read the people it names.

The log is read from where it was read to, or from the start of the last chain that read everybody. What it cannot tell
is a gap, which only reading everybody closes.
"""

# No postponed annotations: Dagster reads the type of `context` from the function itself.

from datetime import datetime, timedelta
from hashlib import blake2b

import dagster as dg

from lms_assets.assets.tier_3_enrollments.people_to_read import current_partner_users
from lms_assets.checks.evaluations import blocking_checks_not_passed
from lms_assets.domain.records.completions import (
    COURSE_COMPLETED,
    Completion,
    completion_from_message,
    look_from,
    recent_messages,
)
from lms_assets.domain.records.rejections import Rejected
from lms_assets.domain.schedule import ENROLLMENTS_JOB
from lms_assets.domain.wording import number_of
from lms_assets.lineage import GROUP_OF_JOB
from lms_assets.registry import LEARNING_ROWS
from lms_assets.resources import NorthpassResource, WarehouseResource
from lms_assets.run_tags import AS_OF_TAG, PEOPLE_TAG
from lms_assets.runs.active import run_under_way
from lms_assets.runs.partitions import everybody_tags, trailing_days_tags
from lms_assets.vendors.listing import Completeness
from lms_assets.warehouse.engine import Warehouse
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
            return dg.SkipReason(f"{number_of(new, 'new completion')}, none of a partner's people")
        waiting = "everybody" if everybody else number_of(len(queued), "person", "people")
        under_way = run_under_way(context.instance, LEARNING_JOBS)
        if under_way is not None:
            return dg.SkipReason(f"{waiting} waiting for the end of {under_way.job_name}")
        closed = blocking_checks_not_passed(context.instance, STANDS_BEFORE)
        if closed:
            return dg.SkipReason(f"{waiting} waiting; checks that stand before did not pass: {', '.join(closed)}")
        if gap is not None and everybody:
            context.log.warning(f"Everybody's transcript is read: of completions up to {gap.until}, {gap.reason}")
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
