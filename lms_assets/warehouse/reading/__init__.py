"""Reading the warehouse, one module a tier. Gives plain values, never rows of the database; writes nothing."""

from __future__ import annotations

from lms_assets.warehouse.reading.enrollments import (
    completed_ids,
    enrollment_ids_by_user,
    enrollments,
    enrollments_that_may_count,
    learning_of_weeks,
    people_read,
    reading_begun,
    transcript_states,
)
from lms_assets.warehouse.reading.foundation import (
    category_rules,
    course_facts,
    courses,
    known_course_ids,
    partner_activity,
    partner_names,
    partner_of_contacts,
    primary_users,
    stored_contacts,
    stored_partners,
)
from lms_assets.warehouse.reading.people import (
    affiliations,
    contact_emails,
    contact_facts,
    group_facts,
    groups,
    members,
    members_of,
    person_facts,
    users,
)
from lms_assets.warehouse.reading.whole import active_ids, duplicate_values, orphans, row_count
from lms_assets.warehouse.reading.withheld import (
    came_since,
    people_read_long_ago,
    withheld_from_counting,
    withheld_partners,
)

__all__ = [
    "active_ids",
    "affiliations",
    "came_since",
    "category_rules",
    "completed_ids",
    "contact_emails",
    "contact_facts",
    "course_facts",
    "courses",
    "duplicate_values",
    "enrollment_ids_by_user",
    "enrollments",
    "enrollments_that_may_count",
    "group_facts",
    "groups",
    "known_course_ids",
    "learning_of_weeks",
    "members",
    "members_of",
    "orphans",
    "partner_activity",
    "partner_names",
    "partner_of_contacts",
    "people_read",
    "people_read_long_ago",
    "person_facts",
    "primary_users",
    "reading_begun",
    "row_count",
    "stored_contacts",
    "stored_partners",
    "transcript_states",
    "users",
    "withheld_from_counting",
    "withheld_partners",
]
