"""One judgement of all certifications, written into the ledger of which every count is the sum."""

from collections import Counter
from datetime import datetime
from typing import Any

import dagster as dg

from lms_assets.assets.asset import asset_of
from lms_assets.assets.clocks import compare_clocks
from lms_assets.assets.sync_run import Step, sync_step
from lms_assets.assets.upstream_checks import require_upstream_checks
from lms_assets.domain.counting.certifications import assess, people_of_several_partners
from lms_assets.domain.counting.ledger import deciding, fingerprint
from lms_assets.domain.safety.run_instants import not_before
from lms_assets.resources import ImpartnerResource, WarehouseResource
from lms_assets.warehouse import reading
from lms_assets.warehouse.engine import Connection
from lms_assets.warehouse.results.counts import last_counted
from lms_assets.warehouse.results.ledger import Ledger, read_ledger, write_ledger
from lms_assets.warehouse.upsert.upsert import SyncCounts

SHOWN = 20


class Judgement:
    """Everybody's certifications at `at` (UTC), read and judged when made, as of one state of the database.

    `write` then makes the ledger equal to it.
    """

    def __init__(self, step: Step, at: datetime) -> None:
        self._step = step
        with step.warehouse.read() as connection:
            before = read_ledger(connection)
            self._newest = before.as_of if before else None
            self._affiliations = reading.affiliations(connection)
            assessed = assess(
                self._affiliations,
                reading.enrollments(connection, {each.user_id for each in self._affiliations}),
                reading.course_facts(connection),
                at=at,
                months=step.rules.certification_months,
            )
            self.rows = {fingerprint(item): item for item in deciding(assessed)}
            withheld = reading.withheld_from_counting(connection, step.rules)
        people = Counter(each.partner_id for each in self._affiliations if each.obstacle is None)
        self.ledger = Ledger(at, step.now, tuple(withheld), people)

    def write(self, connection: Connection) -> SyncCounts:
        """Open and close rows, in the caller's transaction."""
        return write_ledger(connection, self.rows, self.ledger, newest=self._newest, now=self._step.now)

    def figures(self) -> dict[str, Any]:
        """What became of the enrollments, and people of several partners."""
        several = people_of_several_partners(self._affiliations)
        verdicts = Counter(item.verdict.value for item in self.rows.values())
        return {
            "as_of": dg.MetadataValue.timestamp(self.ledger.as_of),
            "verdicts": dict(sorted(verdicts.items())),
            "partner_users": len({each.user_id for each in self._affiliations if each.obstacle is None}),
            "people_at_several_partners": len(several),
            "people_at_several_partners_sample": [
                f"{user_id}: partners {', '.join(map(str, partner_ids))}"
                for user_id, partner_ids in list(several.items())[:SHOWN]
            ],
        }


def _as_of(step: Step) -> datetime:
    """The chain's start, or the newest counting where a resumed chain began before it."""
    with step.warehouse.read() as connection:
        ledger, counted = read_ledger(connection), last_counted(connection)
    at = step.chain_started_at
    for newest in (ledger, counted):
        at = not_before(at, newest.as_of if newest else None, step.now)
    return at


@asset_of("partner_certifications")
def partner_certifications(
    context: dg.AssetExecutionContext, impartner: ImpartnerResource, warehouse: WarehouseResource
) -> dg.MaterializeResult[Any]:
    """Judge every certification of partner people at one instant, and close or open the rows that changed."""
    with sync_step(context, warehouse, "partner_certifications") as step:
        require_upstream_checks(step)
        compare_clocks(step, impartner)
        judgement = Judgement(step, _as_of(step))
        step.write(judgement.write, details={"as_of": judgement.ledger.as_of.isoformat()})
        return step.result(len(judgement.rows), **judgement.figures())
