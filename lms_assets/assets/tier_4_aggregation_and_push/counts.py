"""The counts of every partner: sums over the ledger, at the ledger's instant."""

from collections.abc import Mapping
from typing import Any

import dagster as dg

from lms_assets.assets.asset import asset_of
from lms_assets.assets.sync_run import Step, sync_step
from lms_assets.assets.upstream_checks import require_upstream_checks
from lms_assets.domain.counting.certifications import PartnerCounts
from lms_assets.domain.operations.schedule import CHAIN
from lms_assets.domain.safety.deactivation_limit import SyncStopped
from lms_assets.resources import ImpartnerResource, WarehouseResource
from lms_assets.warehouse import reading
from lms_assets.warehouse.engine import Connection
from lms_assets.warehouse.reading.foundation import partner_tiers
from lms_assets.warehouse.reading.rule_change import counts_before_rules_changed, remember_rules
from lms_assets.warehouse.results.counts import note_counted_without_all, stored_counts, write_counts, write_history
from lms_assets.warehouse.results.ledger import ledger_counts, read_ledger
from lms_assets.warehouse.state.baselines import remember_base
from lms_assets.warehouse.upsert.upsert import SyncCounts

MOVERS = 10


class Counting:
    """Sums and stores in one transaction, so that no half of a ledger is ever counted."""

    def __init__(self, step: Step) -> None:
        self._step = step
        self.counts: Mapping[int, PartnerCounts] = {}
        self.details: dict[str, str] = {}
        self.figures: dict[str, Any] = {}

    def write(self, connection: Connection) -> SyncCounts:
        """Store the counts, and the day's for the reports.

        Raises:
            SyncStopped: the ledger was never written.
        """
        ledger = read_ledger(connection, lock=True)
        if ledger is None:
            raise SyncStopped(f"There is no ledger of certifications yet, so nothing to count. Run {CHAIN}.")
        names = reading.partner_names(connection)
        before = {partner_id: row["total_npcu"] for partner_id, row in stored_counts(connection).items()}
        self.counts = ledger_counts(connection, names, self._step.rules.gtm_category)
        now, counts = self._step.now, self.counts.values()
        by_old_rules = counts_before_rules_changed(connection, "counted", self._step.rules, ledger.as_of)
        self.details["as_of"] = ledger.as_of.isoformat()
        self.figures = {
            "as_of": dg.MetadataValue.timestamp(ledger.as_of),
            "total_npcu": sum(each.total_npcu for each in counts),
            "certifications": sum(sum(each.by_category.values()) + each.uncategorised for each in counts),
            "certifications_without_category": sum(each.uncategorised for each in counts),
            "partners_with_certifications": sum(each.total_npcu > 0 for each in counts),
            "moved_most": _movers(before, self.counts, names, by_old_rules),
        }
        remember_base(connection, now=now)
        remember_rules(connection, "counted", self._step.rules, now=now)
        note_counted_without_all(connection, ledger.without_all, now=now)
        day, tiers = ledger.as_of.date(), partner_tiers(connection)
        write_history(connection, day, counts, as_of=ledger.as_of, now=now, people=ledger.people, tiers=tiers)
        return write_counts(connection, counts, as_of=ledger.as_of, counted_at=ledger.written_at, now=now)


def _movers(
    before: Mapping[int, int],
    counts: Mapping[int, PartnerCounts],
    names: Mapping[int, str],
    by_old_rules: Mapping[int, PartnerCounts] | None,
) -> dg.TableMetadataValue:
    """The ten partners whose NPCU moved most; after a change of the rules, how much of it comes from them."""
    moves = [(each.total_npcu - before.get(partner_id, 0), partner_id) for partner_id, each in counts.items()]
    most = sorted((move for move in moves if move[0]), key=lambda move: (-abs(move[0]), move[1]))[:MOVERS]
    records = []
    for change, key in most:
        row: dict[str, str | int | float | bool | None] = {
            "partner": names.get(key, str(key)), "before": before.get(key, 0), "now": counts[key].total_npcu,
            "change": change,
        }  # fmt: skip
        if by_old_rules is not None:
            row["by_rules"] = counts[key].total_npcu - (by_old_rules[key].total_npcu if key in by_old_rules else 0)
        records.append(dg.TableRecord(row))
    numbers = ("before", "now", "change", *(() if by_old_rules is None else ("by_rules",)))
    columns = [dg.TableColumn("partner"), *(dg.TableColumn(name, "int") for name in numbers)]
    return dg.MetadataValue.table(records, schema=dg.TableSchema(columns))


@asset_of("partner_cert_counts")
def partner_cert_counts(
    context: dg.AssetExecutionContext, impartner: ImpartnerResource, warehouse: WarehouseResource
) -> dg.MaterializeResult[Any]:
    """Add up the ledger for every active partner, and keep the day's counts for the reports."""
    with sync_step(context, warehouse, "partner_cert_counts") as step:
        require_upstream_checks(step)
        counting = Counting(step)
        step.write(counting.write, details=counting.details)
        return step.result(len(counting.counts), **counting.figures)
