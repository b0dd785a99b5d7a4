"""The material of a week's reports from the warehouse: read as of one state of it, then the past completed.

Calls the warehouse's functions and decides nothing; SQL and rules are theirs and the domain's.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from lms_assets.domain.counting.report_facts import Snapshot
from lms_assets.domain.operations.schedule import CHAIN
from lms_assets.domain.rules import Rules
from lms_assets.domain.safety.withheld import in_plain_words
from lms_assets.reports.config import ReportConfig
from lms_assets.reports.figures.assemble import Readings, assemble
from lms_assets.reports.figures.inputs import ReportInputs
from lms_assets.warehouse.engine import Warehouse
from lms_assets.warehouse.reading import withheld_partners
from lms_assets.warehouse.reading.reports import (
    counting_inputs,
    partner_facts,
    people_names,
    snapshots,
    store_snapshots,
)
from lms_assets.warehouse.results.counts import last_counted


class NothingCounted(LookupError):
    """No counts exist yet, so there is nothing to report."""


def report_inputs_from(
    warehouse: Warehouse,
    *,
    rules: Rules,
    config: ReportConfig,
    now: datetime,
    banner: str | None = None,
    released: bool = False,
    store_past: bool = True,
) -> ReportInputs:
    """All that the reports of the week of `now` (UTC) are made from, counted as of the last count.

    Args:
        banner: what is wrong with the data, see `report_release`.
        released: a person lets the reports go out in spite of it.
        store_past: keep the snapshots of days on which nobody counted; a preview leaves the warehouse as it is.

    Raises:
        NothingCounted: no counts exist yet.
        WarehouseError: it cannot be read or written.
    """
    computed: list[Snapshot] = []

    def remember(found: Iterable[Snapshot]) -> None:
        computed.extend(found)

    with warehouse.read() as connection:
        counted = last_counted(connection)
        if counted is None:
            raise NothingCounted(f"nothing has been counted yet; run `lms-assets run {CHAIN}` first")
        readings = Readings(
            partners=partner_facts(connection, at=counted.as_of),
            inputs=counting_inputs(connection, months=rules.certification_months, gtm_category=rules.gtm_category),
            snapshots=lambda days: snapshots(connection, days),
            keep=remember,
            names=people_names(connection),
            withheld={key: in_plain_words(each) for key, each in withheld_partners(connection, rules).items()},
        )
        inputs = assemble(readings, as_of=counted.as_of, now=now, config=config, banner=banner, released=released)
    # Written once the reading is over: a SQLite file cannot be written while it is read from.
    if store_past and computed:
        warehouse.in_transaction(lambda connection: store_snapshots(connection, computed, now=now))
    return inputs
