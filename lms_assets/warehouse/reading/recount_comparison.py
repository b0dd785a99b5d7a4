"""The stored counts against the recount, in one reading transaction: who differs, and why they are withheld.

Imports pandas through `recount`: import it where it is used, inside a function.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime

from sqlalchemy import Connection

from lms_assets.domain.counting.certifications import PartnerCounts, assess, count
from lms_assets.domain.rules import Rules
from lms_assets.domain.safety.withheld import Difference, WithheldReason, differing, withheld_for
from lms_assets.warehouse.reading.enrollments import enrollments_that_may_count
from lms_assets.warehouse.reading.foundation import course_facts
from lms_assets.warehouse.reading.people import stored_affiliations
from lms_assets.warehouse.reading.recount import recount
from lms_assets.warehouse.results.counts import CATEGORY_COLUMNS, count_columns, stored_counts
from lms_assets.warehouse.results.ledger import ledger_items


def recount_differences(connection: Connection, rules: Rules, at: datetime) -> Mapping[int, WithheldReason]:
    """Row id of every active partner whose stored counts are not what a recount as of `at` (UTC) gives, and why."""
    recounted = recount(
        connection,
        at,
        months=rules.certification_months,
        columns=CATEGORY_COLUMNS,
        gtm_category=rules.gtm_category,
    )
    stored = stored_counts(connection)
    partner_ids = differing(stored, recounted.counts)
    if not partner_ids:
        return {}
    counted_now = _counted_now(connection, rules, at, partner_ids)
    return {
        partner_id: withheld_for(
            Difference(
                stored=stored[partner_id],
                recounted=recounted.counts[partner_id],
                counted_now=count_columns(counted_now[partner_id]),
                counted_rows=_rows_counted(connection, partner_id),
                recounted_rows=recounted.rows_of(partner_id),
            )
        )
        for partner_id in partner_ids
    }


def _rows_counted(connection: Connection, partner_id: int) -> frozenset[tuple[str, str]]:
    """(person, course) of each certification of the ledger that makes up the stored counts."""
    items = ledger_items(connection, partner_id=partner_id, counted=True)
    return frozenset((each.user_id, each.course_id) for each in items)


def _counted_now(
    connection: Connection, rules: Rules, at: datetime, partner_ids: Collection[int]
) -> Mapping[int, PartnerCounts]:
    """What counting gives for these partners with the tables as they are now."""
    wanted = set(partner_ids)
    theirs = [each for each in stored_affiliations(connection) if each.partner_id in wanted]
    attempts = enrollments_that_may_count(connection, {each.user_id for each in theirs})
    assessed = assess(theirs, attempts, course_facts(connection), at=at, months=rules.certification_months)
    return count(assessed, partner_ids, rules.gtm_category)
