"""One judgement of all certifications, written into the ledger of which every count is the sum."""

from collections import Counter
from datetime import datetime
from functools import partial
from typing import Any

import dagster as dg

from lms_assets.assets.asset import asset_of
from lms_assets.assets.sync_run import Step, sync_step
from lms_assets.assets.upstream_checks import compare_clocks, require_upstream_checks
from lms_assets.domain.counting.certifications import assess, people_of_several_partners
from lms_assets.domain.rules import Rules
from lms_assets.domain.safety.run_instants import not_before
from lms_assets.domain.sync_plans.counts import LedgerPlan, plan_ledger
from lms_assets.resources import ImpartnerResource, WarehouseResource
from lms_assets.warehouse.engine import Connection
from lms_assets.warehouse.reading.enrollments import enrollments_that_may_count
from lms_assets.warehouse.reading.foundation import course_facts
from lms_assets.warehouse.reading.people import stored_affiliations
from lms_assets.warehouse.reading.withheld import withheld_from_counting
from lms_assets.warehouse.results.counts import last_counted
from lms_assets.warehouse.results.ledger import read_ledger, write_ledger

SHOWN = 20


@asset_of("partner_certifications")
def partner_certifications(
    context: dg.AssetExecutionContext, impartner: ImpartnerResource, warehouse: WarehouseResource
) -> dg.MaterializeResult[Any]:
    """Judge every certification of partner people at one instant, and close or open the rows that changed."""
    with sync_step(context, warehouse, "partner_certifications") as step:
        require_upstream_checks(step)
        compare_clocks(step, impartner)
        with step.warehouse.read() as connection:
            plan = read_ledger_plan(connection, step.rules, _as_of(connection, step), step.now)
        work = partial(write_ledger, plan=plan, now=step.now)
        step.write(work, details={"as_of": plan.ledger.as_of.isoformat()})
        return step.result(len(plan.rows), **_figures(plan))


def read_ledger_plan(connection: Connection, rules: Rules, at: datetime, now: datetime) -> LedgerPlan:
    """What the ledger is to say as of `at` (UTC), of what is stored."""
    affiliations = stored_affiliations(connection)
    assessed = assess(
        affiliations,
        enrollments_that_may_count(connection, {each.user_id for each in affiliations}),
        course_facts(connection),
        at=at,
        months=rules.certification_months,
    )
    withheld = withheld_from_counting(connection, rules, affiliations)
    return plan_ledger(affiliations, assessed, at=at, read_at=now, withheld=withheld, before=read_ledger(connection))


def _as_of(connection: Connection, step: Step) -> datetime:
    """The chain's start, or the newest counting where a resumed chain began before it."""
    at = step.chain_started_at
    for newest in (read_ledger(connection), last_counted(connection)):
        at = not_before(at, newest.as_of if newest else None, step.now)
    return at


def _figures(plan: LedgerPlan) -> dict[str, Any]:
    """What became of the enrollments, and people of several partners."""
    several = people_of_several_partners(plan.affiliations)
    verdicts = Counter(item.verdict.value for item in plan.rows.values())
    return {
        "as_of": dg.MetadataValue.timestamp(plan.ledger.as_of),
        "verdicts": dict(sorted(verdicts.items())),
        "partner_users": len({each.user_id for each in plan.affiliations if each.obstacle is None}),
        "people_at_several_partners": len(several),
        "people_at_several_partners_sample": [
            f"{user_id}: partners {', '.join(map(str, partner_ids))}"
            for user_id, partner_ids in list(several.items())[:SHOWN]
        ],
    }
