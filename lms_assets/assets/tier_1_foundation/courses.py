"""`courses`: every course that the LMS lists."""

from dataclasses import asdict
from typing import Any

import dagster as dg

from lms_assets.assets.asset import asset_of
from lms_assets.assets.listing_sync import refuse_too_many_bad, take_in, write_listing
from lms_assets.assets.sync_run import sync_step
from lms_assets.assets.tier_1_foundation.course_npcu import write_categories
from lms_assets.domain.records.courses import course_from_record
from lms_assets.resources import NorthpassResource, WarehouseResource
from lms_assets.warehouse.engine import Connection
from lms_assets.warehouse.reading.foundation import known_course_ids
from lms_assets.warehouse.schema.tables import lms_courses
from lms_assets.warehouse.upsert.upsert import SyncCounts, upsert


@asset_of("courses")
def courses(
    context: dg.AssetExecutionContext, northpass: NorthpassResource, warehouse: WarehouseResource
) -> dg.MaterializeResult[Any]:
    """Fetch every course and write its name, description and status."""
    with sync_step(context, warehouse, "courses") as step:
        with step.warehouse.read() as connection:
            known = known_course_ids(connection)
        with northpass.client() as client:
            listing = take_in(step, client.courses, course_from_record, "courses", again=not known)
            step.used(client.http)
        refuse_too_many_bad(step, listing)
        rows = [asdict(course) | {"name": course.name or course.id} for course in listing.accepted]

        def write(connection: Connection) -> SyncCounts:
            counts = upsert(connection, lms_courses, rows, key=("id",), now=step.now)
            write_categories(connection, step.rules, step.now)
            return counts

        write_listing(step, write, listing)
        return step.result(listed=len(rows))
