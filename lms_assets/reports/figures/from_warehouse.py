"""What the week's reports are made from, of the warehouse: read as of one state of it, counted by the ledger.

Calls the warehouse's functions and decides nothing; SQL and rules are theirs and the domain's.
"""

from __future__ import annotations

from datetime import datetime

from lms_assets.domain.counting.holdings import held_by_dates
from lms_assets.domain.counting.periods import WEEK, earliest, monday_of
from lms_assets.domain.rules import Rules
from lms_assets.domain.safety.withheld import in_plain_words
from lms_assets.domain.schedule import CHAIN
from lms_assets.reports.config import ReportConfig
from lms_assets.reports.figures.inputs import ReportInputs, held_frame, people_frame
from lms_assets.reports.figures.model import Frame
from lms_assets.warehouse.engine import Warehouse
from lms_assets.warehouse.reading.people import stored_affiliations
from lms_assets.warehouse.reading.reports import counting_inputs, partner_facts, people_names
from lms_assets.warehouse.reading.withheld import withheld_partners
from lms_assets.warehouse.results.counts import last_counted
from lms_assets.warehouse.results.ledger import ledger_periods, read_ledger


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
) -> ReportInputs:
    """All that the reports of the week of `now` (UTC) are made from, counted as of the last count.

    The time before the ledger's first day is worked out from dates of completion and expiry, with today's people.

    Args:
        banner: what is wrong with the data, see `report_release`.
        released: a person lets the reports go out in spite of it.

    Raises:
        NothingCounted: no counts exist yet.
        WarehouseError: it cannot be read.
    """
    with warehouse.read() as connection:
        counted, ledger = last_counted(connection), read_ledger(connection)
        if counted is None or ledger is None or ledger.since is None:
            raise NothingCounted(f"nothing has been counted yet; run `lms-assets run {CHAIN}` first")
        at = counted.as_of
        held = list(ledger_periods(connection))
        if ledger.since > earliest(at):
            months, gtm = rules.certification_months, rules.gtm_category
            inputs = counting_inputs(connection, months=months, gtm_category=gtm)
            belonging = inputs.affiliations
            held += held_by_dates(inputs, ledger.since)
        else:
            belonging = stored_affiliations(connection)
        return ReportInputs(
            Frame(monday_of(now.date()), at, at - WEEK, banner, released, known_since=ledger.since),
            partner_facts(connection, at=at),
            held_frame(held),
            people_frame((each.partner_id, each.user_id) for each in belonging if each.obstacle is None),
            people_names(connection),
            config,
            {key: in_plain_words(each) for key, each in withheld_partners(connection, rules).items()},
        )
