"""One counting: what every active partner's people hold at one instant, worked out from the warehouse alone."""

from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import dagster as dg

from lms_assets.assets.asset import asset_of
from lms_assets.assets.clocks import compare_clocks
from lms_assets.assets.sync_run import Step, sync_step
from lms_assets.assets.upstream_checks import require_upstream_checks
from lms_assets.domain.counting.certifications import (
    PartnerCounts,
    assess,
    count,
    partner_users,
    people_of_several_partners,
)
from lms_assets.domain.safety.run_instants import not_before
from lms_assets.resources import Connections
from lms_assets.warehouse import reading
from lms_assets.warehouse.engine import Connection
from lms_assets.warehouse.reading.foundation import partner_tiers
from lms_assets.warehouse.results.counts import (
    last_counted,
    note_counted_without_all,
    stored_counts,
    write_counts,
    write_history,
)
from lms_assets.warehouse.state.baselines import remember_base
from lms_assets.warehouse.upsert.upsert import SyncCounts

MOVERS = 10
SHOWN = 20


class Counting:
    """Counts at `at` (UTC) when made; `write` then stores the counts and the day's history."""

    def __init__(self, step: Step, at: datetime) -> None:
        self._step = step
        self.at = at
        with step.warehouse.read() as connection:
            activity = reading.partner_activity(connection)
            self._affiliations = partner_users(
                activity,
                reading.person_facts(connection),
                reading.group_facts(connection),
                reading.members(connection),
                reading.contact_facts(connection),
            )
            held = assess(
                self._affiliations,
                reading.enrollments(connection, {each.user_id for each in self._affiliations}),
                reading.course_facts(connection),
                at=at,
                months=step.rules.certification_months,
            )
            active = [partner for partner, is_active in activity.items() if is_active]
            self.counts: Mapping[int, PartnerCounts] = count(held, active, step.rules.gtm_category)
            self._before = {partner_id: row["total_npcu"] for partner_id, row in stored_counts(connection).items()}
            self._names = reading.partner_names(connection)
            self._tiers = partner_tiers(connection)
            self._withheld = reading.withheld_from_counting(connection, step.rules)

    def write(self, connection: Connection) -> SyncCounts:
        """Store the counts, and the day's for the reports."""
        now, counts = self._step.now, self.counts.values()
        people = Counter(each.partner_id for each in self._affiliations if each.obstacle is None)
        remember_base(connection, now=now)
        note_counted_without_all(connection, self._withheld, now=now)
        write_history(
            connection, self.at.date(), counts, as_of=self.at, now=now, people=dict(people), tiers=self._tiers
        )
        return write_counts(connection, counts, as_of=self.at, now=now)

    def figures(self) -> dict[str, Any]:
        """Totals, people of several partners, and the partners whose NPCU moved most."""
        counts = self.counts.values()
        several = people_of_several_partners(self._affiliations)
        return {
            "as_of": dg.MetadataValue.timestamp(self.at),
            "total_npcu": sum(each.total_npcu for each in counts),
            "certifications": sum(sum(each.by_category.values()) + each.uncategorised for each in counts),
            "certifications_without_category": sum(each.uncategorised for each in counts),
            "partner_users": len({each.user_id for each in self._affiliations if each.obstacle is None}),
            "partners_with_certifications": sum(each.total_npcu > 0 for each in counts),
            "people_at_several_partners": len(several),
            "people_at_several_partners_sample": [
                f"{user_id}: partners {', '.join(map(str, partner_ids))}"
                for user_id, partner_ids in list(several.items())[:SHOWN]
            ],
            "moved_most": _movers(self._before, self.counts, self._names),
        }


def _movers(
    before: Mapping[int, int], counts: Mapping[int, PartnerCounts], names: Mapping[int, str]
) -> dg.TableMetadataValue:
    """The ten partners whose NPCU moved most."""
    moves = [(each.total_npcu - before.get(partner_id, 0), partner_id) for partner_id, each in counts.items()]
    most = sorted((move for move in moves if move[0]), key=lambda move: (-abs(move[0]), move[1]))[:MOVERS]
    records = [
        dg.TableRecord(
            {
                "partner": names.get(partner_id, str(partner_id)),
                "before": before.get(partner_id, 0),
                "now": counts[partner_id].total_npcu,
                "change": change,
            }
        )
        for change, partner_id in most
    ]
    columns = [dg.TableColumn("partner"), *(dg.TableColumn(name, "int") for name in ("before", "now", "change"))]
    return dg.MetadataValue.table(records, schema=dg.TableSchema(columns))


@asset_of("partner_cert_counts")
def partner_cert_counts(context: dg.AssetExecutionContext, lms: Connections) -> dg.MaterializeResult[Any]:
    """Count every active partner at one instant, and keep the day's counts for the reports.

    The instant is the chain's start, or that of the newest counting where a resumed chain began before it.
    """
    with sync_step(context, lms, "partner_cert_counts") as step:
        require_upstream_checks(step)
        compare_clocks(step, lms)
        with step.warehouse.read() as connection:
            counted = last_counted(connection)
        counting = Counting(step, not_before(step.chain_started_at, counted.as_of if counted else None, step.now))
        step.write(counting.write, details={"as_of": counting.at.isoformat()})
        return step.result(len(counting.counts), **counting.figures())
