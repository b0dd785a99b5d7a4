"""The counts of every partner: sums over the ledger, at the ledger's instant."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any

import dagster as dg

from lms_assets.assets.asset import asset_of
from lms_assets.assets.sync_run import sync_step
from lms_assets.assets.upstream_checks import require_upstream_checks
from lms_assets.domain.rules import Rules
from lms_assets.domain.safety.deactivation_limit import SyncStopped
from lms_assets.domain.schedule import CHAIN
from lms_assets.domain.sync_plans.counts import CountPlan, Move, plan_counts
from lms_assets.resources import ImpartnerResource, WarehouseResource
from lms_assets.warehouse.engine import Connection
from lms_assets.warehouse.reading.foundation import partner_names, partner_tiers
from lms_assets.warehouse.reading.rule_change import counts_before_rules_changed, remember_rules
from lms_assets.warehouse.results.counts import note_counted_without_all, stored_counts, write_counts, write_history
from lms_assets.warehouse.results.ledger import ledger_counts, read_ledger
from lms_assets.warehouse.state.baselines import remember_base
from lms_assets.warehouse.upsert.upsert import SyncCounts

MOVERS = 10


@asset_of("partner_cert_counts")
def partner_cert_counts(
    context: dg.AssetExecutionContext, impartner: ImpartnerResource, warehouse: WarehouseResource
) -> dg.MaterializeResult[Any]:
    """Add up the ledger for every active partner, and keep the day's counts for the reports."""
    with sync_step(context, warehouse, "partner_cert_counts") as step:
        require_upstream_checks(step)
        with step.warehouse.read() as connection:
            names = partner_names(connection)
            plan = read_count_plan(connection, names, step.rules)
        work = partial(write_count_plan, plan=plan, rules=step.rules, now=step.now)
        step.write(work, details={"as_of": plan.ledger.as_of.isoformat()})
        return step.result(len(plan.counts), **_figures(plan, names))


def read_count_plan(connection: Connection, partner_ids: Collection[int], rules: Rules) -> CountPlan:
    """The sums over the ledger, as of one state of the database, so that no half of a ledger is ever counted.

    Raises:
        SyncStopped: the ledger was never written.
    """
    ledger = read_ledger(connection)
    if ledger is None:
        raise SyncStopped(f"There is no ledger of certifications yet, so nothing to count. Run {CHAIN}.")
    return plan_counts(
        ledger,
        ledger_counts(connection, partner_ids, rules.gtm_category),
        {partner_id: row["total_npcu"] for partner_id, row in stored_counts(connection).items()},
        counts_before_rules_changed(connection, "counted", rules, ledger.as_of),
    )


def write_count_plan(connection: Connection, plan: CountPlan, rules: Rules, now: datetime) -> SyncCounts:
    """Store the counts, and the day's for the reports.

    Raises:
        ValueError: the ledger was written since its sums were read.
    """
    ledger, counts = plan.ledger, plan.counts.values()
    if read_ledger(connection, lock=True) != ledger:
        raise ValueError("the ledger was written by another run while this one counted; run it again")
    remember_base(connection, now=now)
    remember_rules(connection, "counted", rules, now=now)
    note_counted_without_all(connection, ledger.without_all, now=now)
    day, tiers = ledger.as_of.date(), partner_tiers(connection)
    write_history(connection, day, counts, as_of=ledger.as_of, now=now, people=ledger.people, tiers=tiers)
    return write_counts(connection, counts, as_of=ledger.as_of, counted_at=ledger.written_at, now=now)


def _figures(plan: CountPlan, names: Mapping[int, str]) -> dict[str, Any]:
    """The sums over all partners, and the ten partners whose NPCU moved most."""
    counts = plan.counts.values()
    return {
        "as_of": dg.MetadataValue.timestamp(plan.ledger.as_of),
        "total_npcu": sum(each.total_npcu for each in counts),
        "certifications": sum(sum(each.by_category.values()) + each.uncategorised for each in counts),
        "certifications_without_category": sum(each.uncategorised for each in counts),
        "partners_with_certifications": sum(each.total_npcu > 0 for each in counts),
        "moved_most": _as_table(plan.moves[:MOVERS], names),
    }


def _as_table(moves: Sequence[Move], names: Mapping[int, str]) -> dg.TableMetadataValue:
    """After a change of the rules also how much of each move comes from them."""
    rows: list[dict[str, str | int | float | bool | None]] = [
        {
            "partner": names.get(move.partner_id, str(move.partner_id)),
            "before": move.before,
            "now": move.now,
            "change": move.now - move.before,
            **({} if move.by_rules is None else {"by_rules": move.by_rules}),
        }
        for move in moves
    ]
    numbers = ("before", "now", "change", *(("by_rules",) if any(move.by_rules is not None for move in moves) else ()))
    columns = [dg.TableColumn("partner"), *(dg.TableColumn(name, "int") for name in numbers)]
    return dg.MetadataValue.table([dg.TableRecord(row) for row in rows], schema=dg.TableSchema(columns))
