"""Tier 4: what partners' people hold, and what the CRM is told. `partner_cert_counts`, `pushed_partner_cert_counts`."""

# No postponed annotations: Dagster reads the type of `context` from the function itself.

from collections.abc import Mapping
from typing import Any

import dagster as dg

from lms_assets.assets.define import asset_of
from lms_assets.assets.push import Push
from lms_assets.assets.step import sync_step
from lms_assets.domain.certifications import (
    PartnerCounts,
    assess,
    count,
    partner_users,
    people_of_several_partners,
)
from lms_assets.resources import Connections
from lms_assets.warehouse import reading
from lms_assets.warehouse.counts import stored_counts, write_counts, write_history
from lms_assets.warehouse.engine import Connection
from lms_assets.warehouse.plausibility import remember_base, remember_pushed_total
from lms_assets.warehouse.reading.counting import partner_tiers
from lms_assets.warehouse.sync import SyncCounts

MOVERS = 10


@asset_of("partner_cert_counts", table="partners")
def partner_cert_counts(context: dg.AssetExecutionContext, lms: Connections) -> dg.MaterializeResult[Any]:
    """Count every active partner at one instant, the chain's start, and keep the day's counts for the reports."""
    with sync_step(context, lms, "partner_cert_counts") as step:
        at = step.chain_started_at
        with step.warehouse.read() as connection:
            active = [partner for partner, is_active in reading.partner_activity(connection).items() if is_active]
            affiliations = partner_users(
                reading.partner_activity(connection),
                reading.person_facts(connection),
                reading.group_facts(connection),
                reading.members(connection),
                reading.contact_facts(connection),
            )
            courses = reading.course_facts(connection)
            people = {each.user_id for each in affiliations}
            held = assess(
                affiliations,
                reading.enrollments(connection, people),
                courses,
                at=at,
                months=step.rules.certification_months,
            )
            counts = count(held, active, step.rules.gtm_category)
            before = {partner_id: row["total_npcu"] for partner_id, row in stored_counts(connection).items()}
            names = reading.partner_names(connection)
            tiers = partner_tiers(connection)
        users_of: dict[int, int] = {}
        for each in affiliations:
            if each.obstacle is None:
                users_of[each.partner_id] = users_of.get(each.partner_id, 0) + 1

        def work(connection: Connection) -> SyncCounts:
            remember_base(connection, now=step.now)
            write_history(connection, at.date(), counts.values(), as_of=at, now=step.now, people=users_of, tiers=tiers)
            return write_counts(connection, counts.values(), as_of=at, now=step.now)

        step.write(work, details={"as_of": at.isoformat()})
        several = people_of_several_partners(affiliations)
        return step.result(
            len(counts),
            as_of=dg.MetadataValue.timestamp(at),
            total_npcu=sum(each.total_npcu for each in counts.values()),
            certifications=sum(sum(each.by_category.values()) + each.uncategorised for each in counts.values()),
            certifications_without_category=sum(each.uncategorised for each in counts.values()),
            partner_users=len({each.user_id for each in affiliations if each.obstacle is None}),
            partners_with_certifications=sum(each.total_npcu > 0 for each in counts.values()),
            people_at_several_partners=len(several),
            people_at_several_partners_sample=[
                f"{user_id}: partners {', '.join(map(str, partner_ids))}"
                for user_id, partner_ids in list(several.items())[:20]
            ],
            moved_most=_movers(before, counts, names),
        )


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


@asset_of("pushed_partner_cert_counts", table="pushed_partner_counts")
def pushed_partner_cert_counts(context: dg.AssetExecutionContext, lms: Connections) -> dg.MaterializeResult[Any]:
    """Send the CRM what differs from what it last confirmed, read it back, and remember what it refused."""
    with sync_step(context, lms, "pushed_partner_cert_counts") as step:
        settings = lms.settings()
        push = Push(step, portal_url=settings.portal_url)
        items = push.plan()
        if settings.push_dry_run:
            step.write(lambda _: SyncCounts(), details={"dry_run": True, "differing": len(items)})
            return step.result(push.partners, dry_run=True, differing=len(items), differences=push.as_table(items))
        with lms.impartner() as client:
            push.refuse_sudden_fall(client, items)
            push.send(client, items)
            step.used(client.http)
        step.on_commit(lambda connection: remember_pushed_total(connection, now=step.now))
        step.write(
            lambda _: SyncCounts(updated=len(push.confirmed), unchanged=push.partners - len(items)),
            failures=push.failures,
            details={"dry_run": False, "differing": len(items), "failed": len(push.failures)},
        )
        return step.result(
            push.partners,
            dry_run=False,
            differing=len(items),
            sent=push.sent,
            confirmed=len(push.confirmed),
            failed=len(push.failures),
            partners_without_crm_id=push.without_crm_id,
            partners_withheld=len(push.withheld),
            partners_withheld_sample=[
                f"partner {each}: a group of it was never read whole" for each in push.withheld[:20]
            ],
            differences=push.as_table(items),
        )
